"""Every weighted route of the corpus: edits touch weights only, and can be taken back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bot.core.problems import Declined
from bot.core.weights import shift
from bot.manifests.weighted import Route, find_routes, set_weights
from tests.manifests.weighted_oracle import assert_right, schema_errors
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

Files = list[tuple[bytes, Route]]


@pytest.fixture(scope="module")
def files() -> Files:
    corpus = shared("corpus")
    found: Files = []
    for path in sorted(corpus.glob("*/*.y*ml")):
        content = path.read_bytes()
        found += [
            (content, route) for route in find_routes(content, path.relative_to(corpus).as_posix()).routes
        ]
    return found


def editable(files: Files) -> Iterator[tuple[bytes, Route]]:
    """Give the routes of objects that stand in their file once."""
    for content, route in files:
        objects = {
            (other.document, other.item)
            for text, other in files
            if text is content and (other.kind, other.id) == (route.kind, route.id)
        }
        if len(objects) == 1:
            yield content, route


def again(content: bytes, route: Route) -> Route:
    (found,) = [
        r
        for r in find_routes(content, route.path).routes
        if (r.document, r.item, r.where) == (route.document, route.item, route.where)
    ]
    return found


def report(capsys: pytest.CaptureFixture[str], counts: Counter[str]) -> None:
    with capsys.disabled():
        print("\ncorpus:", ", ".join(f"{label} {count}" for label, count in sorted(counts.items())))  # noqa: T201


def test_corpus_is_what_it_was(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counter(f"{route.kind} {route.section}" for _, route in files)
    counts["objects with several weighted rules"] = sum(
        n > 1
        for n in Counter(
            (route.path, route.document, route.item)
            for _, route in files
            if len(route.weights.destinations) > 1
        ).values()
    )
    report(capsys, counts)
    assert counts["VirtualService http"] >= 155
    assert counts["VirtualService tls"] >= 4
    assert counts["VirtualService tcp"] >= 2
    assert counts["HTTPRoute rules"] >= 72
    assert counts["TCPRoute rules"] >= 5
    assert min(counts["GRPCRoute rules"], counts["TLSRoute rules"]) >= 3
    assert counts["objects with several weighted rules"] >= 6


def test_set_and_take_back(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """All weights at once, then each alone; a missing one is written, and taken away again."""
    counts: Counter[str] = Counter()
    for content, route in editable(files):
        written = tuple(d.weight for d in route.weights.destinations)
        every = tuple(17 + slot for slot in range(len(written)))
        singles = [(*written[:n], every[n], *written[n + 1 :]) for n in range(len(written))]
        for wanted in {every, *singles}:
            after = set_weights(content, route, wanted)
            assert_right(content, after, route, wanted)
            found = again(after, route)
            assert set_weights(after, found, wanted) is after
            assert set_weights(after, found, written) == content, (route.path, route.where)
            counts["edits"] += 1
            counts["weights inserted"] += sum(
                one is None and other is not None for one, other in zip(written, wanted, strict=True)
            )
            counts["lines added and removed again"] += after.count(b"\n") != content.count(b"\n")
            before, result = schema_errors(content, route), schema_errors(after, route)
            if before is None:
                counts["version without schema"] += 1
            elif not before:
                assert result == [], route.path
                counts["accepted by the schema"] += 1
            else:
                counts["refused by the schema before and after"] += 1
    report(capsys, counts)
    assert counts["edits"] >= 400
    assert counts["weights inserted"] >= 62
    assert counts["accepted by the schema"] >= 0.9 * counts["edits"]


def test_whole_rollouts(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps, finish and give back on all pairs of destinations of a rule that has two."""
    counts: Counter[str] = Counter()
    for first, route in editable(files):
        if len(route.weights.destinations) != 2:
            continue
        content, found = first, route
        for percent in (0, 5, 25, 50, 100, 0):
            shifted = shift(found.weights, stable=0, candidate=1, percent=percent)
            counts["other scale"] += bool(shifted.note)
            after = set_weights(content, found, shifted.weights)
            assert_right(content, after, found, shifted.weights)
            content, found = after, again(after, route)
            assert list(found.weights.shares) == [100 - percent, percent]
            assert found.weights.refusal is None
            counts["steps"] += 1
        counts["rollouts"] += 1
    report(capsys, counts)
    assert counts["rollouts"] >= 75
    assert counts["other scale"] >= 5


def test_the_rest_is_declined_with_a_line(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """Templates and invalid files; one object in two documents of a file."""
    counts: Counter[str] = Counter()
    corpus = shared("corpus")
    for path in sorted(corpus.glob("*/*.y*ml")):
        for problem in find_routes(path.read_bytes(), path.name).problems:
            assert problem.place is not None
            assert problem.place.line
            counts[problem.code] += 1
    possible = [(route.path, route.document, route.where) for _, route in editable(files)]
    for content, route in files:
        if (route.path, route.document, route.where) not in possible:
            with pytest.raises(Declined) as declined:
                set_weights(content, route, tuple(1 for _ in route.weights.destinations))
            (problem,) = declined.value.problems
            assert problem.place
            assert problem.place.line
            counts[problem.code] += 1
    report(capsys, counts)
    assert set(counts) == {"template-language", "ambiguous-document"}
    assert counts["template-language"] >= 11
