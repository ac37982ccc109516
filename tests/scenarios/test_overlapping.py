"""A new rollout before the old one ended: ``overlap: supersede``, ``queue``, ``refuse``."""

from __future__ import annotations

import pytest

from bot.core.checks import GATE
from tests.scenarios.moves import begin, run_of
from tests.scenarios.stage import VERSION_4, Stage


def configure(stage: Stage, overlap: str) -> None:
    content = f"version: 1\noverlap: {overlap}\n".encode()
    stage.run.world.commit(stage.repo, "main", {".github/canary.yaml": content}, "Rules", by="ada")


def newer(stage: Stage, version: int) -> int:
    """Open a feature pull request with the next version, made from the base branch as it is."""
    content = stage.read()
    for old in range(3, version):
        content = content.replace(b"customer-v%d   #" % old, b"customer-v%d   #" % version)
        content = content.replace(b"customer:%d.0.0" % old, b"customer:%d.0.0" % version)
    return stage.feature(content, name=f"v{version}")


def finish(stage: Stage) -> None:
    while not stage.no_step():
        stage.later(minutes=31)
        stage.merge(stage.step().number)


class TestSupersede:
    """Stable stays the last completed revision; never three-way splits."""

    def test_again_and_again(self, stage: Stage) -> None:
        number = begin(stage)
        for version in (5, 6):
            old = stage.step()
            number = newer(stage, version)
            stage.say(number, "/canary 25")
            stage.merge(number)
            assert stage.split() == {"customer-v3": 75, f"customer-v{version}": 25}
            assert f"the rollout of #{number} has taken over" in stage.notice(old.number, "closed-").text
            assert stage.step().title == "customer: 25 % → 50 %"
        finish(stage)
        assert stage.split() == {"customer-v6": 100}
        stage.notice(number, "done-")

    def test_an_adopted_one(self, stage: Stage) -> None:
        begin(stage)
        content = stage.read().replace(b"percent: 75", b"percent: 70").replace(b"percent: 25", b"percent: 30")
        stage.push("main", content, by="ada")
        stage.say(2, "/canary adopt")
        number = newer(stage, 5)
        stage.say(number, "/canary 10")
        stage.merge(number)
        assert stage.split() == {"customer-v3": 90, "customer-v5": 10}
        stage.notice(2, "closed-superseded")


class TestRefuse:
    """``refuse``: the command is declined with the running rollout's link."""

    @pytest.fixture
    def rolling(self, stage: Stage) -> Stage:
        configure(stage, "refuse")
        begin(stage)
        return stage

    def test_declined_until_it_has_ended(self, rolling: Stage) -> None:
        number = newer(rolling, 5)
        head = rolling.pull(number).head_sha
        reply = rolling.say(number, "/canary 25")
        assert (reply.decision, reply.code) == ("declined", "rollout-running")
        assert "began on #1, its next step is #2" in reply.text
        assert rolling.pull(number).head_sha == head
        assert rolling.say(number, "/canary plan 25").decision == "answered"
        rolling.say(1, "/rollback")
        rolling.notice(2, "closed-rollback")
        rolling.merge(rolling.step().number)
        rolling.notice(1, "rolled-back-")
        assert rolling.say(number, "/canary 25").code == "applied"

    def test_after_the_merge_too(self, rolling: Stage) -> None:
        number = newer(rolling, 5)
        rolling.merge(number)
        assert rolling.say(number, "/canary 25").code == "rollout-running"

    @pytest.mark.parametrize("drifted", [False, True], ids=["rolling", "drifted"])
    def test_not_after_a_cancellation(self, rolling: Stage, *, drifted: bool) -> None:
        if drifted:
            content = rolling.read().replace(b"percent: 75", b"percent: 70").replace(b"t: 25", b"t: 30")
            rolling.push("main", content, by="ada")
        rolling.say(1, "/canary cancel")
        rolling.notice(2, "closed-cancelled")
        assert rolling.say(newer(rolling, 5), "/canary 25").code == "applied"

    def test_armed_before_the_other_one_began_its_gate_fails_until_that_has_ended(self, stage: Stage) -> None:
        configure(stage, "refuse")
        first = stage.feature()
        second = stage.feature(
            VERSION_4.replace(b"-v4   #", b"-v5   #").replace(b":4.0.0", b":5.0.0"), name="v5"
        )
        stage.say(first, "/canary 25")
        stage.say(second, "/canary 40")
        assert stage.check(second, GATE) == ("neutral", "Nothing is before this rollout")
        stage.merge(first)
        assert stage.check(second, GATE) == ("failure", f"Not before the rollout of #{first} has ended")
        stage.push("v5", b"more\n", path="README.md")
        assert stage.check(second, GATE)[0] == "failure"
        assert "takes the weight away" in str(run_of(stage, second, GATE).output["summary"])
        stage.say(first, "/rollback")
        stage.notice(3, "closed-rollback")
        back = next(p for p in stage.run.world.pulls(stage.repo, state="open") if "roll back" in p.title)
        stage.merge(back.number)
        stage.notice(first, "rolled-back-")
        assert stage.check(second, GATE) == ("neutral", "Nothing is before this rollout")

    def test_a_start_that_was_proposed_before_fails_too(self, stage: Stage) -> None:
        configure(stage, "refuse")
        merged = stage.feature()
        stage.merge(merged)
        stage.say(merged, "/canary 25")
        start = stage.step().number
        other = newer(stage, 5)
        stage.say(other, "/canary 10 stable=customer-v3")
        stage.merge(other)
        assert stage.check(start, GATE) == ("failure", f"Not before the rollout of #{other} has ended")

    def test_the_rollouts_own_commands_go_on(self, rolling: Stage) -> None:
        assert rolling.say(1, "/canary 25").code == "already"
        assert rolling.say(1, "/canary 10").code == "step-order"


