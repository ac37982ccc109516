from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.problems import Declined
from bot.core.weights import Destination, Platform, Shifted, Weights, finish, give_back, pair_of, pick, shift

ISTIO, GATEWAY = Platform.ISTIO, Platform.GATEWAY


def of(platform: Platform, *written: int | None) -> Weights:
    names = ("reviews/v1", "reviews/v2", "reviews/v3", "ratings")
    return Weights(
        platform, tuple(Destination(names[slot], weight, slot) for slot, weight in enumerate(written))
    )


def codes(declined: Declined) -> list[str]:
    return [problem.code for problem in declined.problems]


class TestShares:
    """A destination receives weight/(sum of all weights) requests."""

    @pytest.mark.parametrize(
        ("weights", "shares"),
        [
            pytest.param(of(ISTIO, 90, 10), [90, 10], id="Istio, percents"),
            pytest.param(of(ISTIO, 50, 45, 55), [Fraction(100, 3), 30, Fraction(110, 3)], id="Istio, 150"),
            pytest.param(of(ISTIO, None), [100], id="only one destination: all traffic"),
            pytest.param(of(ISTIO, 0), [100], id="only one destination, weight 0: all traffic"),
            pytest.param(of(ISTIO, 100, None), [100, 0], id="Istio: weight 0 where there is none"),
            pytest.param(of(ISTIO, None, None), [0, 0], id="Istio: nobody has any"),
            pytest.param(of(GATEWAY, None), [100], id="If unspecified, weight defaults to 1"),
            pytest.param(of(GATEWAY, None, None), [50, 50], id="Gateway: 1 and 1"),
            pytest.param(of(GATEWAY, 3, None), [75, 25], id="Gateway: 3 and 1"),
            pytest.param(of(GATEWAY, 0), [0], id="Gateway: weight 0, no traffic for this entry"),
            pytest.param(of(GATEWAY, 0, 0), [0, 0], id="Gateway: all 0"),
        ],
    )
    def test_percent(self, weights: Weights, shares: list[Fraction | int]) -> None:
        assert list(weights.shares) == shares

    @given(st.sampled_from(Platform), st.lists(st.none() | st.integers(0, 1_000_000), min_size=1, max_size=4))
    def test_sum(self, platform: Platform, written: list[int | None]) -> None:
        weights = of(platform, *written)
        assert sum(weights.shares) == (100 if weights.total else 0)


class TestRefusal:
    """What the platform says of weights."""

    @pytest.mark.parametrize(
        ("weights", "refusal"),
        [
            pytest.param(of(ISTIO, 0, 0), "total destination weight = 0", id="Istio: sum 0"),
            pytest.param(of(ISTIO, None, None), "total destination weight = 0", id="Istio: none written"),
            pytest.param(of(ISTIO, 0), None, id="Istio: one destination may have 0"),
            pytest.param(of(ISTIO, 1, 98), None, id="Istio: any other sum"),
            pytest.param(of(ISTIO, 2**31 - 1, 0), None, id="Istio: int32"),
            pytest.param(
                of(ISTIO, 2**31 - 1, 1), "the weights sum to more than 2147483647", id="Istio: sum over int32"
            ),
            pytest.param(of(ISTIO, 2**31, 1), "weight 2147483648 is not in 0..2147483647", id="over int32"),
            pytest.param(of(ISTIO, -1, 101), "weight -1 is not in 0..2147483647", id="Istio: negative"),
            pytest.param(of(GATEWAY, 0, 0), None, id="Gateway: all 0 is accepted, and answers 500"),
            pytest.param(of(GATEWAY, 1_000_000, 1), None, id="Gateway: the largest"),
            pytest.param(
                of(GATEWAY, 1_000_001, 1), "weight 1000001 is not in 0..1000000", id="Gateway: larger"
            ),
        ],
    )
    def test_text(self, weights: Weights, refusal: str | None) -> None:
        assert weights.refusal == refusal


