"""A base branch with a merge queue: the bot queues its steps, and its checks report on the queued commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.core.checks import APPROVALS, GATE, NAMES, PLAN
from bot.sandbox.rules import merge_queue, required_checks
from tests.scenarios.moves import begin, deliveries, flush, sweep
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4

if TYPE_CHECKING:
    from bot.sandbox.model import CheckRun
    from tests.scenarios.stage import Stage

OTHER = "apps/cart.yaml"
CART = CUSTOMER.replace(b"customer", b"cart")
CART_4 = VERSION_4.replace(b"customer", b"cart")


def guard(stage: Stage, method: str = "MERGE", *more: str) -> None:
    """Put a queue before the main branch that asks for the bot's checks."""
    rules = [merge_queue(method), required_checks(*NAMES, source=stage.run.app.id)]
    if more:
        rules.append(required_checks(*more))
    stage.run.world.add_ruleset(stage.repo, "main", rules=rules)


@pytest.fixture
def queued(stage: Stage) -> Stage:
    """Give a rollout at 25 % whose step has baked, before a queue that also waits for the check ``ci``."""
    begin(stage)
    guard(stage, "MERGE", "ci")
    stage.later(minutes=31)
    ci(stage, stage.step().head_sha)
    return stage


def ci(stage: Stage, sha: str, state: str = "success") -> None:
    """Report the check that is not ours."""
    stage.run.world.create_status(stage.repo, sha, {"state": state, "context": "ci"}, by="ada")
    stage.settle()


def group(stage: Stage, place: int = 0) -> str:
    """Give the commit of an entry of the queue."""
    return stage.run.world.queue(stage.repo, "main")[place].head_sha


def waiting(stage: Stage) -> list[int]:
    return [entry.pull.number for entry in stage.run.world.queue(stage.repo, "main")]


def checks(stage: Stage, sha: str) -> dict[str, CheckRun]:
    return {run.name: run for run in stage.run.world.checks(stage.repo, sha)}


def conclusions(stage: Stage, sha: str) -> dict[str, str | None]:
    return {name: run.conclusion for name, run in checks(stage, sha).items()}


class TestThroughTheQueue:
    @pytest.mark.parametrize("method", ["MERGE", "SQUASH", "REBASE"])
    def test_a_promotion_is_queued_and_merged(self, stage: Stage, method: str) -> None:
        begin(stage)
        guard(stage, method)
        stage.later(minutes=31)
        step = stage.step()
        comment = stage.write(step.number, "/promote")
        stage.settle()
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert step.merged_by is not None
        assert step.merged_by.login == "github-merge-queue[bot]"
        assert "Merged" in stage.reply_to(comment).text
        assert [s.payload()["reason"] for s in deliveries(stage, "merge_group", "destroyed")] == ["merged"]
        assert stage.step().title == "customer: 50 % → 100 %"
        assert "Frozen" not in stage.check(stage.step().number, GATE)[1]
        assert not [b for b in stage.run.world.branches(stage.repo) if b.startswith("gh-readonly-queue/")]

    def test_the_reply_says_queued_until_then(self, queued: Stage) -> None:
        step = queued.step()
        comment = queued.write(step.number, "/promote")
        queued.settle()
        reply = queued.reply_to(comment)
        assert reply.decision == "pending"
        assert f"Queued: #{step.number}" in reply.text
        assert waiting(queued) == [step.number]
        queued.later(hours=1)
        assert len(deliveries(queued, "pull_request", "enqueued")) == 1
        ci(queued, group(queued))
        assert queued.split() == {"customer-v3": 50, "customer-v4": 50}
        assert "Merged" in queued.reply_to(comment).text

    @pytest.mark.parametrize("lost", ["after-500", "after-drop", "before-500"])
    def test_the_answer_to_the_mutation_is_lost(self, queued: Stage, lost: str) -> None:
        step = queued.step()
        queued.run.server.faults.add("POST", "/graphql", lost, skip=1)
        queued.write(step.number, "/promote")
        queued.settle()
        queued.later(minutes=11)
        assert waiting(queued) == [step.number]
        assert len(deliveries(queued, "pull_request", "enqueued")) == 1
        queued.notice(step.number, "comment/")

    def test_a_rollback_passes(self, queued: Stage) -> None:
        step = queued.step()
        queued.say(1, "/rollback")
        queued.notice(step.number, "closed-rollback")
        back = queued.step()
        ci(queued, back.head_sha)
        queued.run.world.enqueue(queued.repo, back.number, by="mona")
        queued.settle()
        assert conclusions(queued, group(queued)) == {PLAN: "success", GATE: "success", APPROVALS: "neutral"}
        ci(queued, group(queued))
        assert queued.split() == {"customer-v3": 100}
        queued.notice(1, "rolled-back-")

    def test_a_pull_request_without_services(self, queued: Stage) -> None:
        queued.branch("docs", {"README.md": b"Docs\n"})
        docs = queued.run.world.open_pull(queued.repo, "docs", "main", "Docs", by="kim")
        queued.settle()
        ci(queued, docs.head_sha)
        queued.run.world.enqueue(queued.repo, docs.number, by="kim")
        queued.settle()
        assert set(conclusions(queued, group(queued)).values()) == {"neutral"}
        ci(queued, group(queued))
        assert docs.merged


