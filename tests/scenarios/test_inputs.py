"""Bad inputs get a clear reply or silence, through the webhook, and nothing is written.

The numbers are rows of the inputs table (reference, "Bad inputs with the expected reply"). Where the
table and the product's contract differ, the contract decides: a comment of several commands may be
fine, a merged pull request of a fork gets a start pull request, a draft takes commands.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.scenarios.inert import live, outside_code
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, VERSION_4, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.entry.rehearsal import Rehearsal
    from bot.sandbox.faults import Request

WHOLE = "Use a whole number from 0 to 100."
TALK = ("/comments", "/reactions")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def table(running_bot: Rehearsal) -> Iterator[Stage]:
    """One repository with one pull request, #1, for all rows that write nothing."""
    world = running_bot.world
    repo = f"acme/inputs-{next(_numbers)}"
    world.create_repository(repo, {PATH: CUSTOMER}, by="ada")
    for login, role in PEOPLE.items():
        world.set_role(repo, login, role)
    running_bot.install(repo)
    stage = Stage(running_bot, repo)
    assert stage.feature() == 1
    yield stage
    running_bot.settle()
    unread = stage.unread()
    world.delete_repository(repo)
    running_bot.settle()
    assert unread == []


def writes(stage: Stage) -> list[Request]:
    """Give the bot's requests that were to change anything but the conversation."""
    return [
        r
        for r in stage.run.server.by(stage.run.app.bot.login)
        if r.method != "GET" and r.path.startswith(f"/repos/{stage.repo}/") and not r.path.endswith(TALK)
    ]


def raw_replies(stage: Stage) -> list[str]:
    """Give the bot's comments on #1, markers included."""
    timeline = stage.run.world.timeline(stage.repo, 1)
    return [e.comment.body for e in timeline if e.comment and e.comment.author is stage.run.app.bot]


def not_understood(row: str, comment: str, code: str, says: str) -> object:
    return pytest.param(comment, code, says, id=row)


