"""Where a rollout stands, how it begins, and when the next step may be merged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.rulebook import built_in
from bot.core import naming
from bot.core.problems import Declined
from bot.core.rollout import NOTHING, Phase, Version, held, judge, moved, state_of, step_record
from bot.core.start import StartFacts, start
from bot.core.traffic import Split, Target, defaulted
from bot.core.trailers import Record

STANDARD = built_in().get("standard")
KEY = "apps/shop.yaml#shop/shop"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RECORD = Record(KEY, "shop-0a1b2c3d", 1, 25, (25, 50, 100), "shop-v1", "shop-v2", 7, "standard", "mona", 99)


def at(weight: int) -> Split:
    return Split((Target("shop-v1", 100 - weight, "current"), Target("shop-v2", weight, "candidate")))


DONE = Split((Target("shop-v2", 100, "current"),))


@pytest.mark.parametrize(
    ("split", "records", "phase", "weight"),
    [
        pytest.param(at(25), [RECORD], Phase.ROLLING, 25, id="the block is what the commit wrote"),
        pytest.param(
            at(50), [RECORD], Phase.ROLLING, 50, id="an edit equal to the next step counts as that step"
        ),
        pytest.param(DONE, [RECORD], Phase.DONE, 100, id="an edit to the end counts as the end"),
        pytest.param(at(30), [RECORD], Phase.DRIFTED, 30, id="any other edit is drift"),
        pytest.param(at(10), [RECORD], Phase.DRIFTED, 10, id="an edit downwards is drift"),
        pytest.param(defaulted(()), [RECORD], Phase.DRIFTED, 0, id="the block was removed"),
        pytest.param(at(25), [], Phase.NONE, 0, id="a split that no commit of the bot wrote"),
        pytest.param(
            at(0),
            [replace(RECORD, step="rollback", weight=0), RECORD],
            Phase.ROLLED_BACK,
            0,
            id="rolled back",
        ),
        pytest.param(
            at(25), [replace(RECORD, step="cancel", weight=0), RECORD], Phase.NONE, 0, id="cancelled"
        ),
        pytest.param(
            DONE,
            [replace(RECORD, step=3, weight=100), RECORD],
            Phase.DONE,
            100,
            id="finished by the last step",
        ),
        pytest.param(
            Split((Target("shop-v9", 100),)),
            [replace(RECORD, step=3, weight=100)],
            Phase.NONE,
            0,
            id="after the end anything may follow",
        ),
        pytest.param(at(0), [replace(RECORD, weight=0, steps=(0, 5, 100))], Phase.ROLLING, 0, id="tag only"),
    ],
)
def test_state(split: Split, records: list[Record], phase: Phase, weight: int) -> None:
    rollout = state_of(split, records)
    assert (rollout.phase, rollout.weight) == (phase, weight)


@given(weight=st.sampled_from(RECORD.steps))
def test_every_step_the_bot_writes_is_read_back_as_that_step(weight: int) -> None:
    record = step_record(state_of(at(25), [RECORD]), weight, requested_by="mona", comment=1)
    rollout = state_of(moved(at(25), record, weight), [record, RECORD])
    assert rollout.weight == weight
    assert rollout.next_weight == next((w for w in RECORD.steps if w > weight), None)


# --- beginning --------------------------------------------------------------------------------


def version(image: str, name: str | None, split: Split = DONE) -> Version:
    return Version(split, {"spec": {"containers": [{"image": image}]}}, name)


def facts(**changes: Any) -> StartFacts:
    base = Split((Target("shop-v1", 100, "current", slot=0),))
    values: dict[str, Any] = {
        "key": KEY,
        "before": version("shop:1", "shop-v1", base),
        "target": version("shop:2", "shop-v2", base),
        "base_split": base,
        "running": NOTHING,
        "rules": STANDARD,
        "pull": 7,
        "comment": 99,
        "requested_by": "mona",
        "weights": (25,),
    }
    return StartFacts(**{**values, **changes})


def generated(image: str) -> str:
    return naming.revision_name("shop", version(image, None).template)


@pytest.mark.parametrize(
    ("changes", "candidate", "written"),
    [
        pytest.param({}, "shop-v2", None, id="the template's own new name"),
        pytest.param(
            {"target": version("shop:2", None)}, generated("shop:2"), generated("shop:2"), id="no name"
        ),
        pytest.param(
            {"target": version("shop:2", "shop-v1")},
            generated("shop:2"),
            generated("shop:2"),
            id="the old name",
        ),
        pytest.param(
            {"target": version("shop:2", generated("shop:2"))},
            generated("shop:2"),
            None,
            id="our name that fits",
        ),
        pytest.param(
            {"target": version("shop:3", generated("shop:2"))},
            generated("shop:3"),
            generated("shop:3"),
            id="our name of an earlier template",
        ),
    ],
)
def test_candidate(changes: dict[str, Any], candidate: str, written: str | None) -> None:
    started = start(facts(**changes))
    assert (started.record.candidate, started.template_name) == (candidate, written)
    assert started.split.percent_of(candidate) == 25


FLOATING = Split((Target(latest=True, percent=100, slot=0),))


@pytest.mark.parametrize(
    ("changes", "stable"),
    [
        pytest.param({}, "shop-v1", id="the target with the most weight"),
        pytest.param({"base_split": FLOATING}, "shop-v1", id="floating: the base's template name"),
        pytest.param({"stable": "shop-00004"}, "shop-00004", id="named in the command"),
        pytest.param(
            {"running": state_of(at(50), [replace(RECORD, candidate="shop-v9", stable="shop-v0"), RECORD])},
            "shop-v1",
            id="a rollout that drifted does not decide",
        ),
        pytest.param(
            {
                "running": state_of(
                    Split((Target("shop-v0", 50), Target("shop-v9", 50))),
                    [replace(RECORD, candidate="shop-v9", stable="shop-v0")],
                )
            },
            "shop-v0",
            id="a running rollout is superseded: its stable stays stable",
        ),
    ],
)
def test_stable(changes: dict[str, Any], stable: str) -> None:
    assert start(facts(**changes)).record.stable == stable


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param(
            {"base_split": FLOATING, "before": version("shop:1", None)},
            "unknown-stable",
            id="nothing has a name",
        ),
        pytest.param({"target": version("shop:1", "shop-v1")}, "no-new-revision", id="the same template"),
        pytest.param(
            {"candidate": "shop-v8"}, "unknown-candidate", id="another candidate than the template's"
        ),
        pytest.param({"stable": "shop-v2"}, "same-revision", id="stable is the candidate"),
        pytest.param(
            {"key": f"a.yaml#/{'s' * 60}", "target": version("shop:2", None)},
            "name-too-long",
            id="no room for a name",
        ),
    ],
)
def test_declined(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Declined) as error:
        start(facts(**changes))
    assert [p.code for p in error.value.problems] == [code]


def test_unknown_stable_is_asked_for_by_name() -> None:
    with pytest.raises(Declined) as error:
        start(facts(base_split=FLOATING, before=version("shop:1", None)))
    assert "/canary 25 stable=REVISION" in error.value.problems[0].remedy


@pytest.mark.parametrize(
    ("weights", "steps"),
    [
        pytest.param((25,), (25, 50, 100), id="goes on with the rule set's steps above"),
        pytest.param((30,), (30, 50, 100), id="a share between two steps"),
        pytest.param((0,), (0, 5, 25, 50, 100), id="tag only first"),
        pytest.param((100,), (100,), id="all at once"),
        pytest.param((10, 40, 100), (10, 40, 100), id="steps of the command"),
    ],
)
def test_steps(weights: tuple[int, ...], steps: tuple[int, ...]) -> None:
    assert start(facts(weights=weights)).record.steps == steps


def test_same_comment_same_rollout_and_another_comment_another_one() -> None:
    one, again, other = (start(facts(comment=c)).record.rollout for c in (1, 1, 2))
    assert one == again != other


def test_a_new_share_on_the_same_pull_request_keeps_the_rollout() -> None:
    armed = start(facts()).record
    later = start(facts(armed=armed, comment=123, weights=(50,))).record
    assert (later.rollout, later.weight) == (armed.rollout, 50)


# --- the gate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rules_id", built_in().ids)
def test_examples_of_the_rule_sets(rules_id: str) -> None:
    rules = built_in().get(rules_id)
    assert rules.examples
    for example in rules.examples:
        if example.get("failed") or example.get("inconclusive"):
            continue  # of gates: scenarios, and ``test_rules_sets``
        weight = example["candidate"]
        gate = judge(rules, weight, since=NOON, now=NOON + example["baked"])
        following = next((w for w in rules.steps_from(weight) if w > weight), "done")
        assert (following if gate.passes or following == "done" else "wait") == example["next"], example


@pytest.mark.parametrize(
    ("gone", "hold", "until", "passes", "again"),
    [
        pytest.param(29, None, None, False, 30, id="baking"),
        pytest.param(30, None, None, True, None, id="baked"),
        pytest.param(45, "On hold", None, False, None, id="held without an end"),
        pytest.param(45, "On hold", 60, False, 60, id="held for a while"),
        pytest.param(61, "On hold", 60, True, None, id="the hold is over"),
        pytest.param(10, "On hold", 60, False, 30, id="baking, and held for longer"),
        pytest.param(10, "On hold", 20, False, 20, id="baking, and held for less"),
        pytest.param(10, "On hold", None, False, 30, id="baking, and held without an end"),
    ],
)
def test_gate(gone: int, hold: str | None, until: int | None, *, passes: bool, again: int | None) -> None:
    def minute(n: int) -> datetime:
        return NOON + timedelta(minutes=n)

    gate = judge(
        STANDARD,
        25,
        since=NOON,
        now=minute(gone),
        others=(held(hold, None if until is None else minute(until), minute(gone)),),
    )
    assert gate.passes is passes
    assert gate.until == (None if again is None else minute(again))
    assert bool(gate.reasons) is not passes