class TestRefused:
    def test_a_step_whose_gate_does_not_pass_any_more(self, queued: Stage) -> None:
        step = queued.step()
        queued.run.world.enqueue(queued.repo, step.number, by="kim")
        queued.settle()
        assert conclusions(queued, group(queued))[GATE] == "success"
        queued.say(1, "/hold")
        queued.later(minutes=2)
        assert waiting(queued) == []
        assert [s.payload()["reason"] for s in deliveries(queued, "pull_request", "dequeued")] == [
            "CI_FAILURE"
        ]
        assert queued.split() == {"customer-v3": 75, "customer-v4": 25}

    def test_what_the_bot_queued_it_takes_out_at_once(self, queued: Stage) -> None:
        step = queued.step()
        queued.say(step.number, "/promote")
        queued.say(1, "/hold")
        assert waiting(queued) == []
        assert [s.payload()["reason"] for s in deliveries(queued, "pull_request", "dequeued")] == ["MANUAL"]
        queued.say(1, "/resume")
        assert waiting(queued) == [step.number]

    def test_what_a_person_took_out_stays_out_until_somebody_asks(self, queued: Stage) -> None:
        step = queued.step()
        queued.say(step.number, "/promote")
        queued.run.world.dequeue(queued.repo, step.number, by="ada")
        queued.later(hours=1)
        assert waiting(queued) == []
        queued.say(step.number, "/promote")
        assert waiting(queued) == [step.number]

    def test_a_second_move_of_the_same_service(self, queued: Stage) -> None:
        step = queued.step()
        queued.branch("docs", {"README.md": b"Docs\n"})
        second = queued.run.world.open_pull(queued.repo, "docs", "main", "Docs", by="kim")
        queued.settle()
        ci(queued, second.head_sha)
        queued.say(step.number, "/promote")
        hand = queued.read(step.head_ref).replace(b"percent: 50", b"percent: 40", 1)
        queued.run.world.lie_about_next_merge(
            queued.repo, {PATH: hand.replace(b"percent: 50", b"percent: 60")}
        )
        queued.run.world.enqueue(queued.repo, second.number, by="kim")
        queued.settle()
        plan = checks(queued, group(queued, 1))[PLAN]
        assert plan.conclusion == "failure"
        assert "both move the traffic" in plan.output["title"]
        ci(queued, group(queued, 1))
        ci(queued, group(queued))
        assert queued.split() == {"customer-v3": 50, "customer-v4": 50}
        assert not second.merged

    def test_a_pull_request_that_conflicts_with_what_is_queued(self, queued: Stage) -> None:
        step = queued.step()
        hand = queued.read().replace(b"percent: 75", b"percent: 70").replace(b"percent: 25", b"percent: 30")
        queued.branch("hand", {PATH: hand}, by="ada")
        second = queued.run.world.open_pull(queued.repo, "hand", "main", "By hand", by="ada")
        queued.settle()
        ci(queued, second.head_sha)
        queued.say(step.number, "/promote")
        for name in NAMES:  # whatever its own checks say, the queue has the last word
            fields = {"name": name, "head_sha": second.head_sha, "conclusion": "success"}
            queued.run.world.create_check(queued.repo, queued.run.app, fields)
        queued.run.world.enqueue(queued.repo, second.number, by="ada")
        ci(queued, group(queued))
        assert queued.split() == {"customer-v3": 50, "customer-v4": 50}
        assert not second.merged

    def test_two_services_in_one_queue(self, stage: Stage) -> None:
        stage.run.world.commit(stage.repo, "main", {OTHER: CART}, "Cart", by="ada")
        begin(stage)
        number = stage.feature(CART_4, name="cart4", path=OTHER)
        stage.say(number, "/canary 25")
        stage.merge(number)
        guard(stage, "MERGE", "ci")
        stage.later(minutes=31)
        steps = [p for p in stage.run.world.pulls(stage.repo, state="open") if p.author is stage.run.app.bot]
        for step in steps:
            ci(stage, step.head_sha)
            stage.say(step.number, "/promote")
        assert sorted(waiting(stage)) == sorted(p.number for p in steps)
        assert conclusions(stage, group(stage, 1))[PLAN] == "success"
        ci(stage, group(stage, 1))
        ci(stage, group(stage))
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert stage.split(path=OTHER, name="cart") == {"cart-v3": 50, "cart-v4": 50}

    def test_the_queue_builds_something_else(self, queued: Stage) -> None:
        step = queued.step()
        wrong = queued.read().replace(b"percent: 75", b"percent: 1").replace(b"percent: 25", b"percent: 99")
        queued.run.world.lie_about_next_merge(queued.repo, {PATH: wrong})
        queued.say(step.number, "/promote")
        assert waiting(queued) == []
        assert queued.split() == {"customer-v3": 75, "customer-v4": 25}
        assert [s.payload()["reason"] for s in deliveries(queued, "pull_request", "dequeued")] == [
            "CI_FAILURE"
        ]

    def test_the_queue_brings_something_else_beside(self, queued: Stage) -> None:
        step = queued.step()
        wrong = queued.read(step.head_ref).replace(b"team-shop", b"team-store")
        queued.run.world.lie_about_next_merge(queued.repo, {PATH: wrong})
        queued.say(step.number, "/promote")
        ci(queued, group(queued))
        assert step.merged
        queued.notice(step.number, "read-back-")
        queued.notice(1, "read-back-")
        assert queued.check(queued.step().number, GATE)[0] == "failure"


