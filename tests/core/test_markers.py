"""A marker stands in a text that people may edit: what the bot does not write is not believed, and all it writes is."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from bot.core.markers import LONGEST, Adopted, Answer, Hold, Past, Proposal, Said, Wish

SHA = "0123456789" * 4
NOON = "2026-11-21T12:00:00+00:00"
EARLIER = "2026-11-21T11:00:00.250000+01:00"
LONG = "somebody-with-a-long-login-at-acme-corp"
LINE = "\nCanary-Override: freeze by ada and kim"

FULL = Proposal(
    "step",
    "apps/Übung #1/customer.yaml#Service.serving.knative.dev:shop/customer",
    "customer-12345678",
    50,
    25,
    1,
    "release/v1.2",
    since=NOON,
    closed="overtaken",
    hold=Hold("mona", "command", 12, "lunch -- <!-- x -->", NOON),
    wish=Wish("canary-bot[bot]", "review/7", 3, 99),
    seen=("comment/5", "button/18446744073709551615", "gate-unanswered"),
    past=(Past(5, EARLIER, "Ada Lovelace", 0), Past(25, NOON, "kim", 4, "mona")),
    state="0123456789abcdef",
    adopted=Adopted(SHA, 25, NOON, "kim", 6),
    commit=SHA,
    live=NOON,
    failed=2,
    cause="gate error-rate",
    overrides=(Said("comment/8", 3, ("0123456789ab",)),),
    handed=SHA,
    unmet=("approvals", "freeze"),
)


@pytest.mark.parametrize("handed", ["", SHA, f"asked {SHA}", f"out {SHA} {NOON}"])
def test_all_that_is_written_is_read_back(handed: str) -> None:
    value = replace(FULL, handed=handed)
    assert Proposal.read(f"Text\n\n{value.marker()}\n") == value


WRONG: list[tuple[str, Any]] = [
    ("kind", "other"),
    ("service", f"a.yaml#shop/customer{LINE}"),
    ("service", "a.yaml"),
    ("service", None),
    ("rollout", "../main"),
    ("rollout", f"customer-12345678{LINE}"),
    ("rollout", "customer-12345678\n"),
    ("weight", 101),
    ("weight", -1),
    ("weight", True),
    ("weight", "50"),
    ("before", 25.0),
    ("pull", "1"),
    ("base", "main other"),
    ("base", f"main{LINE}"),
    ("since", "2026-11-21T12:00:00"),  # without an offset it cannot be compared
    ("since", "2026-13-21T12:00:00+00:00"),
    ("since", f"{NOON}{LINE}"),
    ("since", 5),
    ("live", "20261121T120000Z"),
    ("closed", "Overtaken @ada"),
    ("state", "x"),
    ("commit", "HEAD"),
    ("commit", f"{SHA}{LINE}"),
    ("handed", "main"),
    ("handed", f"out {SHA}"),
    ("handed", f"asked {SHA}{LINE}"),
    ("unmet", ["hold"]),
    ("unmet", "freeze"),
    ("failed", -1),
    ("cause", f"gate x{LINE}"),
    ("cause", "gate x\n"),
    ("cause", "mona"),
    ("seen", "comment/5"),
    ("seen", [f"comment/5{LINE}"]),
    ("seen", [5]),
    ("past", {}),
    ("past", [{**asdict(FULL.past[0]), "when": ""}]),
    ("past", [{**asdict(FULL.past[0]), "weight": 101}]),
    ("past", [{**asdict(FULL.past[0]), "asked": "k m"}]),
    ("past", [5]),
    ("hold", {**asdict(Hold("mona", "command")), "until": "2026-11-21T12:00:00"}),
    ("hold", {**asdict(Hold("mona", "command")), "cause": "other"}),
    ("hold", {**asdict(Hold("mona", "command")), "by": "mo na"}),
    ("hold", {**asdict(Hold("mona", "command")), "comment": "1"}),
    ("hold", [1]),
    ("wish", {**asdict(Wish("ada", "comment/1", 1, 1)), "to": f"comment/1{LINE}"}),
    ("wish", {**asdict(Wish("ada", "comment/1", 1, 1)), "to": "comment/1\n"}),
    ("wish", {**asdict(Wish("ada", "comment/1", 1, 1)), "to": "comment/x"}),
    ("wish", {**asdict(Wish("ada", "comment/1", 1, 1)), "by": f"ada{LINE}"}),
    ("wish", {**asdict(Wish("ada", "comment/1", 1, 1)), "by_id": "1"}),
    ("wish", {**asdict(Wish("ada", "comment/1", 1, 1)), "pull": None}),
    ("overrides", [{"to": f"comment/1{LINE}", "pull": 1}]),
    ("overrides", [{"to": "comment/1"}]),
    ("overrides", [{"to": "comment/1", "pull": 1, "about": ["freeze"]}]),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_what_the_bot_never_writes_is_not_read(field: str, value: Any) -> None:
    assert Proposal.read(replace(FULL, **{field: value}).marker()) is None


def test_a_line_of_a_commit_message_is_checked_again_where_it_is_made() -> None:
    assert Wish("ada", "comment/17", 1).trailers == "Canary-Promoted-By: ada\nCanary-Comment: 17"
    for wish in (Wish(f"ada{LINE}", "comment/17", 1), Wish("ada", f"comment/17{LINE}", 1)):
        with pytest.raises(ValueError, match=r"comment|A-Za-z"):
            _ = wish.trailers


def test_an_answer_holds_no_hold_that_nobody_wrote() -> None:
    held = Answer("comment/5", "done", "applied", hold=Hold("mona", "command", until="soon"))
    assert Answer.read(held.marker()) is None


def test_a_long_rollout_is_read_again() -> None:
    """Many steps, people with long logins, and the longest reason that ``/hold`` keeps."""
    past = tuple(Past(w, NOON, LONG, 12345, LONG) for w in range(1, 101))
    seen = tuple(f"comment/36{i:08d}" for i in range(20))
    said = tuple(Said(key, 1) for key in seen)
    hold = Hold(LONG, "command", 12, "\U0001f525" * 200)
    proposal = replace(FULL, past=past, seen=seen, overrides=said, hold=hold)
    assert Proposal.read(proposal.marker()) == proposal


def test_of_more_steps_than_fit_the_oldest_are_left_out() -> None:
    past = tuple(Past(i % 100, NOON, LONG, i, LONG) for i in range(400))
    proposal = replace(FULL, past=past)
    read = Proposal.read(proposal.marker())
    assert len(proposal.marker()) < LONGEST + 100
    assert read is not None
    assert read.past == past[-len(read.past) :]
    assert replace(read, past=past) == proposal
