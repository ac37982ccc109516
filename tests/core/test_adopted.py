"""A split that people set by hand: which a rollout can go on from, and what follows; what stays at the end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from bot.core import trailers
from bot.core.markers import Adopted, Proposal
from bot.core.rollout import (
    NOTHING,
    Phase,
    Rollout,
    is_outdated,
    not_adoptable,
    rollback_record,
    state_of,
    step_above,
    step_record,
    with_adopted,
)
from bot.core.traffic import PREVIOUS_TAG, Shape, Split, Target, finish, give_back
from tests.core.test_traffic import splits

RECORD = trailers.Record(
    service="a.yaml#shop/shop",
    rollout="shop-0a1b2c3d",
    step=1,
    weight=25,
    steps=(25, 50, 100),
    stable="shop-v1",
    candidate="shop-v2",
    pull=7,
    rules="standard",
    requested_by="mona",
    comment=11,
)
ADOPTED = Adopted("a" * 40, 30, "2026-01-01T00:00:00+00:00", "kim", 12)


def two(
    stable: int, candidate: int, *more: Target, shape: Shape = Shape.TARGETS, exact: bool = True
) -> Split:
    targets = (Target("shop-v1", stable, "current"), Target("shop-v2", candidate, "candidate"), *more)
    return Split(targets, shape, exact)


@pytest.mark.parametrize(
    ("split", "says"),
    [
        pytest.param(two(70, 30), "", id="stable and candidate have everything between them"),
        pytest.param(two(100, 0), "", id="the candidate is there and has nothing"),
        pytest.param(
            two(70, 30, Target(latest=True, percent=0, tag="latest")), "", id="a floating target at 0"
        ),
        pytest.param(two(70, 30, shape=Shape.WEIGHTS), "", id="weights"),
        pytest.param(
            two(60, 30, Target(latest=True, percent=10)),
            "10 % follow whatever revision is the newest",
            id="floating",
        ),
        pytest.param(
            Split((Target("shop-v1", 100),)),
            "the candidate revision `shop-v2` is not in it",
            id="no candidate",
        ),
        pytest.param(
            Split((Target("shop-v2", 100),)), "the stable revision `shop-v1` is not in it", id="no stable"
        ),
        pytest.param(
            two(60, 30, Target("shop-v0", 10)),
            "other revisions have weight too: `shop-v0` (10 %)",
            id="three-way",
        ),
        pytest.param(
            two(60, 30, Target("shop-v0", 10), shape=Shape.WEIGHTS),
            "other destinations have weight too: `shop-v0` (10 %)",
            id="three destinations",
        ),
        pytest.param(two(70, 20), "the percents sum to 90, not to 100", id="no whole"),
        pytest.param(two(67, 33, exact=False), "the weights are no whole percents", id="thirds"),
    ],
)
def test_what_a_rollout_can_go_on_from(split: Split, says: str) -> None:
    assert not_adoptable(split, RECORD) == says


class TestGoesOn:
    """The adopted share is the step reached; the next one is the next higher weight."""

    def test_next_step(self) -> None:
        rollout = with_adopted(state_of(two(70, 30), [RECORD]), two(70, 30), ADOPTED)
        assert (rollout.phase, rollout.weight, rollout.next_weight) == (Phase.ROLLING, 30, 50)
        record = step_record(rollout, 50, requested_by="mona", comment=11)
        assert (record.step, record.adopted) == (2, f"{'a' * 40} by kim")
        assert trailers.records(record.trailers()) == (record,)

    def test_only_as_long_as_the_block_holds_it(self) -> None:
        split = two(65, 35)
        assert with_adopted(state_of(split, [RECORD]), split, ADOPTED).phase is Phase.DRIFTED

    @pytest.mark.parametrize(
        "rollout", [NOTHING, Rollout(Phase.ROLLING, RECORD, 25), Rollout(Phase.DONE, RECORD, 100)]
    )
    def test_only_where_it_drifted(self, rollout: Rollout) -> None:
        assert with_adopted(rollout, two(70, 30), ADOPTED) == rollout

    def test_the_step_after_it_says_nothing_of_it(self) -> None:
        said = replace(RECORD, step=2, weight=50, adopted=ADOPTED.trailer)
        rollout = state_of(two(50, 50), [said, RECORD])
        assert step_record(rollout, 100, requested_by="mona", comment=11).adopted == ""
        assert rollback_record(said, requested_by="mona", comment=11).adopted == ""

    @pytest.mark.parametrize(("weight", "step"), [(0, 25), (24, 25), (25, 50), (60, 100), (100, 100)])
    def test_steps(self, weight: int, step: int) -> None:
        assert step_above(RECORD, weight) == step


class TestWritten:
    """The word stands in a marker and in a commit message; neither takes what the other could not hold."""

    def test_the_marker(self) -> None:
        value = Proposal("step", "a.yaml#shop/shop", "shop-0a1b2c3d", 50, 30, 7, "main", adopted=ADOPTED)
        assert Proposal.read(value.marker()) == value

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("a" * 39 + " by kim", id="a short name"),
            pytest.param("a" * 40 + " by k m", id="no login"),
            pytest.param("a" * 40, id="nobody"),
        ],
    )
    def test_a_damaged_trailer_is_left_out(self, text: str) -> None:
        message = f"{RECORD.trailers()}\nCanary-Adopted: {text}"
        assert trailers.records(message) == (RECORD,)

    def test_a_trailer_forges_no_other(self) -> None:
        forged = replace(RECORD, adopted=f"{'a' * 40} by kim\nCanary-Service: b.yaml#shop/other")
        with pytest.raises(ValueError, match="no trailers"):
            forged.trailers()


@pytest.mark.parametrize(
    ("changes", "outdated"),
    [
        pytest.param({}, False, id="the same rollout"),
        pytest.param(
            {"rollout": "shop-ffffffff", "candidate": "shop-v3"}, True, id="another one ended since"
        ),
        pytest.param({"rollout": "shop-ffffffff"}, False, id="of the same candidate"),
        pytest.param(
            {"rollout": "shop-ffffffff", "candidate": "shop-v3", "stable": "shop-v0"},
            False,
            id="from elsewhere",
        ),
    ],
)
def test_stable_is_outdated(changes: dict[str, str], *, outdated: bool) -> None:
    ended = replace(RECORD, step=3, weight=100, **changes)  # type: ignore[arg-type]
    assert is_outdated(RECORD, ended) is outdated


class TestPrevious:
    """``keep-previous``: the old stable revision stays at 0 % under the tag ``previous``."""

    def test_it_stays(self) -> None:
        done = finish(two(50, 50), stable="shop-v1", candidate="shop-v2", keep_previous=True)
        assert done == Split((Target("shop-v2", 100, "current"), Target("shop-v1", 0, PREVIOUS_TAG)))

    def test_the_way_back_is_as_without_it(self) -> None:
        kept = finish(two(50, 50), stable="shop-v1", candidate="shop-v2", keep_previous=True)
        plain = finish(two(50, 50), stable="shop-v1", candidate="shop-v2")
        back = [give_back(split, stable="shop-v1", candidate="shop-v2") for split in (kept, plain)]
        assert back[0] == back[1] == Split((Target("shop-v1", 100, "current"),))

    def test_one_that_somebody_gave_weight_is_not_taken_away(self) -> None:
        split = Split((Target("shop-v2", 60, "current"), Target("shop-v1", 40, PREVIOUS_TAG)))
        back = give_back(split, stable="shop-v1", candidate="shop-v2")
        assert (back.percent_of("shop-v1"), back.total) == (100, 100)

    @given(before=splits())
    def test_of_any_split(self, before: Split) -> None:
        done = finish(before, stable="shop-v1", candidate="shop-v2", keep_previous=True)
        assert done.total == done.percent_of("shop-v2") == 100
        tags = [t.tag for t in done.targets if t.tag]
        assert len(set(tags)) == len(tags)
        back = give_back(done, stable="shop-v1", candidate="shop-v2")
        assert back.total == back.percent_of("shop-v1") == 100
        assert not back.floating_percent
