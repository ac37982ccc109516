"""``canary rules``: check, explain, simulate and schema, offline on a working tree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.entry.working import ROOT, process

if TYPE_CHECKING:
    from tests.entry.conftest import Prompt
    from tests.entry.working import Working

BROKEN = Path(__file__).parents[1] / "core" / "broken_rules"
CONFIG = """\
version: 1
timezone: Europe/Berlin
freezes:
  - {name: weekends, deny: "FREQ=WEEKLY;BYDAY=SA,SU", for: 24h}
services:
  checkout: {rules: cautious, four-eyes: true}
  mine: {rules: deploy/rules/mine.yaml}
"""
MINE = "id: mine\nsummary: s\nwhy: w\nsteps: [{weight: 10, bake: 1h}, {weight: 100}]\n"
ORGANISATION = "version: 1\nfour-eyes: true\nlabels: [canary]\nlocked: [four-eyes]\n"


@pytest.fixture
def shop(working: Working) -> Working:
    working.put(".github/canary.yaml", CONFIG)
    working.put("deploy/rules/mine.yaml", MINE)
    return working


class TestCheck:
    """Exit status 1 with all problems, in text or JSON."""

    def test_no_problems(self, canary: Prompt, shop: Working) -> None:
        ran = canary("rules", "check", folder=shop.folder)
        assert (ran.status, ran.out) == (0, "")
        assert ran.err.endswith("No problems.\n")

    def test_from_a_folder_of_the_tree(self, canary: Prompt, shop: Working) -> None:
        (shop.folder / "deep").mkdir()
        shop.put(".github/canary.yaml", "version: 1\nrule: fast\n")
        ran = canary("rules", "check", folder=shop.folder / "deep")
        assert ran.out == (
            ".github/canary.yaml:2:1: config-invalid: Unknown key `rule`.\n    Did you mean `rules`?\n"
        )
        assert (ran.status, ran.err) == (1, "1 problem.\n")

    def test_without_a_configuration_there_is_nothing_wrong(self, canary: Prompt, working: Working) -> None:
        ran = canary("rules", "check", folder=working.folder)
        assert (ran.status, ran.out) == (0, "")
        assert ran.err.startswith("There is no .github/canary.yaml: everything has its default.")

    @pytest.mark.parametrize("name", ["choices", "freezes-without-a-window", "wrong-kinds", "not-yaml"])
    def test_all_problems_at_once(self, name: str, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "canary.yaml").write_bytes((BROKEN / f"{name}.yaml").read_bytes())
        ran = canary("rules", "check", "canary.yaml", folder=tmp_path)
        said = (BROKEN / f"{name}.txt").read_text("utf-8")
        told = ran.out.replace("canary.yaml:", "", ran.out.count("\ncanary.yaml:") + 1)
        assert ran.status == 1
        assert told.replace(": config-invalid: ", " ") == said

    def test_as_json(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "canary.yaml").write_text("version: 1\nrules: fats\n")
        ran = canary("rules", "check", "canary.yaml", "--format", "json", folder=tmp_path)
        assert ran.status == 1
        assert ran.json == [
            {
                "path": "canary.yaml",
                "line": 2,
                "column": 1,
                "code": "config-invalid",
                "message": "There is no rule set `fats`.",
                "remedy": "Did you mean `fast`?",
            }
        ]

    def test_json_without_problems(self, canary: Prompt, shop: Working) -> None:
        assert canary("rules", "check", "--format", "json", folder=shop.folder).json == []

    def test_a_rule_set_by_its_path(self, canary: Prompt, shop: Working) -> None:
        assert canary("rules", "check", "deploy/rules/mine.yaml", folder=shop.folder).status == 0
        shop.put("deploy/rules/mine.yaml", MINE.replace("weight: 10,", "wait: 10,"))
        ran = canary("rules", "check", "deploy/rules/mine.yaml", folder=shop.folder)
        assert ran.status == 1
        assert "deploy/rules/mine.yaml:4:" in ran.out

    def test_problems_of_a_rule_set_that_is_named(self, canary: Prompt, shop: Working) -> None:
        shop.put("deploy/rules/mine.yaml", MINE.replace("bake: 1h", "bake: 1"))
        ran = canary("rules", "check", folder=shop.folder)
        assert ran.status == 1
        assert ran.out.startswith("deploy/rules/mine.yaml:4:22: config-invalid: `bake` must be a duration")

    def test_a_rule_set_behind_a_link_is_not_read(
        self, canary: Prompt, shop: Working, tmp_path: Path
    ) -> None:
        (tmp_path / "secret.yaml").write_text(MINE)
        (shop.folder / "deploy/rules/mine.yaml").unlink()
        (shop.folder / "deploy/rules/mine.yaml").symlink_to(tmp_path / "secret.yaml")
        ran = canary("rules", "check", folder=shop.folder)
        assert ran.status == 1
        assert "There is no file `deploy/rules/mine.yaml`." in ran.out

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            pytest.param(
                b"version: 1\nrules: \xff\n", "x.yaml:2: config-invalid: The file is not UTF-8.", id="bytes"
            ),
            pytest.param(b"a" * 70_000, "larger than 64 KiB", id="large"),
        ],
    )
    def test_what_cannot_be_read(self, content: bytes, said: str, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_bytes(content)
        ran = canary("rules", "check", "x.yaml", folder=tmp_path)
        assert ran.status == 1
        assert said in ran.out

    def test_no_such_file(self, canary: Prompt, tmp_path: Path) -> None:
        ran = canary("rules", "check", "none.yaml", folder=tmp_path)
        assert ran.status == 1
        assert "file-missing: There is no file `none.yaml`." in ran.out

    def test_no_such_format(self, canary: Prompt, tmp_path: Path) -> None:
        assert canary("rules", "check", "--format", "xml", folder=tmp_path).status == 2


class TestOrganisation:
    """The organisation's file, whose locked keys cannot be loosened."""

    def test_it_holds_for_what_the_repository_does_not_say(self, canary: Prompt, shop: Working) -> None:
        shop.put("org.yaml", ORGANISATION)
        ran = canary("rules", "explain", "mine", "--organisation", "org.yaml", folder=shop.folder)
        lines = {line.split("  ")[0]: line for line in ran.out.splitlines()}
        assert lines["four-eyes"].endswith("org.yaml:2")
        assert lines["labels"].split() == ["labels", "canary", "org.yaml:3"]

    def test_a_repository_that_loosens(self, canary: Prompt, shop: Working) -> None:
        shop.put("org.yaml", ORGANISATION)
        shop.put(".github/canary.yaml", CONFIG.replace("four-eyes: true", "four-eyes: false"))
        ran = canary("rules", "check", "--organisation", "org.yaml", folder=shop.folder)
        assert ran.status == 1
        assert ran.out.startswith(
            ".github/canary.yaml:6:31: config-invalid: The organisation locked `four-eyes`"
        )

    def test_problems_of_both_files(self, canary: Prompt, shop: Working) -> None:
        shop.put("org.yaml", "version: 1\nservices: {}\n")
        shop.put(".github/canary.yaml", "version: 2\n")
        ran = canary("rules", "check", "--organisation", "org.yaml", folder=shop.folder)
        assert [line.split(" ")[0] for line in ran.out.splitlines()[::2]] == [
            "org.yaml:2:1:",
            ".github/canary.yaml:1:1:",
        ]


