"""Edits of v1alpha1 modes: the smallest change, every other byte kept, and back again."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml

from bot.core.legacy import LATEST, Legacy, finish, roll_back, start, step
from bot.core.problems import Declined
from bot.manifests.diff import changed_lines
from bot.manifests.legacy import edit_legacy, find_legacy
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.manifests.legacy import LegacyService

HEAD = "apiVersion: serving.knative.dev/v1alpha1\nkind: Service\nmetadata:\n  name: dumpy\nspec:\n"
BODY = "    configuration:\n      revisionTemplate:\n        spec:\n          container:\n            image: i:1\n"
RUN = f"{HEAD}  runLatest:\n{BODY}"
RELEASE = (
    f'{HEAD}  release:\n    revisions: ["dumpy-1", "dumpy-2"]   # current, candidate\n'
    f"    rolloutPercent: 0\n{BODY}"
)
PINNED = f"{HEAD}  pinned:\n    revisionName: dumpy-1  # pinned\n{BODY}"
BLOCK = f"{HEAD}  release:\n    revisions:\n    - dumpy-1\n    - dumpy-2\n{BODY}    rolloutPercent: 5\n"
FLOW = (
    f"{HEAD}  release: {{revisions: [a-1, a-2], rolloutPercent: 5, configuration: "
    "{template: {spec: {containers: [{image: i}]}}}}\n"
)
JSON_RUN = (
    '{"apiVersion": "serving.knative.dev/v1alpha1", "kind": "Service", "metadata": {"name": "dumpy"},\n'
    ' "spec": {"runLatest": {\n  "configuration": {"revisionTemplate": {"spec": {"container": {"image": "i"}}}}}}}\n'
)
EXAMPLES = {"run": RUN, "release": RELEASE, "pinned": PINNED, "block": BLOCK, "flow": FLOW, "JSON": JSON_RUN}
LAYOUTS: dict[str, Callable[[str], str]] = {
    "LF": lambda text: text,
    "CR LF": lambda text: text.replace("\n", "\r\n"),
    "byte-order mark": lambda text: "\ufeff" + text,
    "no final newline": lambda text: text.rstrip("\n"),
    "other documents": lambda text: "a: {{ .b }}\n---\n" + text + "...\n---\nx: 1\n",
    "%YAML": lambda text: "%YAML 1.1\n---\n" + text,
    "trailing comment": lambda text: text.replace("rolloutPercent: 0\n", "rolloutPercent: 0 # é\n"),
}


def only(content: bytes) -> LegacyService:
    found = find_legacy(content, "dumpy.yaml")
    assert not found.problems
    (service,) = found.services
    return service


def edits(legacy: Legacy) -> list[Legacy]:
    """Give what a rollout makes of a mode."""
    if legacy.mode == "release" and len(legacy.revisions) == 2:
        latest = Legacy("release", (legacy.revisions[0], LATEST), legacy.percent)
        return [step(legacy, 50), finish(legacy), roll_back(legacy), latest]
    stable = legacy.revisions[0] if legacy.revisions else "dumpy-00001"
    return [start(legacy, stable=stable, candidate=c, percent=10) for c in ("dumpy-00002", LATEST)]


def outside(content: bytes) -> list[bytes]:
    """Give the lines that no edit may touch; of one in flow style, what is left without the own parts."""
    rest = re.sub(rb"""(?m)^ +- (?:dumpy-\d+|"?@latest"?)\r?\n""", b"", content)
    rest = re.sub(
        rb"""[\"]?(revisions|rolloutPercent|revisionName)[\"]?: *(\[[^]]*\]|[^ ,\r\n]*),? *""", b"", rest
    )
    rest = re.sub(rb"\b(runLatest|release|pinned)\b", b"", rest)
    return [line.strip() for line in rest.splitlines() if line.strip()]


def assert_right(before: bytes, service: LegacyService, wanted: Legacy) -> bytes:
    after = edit_legacy(before, service, wanted)
    again = next(s for s in find_legacy(after, service.path).services if s.id == service.id)
    assert again.legacy == wanted
    assert outside(before) == outside(after)
    return after


