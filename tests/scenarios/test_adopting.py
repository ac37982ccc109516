"""A split that people set by hand becomes the step that a rollout has reached: ``/canary adopt``."""

from __future__ import annotations

import pytest

from bot.adapters.rulebook import built_in
from bot.core import trailers
from bot.core.markers import Adopted, Proposal
from bot.core.rollout import Phase
from bot.service.desk import Desk
from bot.service.reading import Historian, Service
from tests.scenarios.moves import begin
from tests.scenarios.stage import PATH, Stage

SHARES = b"percent: 75", b"percent: 25"


def by_hand(stage: Stage, stable: int, candidate: int) -> str:
    """Set the split on the base branch; give the commit."""
    now = stage.read()
    old = [
        line for line in now.split(b"\n") if line.startswith(b"    percent: ") and line != b"    percent: 0"
    ]
    assert len(old) == 2
    first, rest = now.split(old[0] + b"\n", 1)
    second, tail = rest.split(old[1] + b"\n", 1)
    content = first + b"    percent: %d\n" % stable + second + b"    percent: %d\n" % candidate + tail
    return stage.push("main", content, by="ada")


@pytest.fixture
def drifted(stage: Stage) -> Stage:
    """The customer service at 30 % by hand; the step from 25 % to 50 % is #2."""
    begin(stage)
    by_hand(stage, 70, 30)
    return stage


def test_the_rollout_goes_on_from_the_hand_edit(drifted: Stage) -> None:
    edit = drifted.run.world.log(drifted.repo, "main")[0].sha
    drifted.later(minutes=10)
    reply = drifted.say(2, "/canary adopt", by="kim")
    assert (reply.decision, reply.code) == ("done", "applied")
    assert "**30 %**" in reply.text
    assert f"`{edit[:7]}`" in reply.text
    assert "Baking: 10 of 30 min" in reply.text
    step = drifted.step()
    assert (step.number, step.title) == (2, "customer: 30 % → 50 %")
    assert drifted.run.world.mergeable(drifted.repo, step.number)
    assert drifted.check(2, "canary / gate")[1].startswith("Baking: 10 of 30 min")
    drifted.later(minutes=21)
    assert drifted.check(2, "canary / gate")[0] == "success"
    drifted.say(2, "/promote")
    assert drifted.split() == {"customer-v3": 50, "customer-v4": 50}
    assert f"Canary-Adopted: {edit} by kim" in "\n".join(drifted.log())
    assert drifted.step().title == "customer: 50 % → 100 %"


def test_the_word_is_forgotten_after_the_step_it_was_for(drifted: Stage) -> None:
    drifted.say(2, "/canary adopt")
    drifted.later(minutes=31)
    drifted.merge(2)
    last = drifted.step()
    value = Proposal.read(last.body or "")
    assert value is not None
    assert value.adopted is None
    drifted.later(minutes=31)
    drifted.merge(last.number)
    drifted.notice(1, "done-")
    said = [r for m in drifted.log() for r in trailers.records(m)]
    assert [bool(r.adopted) for r in said] == [False, True, False]


def test_the_same_word_twice_is_one(drifted: Stage) -> None:
    drifted.say(2, "/canary adopt")
    head = drifted.step().head_sha
    again = drifted.say(1, "/canary adopt", by="kim")
    assert (again.decision, again.code) == ("already", "already")
    assert drifted.step().head_sha == head


def test_all_of_it_is_read_from_git_and_github_again(drifted: Stage) -> None:
    drifted.say(2, "/canary adopt")
    forge = drifted.run.bot.parts.forge
    repo = forge.repository(drifted.run.install(drifted.repo), drifted.repo)
    fresh = Desk(repo, drifted.run.clock, built_in(), Historian())
    rollout = fresh.standing(Service("main", PATH, "shop/customer")).rollout
    assert (rollout.phase, rollout.weight, rollout.next_weight) == (Phase.ROLLING, 30, 50)


