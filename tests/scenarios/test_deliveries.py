"""Exactly one result: commands at once, deliveries that go wrong, and one reply for each comment."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

from bot.core.markers import Answer
from tests.scenarios.moves import begin, delivery_of, flush, silent, sweep, untouched
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4, Stage

if TYPE_CHECKING:
    from bot.sandbox.model import Comment

CART = CUSTOMER.replace(b"customer", b"cart")


class TestAtOnce:
    """Commands are worked off one after the other, in the order in which they were written."""

    def test_53_two_people_lower_id_wins(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        first = stage.write(number, "/canary 25", by="mona")
        second = stage.write(number, "/canary 75", by="kim")
        flush(stage, shuffle=1)
        assert stage.reply_to(first).code == "applied"
        late = stage.reply_to(second)
        assert (late.decision, late.code) == ("declined", "superseded")
        assert "Superseded by `mona`" in late.text
        assert f"#issuecomment-{first.id}" in late.text
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
        assert stage.say(number, "/canary 75", by="kim").code == "applied"

    def test_a_first_one_that_is_declined_is_in_nobodys_way(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        first = stage.write(number, "/canary 25", by="rita")
        second = stage.write(number, "/canary 75", by="kim")
        flush(stage)
        assert stage.reply_to(first).code == "not-allowed"
        assert stage.reply_to(second).code == "applied"

    def test_the_same_person_twice_the_last_one_counts(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        first, second = (stage.write(number, f"/canary {n}") for n in (25, 75))
        flush(stage)
        assert stage.reply_to(first).code == "applied"
        assert stage.reply_to(second).code == "applied"
        assert stage.split("v4") == {"customer-v3": 25, "customer-v4": 75}

    def test_canary_and_rollback_at_once(self, stage: Stage) -> None:
        """Stopping is never superseded."""
        number = begin(stage)
        step = stage.step()
        stage.run.world.hooks.pause()
        first = stage.write(step.number, "/promote", by="mona")
        second = stage.write(number, "/rollback", by="kim")
        flush(stage)
        stage.reply_to(first)
        assert stage.reply_to(second).code == "proposed"
        stage.notice(step.number, "closed-rollback")
        assert stage.split(stage.step().head_ref) == {"customer-v3": 100}

    def test_two_rollbacks_at_once_open_one_pull_request(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        stage.run.world.hooks.pause()
        said = [stage.write(n, "/rollback", by=who) for n, who in ((number, "mona"), (step.number, "kim"))]
        flush(stage, copies=2, shuffle=3)
        assert sorted(stage.reply_to(c).code for c in said) == ["already", "proposed"]
        stage.notice(step.number, "closed-rollback")
        assert stage.step().head_ref.endswith("/rollback")

    def test_two_pull_requests_of_one_service(self, stage: Stage) -> None:
        newer = VERSION_4.replace(b"customer-v4", b"customer-v5").replace(b"4.0.0", b"5.0.0")
        numbers = stage.feature(), stage.feature(newer, name="v5", by="kim")
        stage.run.world.hooks.pause()
        said = [stage.write(n, "/canary 25", by=who) for n, who in zip(numbers, ("mona", "kim"), strict=True)]
        flush(stage)
        assert [stage.reply_to(c).code for c in said] == ["applied", "applied"]
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
        assert stage.split("v5") == {"customer-v3": 75, "customer-v5": 25}
        stage.merge(numbers[0])
        assert stage.step().title == "customer: 25 % → 50 %"
        assert stage.split("main") == {"customer-v3": 75, "customer-v4": 25}

    def test_two_merged_pull_requests_of_one_service(self, stage: Stage) -> None:
        """Two starts of two rollouts may both be proposed; the one that is merged first runs."""
        first = stage.feature()
        stage.merge(first)
        newer = VERSION_4.replace(b"customer-v4", b"customer-v5").replace(b"4.0.0", b"5.0.0")
        second = stage.feature(newer, name="v5", by="kim")
        stage.merge(second)
        stage.run.world.hooks.pause()
        said = [stage.write(n, "/canary 25", by=who) for n, who in ((first, "mona"), (second, "kim"))]
        flush(stage)
        assert [stage.reply_to(c).code for c in said] == ["proposed", "proposed"]
        assert stage.split() == {"customer-v3": 100}
        # Both are about what the base branch holds now, so only the later one stays open.
        start = stage.step()
        assert stage.split(start.head_ref) == {"customer-v3": 75, "customer-v5": 25}
        assert "starts the rollout instead" in stage.notice(start.number - 1, "closed-superseded").text


class TestDeliveries:
    """Exactly one result, whatever is repeated, reordered or lost."""

    def ready(self, stage: Stage) -> tuple[int, Comment]:
        number = stage.feature()
        stage.run.world.hooks.pause()
        return number, stage.write(number, "/canary 25")

    def one_result(self, stage: Stage, said: Comment) -> None:
        stage.settle()
        assert stage.reply_to(said).code == "applied"
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
        mine = [m for m in stage.log("v4") if f"Canary-Comment: {said.id}" in m]
        assert len(mine) == 1
        assert stage.reactions(said) == ["eyes", "rocket"]

    def test_sent_twice(self, stage: Stage) -> None:
        _, said = self.ready(stage)
        flush(stage, copies=2)
        self.one_result(stage, said)

    def test_twenty_in_parallel_with_as_many_ids(self, stage: Stage) -> None:
        _, said = self.ready(stage)
        sent = delivery_of(stage, said)
        statuses: list[int] = []

        def post() -> None:
            headers = sent.headers() | {"X-GitHub-Delivery": str(uuid.uuid4())}
            url = stage.run.bot.webhook_url
            statuses.append(httpx.post(url, content=sent.body, headers=headers, timeout=20).status_code)

        threads = [threading.Thread(target=post) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [202] * 20
        flush(stage)
        self.one_result(stage, said)

    def test_redelivered(self, stage: Stage) -> None:
        _, said = self.ready(stage)
        flush(stage)
        self.one_result(stage, said)
        stage.run.world.hooks.redeliver(delivery_of(stage, said).guid)
        self.one_result(stage, said)

    def test_60_the_same_body_under_another_events_name(self, stage: Stage) -> None:
        _, said = self.ready(stage)
        sent = delivery_of(stage, said)
        for event in ("pull_request", "pull_request_review", "check_run", "installation", "ping"):
            headers = sent.headers() | {"X-GitHub-Event": event, "X-GitHub-Delivery": str(uuid.uuid4())}
            url = stage.run.bot.webhook_url
            assert httpx.post(url, content=sent.body, headers=headers, timeout=20).status_code == 202
        stage.settle()
        assert silent(stage, said)
        flush(stage)
        self.one_result(stage, said)

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_out_of_order(self, stage: Stage, seed: int) -> None:
        """A whole rollout's deliveries in any order lead to the same state."""
        number = stage.feature()
        stage.run.world.hooks.pause()
        said = stage.write(number, "/canary 25")
        flush(stage)
        stage.reply_to(said)
        stage.run.world.hooks.pause()
        later = stage.write(number, "/canary 30")
        stage.run.world.review(stage.repo, number, "", "APPROVED", by="kim")
        question = stage.write(number, "/canary status", by="rita")
        flush(stage, shuffle=seed, copies=2)
        stage.run.world.hooks.pause()
        stage.run.world.merge(stage.repo, number, by="mona")
        word = stage.write(number, "/hold", by="kim")
        flush(stage, shuffle=seed, copies=2)
        assert [stage.reply_to(c).code for c in (later, question, word)] == ["applied", "shown", "applied"]
        assert stage.step().title == "customer: 30 % → 50 %"
        stage.later(minutes=31)
        assert "On hold by kim" in stage.check(stage.step().number, "canary / gate")[1]

    def test_a_lost_comment_is_found_by_the_sweep(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.drop(1)
        said = stage.write(number, "/canary 25")
        stage.settle()
        assert silent(stage, said)
        sweep(stage)
        self.one_result(stage, said)
        sweep(stage)
        self.one_result(stage, said)

    def test_a_lost_comment_on_a_pull_request_without_news_is_found(self, stage: Stage) -> None:
        number = stage.feature()
        stage.later(hours=5)
        stage.run.world.hooks.drop(1)
        said = stage.write(number, "/canary 25")
        stage.settle()
        sweep(stage)
        self.one_result(stage, said)

    def test_a_lost_merge_is_found_by_the_sweep(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/canary 25")
        stage.run.world.hooks.drop(10)
        stage.merge(number)
        stage.run.world.hooks.drop(0)
        assert stage.no_step()
        sweep(stage)
        assert stage.step().title == "customer: 25 % → 50 %"

    def test_a_lost_closing_of_a_step_is_found_by_the_sweep(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        stage.run.world.hooks.drop(10)
        stage.close(step.number)
        stage.run.world.hooks.drop(0)
        sweep(stage)
        assert "**hold**" in stage.notice(step.number, "step-closed").text
        sweep(stage)
        assert stage.no_step()

    def test_everything_lost_from_the_first_comment_on(self, stage: Stage) -> None:
        number = stage.feature()
        hooks = stage.run.world.hooks
        hooks.drop(1000)
        said = stage.write(number, "/canary 25")
        sweep(stage)
        self.one_result(stage, said)
        stage.merge(number)
        sweep(stage)
        stage.later(minutes=31)
        wish = stage.write(stage.step().number, "/promote")
        sweep(stage)
        assert stage.reply_to(wish).code == "applied"
        sweep(stage)
        hooks.drop(0)
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert stage.step().title == "customer: 50 % → 100 %"

    def test_a_sweep_of_a_repository_at_rest_says_nothing(self, stage: Stage) -> None:
        number = begin(stage)
        sweep(stage)
        sweep(stage)
        assert stage.step().title == "customer: 25 % → 50 %"
        assert len(stage.all_replies(number)) == 1


class TestReplies:
    """One reply per comment, edited in place when the outcome changes."""

    def test_a_remembered_promotion(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        said = stage.write(step.number, "/promote")
        stage.settle()
        before = stage.reply_to(said)
        assert (before.decision, before.code) == ("pending", "remembered")
        stage.later(minutes=31)
        after = stage.reply_to(said)
        assert (after.decision, after.code) == ("done", "applied")
        assert f"Merged #{step.number}" in after.text
        assert [r.answer.to for r in stage.all_replies(step.number)] == [f"comment/{said.id}"]

    def test_two_wishes_for_one_step_are_both_told(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        first, second = stage.write(step.number, "/promote"), stage.write(1, "/promote", by="kim")
        stage.settle()
        assert {stage.reply_to(first).code, stage.reply_to(second).code} == {"remembered"}
        stage.later(minutes=31)
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert {stage.reply_to(first).code, stage.reply_to(second).code} == {"applied"}
        assert stage.step().title == "customer: 50 % → 100 %"

    def test_several_commands_get_one_reply(self, stage: Stage) -> None:
        number = stage.feature()
        said = stage.write(number, "Here we go\n\n/canary 25\n/canary status\n\nThanks")
        stage.settle()
        reply = stage.reply_to(said)
        assert reply.answer.verbs == ("canary", "status")
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}

    def test_one_error_means_nothing_runs(self, stage: Stage) -> None:
        number = stage.feature()
        reply = stage.say(number, "/canary 25\n/canary status of it")
        assert reply.decision == "not-understood"
        assert untouched(stage)

    def test_the_reply_says_the_outcome_for_machines(self, stage: Stage) -> None:
        number = stage.feature()
        answer = stage.say(number, "/canary 25").answer
        assert (answer.decision, answer.code, answer.service, answer.step) == (
            "done",
            "applied",
            "customer",
            "1/3",
        )
        assert answer.rollout.startswith("customer-")

    def test_a_reply_that_somebody_deleted(self, stage: Stage) -> None:
        """Without its reply a command is looked at again, and finds that it was carried out."""
        number = stage.feature()
        said = stage.write(number, "/canary 25")
        stage.settle()
        stage.reply_to(said)
        commits = len(stage.log("v4"))
        self.delete_reply(stage, said)
        sweep(stage)
        stage.reply_to(said)
        assert len(stage.log("v4")) == commits

    def test_a_hold_whose_reply_was_deleted_after_the_resume(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        said = stage.write(step.number, "/hold")
        stage.settle()
        stage.reply_to(said)
        stage.say(step.number, "/resume")
        self.delete_reply(stage, said)
        sweep(stage)
        assert stage.reply_to(said).code == "already"
        stage.later(minutes=31)
        assert stage.check(step.number, "canary / gate")[0] == "success"

    def delete_reply(self, stage: Stage, said: Comment) -> None:
        for entry in stage.run.world.timeline(stage.repo, said.number):
            answer = Answer.read(entry.comment.body) if entry.comment is not None else None
            if entry.comment is not None and answer is not None and answer.to == f"comment/{said.id}":
                stage.run.world.delete_comment(stage.repo, entry.comment.id, by="ada")
        stage.settle()

    def test_services_of_several_files_each_by_name(self, stage: Stage) -> None:
        stage.run.world.commit(stage.repo, "main", {"apps/cart.yaml": CART}, "Cart", by="ada")
        new_cart = CART.replace(b"cart-v3   #", b"cart-v4   #").replace(b"cart:3.4.1", b"cart:4.0.0")
        stage.branch("both", {PATH: VERSION_4, "apps/cart.yaml": new_cart})
        number = stage.run.world.open_pull(stage.repo, "both", "main", "Both", by="mona").number
        stage.settle()
        stage.run.world.hooks.pause()
        first = stage.write(number, "/canary cart 25", by="mona")
        second = stage.write(number, "/canary customer 75", by="kim")
        flush(stage)
        assert stage.reply_to(first).code == "applied"
        assert stage.reply_to(second).code == "applied"  # another service: nobody is superseded
        assert stage.split("both") == {"customer-v3": 25, "customer-v4": 75}
        assert stage.split("both", path="apps/cart.yaml", name="cart") == {"cart-v3": 75, "cart-v4": 25}


class TestChecks:
    """Checks are always reported."""

    def plan(self, stage: Stage) -> str | None:
        return stage.check(stage.step().number, "canary / plan")[0]

    def test_a_rebuilt_step_has_its_plan(self, stage: Stage) -> None:
        begin(stage)
        head = stage.step().head_sha
        stage.push("main", stage.read().replace(b"team-shop", b"team-store"), by="ada")
        stage.later(minutes=31)
        assert stage.step().head_sha != head
        assert self.plan(stage) == "success"

    def test_a_plan_that_github_did_not_take_at_once(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/canary 25")
        stage.run.server.faults.add("POST", f"/repos/{stage.repo}/check-runs", "before-502")
        stage.merge(number)
        stage.later(minutes=1)
        assert self.plan(stage) == "success"
        assert stage.step().title == "customer: 25 % → 50 %"
