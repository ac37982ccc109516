"""Where GitHub waits for checks or reviews of its own: the bot turns auto-merge on, and off again in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.core.checks import GATE
from bot.core.markers import Proposal
from bot.sandbox.rules import pull_request, required_checks
from tests.scenarios.moves import begin, deliveries

if TYPE_CHECKING:
    from bot.sandbox.model import Pull
    from tests.scenarios.stage import Stage


@pytest.fixture
def guarded(stage: Stage) -> Stage:
    """Give a rollout at 25 % whose step has baked, on a branch that also asks for the check ``ci``."""
    stage.run.world.configure(stage.repo, allow_auto_merge=True)
    begin(stage)
    rules = [required_checks("ci"), required_checks(GATE, source=stage.run.app.id)]
    stage.run.world.add_ruleset(stage.repo, "main", rules=rules)
    stage.later(minutes=31)
    return stage


def ci(stage: Stage, pull: Pull, state: str = "success") -> None:
    """Report the check that is not ours."""
    stage.run.world.create_status(stage.repo, pull.head_sha, {"state": state, "context": "ci"}, by="ada")
    stage.settle()


def armed(pull: Pull) -> str | None:
    """Give who turned auto-merge on."""
    return None if pull.auto_merge is None else pull.auto_merge.who.login


BOT = "canary-bot[bot]"


class TestOn:
    def test_a_promotion_that_github_refuses_for_now(self, guarded: Stage) -> None:
        step = guarded.step()
        reply = guarded.say(step.number, "/promote")
        assert reply.decision == "pending"
        assert f"Auto-merge of #{step.number} is on" in reply.text
        assert "ci" in reply.text
        assert armed(step) == BOT
        ci(guarded, step)
        assert guarded.split() == {"customer-v3": 50, "customer-v4": 50}
        message = guarded.log()[0]
        assert message.startswith(f"{step.title} (#{step.number})")
        assert "Canary-Promoted-By: mona" in message

    def test_a_wish_from_before_its_bake_time(self, stage: Stage) -> None:
        stage.run.world.configure(stage.repo, allow_auto_merge=True)
        begin(stage)
        stage.run.world.add_ruleset(stage.repo, "main", rules=[pull_request(1)])
        step = stage.step()
        comment = stage.write(step.number, "/promote")
        stage.settle()
        assert armed(step) is None
        stage.later(minutes=31)
        assert armed(step) == BOT
        assert "Auto-merge" in stage.reply_to(comment).text
        stage.run.world.review(stage.repo, step.number, "", "APPROVED", by="ada")
        stage.settle()
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert "Merged" in stage.reply_to(comment).text

    def test_nothing_is_asked_twice(self, guarded: Stage) -> None:
        step = guarded.step()
        guarded.say(step.number, "/promote")
        guarded.later(hours=1)
        assert len(deliveries(guarded, "pull_request", "auto_merge_enabled")) == 1
        assert guarded.say(step.number, "/promote").decision == "pending"
        assert len(deliveries(guarded, "pull_request", "auto_merge_enabled")) == 1

    def test_where_it_is_not_allowed_the_bot_tries_again(self, guarded: Stage) -> None:
        guarded.run.world.configure(guarded.repo, allow_auto_merge=False)
        step = guarded.step()
        assert "I try again" in guarded.say(step.number, "/promote").text
        assert armed(step) is None
        ci(guarded, step)
        guarded.later(minutes=11)
        assert guarded.split() == {"customer-v3": 50, "customer-v4": 50}

    def test_a_plain_merge_asks_for_nothing_more(self, guarded: Stage) -> None:
        step = guarded.step()
        ci(guarded, step)
        guarded.run.server.requests.clear()
        guarded.say(step.number, "/promote")
        assert not [r for r in guarded.run.server.requests if r.path == "/graphql" or "/rules/" in r.path]

    def test_github_fails_at_the_document(self, guarded: Stage) -> None:
        step = guarded.step()
        guarded.run.server.faults.add("POST", "/graphql", "before-500")
        guarded.write(step.number, "/promote")
        guarded.settle()
        guarded.later(minutes=11)
        assert armed(step) == BOT
        guarded.notice(step.number, "comment/")

    @pytest.mark.parametrize("lost", ["after-500", "after-drop"])
    def test_the_answer_to_the_mutation_is_lost(self, guarded: Stage, lost: str) -> None:
        step = guarded.step()
        guarded.run.server.faults.add("POST", "/graphql", lost, skip=1)
        guarded.write(step.number, "/promote")
        guarded.settle()
        guarded.later(minutes=11)
        assert armed(step) == BOT
        guarded.notice(step.number, "comment/")
        ci(guarded, step)
        assert guarded.split() == {"customer-v3": 50, "customer-v4": 50}


class TestOff:
    """It is never left on while the gate does not pass."""

    @pytest.mark.parametrize("text", ["/hold", "/rollback"])
    def test_somebody_stops(self, guarded: Stage, text: str) -> None:
        step = guarded.step()
        guarded.say(step.number, "/promote")
        guarded.say(1, text)
        assert armed(step) is None
        ci(guarded, step)
        guarded.later(hours=1)
        assert guarded.split() == {"customer-v3": 75, "customer-v4": 25}
        if text == "/rollback":
            guarded.notice(step.number, "closed-rollback")
        else:
            guarded.say(1, "/resume")
            assert guarded.split() == {"customer-v3": 50, "customer-v4": 50}

    def test_a_freeze_begins(self, guarded: Stage) -> None:
        step = guarded.step()
        guarded.say(step.number, "/promote")
        config = b'version: 1\nfreezes:\n  - {name: always, deny: "FREQ=DAILY", for: 24h}\n'
        guarded.run.world.commit(guarded.repo, "main", {".github/canary.yaml": config}, "Freeze", by="ada")
        guarded.later(minutes=11)
        assert armed(step) is None

    def test_the_base_branch_drifts(self, guarded: Stage) -> None:
        step = guarded.step()
        guarded.say(step.number, "/promote")
        was = guarded.read()
        drifted = was.replace(b"percent: 75", b"percent: 70").replace(b"percent: 25", b"percent: 30")
        guarded.push("main", drifted, by="ada")
        guarded.later(minutes=11)
        assert armed(step) is None

    def test_the_wishers_right_is_withdrawn(self, guarded: Stage) -> None:
        step = guarded.step()
        guarded.say(step.number, "/promote", by="kim")
        guarded.role("kim", "read")
        guarded.later(minutes=11)
        assert armed(step) is None
        guarded.notice(step.number, "wish-dropped-")

    def test_a_person_pushes_another_split(self, guarded: Stage) -> None:
        step = guarded.step()
        guarded.say(step.number, "/promote")
        edited = (
            guarded.read(step.head_ref)
            .replace(b"percent: 50", b"percent: 40", 1)
            .replace(b"percent: 50", b"percent: 60")
        )
        guarded.push(step.head_ref, edited)
        assert armed(step) is None
        ci(guarded, step)
        assert guarded.split() == {"customer-v3": 75, "customer-v4": 25}

    def test_another_head_is_handed_over_anew(self, guarded: Stage) -> None:
        step = guarded.step()
        guarded.say(step.number, "/promote")
        first = step.head_sha
        guarded.push(step.head_ref, b"Docs\n", path="README.md")
        assert step.head_sha != first
        assert armed(step) == BOT
        proposal = Proposal.read(step.body or "")
        assert proposal is not None
        assert proposal.handed == step.head_sha

    def test_what_a_person_turned_on_stays_on(self, guarded: Stage) -> None:
        step = guarded.step()
        guarded.run.world.enable_auto_merge(guarded.repo, step.number, by="kim")
        guarded.settle()
        assert "by `kim`" in guarded.say(step.number, "/promote").text
        guarded.say(1, "/hold")
        assert armed(step) == "kim"
        ci(guarded, step)
        assert guarded.split() == {"customer-v3": 75, "customer-v4": 25}  # the required check is the lock


class TestMethods:
    """Where a branch forbids merge commits another way is taken, and the trailers stay."""

    @pytest.mark.parametrize("methods", [("squash",), ("rebase",), ("rebase", "squash")])
    def test_by_settings_of_the_repository(self, stage: Stage, methods: tuple[str, ...]) -> None:
        begin(stage)
        stage.run.world.configure(stage.repo, merge_methods=methods)  # type: ignore[arg-type]
        stage.later(minutes=31)
        assert stage.say(stage.step().number, "/promote").decision == "done"
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert "Canary-Weight: 50" in stage.log()[0]
        stage.later(minutes=31)
        assert stage.say(stage.step().number, "/promote").decision == "done"
        assert stage.split() == {"customer-v4": 100}
        stage.notice(1, "done-")

    def test_by_a_ruleset(self, stage: Stage) -> None:
        begin(stage)
        stage.run.world.add_ruleset(stage.repo, "linear", rules=["required_linear_history"])
        stage.later(minutes=31)
        step = stage.step()
        assert stage.say(step.number, "/promote").decision == "done"
        assert stage.log()[0].startswith(f"{step.title} (#{step.number})")
        assert "Canary-Promoted-By: mona" in stage.log()[0]


class TestDraft:
    def test_commands_work_and_nothing_is_merged_before_it_is_ready(self, stage: Stage) -> None:
        begin(stage)
        stage.later(minutes=31)
        step = stage.step()
        stage.run.world.set_draft(stage.repo, step.number, draft=True, by="mona")
        stage.settle()
        comment = stage.write(step.number, "/promote")
        stage.settle()
        assert "is a draft" in stage.reply_to(comment).text
        stage.later(hours=1)
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}
        stage.run.world.set_draft(stage.repo, step.number, draft=False, by="mona")
        stage.settle()
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert "Merged" in stage.reply_to(comment).text

    def test_an_armed_step_becomes_a_draft(self, guarded: Stage) -> None:
        step = guarded.step()
        guarded.say(step.number, "/promote")
        guarded.run.world.set_draft(guarded.repo, step.number, draft=True, by="mona")
        guarded.settle()
        assert armed(step) is None
        guarded.run.world.set_draft(guarded.repo, step.number, draft=False, by="mona")
        guarded.settle()
        assert armed(step) == BOT