def test_the_next_step_is_the_next_higher_weight(stage: Stage) -> None:
    begin(stage)
    by_hand(stage, 40, 60)
    stage.say(1, "/canary adopt")
    stage.notice(2, "closed-overtaken")
    assert stage.step().title == "customer: 60 % → 100 %"


def test_back_to_an_earlier_weight_and_up_again(stage: Stage) -> None:
    begin(stage)
    stage.later(minutes=31)
    stage.merge(2)
    by_hand(stage, 80, 20)
    stage.say(1, "/canary adopt")
    stage.notice(3, "closed-overtaken")
    step = stage.step()
    assert step.title == "customer: 20 % → 25 %"
    stage.later(minutes=31)
    stage.merge(step.number)
    assert stage.split() == {"customer-v3": 75, "customer-v4": 25}
    step = stage.step()
    assert step.title == "customer: 25 % → 50 %"
    stage.later(minutes=31)
    stage.merge(step.number)
    assert stage.step().title == "customer: 50 % → 100 %"


def test_another_edit_is_drift_again(drifted: Stage) -> None:
    drifted.say(2, "/canary adopt")
    by_hand(drifted, 65, 35)
    assert drifted.say(2, "/promote").code == "drifted"
    drifted.say(2, "/canary adopt")
    assert drifted.step().title == "customer: 35 % → 50 %"
    by_hand(drifted, 75, 25)
    drifted.say(1, "/canary retry")
    assert drifted.step().title == "customer: 25 % → 50 %"
    assert drifted.run.world.mergeable(drifted.repo, 2)
    drifted.later(minutes=31)
    assert drifted.say(2, "/promote").code == "applied"
    assert "Canary-Adopted" not in "\n".join(drifted.log())


def test_a_hold_stays(drifted: Stage) -> None:
    drifted.say(2, "/hold -- looking")
    assert "On hold by `mona`" in drifted.say(2, "/canary adopt").text
    drifted.later(hours=1)
    assert drifted.check(2, "canary / gate")[0] is None


def test_a_step_that_was_closed_stays_held(stage: Stage) -> None:
    begin(stage)
    stage.close(2)
    stage.notice(2, "step-closed")
    by_hand(stage, 70, 30)
    assert "On hold" in stage.say(1, "/canary adopt").text
    step = stage.step()
    assert step.title == "customer: 30 % → 50 %"
    stage.later(hours=1)
    assert stage.check(step.number, "canary / gate")[0] is None
    stage.say(step.number, "/resume")
    assert stage.check(step.number, "canary / gate")[0] == "success"


def test_closing_the_adopted_step_means_hold(drifted: Stage) -> None:
    drifted.say(2, "/canary adopt")
    drifted.close(2)
    drifted.notice(2, "step-closed")
    drifted.say(1, "/resume")
    step = drifted.step()
    assert (step.title, step.number) == ("customer: 30 % → 50 %", 3)
    drifted.later(minutes=31)
    drifted.merge(3)
    assert "Canary-Adopted" in "\n".join(drifted.log())


def test_rollback_of_an_adopted_split(drifted: Stage) -> None:
    drifted.say(2, "/canary adopt")
    drifted.say(2, "/rollback")
    drifted.notice(2, "closed-rollback")
    drifted.merge(drifted.step().number)
    assert drifted.split() == {"customer-v3": 100}
    drifted.notice(1, "rolled-back-")


