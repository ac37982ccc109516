"""Four eyes: who asked for a step is not its only approver; ``canary / approvals`` says whose approval counts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bot.core.problems import OutsideFailure
from tests.scenarios.moves import flush, press, run_of, sweep
from tests.scenarios.test_permissions import TEAM, configure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.sandbox.model import Review
    from tests.scenarios.stage import Stage

CHECK = "canary / approvals"
AT_25 = {"customer-v3": 75, "customer-v4": 25}
AT_50 = {"customer-v3": 50, "customer-v4": 50}


def review(stage: Stage, number: int, *, by: str, state: str = "APPROVED", body: str = "") -> Review:
    said = body or ("" if state == "APPROVED" else "Not like this")
    given = stage.run.world.review(stage.repo, number, said, state, by=by)  # type: ignore[arg-type]
    stage.settle()
    return given


def rolling(stage: Stage, rules: str = "four-eyes: true\n", *, minutes: int = 31) -> int:
    """Bring the service to 25 % under four eyes, asked for by mona; give the step that is open."""
    configure(stage, rules)
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number)
    stage.later(minutes=minutes)
    return stage.step().number


def summary(stage: Stage, number: int) -> str:
    runs = stage.run.world.checks(stage.repo, stage.pull(number).head_sha)
    return str([c for c in runs if c.name == CHECK][-1].output["summary"])


class TestOne:
    """``four-eyes: true``: one approval of somebody who has no hand in the step."""

    def test_a_wish_is_remembered_and_done_when_the_approval_comes(self, stage: Stage) -> None:
        step = rolling(stage)
        assert stage.check(step, CHECK) == (None, "0 of 1 approvals")
        assert "people with the role `write` or more count, but not of `mona`" in summary(stage, step)
        reply = stage.say(step, "/promote")
        assert (reply.decision, reply.code) == ("pending", "remembered")
        assert "1 approval missing (0 of 1)" in reply.text
        why = stage.say(step, "/canary why").text
        (row,) = (line for line in why.splitlines() if line.startswith("| approvals |"))
        assert "wait | 0 of 1 | 1 | " in row
        assert row.endswith(":2` |")  # the line of ``four-eyes`` in the file as it was when the rollout began
        review(stage, step, by="kim")
        assert stage.pull(step).merged
        assert stage.split() == AT_50
        assert stage.check(step, CHECK) == ("success", "Approved: kim")

    def test_an_approval_before_the_wish(self, stage: Stage) -> None:
        step = rolling(stage)
        review(stage, step, by="kim")
        assert stage.check(step, CHECK)[0] == "success"
        assert stage.pull(step).state == "open"
        assert stage.say(step, "/promote").code == "applied"
        assert stage.split() == AT_50

    def test_a_step_that_merges_itself_waits_as_well(self, stage: Stage) -> None:
        step = rolling(stage, "rules: fast\nfour-eyes: true\n", minutes=61)
        assert stage.pull(step).state == "open"
        review(stage, step, by="kim")
        assert stage.pull(step).merged

    def test_of_one_service(self, stage: Stage) -> None:
        step = rolling(stage, "four-eyes: true\nservices:\n  customer: {four-eyes: false}\n")
        assert stage.check(step, CHECK) == ("neutral", "No approval is asked for")
        assert stage.say(step, "/promote").code == "applied"

    def test_a_rollback_needs_none(self, stage: Stage) -> None:
        step = rolling(stage)
        assert stage.say(1, "/rollback", by="tess").code == "proposed"
        stage.notice(step, "closed-rollback")
        assert stage.check(stage.step().number, CHECK) == ("neutral", "A rollback needs no approval")
        stage.merge(stage.step().number)
        assert stage.split() == {"customer-v3": 100}
        stage.notice(1, "rolled-back")

    def test_nothing_is_asked_where_nobody_wants_it(self, stage: Stage) -> None:
        step = rolling(stage, "")
        stage.run.server.requests.clear()
        sweep(stage)
        sent = [r.path for r in stage.run.server.by(stage.run.app.bot.login)]
        assert stage.check(step, CHECK) == ("neutral", "No approval is asked for")
        assert not [p for p in sent if p.endswith("/permission")]


class TestWhose:
    """Own approvals, those of who committed, of readers, and of another commit do not count."""

    @pytest.fixture
    def step(self, stage: Stage) -> int:
        return rolling(stage)

    def pending(self, stage: Stage, step: int, why: str) -> None:
        assert stage.check(step, CHECK) == (None, "0 of 1 approvals")
        assert why in summary(stage, step)
        assert stage.pull(step).state == "open"

    def test_who_asked_for_the_rollout(self, stage: Stage, step: int) -> None:
        review(stage, step, by="mona")
        self.pending(
            stage, step, "The approval of `mona` does not count: it comes from who asked for the step."
        )

    def test_who_asked_and_took_the_comment_away(self, stage: Stage, step: int) -> None:
        (comment,) = (c for c in stage.pull(1).comments if c.body == "/canary 25")
        stage.run.world.delete_comment(stage.repo, comment.id, by="mona")
        review(stage, step, by="mona")
        self.pending(stage, step, "it comes from who asked for the step")

    def test_who_promoted(self, stage: Stage, step: int) -> None:
        assert stage.say(step, "/promote", by="kim").code == "remembered"
        review(stage, step, by="kim")
        self.pending(
            stage, step, "The approval of `kim` does not count: it comes from who promoted the step."
        )
        review(stage, step, by="ada")
        assert stage.pull(step).merged

    def test_who_pressed_promote(self, stage: Stage, step: int) -> None:
        assert press(stage, step, "promote", by="kim").code == "remembered"
        review(stage, step, by="kim")
        self.pending(stage, step, "it comes from who promoted the step")

    def test_who_promotes_in_the_same_review(self, stage: Stage, step: int) -> None:
        given = review(stage, step, by="kim", body="/promote")
        assert stage.notice(step, f"review/{given.id}").code == "remembered"
        self.pending(stage, step, "it comes from who promoted the step")

    def test_who_promoted_elsewhere_before_somebody_else_did(self, stage: Stage, step: int) -> None:
        stage.say(1, "/promote", by="kim")
        stage.say(1, "/promote")  # what is remembered is mona's now
        review(stage, step, by="kim")
        self.pending(stage, step, "it comes from who promoted the step")
        review(stage, step, by="ada")
        assert stage.pull(step).merged

    def test_who_promoted_an_earlier_step_may_approve_the_next(self, stage: Stage, step: int) -> None:
        stage.say(1, "/promote", by="kim")
        review(stage, step, by="ada")
        following = stage.step().number
        assert following != step
        review(stage, following, by="kim")
        assert stage.check(following, CHECK) == ("success", "Approved: kim")

    @pytest.mark.parametrize("by", ["rita", "tess"])
    def test_who_may_not_promote(self, stage: Stage, step: int, by: str) -> None:
        review(stage, step, by=by)
        self.pending(stage, step, f"The approval of `{by}` does not count: it needs the role `write`.")

    def test_who_committed_to_it(self, stage: Stage, step: int) -> None:
        head = stage.pull(step).head_ref
        text = stage.read(head).replace(b"team-shop.", b"team-store.")
        stage.push(head, text, by="kim")
        review(stage, step, by="kim")
        self.pending(stage, step, "it comes from somebody who committed to the step")
        review(stage, step, by="ada")
        assert stage.check(step, CHECK)[0] == "success"

    def test_an_approval_of_an_earlier_commit(self, stage: Stage, step: int) -> None:
        review(stage, step, by="kim")
        before = stage.pull(step).head_sha[:7]
        head = stage.pull(step).head_ref
        stage.push(head, stage.read(head).replace(b"team-shop.", b"team-store."), by="ada")
        now = stage.pull(step).head_sha[:7]
        self.pending(stage, step, f"it is for `{before}`, and the head is `{now}` now")
        assert stage.say(step, "/promote").code == "remembered"
        review(stage, step, by="kim")
        assert stage.pull(step).merged

    def test_an_approval_does_not_outlive_a_rebuilding(self, stage: Stage, step: int) -> None:
        review(stage, step, by="kim")
        content = stage.read().replace(b"team-shop.", b"team-store.")
        stage.push("main", content)
        sweep(stage)
        self.pending(stage, step, "does not count: it is for")

    def test_who_lost_the_right_since(self, stage: Stage, step: int) -> None:
        review(stage, step, by="kim")
        stage.role("kim", "read")
        assert stage.say(step, "/promote").code == "remembered"
        self.pending(stage, step, "The approval of `kim` does not count: it needs the role `write`.")

    def test_a_dismissed_one(self, stage: Stage, step: int) -> None:
        given = review(stage, step, by="kim")
        assert stage.check(step, CHECK)[0] == "success"
        stage.run.world.dismiss_review(stage.repo, step, given.id, "Stale", by="ada")
        stage.settle()
        self.pending(stage, step, "0 of 1 approvals")

    def test_changes_are_asked_for(self, stage: Stage, step: int) -> None:
        review(stage, step, by="kim")
        review(stage, step, by="ada", state="CHANGES_REQUESTED")
        assert stage.check(step, CHECK) == ("failure", "Changes asked for: ada")
        reply = stage.say(step, "/promote")
        assert reply.code == "remembered"
        assert "`ada` asked for changes." in reply.text
        review(stage, step, by="ada")
        assert stage.pull(step).merged

    def test_changes_of_a_reader_stop_nobody(self, stage: Stage, step: int) -> None:
        review(stage, step, by="rita", state="CHANGES_REQUESTED")
        review(stage, step, by="kim")
        assert stage.say(step, "/promote").code == "applied"

    def test_a_configuration_that_came_later_is_for_later_rollouts(self, stage: Stage, step: int) -> None:
        configure(stage, "four-eyes: false\n")
        assert stage.say(step, "/promote").code == "remembered"
        assert stage.pull(step).state == "open"


def test_code_owners_approve_where_they_promote(stage: Stage) -> None:
    configure(stage, "", CODEOWNERS=b"/apps/ @kim\n")
    step = rolling(stage, "four-eyes: true\npermissions: {promote: [codeowners, admin]}\n")
    assert "the code owners of the manifest (`kim`) or people with the role `admin`" in summary(stage, step)
    stage.role("tess", "write")
    review(stage, step, by="tess")
    assert stage.check(step, CHECK)[0] is None
    review(stage, step, by="kim")
    assert stage.check(step, CHECK) == ("success", "Approved: kim")
    assert stage.say(step, "/promote").code == "not-allowed"
    assert stage.say(step, "/promote", by="ada").code == "applied"


@pytest.fixture
def silent_teams(stage: Stage) -> Iterator[int]:
    """Give a step that waits for a member of a team, while GitHub does not say who is one."""
    stage.run.app.permissions["members"] = "read"
    stage.run.world.add_team(TEAM, "kim")
    stage.run.world.revoke_tokens()
    step = rolling(stage, f"four-eyes: true\npermissions: {{promote: [{TEAM}]}}\n")
    review(stage, step, by="kim")
    stage.run.server.faults.add("GET", r"/orgs/.*/memberships/", "502", times=10_000)
    yield step
    stage.run.server.faults.clear()
    stage.settle()
    del stage.run.app.permissions["members"]
    stage.run.world.revoke_tokens()


def test_a_hold_does_not_wait_for_what_the_rules_ask_about_people(stage: Stage, silent_teams: int) -> None:
    comment = stage.write(silent_teams, "/hold -- incident", by="tess")
    with suppress(OutsideFailure):  # the look behind it is tried again
        stage.settle()
    assert "**on hold** at 25 %" in stage.reply_to(comment).text
    assert stage.check(silent_teams, "canary / gate") == (None, "On hold by tess, because incident")
    stage.run.server.faults.clear()
    sweep(stage)
    assert stage.say(silent_teams, "/promote", by="kim").code == "remembered"
    assert stage.split() == AT_25


def test_nor_does_a_rollback(stage: Stage, silent_teams: int) -> None:
    comment = stage.write(1, "/rollback", by="tess")
    with suppress(OutsideFailure):
        stage.settle()
    assert stage.reply_to(comment).code == "proposed"
    assert stage.pull(silent_teams).state == "closed"
    stage.notice(silent_teams, "closed-rollback")


def test_two_people_set_the_approval_aside(stage: Stage) -> None:
    step = rolling(stage, "four-eyes: true\npermissions: {override: [write]}\n")
    assert stage.say(step, "/promote --override approvals -- nobody is awake").code == "second-needed"
    assert stage.check(step, CHECK)[0] is None
    assert stage.say(step, "/promote --override approvals -- nobody is awake", by="kim").code == "applied"
    assert stage.check(step, CHECK) == ("success", "Set aside for this step")
    assert stage.split() == AT_50


def test_a_button_of_who_may_by_the_configuration(stage: Stage) -> None:
    """A press that was remembered is done under a configured right as well: its answer stands."""
    step = rolling(stage, "permissions: {promote: [write]}\n", minutes=1)
    assert press(stage, step, "promote", by="kim").code == "remembered"
    stage.later(minutes=31)
    assert stage.pull(step).merged


def test_who_is_asked_to_review(stage: Stage) -> None:
    stage.run.world.add_team("acme/shop-review", "kim")
    configure(stage, "", CODEOWNERS=b"/apps/ @ada @acme/shop-review\n")
    step = rolling(stage, "reviewers: [codeowners, '@kim']\n", minutes=1)
    pull = stage.pull(step)
    assert {one.login for one in pull.asked} == {"ada", "kim"}
    assert [team.slug for team in pull.asked_teams] == ["shop-review"]
    review(stage, step, by="kim")
    sweep(stage)
    assert {one.login for one in pull.asked} == {"ada"}  # who has reviewed is not asked again


def test_labels_of_the_bots_pull_requests(stage: Stage) -> None:
    step = rolling(stage, "labels: [rollout, Team Shop]\n", minutes=1)
    assert {label.name for label in stage.pull(step).labels} == {"canary", "rollout", "Team Shop"}
    assert stage.pull(1).labels == []


class TestMergedByAPerson:
    """A merge without the approval is a fact; with ``on-early-merge: hold`` the next step waits for a word."""

    def test_without_an_approval_the_next_step_is_held(self, stage: Stage) -> None:
        stage.merge(rolling(stage), by="mona")
        text = run_of(stage, stage.step().number).output["summary"]
        assert "On hold: `mona` merged the last step before its rules passed (`/resume` goes on)" in text

    def test_with_one_that_nobody_had_looked_at_it_is_not(self, stage: Stage) -> None:
        step = rolling(stage)
        stage.run.world.hooks.pause()
        stage.run.world.review(stage.repo, step, "", "APPROVED", by="kim")
        stage.run.world.merge(stage.repo, step, by="mona")
        flush(stage)
        assert "On hold" not in run_of(stage, stage.step().number).output["summary"]
