"""Entries of a ``kind: List`` in rare layouts, and real documents as entries: edited as the same document alone."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.problems import Declined
from bot.core.traffic import Target
from bot.manifests.diff import bytes_outside
from bot.manifests.knative import Manifest, edit_service, find_services
from tests.manifests.operators import REFUSED, RIGHT
from tests.manifests.oracle import Seen, append_edits, assert_right, identity, remove_edits, set_edits
from tests.manifests.test_corpus import PAIR, Objects, Tally, report
from tests.manifests.test_lists import HEAD, LIST, OTHER, PATH, ROUTE, found
from tests.manifests.test_properties import manifests
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Iterator


def same(content: bytes, manifest: Manifest) -> Manifest:
    (again,) = [other for other in found(content) if other.id == manifest.id]
    return again


def wrapped(text: str, *, behind: str = "") -> str:
    """Give a document as an entry of a list: its text moved two columns to the right."""
    text = re.sub(r"\A(---[ \t]*\r?\n)?", "", text)
    moved = re.sub(r"(?m)^(?=[^\r\n])", "  ", text)
    moved = "-" + moved[1:] if moved.startswith("  ") else "-" + moved
    ending = "\r\n" if "\r\n" in text else "\n"
    return (HEAD + OTHER).replace("\n", ending) + moved + behind.replace("\n", ending)


def edits(manifest: Manifest) -> Iterator[tuple[str, tuple[Target, ...] | None, str | None]]:
    """Give edits of every kind: label, targets, name."""
    if manifest.targets:
        yield from (("set", targets, None) for targets in set_edits(manifest.targets))
        yield from (("append", targets, None) for _, targets in append_edits(manifest.targets))
        yield from (("remove", targets, None) for targets in remove_edits(manifest.targets))
    else:
        yield "create", PAIR, None
    if manifest.template is not None:
        yield "name", None, f"{manifest.name}-00042"
        yield "start", (*manifest.targets, *PAIR), f"{manifest.name}-00042"


def inverse(
    label: str, manifest: Manifest, after: Manifest, targets: tuple[Target, ...] | None
) -> tuple[tuple[Target, ...], str | None] | None:
    """Give the edit that takes an edit back, where there is one."""
    if label == "set":
        return manifest.targets, None
    if label == "append" and targets is not None:
        new = next(i for i, target in enumerate(targets) if target.slot is None)
        return after.targets[:new] + after.targets[new + 1 :], None
    if label == "create":
        return (), None
    if label == "name" and manifest.template_name is not None:
        return after.targets, manifest.template_name
    return None


@pytest.fixture(scope="module")
def documents() -> list[tuple[str, str, Manifest]]:
    """Give every Knative document of the corpus that stands in its file once: place, text, manifest."""
    corpus = shared("corpus")
    result = []
    for path in sorted(corpus.glob("*/*.yaml")):
        content = path.read_bytes()
        own = find_services(content, path.relative_to(corpus).as_posix()).manifests
        ids = Counter(manifest.id for manifest in own)
        for manifest in own:
            if ids[manifest.id] == 1:
                text = Seen(content, *identity(manifest)).text
                result.append((f"{manifest.path}:{manifest.line}", text, manifest))
    return result


@pytest.mark.parametrize(
    ("behind", "every"),
    [
        pytest.param("", 1, id="at the end"),
        pytest.param(ROUTE.replace("shop", "last"), 3, id="in the middle"),
    ],
)
def test_corpus(
    documents: list[tuple[str, str, Manifest]], behind: str, every: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every document of real files as an entry of a list: the edit is the document's own, moved to the right."""
    tally = Tally()
    for where, text, original in documents[::every]:
        if behind and not text.endswith("\n"):
            continue
        tally.counts["entries"] += 1
        listed = wrapped(text, behind=behind).encode()
        manifest = same(listed, original)
        assert manifest.item == 1
        assert (manifest.targets, manifest.template) == (original.targets, original.template), where
        alone = re.sub(r"\A---[ \t]*\r?\n", "", text).encode()
        own = same(alone, original)
        for label, targets, name in edits(manifest):
            try:
                after = edit_service(listed, PATH, manifest, targets=targets, template_name=name)
            except Declined:
                with pytest.raises(Declined):
                    edit_service(alone, PATH, own, targets=targets, template_name=name)
                tally.counts[f"{label}, declined as alone"] += 1
                continue

            def right(
                after: bytes = after, targets: tuple[Target, ...] | None = targets, name: str | None = name
            ) -> None:
                edited = edit_service(alone, PATH, own, targets=targets, template_name=name)  # noqa: B023 - called at once
                assert after.decode() == wrapped(edited.decode(), behind=behind)
                assert bytes_outside(listed, after, manifest) == 0  # noqa: B023 - called at once

            tally.check(label, where, right)
            again = same(after, manifest)
            back = inverse(label, manifest, again, targets)
            if back is not None:
                taken = edit_service(after, PATH, again, targets=back[0], template_name=back[1])
                tally.counts[f"{label} taken back"] += taken == listed
                assert taken == listed, (where, label)
    report(capsys, tally)
    assert tally.counts["entries"] >= 140 // every
    for label in ("set", "append", "create"):
        assert tally.counts[label] == tally.counts[f"{label} taken back"] >= 36 // every
    assert tally.counts["remove"] >= 24 // every
    assert min(tally.counts["name"], tally.counts["start"]) >= 120 // every