class TestHints:
    """A webhook is a hint: lost, doubled, or about a group that is gone."""

    def test_lost_and_found_by_the_sweep(self, queued: Stage) -> None:
        step = queued.step()
        queued.run.world.hooks.drop(9)
        queued.run.world.enqueue(queued.repo, step.number, by="kim")
        queued.run.world.hooks.drop(0)
        queued.settle()
        sha = group(queued)
        assert checks(queued, sha) == {}
        sweep(queued)
        assert conclusions(queued, sha)[GATE] == "success"

    def test_doubled(self, queued: Stage) -> None:
        queued.run.world.hooks.pause()
        queued.run.world.enqueue(queued.repo, queued.step().number, by="kim")
        flush(queued, copies=3)
        runs = [r.name for r in queued.run.world.all_checks(queued.repo, group(queued))]
        assert sorted(runs) == sorted(NAMES)

    def test_asked_for_again(self, queued: Stage) -> None:
        queued.run.world.enqueue(queued.repo, queued.step().number, by="kim")
        queued.settle()
        sha = group(queued)
        (suite,) = queued.run.world.check_suites(queued.repo, sha)
        queued.run.world.rerequest_suite(queued.repo, suite.id, by="ada")
        queued.settle()
        assert conclusions(queued, sha)[GATE] == "success"
        assert not suite.rerequested

    def test_the_group_is_gone(self, queued: Stage) -> None:
        step = queued.step()
        queued.run.world.hooks.pause()
        queued.run.world.enqueue(queued.repo, step.number, by="kim")
        sha = group(queued)
        queued.run.world.dequeue(queued.repo, step.number, by="kim")
        flush(queued)
        assert checks(queued, sha) == {}
        assert deliveries(queued, "merge_group", "destroyed")

    def test_a_group_that_was_built_anew(self, queued: Stage) -> None:
        queued.run.world.enqueue(queued.repo, queued.step().number, by="kim")
        queued.settle()
        first = group(queued)
        rule = queued.run.world.rulesets(queued.repo)[0]
        queued.run.world.commit(queued.repo, "main", {"README.md": b"2\n"}, "More", by="ada")
        queued.settle()
        assert rule.enforcement == "active"
        assert group(queued) != first
        assert conclusions(queued, group(queued))[GATE] == "success"

    def test_without_the_right_to_read_queues(self, queued: Stage) -> None:
        del queued.run.app.permissions["merge_queues"]
        try:
            queued.run.world.enqueue(queued.repo, queued.step().number, by="kim")
            queued.settle()
            assert conclusions(queued, group(queued))[PLAN] == "success"
        finally:
            queued.run.app.permissions["merge_queues"] = "read"


