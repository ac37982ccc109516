"""Whose comment is a command, where, and when: people, bots, edits, reviews, other places, late ones."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.core.markers import Answer
from bot.sandbox.errors import ApiError
from tests.scenarios.moves import begin, delivery_of, flush, silent, sweep, untouched
from tests.scenarios.stage import PEOPLE, Reply, Stage

if TYPE_CHECKING:
    from bot.sandbox.model import Comment, Review


class TestWho:
    """Rights are the repository's role, asked for when the command is worked on."""

    @pytest.mark.parametrize(
        ("by", "text", "code"),
        [
            pytest.param("rita", "/canary 25", "not-allowed", id="read may not start"),
            pytest.param("rita", "/canary cancel", "not-allowed", id="read may not cancel"),
            pytest.param("rita", "/rollback", "not-allowed", id="read may not roll back"),
            pytest.param("rita", "/hold", "not-allowed", id="read may not hold"),
            pytest.param("rita", "/canary plan 25", "shown", id="read may see a plan"),
            pytest.param("rita", "/canary status", "shown", id="read may see the status"),
            pytest.param("rita", "/canary help", "shown", id="read may see the help"),
            pytest.param("tess", "/canary 25", "not-allowed", id="triage may not start"),
            pytest.param("tess", "/promote", "not-allowed", id="triage may not promote"),
            pytest.param("tess", "/resume", "not-allowed", id="triage may not resume"),
            pytest.param("tess", "/canary 25\n/canary status", "not-allowed", id="one right of two is none"),
        ],
    )
    def test_role(self, stage: Stage, by: str, text: str, code: str) -> None:
        number = stage.feature()
        reply = stage.say(number, text, by=by)
        assert reply.code == code
        if code == "not-allowed":
            assert f"`{by}` has the role `{PEOPLE[by]}`" in reply.text
        assert untouched(stage)

    def test_triage_may_stop(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        assert stage.say(step.number, "/hold", by="tess").code == "applied"
        assert stage.say(step.number, "/rollback", by="tess").code == "proposed"
        stage.notice(step.number, "closed-rollback")
        assert stage.split(stage.step().head_ref) == {"customer-v3": 100}
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}
        assert number == 1

    @pytest.mark.parametrize("role", ["read", "none"])
    def test_a_permission_withdrawn_between_comment_and_work(self, stage: Stage, role: str) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        said = stage.write(number, "/canary 25", by="kim")
        stage.role("kim", role)
        flush(stage)
        assert stage.reply_to(said).code == "not-allowed"
        assert untouched(stage)

    def test_a_permission_given_between_comment_and_work(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        said = stage.write(number, "/canary 25", by="rita")
        stage.role("rita", "write")
        flush(stage)
        assert stage.reply_to(said).code == "applied"

    def test_a_stranger(self, stage: Stage) -> None:
        world = stage.run.world
        if "sam" not in {u.login for u in world.users()}:
            world.add_user("sam")
        number = stage.feature()
        reply = stage.say(number, "/canary 25", by="sam")
        assert reply.code == "not-allowed"
        assert untouched(stage)

    def test_the_association_of_a_comment_gives_no_right(self, stage: Stage) -> None:
        """41: MEMBER with the role read is a reader; nothing of a payload is believed."""
        number = stage.feature()
        stage.run.world.hooks.pause()
        said = stage.write(number, "/canary 25", by="rita")
        sent = delivery_of(stage, said)
        assert b'"author_association": "' in sent.body
        association = sent.payload()["comment"]["author_association"]
        forged = sent.body.replace(
            f'"author_association": "{association}"'.encode(), b'"author_association": "OWNER"'
        )
        assert forged != sent.body
        sent.body = forged
        flush(stage)
        assert stage.reply_to(said).code == "not-allowed"
        assert untouched(stage)


class TestBots:
    """Comments of bots never run, our own least of all."""

    @pytest.mark.parametrize("slug", ["github-actions", "renovate"])
    def test_another_apps_comment(self, stage: Stage, slug: str) -> None:
        world = stage.run.world
        other = next((a for a in world.apps.values() if a.slug == slug), None)
        world.install(other or world.create_app(slug, "another secret of 32 bytes or more"), stage.repo)
        number = stage.feature()
        stage.say_unheard(number, "/canary 25", by=f"{slug}[bot]")
        sweep(stage)
        assert untouched(stage)

    def test_our_own_comment(self, stage: Stage) -> None:
        number = stage.feature()
        own = stage.write(number, "/canary 25", by=stage.run.app.bot.login)
        stage.settle()
        sweep(stage)
        assert own.reactions == []
        assert untouched(stage)
        world = stage.run.world
        world.delete_comment(stage.repo, own.id, by=stage.run.app.bot.login)
        assert stage.say(number, "/canary 25").code == "applied"

    def test_our_reply_quoted_by_a_person(self, stage: Stage) -> None:
        number = stage.feature()
        reply = stage.say(number, "/canary 25")
        quoted = "\n".join(f"> {line}" for line in reply.text.splitlines())
        commits = len(stage.log("v4"))
        stage.say_unheard(number, f"{quoted}\n\nThank you!", by="kim")
        assert len(stage.log("v4")) == commits

    def test_our_marker_copied_by_a_person_answers_nothing(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        said = stage.write(number, "/canary 25")
        forged = Answer(to=f"comment/{said.id}", decision="done", code="applied", service="customer")
        stage.write(number, f"Done.\n\n{forged.marker()}", by="rita")
        flush(stage)
        assert stage.reply_to(said).code == "applied"

    def test_a_marker_in_a_persons_pull_request_is_no_proposal(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        stage.branch("fake", {"README.md": b"x\n"}, by="kim")
        world = stage.run.world
        fake = world.open_pull(stage.repo, "fake", "main", "Fake", step.body or "", by="kim").number
        stage.settle()
        assert stage.say(fake, "/canary status", by="kim").code == "no-service"
        stage.say_unheard(fake, "/promote", by="kim")
        assert stage.step() is step
        assert number == 1


class TestEdits:
    """Edited comments never run; a deleted one is gone."""

    def test_43_edited_into_a_command(self, stage: Stage) -> None:
        number = stage.feature()
        said = stage.write(number, "I wonder")
        stage.settle()
        stage.run.world.edit_comment(stage.repo, said.id, "/canary 25", by="mona")
        stage.settle()
        assert stage.say(number, "/canary status").code == "shown"  # a later look finds it as well
        sweep(stage)
        assert silent(stage, said)
        assert untouched(stage)

    def test_somebody_elses_comment_edited_into_a_command(self, stage: Stage) -> None:
        number = stage.feature()
        said = stage.write(number, "Not yet", by="ada")
        stage.settle()
        stage.run.world.edit_comment(stage.repo, said.id, "/canary 100", by="kim")
        stage.settle()
        sweep(stage)
        assert silent(stage, said)
        assert untouched(stage)

    def test_edited_before_the_bot_could_work_on_it(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        said = stage.write(number, "/canary 25")
        stage.run.world.edit_comment(stage.repo, said.id, "/canary 75", by="mona")
        flush(stage)
        assert silent(stage, said)
        assert untouched(stage)

    def test_edited_after_its_answer(self, stage: Stage) -> None:
        number = stage.feature()
        said = stage.write(number, "/canary 25")
        stage.settle()
        stage.reply_to(said)
        commits = len(stage.log("v4"))
        stage.run.world.edit_comment(stage.repo, said.id, "/canary 75", by="mona")
        stage.settle()
        sweep(stage)
        stage.reply_to(said)
        assert len(stage.log("v4")) == commits

    def test_deleted_before_the_bot_could_work_on_it(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        said = stage.write(number, "/canary 25")
        stage.run.world.delete_comment(stage.repo, said.id, by="mona")
        flush(stage)
        assert silent(stage, said)
        assert untouched(stage)

    def test_deleted_after_its_answer(self, stage: Stage) -> None:
        number = stage.feature()
        said = stage.write(number, "/canary 25")
        stage.settle()
        stage.reply_to(said)
        commits = len(stage.log("v4"))
        stage.run.world.delete_comment(stage.repo, said.id, by="mona")
        stage.settle()
        sweep(stage)
        assert stage.say(number, "/canary status").code == "shown"
        assert len(stage.log("v4")) == commits


class TestReviews:
    """The body of a submitted review is read like a comment."""

    def reply(self, stage: Stage, review: Review) -> Reply:
        return stage.notice(review.number, f"review/{review.id}")

    @pytest.mark.parametrize("state", ["APPROVED", "COMMENTED", "CHANGES_REQUESTED"])
    def test_command_in_a_review(self, stage: Stage, state: str) -> None:
        number = stage.feature()
        world = stage.run.world
        review = world.review(stage.repo, number, "Well done.\n\n/canary 25", state, by="kim")  # type: ignore[arg-type]
        stage.settle()
        reply = self.reply(stage, review)
        assert (reply.decision, reply.code) == ("done", "applied")
        assert reply.text.startswith("@kim ")
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
        sweep(stage)
        self.reply(stage, review)

    def test_reviews_without_a_command(self, stage: Stage) -> None:
        number = stage.feature()
        world = stage.run.world
        world.review(stage.repo, number, "", "APPROVED", by="kim")
        world.review(stage.repo, number, "> /canary 25", "COMMENTED", by="kim")
        stage.settle()
        assert stage.all_replies(number) == []
        assert untouched(stage)

    def test_a_review_by_a_reader(self, stage: Stage) -> None:
        number = stage.feature()
        review = stage.run.world.review(stage.repo, number, "/canary 25", "COMMENTED", by="rita")
        stage.settle()
        assert self.reply(stage, review).code == "not-allowed"
        assert untouched(stage)

    def test_review_and_comment_in_the_order_in_which_they_were_written(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        review = stage.run.world.review(stage.repo, number, "/canary 25", "COMMENTED", by="mona")
        stage.run.clock.advance(timedelta(seconds=2))
        said = stage.write(number, "/canary 40")
        flush(stage)
        assert self.reply(stage, review).code == "applied"
        assert stage.reply_to(said).code == "applied"
        assert stage.split("v4") == {"customer-v3": 60, "customer-v4": 40}

    def test_a_review_whose_delivery_was_lost(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.drop(1)
        review = stage.run.world.review(stage.repo, number, "/canary 25", "APPROVED", by="kim")
        stage.settle()
        assert stage.all_replies(number) == []
        sweep(stage)
        assert self.reply(stage, review).code == "applied"


class TestWhere:
    """Commands are for pull requests that have to do with a service."""

    def test_45_a_plain_issue(self, stage: Stage) -> None:
        world = stage.run.world
        issue = world.open_issue(stage.repo, "Slow", "Since Monday", by="mona").number
        said = world.comment(stage.repo, issue, "/canary 25", by="mona")
        stage.settle()
        sweep(stage)
        assert said.reactions == []
        assert [e.kind for e in world.timeline(stage.repo, issue)] == ["opened", "comment"]

    @pytest.mark.parametrize(
        "text",
        [
            "/hold",
            "/hold cancel",
            "/hold for the release team",
            "/rollback",
            "/promote",
            "/resume",
            "/tag v1.2",
            "/untag",
            "/status",
            "/lgtm\n/approve\n/hold",
        ],
    )
    def test_short_verbs_belong_to_other_bots_where_no_service_is_touched(
        self, stage: Stage, text: str
    ) -> None:
        stage.branch("docs", {"README.md": b"Docs\n"})
        number = stage.run.world.open_pull(stage.repo, "docs", "main", "Docs", by="mona").number
        stage.settle()
        stage.say_unheard(number, text)
        sweep(stage)
        assert stage.all_replies(number) == []

    def test_the_full_form_is_answered_where_no_service_is_touched(self, stage: Stage) -> None:
        stage.branch("docs", {"README.md": b"Docs\n"})
        number = stage.run.world.open_pull(stage.repo, "docs", "main", "Docs", by="mona").number
        stage.settle()
        assert stage.say(number, "/canary hold").code == "no-service"
        assert stage.say(number, "/hold\n/canary 25").code == "no-service"
        assert stage.say(number, "/hold for ever\n/canary help").code == "shown"

    def test_short_verbs_are_answered_where_a_service_is_touched(self, stage: Stage) -> None:
        number = stage.feature()
        assert stage.say(number, "/hold").code == "not-merged-yet"
        assert stage.say(number, "/hold for the release team").code == "bad-duration"

    def test_a_locked_conversation(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        stage.run.world.lock_conversation(stage.repo, step.number)
        assert stage.say(step.number, "/promote").code == "locked"
        with pytest.raises(ApiError):
            stage.write(step.number, "/rollback", by="tess")
        assert stage.say(step.number, "/canary status").code == "shown"
        assert stage.say(step.number, "/rollback").code == "proposed"
        stage.notice(step.number, "closed-rollback")
        assert number == 1

    def test_a_locked_feature_pull_request(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.lock_conversation(stage.repo, number)
        assert stage.say(number, "/canary 25").code == "locked"
        assert untouched(stage)


class TestTime:
    """A command that comes too late is not carried out, unless it stops or only asks."""

    def late(self, stage: Stage, number: int, text: str, **delta: float) -> Comment:
        stage.run.world.hooks.pause()
        said = stage.write(number, text)
        stage.later(**delta)
        flush(stage)
        return said

    @pytest.mark.parametrize(("minutes", "code"), [(59, "applied"), (61, "too-late")])
    def test_the_limit_is_an_hour(self, stage: Stage, minutes: int, code: str) -> None:
        number = stage.feature()
        said = self.late(stage, number, "/canary 25", minutes=minutes)
        assert stage.reply_to(said).code == code
        assert untouched(stage) is (code == "too-late")

    def test_a_rollback_is_never_too_late(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        said = self.late(stage, number, "/rollback", hours=5)
        assert stage.reply_to(said).code == "proposed"
        stage.notice(step.number, "closed-rollback")

    def test_a_promotion_that_comes_late_promotes_nothing(self, stage: Stage) -> None:
        number = begin(stage)
        said = self.late(stage, number, "/promote", hours=2)
        assert stage.reply_to(said).code == "too-late"
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}

    def test_a_command_from_before_the_bot_came(self, stage: Stage) -> None:
        """What is older than three days is history, of which nothing is said."""
        number = stage.feature()
        said = self.late(stage, number, "/canary 25", hours=73)
        assert silent(stage, said)
        assert untouched(stage)


def test_refusals_of_one_person_are_one_reply_an_hour(stage: Stage) -> None:
    number = stage.feature()
    first = stage.say(number, "/canary 25", by="rita")
    before = len(stage.all_replies(number))
    again = stage.write(number, "/canary 50", by="rita")
    stage.settle()
    assert stage.reply_to(again).answer.also == (f"comment/{again.id}",)
    assert len(stage.all_replies(number)) == before
    assert stage.reactions(again) == ["eyes", "-1"]
    stage.later(minutes=61)
    assert stage.say(number, "/canary 25", by="rita").answer.to != first.answer.to
