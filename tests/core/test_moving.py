"""A rollout's arithmetic for old modes and for weights; Knative's block has its own tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import moving
from bot.core.problems import Declined
from bot.core.traffic import Shape, Split, Target

LATEST = Target(tag="latest", latest=True)


def release(*slots: Target) -> Split:
    return Split((*slots, LATEST), Shape.RELEASE)


def rule(**percents: int) -> Split:
    return Split(
        tuple(Target(name, percent, slot=i) for i, (name, percent) in enumerate(percents.items())),
        Shape.WEIGHTS,
    )


RUN_LATEST = Split((Target(percent=100, latest=True),), Shape.RELEASE)
PINNED = Split((Target("a", 100),), Shape.RELEASE)


@pytest.mark.parametrize("before", [RUN_LATEST, PINNED, release(Target("a", 100, "current"))])
@pytest.mark.parametrize(
    ("weight", "after"),
    [
        pytest.param(0, [Target("a", 100, "current"), Target("b", 0, "candidate")], id="the tag only"),
        pytest.param(25, [Target("a", 75, "current"), Target("b", 25, "candidate")], id="a share"),
        pytest.param(99, [Target("a", 1, "current"), Target("b", 99, "candidate")], id="the largest share"),
        pytest.param(100, [Target("b", 100, "current")], id="the list shrinks to one at the end"),
    ],
)
def test_release(before: Split, weight: int, after: list[Target]) -> None:
    moved = moving.to_weight(before, stable="a", candidate="b", weight=weight)
    assert moved == release(*after)
    assert moved.total == 100
    assert moving.back(moved, stable="a", candidate="b") == release(Target("a", 100, "current"))


@pytest.mark.parametrize(
    ("before", "weight", "after"),
    [
        pytest.param(rule(a=100, b=0), 25, rule(a=75, b=25), id="start"),
        pytest.param(rule(b=0, a=100), 25, rule(b=25, a=75), id="the candidate stands first"),
        pytest.param(rule(a=75, b=25), 100, rule(a=0, b=100), id="destinations stay at the end"),
        pytest.param(rule(a=90, b=10, c=0), 50, rule(a=50, b=50, c=0), id="a third one without weight"),
    ],
)
def test_weights(before: Split, weight: int, after: Split) -> None:
    assert moving.to_weight(before, stable="a", candidate="b", weight=weight) == after
    back = moving.back(after, stable="a", candidate="b")
    assert (back.percent_of("a"), back.percent_of("b")) == (100, 0)


@pytest.mark.parametrize(
    ("before", "weight", "stable", "code", "said"),
    [
        pytest.param(rule(a=100, b=0), 101, "a", "weight-out-of-range", "101", id="more than all"),
        pytest.param(rule(a=100, b=0), -1, "a", "weight-out-of-range", "-1", id="less than nothing"),
        pytest.param(rule(a=100, b=0), 5, "b", "same-revision", "`b`", id="one and the same"),
        pytest.param(RUN_LATEST, 5, "b", "same-revision", "`b`", id="one and the same in a release"),
        pytest.param(rule(a=100, b=0), 5, "c", "which-destination", "`c`", id="no such destination"),
        pytest.param(
            rule(a=50, b=25, c=25), 5, "a", "which-destination", "`c` (25 %)", id="a third has weight"
        ),
    ],
)
def test_declined(before: Split, weight: int, stable: str, code: str, said: str) -> None:
    with pytest.raises(Declined) as declined:
        moving.to_weight(before, stable=stable, candidate="b", weight=weight)
    assert declined.value.problems[0].code == code
    assert said in declined.value.problems[0].message


@given(st.integers(0, 100), st.integers(0, 100), st.sampled_from([RUN_LATEST, PINNED, rule(a=100, b=0)]))
def test_the_way_does_not_matter(first: int, second: int, before: Split) -> None:
    """Straight to a share, or over another one: the same split; and its sum is 100."""
    if before.shape is Shape.RELEASE and first == 100:
        first = 99  # the end of a release forgets the stable revision
    over = moving.to_weight(before, stable="a", candidate="b", weight=first)
    there = moving.to_weight(over, stable="a", candidate="b", weight=second)
    assert there == moving.to_weight(before, stable="a", candidate="b", weight=second)
    assert there.total == 100
    assert there.percent_of("b") == second
