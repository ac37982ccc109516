"""Legacy Services rewritten for v1: what the server's conversion gives, with every comment and every other byte."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bot.core.problems import Declined
from bot.manifests.diff import changed_lines
from bot.manifests.knative import find_services
from bot.manifests.legacy_migrate import Migrated, migrate
from tests.manifests.legacy_oracle import assert_migrated, is_legacy, load, loaded, schema_errors
from tests.manifests.oracle import documents
from tests.shared import shared

HERE = Path(__file__).parent
HEAD = "apiVersion: serving.knative.dev/v1alpha1\nkind: Service\nmetadata:\n  name: shop\nspec:\n"
BODY = "    configuration:\n      revisionTemplate:\n        spec:\n          container:\n            image: i:1\n"
RUN = f"{HEAD}  runLatest:\n{BODY}"
RELEASE = f"{HEAD}  release:\n    revisions: [shop-1, shop-2]\n    rolloutPercent: 5\n{BODY}"
PINNED = f"{HEAD}  pinned:\n    revisionName: shop-1\n{BODY}"
TEMPLATE = "  template:\n    spec:\n      containers:\n      - image: i:1\n"
NEW = HEAD.replace("v1alpha1", "v1")
LATEST = "  traffic:\n  - latestRevision: true\n    percent: 100\n"
LATEST_IN = LATEST.replace("  - l", "    - l").replace("    percent", "      percent")
COMMENTED = """\
# file
apiVersion: "serving.knative.dev/v1alpha1"   # group
kind: Service
metadata:
    name: shop # mine
spec:
    generation: 2 # counted
    # what serves
    release:  # by hand
        # who gets what
        revisions:   # two of them
          - shop-1 # stable
          - "@latest"  # next

        # how much
        rolloutPercent: 20  # more tomorrow
        configuration:
            # what runs
            revisionTemplate:  # one revision
                metadata:
                    name: shop-2
                # below is the pod
                spec:
                    # one at a time
                    concurrencyModel: Single # slow
                    container:
                        # the image
                        image: i:1  # bumped
                        args:
                          - "#1"
                        # the container's end
                    # the pod's end
        # the release's end
    # the spec's end
# the file's end
"""
COMMENTED_AFTER = """\
# file
apiVersion: "serving.knative.dev/v1"   # group
kind: Service
metadata:
    name: shop # mine
spec:
    # counted
    # what serves
    # what runs
    # by hand
    template:  # one revision
        metadata:
            name: shop-2
        # below is the pod
        spec:
            # one at a time
            containerConcurrency: 1 # slow
            containers:
              # the image
              - image: i:1  # bumped
                args:
                  - "#1"
                # the container's end
            # the pod's end
    # the release's end
    # who gets what

    # how much
    traffic:   # two of them
      - tag: current
        revisionName: shop-1 # stable
        percent: 80
      - tag: candidate
        latestRevision: true  # next
        percent: 20  # more tomorrow
      - tag: latest
        latestRevision: true
    # the spec's end
