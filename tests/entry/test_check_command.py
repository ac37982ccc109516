"""``canary check``: every manifest with traffic in a tree is judged, whatever the tree holds."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING

import jsonschema_rs
import pytest

from bot.core.problems import CODES
from bot.entry.check_command import check_all, check_one
from bot.entry.checking.walk import Named, files
from tests.contract.packages import needed, npm_file
from tests.entry.working import CUSTOMER
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.conftest import Prompt
    from tests.entry.working import Working

SHORT = CUSTOMER.replace("percent: 100", "percent: 95")
SARIF = ("@microsoft/jest-sarif", "1.0.0-beta.0")


class TestFindings:
    @pytest.mark.parametrize(
        ("text", "code", "at"),
        [
            pytest.param(SHORT, "split-invalid", (15, 3), id="sum"),
            pytest.param(
                CUSTOMER.replace("percent: 0", "percent: -5"), "not-a-plain-number", (21, 14), id="percent"
            ),
            pytest.param(
                CUSTOMER.replace("tag: latest", "tag: current"), "split-invalid", (16, 10), id="tag twice"
            ),
            pytest.param(
                CUSTOMER.replace("tag: latest", "tag: L"), "split-invalid", (19, 10), id="tag's form"
            ),
            pytest.param(
                CUSTOMER.replace("tag: latest", f"tag: {'a' * 60}"), "name-too-long", (19, 10), id="host name"
            ),
        ],
    )
    def test_place(self, text: str, code: str, at: tuple[int, int], canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(text)

        ran = canary("check", ".", "--format", "json", folder=tmp_path)

        errors = [f for f in ran.json["findings"] if f["level"] == "error"]
        assert ran.status == 1
        assert (errors[0]["path"], errors[0]["code"]) == ("a.yaml", code)
        assert (errors[0]["line"], errors[0]["column"]) == at
        assert errors[0]["remedy"]

    def test_a_revision_elsewhere_does_not_fail(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(
            CUSTOMER.replace("revisionName: customer-v3", "revisionName: customer-v2")
        )

        ran = canary("check", "a.yaml", folder=tmp_path)

        assert ran.status == 0
        assert ran.out.startswith("a.yaml:17:19: note: ")

    def test_valid(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(CUSTOMER)

        ran = canary("check", ".", folder=tmp_path)

        assert (ran.status, ran.out) == (0, "")
        assert ran.err == "Found nothing wrong: 1 object with traffic in 1 file.\n"

    def test_annotation_is_escaped(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "a,b\n::error::x.yaml").write_text(SHORT)

        ran = canary("check", ".", "--format", "github", folder=tmp_path)

        assert ran.out.startswith("::error file=a%2Cb")
        assert ran.out.count("\n") == 1

    def test_sarif_is_valid(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "a b.yaml").write_text(SHORT)
        schema = needed(lambda: npm_file(SARIF, "lib/schemas/sarif-2.1.0-rtm.5.json"))

        log = canary("check", ".", "--format", "sarif", folder=tmp_path).json

        rules = json.loads(schema)
        # The schema's own expression for a language has a bracket that was never opened.
        for name in ("run", "toolComponent"):
            del rules["definitions"][name]["properties"]["language"]["pattern"]
        jsonschema_rs.validator_for(rules).validate(log)
        place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "a%20b.yaml", "uriBaseId": "SRCROOT"}
        assert [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]] == ["split-invalid"]


class TestAround:
    """What is not in the traffic block, and decides what becomes of it."""

    @pytest.mark.parametrize(
        ("line", "code", "level"),
        [
            pytest.param(
                "  annotations: {run.googleapis.com/ingress: all}",
                "cloud-run-refuses",
                "error",
                id="Cloud Run",
            ),
            pytest.param(
                "  labels: {deploy.cloud.google.com/release-id: r}",
                "foreign-controller",
                "warning",
                id="an owner",
            ),
            pytest.param(
                "  annotations: {serving.knative.dev/rollout-duration: 600s}",
                "rollout-duration",
                "warning",
                id="a duration",
            ),
        ],
    )
    def test_metadata(self, line: str, code: str, level: str, canary: Prompt, tmp_path: Path) -> None:
        content = CUSTOMER.replace("  namespace: shop", f"  namespace: a_b\n{line}")
        (tmp_path / "a.yaml").write_text(content)
        ran = canary("check", ".", "--format", "json", folder=tmp_path)
        assert (code, level) in {(f["code"], f["level"]) for f in ran.json["findings"]}
        assert (ran.status == 1) is (level == "error")

    def test_a_program_s_file_is_judged_and_told(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text("# Code generated by x. DO NOT EDIT.\n" + SHORT)
        ran = canary("check", ".", "--format", "json", folder=tmp_path)
        found = {(f["code"], f["level"]) for f in ran.json["findings"]}
        assert found >= {("generated-file", "warning"), ("split-invalid", "error")}

    def test_the_field_of_an_item_of_a_list(self, canary: Prompt, tmp_path: Path) -> None:
        whole = "".join(f"  {line}\n" for line in CUSTOMER.replace("tag: latest", "tag: L").splitlines())
        (tmp_path / "a.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n- {whole[2:]}")
        ran = canary("check", ".", "--format", "json", folder=tmp_path)
        errors = [(f["line"], f["column"]) for f in ran.json["findings"] if f["level"] == "error"]
        assert errors == [(22, 12)]


class TestTree:
    def test_what_git_ignores_and_hides(self, canary: Prompt, working: Working) -> None:
        for path in ("in.yaml", "out/x.yaml", ".hid/x.yaml"):
            working.put(path, SHORT)
        working.put(".gitignore", "out/\n")
        (working.folder / "link.yaml").symlink_to("in.yaml")

        found = canary("check", ".", "--format", "json", folder=working.folder).json["findings"]
        named = canary("check", "out/x.yaml", folder=working.folder)
        folder = canary("check", "out", folder=working.folder)

        assert {f["path"] for f in found if f["level"] == "error"} == {"in.yaml"}
        assert (named.status, folder.status) == (1, 1)
        assert "out/x.yaml:" in folder.out

    def test_no_such_path(self, canary: Prompt, tmp_path: Path) -> None:
        assert canary("check", "gone", folder=tmp_path).status == 2
        assert canary("check", ".", "--format", "xml", folder=tmp_path).status == 2

    def test_links_in_a_circle_and_pipes(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "b").symlink_to(tmp_path)
        (tmp_path / "c.yaml").symlink_to("c.yaml")
        os.mkfifo(tmp_path / "p.yaml")

        assert canary("check", ".", folder=tmp_path).status == 0
        assert "path-refused" in canary("check", "p.yaml", folder=tmp_path).out
        assert "path-refused" in canary("check", "c.yaml", folder=tmp_path).out

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            pytest.param(CUSTOMER.encode() + b"#\xff", "not-utf-8", id="not UTF-8"),
            pytest.param(CUSTOMER.encode() + b"x: " + b"[" * 100_000, "yaml-invalid", id="deep"),
            pytest.param(CUSTOMER.encode() + b"#" * 8_000_000, "file-too-large", id="huge"),
        ],
    )
    def test_hostile(self, content: bytes, code: str, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_bytes(content)

        ran = canary("check", ".", folder=tmp_path)

        assert ran.status == 1
        assert code in ran.out

    def test_several_processes_say_the_same(self, tmp_path: Path) -> None:
        for i in range(450):
            (tmp_path / f"{i}.json").write_text(
                '{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"A"},"spec":{}}'
            )
        named = files([str(tmp_path)])

        assert list(check_all(named, processes=2)) == [check_one(one) for one in named]


def test_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    codes: Counter[str] = Counter()
    places = sorted(shared("corpus").glob("*/*"))
    for place in places:
        codes.update(f.problem.code for f in check_one(Named(str(place), asked=True)).findings)
    with capsys.disabled():
        print("\ncheck of the corpus:", len(places), "files,", dict(codes))  # noqa: T201
    assert set(codes) <= set(CODES)
    assert codes["yaml-invalid"] >= 2


LEGACY = """\
apiVersion: serving.knative.dev/v1alpha1
kind: Service
metadata: {name: shop}
spec:
  release:
    revisions: [shop-1, shop-2]
    rolloutPercent: 10
    configuration:
      revisionTemplate:
        spec:
          container:
            image: i