NOT_UNDERSTOOD = [
    not_understood("1 above a hundred", "/canary 101", "weight-out-of-range", "101 is outside 0–100."),
    not_understood("2 below zero", "/canary -1", "weight-not-a-number", WHOLE),
    not_understood("3 a fraction", "/canary 25.5", "weight-not-a-number", WHOLE),
    not_understood("4 a leading zero", "/canary 025", "weight-leading-zero", "Did you mean 25?"),
    not_understood("5 a plus sign", "/canary +25", "weight-not-a-number", WHOLE),
    not_understood("6 an underscore", "/canary 2_5", "weight-not-a-number", WHOLE),
    not_understood("7 full-width digits", "/canary ２５", "weight-not-a-number", "(got U+FF12 U+FF15)"),
    not_understood("8 Arabic digits", "/canary ٢٥", "weight-not-a-number", "(got U+0662 U+0665)"),
    not_understood("9 an exponent", "/canary 1e2", "weight-not-a-number", WHOLE),
    not_understood("9 hexadecimal", "/canary 0x19", "weight-not-a-number", WHOLE),
    not_understood("9 NaN", "/canary NaN", "weight-not-a-number", WHOLE),
    not_understood("9 infinity", "/canary inf", "weight-not-a-number", WHOLE),
    not_understood("10 five thousand digits", f"/canary {'9' * 5000}", "number-too-long", "Number too long."),
    not_understood("11 nothing behind it", "/canary", "weight-missing", "Usage: `/canary [SERVICE] N`"),
    not_understood(
        "12 steps that do not end at 100", "/canary 25 50", "steps-not-rising", "/canary 25 50 100"
    ),
    not_understood("13 two percents", "/canary 25\n/canary 50", "conflicting-commands", "nothing was done"),
    not_understood(
        "14 canary and rollback", "/canary 25\n/rollback", "conflicting-commands", "nothing was done"
    ),
    not_understood("15 a line separator", "/canary 25\u2028/rollback", "hidden-character", "(U+2028)"),
    not_understood("16 thousands of commands", "/canary 25\n" * 5900, "too-many-commands", "at most 10"),
    not_understood("21 a full-width slash", "／canary 25", "unknown-verb", "Did you mean `/canary`?"),
    not_understood("22 a byte-order mark", "\ufeff/canary 25", "hidden-character", "(U+FEFF)"),
    not_understood("23 a no-break space", "/canary\u00a025", "plain-space-needed", "Use a plain space."),
    not_understood("24 right to left", "/canary \u202e25", "hidden-character", "(U+202E)"),
    not_understood("24 zero width", "/canary 2\u200b5", "hidden-character", "(U+200B)"),
    not_understood(
        "25 a Cyrillic letter",
        "/canary 25 app=\u0441ustomer",
        "unknown-service",
        "(got U+0441); known: customer.",
    ),
    not_understood("26 NUL", "/canary 25\0", "hidden-character", "(U+0000)"),
    not_understood("26 a lone CR", "/canary 25\r/rollback", "hidden-character", "(U+000D)"),
    not_understood("27 a shell's semicolon", "/canary 25; id", "unexpected-text", "after the weight"),
    not_understood("28 a shell's substitution", "/canary 25 $(id)", "unexpected-text", "after the weight"),
    not_understood(
        "29 an argument of a program",
        "/canary 25 -- -var-file=/etc/passwd",
        "unknown-option",
        "Unknown option",
    ),
    not_understood(
        "30 a path", "/canary 25 app=../../etc/passwd", "bad-name", "App names use a–z, 0–9 and '-'."
    ),
    not_understood(
        "31 an expression of Actions", "/canary ${{ secrets.GITHUB_TOKEN }}", "weight-not-a-number", WHOLE
    ),
    not_understood("32 a template", "/canary {{ 7*7 }}", "weight-not-a-number", WHOLE),
    not_understood("33 a format string", "/canary {0.__class__}", "weight-not-a-number", WHOLE),
    not_understood("34 a terminal's escape", "/canary \x1b[31m25", "hidden-character", "(U+001B)"),
    not_understood("35 mentions", "/canary @everyone @acme/all", "weight-not-a-number", WHOLE),
    not_understood("36 an encoded mention", "/canary &#64;octocat", "weight-not-a-number", WHOLE),
    not_understood("37 a closing word", "/canary fixes #1", "unknown-verb", "I don't know `/canary fixes`"),
    not_understood(
        "37 a reference as a reason", "/rollback fixes #1", "unexpected-text", "`/rollback -- reason`"
    ),
    not_understood(
        "38 an image", "/canary ![p](https://attacker.invalid/p.png)", "weight-not-a-number", WHOLE
    ),
    not_understood("38 a link", "/canary [p](https://attacker.invalid)", "weight-not-a-number", WHOLE),
    not_understood("38 HTML", "/canary <b>25</b> <script>", "weight-not-a-number", WHOLE),
    not_understood(
        "38 an image in HTML", "/canary <img src=x.png>", "unknown-option", "Unknown option `src`"
    ),
    not_understood("39 back-ticks", "/canary ``` @victim", "weight-not-a-number", WHOLE),
    not_understood("39 ninety back-ticks", f"/canary {'`' * 90} @victim", "weight-not-a-number", WHOLE),
    not_understood("39 a name of back-ticks", "/canary `@victim` 25", "weight-not-a-number", WHOLE),
    not_understood("a mistyped verb", "/canary promte", "unknown-verb", "Did you mean `/canary promote`?"),
    not_understood("a name nobody has", "/canary help @victim", "unknown-verb", "There is no verb"),
    not_understood("a wrong duration", "/hold for @victim", "bad-duration", "`30m`"),
    not_understood("an option with a mention", "/canary 25 @victim=1", "unexpected-text", "after the weight"),
]


@pytest.mark.parametrize(("comment", "code", "says"), NOT_UNDERSTOOD)
def test_a_bad_input_gets_a_clear_reply_and_writes_nothing(
    table: Stage, comment: str, code: str, says: str
) -> None:
    head, main = table.pull(1).head_sha, table.log("main")
    table.run.server.requests.clear()
    said = table.write(1, comment)
    table.settle()
    reply = table.reply_to(said)

    assert (reply.decision, reply.code) == ("not-understood", code)
    assert says in reply.text
    assert table.reactions(said) == ["eyes", "confused"]
    assert live(raw_replies(table)[-1], author="mona") == []
    assert "49" not in reply.text.replace(code, "")
    assert writes(table) == []
    assert (table.pull(1).head_sha, table.log("main"), table.numbers()) == (head, main, [1])
    assert sorted(table.run.world.branches(table.repo)) == ["main", "v4"]


