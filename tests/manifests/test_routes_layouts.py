"""Knative Routes in rare layouts, and those of the corpus: every edit is right or refused, never wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.problems import Declined
from bot.core.traffic import Target
from bot.manifests.diff import bytes_outside
from bot.manifests.knative import Manifest, edit_service, find_services
from tests.manifests.operators import REFUSED, RIGHT
from tests.manifests.oracle import append_edits, assert_right, identity, remove_edits, set_edits
from tests.manifests.test_corpus import Objects, Tally, again, report
from tests.manifests.test_routes import HEAD, PAIR, PATH, edited, one
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUTES = {
    "a pinned and a followed one": HEAD + PAIR,
    "indentless": (
        "# the way in\nkind: Route\nmetadata: {name: shop, namespace: a}\nspec:\n  traffic:\n  - tag: current\n"
        "    percent: 60\n    revisionName: shop-v1\n\n  # next\n  - tag: next\n    revisionName: shop-v2\n"
        "    percent: 40\n    latestRevision: false\napiVersion: serving.knative.dev/v1beta1\n"
    ),
}


def edits(manifest: Manifest) -> Iterator[tuple[Target, ...]]:
    yield from set_edits(manifest.targets)
    yield from (targets for _, targets in append_edits(manifest.targets))
    yield from remove_edits(manifest.targets)


@pytest.mark.parametrize("operator", RIGHT)
def test_all_right(operator: str) -> None:
    count = 0
    for shape, text in ROUTES.items():
        original = one(text)
        mutated = RIGHT[operator](text, identity(original))
        if mutated is None or (mutated == text and operator != "nothing"):
            continue
        content = mutated.encode()
        manifest = one(content)
        assert manifest.targets == original.targets, shape
        for targets in edits(manifest):
            after = edit_service(content, PATH, manifest, targets=targets)
            assert_right(content, after, identity(manifest), targets)
            assert bytes_outside(content, after, manifest) == 0
            count += 1
    assert count >= 7


@pytest.mark.parametrize("operator", REFUSED)
def test_refused(operator: str) -> None:
    codes, mutate = REFUSED[operator]
    count = 0
    for text in ROUTES.values():
        mutated = mutate(text, identity(one(text)))
        if mutated is None or mutated == text:
            continue
        found = find_services(mutated.encode(), PATH)
        assert not found.manifests
        assert found.problems
        assert {problem.code for problem in found.problems} <= codes
        assert all(problem.place and problem.place.line for problem in found.problems)
        count += 1
    assert count


class TestAnySplit:
    """The result holds exactly the wanted targets, and every other byte is the byte that was there."""

    @given(
        route=st.sampled_from(sorted(ROUTES)),
        kept=st.sets(st.integers(0, 1)),
        fresh=st.lists(
            st.builds(
                Target,
                percent=st.integers(0, 100),
                tag=st.none() | st.sampled_from(["next", "on", "v2"]),
                configuration=st.sampled_from(["shop", "no", "e1"]),
            ),
            min_size=1,
            max_size=3,
        ),
    )
    def test_of_configurations(self, route: str, kept: set[int], fresh: list[Target]) -> None:
        manifest = one(ROUTES[route])
        targets = (*(manifest.targets[slot] for slot in sorted(kept)), *fresh)
        after = edited(ROUTES[route], *targets).encode()
        assert_right(ROUTES[route].encode(), after, identity(manifest), targets)
        assert one(after).targets == targets
        if kept == {0, 1}:
            back = edit_service(after, PATH, one(after), targets=one(after).targets[:2])
            assert back == ROUTES[route].encode()


# the corpus -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def routes() -> Objects:
    corpus = shared("corpus")
    found: Objects = []
    for path in sorted(corpus.glob("*/*.yaml")):
        content = path.read_bytes()
        manifests = find_services(content, path.relative_to(corpus).as_posix()).manifests
        ids = Counter(manifest.id for manifest in manifests)
        found += [(content, m) for m in manifests if m.kind == "Route" and ids[m.id] == 1]
    return found


def test_corpus(routes: Objects, capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind of edit on every Route of real files: nothing else changes, and the inverse gives the file back."""
    tally = Tally()
    for content, manifest in routes:
        tally.counts["routes"] += 1
        for label, place, targets in _edits_of_every_kind(manifest):
            try:
                after = edit_service(content, manifest.path, manifest, targets=targets)
            except Declined as declined:
                # A Route without targets is refused by the server too.
                expected = not targets and "`spec` would be empty" in str(declined)
                tally.counts[f"{label}, declined: spec would be empty"] += expected
                tally.wrong += [] if expected else [f"{label} {manifest.path}:{manifest.line} {declined}"]
                continue

            def right(after: bytes = after, targets: tuple[Target, ...] = targets) -> None:
                assert_right(content, after, identity(manifest), targets)  # noqa: B023 - called at once
                assert bytes_outside(content, after, manifest) == 0  # noqa: B023 - called at once

            tally.check(label, f"{manifest.path}:{manifest.line}", right)
            if label == "remove":
                continue
            found = again(after, manifest)
            inverse = (
                manifest.targets if place is None else found.targets[:place] + found.targets[place + 1 :]
            )
            assert edit_service(after, manifest.path, found, targets=inverse) == content, manifest.path
            tally.counts[f"{label} taken back"] += 1
    report(capsys, tally)
    assert tally.counts["routes"] >= 20
    assert tally.counts["set"] == tally.counts["set taken back"] >= 20
    assert tally.counts["append"] == tally.counts["append taken back"] >= 40
    assert tally.counts["remove"] >= 2


def _edits_of_every_kind(manifest: Manifest) -> Iterator[tuple[str, int | None, tuple[Target, ...]]]:
    """Give each edit with its kind, and the place of a new target."""
    yield from (("set", None, targets) for targets in set_edits(manifest.targets))
    yield from (("append", place, targets) for place, targets in append_edits(manifest.targets))
    yield from (("remove", None, targets) for targets in remove_edits(manifest.targets))
    other = Target(percent=5, configuration="another")
    yield "append", len(manifest.targets), (*manifest.targets, other)
