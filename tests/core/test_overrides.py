"""Two people agree on an override: which words make a pair, and which never do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.overrides import WITHIN, Asker, Spoken, open_words, pairs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def said(who: int, minute: float, *rules: str, weight: int = 50) -> Spoken:
    at = NOON + timedelta(minutes=minute)
    return Spoken(who, f"p{who}", f"comment/{int(minute * 10) + who}", 1, at, weight, rules or ("bake",))


@pytest.mark.parametrize(
    ("words", "asked_by", "agreed"),
    [
        pytest.param((said(1, 0), said(2, 5)), (), {"bake": ("p1", "p2")}, id="two people"),
        pytest.param((said(2, 5), said(1, 0)), (), {"bake": ("p1", "p2")}, id="in any order"),
        pytest.param((said(1, 0), said(2, 30)), (), {"bake": ("p1", "p2")}, id="just in time"),
        pytest.param((said(1, 0), said(2, 31)), (), {}, id="too late"),
        pytest.param((said(1, 0), said(1, 5)), (), {}, id="one person twice"),
        pytest.param((said(1, 0), said(2, 5, "freeze")), (), {}, id="another rule"),
        pytest.param((said(1, 0), said(2, 5, weight=100)), (), {}, id="another step"),
        pytest.param((said(1, 0, weight=100), said(2, 5, weight=100)), (), {}, id="both about another step"),
        pytest.param((said(1, 0), said(2, 5)), (Asker(0, "P2"),), {}, id="the second asked for the step"),
        pytest.param((said(1, 0), said(2, 5)), (Asker(2, "old"),), {}, id="the second was renamed since"),
        pytest.param(
            (said(1, 0), said(2, 5)),
            (Asker(9, "p2"),),
            {"bake": ("p1", "p2")},
            id="a login that was given away",
        ),
        pytest.param(
            (said(1, 0), said(2, 5)), (Asker(1, "p1"),), {"bake": ("p1", "p2")}, id="the first asked for it"
        ),
        pytest.param(
            (said(1, 0), said(2, 5), said(1, 9)), (Asker(2, "p2"),), {"bake": ("p2", "p1")}, id="said again"
        ),
        pytest.param(
            (said(1, 0, "bake", "freeze"), said(2, 5, "freeze")),
            (),
            {"freeze": ("p1", "p2")},
            id="one of two rules",
        ),
        pytest.param(
            (said(1, 0), said(1, 29), said(2, 50)), (), {"bake": ("p1", "p2")}, id="the later first word"
        ),
        pytest.param((), (), {}, id="nobody"),
    ],
)
def test_pairs(
    words: tuple[Spoken, ...], asked_by: tuple[Asker, ...], agreed: dict[str, tuple[str, str]]
) -> None:
    found = pairs(words, 50, asked_by)
    assert {rule: (pair.first.by, pair.second.by) for rule, (pair, *_) in found.items()} == agreed


@given(
    st.lists(
        st.builds(
            said,
            st.integers(1, 3),
            st.integers(0, 90),
            st.sampled_from(["bake", "freeze"]),
            weight=st.sampled_from([50, 100]),
        ),
        max_size=8,
    ),
    st.sets(st.sampled_from([1, 2, 3])),
)
def test_a_pair_is_two_people_in_time_on_one_rule_and_step(words: list[Spoken], asked_by: set[int]) -> None:
    askers = [Asker(one, f"p{one}") for one in asked_by]
    found = [(rule, pair) for rule, all_of in pairs(words, 50, askers).items() for pair in all_of]
    for rule, pair in found:
        assert pair.first.id != pair.second.id
        assert timedelta(0) <= pair.second.at - pair.first.at <= WITHIN
        assert rule in pair.first.rules
        assert rule in pair.second.rules
        assert pair.first.weight == pair.second.weight == 50
        assert pair.second.id not in asked_by
    assert bool(pairs(words, 50, askers)) == any(
        a.id != b.id
        and set(a.rules) & set(b.rules)
        and a.weight == b.weight == 50
        and (a.at, a.to) < (b.at, b.to)
        and b.at - a.at <= WITHIN
        and b.id not in asked_by
        for a in words
        for b in words
    )


def test_words_that_can_still_be_agreed_with() -> None:
    words = (said(1, 0), said(2, 20, "freeze"), said(3, 25))
    assert [one.by for one in open_words(words, 50, "bake", NOON + timedelta(minutes=29))] == ["p1", "p3"]
    assert [one.by for one in open_words(words, 50, "bake", NOON + timedelta(minutes=31))] == ["p3"]
    assert open_words(words, 100, "bake", NOON) == ()
