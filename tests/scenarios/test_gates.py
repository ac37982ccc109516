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

    @pytest.mark.parametrize(
        "words", ["/promote", "/canary retry", "/hold", "/promote --override bake -- urgent"]
    )
    def test_a_command_that_comes_upon_it_is_told_so(self, stage: Stage, words: str) -> None:
        stage.measure(error_rate=0.002)
        number = cautious(stage)
        step = stage.step().number
        stage.later(minutes=31)  # it may be merged, and is asked about less often from now on
        stage.measure(error_rate=0.5)
        stage.later(minutes=2)
        reply = stage.say(step, words, by="ada")
        assert stage.split() == {"customer-v3": 100}
        assert (reply.decision, reply.code) == ("declined", "no-rollout")
        assert "The rules turned `customer` back" in reply.text
        assert "50 % is more than 1 %" in reply.text
        assert f"--again` on #{number}" in reply.text
        stage.notice(step, "closed-rollback")
        stage.notice(number, "rolled-back")

    def test_a_command_is_told_where_it_waits_to_be_merged(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        number = cautious(stage)
        stage.run.world.protect(stage.repo, "main", approvals=1)
        step = stage.step().number
        stage.measure(error_rate=0.024)
        stage.run.world.hooks.pause()
        stage.run.clock.advance(timedelta(minutes=1))
        flush(stage)
        reply = stage.say(number, "/promote")
        assert (reply.decision, reply.code) == ("declined", "rollback-open")
        back = stage.step().number
        assert f"#{back} waits to be merged" in reply.text
        stage.notice(step, "closed-rollback")
        stage.notice(back, "rollback-waits")

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

    def test_it_is_merged_too_when_the_traffic_drifts_meanwhile(self, stage: Stage) -> None:
        stage.measure(error_rate=0.002)
        number = cautious(stage)
        stage.run.world.protect(stage.repo, "main", approvals=1)
        step = stage.step().number
        stage.measure(error_rate=0.024)
        stage.later(minutes=2)
        stage.notice(step, "closed-rollback")
        back = stage.step().number
        hand = stage.read().replace(b"percent: 75", b"percent: 65").replace(b"percent: 25", b"percent: 35")
        stage.push("main", hand, by="ada")
        stage.run.world.review(stage.repo, back, state="APPROVED", by="kim")
        stage.later(minutes=11)
        assert stage.split() == {"customer-v3": 100}
        stage.notice(back, "rollback-waits")
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


ERRORS = """\
services: {customer: {gates: [errors]}}
gates:
  errors: {query: 'errors{revision="{candidate}"}', max: 0.01, unit: ratio}
"""


class TestHold:
    """`on-fail: hold`, the default, with a gate of the repository's own file."""

    def held(self, stage: Stage) -> int:
        stage.measure(errors=0.002)
        stage.configure(ERRORS)
        begin(stage)
        step = stage.step().number
        stage.measure(errors=0.024)
        stage.later(minutes=1)
        return step

    def test_the_numbers_are_told_once_and_the_check_is_red(self, stage: Stage) -> None:
        step = self.held(stage)
        notice = stage.notice(step, "gate-failed")
        assert "2.4 % is more than 1 %" in notice.text
        assert "**on hold** at 25 %" in notice.text
        for _ in range(3):
            stage.later(minutes=10)
            sweep(stage)
        conclusion, title = stage.check(step, "canary / gate")
        assert (conclusion, title) == ("failure", "Gate errors: 2.4 % is more than 1 %.")
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}

    @pytest.mark.parametrize("words", ["/resume", "/canary retry"])
    def test_it_is_judged_again_by_a_word_and_held_again(self, stage: Stage, words: str) -> None:
        step = self.held(stage)
        stage.notice(step, "gate-failed-0")
        assert "2.4 % is more than 1 %" in stage.say(step, words).text
        stage.notice(step, "gate-failed-1")
        stage.measure(errors=0.0)
        reply = stage.say(step, words, by="ada")
        assert "more than" not in reply.text
        stage.later(minutes=31)
        assert stage.check(step, "canary / gate")[0] == "success"

    def test_a_gate_that_recovers_goes_on_by_a_word_only(self, stage: Stage) -> None:
        step = self.held(stage)
        stage.notice(step, "gate-failed")
        stage.measure(errors=0.0)
        stage.later(hours=1)
        assert stage.check(step, "canary / gate")[0] is None
        assert "`/resume` judges again" in stage.say(step, "/canary status").text

    def test_a_person_may_merge_all_the_same_and_the_next_step_is_held(self, stage: Stage) -> None:
        step = self.held(stage)
        stage.notice(step, "gate-failed")
        stage.merge(step)
        assert stage.split()["customer-v4"] == 50
        assert "before its rules passed" in stage.say(stage.step().number, "/canary status").text

    def test_origin_is_the_line_of_the_repository(self, stage: Stage) -> None:
        stage.measure(errors=0.002)
        stage.configure(ERRORS)
        number = begin(stage)
        rows = stage.say(number, "/canary why").text.splitlines()
        row = next(row for row in rows if row.startswith("| gate errors |"))
        assert row.endswith(":4` |")
        assert "`.github/canary.yaml@" in row


