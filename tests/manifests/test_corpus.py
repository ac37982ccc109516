"""Every editable Knative Service of the corpus: edits touch their own lines only, and can be taken back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bot.core.problems import Declined
from bot.core.traffic import Target
from bot.manifests.diff import bytes_outside
from bot.manifests.knative import Manifest, edit_service, find_services
from tests.manifests.oracle import append_edits, assert_right, remove_edits, set_edits
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Callable

Objects = list[tuple[bytes, Manifest]]

PAIR = (
    Target(revision="customer-00041", percent=90, tag="current"),
    Target(revision="customer-00042", percent=10, tag="candidate"),
)


class Tally:
    """What happened, and what went wrong where."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def check(self, label: str, where: str, test: Callable[[], None]) -> None:
        try:
            test()
        except AssertionError as error:
            self.wrong.append(f"{label} {where}: {str(error)[:300]}")
        else:
            self.counts[label] += 1


def again(content: bytes, manifest: Manifest) -> Manifest:
    found = [m for m in find_services(content, manifest.path).manifests if m.id == manifest.id]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def objects() -> Objects:
    corpus = shared("corpus")
    found = []
    for path in sorted(corpus.glob("*/*.yaml")):
        content = path.read_bytes()
        name = path.relative_to(corpus).as_posix()
        manifests = find_services(content, name).manifests
        ids = Counter(manifest.id for manifest in manifests)
        # Two documents for one service: the editor cannot know which one counts.
        found += [(content, manifest) for manifest in manifests if ids[manifest.id] == 1]
    return found


@pytest.fixture(scope="module")
def services(objects: Objects) -> Objects:
    return [(content, manifest) for content, manifest in objects if manifest.kind == "Service"]


def edited(
    tally: Tally,
    label: str,
    service: tuple[bytes, Manifest],
    targets: tuple[Target, ...] | None,
    name: str | None = None,
) -> bytes | None:
    content, manifest = service
    where = f"{manifest.path}:{manifest.line}"
    try:
        after = edit_service(content, manifest.path, manifest, targets=targets, template_name=name)
    except Declined as declined:
        tally.counts[f"{label}, declined"] += 1
        tally.wrong.append(f"{label} {where} declined: {declined}")
        return None

    def right() -> None:
        empty = manifest.traffic_lines is None and b"spec: {}" in content
        assert_right(content, after, (manifest.namespace, manifest.name), targets, name, line_check=not empty)
        assert bytes_outside(content, after, manifest) == 0

    tally.check(label, where, right)
    return after


def report(capsys: pytest.CaptureFixture[str], tally: Tally) -> None:
    with capsys.disabled():
        print("\ncorpus:", ", ".join(f"{label} {count}" for label, count in sorted(tally.counts.items())))  # noqa: T201
    assert not tally.wrong, "\n".join(tally.wrong)


def test_corpus_is_what_it_was(services: list[tuple[bytes, Manifest]]) -> None:
    assert len(services) >= 160
    assert sum(manifest.has_traffic for _, manifest in services) >= 20


def test_set_and_take_back(
    services: list[tuple[bytes, Manifest]], capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    for content, manifest in services:
        for targets in set_edits(manifest.targets):
            after = edited(tally, "set", (content, manifest), targets)
            if after is not None:
                back = edit_service(after, manifest.path, again(after, manifest), targets=manifest.targets)
                tally.counts["set taken back"] += back == content
                assert back == content, manifest.path
    report(capsys, tally)
    assert tally.counts["set"] == tally.counts["set taken back"] >= 33


def test_append_and_take_back(
    services: list[tuple[bytes, Manifest]], capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    for content, manifest in services:
        if not manifest.has_traffic:
            continue
        for place, targets in append_edits(manifest.targets):
            after = edited(tally, "append", (content, manifest), targets)
            if after is not None:
                found = again(after, manifest)
                without = found.targets[:place] + found.targets[place + 1 :]
                back = edit_service(after, manifest.path, found, targets=without)
                tally.counts["append taken back"] += back == content
                assert back == content, manifest.path
    report(capsys, tally)
    assert tally.counts["append"] == tally.counts["append taken back"] >= 55


def test_remove(services: list[tuple[bytes, Manifest]], capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    for content, manifest in services:
        for targets in remove_edits(manifest.targets):
            edited(tally, "remove", (content, manifest), targets)
    report(capsys, tally)
    assert tally.counts["remove"] >= 33


def test_create_and_take_back(
    services: list[tuple[bytes, Manifest]], capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    for content, manifest in services:
        if manifest.has_traffic:
            continue
        after = edited(tally, "create", (content, manifest), PAIR)
        if after is not None:
            back = edit_service(after, manifest.path, again(after, manifest), targets=())
            tally.counts["create taken back"] += back == content
            assert back == content, manifest.path
    report(capsys, tally)
    assert tally.counts["create"] == tally.counts["create taken back"] >= 135


def test_name_the_revision(
    services: list[tuple[bytes, Manifest]], capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    for content, manifest in services:
        if manifest.template is None:
            continue
        after = edited(tally, "name", (content, manifest), None, f"{manifest.name}-00042")
        if after is None:
            continue
        found = again(after, manifest)
        assert found.template == manifest.template
        if manifest.template_name is not None:
            back = edit_service(after, manifest.path, found, template_name=manifest.template_name)
            tally.counts["name taken back"] += back == content
            assert back == content, manifest.path
    report(capsys, tally)
    assert tally.counts["name"] >= 150


def test_start_of_a_rollout(
    services: list[tuple[bytes, Manifest]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Name and split in one edit; the same edit again changes nothing."""
    tally = Tally()
    for content, manifest in services[::2]:
        if manifest.template is None:
            continue
        after = edited(tally, "start", (content, manifest), PAIR, f"{manifest.name}-00042")
        if after is not None:
            found = again(after, manifest)
            repeated = edit_service(
                after, manifest.path, found, targets=found.targets, template_name=found.template_name
            )
            assert repeated == after
    report(capsys, tally)
    assert tally.counts["start"] >= 75


def test_odd_files_are_refused_with_a_place() -> None:
    """Templates and invalid files that seem to hold a Knative Service."""
    corpus = shared("corpus")
    codes: Counter[str] = Counter()
    for path in sorted(corpus.glob("odd/*.yaml")):
        for problem in find_services(path.read_bytes(), path.name).problems:
            assert problem.place is not None
            assert problem.place.line
            codes[problem.code] += 1
    assert codes["template-language"] >= 4
    assert codes["yaml-invalid"] >= 2
    assert set(codes) == {"template-language", "yaml-invalid"}
