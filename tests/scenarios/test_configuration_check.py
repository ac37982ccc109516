"""``canary / plan`` on pull requests that change the rules: all problems at once, or what changes for whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.test_rules_hostile import HOSTILE
from tests.scenarios.moves import run_of
from tests.scenarios.stage import PATH, VERSION_4
from tests.scenarios.test_configuration import CAREFUL, CONFIG, RULES, configure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.sandbox.model import CheckRun
    from tests.scenarios.stage import Stage

BROKEN = Path(__file__).parents[1] / "core" / "broken_rules"
PLAN = "canary / plan"
LAUGHS = next(case for case in HOSTILE if case.id == "a billion laughs")


def propose(
    stage: Stage, files: Mapping[str, str | bytes | None], *, name: str = "rules", base: str = "main"
) -> int:
    """Open a pull request with these files and wait for its check."""
    content = {path: said.encode() if isinstance(said, str) else said for path, said in files.items()}
    stage.branch(name, content)
    pull = stage.run.world.open_pull(stage.repo, name, base, "Change the rules", by="mona")
    stage.settle()
    return pull.number


def plan(stage: Stage, number: int) -> CheckRun:
    return run_of(stage, number, PLAN)


def remarks(run: CheckRun) -> list[dict[str, Any]]:
    return list(run.output["annotations"])


class TestProblems:
    """All of them in one check, each with line, column and remedy."""

    @pytest.mark.parametrize(
        "name", ["misspelt-keys", "recurrences", "stopping-needs-more", "two-documents", "paths-of-rule-sets"]
    )
    def test_a_broken_file(self, stage: Stage, name: str) -> None:
        text = (BROKEN / f"{name}.yaml").read_text("utf-8")
        expected = (BROKEN / f"{name}.txt").read_text("utf-8").splitlines()
        run = plan(stage, propose(stage, {CONFIG: text}))
        assert run.conclusion == "failure"
        found = {f"{one['start_line']}:{one['start_column']}": one for one in remarks(run)}
        places = [line.partition(" ")[0] for line in expected[::2]]
        planned = [one for one in remarks(run) if "cannot follow it" in one["message"]]
        if not planned:
            assert sorted(found) == sorted(set(places))
            for said, remedy in zip(expected[::2], expected[1::2], strict=True):
                place, _, message = said.partition(" ")
                assert f"`{CONFIG}:{place}`" in run.output["summary"]
                assert message in run.output["summary"]
                assert remedy.strip() in run.output["summary"]
        assert all(one["path"] == CONFIG and one["annotation_level"] == "failure" for one in remarks(run))

    def test_a_hostile_file(self, stage: Stage) -> None:
        run = plan(stage, propose(stage, {CONFIG: str(LAUGHS.values[0])}))
        assert run.conclusion == "failure"

    def test_what_is_no_text(self, stage: Stage) -> None:
        run = plan(stage, propose(stage, {CONFIG: b"version: 1\nrules: \xff\n"}))
        (one,) = remarks(run)
        assert (one["start_line"], one["message"]) == (2, f"{CONFIG} is not UTF-8. Save it as UTF-8.")

    def test_a_rule_set_that_it_names(self, stage: Stage) -> None:
        configure(stage, f"version: 1\nrules: {CAREFUL}\n", careful=RULES % "10m")
        run = plan(stage, propose(stage, {CAREFUL: RULES % "10 parrots"}))
        assert run.conclusion == "failure"
        (one,) = remarks(run)
        assert (one["path"], one["start_line"], one["title"]) == (CAREFUL, 5, "config-invalid")

    def test_a_rule_set_that_is_taken_away(self, stage: Stage) -> None:
        configure(stage, f"version: 1\nrules: {CAREFUL}\n", careful=RULES % "10m")
        run = plan(stage, propose(stage, {CAREFUL: None}))
        assert [(one["path"], one["message"].partition(".")[0]) for one in remarks(run)] == [
            (CONFIG, f"There is no file {CAREFUL.partition('.')[0]}")
        ]

    def test_with_a_service(self, stage: Stage) -> None:
        number = propose(stage, {CONFIG: "version: 2\n", PATH: VERSION_4})
        assert stage.check(number, PLAN) == ("failure", "1 problem")
        assert stage.say(number, "/canary 25").code == "applied"
        assert stage.check(number, PLAN) == ("failure", "1 problem")
        assert "The rules" in plan(stage, number).output["summary"]


class TestEffect:
    """What changes for whom, and that nothing does before the merge."""

    def test_it_is_told_in_words(self, stage: Stage) -> None:
        configure(stage, "version: 1\nrules: standard\n")
        text = (
            "version: 1\nrules: fast\nservices:\n  customer: {rules: standard}\n"
            'freezes:\n- {name: weekends, deny: "FREQ=WEEKLY;BYDAY=SA,SU", for: 24h}\n'
        )
        number = propose(stage, {CONFIG: text})
        assert stage.check(number, PLAN) == ("success", "The rules are valid")
        said = plan(stage, number).output["summary"]
        assert "- All other services follow `fast` instead of `standard`, which is looser: " in said
        assert "- A new freeze `weekends` for every service: `frozen " in said
        assert "`customer` follow" not in said
        assert (
            "Rules are read from `main` only: before the merge this has no effect. Rollouts that run keep"
            in said
        )

    def test_and_has_no_effect_before(self, stage: Stage) -> None:
        propose(stage, {CONFIG: "version: 1\nrules: fast\n"})
        assert "after 30 min of bake time" in stage.say(stage.feature(), "/canary 25").text

    def test_nothing_that_counts(self, stage: Stage) -> None:
        configure(stage, "version: 1\nrules: standard\n")
        run = plan(stage, propose(stage, {CONFIG: "# Ours\nversion: 1\n"}))
        assert "Nothing changes for anybody." in run.output["summary"]

    def test_one_that_is_taken_away(self, stage: Stage) -> None:
        configure(stage, "version: 1\nrules: fast\n")
        run = plan(stage, propose(stage, {CONFIG: None}))
        assert "Every service follows `standard` instead of `fast`." in run.output["summary"]

    def test_one_that_mends_what_is_broken(self, stage: Stage) -> None:
        configure(stage, "version: 1\nrules: faster\n")
        run = plan(stage, propose(stage, {CONFIG: "version: 1\nrules: fast\n"}))
        assert run.conclusion == "success"
        assert "The rules on `main` have problems, so that nothing is promoted" in run.output["summary"]

    def test_a_rule_set_that_it_names(self, stage: Stage) -> None:
        configure(stage, f"version: 1\nrules: {CAREFUL}\n", careful=RULES % "10m")
        run = plan(stage, propose(stage, {CAREFUL: RULES % "5m"}))
        assert run.conclusion == "success"
        assert "it bakes shorter at 25 %" in run.output["summary"]

    def test_a_rule_set_that_nobody_names(self, stage: Stage) -> None:
        configure(stage, "version: 1\n")
        assert stage.check(propose(stage, {CAREFUL: "id: 7\nsteps: no\n"}), PLAN)[0] == "neutral"

    def test_another_branch(self, stage: Stage) -> None:
        stage.run.world.create_branch(stage.repo, "release")
        run = plan(stage, propose(stage, {CONFIG: "version: 1\nrules: fast\n"}, base="release"))
        assert "`release` is another branch: it has no effect there." in run.output["summary"]