# the file's end
"""
SCALARS = """\
            env:
            - name: LITERAL
              value: |
                one
                  two

                # three
            - name: INDICATED
              value: |2-
                  deep
                 less
            - {name: FOLDED, value: "a
                b"}
            - name: KEPT
              value: >+
                folded
                  more


            - name: PLAIN
              value: one
                two
"""


def text(content: str | bytes, **options: str) -> str:
    whole = content if isinstance(content, bytes) else content.encode()
    return migrate(whole, "shop.yaml", **options).content.decode()


class TestResult:
    """The modes become ``template`` and ``traffic`` with Knative's own tags."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param(RUN, NEW + TEMPLATE + LATEST, id="runLatest follows the newest revision"),
            pytest.param(
                PINNED,
                f"{NEW}{TEMPLATE}  traffic:\n  - revisionName: shop-1\n    percent: 100\n",
                id="pinned has no tag",
            ),
            pytest.param(
                RELEASE,
                f"{NEW}{TEMPLATE}  traffic:\n  - tag: current\n    revisionName: shop-1\n    percent: 95\n"
                "  - tag: candidate\n    revisionName: shop-2\n    percent: 5\n"
                "  - tag: latest\n    latestRevision: true\n",
                id="release is current, candidate and latest",
            ),
            pytest.param(
                RUN.replace("revisionTemplate", "template").replace(
                    "container:\n            image", "containers:\n          - image"
                ),
                NEW + TEMPLATE + LATEST,
                id="template and containers are there",
            ),
            pytest.param(
                COMMENTED, COMMENTED_AFTER, id="comments stand on or above what replaces their lines"
            ),
            pytest.param(
                RUN.replace("            image", "              image"),
                f"{NEW}{TEMPLATE.replace('      - image', '        - image')}{LATEST_IN}",
                id="a container indented by four stays in its columns",
            ),
            pytest.param(
                RUN.replace("            image", "           image"),
                NEW + TEMPLATE + LATEST,
                id="a container indented by one moves right",
            ),
            pytest.param(
                RUN.replace("container:\n            image: i:1\n", "container: {image: i:1}  # small\n"),
                f"{NEW}  template:\n    spec:\n      containers: [{{image: i:1}}]  # small\n{LATEST}",
                id="container in flow style",
            ),
            pytest.param(
                f"{HEAD}  runLatest: {{configuration: {{revisionTemplate: {{spec: {{container: {{image: i}}}}}}}}}}\n",
                f"{NEW}  template: {{spec: {{containers: [{{image: i}}]}}}}\n{LATEST}",
                id="mode in flow style",
            ),
            pytest.param(
                f"{HEAD}  runLatest:\n    configuration: "
                "{generation: 1, template: {spec: {containers: [{image: i}]}}}\n",
                f"{NEW}  template: {{spec: {{containers: [{{image: i}}]}}}}\n{LATEST}",
                id="configuration in flow style",
            ),
            pytest.param(
                f"{HEAD}  runLatest:\n    configuration:\n"
                "      revisionTemplate: {spec: {container: {image: i}}}\n",
                f"{NEW}  template: {{spec: {{containers: [{{image: i}}]}}}}\n{LATEST}",
                id="template in flow style",
            ),
            pytest.param(
                '{"apiVersion": "serving.knative.dev/v1alpha1", "kind": "Service", "metadata": {"name": "shop"},\n'
                ' "spec": {\n  "release": {\n   "revisions": ["a"],\n   "configuration": {"revisionTemplate": {\n'
                '     "spec": {"container": {"image": "i"}}}}}}}\n',
                '{"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "shop"},\n'
                ' "spec": {\n  "template": {\n    "spec": {"containers": [{"image": "i"}]}},\n'
                '  "traffic": [{"tag": "current", "revisionName": "a", "percent": 100}, '
                '{"tag": "latest", "latestRevision": true}]}}\n',
                id="JSON",
            ),
        ],
    )
    def test_text(self, before: str, after: str) -> None:
        assert text(before) == after
        assert_migrated(before.encode(), after.encode())

    @pytest.mark.parametrize("mode", [RUN, RELEASE, PINNED])
    def test_scalars_keep_their_values(self, mode: str) -> None:
        before = (mode + SCALARS).encode()
        after = migrate(before, "shop.yaml").content
        assert_migrated(before, after)
        env = load(after.decode())["spec"]["template"]["spec"]["containers"][0]["env"]
        assert [one["value"] for one in env] == [
            "one\n  two\n\n# three\n",
            "  deep\n less",
            "a b",
            "folded\n  more\n\n\n",
            "one two",
        ]

    @pytest.mark.parametrize("mode", [RUN, RELEASE, PINNED])
    @pytest.mark.parametrize("header", ["|", ">", "|-", "|+", "|2", ">2+"])
    def test_block_scalar_at_the_end_of_a_file_without_a_line_break(self, mode: str, header: str) -> None:
        before = f"{mode}            name: {header}\n              last".encode()
        after = migrate(before, "shop.yaml").content
        assert_migrated(before, after)
        assert after.endswith(b"\n          last")

    @pytest.mark.parametrize(
        "ending", ["               ", "               \n", "     \n\n", "\n               \n\n# end\n"]
    )
    @pytest.mark.parametrize("header", ["|", "|-", ">", "|2", ">-"])
    def test_spaces_at_the_end_of_a_block_scalar(self, header: str, ending: str) -> None:
        before = f"{RUN}            name: {header}\n              last\n{ending}".encode()
        assert_migrated(before, migrate(before, "shop.yaml").content)

    def test_comments_at_the_end_stay_where_they_belong(self) -> None:
        before = RUN + "            # env:\n            # - name: A\n  # behind\n"
        assert text(before) == (f"{NEW}{TEMPLATE}        # env:\n        # - name: A\n{LATEST}  # behind\n")

    def test_several_services_all_or_one(self) -> None:
        second = RELEASE.replace("name: shop", "name: cart")
        both = f"{RUN}---\n# {{ .x }}\na: 1\n---\n{second}"
        result = migrate(both.encode(), "shop.yaml")
        assert result.services == ("/shop", "/cart")
        assert assert_migrated(both.encode(), result.content) == 2
        one = migrate(both.encode(), "shop.yaml", service="cart")
        assert one.services == ("/cart",)
        assert one.content.decode() == f"{RUN}---\n# {{ .x }}\na: 1\n---\n{text(second)}"

    def test_notes_name_the_lines_of_the_file_as_it_was(self) -> None:
        dropped = RUN.replace("        spec:\n", "        spec:\n          servingState: Active\n")
        both = dropped + "---\n" + dropped.replace("name: shop", "name: cart")
        notes = migrate(both.encode(), "shop.yaml").notes
        lines = both.splitlines()
        assert len(notes) == 2
        assert all("servingState" in lines[(note.place.line or 0) - 1] for note in notes)

    def test_twice_changes_nothing(self) -> None:
        after = migrate(RELEASE.encode(), "shop.yaml").content
        assert migrate(after, "shop.yaml") == Migrated(after, (), ())

    def test_only_the_lines_of_the_service_change(self) -> None:
        assert changed_lines(RUN.encode(), text(RUN).encode()) == 8