LIVE = """\
services: {customer: {gates: [live]}}
gates:
  live: {live: argocd, namespace: argocd, object: shop}
"""


class TestLive:
    """Bake counts from the moment the cluster has the merged commit."""

    def test_merged_and_not_yet_live(self, stage: Stage) -> None:
        stage.configure(LIVE)
        begin(stage)
        stage.later(minutes=40)
        step = stage.step().number
        conclusion, title = stage.check(step, "canary / gate")
        assert conclusion is None
        assert title.startswith("Merged, not yet live")
        stage.measure(live=stage.run.clock.now())
        stage.later(minutes=20)
        assert stage.check(step, "canary / gate")[1].startswith("Baking: ")
        stage.later(minutes=11)
        assert stage.check(step, "canary / gate")[0] == "success"

    def test_merged_before_it_was_live_is_early(self, stage: Stage) -> None:
        stage.configure(LIVE)
        begin(stage)
        stage.later(minutes=40)
        stage.merge(stage.step().number)
        assert "before its rules passed" in stage.say(stage.step().number, "/canary status").text

    def test_commits_behind_it_that_keep_the_split_count(self, stage: Stage) -> None:
        stage.configure(LIVE)
        begin(stage)
        merged = stage.run.world.log(stage.repo, "main")[0].sha
        kept = stage.run.world.commit(stage.repo, "main", {"README.md": b"More\n"}, "Words", by="ada")
        stage.settle()
        stage.later(minutes=1)
        _, _, about = stage.answers.asked[stage.repo][-1]
        assert about.wanted.commits == (merged, kept)
        assert (about.wanted.weight, about.wanted.candidate) == (25, "customer-v4")


class TestGitHub:
    """Named checks of the merged commit, by the App that must have made them."""

    def test_waits_fails_and_passes(self, stage: Stage) -> None:
        text = "services: {customer: {gates: [e2e]}}\ngates:\n  e2e: {checks: [e2e], app: our-ci}\n"
        stage.configure(text)
        begin(stage)
        stage.later(minutes=31)
        step = stage.step().number
        assert "is not there yet" in stage.check(step, "canary / gate")[1]
        ci = stage.run.world.create_app("our-ci", "a secret of another App, long enough")
        merged = stage.run.world.log(stage.repo, "main")[0].sha
        run = {"name": "e2e", "head_sha": merged, "status": "completed"}
        stage.run.world.create_check(stage.repo, ci, run | {"conclusion": "success"})
        stage.later(minutes=1)
        assert stage.check(step, "canary / gate")[0] == "success"
        stage.run.world.create_check(stage.repo, ci, run | {"conclusion": "failure"})
        stage.later(minutes=5)
        assert "says failure" in stage.check(step, "canary / gate")[1]
        stage.notice(step, "gate-failed")


@pytest.mark.parametrize(
    "gate",
    [
        "{query: up, max: 1, server: 'http://169.254.169.254/'}",
        "{query: up, max: 1, server: 169.254.169.254}",
        "{query: up, max: 1, server: '2130706433'}",
        "{http: 'https://metadata.google.internal/'}",
        "{live: knative, cluster: '[::1]:6443'}",
    ],
)
def test_a_configuration_that_names_a_host_is_refused(stage: Stage, gate: str) -> None:
    """Row 64 of the threats: the operator's list decides, and nothing is asked."""
    stage.configure(f"gates:\n  errors: {gate}\nservices: {{customer: {{gates: [errors]}}}}\n")
    number = stage.feature()
    reply = stage.say(number, "/canary 25")
    assert reply.code == "config-invalid"
    assert "a host that is not on the operator's list" in reply.text
    assert ".github/canary.yaml:3" in reply.text
    assert stage.answers.asked[stage.repo] == []
