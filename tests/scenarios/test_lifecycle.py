"""Rows of the event tables that no other file of scenarios is about: see ``docs/lifecycle.md``."""

from __future__ import annotations

import pytest

from tests.scenarios.moves import begin, run_of
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4, Stage

PLAN = "canary / plan"
SECOND = VERSION_4.replace(b"name: customer\n", b"name: billing\n").replace(b"customer-v4", b"billing-v4")
SECOND = SECOND.replace(b"customer-v3", b"billing-v3")


def floating(content: bytes) -> bytes:
    return content.replace(
        b"revisionName: customer-v3\n    percent: 75", b"latestRevision: true\n    percent: 75"
    )


class TestTakenAway:
    """A pull request that deletes an object during its rollout: ``canary / plan`` fails in words."""

    @pytest.fixture
    def rolling(self, stage: Stage) -> Stage:
        begin(stage)
        return stage

    def remove(self, stage: Stage, content: bytes | None, more: dict[str, bytes | None] | None = None) -> int:
        stage.branch("gone", {PATH: content, **(more or {})})
        number = stage.run.world.open_pull(stage.repo, "gone", "main", "Gone", by="mona").number
        stage.settle()
        return number

    def summary(self, stage: Stage, number: int) -> str:
        return str(run_of(stage, number, PLAN).output["summary"])

    def test_the_whole_file(self, rolling: Stage) -> None:
        number = self.remove(rolling, None)
        assert rolling.check(number, PLAN)[0] == "failure"
        assert "A rollout of `customer` is at 25 %, and this pull request deletes it" in self.summary(
            rolling, number
        )

    def test_one_document(self, rolling: Stage) -> None:
        number = self.remove(rolling, b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
        assert rolling.check(number, PLAN)[0] == "failure"

    def test_not_into_another_file(self, rolling: Stage) -> None:
        number = self.remove(rolling, None, {"shop/customer.yaml": rolling.read()})
        assert "service-removed" not in self.summary(rolling, number)

    def test_not_without_a_rollout(self, stage: Stage) -> None:
        number = self.remove(stage, None)
        assert stage.check(number, PLAN)[0] == "neutral"

    def test_not_after_it_was_cancelled(self, rolling: Stage) -> None:
        rolling.say(1, "/canary cancel")
        rolling.notice(2, "closed-cancelled")
        number = self.remove(rolling, None)
        assert rolling.check(number, PLAN)[0] == "neutral"


class TestTemplates:
    """A template that changes under an armed pull request: the name must change with it, one command does it."""

    UNNAMED = CUSTOMER.replace(b"customer:3.4.1", b"customer:4.0.0")

    def test_a_push_with_the_same_name_and_the_same_command_again(self, stage: Stage) -> None:
        number = stage.feature(self.UNNAMED)
        stage.say(number, "/canary 25")
        first = next(
            line for line in stage.read("v4").splitlines() if line.startswith(b"      name: customer-")
        )
        stage.push("v4", stage.read("v4").replace(b"customer:4.0.0", b"customer:4.0.1"))
        assert stage.check(number, PLAN)[0] == "failure"
        said = str(run_of(stage, number, PLAN).output["summary"])
        assert "`name-unchanged`" in said
        assert "Comment `/canary 25` again." in said
        assert stage.say(number, "/canary 25").code == "applied"
        assert first not in stage.read("v4")
        assert stage.check(number, PLAN)[0] == "success"
        assert len(stage.split("v4")) == 2

    def test_a_push_that_leaves_template_and_block_alone(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/canary 25")
        stage.push("v4", stage.read("v4").replace(b"team-shop", b"team-store"))
        assert stage.check(number, PLAN)[0] == "success"

    def test_a_running_candidate_keeps_its_name_with_another_template(self, stage: Stage) -> None:
        begin(stage)
        number = stage.feature(stage.read().replace(b"customer:4.0.0", b"customer:4.0.1"), name="patch")
        assert stage.check(number, PLAN)[0] == "failure"
        assert "keeps its revision name" in str(run_of(stage, number, PLAN).output["summary"])


class TestWithoutACommand:
    """A feature pull request without ``/canary`` while a rollout runs must not move weight by itself."""

    def test_a_floating_target_with_weight(self, stage: Stage) -> None:
        begin(stage)
        number = stage.feature(floating(stage.read()), name="float")
        assert stage.check(number, PLAN)[0] == "failure"
        assert "`moves-weight`" in str(run_of(stage, number, PLAN).output["summary"])

    def test_a_new_revision_that_nobody_meets(self, stage: Stage) -> None:
        begin(stage)
        newer = stage.read().replace(b"-v4   #", b"-v5   #").replace(b":4.0.0", b":5.0.0")
        number = stage.feature(newer, name="v5")
        assert stage.check(number, PLAN)[0] == "success"
        stage.merge(number)
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}
        assert stage.step().title == "customer: 25 % → 50 %"


class TestMerge:
    """The merged content of the base branch counts, not what the bot remembers."""

    def test_a_block_that_was_changed_before_the_merge_is_the_step(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/canary 25")
        edited = (
            stage.read("v4").replace(b"percent: 75", b"percent: 50").replace(b"percent: 25", b"percent: 50")
        )
        stage.push("v4", edited)
        assert stage.check(number, PLAN)[0] == "failure"
        stage.merge(number, by="ada")
        assert stage.step().title == "customer: 50 % → 100 %"

    def test_closed_without_a_merge_nothing_begins(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/canary 25")
        stage.close(number)
        stage.later(hours=1)
        assert stage.no_step()
        assert "No rollout is running" in stage.say(number, "/canary status").text

    def test_a_draft_step_is_not_merged_by_the_bot(self, stage: Stage) -> None:
        begin(stage)
        stage.pull(2).draft = True
        stage.say(2, "/promote")
        stage.later(minutes=31)
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}


class TestBranches:
    """A person's commits on a step branch, and conflicts with the base branch."""

    def test_a_step_with_a_persons_commits_that_conflicts_is_left_to_people(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        sha = stage.push(step.head_ref, b"more\n", path="README.md")
        stage.push("main", stage.read().replace(b"percent: 75", b"percent: 75  # three quarters"), by="ada")
        stage.later(minutes=31)
        assert step.head_sha == sha
        assert stage.check(2, "canary / gate")[0] is not None
        assert "A person committed to this branch" in str(run_of(stage, 2).output["summary"])

    def test_a_later_steps_split_by_a_person_counts_when_a_person_merges_it(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        edited = (
            stage.read(step.head_ref)
            .replace(b"percent: 50", b"percent: 0", 1)
            .replace(b"percent: 50", b"percent: 100")
        )
        stage.push(step.head_ref, edited)
        assert stage.check(2, "canary / gate")[0] == "failure"
        stage.merge(2, by="ada")
        assert stage.split() == {"customer-v4": 100}
        assert "**Done**" in stage.notice(1, "done-").text


def test_a_failing_gate_holds_and_a_retry_judges_it_again(stage: Stage) -> None:
    """``on-fail: hold``: the hold stays when the numbers are good again, until a person says so."""
    stage.configure("rules: cautious\non-fail: hold\n")
    stage.measure(error_rate=0.024)
    begin(stage)
    stage.later(minutes=31)
    step = stage.step()
    assert stage.check(step.number, "canary / gate")[0] != "success"
    assert "2.4 %" in stage.notice(step.number, "gate-").text
    stage.measure(error_rate=0.002)
    stage.later(minutes=10)
    assert stage.check(step.number, "canary / gate")[0] != "success"
    assert "failing gate had set is gone" in stage.say(step.number, "/canary retry").text
    assert stage.check(step.number, "canary / gate")[0] == "success"
