"""A revision that was rolled back is not tried again by mistake: that takes ``--again``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.trailers import records
from tests.scenarios.moves import begin, run_of, sweep
from tests.scenarios.stage import CUSTOMER, VERSION_4

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage


def turned_back(stage: Stage) -> int:
    """Roll version 4 back, at 25 %."""
    number = begin(stage)
    assert stage.say(number, "/rollback -- errors", by="tess").code == "proposed"
    stage.notice(2, "closed-rollback")
    stage.merge(stage.step().number)
    stage.notice(number, "rolled-back")
    assert stage.split() == {"customer-v3": 100}
    return number


def test_on_the_merged_pull_request_it_takes_the_word(stage: Stage) -> None:
    number = turned_back(stage)
    reply = stage.say(number, "/canary 10")
    assert (reply.decision, reply.code) == ("declined", "rolled-back-before")
    assert "`customer-v4` was rolled back on `main`, as `tess` asked" in reply.text
    assert "`/canary 10 --again`" in reply.text
    assert stage.no_step()
    again = stage.say(number, "/canary 10 --again")
    assert again.code == "proposed"
    assert "`customer-v4` was rolled back" in again.text
    stage.merge(stage.step().number)
    assert stage.split()["customer-v4"] == 10
    (start,) = [r for m in stage.log() for r in records(m) if r.again]
    assert (start.step, start.weight, start.candidate) == (1, 10, "customer-v4")


def test_a_new_revision_needs_no_word(stage: Stage) -> None:
    turned_back(stage)
    fresh = stage.feature(stage.read().replace(b"customer-v4   #", b"customer-v5   #"), name="v5")
    assert stage.say(fresh, "/canary 25").code == "applied"
    assert stage.check(fresh, "canary / plan")[0] == "success"


def test_another_pull_request_with_the_same_revision(stage: Stage) -> None:
    number = turned_back(stage)
    stage.run.world.commit(stage.repo, "main", {"apps/customer.yaml": CUSTOMER}, "Revert", by="mona")
    same = stage.feature(VERSION_4, name="retry")
    reply = stage.say(same, "/canary 25 stable=customer-v3")
    assert reply.code == "rolled-back-before"
    assert "`/canary 25 stable=customer-v3 --again`" in reply.text
    assert stage.read("retry") == VERSION_4
    assert stage.say(same, "/canary 25 stable=customer-v3 --again").code == "applied"
    # Another share of what is armed already needs no second word.
    assert stage.say(same, "/canary 10").code == "applied"
    assert stage.check(same, "canary / plan")[0] == "success"
    assert stage.say(number, "/canary status").code == "shown"


def test_a_pull_request_that_was_armed_before_the_rollback(stage: Stage) -> None:
    armed = stage.feature(name="first")
    assert stage.say(armed, "/canary 25").code == "applied"
    other = stage.feature(name="second")
    assert stage.say(other, "/canary 50").code == "applied"
    stage.merge(armed)
    assert stage.say(armed, "/rollback").code == "proposed"
    for number in stage.numbers():
        for reply in stage.all_replies(number):
            stage.notice(number, reply.answer.to)
    stage.merge(stage.step().number)
    stage.notice(armed, "rolled-back")
    sweep(stage)
    assert stage.check(other, "canary / plan")[0] == "failure"
    assert "rolled-back-before" in str(run_of(stage, other, "canary / plan").output["summary"])


def test_a_plan_says_so_and_refuses_nothing(stage: Stage) -> None:
    number = turned_back(stage)
    reply = stage.say(number, "/canary plan 25")
    assert reply.code == "shown"
    assert "`rolled-back-before`" in reply.text
    assert "`/canary 25 --again` would give" in reply.text
    assert "if this one is meant again: `/canary customer 25 --again`" in reply.text
    assert "`/canary 25` would give" not in reply.text
    assert stage.say(number, "/canary 25 --again").code == "proposed"


def test_where_nothing_was_rolled_back_the_word_does_nothing(stage: Stage) -> None:
    number = stage.feature()
    assert stage.say(number, "/canary 25 --again").code == "applied"
    assert not [r for m in stage.log("v4") for r in records(m) if r.again]


def test_after_it_was_done_once_more_it_is_no_rolled_back_revision(stage: Stage) -> None:
    number = turned_back(stage)
    stage.say(number, "/canary 50 100 --again")
    stage.merge(stage.step().number)
    stage.later(minutes=31)
    step = stage.step()
    stage.merge(step.number)
    assert stage.split() == {"customer-v4": 100}
    stage.notice(number, "done")
