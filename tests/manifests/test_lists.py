"""Services and Routes in a ``kind: List``: each entry is an object of its own, edited byte for byte."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bot.core.problems import Declined
from bot.core.traffic import Target
from bot.manifests.checking import check
from bot.manifests.knative import Manifest, edit_service, find_services
from bot.manifests.knative_read import read_document
from bot.manifests.source import Source, cut
from tests.manifests.test_corpus import PAIR

PATH = "apps/all.yaml"
HEAD = "apiVersion: v1\nkind: List\nitems:\n"  # three lines
OTHER = "- apiVersion: v1\n  kind: Service\n  metadata: {name: shop}\n  spec: {ports: [{port: 80}]}\n"  # four lines
SERVICE = """\
- apiVersion: serving.knative.dev/v1
  kind: Service
  metadata:
    name: shop
  spec:
    template:
      metadata:
        name: shop-v2
      spec:
        containers:
        - image: a
    traffic:
    - revisionName: shop-v1   # stable
      percent: 90
      tag: current

    # tried
    - revisionName: shop-v2
      percent: 10
      tag: candidate
"""  # twenty lines
ROUTE = """\
- apiVersion: serving.knative.dev/v1
  kind: Route
  metadata:
    name: shop
    namespace: eu
  spec:
    traffic:
      - configurationName: shop
        percent: 60
        tag: current
      - revisionName: shop-v1
        percent: 40