class TestExplain:
    """Each rule with value and origin."""

    def test_a_service(self, canary: Prompt, shop: Working) -> None:
        ran = canary("rules", "explain", "checkout", folder=shop.folder)
        assert (ran.status, ran.err) == (0, "")
        first, *_ = ran.out.splitlines()
        assert first.split() == ["rules", "cautious", ".github/canary.yaml:6"]
        assert "steps" in ran.out
        assert "rules/cautious.yaml:" in ran.out

    def test_a_misspelt_service(self, canary: Prompt, shop: Working) -> None:
        ran = canary("rules", "explain", "chekout", folder=shop.folder)
        assert ran.status == 0
        assert ran.err == "Nothing is said of chekout; the rules of all hold. Did you mean checkout?\n"

    def test_as_json(self, canary: Prompt, shop: Working) -> None:
        said = canary("rules", "explain", "mine", "--format", "json", folder=shop.folder).json
        assert said[0] == {
            "rule": "rules",
            "value": "deploy/rules/mine.yaml",
            "origin": ".github/canary.yaml:7",
        }

    def test_a_broken_configuration(self, canary: Prompt, shop: Working) -> None:
        shop.put(".github/canary.yaml", "rules: fast\n")
        ran = canary("rules", "explain", folder=shop.folder)
        assert (ran.status, ran.out) == (1, "")
        assert "`version` is missing" in ran.err


