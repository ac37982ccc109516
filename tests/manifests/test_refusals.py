"""What is not edited, and what the refusal says: code, line and column."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bot.core.problems import CODES, Declined, Place
from bot.core.traffic import Target
from bot.manifests.knative import edit_service, find_services
from bot.manifests.source import LARGEST_DOCUMENT, LARGEST_FILE, LARGEST_READING

PATH = "apps/customer.yaml"
HEAD = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: customer
spec:
  template:
    metadata:
      name: customer-v3
    spec: {}
"""  # nine lines
TWO = (Target(revision="a", percent=40), Target(revision="b", percent=60))


def problem(content: str | bytes) -> tuple[str, int | None, int | None]:
    raw = content if isinstance(content, bytes) else content.encode()
    found = find_services(raw, PATH)
    assert not found.manifests
    assert len(found.problems) == 1, found.problems
    return seen(found.problems[0].code, found.problems[0].place)


def seen(code: str, place: Place | None) -> tuple[str, int | None, int | None]:
    assert place is not None
    assert place.path == PATH
    assert code in CODES
    return code, place.line, place.column


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        pytest.param("  - percent: 010\n", ("not-a-plain-number", 11, 14), id="leading zero"),
        pytest.param("  - percent: 9e1\n", ("not-a-plain-number", 11, 14), id="exponent"),
        pytest.param("  - percent: '90'\n", ("not-a-plain-number", 11, 14), id="single quotes"),
        pytest.param('  - percent: "90"\n', ("not-a-plain-number", 11, 14), id="double quotes"),
        pytest.param("  - percent: 90.0\n", ("not-a-plain-number", 11, 14), id="fraction"),
        pytest.param("  - percent: +90\n", ("not-a-plain-number", 11, 14), id="plus sign"),
        pytest.param("  - percent: -1\n", ("not-a-plain-number", 11, 14), id="negative"),
        pytest.param("  - percent: 1_0\n", ("not-a-plain-number", 11, 14), id="underscore"),
        pytest.param("  - percent: 1:30\n", ("not-a-plain-number", 11, 14), id="sexagesimal"),
        pytest.param("  - percent: 0x10\n", ("not-a-plain-number", 11, 14), id="hexadecimal"),
        pytest.param("  - percent: ２５\n", ("not-a-plain-number", 11, 14), id="full-width digits"),
        pytest.param("  - percent: OLD_PERCENT\n", ("not-a-plain-number", 11, 14), id="placeholder word"),
        pytest.param("  - percent: 90%\n", ("not-a-plain-number", 11, 14), id="percent sign"),
        pytest.param("  - percent: 9999999999999\n", ("not-a-plain-number", 11, 14), id="far too large"),
        pytest.param("  - percent: |\n      90\n", ("not-a-plain-number", 11, 14), id="block scalar"),
        pytest.param("  - percent: [90]\n", ("traffic-block-unusual", 11, 14), id="list as percent"),
        pytest.param("  - percent: ${WEIGHT}\n", ("template-language", 11, 14), id="envsubst"),
        pytest.param(
            "  - percent: {{ .Values.w }}\n", ("template-language", 11, 14), id="Helm, composes as mapping"
        ),
        pytest.param('  - tag: "{{ .tag }}"\n', ("template-language", 11, 10), id="Helm in quotes"),
        pytest.param("  - {{- toYaml .x | nindent 4 }}\n", ("template-language", 11, 5), id="Helm, no YAML"),
        pytest.param("  - percent: &w 90\n", ("alias-in-block", 11, 14), id="anchored percent"),
        pytest.param("  - &e {percent: 90}\n", ("alias-in-block", 11, 5), id="anchored entry"),
        pytest.param("  - &e\n    percent: 90\n  - *e\n", ("alias-in-block", 11, 5), id="entry used again"),
        pytest.param("  - percent: !!int 90\n", ("tag-in-block", 11, 14), id="tag"),
        pytest.param("  - !x {percent: 90}\n", ("tag-in-block", 11, 5), id="tag on an entry"),
        pytest.param("  - <<: {percent: 90}\n", ("alias-in-block", 11, 5), id="merge key"),
        pytest.param("  - percent: 1\n    percent: 2\n", ("duplicate-key", 12, 5), id="percent twice"),
        pytest.param(
            '  - percent: 1\n    "percent": 2\n', ("duplicate-key", 12, 5), id="percent twice, quoted"
        ),
        pytest.param("  - tag: yes\n", ("ambiguous-scalar", 11, 10), id="tag yes"),
        pytest.param("  - tag: on\n", ("ambiguous-scalar", 11, 10), id="tag on"),
        pytest.param("  - tag: y\n", ("ambiguous-scalar", 11, 10), id="tag y"),
        pytest.param("  - tag: 12:30\n", ("ambiguous-scalar", 11, 10), id="tag that is a time"),
        pytest.param("  - tag: 2024-01-01\n", ("ambiguous-scalar", 11, 10), id="tag that is a date"),
        pytest.param("  - tag: 1e3\n", ("ambiguous-scalar", 11, 10), id="tag that is a float in 1.2"),
        pytest.param("  - revisionName: 7\n", ("ambiguous-scalar", 11, 19), id="revision that is a number"),
        pytest.param("  - latestRevision: yes\n", ("ambiguous-scalar", 11, 21), id="latestRevision yes"),
        pytest.param(
            "  - latestRevision: 'true'\n", ("split-invalid", 11, 21), id="latestRevision in quotes"
        ),
        pytest.param("  - latestRevision: maybe\n", ("split-invalid", 11, 21), id="latestRevision maybe"),
        pytest.param("  - configurationName: c\n", ("split-invalid", 11, 5), id="configurationName"),
        pytest.param(
            "  - percent: 9 # \u200b\n",
            ("hidden-character-in-block", 11, 18),
            id="zero width space in a comment",
        ),
        pytest.param("  - tag: \u202ea\n", ("hidden-character-in-block", 11, 10), id="direction override"),
        pytest.param("  - tag: a\u00a0\n", ("hidden-character-in-block", 11, 11), id="no-break space"),
        pytest.param("  - percent: 9 # \u2028\n", ("yaml-invalid", 11, 18), id="line separator of YAML 1.1"),
        pytest.param(
            "  - percent: 9\n\ufeff    tag: a\n", ("yaml-invalid", 12, 1), id="byte-order mark inside"
        ),
        pytest.param("  - percent: 9 # \x85\n", ("yaml-invalid", 11, 18), id="NEL"),
        pytest.param("  - percent: 9 # \x07\n", ("yaml-invalid", 11, 18), id="control character"),
        pytest.param("  - percent: 9\x0c\n", ("yaml-invalid", 11, 15), id="form feed"),
        pytest.param("\t# comment\n  - percent: 9\n", ("yaml-invalid", 11, 1), id="tab before a comment"),
        pytest.param("  -\ttag: a\n", ("yaml-invalid", 11, 4), id="tab behind a dash"),
        pytest.param("  - just text\n", ("traffic-block-unusual", 11, 5), id="text as entry"),
        pytest.param("  -\n  - percent: 9\n", ("traffic-block-unusual", 11, 4), id="null as entry"),
        pytest.param("  - percent: 9\n - percent: 1\n", ("yaml-invalid", 12, 2), id="broken indentation"),
    ],
)
def test_in_the_block(block: str, wanted: tuple[str, int, int]) -> None:
    assert problem(HEAD + "  traffic:\n" + block) == wanted


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        pytest.param(
            HEAD + "  traffic: {percent: 90}\n", ("traffic-block-unusual", 10, 3), id="traffic is a mapping"
        ),
        pytest.param(HEAD + "  traffic: all\n", ("traffic-block-unusual", 10, 3), id="traffic is text"),
        pytest.param(HEAD + "  traffic: &t []\n", ("alias-in-block", 10, 12), id="anchor on the list"),
        pytest.param(HEAD + "  traffic: !!seq []\n", ("tag-in-block", 10, 12), id="tag on the list"),
        pytest.param(
            HEAD + "x: &t []\n" + "y:\n  traffic: *t\nspec: {}\n", ("duplicate-key", 13, 1), id="spec twice"
        ),
        pytest.param(HEAD + "  template: {}\n", ("duplicate-key", 10, 3), id="template twice"),
        pytest.param(HEAD + "  <<: {}\n", ("alias-in-block", 10, 3), id="merge key in spec"),
        pytest.param(
            HEAD.replace("spec: {}", "spec: {a: 1, a: 2}"),
            ("duplicate-key", 9, 18),
            id="key twice in the template",
        ),
        pytest.param(HEAD.replace("spec:\n", "spec: &s\n", 1), ("alias-in-block", 5, 7), id="anchor on spec"),
        pytest.param(HEAD.replace("spec:\n", "spec: !!map\n", 1), ("tag-in-block", 5, 7), id="tag on spec"),
        pytest.param(
            HEAD.split("spec:", maxsplit=1)[0] + "x: &s {}\nspec: *s\n",
            ("alias-in-block", 6, 7),
            id="spec is an alias",
        ),
        pytest.param(HEAD.replace("  name: customer\n", "", 1), ("split-invalid", 3, 1), id="no name"),
        pytest.param(
            HEAD.replace("name: customer\n", "name: ${NAME}\n", 1),
            ("template-language", 3, 1),
            id="name from outside",
        ),
        pytest.param(
            HEAD.replace("name: customer-v3", "name: 7"), ("ambiguous-scalar", 6, 3), id="revision name 7"
        ),
        pytest.param(HEAD.split("spec:", maxsplit=1)[0], ("traffic-block-unusual", 1, 1), id="no spec"),
        pytest.param(
            HEAD.split("spec:", maxsplit=1)[0] + "spec: []\n",
            ("traffic-block-unusual", 5, 1),
            id="spec is a list",
        ),
        pytest.param(HEAD + "? [a]\n: b\n", ("yaml-invalid", 10, 3), id="key is a list"),
        pytest.param(HEAD + "a: *nothing\n", ("yaml-invalid", 10, 4), id="undefined alias"),
        pytest.param(HEAD + "a: &a [*a]\nmetadata: *a\n", ("duplicate-key", 11, 1), id="metadata twice"),
        pytest.param(HEAD + "a: " + "[" * 101 + "]" * 101 + "\n", ("yaml-invalid", 10, 103), id="too deep"),
        pytest.param(HEAD + "a: " + "[" * 20_000 + "\n", ("yaml-invalid", 10, 103), id="20,000 brackets"),
        pytest.param(
            HEAD.replace("/v1\n", "/v1alpha1\n") + "  runLatest: {}\n",
            ("not-built-yet", 10, 3),
            id="runLatest",
        ),
        pytest.param(
            HEAD.replace("/v1\n", "/v1alpha1\n") + "  release: {}\n", ("not-built-yet", 10, 3), id="release"
        ),
        pytest.param(
            HEAD.replace("/v1\n", "/v1alpha1\n") + "  pinned: {}\n", ("not-built-yet", 10, 3), id="pinned"
        ),
        pytest.param(b"\xff\xfe" + HEAD.encode("utf-16-le"), ("not-utf-8", 1, None), id="UTF-16"),
        pytest.param(HEAD.encode() + b"# caf\xe9\n", ("not-utf-8", 10, None), id="Latin-1"),
        pytest.param(
            HEAD.encode() + b"#" * LARGEST_FILE,
            ("file-too-large", None, None),
            id="more than the largest file",
        ),
        pytest.param(
            "a: 1\n---\n" + HEAD + "#" * LARGEST_DOCUMENT,
            ("file-too-large", 2, None),
            id="the largest document",
        ),
    ],
)
def test_around_the_block(content: str | bytes, wanted: tuple[str, int | None, int | None]) -> None:
    assert problem(content) == wanted


