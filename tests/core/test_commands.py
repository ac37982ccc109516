"""The grammar of the commands, several of them in a comment, and the usage table."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.core.commands import (
    USAGES,
    Adopt,
    Canary,
    Cancel,
    Command,
    Freeze,
    Help,
    Hold,
    Plan,
    Promote,
    Resume,
    Retarget,
    Retry,
    Rollback,
    Status,
    Tag,
    Traffic,
    Unfreeze,
    Untag,
    Usage,
    Why,
    help_text,
    parse_comment,
    usage_table,
)


def only(comment: str) -> Command:
    parsed = parse_comment(comment)
    assert parsed.problems == ()
    (command,) = parsed.commands
    return command


def codes(comment: str) -> list[str]:
    return [p.code for p in parse_comment(comment).problems]


FORMS = [
    pytest.param("/canary 25", Canary(weights=(25,)), id="a percent"),
    pytest.param("/canary 0", Canary(weights=(0,)), id="0 = tag only"),
    pytest.param("/canary 100", Canary(weights=(100,)), id="all at once"),
    pytest.param("/canary checkout 25", Canary("checkout", (25,)), id="a service and a percent"),
    pytest.param("/canary all 25", Canary("all", (25,)), id="all services"),
    pytest.param("/canary 5 25 100", Canary(weights=(5, 25, 100)), id="steps instead of the rule set's"),
    pytest.param("/canary 0 100", Canary(weights=(0, 100)), id="steps from the tag"),
    pytest.param("/canary v2-app 5 100", Canary("v2-app", (5, 100)), id="steps of a service"),
    pytest.param(
        "/canary 25 stable=a-00001 candidate=a-v2 sha=ABCDEF1",
        Canary(weights=(25,), stable="a-00001", candidate="a-v2", sha="abcdef1"),
        id="revisions and head",
    ),
    pytest.param("/canary 25 app=checkout", Canary("checkout", (25,)), id="app option"),
    pytest.param("/canary service=plan 25", Canary("plan", (25,)), id="a service with a verb's name"),
    pytest.param("/canary a 25 service=a app=a", Canary("a", (25,)), id="the same service three times"),
    pytest.param("/canary   25  ", Canary(weights=(25,)), id="more spaces"),
    pytest.param("   /canary 25", Canary(weights=(25,)), id="three spaces in front"),
    pytest.param("/canary 25\r\n", Canary(weights=(25,)), id="CRLF"),
    pytest.param("/canary 25 sha=" + "a" * 40, Canary(weights=(25,), sha="a" * 40), id="full sha"),
    pytest.param("/canary plan", Plan(), id="plan"),
    pytest.param("/canary plan 25", Plan(weight=25), id="plan for a percent"),
    pytest.param("/canary plan checkout 25", Plan("checkout", 25), id="plan for a service and a percent"),
    pytest.param("/promote", Promote(), id="promote"),
    pytest.param("/promote next", Promote(to="next"), id="promote next"),
    pytest.param("/promote 50", Promote(to=50), id="promote to a percent"),
    pytest.param("/promote full", Promote(to="full"), id="promote full"),
    pytest.param("/promote checkout full", Promote("checkout", "full"), id="promote a service"),
    pytest.param("/promote checkout", Promote("checkout"), id="promote a service to its next step"),
    pytest.param("/promote app=next full", Promote("next", "full"), id="a service named next"),
    pytest.param("/rollback", Rollback(), id="rollback"),
    pytest.param("/rollback all", Rollback("all"), id="rollback of all"),
    pytest.param("/rollback -- a b", Rollback(reason="a b"), id="rollback with a reason"),
    pytest.param("/rollback x -- y -- z", Rollback("x", "y -- z"), id="two hyphens inside of a reason"),
    pytest.param("/rollback --", Rollback(), id="an empty reason is none"),
    pytest.param(
        "/rollback -- Fähre ❤️ 25 %\u00a0!", Rollback(reason="Fähre ❤️ 25 %\u00a0!"), id="reasons are free"
    ),
    pytest.param("/hold", Hold(), id="hold"),
    pytest.param("/hold for 2h", Hold(duration=timedelta(hours=2)), id="hold for a time"),
    pytest.param("/hold for 1d12h", Hold(duration=timedelta(hours=36)), id="several units"),
    pytest.param("/hold for 90m", Hold(duration=timedelta(minutes=90)), id="minutes"),
    pytest.param("/hold for 1w", Hold(duration=timedelta(weeks=1)), id="weeks"),
    pytest.param(
        "/hold checkout for 30m -- db",
        Hold("checkout", timedelta(minutes=30), "db"),
        id="hold with all parts",
    ),
    pytest.param(
        "/promote --override freeze -- db",
        Promote(overrides=("freeze",), reason="db"),
        id="promote with an override",
    ),
    pytest.param(
        "/promote checkout full --override steps --override bake -- a -- b",
        Promote("checkout", "full", ("steps", "bake"), "a -- b"),
        id="promote with two overrides",
    ),
    pytest.param("/canary 25 --again", Canary(weights=(25,), again=True), id="start what was rolled back"),
    pytest.param("/canary freeze", Freeze(), id="freeze everything"),
    pytest.param("/canary freeze all", Freeze("all"), id="freeze everything by name"),
    pytest.param(
        "/canary freeze checkout for 2h -- db",
        Freeze("checkout", timedelta(hours=2), "db"),
        id="freeze with all parts",
    ),
    pytest.param("/canary unfreeze", Unfreeze(), id="unfreeze everything"),
    pytest.param("/canary unfreeze checkout", Unfreeze("checkout"), id="unfreeze a service"),
    pytest.param("/resume", Resume(), id="resume"),
    pytest.param("/resume checkout", Resume("checkout"), id="resume a service"),
    pytest.param("/traffic a=25 b=75", Traffic(items=("a=25", "b=75")), id="traffic"),
    pytest.param("/traffic a=1,@latest=99", Traffic(items=("a=1,@latest=99",)), id="traffic by comma"),
    pytest.param("/tag a=candidate", Tag(items=("a=candidate",)), id="tag"),
    pytest.param("/tag app=candidate", Tag(items=("app=candidate",)), id="a revision named like an option"),
    pytest.param("/untag a b", Untag(items=("a", "b")), id="untag"),
    pytest.param("/canary status", Status(), id="status"),
    pytest.param("/canary status checkout", Status("checkout"), id="status of a service"),
    pytest.param("/canary why", Why(), id="why"),
    pytest.param("/canary help", Help(), id="help"),
    pytest.param("/canary help promote", Help("promote"), id="help for a verb"),
    pytest.param("/canary help canary", Help("canary"), id="help for the command itself"),
    pytest.param("/canary cancel", Cancel(), id="cancel"),
    pytest.param("/canary adopt", Adopt(), id="adopt"),
    pytest.param("/canary retry app=a", Retry("a"), id="retry"),
]


class TestForms:
    """The grammar is matched whole."""

    @pytest.mark.parametrize(("comment", "command"), FORMS)
    def test_form(self, comment: str, command: Command) -> None:
        assert only(comment) == command

    @pytest.mark.parametrize(("comment", "command"), FORMS)
    def test_canary_verb_is_the_full_form(self, comment: str, command: Command) -> None:
        if not comment.lstrip().startswith("/canary"):
            long = only("/canary " + comment.removeprefix("/"))
            assert long == command
            assert (only(comment).short, long.short) == (True, False)

    @pytest.mark.parametrize(
        ("comment", "code"),
        [
            pytest.param("/canary 25 50 75", "steps-not-rising", id="the last step is not 100"),
            pytest.param("/canary 25 050 100", "weight-leading-zero", id="leading zero in a step"),
            pytest.param("/canary 25 101", "weight-out-of-range", id="a step too large"),
            pytest.param("/canary 25 ５０ 100", "weight-not-a-number", id="foreign digits in a step"),
            pytest.param("/canary 25 -1", "weight-not-a-number", id="negative step"),
            pytest.param("/canary 25 checkout", "unexpected-text", id="service behind the percent"),
            pytest.param("/canary a b 25", "weight-not-a-number", id="two services"),
            pytest.param("/canary a 25 app=b", "unexpected-text", id="two different services"),
            pytest.param("/canary 25 app=a app=a", "unexpected-text", id="option twice"),
            pytest.param("/canary 25 app=", "bad-name", id="empty option"),
            pytest.param("/canary 25 app=-a", "bad-name", id="name begins with a hyphen"),
            pytest.param("/canary 25 app=1a", "bad-name", id="name begins with a digit"),
            pytest.param("/canary 25 app=a-", "bad-name", id="name ends with a hyphen"),
            pytest.param("/canary 25 app=" + "a" * 64, "bad-name", id="name too long"),
            pytest.param("/canary Checkout 25", "bad-name", id="capital in a name"),
            pytest.param("/canary 25 stable=p\u0430y", "bad-name", id="look-alike in a revision"),
            pytest.param("/canary 25 sha=abcdef", "wrong-head", id="sha too short"),
            pytest.param("/canary 25 sha=" + "a" * 41, "wrong-head", id="sha too long"),
            pytest.param("/canary 25 sha=abcdefg", "wrong-head", id="sha not hexadecimal"),
            pytest.param("/canary 25 sha=", "wrong-head", id="sha empty"),
            pytest.param("/canary 25 tag=x", "unknown-option", id="no such option"),
            pytest.param("/canary 25 --force", "unknown-option", id="dashed option"),
            pytest.param("/canary app=x", "weight-missing", id="option without a percent"),
            pytest.param("/canary x-1", "weight-missing", id="service without a percent"),
            pytest.param("/canary plan 25 50", "unexpected-text", id="plan takes one percent"),
            pytest.param("/canary plan a b", "weight-not-a-number", id="plan of words"),
            pytest.param("/promote 25 50", "unexpected-text", id="promote takes one target"),
            pytest.param("/promote a b", "unexpected-text", id="promote to a word"),
            pytest.param("/promote 101", "weight-out-of-range", id="promote over 100"),
            pytest.param("/promote sha=abcdef1", "unknown-option", id="an option of another verb"),
            pytest.param("/rollback it broke", "unexpected-text", id="reason without hyphens"),
            pytest.param("/rollback --reason", "unknown-option", id="reason glued to the hyphens"),
            pytest.param("/rollback – x", "unexpected-text", id="dash of a phone"),
            pytest.param("/hold 2h", "unexpected-text", id="duration without for"),
            pytest.param("/hold for", "bad-duration", id="for without a duration"),
            pytest.param("/hold for ever", "bad-duration", id="no duration"),
            pytest.param("/hold for 2", "bad-duration", id="no unit"),
            pytest.param("/hold for 0m", "bad-duration", id="no time at all"),
            pytest.param("/hold for 366d", "bad-duration", id="over a year"),
            pytest.param("/hold for 1.5h", "bad-duration", id="fraction"),
            pytest.param("/hold for -2h", "bad-duration", id="negative duration"),
            pytest.param("/hold for 2h30", "bad-duration", id="unit missing at the end"),
            pytest.param("/hold for 30m2h", "bad-duration", id="units out of order"),
            pytest.param("/hold for 02:00", "bad-duration", id="clock time"),
            pytest.param("/promote --override freeze", "reason-missing", id="override without a reason"),
            pytest.param(
                "/promote --override freeze --", "reason-missing", id="override with an empty reason"
            ),
            pytest.param("/promote --override -- x", "argument-missing", id="override without a rule"),
            pytest.param("/promote --override frost -- x", "unknown-rule", id="override of no rule"),
            pytest.param("/promote --override FREEZE -- x", "unknown-rule", id="override in capitals"),
            pytest.param(
                "/promote --override=freeze -- x", "unknown-option", id="override with an equals sign"
            ),
            pytest.param("/promote --overide freeze -- x", "unknown-option", id="override mistyped"),
            pytest.param("/promote -override freeze -- x", "unknown-option", id="override with one hyphen"),
            pytest.param("/promote —override freeze -- x", "unexpected-text", id="override with a long dash"),
            pytest.param(
                "/promote --override bake --override bake -- x", "unexpected-text", id="override twice"
            ),
            pytest.param("/promote -- x", "unknown-option", id="a reason without an override"),
            pytest.param("/promote -- --override bake", "unknown-option", id="an override behind the dashes"),
            pytest.param(
                "/rollback --override freeze -- x", "unknown-option", id="rollback needs no override"
            ),
            pytest.param("/canary 25 --again --again", "unexpected-text", id="again twice"),
            pytest.param("/canary 25 --agian", "unknown-option", id="again mistyped"),
            pytest.param("/canary 25 -- --again", "unknown-option", id="again behind dashes"),
            pytest.param("/canary plan 25 --again", "unknown-option", id="again of another verb"),
            pytest.param("/canary freeze 2h", "unexpected-text", id="freeze without for"),
            pytest.param("/canary freeze for 2", "bad-duration", id="freeze without a unit"),
            pytest.param("/canary freeze – why", "unexpected-text", id="freeze with a long dash"),
            pytest.param("/canary unfreeze -- why", "unknown-option", id="unfreeze with a reason"),
            pytest.param("/canary freze", "unknown-verb", id="a verb mistyped"),
            pytest.param("/hold for ２h", "bad-duration", id="foreign digit in a duration"),
            pytest.param("/hold for 2h please", "unexpected-text", id="text behind the duration"),
            pytest.param("/resume -- reason", "unknown-option", id="resume takes no reason"),
            pytest.param("/canary status 25", "bad-name", id="status takes no percent"),
            pytest.param("/canary status a b", "unexpected-text", id="status takes one service"),
            pytest.param("/canary help a", "unknown-verb", id="help for no verb"),
            pytest.param("/canary help plan plan", "unexpected-text", id="help takes one verb"),
            pytest.param("/traffic", "argument-missing", id="traffic alone"),
            pytest.param("/tag", "argument-missing", id="tag alone"),
            pytest.param("/untag", "argument-missing", id="untag alone"),
            pytest.param("/tag p\u0430y=x", "bad-name", id="look-alike in a tag"),
            pytest.param("/canary frobnicate", "unknown-verb", id="no verb"),
            pytest.param("/canary 25 25", "steps-not-rising", id="the same percent twice"),
        ],
    )
    def test_declined(self, comment: str, code: str) -> None:
        assert codes(comment) == [code]

    @given(
        st.one_of(
            st.none(), st.from_regex(r"\A[a-z]([a-z0-9-]{0,20}[a-z0-9])?\Z").filter(lambda n: n.isascii())
        ),
        st.lists(st.integers(0, 99), unique=True, max_size=6).map(sorted),
        st.integers(0, 100),
    )
    def test_any_steps(self, service: str | None, steps: list[int], weight: int) -> None:
        """Written out and read back, a command is the same."""
        verbs = {u.verb for u in USAGES}
        name = [service] if service and service not in verbs else []
        for weights in ([weight], [*steps, 100]):
            text = " ".join(["/canary", *name, *map(str, weights)])
            assert only(text) == Canary(name[0] if name else None, tuple(weights))

    @given(st.integers(0, 9), st.integers(0, 30), st.integers(0, 99), st.integers(0, 999))
    def test_any_duration(self, weeks: int, days: int, hours: int, minutes: int) -> None:
        wanted = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
        parts = [f"{n}{u}" for n, u in ((weeks, "w"), (days, "d"), (hours, "h"), (minutes, "m")) if n]
        if parts:
            assert only(f"/hold for {''.join(parts)}") == Hold(duration=wanted)


class TestSeveral:
    """Several commands in one comment: all are parsed first."""

    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param(("/canary 25", "/canary 50"), id="two percentages"),
            pytest.param(("/canary 25", "/canary 25 50 100"), id="a percent and steps"),
            pytest.param(("/canary 25", "/canary 25 stable=a"), id="one percent, two stables"),
            pytest.param(("/canary all 25", "/canary checkout 50"), id="all and one of them"),
            pytest.param(("/canary 25", "/canary checkout 50"), id="unnamed and named"),
            pytest.param(("/canary 25", "/promote 50"), id="start and promote to another percent"),
            pytest.param(("/canary 25", "/promote full"), id="start and promote to the end"),
            pytest.param(("/promote 50", "/promote full"), id="two targets"),
            pytest.param(("/promote", "/rollback"), id="promote with rollback"),
            pytest.param(("/canary 25", "/rollback"), id="start with rollback"),
            pytest.param(("/hold", "/resume"), id="hold with resume"),
            pytest.param(("/hold for 1h", "/hold for 2h"), id="two durations"),
            pytest.param(("/canary freeze", "/canary unfreeze"), id="freeze with unfreeze"),
            pytest.param(("/canary freeze", "/canary unfreeze cart"), id="freeze all, unfreeze one"),
            pytest.param(("/canary freeze for 1h", "/canary freeze for 2h"), id="two freezes"),
            pytest.param(("/canary cancel", "/rollback"), id="cancel with rollback"),
            pytest.param(("/canary cancel", "/promote"), id="cancel with promote"),
            pytest.param(("/canary adopt", "/rollback"), id="adopt with rollback"),
            pytest.param(("/traffic a=100", "/canary 25"), id="two ways to set the traffic"),
            pytest.param(("/traffic a=100", "/promote"), id="traffic with promote"),
            pytest.param(("/traffic a=100", "/rollback"), id="traffic with rollback"),
            pytest.param(("/canary adopt", "/canary cancel"), id="adopt with cancel"),
        ],
    )
    def test_conflict(self, lines: tuple[str, str]) -> None:
        for order in permutations(lines):
            assert codes("\n".join(order)) == ["conflicting-commands"]

    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param(("/canary checkout 25", "/canary cart 50"), id="different services"),
            pytest.param(("/promote checkout", "/rollback cart"), id="promote one, roll back another"),
            pytest.param(("/hold checkout", "/resume cart"), id="hold one, resume another"),
            pytest.param(("/canary 25", "/promote"), id="start, then promote"),
            pytest.param(("/canary 25", "/promote 25"), id="start and promote to the same percent"),
            pytest.param(("/canary 25", "/hold"), id="start held"),
            pytest.param(("/rollback", "/hold"), id="roll back and hold"),
            pytest.param(("/untag a", "/tag b=a", "/traffic a=100"), id="one edit"),
            pytest.param(("/canary status", "/canary why", "/canary 25"), id="questions"),
            pytest.param(("/rollback -- a", "/rollback -- b"), id="two reasons"),
        ],
    )
    def test_no_conflict(self, lines: tuple[str, ...]) -> None:
        for order in permutations(lines):
            parsed = parse_comment("\n".join(order))
            assert parsed.problems == ()
            assert [c.source for c in parsed.commands] == list(order)

    def test_every_contradiction_is_told_once(self) -> None:
        assert codes("/canary 25\n/canary 50\n/canary 75") == ["conflicting-commands"] * 2

    @pytest.mark.parametrize(
        "comment", ["/hold\n/promote", "/promote\n/hold", "/promote cart 50\n/hold all for 2h"]
    )
    def test_hold_with_promote_executes_hold_and_says_so(self, comment: str) -> None:
        parsed = parse_comment(comment)
        assert [c.verb for c in parsed.commands] == ["hold"]
        assert [d.command.verb for d in parsed.dropped] == ["promote"]
        assert "stopping wins" in parsed.dropped[0].reason

    def test_hold_of_another_service_drops_nothing(self) -> None:
        parsed = parse_comment("/hold cart\n/promote checkout")
        assert [c.verb for c in parsed.commands] == ["hold", "promote"]
        assert parsed.dropped == ()

    def test_the_same_command_twice_runs_once_and_says_so(self) -> None:
        parsed = parse_comment("/canary 25\n\n/canary 25\n/canary  25")
        assert [c.line for c in parsed.commands] == [1]
        assert [d.reason for d in parsed.dropped] == ["The same command stands in line 1."] * 2

    @given(
        st.permutations(
            [
                *["/rollback a", "/canary cancel b", "/hold b", "/resume c", "/canary adopt d"],
                *["/canary retry e", "/canary f 5", "/promote g", "/canary plan h", "/canary help"],
            ]
        )
    )
    def test_order_of_execution(self, lines: list[str]) -> None:
        parsed = parse_comment("\n".join(lines))
        verbs = [c.verb for c in parsed.ordered()]
        assert verbs == [
            *["rollback", "cancel", "hold", "resume", "adopt", "retry", "canary", "promote", "plan", "help"]
        ]

    def test_order_of_one_edit(self) -> None:
        parsed = parse_comment("/traffic a=1\n/tag a=b\n/untag c\n/tag d=e\n/hold")
        assert [c.source for c in parsed.ordered()] == [
            *["/hold", "/untag c", "/tag a=b", "/tag d=e", "/traffic a=1"]
        ]

    def test_one_edit_is_one_job(self) -> None:
        parsed = parse_comment(
            "/traffic a=1 @latest=99\n/canary status\n/tag a=b\n/untag c\n/tag d=e,f=g\n/hold"
        )
        hold, edit, status = parsed.jobs()
        assert (hold.verb, status.verb) == ("hold", "status")
        assert edit == Retarget(untag=("c",), tag=("a=b", "d=e,f=g"), traffic=("a=1", "@latest=99"))
        assert (edit.line, edit.source, edit.short) == (4, "/untag c", True)

    def test_without_one_the_jobs_are_the_commands(self) -> None:
        parsed = parse_comment("/canary 25\n/hold")
        assert parsed.jobs() == parsed.ordered()


class TestShortVerbs:
    """Short verbs stay silent on pull requests that belong to no rollout and touch no service."""

    def test_short_ones_are_left_out(self) -> None:
        parsed = parse_comment("/hold\n/canary status\n/tag a=b")
        assert [c.verb for c in parsed.without_short().commands] == ["status"]
        assert [c.short for c in parsed.commands] == [True, False, True]

    def test_their_problems_too(self) -> None:
        assert parse_comment("/hold cancel please\n/Tag x").without_short().is_conversation

    def test_the_full_form_is_ours_everywhere(self) -> None:
        parsed = parse_comment("/canary hold cancel please")
        assert parsed.without_short() == parsed
        assert [p.code for p in parsed.problems] == ["unexpected-text"]

    def test_a_conflict_goes_with_its_line(self) -> None:
        assert [c.verb for c in parse_comment("/canary 25\n/rollback").without_short().commands] == ["canary"]


class TestPlace:
    """What stands where takes no part in comparisons."""

    def test_equal(self) -> None:
        command = only("text\n/canary 25")
        assert (command.line, command.source, command.short) == (2, "/canary 25", False)
        assert command == replace(command, line=9, source="x", short=True)


class TestUsage:
    """One table feeds the parser, ``help`` and the README."""

    @pytest.mark.parametrize("usage", USAGES, ids=lambda u: u.verb)
    def test_example_parses_to_its_verb(self, usage: Usage) -> None:
        assert only(usage.example).verb == usage.verb

    def test_every_verb_of_the_contract_is_there(self) -> None:
        assert {u.verb for u in USAGES} == {
            *["canary", "plan", "promote", "rollback", "hold", "resume", "traffic", "tag", "untag"],
            *["freeze", "unfreeze"],
            *["status", "why", "help", "cancel", "adopt", "retry"],
        }

    def test_table_has_a_row_for_every_verb(self) -> None:
        tokens = MarkdownIt("commonmark").enable("table").parse(usage_table())
        assert [t.type for t in tokens].count("tr_open") == len(USAGES) + 1
        cells = [t for t in tokens if t.type == "inline"][3:]
        assert len(cells) == 3 * len(USAGES)
        for usage, cell in zip(USAGES, cells[::3], strict=True):
            shown = [t.content for t in cell.children or [] if t.type == "code_inline"]
            assert shown == list(usage.forms)

    def test_help_names_every_verb(self) -> None:
        for usage in USAGES:
            assert usage.forms[0].split(" [")[0].split(" REF")[0] in help_text().replace("\\|", "|")

    @pytest.mark.parametrize("usage", USAGES, ids=lambda u: u.verb)
    def test_help_of_a_verb(self, usage: Usage) -> None:
        text = help_text(usage.verb)
        for wanted in (*usage.forms, usage.example, usage.who, *(f"`{o}=…`" for o in usage.options)):
            assert wanted in text
        assert (f"/canary {usage.verb}" in text) or usage.verb == "canary"

    def test_options_of_the_table_are_accepted(self) -> None:
        for usage in USAGES:
            for option in usage.options:
                value = "abcdef1" if option == "sha" else "a"
                assert only(f"{usage.example.split(' -- ')[0]} {option}={value}").verb == usage.verb