class TestSmallest:
    """Starting a canary is three lines of diff, a step one."""

    def test_start(self) -> None:
        after = assert_right(
            RUN.encode(), only(RUN.encode()), Legacy("release", ("dumpy-00001", "dumpy-00002"), 10)
        )
        new = '  release:\n    revisions: ["dumpy-00001", "dumpy-00002"]\n    rolloutPercent: 10\n'
        assert after.decode() == RUN.replace("  runLatest:\n", new)
        assert changed_lines(RUN.encode(), after) == 3

    def test_step_finish_and_roll_back(self) -> None:
        service = only(RELEASE.encode())
        for wanted, old, new in (
            (step(service.legacy, 25), "rolloutPercent: 0", "rolloutPercent: 25"),
            (finish(service.legacy), '["dumpy-1", "dumpy-2"]', '["dumpy-2"]'),
            (roll_back(service.legacy), '["dumpy-1", "dumpy-2"]', '["dumpy-1"]'),
        ):
            assert edit_legacy(RELEASE.encode(), service, wanted).decode() == RELEASE.replace(old, new)

    def test_pinned(self) -> None:
        service = only(PINNED.encode())
        after = edit_legacy(
            PINNED.encode(), service, start(service.legacy, stable="dumpy-1", candidate="dumpy-2", percent=5)
        )
        assert after.decode() == PINNED.replace("pinned:\n", "release:\n").replace(
            "revisionName: dumpy-1  # pinned\n",
            "revisions: [dumpy-1, dumpy-2]  # pinned\n    rolloutPercent: 5\n",
        )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_edit_and_inverse(example: str, layout: str) -> None:
    before = LAYOUTS[layout](EXAMPLES[example]).encode()
    service = only(before)
    for wanted in edits(service.legacy):
        after = assert_right(before, service, wanted)
        seen = [d for d in after.decode("utf-8-sig").split("---\n") if "kind" in d]
        body = yaml.safe_load(seen[0].replace("...", ""))["spec"]["release"]
        assert tuple(body["revisions"]) == wanted.revisions
        assert body.get("rolloutPercent") == wanted.percent
        if "# é" not in after.decode() or wanted.percent is not None:
            assert edit_legacy(after, only(after), service.legacy) == before


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("rolloutPercent: 0", "rolloutPercent: '0'", "not-a-plain-number"),
        ("rolloutPercent: 0", "rolloutPercent: 010", "not-a-plain-number"),
        ("rolloutPercent: 0", "rolloutPercent: &a 0", "alias-in-block"),
        ("rolloutPercent: 0", "rolloutPercent: !!int 0", "tag-in-block"),
        ("rolloutPercent: 0", "rolloutPercent: {{ .w }}", "template-language"),
        ("rolloutPercent: 0", "rolloutPercent: 100", "split-invalid"),
        ('"dumpy-2"', '"${C}"', "template-language"),
        ('"dumpy-2"', "1e3", "ambiguous-scalar"),
        ("release:", "release: &r", "alias-in-block"),
        ("rolloutPercent: 0", "rolloutPercent: 0\n    rolloutPercent: 0", "duplicate-key"),
        ("rolloutPercent: 0", "rolloutPercent: 0 # \u200b", "hidden-character-in-block"),
        ("  release:", "  manual: {}\n  release:", "split-invalid"),
    ],
)
def test_refused(old: str, new: str, code: str) -> None:
    found = find_legacy(RELEASE.replace(old, new).encode(), "dumpy.yaml")
    assert not found.services
    assert [p.code for p in found.problems] == [code]
    assert all(p.place and p.place.line for p in found.problems)


def test_stale_service_is_refused() -> None:
    service = only(RELEASE.encode())
    with pytest.raises(Declined, match="head-moved"):
        edit_legacy(RELEASE.replace("Percent: 0", "Percent: 5").encode(), service, finish(service.legacy))


def test_corpus() -> None:
    corpus = shared("corpus")
    counts: Counter[str] = Counter()
    for path in sorted((corpus / "knative-legacy").glob("*.y*ml")):
        content = path.read_bytes()
        found = find_legacy(content, path.name)
        counts["refused"] += len(found.problems)
        for service in found.services:
            for wanted in edits(service.legacy):
                after = assert_right(content, service, wanted)
                again = next(s for s in find_legacy(after, path.name).services if s.id == service.id)
                assert edit_legacy(after, again, service.legacy) == content, path.name
                counts["edits"] += 1
    assert counts["edits"] >= 80


@pytest.mark.parametrize(
    ("metadata", "name", "line", "kept"),
    [
        pytest.param("", None, None, None, id="no metadata"),
        pytest.param("        metadata:\n          name: dumpy-1\n", "dumpy-1", 10, None, id="a name only"),
        pytest.param(
            "        metadata:\n          labels: {a: b}\n          name: dumpy-1\n",
            "dumpy-1",
            11,
            {"labels": {"a": "b"}},
            id="labels too",
        ),
    ],
)
@pytest.mark.parametrize("key", ["revisionTemplate", "template"])
def test_template_as_plain_values(
    key: str, metadata: str, name: str | None, line: int | None, kept: dict[str, object] | None
) -> None:
    text = RUN.replace("revisionTemplate:\n", f"{key}:\n{metadata}")
    if key == "template":
        text = text.replace("container:\n            image", "containers:\n          - image")
    service = only(text.encode())
    assert (service.template_name, service.template_name_line) == (name, line)
    assert service.template.get("metadata") == kept
    assert "image" in str(service.template["spec"])
    assert (service.api_version, service.kind) == ("serving.knative.dev/v1alpha1", "Service")
    assert service.annotations == {}


def test_annotations() -> None:
    text = RUN.replace("  name: dumpy\n", "  name: dumpy\n  annotations: {a/b: 'c'}\n")
    assert only(text.encode()).annotations == {"a/b": "c"}