class TestConcurrency:
    """``concurrencyModel: Single`` meant one request at a time; v1 has no other field for it."""

    @pytest.mark.parametrize(
        ("fields", "after"),
        [
            ("concurrencyModel: Single", "containerConcurrency: 1"),
            ("concurrencyModel: Single\n          containerConcurrency: 0", "containerConcurrency: 1"),
            (
                "containerConcurrency: 0 # c\n          concurrencyModel: Single",
                "containerConcurrency: 1 # c",
            ),
            ("concurrencyModel: Single\n          containerConcurrency:", "containerConcurrency: 1"),
            ("concurrencyModel: Single\n          containerConcurrency: 4", "containerConcurrency: 4"),
            ("containerConcurrency: 0\n          concurrencyModel: Multi", "containerConcurrency: 0"),
        ],
    )
    def test_block(self, fields: str, after: str) -> None:
        before = RUN.replace("        spec:\n", f"        spec:\n          {fields}\n")
        result = migrate(before.encode(), "shop.yaml")
        assert (
            result.content.decode() == NEW + TEMPLATE.replace("spec:\n", f"spec:\n      {after}\n") + LATEST
        )
        assert len(result.notes) == 1

    @pytest.mark.parametrize(
        ("fields", "after"),
        [
            ("concurrencyModel: Single, ", "containerConcurrency: 1, "),
            ("concurrencyModel: Single, containerConcurrency: 0, ", "containerConcurrency: 1, "),
            ("generation: 1, servingState: Active, ", ""),
        ],
    )
    def test_flow(self, fields: str, after: str) -> None:
        flow = f"{{revisionTemplate: {{spec: {{{fields}container: {{image: i}}}}}}}}"
        result = text(f"{HEAD}  runLatest: {{configuration: {flow}}}\n")
        assert result == f"{NEW}  template: {{spec: {{{after}containers: [{{image: i}}]}}}}\n{LATEST}"


class TestInline:
    """``template`` with ``traffic`` needs another version, and ``tag`` where it had ``name``."""

    INLINE = (
        f"{HEAD}{TEMPLATE}  traffic:\n  - name: current  # was\n    revisionName: shop-1\n    percent: 100\n"
    )

    def test_name_becomes_tag(self) -> None:
        assert text(self.INLINE) == self.INLINE.replace("v1alpha1", "v1").replace(
            "name: current", "tag: current"
        )

    @pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
    @pytest.mark.parametrize("kind", ["Service", "Route"])
    def test_version(self, version: str, kind: str) -> None:
        before = (HERE / "comments-between" / "before.yaml").read_text("utf-8")
        before = before.replace("kind: Service", f"kind: {kind}")
        old = before.replace("serving.knative.dev/v1\n", f"serving.knative.dev/{version}\n")
        assert old != before
        if kind == "Route":
            lines = old.split("\n")
            first = lines.index("  template:")
            last = next(n for n in range(first + 1, len(lines)) if lines[n].startswith("  traffic"))
            gone = "\n".join(lines[first:last]) + "\n"
            old, before = old.replace(gone, ""), before.replace(gone, "")
        assert text(old) == before

    @pytest.mark.parametrize(
        ("old", "new", "line"),
        [
            ("name: current", "tag: x\n    name: current", 12),
            ("  template:", "  revisionTemplate:", 6),
            ("containers:\n      - image", "container:\n        image", 8),
            ("percent: 100", "percent: 90", 6),
        ],
    )
    def test_refused(self, old: str, new: str, line: int) -> None:
        with pytest.raises(Declined) as declined:
            text(self.INLINE.replace(old, new))
        places = [p.place for p in declined.value.problems]
        assert all(place is not None and place.line for place in places)
        assert [place.line for place in places if place] == [line] or "percent" in new


