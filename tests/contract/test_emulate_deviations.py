"""The checked-in list itself, and what is said when the fixed run does not fit it."""

from __future__ import annotations

import pytest

from tests.contract.emulate_deviations import AGREED, BEHAVIOUR, LISTED, changes, differences
from tests.contract.emulate_probes import PROBES
from tests.contract.emulate_run import NAMES, PROBING


def test_every_probe_is_in_one_list() -> None:
    assert PROBING in NAMES
    assert LISTED.keys() | AGREED.keys() == PROBES.keys()


def test_entries_are_deviations_and_say_who_says_so() -> None:
    assert len(LISTED) == len(BEHAVIOUR)
    assert LISTED.keys() & AGREED.keys() == set()
    for one in BEHAVIOUR:
        assert one.seen != one.real
        assert one.source
        assert one.operation


class TestChanges:
    """The list fails when it should shrink and when it should grow."""

    SEEN = AGREED | {name: one.seen for name, one in LISTED.items()}

    def test_as_listed(self) -> None:
        assert changes(self.SEEN) == []

    def test_repaired(self) -> None:
        said = changes(self.SEEN | {"reaction": "201"})
        assert said == ["reaction: the emulator does as GitHub does now; remove this entry, and its mend"]

    def test_broken_anew(self) -> None:
        assert changes(self.SEEN | {"jwt-expired": "200"}) == [
            "jwt-expired: sees '200', listed is '401'; add or change an entry"
        ]

    def test_broken_otherwise(self) -> None:
        assert changes(self.SEEN | {"reaction": "500"}) == [
            "reaction: sees '500', listed is '404'; add or change an entry"
        ]

    def test_without_entry(self) -> None:
        assert changes(self.SEEN | {"tea": "hot"}) == ["tea: sees 'hot' and is in no list; add it"]

    def test_without_probe(self) -> None:
        seen = {name: value for name, value in self.SEEN.items() if name != "reaction"}
        assert changes(seen) == ["reaction: no such probe; remove this entry"]


class TestDifferences:
    """So do the lists of answers and payloads."""

    @pytest.mark.parametrize(
        ("seen", "listed", "said"),
        [
            pytest.param({"a": "wrong", "b": ""}, {"a"}, [], id="as listed"),
            pytest.param(
                {"a": "wrong"}, set(), ["x a: deviates and is not listed; add it: wrong"], id="grown"
            ),
            pytest.param({"a": ""}, {"a"}, ["x a: conforms; remove this entry"], id="repaired"),
            pytest.param({}, {"a"}, ["x a: is not asked any more; remove this entry"], id="not asked"),
        ],
    )
    def test_sentences(self, seen: dict[str, str], listed: set[str], said: list[str]) -> None:
        assert differences("x", seen, listed) == said