class TestAnyDocument:
    """An entry of a list is edited as the same document alone."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(content=manifests(), percent=st.integers(0, 100), data=st.data())
    def test_any_edit(self, content: bytes, percent: int, data: st.DataObject) -> None:
        text = Seen(content, None, "customer").text
        listed = wrapped(text)
        alone = re.sub(r"\A---[ \t]*\r?\n", "", text).encode()
        manifest, own = same(listed.encode(), found(content)[0]), found(alone)[0]
        kept = [target for target in manifest.targets if data.draw(st.booleans())]
        targets = (*kept, Target("customer-v9", percent, "candidate"))
        name = data.draw(st.none() | st.just("customer-v9"))
        try:
            after = edit_service(listed.encode(), PATH, manifest, targets=targets, template_name=name)
        except Declined:
            with pytest.raises(Declined):
                edit_service(alone, PATH, own, targets=targets, template_name=name)
            return
        edited = edit_service(alone, PATH, own, targets=targets, template_name=name)
        assert after.decode() == wrapped(edited.decode())


# rare layouts -----------------------------------------------------------------------


def bases() -> Objects:
    return [(LIST.encode(), manifest) for manifest in found(LIST)]


@pytest.mark.parametrize("operator", RIGHT)
def test_all_right(operator: str) -> None:
    count = 0
    for content, original in bases():
        mutated = RIGHT[operator](content.decode(), identity(original))
        if mutated is None or (mutated == LIST and operator != "nothing"):
            continue
        manifest = same(mutated.encode(), original)
        assert (manifest.targets, manifest.template) == (original.targets, original.template)
        for label, targets, name in edits(manifest):
            after = edit_service(mutated.encode(), PATH, manifest, targets=targets, template_name=name)
            flow = operator.startswith("JSON") and label in {"name", "start"}
            assert_right(mutated.encode(), after, identity(manifest), targets, name, line_check=not flow)
            count += 1
    assert count >= 7


@pytest.mark.parametrize("operator", REFUSED)
def test_refused(operator: str) -> None:
    codes, mutate = REFUSED[operator]
    count = 0
    for content, original in bases():
        mutated = mutate(content.decode(), identity(original))
        if mutated is None or mutated == LIST:
            continue
        result = find_services(mutated.encode(), PATH)
        assert original.id not in [manifest.id for manifest in result.manifests]
        assert result.problems
        assert {problem.code for problem in result.problems} <= codes
        assert all(problem.place and problem.place.line for problem in result.problems)
        count += 1
    assert count == len(bases())


def test_lone_cr_sets_and_refuses_to_insert() -> None:
    content = LIST.replace("\n", "\r").encode()
    for manifest in found(content):
        for targets in set_edits(manifest.targets):
            after = edit_service(content, PATH, manifest, targets=targets)
            assert_right(content, after, identity(manifest), targets)
        for _, targets in append_edits(manifest.targets):
            with pytest.raises(Declined) as error:
                edit_service(content, PATH, manifest, targets=targets)
            assert [problem.code for problem in error.value.problems] == ["line-ends-unusual"]
