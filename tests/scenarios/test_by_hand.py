"""Edits of the base branch that equal a step: they count as that step, and as nobody's word for going on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenarios.moves import begin, sweep

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage


def take_the_step(stage: Stage, *, first: int = 25, then: int = 50) -> None:
    """Set the block on the base branch to the next step, as a person does."""
    text = stage.read().replace(b"percent: %d\n" % (100 - first), b"percent: %d\n" % (100 - then))
    stage.push("main", text.replace(b"percent: %d\n" % first, b"percent: %d\n" % then), by="ada")
    sweep(stage)


def test_a_step_by_hand_goes_on_with_the_one_behind_it(stage: Stage) -> None:
    begin(stage)
    step = stage.step()
    take_the_step(stage)
    assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
    stage.notice(step.number, "closed-overtaken")
    assert stage.step().title == "customer: 50 % → 100 %"
    stage.later(minutes=31)
    assert stage.check(stage.step().number, "canary / gate")[0] == "success"


def test_it_begins_no_rollout_again_that_was_cancelled(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.say(number, "/canary cancel")
    stage.notice(step.number, "closed-cancelled")
    take_the_step(stage)
    assert stage.no_step()
    assert stage.say(number, "/promote").code == "no-rollout"
    assert stage.say(number, "/canary cancel").code == "already"


def test_it_ends_no_hold(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.say(step.number, "/hold -- errors")
    take_the_step(stage)
    stage.notice(step.number, "closed-overtaken")
    stage.later(minutes=31)
    conclusion, title = stage.check(stage.step().number, "canary / gate")
    assert (conclusion, title) == (None, "On hold by mona, because errors.")
    stage.say(number, "/resume")
    assert stage.check(stage.step().number, "canary / gate")[0] == "success"


@pytest.mark.parametrize("seen", [True, False], ids=["and the bot said so", "before the bot looked"])
def test_it_reopens_nothing_that_was_closed(stage: Stage, *, seen: bool) -> None:
    number = begin(stage)
    step = stage.step()
    if not seen:
        stage.run.world.hooks.drop(1)
    stage.close(step.number)
    if seen:
        stage.notice(step.number, "step-closed")
    take_the_step(stage)
    stage.later(minutes=31)
    assert stage.check(stage.step().number, "canary / gate") == (
        None,
        "On hold: the step's pull request was closed (/resume opens a new one).",
    )
    stage.say(number, "/resume")
    assert stage.check(stage.step().number, "canary / gate")[0] == "success"


def test_a_hold_before_the_merge_outlasts_it(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.say(number, "/hold")
    stage.run.world.hooks.drop(100)
    stage.merge(number)
    stage.run.world.hooks.drop(0)
    take_the_step(stage)
    stage.later(minutes=31)
    assert stage.check(stage.step().number, "canary / gate")[1] == "On hold by mona."


class TestInTheBranchOfAStep:
    """Somebody commits another share to the branch of a step, and merges that: what was said of the step counts."""

    @pytest.fixture
    def steps(self, stage: Stage) -> Stage:
        number = stage.feature()
        stage.say(number, "/canary 25 50 75 100")
        stage.merge(number)
        return stage

    def merge_at(self, stage: Stage, share: int) -> None:
        step = stage.step()
        text = stage.read(step.head_ref).replace(b"percent: 50", b"percent: %d" % (100 - share), 1)
        stage.push(step.head_ref, text.replace(b"percent: 50", b"percent: %d" % share), by="kim")
        stage.merge(step.number, by="kim")
        assert stage.split() == {"customer-v3": 100 - share, "customer-v4": share}

    def test_a_later_step_ends_no_hold(self, steps: Stage) -> None:
        steps.say(steps.step().number, "/hold -- incident", by="ada")
        self.merge_at(steps, 75)
        last = steps.step().number
        reply = steps.say(last, "/promote", by="kim")
        assert (reply.code, "On hold by `ada`, because `incident`" in reply.text) == ("remembered", True)
        steps.later(hours=2)
        assert steps.check(last, "canary / gate") == (None, "On hold by ada, because incident.")
        assert steps.split() == {"customer-v3": 25, "customer-v4": 75}
        steps.say(last, "/resume", by="ada")
        assert steps.split() == {"customer-v4": 100}
        steps.notice(1, "done-")

    def test_a_later_step_may_come_too_early(self, steps: Stage) -> None:
        self.merge_at(steps, 75)
        steps.later(hours=2)
        assert steps.check(steps.step().number, "canary / gate") == (
            None,
            "On hold: kim merged the last step before its rules passed (/resume goes on).",
        )

    def test_no_step_at_all_ends_no_hold_when_it_is_adopted(self, steps: Stage) -> None:
        steps.say(steps.step().number, "/hold -- incident", by="ada")
        self.merge_at(steps, 60)
        steps.say(1, "/canary adopt", by="kim")
        steps.later(hours=2)
        assert steps.check(steps.step().number, "canary / gate") == (
            None,
            "On hold by ada, because incident.",
        )
