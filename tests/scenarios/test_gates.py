"""Gates in the running service: pass, fail, no answer; hold and rollback by the rules, each once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.core import trailers
from bot.core.gates import Outcome
from bot.core.witness import evidence_of
from bot.service.gating import NO_ENDPOINT
from tests.scenarios.moves import begin, flush, run_of, sweep
from tests.scenarios.stage import PATH

if TYPE_CHECKING:
    from tests.scenarios.answers import Said
    from tests.scenarios.stage import Stage


def cautious(stage: Stage) -> int:
    """Bring the service to 25 % under a rule set that watches errors and turns back."""
    stage.configure("rules: cautious\n")
    return begin(stage)


class TestPass:
    def test_a_step_is_merged_when_the_gate_passes_and_the_numbers_are_kept(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        number = cautious(stage)
        step = stage.step()
        assert stage.say(step.number, "/promote").code == "remembered"
        stage.later(minutes=31)
        assert stage.pull(step.number).merged
        message = next(m for m in stage.log() if f"(#{step.number})" in m)
        (kept,) = evidence_of(message)
        assert (kept.gate, kept.outcome, kept.value, kept.limit) == ("error-rate", Outcome.PASS, 0.002, 0.01)
        assert (kept.samples, kept.window) == (812, timedelta(minutes=15))
        assert stage.say(number, "/canary status").code == "shown"

    def test_body_and_check_show_what_was_measured(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        cautious(stage)
        stage.later(minutes=31)
        step = stage.step()
        assert stage.check(step.number, "canary / gate")[0] == "success"
        summary = str(run_of(stage, step.number).output["summary"])
        for text in (summary, str(step.body)):
            assert "| `error-rate` | ✅ pass | 0.2 % | ≤ 1 % | 812, want 200 | 15 min |" in text
            assert 'http_requests_total{revision="customer-v4"' in text

    def test_why_lists_the_gate_with_file_and_line(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        number = cautious(stage)
        reply = stage.say(number, "/canary why")
        assert (
            "| gate error-rate | ✅ pass | 0.2 %, 812 samples | ≤ 1 % | `rules/cautious.yaml:15` |"
            in reply.text
        )

    def test_it_is_asked_about_once_a_minute_whatever_is_looked_at(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        cautious(stage)
        stage.answers.asked[stage.repo].clear()
        for _ in range(3):
            sweep(stage)
        assert len(stage.answers.asked[stage.repo]) == 0
        stage.later(minutes=1)
        sweep(stage)
        assert len(stage.answers.asked[stage.repo]) == 1

    def test_numbers_alone_rewrite_nothing(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        cautious(stage)
        before = stage.step().body
        for value in (0.001, 0.003, 0.004):
            stage.measure(error_rate=value)
            stage.later(minutes=1)
        assert stage.step().body == before

    def test_at_0_percent_nothing_is_asked(self, stage: Stage) -> None:
        stage.configure("rules: cautious\n")
        number = stage.feature()
        assert stage.say(number, "/canary 0").code == "applied"
        stage.merge(number)
        assert stage.answers.asked[stage.repo] == []
        assert stage.check(stage.step().number, "canary / gate")[0] == "success"


class TestNoAnswer:
    """Unknown never advances, and nobody is told that it failed."""

    @pytest.mark.parametrize("said", [None, float("nan"), "`main` cannot be reached."])
    def test_it_waits_and_asks_people_once(self, stage: Stage, said: Said) -> None:
        stage.measure(error_rate=said)
        cautious(stage)
        step = stage.step()
        assert stage.say(step.number, "/promote").code == "remembered"
        stage.later(hours=2)
        assert stage.pull(step.number).state == "open"
        assert stage.check(step.number, "canary / gate")[0] is None
        for _ in range(3):
            stage.later(hours=24)
        notice = stage.notice(step.number, "gate-unanswered")
        assert "the step waits for a person now" in notice.text
        assert stage.pull(step.number).state == "open"
        stage.measure(error_rate=0.0)
        stage.later(minutes=10)
        assert stage.pull(step.number).merged

    def test_without_endpoints_the_operator_is_named(self, stage: Stage) -> None:
        stage.measure(error_rate=NO_ENDPOINT)
        number = cautious(stage)
        assert "The operator of the bot has named no endpoint" in stage.say(number, "/canary why").text


class TestRollback:
    """`on-fail: rollback`: at once, also while the step bakes."""

    def turned(self, stage: Stage) -> tuple[int, int]:
        stage.measure(error_rate=0.002)
        number = cautious(stage)
        step = stage.step()
        stage.measure(error_rate=0.024)
        stage.later(minutes=1)
        return number, step.number

    def test_the_bot_turns_back_and_says_on_what(self, stage: Stage) -> None:
        number, step = self.turned(stage)
        assert stage.split() == {"customer-v3": 100}
        assert stage.pull(step).state == "closed"
        assert not stage.pull(step).merged
        stage.notice(step, "closed-rollback")
        told = stage.notice(number, "rolled-back")
        assert "the gate `error-rate` failed" in told.text
        back = max(stage.numbers())
        body = str(stage.pull(back).body)
        assert "2.4 % is more than 1 %" in body
        assert "asked for by `rules`" in body
        made = next(m for m in stage.log() if trailers.records(m))
        (record,) = trailers.records(made)
        assert (record.step, record.requested_by, record.cause) == ("rollback", "rules", "gate error-rate")
        (kept,) = evidence_of(made)
        assert (kept.outcome, kept.value, kept.limit) == (Outcome.FAIL, 0.024, 0.01)
        assert stage.no_step()

    def test_it_does_not_start_again_by_itself(self, stage: Stage) -> None:
        number, step = self.turned(stage)
        stage.notice(step, "closed-rollback")
        stage.notice(number, "rolled-back")
        stage.measure(error_rate=0.0)
        count = len(stage.numbers())
        for _ in range(3):
            stage.later(hours=1)
            sweep(stage)
        assert len(stage.numbers()) == count
        assert stage.split() == {"customer-v3": 100}

    def test_a_hold_and_a_freeze_stop_no_rollback(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        number = cautious(stage)
        step = stage.step().number
        assert stage.say(step, "/hold").code == "applied"
        stage.measure(error_rate=0.5)
        stage.later(minutes=5)
        assert stage.split() == {"customer-v3": 100}
        stage.notice(step, "closed-rollback")
        stage.notice(number, "rolled-back")

    def test_where_the_bot_may_not_merge_people_are_told_once(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        number = cautious(stage)
        stage.run.world.protect(stage.repo, "main", approvals=1)
        step = stage.step().number
        stage.measure(error_rate=0.024)
        for _ in range(3):
            stage.later(minutes=15)
        stage.notice(step, "closed-rollback")
        back = stage.step()
        assert "Please merge it" in stage.notice(back.number, "rollback-waits").text
        stage.run.world.review(stage.repo, back.number, state="APPROVED", by="kim")
        stage.later(minutes=15)
        assert stage.pull(back.number).merged
        stage.notice(number, "rolled-back")

    def test_a_rollback_that_a_person_closed_is_not_opened_again_by_the_rules(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        number = cautious(stage)
        assert stage.say(number, "/rollback").code == "proposed"
        stage.notice(number + 1, "closed-rollback")
        stage.close(stage.step().number)
        assert stage.say(number, "/resume").code == "applied"
        step = stage.step()
        stage.measure(error_rate=0.024)
        for _ in range(3):
            stage.later(minutes=1)
        assert "**on hold** at 25 %" in stage.notice(step.number, "gate-failed").text
        assert stage.split()["customer-v4"] == 25


def test_redelivery_and_reordering_make_one_rollback(stage: Stage) -> None:
    stage.measure(error_rate=0.002)
    number = cautious(stage)
    step = stage.step().number
    stage.measure(error_rate=0.024)
    stage.run.world.hooks.pause()
    stage.run.clock.advance(timedelta(minutes=1))
    flush(stage, shuffle=7, copies=3)
    stage.notice(step, "closed-rollback")
    stage.notice(number, "rolled-back")
    backs = [p for p in stage.run.world.pulls(stage.repo) if p.head_ref.endswith("/rollback")]
    assert len(backs) == 1
    assert stage.read("main", PATH).count(b"percent: 100") == 1