"""


class TestLegacy:
    """Modes of v1alpha1 are judged in their own server's words, and are no longer served."""

    @pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
    def test_valid(self, version: str, canary: Prompt, tmp_path: Path) -> None:
        text = LEGACY if version == "v1alpha1" else CUSTOMER.replace("/v1\n", f"/{version}\n")
        (tmp_path / "a.yaml").write_text(text)

        ran = canary("check", "a.yaml", "--format", "json", folder=tmp_path)

        (finding,) = [f for f in ran.json["findings"] if f["code"] != "revision-elsewhere"]
        assert ran.status == 0
        assert (finding["level"], finding["code"]) == ("note", "unsupported-api")
        assert finding["message"] == f"Knative Serving has not served {version} since v0.19."
        assert "canary migrate" in finding["remedy"]
        assert "serving.knative.dev" in text.splitlines()[finding["line"] - 1]
        assert finding["column"] == 13

    @pytest.mark.parametrize(
        ("old", "new", "words", "at"),
        [
            pytest.param(
                "nt: 10",
                "nt: 100",
                "expected 0 <= 100 <= 99: spec.release.rolloutPercent",
                (7, 21),
                id="percent beyond 99",
            ),
            pytest.param(
                "shop-1, shop-2",
                "shop-1",
                "may not set rolloutPercent for a single revision: spec.release.rolloutPercent",
                (7, 21),
                id="percent of one revision",
            ),
            pytest.param(
                "shop-1, ",
                "shop-1, shop-3, ",
                "expected 1 <= 3 <= 2: spec.release.revisions",
                (6, 5),
                id="three revisions",
            ),
            pytest.param(
                "shop-2",
                "Shop_2",
                "invalid value: not a DNS 1035 label",
                (6, 25),
                id="revision's form",
            ),
            pytest.param(
                "  release:",
                "  runLatest: {}\n  release:",
                "expected exactly one, got both: spec.release, spec.runLatest",
                (6, 3),
                id="two modes",
            ),
            pytest.param(
                "  release:", "  manual:", "must not set the field(s): spec.manual", (5, 3), id="manual"
            ),
            pytest.param(
                "            image: i",
                "            env: []",
                "missing field(s): spec.release.configuration.revisionTemplate.spec.container.image",
                (11, 11),
                id="no image",
            ),
        ],
    )
    def test_refused(
        self, *, old: str, new: str, words: str, at: tuple[int, int], canary: Prompt, tmp_path: Path
    ) -> None:
        (tmp_path / "a.yaml").write_text(LEGACY.replace(old, new, 1))

        ran = canary("check", "a.yaml", "--format", "json", folder=tmp_path)

        (error,) = [f for f in ran.json["findings"] if f["level"] == "error"]
        assert ran.status == 1
        assert words in error["message"]
        assert (error["line"], error["column"], error["code"]) == (*at, "split-invalid")
        assert error["remedy"]

    def test_what_stands_in_traffic_is_judged_by_both_servers(self, canary: Prompt, tmp_path: Path) -> None:
        inline = SHORT.replace("/v1\n", "/v1alpha1\n").replace(
            "      containers:\n        - image", "      container:\n          image"
        )
        (tmp_path / "a.yaml").write_text(inline)

        ran = canary("check", "a.yaml", "--format", "json", folder=tmp_path)

        errors = [(f["line"], f["message"]) for f in ran.json["findings"] if f["level"] == "error"]
        assert [line for line, _ in errors] == [12, 15]
        assert "must not set the field(s): spec.template.spec.container" in errors[0][1]
        assert "sum to 95" in errors[1][1]

    def test_a_host_name_that_is_too_long(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(LEGACY.replace("name: shop}", f"name: {'a' * 60}}}"))

        ran = canary("check", "a.yaml", "--format", "json", folder=tmp_path)

        errors = [(f["line"], f["column"], f["code"]) for f in ran.json["findings"] if f["level"] == "error"]
        assert errors == [(3, 18, "name-too-long")] * 3

    def test_no_document_that_was_read_is_called_not_built_yet(self, canary: Prompt, tmp_path: Path) -> None:
        documents = [
            LEGACY,
            CUSTOMER,
            LEGACY.replace("nt: 10", "nt: '10'"),
            LEGACY.replace("name: shop", "name: cart"),
        ]
        (tmp_path / "a.yaml").write_text("---\n".join(documents))

        ran = canary("check", "a.yaml", "--format", "json", folder=tmp_path)

        codes = Counter(f["code"] for f in ran.json["findings"] if f["code"] != "revision-elsewhere")
        assert codes == {"unsupported-api": 2, "not-a-plain-number": 1}

    def test_corpus(self) -> None:
        corpus = shared("corpus")
        codes = Counter(
            (finding.problem.code, finding.level.value)
            for checked in check_all(files([str(corpus / "knative-legacy")]))
            for finding in checked.findings
        )

        assert codes["unsupported-api", "note"] >= 44
        assert not [code for code in codes if "not-built-yet" in code]
        assert not [code for code in codes if "error" in code]