def test_several_mistakes_are_told_together_and_inert(table: Stage) -> None:
    reply = table.say(
        1, "/canary 101 @victim\n/canary ![x](https://attacker.invalid)\n/hold for #99\n/promote @me"
    )
    assert reply.decision == "not-understood"
    assert reply.text.count("\n- ") == 4
    assert live(raw_replies(table)[-1], author="mona") == []
    assert writes(table) == [] or table.no_step()


@pytest.mark.parametrize(
    "comment",
    [
        pytest.param("> /canary 25", id="17 quoted"),
        pytest.param("> hello\n/canary 25", id="17 lazy continuation of a quote"),
        pytest.param("```\n/canary 25\n```", id="18 fenced"),
        pytest.param("```\n/canary 25", id="18 fenced, never closed"),
        pytest.param("    /canary 25", id="18 indented"),
        pytest.param("`/canary 25`", id="18 inline"),
        pytest.param("`` a\n/canary 25 ``", id="18 inline over two lines"),
        pytest.param("<!-- /canary 25 -->", id="19 an HTML comment"),
        pytest.param("<!--\n/canary 25\n-->", id="19 an HTML comment of several lines"),
        pytest.param("<details>\n\n/canary 25\n\n</details>", id="19 folded away"),
        pytest.param("please run /canary 25", id="20 in a sentence"),
        pytest.param("- /canary 25", id="a list"),
        pytest.param("# /canary 25", id="a heading"),
        pytest.param("| a |\n|---|\n| /canary 25 |", id="a table"),
        pytest.param("/lgtm", id="another bot's word"),
        pytest.param("/canary25", id="another word"),
        pytest.param("/canary-bot 25", id="a longer word"),
        pytest.param("/status", id="a word that is no short form"),
        pytest.param("/canary/customer/1/50 is the branch", id="a path"),
        pytest.param("looks good to me", id="conversation"),
    ],
)
def test_conversation_gets_silence(table: Stage, comment: str) -> None:
    table.run.server.requests.clear()
    table.say_unheard(1, comment)
    assert [r for r in table.run.server.by(table.run.app.bot.login) if r.method != "GET"] == []


@pytest.mark.parametrize(
    ("comment", "by", "code", "says"),
    [
        pytest.param("/canary 25", "rita", "not-allowed", "needs the role `write`", id="40 a reader"),
        pytest.param("/canary 25", "tess", "not-allowed", "`tess` has the role `triage`", id="40 triage"),
        pytest.param(
            "/canary 25 sha=deadbeef", "mona", "wrong-head", "`deadbeef` is not the", id="49 wrong sha"
        ),
        pytest.param("/rollback", "mona", "nothing-to-roll-back", "Nothing to roll back", id="52"),
        pytest.param(
            "/canary payments 25", "mona", "unknown-service", "known: `customer`", id="unknown service"
        ),
        pytest.param("/canary retry", "mona", "not-merged-yet", "No rollout", id="retry of nothing"),
        pytest.param("/canary adopt", "mona", "not-merged-yet", "No rollout", id="adoption of nothing"),
        pytest.param("/untag @victim", "mona", "kn-refused", "tag(s) @victim not", id="a mention as a tag"),
        pytest.param("/promote", "mona", "not-merged-yet", "No rollout", id="promotion of nothing"),
    ],
)
def test_a_command_that_cannot_be_done_is_declined_and_writes_nothing(
    table: Stage, comment: str, by: str, code: str, says: str
) -> None:
    head = table.pull(1).head_sha
    table.run.server.requests.clear()
    said = table.write(1, comment, by=by)
    table.settle()
    reply = table.reply_to(said)
    assert (reply.decision, reply.code) == ("declined", code)
    assert says in reply.text
    assert table.reactions(said) == ["eyes", "-1"]
    assert live(raw_replies(table)[-1], author=by) == []
    assert writes(table) == []
    assert (table.pull(1).head_sha, table.numbers()) == (head, [1])


def test_41_a_member_with_read_is_a_reader(stage: Stage) -> None:
    """The association of a comment says who somebody is, not what they may."""
    stage.role("rita", "read")
    number = stage.feature(by="mona")
    stage.run.world.merge(stage.repo, number, by="ada")  # a merged contributor is CONTRIBUTOR, never more
    stage.settle()
    assert stage.say(number, "/canary 25", by="rita").code == "not-allowed"
    assert stage.no_step()


