"""Rare layouts of the project's own manifests: every edit is right or refused, never wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.core.problems import Declined
from bot.core.traffic import Target
from bot.manifests.knative import Manifest, edit_service, find_services
from tests.manifests.operators import REFUSED, RIGHT
from tests.manifests.oracle import append_edits, assert_right, remove_edits, set_edits

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
BASES = (
    "start",
    "cloud-run",
    "comments-between",
    "promotion",
    "dash-alone",
    "odd-indentation",
    "unknown-fields",
    "without-block",
)
PAIR = (
    Target(revision="customer-00041", percent=90),
    Target(revision="customer-00042", percent=10, tag="candidate"),
)
Edit = tuple[str, tuple[Target, ...] | None, str | None]


def base(shape: str) -> tuple[str, Manifest]:
    content = (HERE / shape / "before.yaml").read_bytes()
    (manifest,) = find_services(content, shape).manifests
    return content.decode(), manifest


def edits(manifest: Manifest) -> Iterator[Edit]:
    if manifest.targets:
        yield "set", list(set_edits(manifest.targets))[-1], None
        appended = [targets for _, targets in append_edits(manifest.targets)]
        yield "append", appended[0], None
        yield "append", appended[-1], None
        yield from (("remove", targets, None) for targets in remove_edits(manifest.targets))
        yield "start", appended[1], "customer-v9"
    else:
        yield "create", PAIR, None
        yield "start", PAIR, "customer-v9"
    yield "name", None, "customer-v9"


@pytest.mark.parametrize("operator", RIGHT)
def test_all_right(operator: str) -> None:
    counts: Counter[str] = Counter()
    # 30,000 characters take their time to scan.
    for shape in BASES[:2] if operator == "very long comment" else BASES:
        text, original = base(shape)
        mutated = RIGHT[operator](text, (original.namespace, original.name))
        if mutated is None or (mutated == text and operator != "nothing"):
            continue
        content = mutated.encode()
        found = find_services(content, shape)
        assert not found.problems, (shape, found.problems)
        (manifest,) = found.manifests
        assert manifest.targets == original.targets
        assert manifest.template == original.template
        for label, targets, name in edits(manifest):
            after = edit_service(content, shape, manifest, targets=targets, template_name=name)
            # In flow style, a block or a name that only one of the two has shares its line.
            flow = operator.startswith("JSON") and (label in {"create", "start", "name"} or targets == ())
            assert_right(
                content, after, (manifest.namespace, manifest.name), targets, name, line_check=not flow
            )
            counts[label] += 1
    assert counts.total() >= 7, counts


@pytest.mark.parametrize("operator", REFUSED)
def test_refused(operator: str) -> None:
    codes, mutate = REFUSED[operator]
    count = 0
    for shape in BASES:
        text, original = base(shape)
        mutated = mutate(text, (original.namespace, original.name))
        if mutated is None or mutated == text:
            continue
        found = find_services(mutated.encode(), shape)
        assert not found.manifests, shape
        assert {problem.code for problem in found.problems} <= codes
        assert all(
            problem.place and problem.place.line and problem.place.column for problem in found.problems
        )
        count += 1
    assert count >= 6


def test_lone_cr_sets_and_refuses_to_insert() -> None:
    counts: Counter[str] = Counter()
    codes: set[str] = set()
    for shape in BASES:
        text, _ = base(shape)
        content = text.replace("\n", "\r").encode()
        (manifest,) = find_services(content, shape).manifests
        for label, targets, name in edits(manifest):
            try:
                after = edit_service(content, shape, manifest, targets=targets, template_name=name)
            except Declined as declined:
                codes |= {problem.code for problem in declined.problems}
                counts[f"{label} refused"] += 1
                continue
            counts[label] += 1
            assert_right(content, after, (manifest.namespace, manifest.name), targets, name)
    assert codes == {"line-ends-unusual"}
    assert not {"append", "start", "create"} & set(counts)
    assert counts["set"] >= 5
    assert counts["append refused"] >= 12
