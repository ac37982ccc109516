"""``/promote --override``: two people set a rule aside for one step, and nobody alone does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.core.markers import Proposal, Said
from bot.core.rollout import clock
from bot.core.trailers import overrides
from tests.scenarios.moves import begin, run_of, sweep
from tests.scenarios.stage import PATH
from tests.scenarios.test_permissions import configure

if TYPE_CHECKING:
    from tests.scenarios.stage import Reply, Stage

GATE = "canary / gate"
BAKE = "/promote --override bake -- customers wait"
FREEZE = "/promote --override freeze -- customers wait"


@pytest.fixture
def two(stage: Stage) -> Stage:
    """Give a repository with a second administrator."""
    stage.role("kim", "admin")
    return stage


def first(stage: Stage, number: int, text: str, *, by: str = "ada") -> Reply:
    """Say it alone: it waits for a second person."""
    reply = stage.say(number, text, by=by)
    assert (reply.decision, reply.code) == ("pending", "second-needed"), reply.text
    return reply


def body_of(stage: Stage, number: int) -> Proposal:
    proposal = Proposal.read(stage.pull(number).body or "")
    assert proposal is not None
    return proposal


def test_two_people_set_the_bake_time_aside(two: Stage) -> None:
    number = begin(two)
    step = two.step()
    ends = two.run.clock.now() + timedelta(minutes=30)
    said = first(two, step.number, BAKE)
    assert "`bake`: `ada` wants to set it aside. **A second person**" in said.text
    assert clock(ends) in said.text
    assert two.pull(step.number).state == "open"
    two.later(minutes=5)
    reply = two.say(number, BAKE, by="kim")
    assert (reply.decision, reply.code) == ("done", "applied")
    assert two.pull(step.number).merged
    assert two.split()["customer-v4"] == 50
    merge = next(m for m in two.log() if "Canary-Override" in m)
    assert overrides(merge) == (("bake", "ada", "kim"),)
    assert "customers" not in merge
    # For that step only: the next one bakes.
    assert two.check(two.step().number, GATE)[0] is None
    assert two.say(two.step().number, "/promote").code == "remembered"


def test_the_first_reply_is_edited_when_it_is_done(two: Stage) -> None:
    begin(two)
    comment = two.write(two.step().number, BAKE, by="ada")
    two.settle()
    two.say(two.step().number, BAKE, by="kim")
    assert two.reply_to(comment).decision == "done"


def test_a_freeze_and_the_bake_time_each_need_two(two: Stage) -> None:
    number = begin(two)
    step = two.step()
    assert two.say(number, "/canary freeze", by="ada").code == "applied"
    both = "/promote --override freeze --override bake -- fix"
    first(two, step.number, both)
    two.later(minutes=1)
    reply = two.say(step.number, FREEZE, by="kim")
    assert (reply.decision, reply.code) == ("pending", "remembered")
    assert "`freeze by ada and kim`" in reply.text
    assert "Baking" in reply.text
    (row,) = [x for x in two.say(step.number, "/canary why").text.splitlines() if x.startswith("| freeze")]
    assert "overridden" in row
    assert "set aside by `ada` ([#2]" in row
    assert "set aside by" in str(run_of(two, step.number).output["summary"])
    assert "set aside by" in str(two.pull(step.number).body)
    two.later(minutes=30)
    assert two.pull(step.number).merged
    assert two.check(two.step().number, GATE)[0] is None  # frozen as before


def test_nobody_is_their_own_second_person(two: Stage) -> None:
    begin(two)
    step = two.step()
    first(two, step.number, BAKE)
    reply = first(two, step.number, BAKE)
    assert "your own word is no second one" in reply.text
    assert two.pull(step.number).state == "open"


def test_who_asked_for_the_step_is_no_second_person(two: Stage) -> None:
    two.role("mona", "admin")
    begin(two)  # by mona
    step = two.step()
    first(two, step.number, BAKE, by="ada")
    reply = first(two, step.number, BAKE, by="mona")
    assert "You asked for this step" in reply.text
    assert "`ada` can say it again" in reply.text
    assert two.say(step.number, BAKE, by="ada").code == "applied"
    two.later(minutes=31)
    assert two.split()["customer-v4"] == 50


def test_a_wisher_is_no_second_person(two: Stage) -> None:
    begin(two)
    step = two.step()
    assert two.say(step.number, "/promote", by="kim").code == "remembered"
    first(two, step.number, BAKE, by="ada")
    assert "You asked for this step" in first(two, step.number, BAKE, by="kim").text


def test_a_wisher_with_another_login_since_is_no_second_person(two: Stage) -> None:
    begin(two)
    step = two.step()
    assert two.say(step.number, "/promote", by="kim").code == "remembered"
    proposal = Proposal.read(two.pull(step.number).body or "")
    assert proposal is not None
    assert proposal.wish is not None
    before = replace(proposal, wish=replace(proposal.wish, by="kim-before"))
    text = before.put(two.pull(step.number).body or "")
    two.run.world.edit_pull(two.repo, step.number, body=text, by=two.run.app.bot.login)
    first(two, step.number, BAKE, by="ada")
    assert "You asked for this step" in first(two, step.number, BAKE, by="kim").text


def test_half_an_hour_later_it_is_a_first_word_again(two: Stage) -> None:
    begin(two)
    assert two.say(two.step().number, "/canary freeze", by="ada").code == "applied"
    step = two.step()
    first(two, step.number, FREEZE)
    two.later(minutes=31)
    reply = first(two, step.number, FREEZE, by="kim")
    assert "`kim` wants to set it aside" in reply.text
    two.later(minutes=29)
    assert two.say(step.number, FREEZE, by="ada").code in {"applied", "remembered"}


def test_another_rule_is_no_second_word(two: Stage) -> None:
    number = begin(two)
    step = two.step()
    two.say(number, "/canary freeze", by="ada")
    first(two, step.number, FREEZE)
    first(two, step.number, BAKE, by="kim")
    assert two.pull(step.number).state == "open"


@pytest.mark.parametrize("login", ["mona", "tess", "rita"])
def test_who_may_not_override(stage: Stage, login: str) -> None:
    begin(stage)
    step = stage.step()
    reply = stage.say(step.number, BAKE, by=login)
    assert (reply.decision, reply.code) == ("declined", "not-allowed")
    assert body_of(stage, step.number).overrides == ()


def test_a_right_that_was_withdrawn_since_counts_no_more(two: Stage) -> None:
    begin(two)
    step = two.step()
    first(two, step.number, BAKE)
    two.role("ada", "write")
    first(two, step.number, BAKE, by="kim")
    assert two.pull(step.number).state == "open"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        pytest.param(
            "/promote --override freeze", "reason-missing", "An override takes a reason", id="no reason"
        ),
        pytest.param(
            "/promote --override frost -- x", "unknown-rule", "There is no rule `frost`", id="wrong rule"
        ),
        pytest.param(
            "/promote --override hold -- x",
            "unknown-rule",
            "`/resume` ends a hold",
            id="a hold is no rule of that",
        ),
        pytest.param(
            "/promote --overide bake -- x", "unknown-option", "Did you mean `--override`", id="mistyped"
        ),
    ],
)
def test_what_is_not_understood(stage: Stage, text: str, code: str, says: str) -> None:
    begin(stage)
    reply = stage.say(stage.step().number, text, by="ada")
    assert (reply.decision, reply.code) == ("not-understood", code)
    assert says in reply.text


def test_a_rule_that_holds_nothing_back(stage: Stage) -> None:
    begin(stage)
    reply = stage.say(stage.step().number, FREEZE, by="ada")
    assert (reply.decision, reply.code) == ("declined", "nothing-to-override")
    assert "What does: `bake`" in reply.text
    stage.later(minutes=31)
    assert "`/promote` is enough" in stage.say(stage.step().number, BAKE, by="ada").text


def test_a_broken_configuration_is_not_overridden(two: Stage) -> None:
    begin(two)
    two.run.world.commit(two.repo, "main", {".github/canary.yaml": b"version: 9\n"}, "Break", by="ada")
    two.settle()
    for login in ("ada", "kim"):
        assert two.say(two.step().number, FREEZE, by=login).decision == "declined"
    assert two.split()["customer-v4"] == 25


def test_a_drifted_block_is_not_overridden(two: Stage) -> None:
    number = begin(two)
    by_hand = two.read().replace(b"percent: 25", b"percent: 30").replace(b"percent: 75", b"percent: 70")
    two.run.world.commit(two.repo, "main", {PATH: by_hand}, "By hand", by="mona")
    sweep(two)
    assert two.say(number, "/promote full --override steps -- x", by="ada").code == "drifted"


def test_rollback_and_hold_need_no_second_person(two: Stage) -> None:
    number = begin(two)
    step = two.step()
    first(two, step.number, BAKE)
    assert two.say(number, "/hold", by="tess").code == "applied"
    # Nobody overrides a hold: the step waits for /resume.
    assert two.say(step.number, BAKE, by="kim").code == "remembered"
    assert two.say(number, "/rollback", by="tess").code == "proposed"
    assert two.pull(step.number).state == "closed"
    two.notice(step.number, "closed-rollback")


def test_approvals_are_set_aside(two: Stage) -> None:
    configure(two, "four-eyes: true\n")
    number = begin(two)
    two.later(minutes=31)
    step = two.step()
    text = "/promote --override approvals -- everybody else sleeps"
    assert two.check(step.number, "canary / approvals")[0] is None
    first(two, number, text)
    assert two.say(number, text, by="kim").code == "applied"
    assert two.pull(step.number).merged
    assert two.check(step.number, "canary / approvals")[0] == "success"
    assert any("Canary-Override: approvals by ada and kim" in message for message in two.log())


@pytest.mark.parametrize("rate", [None, 0.5], ids=["no answer", "failed and held"])
def test_gates_are_set_aside(two: Stage, rate: float | None) -> None:
    two.measure(error_rate=rate)
    two.configure("rules: cautious\non-fail: hold\n")
    number = begin(two)
    two.later(minutes=31)
    step = two.step()
    if rate is not None:
        two.notice(step.number, "gate-failed-0")
    text = "/promote --override gates -- the meter is broken"
    first(two, number, text)
    assert two.say(number, text, by="kim").code == "applied"
    assert two.pull(step.number).merged
    assert any("Canary-Override: gates by ada and kim" in message for message in two.log())
    for reply in (r for n in two.numbers() for r in two.all_replies(n)):
        if reply.answer.to.startswith("gate-failed"):
            two.notice(reply.number, reply.answer.to)


def test_a_freeze_typed_after_the_words_holds(two: Stage) -> None:
    number = begin(two)
    step = two.step()
    two.say(number, "/canary freeze -- weekend", by="ada")
    first(two, step.number, FREEZE)
    two.later(minutes=1)
    assert two.say(step.number, FREEZE, by="kim").code == "remembered"  # bakes still
    two.later(minutes=5)
    two.say(number, "/canary freeze -- incident 42, stop everything", by="ada")
    two.later(minutes=30)
    assert not two.pull(step.number).merged
    # It is set aside in the same way, by two people anew.
    first(two, step.number, FREEZE)
    two.later(minutes=1)
    assert two.say(step.number, FREEZE, by="kim").code == "applied"
    assert two.pull(step.number).merged


def test_a_freeze_typed_between_the_words_needs_one_more(two: Stage) -> None:
    number = begin(two)
    step = two.step()
    two.later(minutes=31)
    two.say(number, "/canary freeze -- weekend", by="ada")
    first(two, step.number, FREEZE)
    two.later(minutes=1)
    two.say(number, "/canary freeze -- incident", by="kim")
    two.later(minutes=1)
    first(two, step.number, FREEZE, by="kim")
    assert two.say(step.number, FREEZE, by="ada").code == "applied"


@pytest.mark.parametrize("after", ["hold", "rollback"])
def test_a_gate_that_fails_after_the_words_holds(two: Stage, after: str) -> None:
    two.measure(error_rate=None)
    two.configure(f"rules: cautious\non-fail: {after}\n")
    number = begin(two)
    text = "/promote --override gates -- the meter is broken"
    two.later(minutes=5)
    first(two, number, text)
    assert two.say(number, text, by="kim").code == "remembered"  # bakes still
    two.measure(error_rate=0.5)
    two.later(minutes=31)
    assert two.split().get("customer-v4", 0) == (0 if after == "rollback" else 25)
    for reply in (r for n in two.numbers() for r in two.all_replies(n)):
        two.notice(reply.number, reply.answer.to)


class TestSteps:
    """Steps may be left out; the pull request of the wanted one replaces the open one."""

    FULL = "/promote full --override steps -- all hands agree"

    def test_two_people_go_to_the_end(self, two: Stage) -> None:
        number = begin(two)
        step = two.step()
        refused = two.say(step.number, "/promote full", by="ada")
        assert refused.code == "step-order"
        first(two, step.number, self.FULL)
        reply = two.say(number, self.FULL, by="kim")
        assert (reply.decision, reply.code) == ("pending", "remembered")
        assert two.pull(step.number).state == "closed"
        assert "two people said so" in two.notice(step.number, "closed-skipped").text
        whole = two.step()
        assert whole.title == "customer: 25 % → 100 %"
        assert two.split(whole.head_ref) == {"customer-v4": 100}
        (row,) = [x for x in two.say(number, "/canary why").text.splitlines() if x.startswith("| order of")]
        assert "overridden" in row
        two.later(minutes=31)
        assert two.pull(whole.number).merged
        assert two.split() == {"customer-v4": 100}
        merge = next(m for m in two.log() if "Canary-Override" in m)
        assert overrides(merge) == (("steps", "ada", "kim"),)
        assert "**Done**" in two.notice(number, "done").text

    def test_at_once_with_the_bake_time(self, two: Stage) -> None:
        number = begin(two)
        text = "/promote full --override steps --override bake -- now"
        first(two, number, text)
        assert two.say(number, text, by="kim").code == "applied"
        assert two.split() == {"customer-v4": 100}
        two.notice(2, "closed-skipped")
        two.notice(number, "done")

    def test_the_plain_word_goes_to_the_open_step(self, two: Stage) -> None:
        number = begin(two)
        first(two, number, self.FULL)
        two.say(number, self.FULL, by="kim")
        two.notice(2, "closed-skipped")
        assert two.say(number, "/promote full").code == "remembered"
        assert two.say(number, "/promote 50").code == "step-order"

    def test_a_rollback_wins(self, two: Stage) -> None:
        number = begin(two)
        first(two, number, self.FULL)
        two.say(number, self.FULL, by="kim")
        two.notice(2, "closed-skipped")
        whole = two.step()
        assert two.say(number, "/rollback").code == "proposed"
        assert two.pull(whole.number).state == "closed"
        two.notice(whole.number, "closed-rollback")

    def test_cancel_ends_it(self, two: Stage) -> None:
        number = begin(two)
        first(two, number, self.FULL)
        two.say(number, self.FULL, by="kim")
        two.notice(2, "closed-skipped")
        whole = two.step()
        assert two.say(number, "/canary cancel").code == "applied"
        two.notice(whole.number, "closed-cancelled")
        two.later(hours=2)
        assert two.no_step()

    @pytest.mark.parametrize(
        "text", ["/promote 75 --override steps -- x", "/promote 10 --override steps -- x"]
    )
    def test_only_steps_of_the_rollout(self, two: Stage, text: str) -> None:
        begin(two)
        assert two.say(two.step().number, text, by="ada").code == "step-order"


@pytest.mark.parametrize("earlier", [True, False], ids=["as the second word", "as the first one"])
def test_in_a_review_it_is_no_word(two: Stage, *, earlier: bool) -> None:
    begin(two)
    step = two.step()
    if earlier:
        first(two, step.number, BAKE)
    review = two.run.world.review(two.repo, step.number, BAKE, "COMMENTED", by="kim")
    two.settle()
    reply = two.notice(step.number, f"review/{review.id}")
    assert (reply.decision, reply.code) == ("declined", "wrong-place")
    assert "as a comment" in reply.text
    assert not two.pull(step.number).merged


class TestForged:
    """What stands in a body that somebody edited sets nothing aside: only comments do."""

    def forge(self, stage: Stage, number: int, **changed: object) -> None:
        proposal = replace(body_of(stage, number), **changed)  # type: ignore[arg-type]
        stage.run.world.edit_pull(
            stage.repo, number, body=proposal.put(stage.pull(number).body or ""), by="mona"
        )
        sweep(stage)

    def test_comments_that_are_not_there(self, two: Stage) -> None:
        begin(two)
        step = two.step()
        self.forge(two, step.number, overrides=(Said("comment/1", 1), Said("comment/2", 1)))
        assert two.say(step.number, "/promote").code == "remembered"
        assert two.pull(step.number).state == "open"

    def test_a_comment_that_was_edited(self, two: Stage) -> None:
        begin(two)
        step = two.step()
        first(two, step.number, BAKE)
        comment = two.write(step.number, "Looks good", by="kim")
        two.run.world.edit_comment(two.repo, comment.id, BAKE, by="mona")
        said = (*body_of(two, step.number).overrides, Said(f"comment/{comment.id}", step.number))
        self.forge(two, step.number, overrides=said)
        assert two.say(step.number, "/promote").code == "remembered"
        assert two.pull(step.number).state == "open"

    def test_a_review_that_somebody_edited(self, two: Stage) -> None:
        begin(two)
        step = two.step()
        first(two, step.number, BAKE)
        review = two.run.world.review(two.repo, step.number, "Looks good", "COMMENTED", by="kim")
        two.settle()
        review.body = BAKE  # people with write may edit it, and REST has no time of the change
        said = (*body_of(two, step.number).overrides, Said(f"review/{review.id}", step.number))
        self.forge(two, step.number, overrides=said)
        assert two.notice(step.number, f"review/{review.id}").code == "wrong-place"
        two.say(step.number, "/promote", by="ada")
        assert not two.pull(step.number).merged

    def test_words_of_an_earlier_step(self, two: Stage) -> None:
        begin(two)
        step = two.step()
        first(two, 1, BAKE)
        two.later(minutes=1)
        two.say(1, BAKE, by="kim")
        said = body_of(two, step.number).overrides
        assert len(said) == 2
        self.forge(two, two.step().number, overrides=said)
        assert two.say(two.step().number, "/promote").code == "remembered"
        assert two.split()["customer-v4"] == 50

    def test_a_step_that_leaves_others_out(self, two: Stage) -> None:
        begin(two)
        step = two.step()
        self.forge(two, step.number, weight=100, overrides=(Said("comment/1", 1),))
        two.later(minutes=31)
        assert two.split()["customer-v4"] == 25
        for number in two.numbers():
            for reply in two.all_replies(number):
                two.notice(number, reply.answer.to)