"""
LIST = HEAD + OTHER + SERVICE + ROUTE


def found(text: str | bytes, name: str | None = None) -> tuple[Manifest, ...]:
    result = find_services(text if isinstance(text, bytes) else text.encode(), PATH, name=name)
    assert not result.problems, result.problems
    return result.manifests


class TestFound:
    """Every Service and Route of a list is found, with its place in it."""

    def test_what_is_read(self) -> None:
        service, route = found("a: 1\n---\n" + LIST)
        assert (service.id, service.document, service.item, service.line) == ("/shop", 1, 1, 10)
        assert (route.id, route.document, route.item, route.line) == ("Route:eu/shop", 1, 2, 30)
        assert service.traffic_lines == (21, 29)
        assert (service.template_name, service.template_name_line) == ("shop-v2", 17)
        assert [target.percent for target in route.targets] == [60, 40]

    def test_the_document_of_an_entry(self) -> None:
        source = Source.read(LIST.encode(), PATH)
        (chunk,) = cut(source)
        document = read_document(source, chunk, 2)
        assert document is not None
        assert (document.kind, document.item, source.line(document.root.start)) == ("Route", 2, 27)
        assert [read_document(source, chunk, item) for item in (None, 0, 3)] == [None] * 3

    def test_a_document_is_no_entry(self) -> None:
        source = Source.read(re.sub("(?m)^(- |  )", "", SERVICE).encode(), PATH)
        (chunk,) = cut(source)
        assert read_document(source, chunk, 0) is None
        document = read_document(source, chunk)
        assert document is not None
        assert document.item is None

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(
                LIST.replace("apiVersion: v1\nkind: List", "apiVersion: a/v1\nkind: List"), id="API"
            ),
            pytest.param(LIST.replace("kind: List", "kind: Template"), id="another kind"),
            pytest.param(LIST.replace("items:", "objects:"), id="no items"),
            pytest.param(HEAD + OTHER + "# serving.knative.dev\n", id="other kinds"),
            pytest.param(
                HEAD + "- [serving.knative.dev, Service]\n- ~\n- serving.knative.dev/v1\n", id="no maps"
            ),
            pytest.param("apiVersion: v1\nkind: List\nitems: {serving.knative.dev: Service}\n", id="no list"),
        ],
    )
    def test_something_else(self, text: str) -> None:
        assert found(text) == ()

    def test_name_chooses(self) -> None:
        text = HEAD + SERVICE + SERVICE.replace("shop", "cart").replace("90", "090")
        assert [m.name for m in find_services(text.encode(), PATH).manifests] == ["shop"]
        assert [m.name for m in found(text, "shop")] == ["shop"]
        (problem,) = find_services(text.encode(), PATH, name="cart").problems
        assert problem.place is not None
        assert (problem.code, problem.place.line) == ("not-a-plain-number", 37)

    def test_an_entry_that_cannot_be_read_leaves_its_neighbours(self) -> None:
        result = find_services((HEAD + SERVICE.replace("10", "1e1") + ROUTE).encode(), PATH)
        assert [manifest.id for manifest in result.manifests] == ["Route:eu/shop"]
        assert [(p.code, p.place and p.place.line) for p in result.problems] == [("not-a-plain-number", 22)]

    def test_it_is_judged(self) -> None:
        findings = check(LIST.replace("percent: 40", "percent: 30").encode(), PATH).findings
        refused = [finding for finding in findings if finding.problem.code == "split-invalid"]
        assert len(refused) == 1
        assert "sum to 90, want 100" in refused[0].problem.message


class TestEdit:
    """An edit touches the lines of its own entry's block."""

    @pytest.mark.parametrize(
        ("which", "targets", "old", "new"),
        [
            pytest.param(
                0,
                (Target("shop-v1", 75, "current", slot=0), Target("shop-v2", 25, "candidate", slot=1)),
                SERVICE,
                SERVICE.replace("90", "75").replace("10", "25"),
                id="two numbers",
            ),
            pytest.param(
                0,
                (Target("shop-v2", 100, "current", slot=0),),
                SERVICE[SERVICE.index("    - revisionName: shop-v1") :],
                "    - revisionName: shop-v2   # stable\n      percent: 100\n      tag: current\n\n    # tried\n",
                id="an entry goes, the comments stay",
            ),
            pytest.param(
                1,
                (
                    Target(percent=60, tag="current", slot=0, configuration="shop"),
                    Target("shop-v1", 35, slot=1),
                    Target("shop-v2", 5),
                ),
                "        percent: 40\n",
                "        percent: 35\n      - revisionName: shop-v2\n        percent: 5\n",
                id="a new entry at the end of the list",
            ),
            pytest.param(
                0,
                (),
                SERVICE[SERVICE.index("    traffic:") :],
                "",
                id="the block goes",
            ),
        ],
    )
    def test_block(self, which: int, targets: tuple[Target, ...], old: str, new: str) -> None:
        assert LIST.count(old) == 1
        after = edit_service(LIST.encode(), PATH, found(LIST)[which], targets=targets)
        assert after.decode() == LIST.replace(old, new)

    def test_name_and_block_where_the_item_has_none(self) -> None:
        bare = (
            "- kind: Service\n  apiVersion: serving.knative.dev/v1\n  metadata: {name: shop}\n"
            "  spec:\n    template:\n"
        )
        rest = "      spec: {containers: [{image: a}]}\n"
        text = HEAD + bare + rest + OTHER
        after = edit_service(
            text.encode(), PATH, found(text)[0], targets=(Target("shop-v1", 100),), template_name="shop-v1"
        )
        assert after.decode() == (
            HEAD
            + bare
            + "      metadata:\n        name: shop-v1\n"
            + rest
            + "    traffic:\n    - revisionName: shop-v1\n      percent: 100\n"
            + OTHER
        )

    def test_the_indentation_of_a_new_block_is_the_lists(self) -> None:
        text = HEAD + (
            "  - kind: Service\n    apiVersion: serving.knative.dev/v1\n    metadata: {name: shop}\n"
            "    spec:\n      template: {}\n"
        )
        after = edit_service(text.encode(), PATH, found(text)[0], targets=(Target("a", 1), Target("b", 99)))
        assert after.decode() == text + (
            "      traffic:\n        - revisionName: a\n          percent: 1\n"
            "        - revisionName: b\n          percent: 99\n"
        )

    @pytest.mark.parametrize("indent", [None, 1, 2, 4])
    def test_json(self, indent: int | None) -> None:
        def written(*shares: tuple[str, int]) -> str:
            traffic = [{"revisionName": name, "percent": share} for name, share in shares]
            other = {"apiVersion": "v1", "kind": "ConfigMap"}
            metadata = {"apiVersion": "serving.knative.dev/v1", "kind": "Route", "metadata": {"name": "shop"}}
            items: list[Any] = [other, {**metadata, "spec": {"traffic": traffic}}, other]
            return json.dumps({"kind": "List", "apiVersion": "v1", "items": items}, indent=indent) + "\n"

        text = written(("a", 90), ("b", 10))
        (manifest,) = found(text)
        assert manifest.item == 1
        a, b, c = Target("a", 50, slot=0), Target("b", 10, slot=1), Target("c", 40)
        for targets in ((a, b), (a, b, c), (a, c), (b,)):
            after = edit_service(text.encode(), PATH, manifest, targets=targets).decode()
            assert after == written(*((t.revision or "", t.percent or 0) for t in targets))
            back = edit_service(
                after.encode(), PATH, found(after)[0], targets=(Target("a", 1), Target("b", 9))
            )
            assert json.loads(back)["items"][1]["spec"]["traffic"][0] == {"revisionName": "a", "percent": 1}

    def test_an_entry_that_moved_is_found_again(self) -> None:
        route = found(LIST)[1]
        moved = HEAD + ROUTE + SERVICE
        after = edit_service(moved.encode(), PATH, route, targets=route.targets[:1])
        assert after.decode() == moved.replace("      - revisionName: shop-v1\n        percent: 40\n", "")


