"""Three checks on every pull request, judged anew when somebody asks, with remarks on the manifest's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.core.checks import APPROVALS, GATE, NAMES, PLAN
from tests.scenarios.moves import begin, buttons, flush, run_of
from tests.scenarios.stage import PATH, VERSION_4

if TYPE_CHECKING:
    from bot.sandbox.model import CheckSuite
    from tests.scenarios.stage import Stage


@pytest.fixture
def rolling(stage: Stage) -> Stage:
    """A rollout at 25 %; #1 is merged, #2 the open step."""
    begin(stage)
    return stage


def states(stage: Stage, number: int) -> list[tuple[str | None, str]]:
    return [stage.check(number, name) for name in NAMES]


def rollback(stage: Stage) -> int:
    stage.say(2, "/rollback")
    stage.notice(2, "closed-rollback")
    return stage.step().number


class TestAlwaysReported:
    """A check that a branch rule requires and nobody sets would block for ever."""

    def test_without_a_service(self, stage: Stage) -> None:
        number = stage.feature(b"Docs\n", path="README.md")
        assert states(stage, number) == [
            ("neutral", "No service is changed"),
            ("neutral", "No step of a rollout"),
            ("neutral", "No step of a rollout"),
        ]

    def test_with_a_service(self, stage: Stage) -> None:
        number = stage.feature()
        assert [c for c, _ in states(stage, number)] == ["success", "neutral", "neutral"]
        stage.say(number, "/canary 25")
        assert [c for c, _ in states(stage, number)] == ["success", "neutral", "neutral"]
        stage.say(number, "/canary cancel")
        assert [c for c, _ in states(stage, number)] == ["success", "neutral", "neutral"]

    def test_step(self, rolling: Stage) -> None:
        (plan, _), (gate, _), approvals = states(rolling, 2)
        assert (plan, gate) == ("success", None)
        assert approvals == ("neutral", "No approval is asked for")
        evidence = run_of(rolling, 2, APPROVALS).output["summary"]
        assert "Rule set `standard` asks for no approval" in evidence
        assert "asked for by `mona` on #1" in evidence
        assert "This step, 25 % → 50 %: not asked for by anybody" in evidence

    def test_who_asked_for_the_step_is_evidence(self, rolling: Stage) -> None:
        rolling.say(2, "/promote", by="kim")
        evidence = run_of(rolling, 2, APPROVALS).output["summary"]
        assert "asked for by `mona` on #1" in evidence
        assert "This step, 25 % → 50 %: asked for by `kim`" in evidence

    def test_start(self, stage: Stage) -> None:
        number = stage.feature()
        stage.merge(number)
        stage.say(number, "/canary 25")
        assert [c for c, _ in states(stage, stage.step().number)] == ["success", "neutral", "neutral"]

    def test_rollback(self, rolling: Stage) -> None:
        assert states(rolling, rollback(rolling)) == [
            ("success", "Canary: customer at 0 %"),
            ("success", "A rollback waits for nothing"),
            ("neutral", "A rollback needs no approval"),
        ]

    def test_fork(self, stage: Stage) -> None:
        number = from_fork(stage)
        assert [c for c, _ in states(stage, number)] == ["success", "neutral", "neutral"]

    def test_all_three_may_be_required(self, stage: Stage) -> None:
        stage.run.world.protect(stage.repo, "main", checks=NAMES)
        begin(stage)
        stage.later(minutes=31)
        stage.say(2, "/promote")
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}

    def test_without_the_webhooks_of_our_own_writes(self, stage: Stage) -> None:
        """Where those are lost, or come to nobody as in a workflow, the command itself has told all checks."""
        number = stage.feature()
        hooks = stage.run.world.hooks
        hooks.pause()
        said = stage.write(number, "/canary 25")
        hooks.flush(keep_paused=True)
        assert hooks.wait(20)
        assert stage.run.bot.idle(20)
        try:
            assert [c for c, _ in states(stage, number)] == ["success", "neutral", "neutral"]
        finally:
            flush(stage)
        assert stage.reply_to(said).code == "applied"


def from_fork(stage: Stage) -> int:
    world = stage.run.world
    fork = world.fork(stage.repo, by="kim")
    world.create_branch(fork.full_name, "v4")
    world.commit(fork.full_name, "v4", {PATH: VERSION_4}, "Four", by="kim")
    number = world.open_pull(stage.repo, "v4", "main", "Four", by="kim", fork=fork.full_name).number
    stage.settle()
    return number


