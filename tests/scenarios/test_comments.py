"""Whose comment is a command, and where: people, bots, reviews, edits, races, and deliveries that go wrong."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from bot.core.markers import Answer
from bot.ports import Subject
from bot.sandbox.errors import ApiError
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, VERSION_4, Reply, Stage

if TYPE_CHECKING:
    from bot.sandbox.model import Comment, Review
    from bot.sandbox.webhooks import Sent

CART = CUSTOMER.replace(b"customer", b"cart")


def begin(stage: Stage) -> int:
    """Bring the customer service to 25 %; the step's pull request is open."""
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number)
    return number


def flush(stage: Stage, *, shuffle: int | None = None, copies: int = 1) -> None:
    stage.run.world.hooks.flush(shuffle=shuffle, copies=copies)
    stage.settle()


def sweep(stage: Stage) -> None:
    """Let the bot look for what no webhook told."""
    installation = stage.run.install(stage.repo)
    look = stage.run.bot.parts.engine.look
    look(Subject(installation, stage.repo, "repository"), at=stage.run.clock.now(), why="sweep")
    stage.settle()


def deliveries(stage: Stage, event: str, action: str) -> list[Sent]:
    sent = stage.run.world.hooks.deliveries
    here = stage.run.world.repository(stage.repo).id
    return [s for s in sent if (s.event, s.action, s.repository_id) == (event, action, here)]


def delivery_of(stage: Stage, comment: Comment) -> Sent:
    created = deliveries(stage, "issue_comment", "created")
    return next(s for s in created if s.payload()["comment"]["id"] == comment.id)


def silent(stage: Stage, comment: Comment) -> bool:
    """Whether nothing came of a comment: no reply, no reaction."""
    answers = [r.answer.to for n in stage.numbers() for r in stage.all_replies(n)]
    return f"comment/{comment.id}" not in answers and comment.reactions == []


def untouched(stage: Stage, branch: str = "v4") -> bool:
    return stage.read(branch) == VERSION_4 and stage.no_step()


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
            assert f"`{by}` has {PEOPLE[by]}" in reply.text
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
        """What is older than a day is history, of which nothing is said."""
        number = stage.feature()
        said = self.late(stage, number, "/canary 25", hours=25)
        assert silent(stage, said)
        assert untouched(stage)