@pytest.mark.parametrize(
    ("block", "says"),
    [
        pytest.param(
            b"  - {tag: current, revisionName: customer-v3, percent: 100}\n",
            "the candidate revision `customer-v4` is not in it",
            id="candidate absent",
        ),
        pytest.param(
            b"  - {tag: candidate, revisionName: customer-v4, percent: 60}\n"
            b"  - {tag: old, revisionName: customer-v2, percent: 40}\n",
            "the stable revision `customer-v3` is not in it",
            id="stable missing",
        ),
        pytest.param(
            b"  - {tag: current, revisionName: customer-v3, percent: 50}\n"
            b"  - {tag: candidate, revisionName: customer-v4, percent: 30}\n"
            b"  - {tag: old, revisionName: customer-v2, percent: 20}\n",
            "other revisions have weight too: `customer-v2` (20 %)",
            id="three-way",
        ),
        pytest.param(
            b"  - {tag: current, revisionName: customer-v3, percent: 60}\n"
            b"  - {tag: candidate, revisionName: customer-v4, percent: 30}\n"
            b"  - {tag: latest, latestRevision: true, percent: 10}\n",
            "10 % follow whatever revision is the newest",
            id="floating weight",
        ),
    ],
)
def test_a_split_that_is_no_rollouts_is_declined(stage: Stage, block: bytes, says: str) -> None:
    begin(stage)
    stage.push("main", stage.read().partition(b"  traffic:\n")[0] + b"  traffic:\n" + block, by="ada")
    reply = stage.say(2, "/canary adopt")
    assert (reply.decision, reply.code) == ("declined", "not-adoptable")
    assert says in reply.text
    assert PATH in reply.text


def test_nothing_to_adopt(stage: Stage) -> None:
    begin(stage)
    assert stage.say(2, "/canary adopt").code == "already"
    assert stage.say(2, "/canary adopt", by="tess").code == "not-allowed"


def test_not_while_a_rollback_is_proposed_nor_after_the_end(drifted: Stage) -> None:
    drifted.say(1, "/rollback")
    drifted.notice(2, "closed-rollback")
    assert drifted.say(1, "/canary adopt").code == "rollback-open"
    drifted.merge(3)
    drifted.notice(1, "rolled-back-")
    assert drifted.say(1, "/canary adopt").code == "no-rollout"


def test_not_after_a_cancellation(drifted: Stage) -> None:
    drifted.say(1, "/canary cancel")
    drifted.notice(2, "closed-cancelled")
    assert drifted.say(1, "/canary adopt").code == "no-rollout"


def test_a_candidate_at_0_percent_is_the_tag_only(stage: Stage) -> None:
    begin(stage)
    by_hand(stage, 100, 0)
    stage.say(1, "/canary adopt")
    stage.notice(2, "closed-overtaken")
    assert stage.step().title == "customer: 0 % → 25 %"


def test_an_edit_that_came_by_pull_request_counts_from_its_merge(stage: Stage) -> None:
    begin(stage)
    edited = stage.read().replace(SHARES[0], b"percent: 70").replace(SHARES[1], b"percent: 30")
    number = stage.feature(edited, name="hand", by="ada")
    assert stage.check(number, "canary / plan")[0] == "failure"
    stage.later(minutes=20)
    stage.merge(number, by="ada", method="rebase")
    assert "Baking: 0 of 30 min" in stage.say(2, "/canary adopt").text


def test_a_persons_commits_on_the_step_are_kept(stage: Stage) -> None:
    begin(stage)
    step = stage.step()
    stage.push(step.head_ref, b"more\n", path="README.md")
    by_hand(stage, 70, 30)
    stage.say(2, "/canary adopt")
    assert stage.read(step.head_ref, "README.md") == b"more\n"
    assert step.title == "customer: 30 % → 50 %"


def test_what_no_marker_of_ours_says_is_not_believed() -> None:
    value = {"sha": "a" * 40, "by": "kim", "since": "2026-01-01T00:00:00+00:00", "weight": 30, "comment": 7}
    assert Adopted.of(value) is not None
    for key, wrong in [
        *[("sha", "a" * 39), ("sha", "a" * 40 + "\nCanary-Service: x"), ("by", "k m"), ("by", "k\nx")],
        *[("since", "now"), ("weight", "30"), ("weight", True), ("comment", None), ("more", 1)],
    ]:
        assert Adopted.of({**value, key: wrong}) is None
    assert Adopted.of(None) is None
