"""A rollout goes on: step by step, promoted, early, closed, edited, conflicting, superseded."""

from __future__ import annotations

import pytest

from tests.scenarios.stage import PATH, VERSION_4, Stage


@pytest.fixture
def rolling(stage: Stage) -> Stage:
    """The customer service at 25 %, its first pull request is #1."""
    assert stage.feature() == 1
    stage.say(1, "/canary 25")
    stage.merge(1)
    return stage


def test_merge_opens_the_next_step(rolling: Stage) -> None:
    step = rolling.step()
    assert step.title == "customer: 25 % → 50 %"
    assert rolling.split(step.head_ref) == {"customer-v3": 50, "customer-v4": 50}
    conclusion, title = rolling.check(step.number, "canary / gate")
    assert conclusion is None
    assert title.startswith("Baking: 0 of 30 min.")
    assert rolling.check(step.number, "canary / plan")[0] == "success"
    assert [label.name for label in step.labels] == ["canary"]


def test_the_gate_turns_green_when_the_bake_time_is_over(rolling: Stage) -> None:
    step = rolling.step()
    rolling.later(minutes=29)
    assert rolling.check(step.number, "canary / gate")[0] is None
    rolling.later(minutes=2)
    assert rolling.check(step.number, "canary / gate") == ("success", "50 % may be merged")
    assert step.state == "open"


def test_step_by_step_to_the_end(rolling: Stage) -> None:
    rolling.later(minutes=31)
    rolling.merge(rolling.step().number)
    assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}
    assert rolling.step().title == "customer: 50 % → 100 %"
    rolling.later(minutes=31)
    rolling.merge(rolling.step().number)
    assert rolling.split() == {"customer-v4": 100}
    assert b"customer-v3" not in rolling.read()
    assert rolling.no_step()
    assert "**Done**" in rolling.notice(1, "done-").text
    assert rolling.read() == VERSION_4.replace(b"revisionName: customer-v3", b"revisionName: customer-v4")


@pytest.mark.parametrize("method", ["squash", "rebase", "merge"])
def test_however_the_feature_is_merged_the_rollout_goes_on(stage: Stage, method: str) -> None:
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number, method=method)
    assert stage.step().title == "customer: 25 % → 50 %"


@pytest.mark.parametrize("method", ["squash", "rebase"])
def test_however_a_step_is_merged_the_rollout_goes_on(rolling: Stage, method: str) -> None:
    rolling.later(minutes=31)
    rolling.merge(rolling.step().number, method=method)
    assert rolling.step().title == "customer: 50 % → 100 %"


def test_promote_after_the_bake_time_merges(rolling: Stage) -> None:
    step = rolling.step()
    rolling.later(minutes=31)
    reply = rolling.say(step.number, "/promote")
    assert (reply.decision, reply.code) == ("done", "applied")
    assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}
    assert rolling.step().title == "customer: 50 % → 100 %"


def test_early_promote_is_remembered_and_merged_later(rolling: Stage) -> None:
    step = rolling.step()
    reply = rolling.say(step.number, "/promote")
    assert (reply.decision, reply.code) == ("pending", "remembered")
    assert "Baking: 0 of 30 min" in reply.text
    assert rolling.split() == {"customer-v3": 75, "customer-v4": 25}
    rolling.later(minutes=31)
    assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}
    edited = next(r for r in rolling.all_replies(step.number) if r.answer.to == reply.answer.to)
    assert (edited.decision, edited.code) == ("done", "applied")


def test_promote_on_the_feature_pull_request(rolling: Stage) -> None:
    rolling.later(minutes=31)
    assert rolling.say(1, "/promote").code == "applied"
    assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}


def test_promote_names_the_next_step_only(rolling: Stage) -> None:
    reply = rolling.say(rolling.step().number, "/promote full")
    assert reply.code == "step-order"
    assert "50 %, not 100 %" in reply.text
    assert rolling.say(rolling.step().number, "/promote 50").code == "remembered"


def test_promote_before_the_merge(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 25")
    assert stage.say(number, "/promote").code == "not-merged-yet"


def test_a_right_that_was_withdrawn_after_the_wish(rolling: Stage) -> None:
    step = rolling.step()
    rolling.say(step.number, "/promote", by="kim")
    rolling.role("kim", "read")
    rolling.later(minutes=31)
    assert rolling.split() == {"customer-v3": 75, "customer-v4": 25}
    assert "may not promote" in rolling.notice(step.number, "wish-dropped").text


def test_early_merge_is_a_fact_and_holds_the_next_step(rolling: Stage) -> None:
    rolling.merge(rolling.step().number)
    assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}
    step = rolling.step()
    rolling.later(minutes=31)
    conclusion, title = rolling.check(step.number, "canary / gate")
    assert conclusion is None
    assert "On hold" in title
    rolling.say(step.number, "/resume")
    assert rolling.check(step.number, "canary / gate")[0] == "success"


def test_closing_a_step_means_hold(rolling: Stage) -> None:
    step = rolling.step()
    rolling.close(step.number)
    assert "**hold**" in rolling.notice(step.number, "step-closed").text
    rolling.later(minutes=45)
    assert rolling.no_step()
    assert rolling.say(1, "/promote").code == "held"
    rolling.say(step.number, "/resume")
    again = rolling.step()
    assert again.number != step.number
    assert again.head_ref == step.head_ref
    assert rolling.check(again.number, "canary / gate")[0] == "success"


