"""The arithmetic of shifting: tables first, then what holds for any split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.problems import Declined
from bot.core.traffic import Split, Target, defaulted, finish, give_back, shift


def split(*targets: Target) -> Split:
    return Split(targets)


STABLE = Target(revision="shop-v1", percent=100, tag="current", slot=0)
LATEST = Target(latest=True, percent=0, tag="latest", slot=1)


@pytest.mark.parametrize(
    ("before", "weight", "after"),
    [
        pytest.param(
            split(STABLE, LATEST),
            25,
            split(
                Target("shop-v1", 75, "current"),
                Target(latest=True, percent=0, tag="latest"),
                Target("shop-v2", 25, "candidate"),
            ),
            id="a new candidate comes last and is tagged",
        ),
        pytest.param(
            split(Target("shop-v1", 75, "current", slot=0), Target("shop-v2", 25, "candidate", slot=1)),
            50,
            split(Target("shop-v1", 50, "current"), Target("shop-v2", 50, "candidate")),
            id="a known candidate only changes its share",
        ),
        pytest.param(
            split(Target(latest=True, percent=100, slot=0)),
            10,
            split(Target("shop-v1", 90, "current"), Target("shop-v2", 10, "candidate")),
            id="an untagged floating target becomes the stable one",
        ),
        pytest.param(
            split(Target(latest=True, percent=100, tag="latest", slot=0)),
            10,
            split(
                Target(latest=True, percent=0, tag="latest"),
                Target("shop-v1", 90, "current"),
                Target("shop-v2", 10, "candidate"),
            ),
            id="a tagged floating target keeps its tag and loses its weight",
        ),
        pytest.param(
            split(
                Target("shop-v1", 75, "current", slot=0),
                Target("shop-old", 25, "candidate", slot=1),
                Target("shop-v0", 0, "previous", slot=2),
            ),
            5,
            split(
                Target("shop-v1", 95, "current"),
                Target("shop-v2", 5, "candidate"),
                Target("shop-v0", 0, "previous"),
            ),
            id="the candidate's tag moves to the new candidate, other tags stay",
        ),
        pytest.param(
            split(Target("shop-v1", 60, slot=0), Target("shop-v0", 40, slot=1)),
            0,
            split(Target("shop-v1", 100), Target("shop-v2", 0, "candidate")),
            id="an untagged target without weight is dropped, as kn does",
        ),
        pytest.param(
            split(Target("shop-v1", 50, slot=0), Target("shop-v1", 50, "blue", slot=1)),
            20,
            split(Target("shop-v1", 80), Target("shop-v1", 0, "blue"), Target("shop-v2", 20, "candidate")),
            id="a second target of the stable revision keeps its tag at 0",
        ),
    ],
)
def test_shift(before: Split, weight: int, after: Split) -> None:
    assert shift(before, stable="shop-v1", candidate="shop-v2", weight=weight) == after


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_outside_0_to_100_is_declined(weight: int) -> None:
    with pytest.raises(Declined) as error:
        shift(split(STABLE), stable="shop-v1", candidate="shop-v2", weight=weight)
    assert error.value.problems[0].code == "weight-out-of-range"


def test_stable_and_candidate_differ() -> None:
    with pytest.raises(Declined) as error:
        shift(split(STABLE), stable="shop-v1", candidate="shop-v1", weight=5)
    assert error.value.problems[0].code == "same-revision"


class TestFinish:
    """The candidate is the one target with weight; the old target is dropped unless a tag is kept."""

    def test_the_stable_entry_takes_the_candidates_name(self) -> None:
        rolling = split(
            Target("shop-v1", 50, "current", slot=0), Target("shop-v2", 50, "candidate", slot=1), LATEST
        )
        done = finish(rolling, stable="shop-v1", candidate="shop-v2")
        assert done == split(Target("shop-v2", 100, "current"), Target(latest=True, percent=0, tag="latest"))
        assert done.targets[0].slot == 0

    def test_with_kept_tags_only_the_weights_move(self) -> None:
        rolling = split(Target("shop-v1", 50, "current"), Target("shop-v2", 50, "candidate"))
        done = finish(rolling, stable="shop-v1", candidate="shop-v2", keep_tags=True)
        assert done == split(Target("shop-v1", 0, "current"), Target("shop-v2", 100, "candidate"))

    def test_a_candidate_with_a_tag_of_its_own_keeps_it(self) -> None:
        rolling = split(Target("shop-v1", 50, "current"), Target("shop-v2", 50, "beta"))
        done = finish(rolling, stable="shop-v1", candidate="shop-v2")
        assert done == split(Target("shop-v2", 100, "current"), Target("shop-v2", 0, "beta"))


class TestGiveBack:
    """All traffic back to stable, at any moment."""

    def test_in_the_middle(self) -> None:
        rolling = split(Target("shop-v1", 50, "current"), Target("shop-v2", 50, "candidate"))
        back = give_back(rolling, stable="shop-v1", candidate="shop-v2")
        assert back == split(Target("shop-v1", 100, "current"), Target("shop-v2", 0, "candidate"))

    def test_after_the_end(self) -> None:
        done = split(Target("shop-v2", 100, "current", slot=0), LATEST)
        back = give_back(done, stable="shop-v1", candidate="shop-v2")
        assert back == split(Target("shop-v1", 100, "current"), Target(latest=True, percent=0, tag="latest"))

    def test_after_somebody_emptied_the_block(self) -> None:
        back = give_back(defaulted(()), stable="shop-v1", candidate="shop-v2")
        assert back.percent_of("shop-v1") == 100
        assert back.floating_percent == 0


names = st.sampled_from(["shop-v0", "shop-v1", "shop-v2", "shop-v3"])
tags = st.none() | st.sampled_from(["current", "candidate", "latest", "blue", "previous"])


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """Any block that the API server takes, floating targets included."""
    count = draw(st.integers(1, 5))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=count - 1, max_size=count - 1)))
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
    used: set[str] = set()
    targets = []
    for slot, share in enumerate(shares):
        tag = draw(tags)
        tag = None if tag in used else tag
        used.add(tag or "")
        floats = draw(st.booleans())
        revision = None if floats else draw(names)
        targets.append(Target(revision, share, tag, True if floats else None, slot))
    return Split(tuple(targets))


def shares(of: Split) -> dict[str, int]:
    return {t.shown: of.percent_of(t.shown) for t in of.targets if not t.floats and t.effective_percent}


class TestSum:
    """The sum of all percent values must equal 100."""

    @given(before=splits(), weight=st.integers(0, 100))
    def test_after_a_shift(self, before: Split, weight: int) -> None:
        after = shift(before, stable="shop-v1", candidate="shop-v2", weight=weight)
        assert after.total == 100
        assert after.percent_of("shop-v2") == weight
        assert after.percent_of("shop-v1") == 100 - weight

    @given(before=splits())
    def test_after_the_end_and_the_way_back(self, before: Split) -> None:
        rolling = shift(before, stable="shop-v1", candidate="shop-v2", weight=50)
        done = finish(rolling, stable="shop-v1", candidate="shop-v2")
        assert done.total == done.percent_of("shop-v2") == 100
        back = give_back(done, stable="shop-v1", candidate="shop-v2")
        assert back.total == back.percent_of("shop-v1") == 100

    @given(before=splits(), weight=st.integers(0, 100))
    def test_no_floating_target_carries_weight(self, before: Split, weight: int) -> None:
        assert shift(before, stable="shop-v1", candidate="shop-v2", weight=weight).floating_percent == 0

    @given(before=splits(), weight=st.integers(0, 100))
    def test_tags_stay_unique(self, before: Split, weight: int) -> None:
        after = shift(before, stable="shop-v1", candidate="shop-v2", weight=weight)
        held = [t.tag for t in after.targets if t.tag]
        assert len(held) == len(set(held))


class TestRepetition:
    """The last shift wins; the same shift twice changes nothing."""

    @given(before=splits(), first=st.integers(0, 100), last=st.integers(0, 100))
    def test_last_shift_wins(self, before: Split, first: int, last: int) -> None:
        direct = shift(before, stable="shop-v1", candidate="shop-v2", weight=last)
        detour = shift(
            shift(before, stable="shop-v1", candidate="shop-v2", weight=first),
            stable="shop-v1",
            candidate="shop-v2",
            weight=last,
        )
        assert detour == direct

    @given(before=splits(), weight=st.integers(0, 100))
    def test_twice_is_once(self, before: Split, weight: int) -> None:
        once = shift(before, stable="shop-v1", candidate="shop-v2", weight=weight)
        assert shift(once, stable="shop-v1", candidate="shop-v2", weight=weight) == once

    @given(before=splits(), weight=st.integers(1, 99))
    def test_a_rollback_undoes_any_step(self, before: Split, weight: int) -> None:
        began = shift(before, stable="shop-v1", candidate="shop-v2", weight=0)
        rolling = shift(began, stable="shop-v1", candidate="shop-v2", weight=weight)
        assert give_back(rolling, stable="shop-v1", candidate="shop-v2") == began


class TestConfigurations:
    """A Route's target of a configuration floats, and is never re-used for a revision."""

    def test_it_floats(self) -> None:
        assert Target(configuration="shop").floats
        assert Target(configuration="shop", latest=False).floats
        assert Target(configuration="shop", percent=40).shown == "@latest of shop"
        assert split(Target(configuration="shop", percent=40)).floating_percent == 40

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param(
                split(Target(configuration="shop", percent=100, slot=0)),
                split(Target("shop-v1", 75, "current"), Target("shop-v2", 25, "candidate")),
                id="an untagged one goes",
            ),
            pytest.param(
                split(Target(configuration="shop", percent=100, tag="blue", slot=0)),
                split(
                    Target(configuration="shop", percent=0, tag="blue"),
                    Target("shop-v1", 75, "current"),
                    Target("shop-v2", 25, "candidate"),
                ),
                id="a tagged one keeps its URL",
            ),
            pytest.param(
                split(
                    Target(configuration="shop", percent=90, tag="current", slot=0),
                    Target(configuration="next", percent=10, tag="candidate", slot=1),
                ),
                split(
                    Target(configuration="shop", percent=0, tag="current"),
                    Target(configuration="next", percent=0, tag="candidate"),
                    Target("shop-v1", 75),
                    Target("shop-v2", 25),
                ),
                id="one with the bot's own tag keeps it",
            ),
        ],
    )
    def test_shift(self, before: Split, after: Split) -> None:
        assert shift(before, stable="shop-v1", candidate="shop-v2", weight=25) == after