class TestStreams:
    """Of a large file only so much is read, and only what may hold the service."""

    STREAM = "---\n".join(
        HEAD.replace("name: customer\n", f"name: shop-{n:03d}\n") + "#" * 50_000 + "\n"
        for n in range(LARGEST_READING // 50_000)
    ).encode()

    def test_by_name(self) -> None:
        found = find_services(self.STREAM, PATH, name="shop-007")
        assert [m.name for m in found.manifests] == ["shop-007"]
        assert not found.problems
        after = edit_service(
            self.STREAM, PATH, found.manifests[0], targets=(Target(revision="a", percent=100),)
        )
        assert after.count(b"traffic:") == self.STREAM.count(b"traffic:") + 1

    def test_all_of_it(self) -> None:
        found = find_services(self.STREAM, PATH)
        assert not found.manifests
        assert [problem.code for problem in found.problems] == ["file-too-large"]


def test_all_entries_report_together() -> None:
    found = find_services((HEAD + "  traffic:\n  - percent: 010\n  - tag: on\n").encode(), PATH)

    assert [(p.code, p.place and p.place.line) for p in found.problems] == [
        ("not-a-plain-number", 11),
        ("ambiguous-scalar", 12),
    ]


def test_problem_shows_its_line_with_a_caret() -> None:
    (shown,) = find_services((HEAD + "  traffic:\n  - percent: 010   # x\n").encode(), PATH).problems

    assert shown.source == "  - percent: 010   # x"
    assert shown.caret == (13, 3)


def test_caret_stays_inside_a_very_long_line() -> None:
    content = (
        HEAD + "  traffic: [{tag: " + "a" * 5000 + ", percent: 010, revisionName: " + "b" * 5000 + "}]\n"
    )
    (shown,) = find_services(content.encode(), PATH).problems

    assert shown.source is not None
    assert shown.caret is not None
    start, length = shown.caret
    assert shown.source[start : start + length] == "010"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            "kind: Configuration\napiVersion: serving.knative.dev/v1\n# Route\nx: [\n",
            id="invalid Configuration",
        ),
        pytest.param("# serving.knative.dev Service\n{{ if x }}\n", id="template of something else"),
        pytest.param("a: \x07 Service serving.knative.dev/v1\n", id="control character"),
        pytest.param("kind: VirtualService\nx: serving.knative.dev/v1\ny: [\n", id="another kind of Service"),
        pytest.param("a: {{ x }}\nkind: Service\napiVersion: v1 # serving.knative.dev\n", id="core Service"),
    ],
)
def test_other_documents_are_not_our_business(other: str) -> None:
    found = find_services((other + "---\n" + HEAD).encode(), PATH)

    assert [m.name for m in found.manifests] == ["customer"]
    assert not found.problems


