"""Rare layouts of routes of every kind: every edit is right or refused, never wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from bot.core.problems import Declined
from bot.manifests.weighted import find_routes, set_weights
from tests.manifests.weighted_examples import EXAMPLES, REFUSED, RIGHT, routes
from tests.manifests.weighted_oracle import assert_right, schema_errors


@pytest.mark.parametrize("operator", RIGHT)
def test_all_right(operator: str) -> None:
    counts: Counter[str] = Counter()
    for kind, text in EXAMPLES.items():
        mutated = RIGHT[operator](text)
        if mutated is None or (mutated == text and operator != "nothing"):
            continue
        content = mutated.encode()
        originals = routes(text.encode())
        found = routes(content)
        assert [r.where for r in found] == [r.where for r in originals]
        for route, original in zip(found, originals, strict=True):
            if operator not in {"null", "nothing behind the key"}:
                assert route.weights == original.weights
            assert (route.rule, route.matches, route.hosts) == (
                original.rule,
                original.matches,
                original.hosts,
            )
            written = tuple(d.weight for d in route.weights.destinations)
            for wanted in (
                tuple(17 + slot for slot in range(len(written))),
                (33, *written[1:]),
                (*written[:-1], 33),
            ):
                after = set_weights(content, route, wanted)
                assert_right(content, after, route, wanted)
                assert not schema_errors(after, route) or schema_errors(content, route)
                if operator not in {"null", "nothing behind the key"}:
                    again = next(r for r in routes(after) if (r.item, r.where) == (route.item, route.where))
                    assert set_weights(after, again, written) == content, kind
                counts[kind] += 1
    assert counts.total() >= 6, counts


@pytest.mark.parametrize("operator", REFUSED)
def test_refused(operator: str) -> None:
    codes, mutate = REFUSED[operator]
    count = 0
    for kind, text in EXAMPLES.items():
        mutated = mutate(text)
        if mutated is None or mutated == text:
            continue
        content = mutated.encode()
        problems = find_routes(content, "route.yaml").problems
        assert {problem.code for problem in problems} <= codes, kind
        assert problems
        assert all(problem.place and problem.place.line and problem.place.column for problem in problems)
        count += 1
    assert count >= 5


def test_lone_cr_sets_and_refuses_to_insert() -> None:
    counts: Counter[str] = Counter()
    for kind in ("VirtualService", "tcp and tls", "HTTPRoute"):
        content = EXAMPLES[kind].replace("\n", "\r").encode()
        for route in routes(content):
            written = [d.weight for d in route.weights.destinations]
            wanted = tuple(7 for _ in written)
            if None in written:
                with pytest.raises(Declined) as declined:
                    set_weights(content, route, wanted)
                assert [p.code for p in declined.value.problems] == ["line-ends-unusual"]
                counts["refused"] += 1
            else:
                assert_right(content, set_weights(content, route, wanted), route, wanted)
                counts["set"] += 1
    assert counts == {"set": 3, "refused": 3}
