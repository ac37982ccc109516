"""GitHub says that it merged: is the base branch what was merged? Where it is not, nothing is promoted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bot.core.checks import GATE
from tests.scenarios.moves import begin, run_of, sweep
from tests.scenarios.stage import PATH

if TYPE_CHECKING:
    from tests.scenarios.stage import Reply, Stage


@pytest.fixture
def rolling(stage: Stage) -> Stage:
    begin(stage)
    stage.later(minutes=31)
    return stage


def alarms(stage: Stage, number: int) -> list[Reply]:
    """Give the alarms on a step, its conversation and the feature's, and mark them as read."""
    return [stage.notice(one, "read-back-") for one in (number, 1)]


def lie(stage: Stage, content: bytes, path: str = PATH) -> None:
    stage.run.world.lie_about_next_merge(stage.repo, {path: content})


class TestHonest:
    """A merge that is what it says raises no alarm, however it was made."""

    @pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
    def test_each_method(self, rolling: Stage, method: str) -> None:
        rolling.merge(rolling.step().number, method=method)
        assert rolling.step().title == "customer: 50 % → 100 %"
        assert "Frozen" not in rolling.check(rolling.step().number, GATE)[1]

    @pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
    def test_other_lines_changed_on_base_since_the_step(self, rolling: Stage, method: str) -> None:
        step = rolling.step()
        rolling.push("main", rolling.read().replace(b"team-shop", b"team-store"), by="ada")
        rolling.push("main", b"Docs\n", path="README.md", by="ada")
        rolling.merge(step.number, method=method)
        assert b"team-store" in rolling.read()
        assert rolling.check(rolling.step().number, GATE)[0] is None

    @pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
    def test_a_persons_commits_in_the_step(self, rolling: Stage, method: str) -> None:
        step = rolling.step()
        more = rolling.read(step.head_ref).replace(b"team-shop", b"team-store")
        rolling.push(step.head_ref, more)
        rolling.push(step.head_ref, b"Docs\n", path="README.md")
        rolling.merge(step.number, method=method)
        assert rolling.read() == more
        assert rolling.check(rolling.step().number, GATE)[0] is None

    def test_a_rollback_and_a_start(self, stage: Stage) -> None:
        stage.merge(stage.feature())
        stage.say(1, "/canary 25")
        stage.merge(stage.step().number)
        stage.say(1, "/rollback")
        stage.notice(stage.step().number - 1, "closed-rollback")
        stage.merge(stage.step().number)
        stage.notice(1, "rolled-back-")
        assert stage.split() == {"customer-v3": 100}