@dataclass
class Case:
    content: str
    code: str
    line: int | None
    targets: tuple[Target, ...] | None = None
    name: str | None = None


BLOCK = "  traffic:\n  - revisionName: a\n    percent: 100\n"


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            Case(
                (HEAD + BLOCK).replace("\n", "\r"),
                "line-ends-unusual",
                12,
                (Target(percent=100, slot=0), *TWO),
            ),
            id="lone CR, a line to add",
        ),
        pytest.param(
            Case(HEAD + BLOCK + "---\n" + HEAD, "ambiguous-document", 14, TWO),
            id="two documents for one service",
        ),
        pytest.param(
            Case(
                HEAD.replace("metadata:\n      name: customer-v3", "metadata: &m\n      name: x"),
                "alias-in-block",
                7,
                name="y",
            ),
            id="anchor on the template's metadata",
        ),
        pytest.param(
            Case(HEAD.replace("name: customer-v3", "name: &n x"), "alias-in-block", 8, name="y"),
            id="anchor on the name",
        ),
        pytest.param(
            Case(HEAD.replace("name: customer-v3", "name: !!str x"), "tag-in-block", 8, name="y"),
            id="tag on the name",
        ),
        pytest.param(
            Case(
                HEAD.replace("metadata:\n  name: customer", "metadata:\n  name: &n customer").replace(
                    "name: customer-v3", "name: *n"
                ),
                "alias-in-block",
                8,
                name="y",
            ),
            id="the name is an alias",
        ),
        pytest.param(
            Case(HEAD.replace("name: customer-v3", "<<: {name: x}"), "alias-in-block", 8, name="y"),
            id="the name comes by merge key",
        ),
        pytest.param(
            Case(
                HEAD.replace("name: customer-v3", "name: >-\n        x"), "traffic-block-unusual", 8, name="y"
            ),
            id="the name is a block scalar",
        ),
        pytest.param(
            Case(
                HEAD.replace("name: customer-v3", "name: x # \u200b"),
                "hidden-character-in-block",
                8,
                name="y",
            ),
            id="invisible character beside the name",
        ),
        pytest.param(
            Case("\n".join(HEAD.split("\n")[:5]) + "\n" + BLOCK, "traffic-block-unusual", 5, name="y"),
            id="no template",
        ),
        pytest.param(
            Case(
                HEAD + "  traffic: [{percent: 1}, # one\n    {percent: 2}]\n",
                "traffic-block-unusual",
                10,
                (Target(percent=2, slot=1),),
            ),
            id="a comment between flow entries would go",
        ),
        pytest.param(
            Case(
                HEAD + BLOCK + "  - percent: 0\n",
                "traffic-block-unusual",
                10,
                (Target(percent=0, slot=1), Target(revision="a", percent=100, slot=0)),
            ),
            id="entries change places",
        ),
        pytest.param(
            Case(
                HEAD + "  traffic:\n  - revisionName: a\n    # why\n    percent: 1\n",
                "traffic-block-unusual",
                12,
                (Target(percent=1, slot=0),),
            ),
            id="a comment between two fields would go",
        ),
        pytest.param(
            Case(
                HEAD + "  traffic:\n  - ? percent\n    : 1\n",
                "traffic-block-unusual",
                11,
                (Target(percent=2, slot=0),),
            ),
            id="explicit key",
        ),
        pytest.param(
            Case(HEAD + "  traffic: [ # none\n  ]\n", "traffic-block-unusual", 10, TWO),
            id="comment in the empty list",
        ),
    ],
)
def test_edit(case: Case) -> None:
    content = case.content.encode()
    manifest = find_services(content, PATH).manifests[0]

    with pytest.raises(Declined) as caught:
        edit_service(content, PATH, manifest, targets=case.targets, template_name=case.name)

    (shown,) = caught.value.problems
    assert seen(shown.code, shown.place)[:2] == (case.code, case.line)