class TestShift:
    """Keep the file's scale if it divides evenly, else go to 100 and say so."""

    @pytest.mark.parametrize(
        ("weights", "percent", "wanted"),
        [
            pytest.param(of(ISTIO, 100, 0), 25, Shifted((75, 25)), id="scale 100"),
            pytest.param(of(ISTIO, 1000, 0), 25, Shifted((750, 250)), id="scale 1000"),
            pytest.param(of(ISTIO, 4, 0), 25, Shifted((3, 1)), id="scale 4 divides evenly"),
            pytest.param(
                of(ISTIO, 4, 0),
                10,
                Shifted(
                    (90, 10),
                    "The weights sum to 100 now; they summed to 4, which 10 % does not divide evenly.",
                ),
                id="scale 4 does not",
            ),
            pytest.param(of(GATEWAY, 1, 0), 100, Shifted((0, 1)), id="1 and 0 change places"),
            pytest.param(
                of(GATEWAY, None, 0),
                25,
                Shifted(
                    (75, 25),
                    "The weights sum to 100 now; they summed to 1, which 25 % does not divide evenly.",
                ),
                id="an absent weight of the Gateway API is 1",
            ),
            pytest.param(of(GATEWAY, None, None), 50, Shifted((None, None)), id="as wished already"),
            pytest.param(of(GATEWAY, None, None), 100, Shifted((0, 2)), id="the default scale of two is 2"),
            pytest.param(of(ISTIO, 100, None), 0, Shifted((100, None)), id="an absent 0 stays absent"),
            pytest.param(of(ISTIO, 100, None), 5, Shifted((95, 5)), id="an absent weight is written"),
            pytest.param(
                of(ISTIO, None, None),
                20,
                Shifted((80, 20), "The weights sum to 100 now; before, none of them had any."),
                id="no weights",
            ),
            pytest.param(of(ISTIO, 99, 0), 100, Shifted((0, 99)), id="all or nothing divides every scale"),
            pytest.param(of(ISTIO, 80, 20, 0), 50, Shifted((50, 50, 0)), id="others at 0 stay"),
            pytest.param(of(ISTIO, 80, 20, None), 50, Shifted((50, 50, None)), id="others absent stay"),
        ],
    )
    def test_weights(self, weights: Weights, percent: int, wanted: Shifted) -> None:
        assert shift(weights, stable=0, candidate=1, percent=percent) == wanted

    def test_the_order_is_the_files(self) -> None:
        assert shift(of(ISTIO, 0, 100), stable=1, candidate=0, percent=5).weights == (5, 95)

    def test_give_back_and_finish(self) -> None:
        """Weights 0 / 100; destinations stay."""
        weights = of(ISTIO, 75, 25)
        assert give_back(weights, stable=0, candidate=1) == Shifted((100, 0))
        assert finish(weights, stable=0, candidate=1) == Shifted((0, 100))

    @pytest.mark.parametrize(
        ("weights", "candidate", "percent", "code"),
        [
            pytest.param(of(ISTIO, 60, 20, 20), 1, 50, "which-destination", id="a third has weight"),
            pytest.param(
                of(GATEWAY, 60, 20, None), 1, 50, "which-destination", id="a third has 1 by default"
            ),
            pytest.param(of(ISTIO, 100, 0), 0, 50, "same-revision", id="stable is the candidate"),
            pytest.param(of(ISTIO, 100, 0), 1, 101, "weight-out-of-range", id="101"),
            pytest.param(of(ISTIO, 100, 0), 1, -1, "weight-out-of-range", id="-1"),
        ],
    )
    def test_declined(self, weights: Weights, candidate: int, percent: int, code: str) -> None:
        with pytest.raises(Declined) as declined:
            shift(weights, stable=0, candidate=candidate, percent=percent)
        assert codes(declined.value) == [code]

    def test_others_are_named_with_their_weights(self) -> None:
        with pytest.raises(Declined, match=r"`reviews/v3` \(20\), `ratings` \(1\)"):
            shift(of(GATEWAY, 60, 20, 20, None), stable=0, candidate=1, percent=5)

    @given(
        st.sampled_from(Platform),
        st.none() | st.integers(0, 500_000),
        st.none() | st.integers(0, 500_000),
        st.lists(st.integers(0, 100), min_size=1, max_size=4),
    )
    def test_any_weights(
        self, platform: Platform, first: int | None, second: int | None, percents: list[int]
    ) -> None:
        """The candidate gets exactly the percent, the platform accepts, and a shift repeated changes nothing."""
        weights = of(platform, first, second)
        for percent in percents:
            shifted = shift(weights, stable=0, candidate=1, percent=percent)
            after = of(platform, *shifted.weights)
            assert list(after.shares) == [100 - percent, percent]
            assert after.refusal is None
            assert after.total == (100 if shifted.note else weights.total)
            assert shift(after, stable=0, candidate=1, percent=percent) == Shifted(shifted.weights)
            weights = after


class TestWhich:
    """Nothing is guessed."""

    def test_name(self) -> None:
        weights = Weights(
            ISTIO,
            (
                Destination("reviews/v1", 1, 0, also=("reviews:80/v1", "v1")),
                Destination("reviews/v2", 1, 1, also=("v2",)),
                Destination("ratings/v2", 1, 2, also=("v2",)),
            ),
        )
        assert pick(weights, "reviews/v2").slot == 1
        assert pick(weights, "v1").slot == pick(weights, "reviews:80/v1").slot == 0
        with pytest.raises(Declined, match="Several destinations are `v2`"):
            pick(weights, "v2")
        with pytest.raises(Declined, match="No destination of the rule is `v9`"):
            pick(weights, "v9")

    def test_the_own_name_wins(self) -> None:
        weights = Weights(ISTIO, (Destination("v2", 1, 0), Destination("reviews/v2", 1, 1, also=("v2",))))
        assert pick(weights, "v2").slot == 0

    @pytest.mark.parametrize(
        ("weights", "slots"),
        [
            pytest.param(of(ISTIO, 100, 0), (0, 1), id="100 and 0"),
            pytest.param(of(ISTIO, None, 100), (1, 0), id="nothing and 100"),
            pytest.param(of(GATEWAY, None, 9), (1, 0), id="1 by default and 9"),
        ],
    )
    def test_pair(self, weights: Weights, slots: tuple[int, int]) -> None:
        stable, candidate = pair_of(weights)
        assert (stable.slot, candidate.slot) == slots

    @pytest.mark.parametrize(
        ("weights", "code"),
        [
            pytest.param(of(ISTIO, 50, 50), "which-destination", id="as much each"),
            pytest.param(of(GATEWAY, None, None), "which-destination", id="1 each by default"),
            pytest.param(of(ISTIO, 100, 0, 0), "which-destination", id="two may be the candidate"),
            pytest.param(of(ISTIO, 100), "unknown-candidate", id="one destination"),
        ],
    )
    def test_no_pair(self, weights: Weights, code: str) -> None:
        with pytest.raises(Declined) as declined:
            pair_of(weights)
        assert codes(declined.value) == [code]
