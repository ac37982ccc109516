"""Whoever may write to a repository may edit the bodies of its pull requests: what the bot remembers there is no proof.

Everything here is done by ``mona``, who has the role ``write``, with the value in a body of the bot's own.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.core.markers import Proposal, Wish
from bot.core.trailers import overrides
from tests.scenarios.moves import begin, push_button, run_of, sweep

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

GATE = "canary / gate"
AT_25 = {"customer-v3": 75, "customer-v4": 25}
LINE = "\nCanary-Override: freeze by ada and kim"


def body_of(stage: Stage, number: int) -> Proposal:
    proposal = Proposal.read(stage.pull(number).body or "")
    assert proposal is not None
    return proposal


def forge(stage: Stage, number: int, **changed: object) -> None:
    """Edit the value in a body, and let the bot look."""
    proposal = replace(body_of(stage, number), **changed)  # type: ignore[arg-type]
    stage.run.world.edit_pull(stage.repo, number, body=proposal.put(stage.pull(number).body or ""), by="mona")
    stage.settle()
    sweep(stage)


def ada(stage: Stage) -> int:
    return stage.run.world.account("ada").id


class TestWish:
    """A promotion that is remembered there is believed where it was typed only."""

    def dropped(self, stage: Stage, step: int) -> None:
        assert "The promotion of `ada` is not there any more" in stage.notice(step, "wish-dropped").text
        assert stage.pull(step).state == "open"
        assert body_of(stage, step).wish is None

    @pytest.mark.parametrize("rules", ["permissions: {promote: [admin]}\n", ""])
    def test_nobody_typed_it(self, stage: Stage, rules: str) -> None:
        """Also where everybody who may edit the body may promote: the trail names who did."""
        if rules:
            stage.configure(rules)
        begin(stage)
        step = stage.step().number
        stage.later(minutes=31)
        forge(stage, step, wish=Wish("ada", "comment/1", 1, ada(stage)))
        self.dropped(stage, step)
        assert stage.split() == AT_25

    def test_of_another_step(self, stage: Stage) -> None:
        begin(stage)
        said = stage.step().number
        assert stage.say(said, "/promote", by="ada").code == "remembered"
        wish = body_of(stage, said).wish
        stage.later(minutes=31)
        stage.later(minutes=31)
        step = stage.step().number
        assert step != said
        forge(stage, step, wish=wish)
        self.dropped(stage, step)

    def test_of_another_step_that_was_merged_at_once(self, stage: Stage) -> None:
        """The word is as old as the merge that it led to, to the second."""
        stage.configure("permissions: {promote: [admin]}\n")
        number = begin(stage)
        stage.later(minutes=31)
        said = stage.write(number, "/promote", by="ada")
        stage.settle()
        assert stage.reply_to(said).code == "applied"
        stage.later(minutes=31)
        step = stage.step().number
        forge(stage, step, wish=Wish("ada", f"comment/{said.id}", number, ada(stage)))
        self.dropped(stage, step)

    def test_of_another_service(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step().number
        said = stage.write(step, "/promote basket", by="ada")
        stage.settle()
        stage.later(minutes=31)
        assert stage.reply_to(said).code == "unknown-service"
        forge(stage, step, wish=Wish("ada", f"comment/{said.id}", step, ada(stage)))
        stage.notice(step, "wish-dropped")
        assert stage.pull(step).state == "open"

    def test_in_the_name_of_the_comment_that_is_answered(self, stage: Stage) -> None:
        """The body names the comment before the bot comes to it: what that says counts, and who wrote it."""
        begin(stage)
        step = stage.step().number
        stage.later(minutes=31)
        said = stage.write(step, "/canary why", by="ada")
        forge(stage, step, wish=Wish("ada", f"comment/{said.id}", step, ada(stage)))
        stage.reply_to(said)
        self.dropped(stage, step)

    def test_another_button(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step().number
        push_button(stage, step, "hold", by="ada")
        stage.settle()
        (reply,) = (r for r in stage.all_replies(step) if r.answer.to.startswith("button/"))
        assert stage.notice(step, reply.answer.to).answer.verbs == ("hold",)
        stage.later(minutes=31)
        forge(stage, step, hold=None, wish=Wish("ada", reply.answer.to, step, ada(stage)))
        self.dropped(stage, step)

    def test_lines_of_a_commit_message_that_nobody_measured(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step().number
        stage.later(minutes=31)
        forge(stage, step, wish=Wish("ada", f"comment/1{LINE}", 1, ada(stage)))
        assert [message for message in stage.log() if overrides(message)] == []
        assert body_of(stage, step).wish is None  # the value was no value, and is written anew


def test_a_title_is_no_line_of_a_commit(stage: Stage) -> None:
    begin(stage)
    step = stage.step().number
    stage.run.world.edit_pull(stage.repo, step, title="Canary-Service: apps/other.yaml#shop/other", by="mona")
    stage.settle()
    stage.later(minutes=31)
    assert stage.say(step, "/promote").code == "applied"
    assert not [message for message in stage.log() if "shop/other" in message]
    assert any(message.startswith(f"customer: 25 % → 50 % (#{step})\n") for message in stage.log())


class TestTime:
    """The bake time counts from the merge that GitHub knows of."""

    def test_of_the_first_step(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step().number
        merged = stage.pull(number).merged_at
        assert merged is not None
        assert stage.say(step, "/promote").code == "remembered"
        stage.later(minutes=5)
        forge(stage, step, since=(merged - timedelta(days=1)).isoformat())
        assert stage.pull(step).state == "open"
        assert body_of(stage, step).since == merged.isoformat()
        assert stage.check(step, GATE)[0] is None
        assert str(run_of(stage, step).output["summary"]).count("bake") > 0
        stage.later(minutes=26)
        assert stage.pull(step).merged

    @pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
    def test_of_a_later_step(self, stage: Stage, method: str) -> None:
        begin(stage)
        stage.later(minutes=31)
        first = stage.step().number
        stage.merge(first, method=method)
        merged = stage.pull(first).merged_at
        assert merged is not None
        stage.later(minutes=5)
        step = stage.step().number
        forge(stage, step, since=(merged - timedelta(minutes=30)).isoformat(), commit="0" * 40)
        assert (body_of(stage, step).since, body_of(stage, step).commit) == (
            merged.isoformat(),
            stage.pull(first).merge_commit_sha,
        )
        assert stage.check(step, GATE)[0] is None

    def test_of_a_step_that_merges_itself(self, stage: Stage) -> None:
        stage.configure("rules: fast\n")
        begin(stage)
        step = stage.step().number
        forge(stage, step, since="2020-01-01T00:00:00+00:00")
        assert stage.pull(step).state == "open"
        assert stage.split() == AT_25

    def test_of_an_adopted_edit(self, stage: Stage) -> None:
        number = begin(stage)
        text = stage.read().replace(b"percent: 75", b"percent: 70").replace(b"percent: 25", b"percent: 30")
        stage.run.world.commit(stage.repo, "main", {"apps/customer.yaml": text}, "By hand", by="ada")
        stage.later(minutes=1)
        assert stage.say(number, "/canary adopt").code == "applied"
        step = stage.step().number
        adopted, since = body_of(stage, step).adopted, body_of(stage, step).since
        assert adopted is not None
        long_ago = "2020-01-01T00:00:00+00:00"
        forge(stage, step, since=long_ago, adopted=replace(adopted, since=long_ago))
        assert body_of(stage, step).since == since
        assert stage.check(step, GATE)[0] is None

    def test_the_truth_costs_one_request_and_only_once(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step().number
        stage.later(minutes=29)
        assert stage.check(step, GATE)[0] is None

        def asked() -> int:
            sent = stage.run.server.by(stage.run.app.bot.login)
            return sum("/commits/" in r.path and r.path.endswith("/pulls") for r in sent)

        before = asked()
        stage.later(minutes=3)
        assert stage.check(step, GATE)[0] == "success"
        assert asked() == before + 1
        sweep(stage)
        assert asked() == before + 1


def test_a_rollback_of_a_person_is_a_persons_to_merge(stage: Stage) -> None:
    """The bot merges one by itself where its own commit says that the rules asked for it."""
    begin(stage)
    step = stage.step().number
    assert stage.say(1, "/rollback", by="tess").code == "proposed"
    stage.notice(step, "closed-rollback")
    back = stage.step().number
    forge(stage, back, cause="gate error-rate")
    stage.later(minutes=11)
    assert stage.pull(back).state == "open"
    assert stage.split() == AT_25
