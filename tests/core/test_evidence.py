"""What a reviewer decides from: the same at every look, and nothing of it alive."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.rulebook import built_in
from bot.core import evidence
from bot.core.conditions import Condition, Gate
from bot.core.markers import Hold, Past, Proposal, Wish
from bot.core.rollout import judge
from bot.core.trailers import Record

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RECORD = Record(
    "apps/shop.yaml#shop/shop",
    "shop-0a1b2c3d",
    2,
    25,
    (5, 25, 50, 100),
    "shop-v1",
    "shop-v2",
    7,
    "standard",
    "mona",
    77,
)
PAST = (
    Past(5, (NOON - timedelta(minutes=40)).isoformat(), "mona", 7),
    Past(25, NOON.isoformat(), "canary-bot[bot]", 9, "kim"),
)
STEP = Proposal("step", RECORD.service, RECORD.rollout, 50, 25, 7, "main", since=NOON.isoformat(), past=PAST)
STANDARD = built_in().get("standard")


def gate(minutes: int, *others: Condition) -> Gate:
    return judge(STANDARD, 25, since=NOON, now=NOON + timedelta(minutes=minutes), others=others)


def test_the_time_line_has_what_was_what_is_and_what_comes_at_the_earliest() -> None:
    assert evidence.timeline(RECORD, PAST, gate(3), STANDARD).splitlines() == [
        "```mermaid",
        "gantt",
        "    title shop-v2 of shop-0a1b2c3d, UTC",
        "    dateFormat YYYY-MM-DD HH:mm",
        "    axisFormat %d %b %H:%M",
        "    section merged",
        "    5 % :done, 2026-11-20 11:20, 2026-11-20 12:00",
        "    section now",
        "    25 % :active, 2026-11-20 12:00, 2026-11-20 12:30",
        "    section at the earliest",
        "    50 % :2026-11-20 12:30, 30m",
        "    100 % :milestone, 2026-11-20 13:00, 0m",
        "```",
    ]


def test_without_a_clock_there_are_milestones() -> None:
    manual = built_in().get("manual")
    shown = evidence.timeline(RECORD, PAST, judge(manual, 25, since=NOON, now=NOON), manual)
    assert "    25 % :milestone, 2026-11-20 12:00, 0m" in shown
    assert "    50 % :milestone, 2026-11-20 12:00, 0m" in shown


def test_the_page_is_the_same_until_a_verdict_changes() -> None:
    first, later, over = (evidence.digest(gate(minutes), STEP) for minutes in (1, 29, 30))
    assert first == later != over


@pytest.mark.parametrize(
    ("others", "words"),
    [
        pytest.param(
            (), "Earliest 2026-11-20 12:30 UTC, by the time that its rules name.", id="bake time alone"
        ),
        pytest.param(
            (Condition("freeze", "freeze", "wait", until=NOON + timedelta(hours=3)),),
            "Earliest 2026-11-20 15:00 UTC, by the time that its rules name.",
            id="the latest of all",
        ),
        pytest.param(
            (Condition("hold", "hold", "wait"),), "No time is known yet: hold.", id="a hold without an end"
        ),
        pytest.param(
            (Condition("hold", "hold", "overridden"),),
            "Earliest 2026-11-20 12:30 UTC, by the time that its rules name.",
            id="what is overridden does not count",
        ),
    ],
)
def test_earliest(others: tuple[Condition, ...], words: str) -> None:
    assert evidence.earliest(gate(1, *others)) == words


def test_nothing_waits() -> None:
    assert evidence.earliest(gate(31)) == "Every rule lets this step go on now."


def test_people_and_where_they_typed() -> None:
    wished = replace(
        STEP, wish=Wish("kim", "review/8", 9), hold=Hold("tess", "command", comment=12, until="")
    )
    assert evidence.people(RECORD, wished, "https://github.com/acme/shop").splitlines() == [
        "- Rollout `shop-0a1b2c3d`: `mona` on #7 "
        "([comment](https://github.com/acme/shop/pull/7#issuecomment-77)).",
        "- 5 % since 2026-11-20 11:20 UTC: merged by `mona` in #7.",
        "- 25 % since 2026-11-20 12:00 UTC: merged by `canary-bot[bot]`, promoted by `kim`, in #9.",
        "- 50 %: asked for by `kim` on #9 ([review](https://github.com/acme/shop/pull/9#pullrequestreview-8)).",
        "- Hold: `tess`, comment 12.",
    ]


def test_a_button_has_no_link() -> None:
    pressed = replace(STEP, wish=Wish("kim", "button/8", 9))
    assert "on #9 (a button)" in evidence.people(RECORD, pressed, "https://github.com/acme/shop")


def test_the_value_in_the_body_keeps_the_steps() -> None:
    assert Proposal.read(STEP.marker()) == STEP


@pytest.mark.parametrize("past", ['[{"weight":5}]', '"x"', '[{"weight":5,"when":"never","by":"","pull":1}]'])
def test_damaged_steps_are_no_value(past: str) -> None:
    text = STEP.marker()
    begin, end = text.index('"past":'), text.index(',"pull":7')
    assert Proposal.read(text) is not None
    assert Proposal.read(f'{text[:begin]}"past":{past}{text[end:]}') is None
