"""What the bot remembers: trailers in Git, markers in its own texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import naming, trailers
from bot.core.markers import Answer, Hold, Proposal, Wish, strip
from bot.core.trailers import Record

RECORD = Record(
    "apps/shop.yaml#shop/shop",
    "shop-0a1b2c3d",
    1,
    25,
    (25, 50, 100),
    "shop-v1",
    "shop-v2",
    7,
    "fast",
    "mona",
    99,
)


def test_a_record_is_read_back_from_its_message() -> None:
    message = f"Start shop-v2 at 25 %\n\nBecause.\n\n{RECORD.trailers()}\n"
    assert trailers.records(message) == (RECORD,)


def test_a_squash_merge_strings_records_together() -> None:
    later = replace(RECORD, weight=50, steps=(50, 100))
    message = f"Shop 2 (#7)\n\n* Start\n\n{RECORD.trailers()}\n\n* Again\n\n{later.trailers()}\n"
    assert trailers.records(message) == (RECORD, later)


@pytest.mark.parametrize("step", ["rollback", "cancel", 3])
def test_kinds_of_steps(step: trailers.Step) -> None:
    record = replace(RECORD, step=step)
    assert trailers.records(record.trailers()) == (record,)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Weight", "250"),
        ("Weight", "２５"),
        ("Steps", "50 25"),
        ("Steps", ""),
        ("Stable", "a`b"),
        ("Rollout", "../../x"),
        ("Requested-By", "mona @team"),
        ("Comment", "-1"),
        ("Service", "no-mark"),
        ("Pull", "x"),
    ],
)
def test_a_damaged_record_is_no_record(field: str, value: str) -> None:
    lines = [
        f"Canary-{field}: {value}" if line.startswith(f"Canary-{field}:") else line
        for line in RECORD.trailers().split("\n")
    ]
    assert trailers.records("\n".join(lines)) == ()


@given(st.text())
def test_any_message_can_be_read(text: str) -> None:
    trailers.records(text + "\n" + RECORD.trailers().replace("mona", text[:10]))


PROPOSAL = Proposal(
    kind="step",
    service=RECORD.service,
    rollout=RECORD.rollout,
    weight=50,
    before=25,
    pull=7,
    base="main",
    since="2026-03-02T12:00:00+00:00",
    hold=Hold("mona", "command", 5, "x --> <b>", "2026-03-02T14:00:00+00:00"),
    wish=Wish("kim", "comment/6", 8),
    seen=("comment/5",),
)


def test_a_proposal_is_read_back() -> None:
    body = f"text\n\n{PROPOSAL.marker()}\n"
    assert Proposal.read(body) == PROPOSAL
    assert strip(body) == "text"


@given(st.text(max_size=2000) | st.text("-<>!", max_size=50))
def test_no_text_breaks_out_of_a_marker(reason: str) -> None:
    held = replace(PROPOSAL, hold=Hold("mona", "command", 1, reason))
    marker = held.marker()
    assert marker.count("-->") == 1
    assert marker.endswith("-->")
    # CommonMark 0.29, which GitHub has, ends a comment that holds ``--``.
    assert "--" not in marker.removeprefix("<!--").removesuffix("-->")
    assert "\n" not in marker
    assert Proposal.read(marker) == held


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<!-- canary-bot:pull {} -->",
        '<!-- canary-bot:pull {"kind": 5} -->',
        "<!-- canary-bot:pull {not json} -->",
        "<!-- canary-bot:pull " + "[" * 5000 + " -->",
        PROPOSAL.marker().replace("2026", "xxxx"),
        PROPOSAL.marker().replace('"hold":{', '"hold":{"zzz":1,'),
    ],
)
def test_a_damaged_marker_is_no_marker(body: str) -> None:
    assert Proposal.read(body) is None


def test_an_answer_is_read_back() -> None:
    answer = Answer(
        "comment/5", "done", "applied", "shop", "shop-0a1b2c3d", "1/3", ("hold",), Hold("a", "command")
    )
    assert Answer.read(f"Hello\n\n{answer.marker()}") == answer


def test_branches_tell_their_rollout() -> None:
    branch = naming.step_branch("my-shop-0a1b2c3d", 50)
    assert branch == "canary/my-shop/0a1b2c3d/50"
    assert naming.rollout_of_branch(branch) == ("my-shop-0a1b2c3d", "50")
    assert naming.rollout_of_branch("canary/my-shop/0a1b2c3d/rollback") == ("my-shop-0a1b2c3d", "rollback")
    assert naming.rollout_of_branch("feature/canary") is None


def test_same_template_same_name_whatever_its_key_order() -> None:
    one = naming.revision_name("shop", {"a": 1, "b": [{"c": 2, "d": None}]})
    assert one == naming.revision_name("shop", {"b": [{"d": None, "c": 2}], "a": 1})
    assert one != naming.revision_name("shop", {"a": 2, "b": [{"c": 2, "d": None}]})
    assert naming.is_generated(one, "shop")
    assert not naming.is_generated(one, "sho")


EDIT = trailers.Edit("apps/shop.yaml#acme/shop", "mona", 7)


def test_a_traffic_operation_is_no_step_of_a_rollout() -> None:
    message = f"Set the traffic of shop\n\nBecause.\n\n{EDIT.trailers()}\n"
    assert trailers.edits(message) == (EDIT,)
    assert trailers.records(message) == ()


def test_a_step_is_no_traffic_operation_and_both_survive_a_squash() -> None:
    message = f"Shop (#7)\n\n* One\n\n{EDIT.trailers()}\n\n* Two\n\n{RECORD.trailers()}\n"
    assert trailers.edits(message) == (EDIT,)
    assert trailers.records(message) == (RECORD,)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param("Canary-Edit: traffic", "Canary-Edit: other", id="another edit"),
        pytest.param("Canary-Comment: 7", "Canary-Comment: -7", id="no comment"),
        pytest.param("Canary-Requested-By: mona", "Canary-Requested-By: mo na", id="nobody"),
        pytest.param("#acme/shop", "", id="no service"),
    ],
)
def test_a_traffic_operation_that_is_not_whole_is_none(was: str, becomes: str) -> None:
    assert trailers.edits(EDIT.trailers().replace(was, becomes)) == ()


@pytest.mark.parametrize(
    "edit",
    [
        trailers.Edit("apps/shop.yaml#acme/shop\nCanary-Service: a#b/c", "mona", 7),
        trailers.Edit("apps/shop.yaml#acme/shop", "mona\n", 7),
        trailers.Edit("apps/shop.yaml", "mona", 7),
    ],
)
def test_a_traffic_operation_that_would_not_read_back(edit: trailers.Edit) -> None:
    with pytest.raises(ValueError, match="no trailers"):
        edit.trailers()


def test_the_branch_of_a_traffic_operation() -> None:
    branch = naming.edit_branch(EDIT.service, "comment/7")
    assert branch == naming.edit_branch(EDIT.service, "comment/7")
    assert branch.startswith("canary/shop/")
    assert branch not in {naming.edit_branch(EDIT.service, k) for k in ("comment/8", "review/7")}
    assert naming.rollout_of_branch(branch) is None


SHA, OTHER = "0123456789abcdef" * 4, "89abcdef01" * 4


@pytest.mark.parametrize(
    ("config", "pin"),
    [
        pytest.param(OTHER, trailers.Pin(OTHER), id="the repository's"),
        pytest.param(f"{OTHER} {SHA}", trailers.Pin(OTHER, SHA), id="and the organisation's"),
        pytest.param(f"- {OTHER}", trailers.Pin("", OTHER), id="the organisation's alone"),
    ],
)
def test_the_commit_of_the_rules_is_read_back(config: str, pin: trailers.Pin) -> None:
    record = replace(RECORD, config=config)
    assert str(pin) == config
    assert record.pin == pin
    assert trailers.records(record.trailers()) == (record,)


@pytest.mark.parametrize(
    "config",
    [
        "-",
        "main",
        OTHER[:39],
        OTHER + "0",
        OTHER.upper(),
        f"{OTHER}  {OTHER}",
        f"{OTHER} -",
        f"{OTHER} {OTHER} {OTHER}",
        f" {OTHER}",
        f"{OTHER} @mona",
        f"{OTHER}\nCanary-Weight: 100",
    ],
)
def test_what_is_no_commit_of_rules(config: str) -> None:
    assert trailers.Pin.read(config) is None
    with pytest.raises(ValueError, match="no trailers"):
        replace(RECORD, config=config).trailers()


def test_a_record_without_a_commit_of_rules_is_an_old_one_and_counts() -> None:
    assert RECORD.pin is None
    assert "Canary-Config" not in RECORD.trailers()
    assert trailers.records(RECORD.trailers()) == (RECORD,)


def test_a_record_with_a_damaged_commit_of_rules_is_none() -> None:
    message = f"{RECORD.trailers()}\nCanary-Config: main"
    assert trailers.records(message) == ()