class TestAgain:
    """Whoever asks for a check again gets a judgement, also where its words are the same."""

    def suite(self, stage: Stage, sha: str) -> CheckSuite:
        (found,) = stage.run.world.check_suites(stage.repo, sha)
        return found

    def state(self, stage: Stage, sha: str) -> tuple[str, str | None]:
        world = stage.run.world
        return world.state_of_suite(world.repository(stage.repo), self.suite(stage, sha))

    def all_again(self, stage: Stage, sha: str, *, reset: bool = False) -> None:
        """Ask for all checks of a commit; with ``reset`` GitHub empties them, as it once documented."""
        world = stage.run.world
        world.hooks.pause()
        world.rerequest_suite(stage.repo, self.suite(stage, sha).id, by="mona")
        assert self.state(stage, sha) == ("queued", None)
        for run in world.checks(stage.repo, sha) if reset else ():
            run.status, run.conclusion = "queued", None
        flush(stage)

    @pytest.mark.parametrize("reset", [False, True])
    @pytest.mark.parametrize("kind", ["docs", "feature", "fork", "armed", "rollback"])
    def test_all_of_a_commit(self, stage: Stage, kind: str, reset: bool) -> None:  # noqa: FBT001 - a case
        match kind:
            case "docs":
                number = stage.feature(b"Docs\n", path="README.md")
            case "fork":
                number = from_fork(stage)
            case "rollback":
                begin(stage)
                number = rollback(stage)
            case _:
                number = stage.feature()
        if kind == "armed":
            stage.say(number, "/canary 25")
        before, sha = states(stage, number), stage.pull(number).head_sha
        self.all_again(stage, sha, reset=reset)
        assert states(stage, number) == before
        assert self.state(stage, sha)[0] == "completed"

    @pytest.mark.parametrize("reset", [False, True])
    def test_step(self, rolling: Stage, reset: bool) -> None:  # noqa: FBT001 - a case
        rolling.later(minutes=31)
        before, shown = states(rolling, 2), buttons(rolling, 2)
        sha = rolling.pull(2).head_sha
        self.all_again(rolling, sha, reset=reset)
        assert states(rolling, 2) == before
        assert buttons(rolling, 2) == shown
        assert self.state(rolling, sha) == ("completed", "success")

    def test_a_gate_that_waits_goes_on_waiting(self, rolling: Stage) -> None:
        before, sha = states(rolling, 2), rolling.pull(2).head_sha
        self.all_again(rolling, sha)
        assert states(rolling, 2) == before
        assert self.state(rolling, sha) == ("in_progress", None)

    @pytest.mark.parametrize("name", NAMES)
    def test_one_check(self, rolling: Stage, name: str) -> None:
        rolling.later(minutes=31)
        sha = rolling.pull(2).head_sha
        rolling.run.world.rerequest_check(rolling.repo, run_of(rolling, 2, name).id, by="mona")
        rolling.settle()
        assert self.state(rolling, sha) == ("completed", "success")

    @pytest.mark.parametrize("end", ["merged", "closed"])
    def test_a_pull_request_that_is_over(self, stage: Stage, end: str) -> None:
        number = stage.feature()
        sha = stage.pull(number).head_sha
        stage.merge(number) if end == "merged" else stage.close(number)
        self.all_again(stage, sha)
        assert self.state(stage, sha) == ("completed", "neutral")
        assert {run_of(stage, number, name).output["summary"] for name in NAMES} == {f"#{number} is {end}."}

    def test_a_commit_that_is_no_head_any_more(self, stage: Stage) -> None:
        number = stage.feature()
        old = stage.pull(number).head_sha
        head = stage.push("v4", VERSION_4.replace(b"4.0.0", b"4.0.1"))
        before = states(stage, number)
        run = next(c for c in stage.run.world.checks(stage.repo, old) if c.name == GATE)
        stage.run.world.rerequest_check(stage.repo, run.id, by="mona")
        stage.settle()
        assert self.state(stage, old) == ("completed", "neutral")
        assert f"`{head[:7]}`" in str(run.output["summary"])
        assert states(stage, number) == before

    def test_a_failure_is_judged_anew(self, stage: Stage) -> None:
        """The remarks stay on the lines: once, however often somebody asks."""
        number = stage.feature(VERSION_4.replace(b"percent: 100", b"percent: 90"))
        sha = stage.pull(number).head_sha
        remarks = run_of(stage, number, PLAN).annotations
        assert len(remarks) == 1
        self.all_again(stage, sha)
        self.all_again(stage, sha)
        assert run_of(stage, number, PLAN).annotations == remarks
        assert self.state(stage, sha) == ("completed", "failure")


class TestRemarks:
    """Annotations sit on the manifest's lines."""

    def lines(self, stage: Stage, number: int) -> list[tuple[str, str]]:
        """Give path and text of the lines that have a remark."""
        head = stage.pull(number).head_ref
        found = []
        for remark in run_of(stage, number, PLAN).annotations:
            assert remark["start_line"] == remark["end_line"]
            lines = stage.read(head, remark["path"]).decode().splitlines()
            found.append((remark["path"], lines[remark["start_line"] - 1].strip()))
        return found

    def by_hand(self, stage: Stage) -> None:
        """Change the step's share, and let every line move down by two."""
        step = stage.step()
        edited = stage.read(step.head_ref).replace(b"percent: 50", b"percent: 40", 1)
        edited = edited.replace(b"percent: 50", b"percent: 60")
        stage.push(step.head_ref, b"# One\n# Two\n" + edited)

    def test_a_step_changed_by_hand(self, rolling: Stage) -> None:
        assert self.lines(rolling, 2) == []
        self.by_hand(rolling)
        assert rolling.check(2, PLAN)[0] == "failure"
        assert self.lines(rolling, 2) == [(PATH, "traffic:")]
        assert run_of(rolling, 2).annotations == []
        assert run_of(rolling, 2, APPROVALS).annotations == []

    def test_a_step_whose_template_changed(self, rolling: Stage) -> None:
        edited = rolling.read(rolling.step().head_ref).replace(b"customer:4.0.0", b"customer:4.0.1")
        rolling.push(rolling.step().head_ref, b"# One\n" + edited)
        assert self.lines(rolling, 2) == [
            (PATH, "name: customer-v4   # bump with every change of the template")
        ]

    def test_a_rebuilt_step_has_none_left(self, rolling: Stage) -> None:
        rolling.push("main", b"# One\n# Two\n" + rolling.read(), by="ada")
        rolling.later(minutes=31)
        assert rolling.check(2, PLAN)[0] == "success"
        assert self.lines(rolling, 2) == []
        self.by_hand(rolling)
        assert self.lines(rolling, 2) == [(PATH, "traffic:")]

    def test_the_hand_edit_is_taken_back(self, rolling: Stage) -> None:
        before = rolling.read(rolling.step().head_ref)
        self.by_hand(rolling)
        rolling.push(rolling.step().head_ref, before)
        assert rolling.check(2, PLAN)[0] == "success"
        assert self.lines(rolling, 2) == []