def test_a_step_whose_base_changed_is_rebuilt(rolling: Stage) -> None:
    step = rolling.step()
    rolling.push("main", rolling.read().replace(b"team-shop", b"team-store"), by="ada")
    rolling.later(minutes=31)
    assert rolling.run.world.mergeable(rolling.repo, step.number)
    rolling.say(step.number, "/promote")
    assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}
    assert b"team-store" in rolling.read()


def test_a_step_that_conflicts_with_base_is_rebuilt(rolling: Stage) -> None:
    step = rolling.step()
    rolling.push(
        "main", rolling.read().replace(b"percent: 75\n", b"percent: 75  # three quarters\n"), by="ada"
    )
    rolling.later(minutes=31)
    assert rolling.run.world.mergeable(rolling.repo, step.number)
    rolling.merge(step.number)
    assert b"percent: 50  # three quarters\n" in rolling.read()


def test_other_lines_committed_by_a_person_are_kept(rolling: Stage) -> None:
    step = rolling.step()
    rolling.push(step.head_ref, b"more\n", path="README.md")
    rolling.later(minutes=31)
    rolling.say(step.number, "/promote")
    assert rolling.read(path="README.md") == b"more\n"
    assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}


def test_a_split_edited_by_a_person_is_not_merged_by_the_bot(rolling: Stage) -> None:
    step = rolling.step()
    edited = (
        rolling.read(step.head_ref)
        .replace(b"percent: 50", b"percent: 40", 1)
        .replace(b"percent: 50", b"percent: 60")
    )
    rolling.push(step.head_ref, edited)
    conclusion, _ = rolling.check(step.number, "canary / gate")
    assert conclusion == "failure"
    rolling.later(minutes=31)
    assert rolling.say(step.number, "/promote").decision == "pending"
    assert rolling.split() == {"customer-v3": 75, "customer-v4": 25}
    assert rolling.read(step.head_ref) == edited


def test_drift_on_base_stops_and_the_next_steps_split_counts(rolling: Stage) -> None:
    step = rolling.step()
    was = rolling.read()
    rolling.push(
        "main", was.replace(b"percent: 75", b"percent: 70").replace(b"percent: 25", b"percent: 30"), by="ada"
    )
    rolling.later(minutes=31)
    assert rolling.say(step.number, "/promote").code == "drifted"
    assert rolling.check(step.number, "canary / gate")[0] == "failure"
    rolling.push(
        "main", was.replace(b"percent: 75", b"percent: 50").replace(b"percent: 25", b"percent: 50"), by="ada"
    )
    rolling.later(minutes=31)
    assert "**50 %**" in rolling.say(1, "/canary status").text
    rolling.say(1, "/rollback")  # the old step is overtaken; whatever happens next happens from 50 %
    rolling.notice(step.number, "closed-overtaken")
    rolling.notice(step.number + 1, "closed-rollback")
    assert rolling.split(rolling.step().head_ref) == {"customer-v3": 100}


def test_a_new_rollout_supersedes_the_unfinished_one(rolling: Stage) -> None:
    old = rolling.step()
    newer = (
        rolling.read()
        .replace(b"customer-v4   #", b"customer-v5   #")
        .replace(b"customer:4.0.0", b"customer:5.0.0")
    )
    number = rolling.feature(newer, name="v5")
    rolling.say(number, "/canary 25")
    rolling.merge(number)
    assert rolling.split() == {"customer-v3": 75, "customer-v5": 25}
    assert old.state == "closed"
    rolling.notice(old.number, "closed-superseded")
    assert rolling.step().title == "customer: 25 % → 50 %"


def test_fast_rules_merge_by_themselves(stage: Stage) -> None:
    stage.run.world.commit(
        stage.repo, "main", {".github/canary.yaml": b"version: 1\nrules: fast\n"}, "Rules", by="ada"
    )
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number)
    stage.later(minutes=6)
    assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
    stage.later(minutes=6)
    assert stage.split() == {"customer-v4": 100}
    stage.notice(number, "done-")


def test_a_merge_that_github_refuses_is_tried_again(rolling: Stage) -> None:
    step = rolling.step()
    rolling.run.world.protect(rolling.repo, "main", approvals=1)
    rolling.later(minutes=31)
    reply = rolling.say(step.number, "/promote")
    assert (reply.decision, step.state) == ("pending", "open")
    rolling.run.world.review(rolling.repo, step.number, "", "APPROVED", by="ada")
    rolling.later(minutes=11)
    assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}


def test_why_lists_every_rule_with_its_origin(rolling: Stage) -> None:
    reply = rolling.say(rolling.step().number, "/canary why", by="rita")
    assert "| bake time | ⏳ wait | 0 min since" in reply.text
    assert "`rules/standard.yaml:10`" in reply.text


def test_status_shows_split_and_open_step(rolling: Stage) -> None:
    reply = rolling.say(1, "/canary status", by="rita")
    assert "**25 %**" in reply.text
    assert f"#{rolling.step().number}" in reply.text
    assert PATH not in reply.text