def test_46_closed_merged_and_draft(stage: Stage) -> None:
    number = stage.feature()
    stage.close(number)
    head = stage.pull(number).head_sha
    closed = stage.say(number, "/canary 25")
    assert (closed.decision, closed.code) == ("declined", "pull-closed")
    assert "is closed" in closed.text
    assert (stage.pull(number).head_sha, stage.no_step()) == (head, True)
    stage.run.world.reopen(stage.repo, number, by="mona")
    stage.settle()
    stage.merge(number)
    assert stage.say(number, "/canary 25").code == "proposed"


def test_47_a_command_that_arrives_too_late(stage: Stage) -> None:
    number = stage.feature()
    stage.run.world.hooks.pause()
    said = stage.write(number, "/canary 25")
    stage.later(hours=4, minutes=30)
    stage.run.world.hooks.flush()
    stage.settle()
    reply = stage.reply_to(said)
    assert (reply.decision, reply.code) == ("declined", "too-late")
    assert "too late (4 h 30 min)" in reply.text
    assert "Please repeat it." in reply.text
    assert stage.read("v4") == VERSION_4


def push_before(stage: Stage, *contents: bytes) -> None:
    """Let somebody push to the branch in the moment before the bot writes, once for each content."""
    queue = list(contents)

    def push() -> None:
        stage.run.world.commit(stage.repo, "v4", {PATH: queue.pop(0)}, "Faster", by="kim")

    stage.run.server.faults.before("PUT", f"/repos/{stage.repo}/contents/{PATH}", push, times=len(contents))


def test_48_a_head_that_moves_once_is_planned_again(stage: Stage) -> None:
    number = stage.feature()
    newer = VERSION_4.replace(b"customer:4.0.0", b"customer:4.0.1")
    push_before(stage, newer)
    assert stage.say(number, "/canary 25").code == "applied"
    assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
    assert b"customer:4.0.1" in stage.read("v4")


def test_48_a_head_that_keeps_moving_is_left_alone(stage: Stage) -> None:
    number = stage.feature()
    moved = [VERSION_4.replace(b"customer:4.0.0", b"customer:4.0.%d" % n) for n in (1, 2)]
    push_before(stage, *moved)
    reply = stage.say(number, "/canary 25")
    assert (reply.decision, reply.code) == ("declined", "head-moved")
    assert "repeat the command" in reply.text
    assert stage.read("v4") == moved[-1]


def test_51_a_rollback_with_a_broken_configuration_is_accepted_once(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number)
    step = stage.step()
    broken = {".github/canary.yaml": b"version: 1\nrules: [\n"}
    stage.run.world.commit(stage.repo, "main", broken, "Break", by="ada")
    assert stage.say(number, "/canary plan 25").code in {"config-invalid", "step-order", "already-again"}
    assert stage.say(number, "/rollback").code == "proposed"
    stage.notice(step.number, "closed-rollback")
    assert stage.say(number, "/rollback").code == "already"
    assert stage.split(stage.step().head_ref) == {"customer-v3": 100}


def test_a_reason_never_becomes_live_anywhere(stage: Stage) -> None:
    """User text is only ever shown inside a code span: in replies, bodies, checks; and not in commits."""
    reason = (
        "fixes #999 GH-998 @victim @acme/all ![x](https://attacker.invalid/p.png) <img src=x> `a | @victim |"
    )
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number)
    step = stage.step()
    stage.say(step.number, f"/hold -- {reason}")
    stage.say(step.number, "/canary why")
    stage.say(step.number, f"/rollback -- {reason}")
    stage.notice(step.number, "closed-rollback")
    back = stage.step()

    world = stage.run.world
    texts = [p.body or "" for p in (step, back)]
    texts += [e.comment.body for n in stage.numbers() for e in world.timeline(stage.repo, n) if e.comment]
    texts = [t for t in texts if "<!-- canary-bot:" in t]
    texts += [str(c.output["summary"]) for c in world.checks(stage.repo, step.head_sha)]
    assert sum("victim" in t for t in texts) >= 3
    for text in texts:
        seen = outside_code(text)
        assert [w for w in ("victim", "999", "998", "acme/all", "attacker") if w in seen] == []
        assert "<img" not in seen
        own = f"link_open: {{'href': '{world.urls.web}/{stage.repo}/pull/"  # to the comments that asked
        found = [x for x in live(text) if x.startswith(("image", "html", "link"))]
        assert [x for x in found if not x.startswith(own)] == []
    plain = [p.title for p in (step, back)] + stage.log(back.head_ref)
    assert [t for t in plain if "@" in t or "999" in t or "998" in t or "attacker" in t] == []