class TestTakenOut:
    """The queue throws out what the bot had put in, or the bot is killed between two writes."""

    def test_a_rollback_of_the_rules_goes_into_the_queue_again(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        stage.configure("rules: cautious\n")
        begin(stage)
        guard(stage, "MERGE", "ci")
        stage.measure(error_rate=0.5)
        stage.later(minutes=2)
        back = stage.step()
        assert back.head_ref.endswith("/rollback")
        ci(stage, back.head_sha)
        stage.later(minutes=11)
        assert waiting(stage) == [back.number]
        for _ in range(2):  # as often as it takes, and people are told once
            ci(stage, group(stage), "failure")
            assert waiting(stage) == []  # not at once: it would fail and fail
            stage.later(minutes=11)
            assert waiting(stage) == [back.number]
        assert "put back every 10 minutes" in stage.notice(back.number, "taken-out-").text
        ci(stage, group(stage))
        assert stage.split() == {"customer-v3": 100}
        stage.notice(back.number, "rollback-waits")
        stage.notice(2, "closed-rollback")
        stage.notice(1, "rolled-back-")

    def test_the_reply_says_that_the_step_is_not_in_the_queue_any_more(self, queued: Stage) -> None:
        step = queued.step()
        comment = queued.write(step.number, "/promote")
        queued.settle()
        ci(queued, group(queued), "failure")
        queued.later(minutes=30)
        assert waiting(queued) == []
        reply = queued.reply_to(comment)
        assert reply.decision == "pending"
        assert "taken out of the merge queue" in reply.text
        assert "is in the merge queue" not in reply.text
        assert queued.say(step.number, "/promote").decision == "pending"
        assert waiting(queued) == [step.number]

    def test_where_nobody_promoted_it_people_are_told(self, stage: Stage) -> None:
        stage.configure("rules: fast\n")
        begin(stage)
        guard(stage, "MERGE", "ci")
        step = stage.step()
        ci(stage, step.head_sha)
        stage.later(minutes=6)
        ci(stage, group(stage), "failure")
        assert "`/promote` puts it back" in stage.notice(step.number, "taken-out-").text
        stage.later(minutes=30)
        assert waiting(stage) == []

    def test_a_hold_after_the_entry_was_not_noted(self, queued: Stage) -> None:
        step = queued.step()
        # The wish and the intention are written; what came of it is not.
        queued.run.server.faults.add("PATCH", rf"/pulls/{step.number}$", "before-500", times=1000, skip=2)
        queued.write(step.number, "/promote")
        queued.settle()
        assert waiting(queued) == [step.number]
        queued.run.server.faults.clear()
        queued.say(1, "/hold -- incident", by="ada")
        queued.later(minutes=15)
        assert waiting(queued) == []
        assert not queued.pull(step.number).merged
        queued.notice(step.number, "comment/")