class TestQueue:
    """``queue``: armed, waits; when the running one ends the words change and it may be merged."""

    @pytest.fixture
    def rolling(self, stage: Stage) -> Stage:
        configure(stage, "queue")
        begin(stage)
        return stage

    def test_it_waits_for_the_end_of_a_rollback(self, rolling: Stage) -> None:
        number = newer(rolling, 5)
        reply = rolling.say(number, "/canary 25")
        assert (reply.decision, reply.code) == ("done", "applied")
        assert "**Waits**" in reply.text
        assert "began on #1, its next step is #2" in reply.text
        assert rolling.check(number, "canary / gate") == (None, "Waits for the rollout of #1")
        assert rolling.check(number, "canary / plan")[0] == "success"
        rolling.say(1, "/rollback")
        rolling.notice(2, "closed-rollback")
        assert rolling.check(number, "canary / gate")[0] is None
        rolling.merge(rolling.step().number)
        rolling.notice(1, "rolled-back-")
        assert rolling.check(number, "canary / gate") == ("neutral", "Nothing is before this rollout")

    def test_after_the_end_it_is_written_again(self, rolling: Stage) -> None:
        number = newer(rolling, 5)
        rolling.say(number, "/canary 25")
        finish(rolling)
        rolling.notice(1, "done-")
        assert rolling.check(number, "canary / gate")[0] == "neutral"
        assert rolling.check(number, "canary / plan")[0] == "failure"
        # Its author brings the branch up to date, with the base branch's block.
        content = rolling.read().replace(b"customer-v4   #", b"customer-v5   #").replace(b":4.0.0", b":5.0.0")
        rolling.push("v5", content)
        assert rolling.say(number, "/canary 25").code == "applied"
        assert rolling.check(number, "canary / plan")[0] == "success"
        assert rolling.split("v5") == {"customer-v4": 75, "customer-v5": 25}

    def test_after_a_cancellation(self, rolling: Stage) -> None:
        number = newer(rolling, 5)
        rolling.say(number, "/canary 25")
        rolling.say(1, "/canary cancel")
        rolling.notice(2, "closed-cancelled")
        assert rolling.check(number, "canary / gate")[0] == "neutral"

    def test_a_push_keeps_it_waiting(self, rolling: Stage) -> None:
        number = newer(rolling, 5)
        rolling.say(number, "/canary 25")
        rolling.push("v5", b"more\n", path="README.md")
        assert rolling.check(number, "canary / gate") == (None, "Waits for the rollout of #1")

    def test_of_two_that_wait_the_second_waits_for_the_first(self, rolling: Stage) -> None:
        first, second = newer(rolling, 5), newer(rolling, 6)
        rolling.say(first, "/canary 25")
        rolling.say(second, "/canary 25")
        rolling.say(1, "/canary cancel")
        rolling.notice(2, "closed-cancelled")
        assert rolling.check(second, "canary / gate")[0] == "neutral"
        rolling.merge(first)
        assert rolling.check(second, "canary / gate") == (None, f"Waits for the rollout of #{first}")

    def test_somebody_merges_it_anyway(self, rolling: Stage) -> None:
        number = newer(rolling, 5)
        rolling.say(number, "/canary 25")
        rolling.merge(number)
        assert rolling.split() == {"customer-v3": 75, "customer-v5": 25}
        assert "merged while the rollout of #1 was at 25 %" in rolling.notice(number, "merged-anyway-").text
        rolling.notice(2, "closed-superseded")

    def test_a_start_waits_and_is_made_again_at_the_end(self, rolling: Stage) -> None:
        number = newer(rolling, 5)
        rolling.merge(number)
        assert "**Waits**" in rolling.say(number, "/canary 25").text
        start = next(p for p in rolling.run.world.pulls(rolling.repo, state="open") if "start" in p.title)
        assert rolling.check(start.number, "canary / gate") == (None, "Waits for the rollout of #1")
        rolling.later(minutes=31)
        rolling.merge(2)
        rolling.later(minutes=31)
        last = next(p for p in rolling.run.world.pulls(rolling.repo, state="open") if "50 %" in p.title)
        rolling.merge(last.number)
        rolling.notice(1, "done-")
        assert rolling.check(start.number, "canary / gate") == ("neutral", "Nothing is before this rollout")
        assert rolling.split(start.head_ref) == {"customer-v4": 75, "customer-v5": 25}
        assert rolling.check(start.number, "canary / plan")[0] == "success"
        rolling.merge(start.number)
        assert rolling.split() == {"customer-v4": 75, "customer-v5": 25}

    def test_nothing_waits_where_nothing_runs(self, stage: Stage) -> None:
        configure(stage, "queue")
        number = stage.feature()
        assert "Waits" not in stage.say(number, "/canary 25").text
        assert stage.check(number, "canary / gate")[0] == "neutral"


def test_a_split_for_a_stable_that_serves_nobody_any_more(stage: Stage) -> None:
    """Armed before another rollout ran to its end: merging it would give traffic to the revision before that."""
    armed = stage.feature(VERSION_4.replace(b"-v4   #", b"-v5   #").replace(b":4.0.0", b":5.0.0"), name="v5")
    stage.say(armed, "/canary 25")
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number)
    finish(stage)
    stage.notice(number, "done-")
    stage.push("v5", b"more\n", path="README.md")
    assert stage.check(armed, "canary / plan")[0] == "failure"
    runs = stage.run.world.checks(stage.repo, stage.pull(armed).head_sha)
    said = next(c for c in runs if c.name == "canary / plan").output["summary"]
    assert "`customer-v3` serves nobody any more" in said