REFUSALS = [
    pytest.param(RUN.replace("  runLatest:", "  manual:"), "split-invalid", 6, id="manual"),
    pytest.param(
        RUN.replace("      revision", "      build: {}\n      revision"), "split-invalid", 8, id="build"
    ),
    pytest.param(RELEASE.replace("nt: 5", "nt: 100"), "split-invalid", 8, id="the server refuses the input"),
    pytest.param(
        PINNED.replace("shop-1", "'@latest'"), "split-invalid", 6, id="the server refuses the result"
    ),
    pytest.param(RUN.replace("name: shop\n", "name: '{{ .n }}'\n"), "template-language", 3, id="template"),
    pytest.param(RUN.replace("runLatest:", "runLatest: &a"), "alias-in-block", 6, id="anchor on the mode"),
    pytest.param(
        RUN.replace("container:", "container: &a"), "alias-in-block", 10, id="anchor on the container"
    ),
    pytest.param(
        RUN.replace("container:", "container: !!map"), "tag-in-block", 10, id="tag on the container"
    ),
    pytest.param(
        RUN.replace("      revision", "      x: 1\n      revision"), "traffic-block-unusual", 8, id="unknown"
    ),
    pytest.param(f"{RUN}\n  status: {{}}\n", "traffic-block-unusual", 13, id="unknown in spec"),
    pytest.param("a: 1\n", "no-service", None, id="nothing there"),
]


@pytest.mark.parametrize(("before", "code", "line"), REFUSALS)
def test_refused(before: str, code: str, line: int | None) -> None:
    with pytest.raises(Declined) as declined:
        text(before)
    (problem,) = declined.value.problems
    assert problem.code == code
    assert problem.place is not None
    assert problem.place.line == line
    assert problem.remedy or code not in {"split-invalid", "traffic-block-unusual", "no-service"}


def test_a_service_that_is_not_there() -> None:
    with pytest.raises(Declined, match="unknown-service") as declined:
        text(RUN, service="cart")
    assert declined.value.problems[0].remedy == "It holds `shop`."
    with pytest.raises(Declined, match="unknown-service"):
        text(NEW + TEMPLATE, service="cart")


def test_nothing_of_a_file_of_which_a_part_is_refused() -> None:
    both = f"{RUN}---\n{RELEASE.replace('Percent: 5', 'Percent: 500')}"
    with pytest.raises(Declined, match="split-invalid"):
        text(both)


# real files ------------------------------------------------------------------------------


def test_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    """Every legacy file is migrated, or refused with a line."""
    counts: Counter[str] = Counter()
    for path in sorted(p for p in shared("corpus").rglob("*") if p.is_file() and p.suffix != ".tsv"):
        content = path.read_bytes()
        if b"serving.knative.dev/v1alpha1" not in content and b"serving.knative.dev/v1beta1" not in content:
            continue
        try:
            result = migrate(content, path.name)
        except Declined as declined:
            counts.update(f"refused: {problem.code}" for problem in declined.problems[:1])
            counts["without a line"] += not all(p.place and p.place.line for p in declined.problems)
            continue
        counts["files"] += bool(result.services)
        counts["services"] += len(result.services)
        modes = [data for _, old in documents(content) if is_legacy(data := loaded(old))]
        if modes:
            counts["with a mode"] += assert_migrated(content, result.content)
        for (_, old), (_, new) in zip(documents(content), documents(result.content), strict=True):
            if old == new:
                continue
            before, after = load(old), load(new)
            errors = schema_errors(after)
            counts["of the schema"] += not errors
            # What the schema does not know in the others was in them before.
            assert not errors or not is_legacy(before), errors
        again = find_services(result.content, path.name)
        assert not again.problems or find_services(content, path.name).problems
    with capsys.disabled():
        print(f"\nmigration of the corpus: {dict(counts)}")  # noqa: T201 - the figures
    assert not counts["without a line"]
    assert counts["with a mode"] >= 54
    assert counts["services"] >= 107