class TestAtOnce:
    """Commands are worked off one after the other, in the order in which they were written."""

    def test_53_two_people_lower_id_wins(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        first = stage.write(number, "/canary 25", by="mona")
        second = stage.write(number, "/canary 75", by="kim")
        flush(stage, shuffle=1)
        assert stage.reply_to(first).code == "applied"
        late = stage.reply_to(second)
        assert (late.decision, late.code) == ("declined", "superseded")
        assert "Superseded by `mona`" in late.text
        assert f"#issuecomment-{first.id}" in late.text
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
        assert stage.say(number, "/canary 75", by="kim").code == "applied"

    def test_a_first_one_that_is_declined_is_in_nobodys_way(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        first = stage.write(number, "/canary 25", by="rita")
        second = stage.write(number, "/canary 75", by="kim")
        flush(stage)
        assert stage.reply_to(first).code == "not-allowed"
        assert stage.reply_to(second).code == "applied"

    def test_the_same_person_twice_the_last_one_counts(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.pause()
        first, second = (stage.write(number, f"/canary {n}") for n in (25, 75))
        flush(stage)
        assert stage.reply_to(first).code == "applied"
        assert stage.reply_to(second).code == "applied"
        assert stage.split("v4") == {"customer-v3": 25, "customer-v4": 75}

    def test_canary_and_rollback_at_once(self, stage: Stage) -> None:
        """Stopping is never superseded."""
        number = begin(stage)
        step = stage.step()
        stage.run.world.hooks.pause()
        first = stage.write(step.number, "/promote", by="mona")
        second = stage.write(number, "/rollback", by="kim")
        flush(stage)
        stage.reply_to(first)
        assert stage.reply_to(second).code == "proposed"
        stage.notice(step.number, "closed-rollback")
        assert stage.split(stage.step().head_ref) == {"customer-v3": 100}

    def test_two_rollbacks_at_once_open_one_pull_request(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        stage.run.world.hooks.pause()
        said = [stage.write(n, "/rollback", by=who) for n, who in ((number, "mona"), (step.number, "kim"))]
        flush(stage, copies=2, shuffle=3)
        assert sorted(stage.reply_to(c).code for c in said) == ["already", "proposed"]
        stage.notice(step.number, "closed-rollback")
        assert stage.step().head_ref.endswith("/rollback")

    def test_two_pull_requests_of_one_service(self, stage: Stage) -> None:
        newer = VERSION_4.replace(b"customer-v4", b"customer-v5").replace(b"4.0.0", b"5.0.0")
        numbers = stage.feature(), stage.feature(newer, name="v5", by="kim")
        stage.run.world.hooks.pause()
        said = [stage.write(n, "/canary 25", by=who) for n, who in zip(numbers, ("mona", "kim"), strict=True)]
        flush(stage)
        assert [stage.reply_to(c).code for c in said] == ["applied", "applied"]
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
        assert stage.split("v5") == {"customer-v3": 75, "customer-v5": 25}
        stage.merge(numbers[0])
        assert stage.step().title == "customer: 25 % → 50 %"
        assert stage.split("main") == {"customer-v3": 75, "customer-v4": 25}

    def test_two_merged_pull_requests_of_one_service(self, stage: Stage) -> None:
        """Two starts of two rollouts may both be proposed; the one that is merged first runs."""
        first = stage.feature()
        stage.merge(first)
        newer = VERSION_4.replace(b"customer-v4", b"customer-v5").replace(b"4.0.0", b"5.0.0")
        second = stage.feature(newer, name="v5", by="kim")
        stage.merge(second)
        stage.run.world.hooks.pause()
        said = [stage.write(n, "/canary 25", by=who) for n, who in ((first, "mona"), (second, "kim"))]
        flush(stage)
        assert [stage.reply_to(c).code for c in said] == ["proposed", "proposed"]
        assert stage.split() == {"customer-v3": 100}
        # Both are about what the base branch holds now, so only the later one stays open.
        start = stage.step()
        assert stage.split(start.head_ref) == {"customer-v3": 75, "customer-v5": 25}
        assert "starts the rollout instead" in stage.notice(start.number - 1, "closed-superseded").text


class TestDeliveries:
    """Exactly one result, whatever is repeated, reordered or lost."""

    def ready(self, stage: Stage) -> tuple[int, Comment]:
        number = stage.feature()
        stage.run.world.hooks.pause()
        return number, stage.write(number, "/canary 25")

    def one_result(self, stage: Stage, said: Comment) -> None:
        stage.settle()
        assert stage.reply_to(said).code == "applied"
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
        mine = [m for m in stage.log("v4") if f"Canary-Comment: {said.id}" in m]
        assert len(mine) == 1
        assert stage.reactions(said) == ["eyes", "rocket"]

    def test_sent_twice(self, stage: Stage) -> None:
        _, said = self.ready(stage)
        flush(stage, copies=2)
        self.one_result(stage, said)

    def test_twenty_in_parallel_with_as_many_ids(self, stage: Stage) -> None:
        _, said = self.ready(stage)
        sent = delivery_of(stage, said)
        statuses: list[int] = []

        def post() -> None:
            headers = sent.headers() | {"X-GitHub-Delivery": str(uuid.uuid4())}
            url = stage.run.bot.webhook_url
            statuses.append(httpx.post(url, content=sent.body, headers=headers, timeout=20).status_code)

        threads = [threading.Thread(target=post) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [202] * 20
        flush(stage)
        self.one_result(stage, said)

    def test_redelivered(self, stage: Stage) -> None:
        _, said = self.ready(stage)
        flush(stage)
        self.one_result(stage, said)
        stage.run.world.hooks.redeliver(delivery_of(stage, said).guid)
        self.one_result(stage, said)

    def test_60_the_same_body_under_another_events_name(self, stage: Stage) -> None:
        _, said = self.ready(stage)
        sent = delivery_of(stage, said)
        for event in ("pull_request", "pull_request_review", "check_run", "installation", "ping"):
            headers = sent.headers() | {"X-GitHub-Event": event, "X-GitHub-Delivery": str(uuid.uuid4())}
            url = stage.run.bot.webhook_url
            assert httpx.post(url, content=sent.body, headers=headers, timeout=20).status_code == 202
        stage.settle()
        assert silent(stage, said)
        flush(stage)
        self.one_result(stage, said)

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_out_of_order(self, stage: Stage, seed: int) -> None:
        """A whole rollout's deliveries in any order lead to the same state."""
        number = stage.feature()
        stage.run.world.hooks.pause()
        said = stage.write(number, "/canary 25")
        flush(stage)
        stage.reply_to(said)
        stage.run.world.hooks.pause()
        later = stage.write(number, "/canary 30")
        stage.run.world.review(stage.repo, number, "", "APPROVED", by="kim")
        question = stage.write(number, "/canary status", by="rita")
        flush(stage, shuffle=seed, copies=2)
        stage.run.world.hooks.pause()
        stage.run.world.merge(stage.repo, number, by="mona")
        word = stage.write(number, "/hold", by="kim")
        flush(stage, shuffle=seed, copies=2)
        assert [stage.reply_to(c).code for c in (later, question, word)] == ["applied", "shown", "applied"]
        assert stage.step().title == "customer: 30 % → 50 %"
        stage.later(minutes=31)
        assert "On hold by kim" in stage.check(stage.step().number, "canary / gate")[1]

    def test_a_lost_comment_is_found_by_the_sweep(self, stage: Stage) -> None:
        number = stage.feature()
        stage.run.world.hooks.drop(1)
        said = stage.write(number, "/canary 25")
        stage.settle()
        assert silent(stage, said)
        sweep(stage)
        self.one_result(stage, said)
        sweep(stage)
        self.one_result(stage, said)

    def test_a_lost_comment_on_a_pull_request_without_news_is_found(self, stage: Stage) -> None:
        number = stage.feature()
        stage.later(hours=5)
        stage.run.world.hooks.drop(1)
        said = stage.write(number, "/canary 25")
        stage.settle()
        sweep(stage)
        self.one_result(stage, said)

    def test_a_lost_merge_is_found_by_the_sweep(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/canary 25")
        stage.run.world.hooks.drop(10)
        stage.merge(number)
        stage.run.world.hooks.drop(0)
        assert stage.no_step()
        sweep(stage)
        assert stage.step().title == "customer: 25 % → 50 %"

    def test_a_lost_closing_of_a_step_is_found_by_the_sweep(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        stage.run.world.hooks.drop(10)
        stage.close(step.number)
        stage.run.world.hooks.drop(0)
        sweep(stage)
        assert "**hold**" in stage.notice(step.number, "step-closed").text
        sweep(stage)
        assert stage.no_step()

    def test_everything_lost_from_the_first_comment_on(self, stage: Stage) -> None:
        number = stage.feature()
        hooks = stage.run.world.hooks
        hooks.drop(1000)
        said = stage.write(number, "/canary 25")
        sweep(stage)
        self.one_result(stage, said)
        stage.merge(number)
        sweep(stage)
        stage.later(minutes=31)
        wish = stage.write(stage.step().number, "/promote")
        sweep(stage)
        assert stage.reply_to(wish).code == "applied"
        sweep(stage)
        hooks.drop(0)
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert stage.step().title == "customer: 50 % → 100 %"

    def test_a_sweep_of_a_repository_at_rest_says_nothing(self, stage: Stage) -> None:
        number = begin(stage)
        sweep(stage)
        sweep(stage)
        assert stage.step().title == "customer: 25 % → 50 %"
        assert len(stage.all_replies(number)) == 1


class TestReplies:
    """One reply per comment, edited in place when the outcome changes."""

    def test_a_remembered_promotion(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        said = stage.write(step.number, "/promote")
        stage.settle()
        before = stage.reply_to(said)
        assert (before.decision, before.code) == ("pending", "remembered")
        stage.later(minutes=31)
        after = stage.reply_to(said)
        assert (after.decision, after.code) == ("done", "applied")
        assert f"Merged #{step.number}" in after.text
        assert [r.answer.to for r in stage.all_replies(step.number)] == [f"comment/{said.id}"]

    def test_two_wishes_for_one_step_are_both_told(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        first, second = stage.write(step.number, "/promote"), stage.write(1, "/promote", by="kim")
        stage.settle()
        assert {stage.reply_to(first).code, stage.reply_to(second).code} == {"remembered"}
        stage.later(minutes=31)
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert {stage.reply_to(first).code, stage.reply_to(second).code} == {"applied"}
        assert stage.step().title == "customer: 50 % → 100 %"

    def test_several_commands_get_one_reply(self, stage: Stage) -> None:
        number = stage.feature()
        said = stage.write(number, "Here we go\n\n/canary 25\n/canary status\n\nThanks")
        stage.settle()
        reply = stage.reply_to(said)
        assert reply.answer.verbs == ("canary", "status")
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}

    def test_one_error_means_nothing_runs(self, stage: Stage) -> None:
        number = stage.feature()
        reply = stage.say(number, "/canary 25\n/canary status of it")
        assert reply.decision == "not-understood"
        assert untouched(stage)

    def test_the_reply_says_the_outcome_for_machines(self, stage: Stage) -> None:
        number = stage.feature()
        answer = stage.say(number, "/canary 25").answer
        assert (answer.decision, answer.code, answer.service, answer.step) == (
            "done",
            "applied",
            "customer",
            "1/3",
        )
        assert answer.rollout.startswith("customer-")

    def test_a_reply_that_somebody_deleted(self, stage: Stage) -> None:
        """Without its reply a command is looked at again, and finds that it was carried out."""
        number = stage.feature()
        said = stage.write(number, "/canary 25")
        stage.settle()
        stage.reply_to(said)
        commits = len(stage.log("v4"))
        self.delete_reply(stage, said)
        sweep(stage)
        stage.reply_to(said)
        assert len(stage.log("v4")) == commits

    def test_a_hold_whose_reply_was_deleted_after_the_resume(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        said = stage.write(step.number, "/hold")
        stage.settle()
        stage.reply_to(said)
        stage.say(step.number, "/resume")
        self.delete_reply(stage, said)
        sweep(stage)
        assert stage.reply_to(said).code == "already"
        stage.later(minutes=31)
        assert stage.check(step.number, "canary / gate")[0] == "success"

    def delete_reply(self, stage: Stage, said: Comment) -> None:
        for entry in stage.run.world.timeline(stage.repo, said.number):
            answer = Answer.read(entry.comment.body) if entry.comment is not None else None
            if entry.comment is not None and answer is not None and answer.to == f"comment/{said.id}":
                stage.run.world.delete_comment(stage.repo, entry.comment.id, by="ada")
        stage.settle()

    def test_services_of_several_files_each_by_name(self, stage: Stage) -> None:
        stage.run.world.commit(stage.repo, "main", {"apps/cart.yaml": CART}, "Cart", by="ada")
        new_cart = CART.replace(b"cart-v3   #", b"cart-v4   #").replace(b"cart:3.4.1", b"cart:4.0.0")
        stage.branch("both", {PATH: VERSION_4, "apps/cart.yaml": new_cart})
        number = stage.run.world.open_pull(stage.repo, "both", "main", "Both", by="mona").number
        stage.settle()
        stage.run.world.hooks.pause()
        first = stage.write(number, "/canary cart 25", by="mona")
        second = stage.write(number, "/canary customer 75", by="kim")
        flush(stage)
        assert stage.reply_to(first).code == "applied"
        assert stage.reply_to(second).code == "applied"  # another service: nobody is superseded
        assert stage.split("both") == {"customer-v3": 25, "customer-v4": 75}
        assert stage.split("both", path="apps/cart.yaml", name="cart") == {"cart-v3": 75, "cart-v4": 25}


class TestChecks:
    """Checks are always reported."""

    def plan(self, stage: Stage) -> str | None:
        return stage.check(stage.step().number, "canary / plan")[0]

    def test_a_rebuilt_step_has_its_plan(self, stage: Stage) -> None:
        begin(stage)
        head = stage.step().head_sha
        stage.push("main", stage.read().replace(b"team-shop", b"team-store"), by="ada")
        stage.later(minutes=31)
        assert stage.step().head_sha != head
        assert self.plan(stage) == "success"

    def test_a_plan_that_github_did_not_take_at_once(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/canary 25")
        stage.run.server.faults.add("POST", f"/repos/{stage.repo}/check-runs", "before-502")
        stage.merge(number)
        stage.later(minutes=1)
        assert self.plan(stage) == "success"
        assert stage.step().title == "customer: 25 % → 50 %"
