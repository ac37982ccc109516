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


class TestTree:
    def test_what_git_ignores_and_hides(self, canary: Prompt, working: Working) -> None:
        for path in ("in.yaml", "out/x.yaml", ".hid/x.yaml"):
            working.put(path, SHORT)
        working.put(".gitignore", "out/\n")
        (working.folder / "link.yaml").symlink_to("in.yaml")

        found = canary("check", ".", "--format", "json", folder=working.folder).json["findings"]
        named = canary("check", "out/x.yaml", folder=working.folder)

        assert {f["path"] for f in found if f["level"] == "error"} == {"in.yaml"}
        assert named.status == 1

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