class TestAnotherContent:
    def test_other_lines_of_the_file_are_lost(self, rolling: Stage) -> None:
        step = rolling.step()
        rolling.push("main", rolling.read().replace(b"team-shop", b"team-store"), by="ada")
        wrong = rolling.read(step.head_ref).replace(b"team-store", b"team-shop")
        lie(rolling, wrong)
        rolling.merge(step.number)
        on_step, on_feature = alarms(rolling, step.number)
        assert on_step.text == on_feature.text
        assert "-# Storefront customer service. Owners: team-store." in on_step.text
        assert "+# Storefront customer service. Owners: team-shop." in on_step.text
        merge = rolling.pull(step.number).merge_commit_sha or ""
        assert merge[:12] in on_step.text
        following = rolling.step()
        conclusion, title = rolling.check(following.number, GATE)
        assert conclusion == "failure"
        assert title.startswith("Frozen")
        assert run_of(rolling, step.number).conclusion == "failure"
        rolling.later(hours=3)
        assert rolling.say(following.number, "/promote").decision == "pending"
        rolling.later(hours=3)
        assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}
        assert "Frozen" in rolling.say(following.number, "/canary why").text
        assert rolling.say(following.number, "/resume").decision == "done"
        assert rolling.split() == {"customer-v4": 100}
        rolling.notice(1, "done-")

    def test_a_file_that_the_step_does_not_change(self, rolling: Stage) -> None:
        step = rolling.step()
        lie(rolling, b"Something else\n", "README.md")
        rolling.merge(step.number, method="squash")
        assert "does not: `README.md`" in alarms(rolling, step.number)[0].text
        assert rolling.check(rolling.step().number, GATE)[0] == "failure"

    def test_the_merge_brings_nothing(self, rolling: Stage) -> None:
        step, before = rolling.step(), rolling.read()
        lie(rolling, before)
        reply = rolling.say(step.number, "/promote")
        assert re.search(r"^\+\s+percent: 75", alarms(rolling, step.number)[0].text, re.MULTILINE)
        assert reply.code != "internal"
        assert rolling.no_step()
        assert rolling.say(1, "/promote").code == "drifted"
        rolling.later(hours=2)
        assert rolling.no_step()
        rolling.say(1, "/resume")
        assert rolling.step().title == "customer: 25 % → 50 %"

    def test_another_split(self, rolling: Stage) -> None:
        step = rolling.step()
        lie(
            rolling,
            rolling.read().replace(b"percent: 75", b"percent: 1").replace(b"percent: 25", b"percent: 99"),
        )
        rolling.merge(step.number)
        alarms(rolling, step.number)
        assert rolling.no_step()
        assert rolling.say(1, "/promote").code == "drifted"
        rolling.say(1, "/rollback")
        rolling.merge(rolling.step().number)
        rolling.notice(1, "rolled-back-")
        assert rolling.split() == {"customer-v3": 100}

    def test_the_last_step(self, rolling: Stage) -> None:
        rolling.merge(rolling.step().number)
        rolling.later(minutes=31)
        last, before = rolling.step(), rolling.read()
        lie(rolling, before)
        rolling.merge(last.number)
        alarms(rolling, last.number)
        assert rolling.no_step()
        assert not any(r.answer.to.startswith("done-") for r in rolling.all_replies(1))

    def test_a_rollback(self, rolling: Stage) -> None:
        step, before = rolling.step(), rolling.read()
        rolling.say(1, "/rollback")
        rolling.notice(step.number, "closed-rollback")
        back = rolling.step()
        lie(rolling, before)
        rolling.merge(back.number)
        alarms(rolling, back.number)
        rolling.later(hours=2)
        assert rolling.no_step()
        assert rolling.split() == {"customer-v3": 75, "customer-v4": 25}

    def test_a_start(self, stage: Stage) -> None:
        stage.merge(stage.feature())
        stage.say(1, "/canary 25")
        start, before = stage.step(), stage.read()
        lie(stage, before)
        stage.merge(start.number)
        alarms(stage, start.number)
        assert stage.no_step()

    def test_the_file_is_gone(self, rolling: Stage) -> None:
        step = rolling.step()
        rolling.run.world.lie_about_next_merge(rolling.repo, {PATH: None})
        rolling.merge(step.number)
        alarms(rolling, step.number)
        assert rolling.no_step()


class TestAlarm:
    def test_it_is_raised_once_and_found_again_by_a_sweep(self, rolling: Stage) -> None:
        step = rolling.step()
        lie(rolling, b"Something else\n", "README.md")
        rolling.merge(step.number)
        alarms(rolling, step.number)
        sweep(rolling)
        sweep(rolling)
        alarms(rolling, step.number)
        assert rolling.check(rolling.step().number, GATE)[0] == "failure"

    def test_a_merge_that_never_reaches_the_base_branch(self, rolling: Stage) -> None:
        step, tip = rolling.step(), rolling.run.world.tip(rolling.repo, "main")
        hooks = rolling.run.world.hooks
        hooks.pause()
        rolling.run.world.merge(rolling.repo, step.number, by="mona")
        assert tip is not None
        rolling.run.world.move_branch(rolling.repo, "main", tip, force=True, by="ada")
        hooks.flush()
        rolling.settle()
        assert not [r for r in rolling.all_replies(step.number) if r.answer.to.startswith("read-back")]
        rolling.later(minutes=11)
        assert "is merged as" in alarms(rolling, step.number)[0].text
        assert rolling.no_step()


def test_never_two_steps_of_one_service(rolling: Stage) -> None:
    """Whatever is asked for and merged, and in which order, one step of a service is open at most."""
    for text in ("/hold", "/resume", "/promote", "/canary retry", "/resume", "/promote", "/hold", "/resume"):
        rolling.write(1, text)
        rolling.settle()
        sweep(rolling)
        mine = [
            p for p in rolling.run.world.pulls(rolling.repo, state="open") if p.author is rolling.run.app.bot
        ]
        assert len(mine) <= 1
        rolling.later(minutes=31)
    for number in rolling.numbers():
        for reply in rolling.all_replies(number):
            rolling.notice(number, reply.answer.to)
