"""Judge again, and make it again from the base branch: ``/canary retry``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.core.markers import Hold, Proposal
from tests.scenarios.moves import begin
from tests.scenarios.stage import PATH, VERSION_4, Stage

if TYPE_CHECKING:
    from bot.sandbox.model import Pull


@pytest.fixture
def rolling(stage: Stage) -> Stage:
    """The customer service at 25 %; the step to 50 % is #2."""
    begin(stage)
    return stage


def value_of(pull: Pull) -> Proposal:
    value = Proposal.read(pull.body or "")
    assert value is not None
    return value


def test_the_verdict_of_now(rolling: Stage) -> None:
    reply = rolling.say(2, "/canary retry")
    assert (reply.decision, reply.code) == ("done", "applied")
    assert "Baking: 0 of 30 min" in reply.text
    rolling.later(minutes=31)
    assert "It may be merged." in rolling.say(1, "/canary retry").text


def test_nothing_is_done_twice(rolling: Stage) -> None:
    head = rolling.step().head_sha
    rolling.say(2, "/canary retry")
    rolling.say(2, "/canary retry", by="kim")
    assert rolling.step().head_sha == head


def test_the_branch_is_made_again_from_base(rolling: Stage) -> None:
    rolling.push("main", b"more\n", path="README.md", by="ada")
    tip = rolling.run.world.log(rolling.repo, "main")[0].sha
    head = rolling.step().head_sha
    assert "made again from `main`" in rolling.say(2, "/canary retry").text
    assert rolling.step().head_sha != head
    assert rolling.run.world.log(rolling.repo, rolling.step().head_ref)[1].sha == tip
    assert rolling.check(2, "canary / plan")[0] == "success"
    assert rolling.check(2, "canary / gate")[0] is None


def test_a_persons_commits_are_kept_and_said(rolling: Stage) -> None:
    step = rolling.step()
    sha = rolling.push(step.head_ref, b"more\n", path="README.md")
    assert "A person committed to this branch" in rolling.say(2, "/canary retry").text
    assert step.head_sha == sha


def test_a_hold_of_a_failing_gate_is_forgotten(rolling: Stage) -> None:
    step = rolling.step()
    held = replace(value_of(step), hold=Hold(by="", cause="gate"))
    rolling.run.world.edit_pull(rolling.repo, 2, body=held.put(step.body or ""), by=rolling.run.app.bot.login)
    rolling.later(minutes=31)
    assert rolling.check(2, "canary / gate")[0] is None
    assert "failing gate had set is gone" in rolling.say(2, "/canary retry").text
    assert rolling.check(2, "canary / gate")[0] == "success"


def test_a_persons_hold_is_not(rolling: Stage) -> None:
    rolling.say(2, "/hold")
    rolling.later(minutes=31)
    assert "On hold by `mona`" in rolling.say(2, "/canary retry").text
    assert value_of(rolling.step()).hold is not None


def test_a_step_that_was_closed_is_not(rolling: Stage) -> None:
    rolling.close(2)
    rolling.notice(2, "step-closed")
    assert rolling.say(1, "/canary retry").code == "held"
    assert rolling.no_step()


def test_a_merge_that_github_refused_is_tried_at_once(rolling: Stage) -> None:
    rolling.run.world.protect(rolling.repo, "main", approvals=1)
    rolling.later(minutes=31)
    assert rolling.say(2, "/promote").decision == "pending"
    assert "GitHub does not merge it yet" in rolling.say(2, "/canary retry").text
    rolling.run.world.review(rolling.repo, 2, "", "APPROVED", by="ada")
    reply = rolling.say(2, "/canary retry")
    assert "Merged #2" in reply.text
    assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}


def test_a_step_that_could_not_be_proposed(rolling: Stage) -> None:
    content = rolling.read()
    rolling.push("main", content.replace(b"percent: 75", b"percent: !!int 75"), by="ada")
    assert rolling.say(2, "/canary retry").decision == "declined"
    rolling.push("main", content, by="ada")
    assert rolling.say(2, "/canary retry").code == "applied"


def test_drift_is_not_judged_away(rolling: Stage) -> None:
    content = rolling.read().replace(b"percent: 75", b"percent: 70").replace(b"percent: 25", b"percent: 30")
    rolling.push("main", content, by="ada")
    reply = rolling.say(2, "/canary retry")
    assert reply.code == "drifted"
    assert "`/canary adopt`" in reply.text


def test_before_the_merge_the_manifests_are_judged(stage: Stage) -> None:
    number = stage.feature()
    assert stage.say(number, "/canary retry").code == "not-merged-yet"
    stage.say(number, "/canary 25")
    assert "`canary / plan` says **success**" in stage.say(number, "/canary retry").text
    stage.push("v4", stage.read("v4").replace(b"percent: 25", b"percent: 26"))
    assert "`canary / plan` says **failure**" in stage.say(number, "/canary retry").text


def test_on_a_rollback(rolling: Stage) -> None:
    rolling.say(2, "/rollback")
    rolling.notice(2, "closed-rollback")
    assert "#3 is as it should be" in rolling.say(3, "/canary retry").text
    rolling.push("main", rolling.read().replace(b"team-shop", b"team-store"), by="ada")
    assert "#3 is" in rolling.say(3, "/canary retry").text
    assert b"team-store" in rolling.read(rolling.step().head_ref)


def test_of_a_start(stage: Stage) -> None:
    stage.merge(stage.feature())
    stage.say(1, "/canary 25")
    stage.push("main", VERSION_4.replace(b"team-shop", b"team-store"), path=PATH, by="ada")
    stage.say(2, "/canary retry")
    assert b"team-store" in stage.read(stage.step().head_ref)


def test_it_needs_write_access(rolling: Stage) -> None:
    assert rolling.say(2, "/canary retry", by="tess").code == "not-allowed"