class TestSimulate:
    """The calendar of a rollout, times in the zone."""

    def test_over_a_weekend_of_47_hours(self, canary: Prompt, shop: Working) -> None:
        ran = canary("rules", "simulate", "checkout", "--from", "2026-03-27T22:45", folder=shop.folder)
        assert ran.status == 0
        assert ran.out.splitlines() == [
            "checkout under cautious; times in Europe/Berlin.",
            "share  earliest                    waits for",
            "5 %    Fri 2026-03-27 22:45 +0100  a person",
            "25 %   Fri 2026-03-27 23:15 +0100  30 min bake, error-rate, a person",
            "50 %   Fri 2026-03-27 23:45 +0100  30 min bake, error-rate, a person",
            "100 %  Mon 2026-03-30 00:00 +0200  1 h bake, error-rate, approval, "
            "freeze weekends from Sat 2026-03-28 00:45 +0100, a person",
        ]

    def test_the_one_of_the_documents(self, canary: Prompt, working: Working) -> None:
        text = (ROOT / "docs" / "rules.md").read_text("utf-8")
        config, shown = (re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("yaml", "text"))
        assert config is not None
        assert shown is not None
        working.put(".github/canary.yaml", config[1])
        assert "canary rules simulate checkout --from 2026-03-27T22:45\n" in text
        words = ("rules", "simulate", "checkout", "--from", "2026-03-27T22:45")
        assert canary(*words, folder=working.folder).out == shown[1]

    def test_own_steps_and_a_freeze_that_is_lifted(self, canary: Prompt, shop: Working) -> None:
        words = ("--from", "2026-03-28T10:00Z", "--step", "40", "--step", "100", "--lift", "weekends")
        said = canary("rules", "simulate", "mine", *words, "--format", "json", folder=shop.folder).json
        assert said["rules"] == "mine"
        assert [(step["weight"], step["at"]) for step in said["steps"]] == [
            (40, "2026-03-28T11:00:00+01:00"),
            (100, "2026-03-28T12:00:00+01:00"),
        ]

    def test_from_now_without_a_configuration(self, canary: Prompt, working: Working) -> None:
        ran = canary("rules", "simulate", folder=working.folder)
        assert ran.status == 0
        assert len(ran.out.splitlines()) == 6

    def test_a_rollout_that_never_ends(self, canary: Prompt, shop: Working) -> None:
        once = (
            'version: 1\nfreezes: [{name: once, allow: "FREQ=DAILY;COUNT=1", from: 2026-03-05, for: 20m}]\n'
        )
        shop.put(".github/canary.yaml", once)
        ran = canary("rules", "simulate", "--from", "2026-03-05T00:10", folder=shop.folder)
        assert ran.status == 1
        assert ran.out.splitlines()[-1].split()[:4] == ["25", "%", "not", "in"]

    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(("--from", "tomorrow"), id="no time"),
            pytest.param(("--from", "9999-12-31T23:59"), id="a time too late"),
            pytest.param(("--from", "0001-01-01T00:00"), id="a time too early"),
            pytest.param(("--step", "50"), id="steps that do not end at 100"),
            pytest.param(("--step", "50", "--step", "25", "--step", "100"), id="steps that do not rise"),
            pytest.param(("--step", "x"), id="no step"),
            pytest.param(("--lift", "nights"), id="no such freeze"),
        ],
    )
    def test_used_wrongly(self, words: tuple[str, ...], canary: Prompt, shop: Working) -> None:
        ran = canary("rules", "simulate", "checkout", *words, folder=shop.folder)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err


class TestSetsAndSchema:
    """The rule sets by name, and the schemas for editors."""

    def test_the_list(self, canary: Prompt, tmp_path: Path) -> None:
        ran = canary("rules", folder=tmp_path)
        assert ran.status == 0
        assert [line.split()[0] for line in ran.out.splitlines()] == [
            "standard",
            "blue-green",
            "cautious",
            "fast",
            "manual",
        ]

    def test_the_list_as_json(self, canary: Prompt, tmp_path: Path) -> None:
        said = canary("rules", "--format", "json", folder=tmp_path).json
        assert said[0]["id"] == "standard"
        assert set(said[0]) == {"id", "summary", "why"}

    @pytest.mark.parametrize(("which", "title"), [("config", ".github/canary.yaml"), ("rules", "a rule set")])
    def test_a_schema(self, which: str, title: str, canary: Prompt, tmp_path: Path) -> None:
        ran = canary("rules", "schema", which, folder=tmp_path)
        assert title in json.loads(ran.out)["title"]

    def test_no_such_schema(self, canary: Prompt, tmp_path: Path) -> None:
        assert canary("rules", "schema", "yaml", folder=tmp_path).status == 2

    def test_in_a_process_of_its_own(self, shop: Working) -> None:
        done = process(shop.folder, "rules", "check")
        assert (done.returncode, done.stdout) == (0, "")