def test_file_that_moved_is_not_edited() -> None:
    before, after = (HEAD + BLOCK).encode(), (HEAD + BLOCK.replace("100", "99")).encode()
    (manifest,) = find_services(before, PATH).manifests

    with pytest.raises(Declined, match="head-moved"):
        edit_service(after, PATH, manifest, targets=TWO)
    with pytest.raises(Declined, match="head-moved"):
        edit_service(b"{}", PATH, manifest, targets=TWO)


def test_unreadable_file_says_why_instead() -> None:
    (manifest,) = find_services((HEAD + BLOCK).encode(), PATH).manifests

    with pytest.raises(Declined, match="not-a-plain-number"):
        edit_service((HEAD + BLOCK.replace("100", "0100")).encode(), PATH, manifest, targets=TWO)


def test_setting_works_with_lone_cr() -> None:
    content = (HEAD + BLOCK).replace("\n", "\r").encode()
    (manifest,) = find_services(content, PATH).manifests

    after = edit_service(content, PATH, manifest, targets=(Target(revision="a", percent=7, slot=0),))

    assert after == content.replace(b"100", b"7")


def test_unknown_slot_is_our_mistake() -> None:
    (manifest,) = find_services((HEAD + BLOCK).encode(), PATH).manifests

    with pytest.raises(ValueError, match="1"):
        edit_service((HEAD + BLOCK).encode(), PATH, manifest, targets=(Target(percent=1, slot=1),))