def with_service(old: str, new: str) -> str:
    assert SERVICE.count(old) == 1
    return LIST.replace(SERVICE, SERVICE.replace(old, new))


class TestRefused:
    """What stands in the way of an entry is refused with file, line and column."""

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            pytest.param(LIST.replace("items:", "items: &i"), ("alias-in-block", 3, 8), id="items anchored"),
            pytest.param(LIST.replace("items:", "items: !x"), ("tag-in-block", 3, 8), id="items tagged"),
            pytest.param("&l\n" + LIST, ("alias-in-block", 1, 1), id="list anchored"),
            pytest.param("--- !x\n" + LIST, ("tag-in-block", 1, 5), id="list tagged"),
            pytest.param(
                "x: &i\n" + LIST.removeprefix(HEAD) + HEAD.rstrip() + " *i\n",
                ("alias-in-block", 40, 8),
                id="items is an alias",
            ),
            pytest.param("<<: {x: 1}\n" + LIST, ("alias-in-block", 1, 1), id="merge key in the list"),
        ],
    )
    def test_around_all(self, text: str, wanted: tuple[str, int, int]) -> None:
        result = find_services(text.encode(), PATH)
        assert not result.manifests
        assert len(result.problems) == 2  # one for each entry of ours
        for problem in result.problems:
            assert problem.place is not None
            assert (problem.code, problem.place.line, problem.place.column) == wanted

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            pytest.param(
                with_service("- apiV", "- &e\n  apiV"), ("alias-in-block", 8, 3), id="anchored entry"
            ),
            pytest.param(with_service("- apiV", "- !x\n  apiV"), ("tag-in-block", 8, 3), id="tagged entry"),
            pytest.param(
                with_service("- apiV", "- <<: {}\n  apiV"), ("alias-in-block", 8, 3), id="merge key"
            ),
            pytest.param(
                with_service("  spec:\n    t", "  spec: &s\n    t"), ("alias-in-block", 12, 9), id="spec"
            ),
            pytest.param(with_service("90", "&n 90"), ("alias-in-block", 21, 16), id="anchor in the block"),
            pytest.param(with_service("90", "!!int 90"), ("tag-in-block", 21, 16), id="tag in the block"),
            pytest.param(with_service("90", "090"), ("not-a-plain-number", 21, 16), id="leading zero"),
            pytest.param(with_service("90", "${W}"), ("template-language", 21, 16), id="placeholder"),
            pytest.param(
                with_service("90", "90 # \u200b"), ("hidden-character-in-block", 21, 21), id="hidden"
            ),
            pytest.param(
                with_service("  spec:\n    template", "  spec:\n    runLatest: {}\n    template"),
                ("not-built-yet", 13, 5),
                id="a mode of v1alpha1",
            ),
        ],
    )
    def test_one_entry(self, text: str, wanted: tuple[str, int, int]) -> None:
        result = find_services(text.encode(), PATH)
        assert [manifest.kind for manifest in result.manifests] == ["Route"]
        (problem,) = result.problems
        assert problem.place is not None
        assert problem.place.path == PATH
        assert (problem.code, problem.place.line, problem.place.column) == wanted

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            pytest.param(with_service("90", "90\n      percent: 90"), ("duplicate-key", 22), id="key twice"),
            pytest.param(LIST + "items: []\n", ("duplicate-key", 40), id="items twice"),
            pytest.param(with_service("90", "{{ .w }}"), ("template-language", 21), id="template"),
            pytest.param(LIST.replace("items:", "items: []\nitems:"), ("duplicate-key", 4), id="items first"),
            pytest.param("kind: Service\n" + LIST, ("duplicate-key", 3), id="two kinds"),
            pytest.param(
                "apiVersion: serving.knative.dev/v1\nkind: Service\n" + LIST,
                ("duplicate-key", 3),
                id="a list and a service",
            ),
            pytest.param(LIST + "x: [\n", ("yaml-invalid", 40), id="no YAML"),
            pytest.param(with_service("90", "*n"), ("yaml-invalid", 21), id="unknown alias"),
        ],
    )
    def test_the_document(self, text: str, wanted: tuple[str, int]) -> None:
        result = find_services(text.encode(), PATH)
        assert not result.manifests
        assert [(p.code, p.place and p.place.line) for p in result.problems] == [wanted]

    def test_an_entry_that_is_an_alias(self) -> None:
        text = "x-note: &one {apiVersion: serving.knative.dev/v1, kind: Route}\n" + HEAD + "- *one\n"
        result = find_services(text.encode(), PATH)
        assert not result.manifests
        assert [(p.code, p.place and p.place.line) for p in result.problems] == [("alias-in-block", 5)]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(HEAD + SERVICE + OTHER + SERVICE, id="two entries"),
            pytest.param(HEAD + SERVICE + "---\n" + HEAD + SERVICE, id="two lists"),
            pytest.param(
                HEAD + SERVICE + "---\n" + re.sub("(?m)^(- |  )", "", SERVICE), id="an entry and a document"
            ),
        ],
    )
    def test_two_of_one_name(self, text: str) -> None:
        first, second = found(text)
        assert first.id == second.id
        for manifest in (first, second):
            with pytest.raises(Declined) as error:
                edit_service(text.encode(), PATH, manifest, targets=PAIR)
            (problem,) = error.value.problems
            assert problem.code == "ambiguous-document"
            assert problem.place is not None
            assert problem.place.line == second.line
            assert f"lines {first.line}, {second.line}" in problem.message

    def test_aliases_that_stand_for_too_much_in_all(self) -> None:
        """Each entry alone is small enough to be read."""
        entry = "- {apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}, spec: {template: *t}}\n"
        text = f"x: &t {[1] * 2000}\n{HEAD}" + entry * 60
        result = find_services(text.encode(), PATH)
        assert not result.manifests
        assert [problem.message for problem in result.problems] == ["The aliases stand for too many values."]

    def test_an_anchor_of_another_entry_stays_in_use(self) -> None:
        text = LIST.replace("image: a", "image: &image a") + "- {apiVersion: v1, kind: Pod, x: *image}\n"
        route = found(text)[1]
        after = edit_service(text.encode(), PATH, route, targets=route.targets[:1])
        assert after.decode() == text.replace("      - revisionName: shop-v1\n        percent: 40\n", "")
