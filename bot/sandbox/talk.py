"""Comments, reviews and reactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.ports import Role
from bot.sandbox import shapes
from bot.sandbox.base import FORBIDDEN, locked
from bot.sandbox.errors import ApiError, invalid, not_found
from bot.sandbox.model import Comment, Entry, Pull, Reaction, Review
from bot.sandbox.pulls import LONGEST_BODY, Pulls

if TYPE_CHECKING:
    from bot.sandbox.base import Urls
    from bot.sandbox.model import Account, Issue, Repository, ReviewState

REACTIONS = frozenset({"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"})


def check_body(resource: str, body: object) -> str:
    """Check a comment's text. Raises ``ApiError`` 422."""
    if not isinstance(body, str) or not body.strip():
        raise invalid(resource, "body", "missing_field")
    if len(body) > LONGEST_BODY:
        sentence = f"Body is too long (maximum is {LONGEST_BODY} characters)"
        raise invalid(resource, "data", "unprocessable", sentence)
    return body


class Talk(Pulls):
    """What people and bots say on pull requests and issues."""

    @locked
    def comment(self, repo: str, number: int, body: str, *, by: str) -> Comment:
        """Comment on a pull request or issue.

        Raises:
            ApiError: 422 no text or too long, 403 a locked conversation, 404.
        """
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.READ)
        issue = self.issue(repo, number)
        text = check_body("IssueComment", body)
        self._may_speak(repository, issue, who)
        now = self.now()
        comment = Comment(self.next_id(), number, who, text, now, now, app=self.app_of(who))
        issue.comments.append(comment)
        issue.timeline.append(Entry("comment", now, who, text, comment=comment))
        issue.updated_at = now
        self._say(repository, issue, comment, "created", who)
        return comment

    def _may_speak(self, repository: Repository, issue: Issue, who: Account) -> None:
        trusted = who.app_id is not None or self.role_of(repository.full_name, who.login) >= Role.WRITE
        if issue.locked and not trusted:
            raise ApiError(403, "Unable to create comment because issue is locked.")

    def _say(
        self, repository: Repository, issue: Issue, comment: Comment, action: str, who: Account, **more: Any
    ) -> None:
        """Deliver an ``issue_comment`` event."""

        def build(urls: Urls) -> dict[str, Any]:
            return {
                "action": action,
                "issue": shapes.issue_shape(repository, issue, urls, hook=True),
                "comment": shapes.comment_shape(repository, comment, urls),
                **more,
            }

        self.notify(repository, "issue_comment", who, build)

    @locked
    def find_comment(self, repo: str, comment_id: int) -> tuple[Issue, Comment]:
        """Find a comment and its conversation. Raises ``ApiError`` 404."""
        for issue in self.repository(repo).issues.values():
            for comment in issue.comments:
                if comment.id == comment_id:
                    return issue, comment
        raise not_found()

    def _may_change(self, repository: Repository, comment: Comment, who: Account) -> None:
        if who is comment.author:
            return
        if who.app_id is not None:
            raise ApiError(403, FORBIDDEN)
        self.require(repository, who, Role.WRITE)

    @locked
    def edit_comment(self, repo: str, comment_id: int, body: str, *, by: str) -> Comment:
        """Change a comment (the author, or write). Its ``updated_at`` moves by a second at least."""
        repository, who = self.repository(repo), self.account(by)
        issue, comment = self.find_comment(repo, comment_id)
        self._may_change(repository, comment, who)
        text, before = check_body("IssueComment", body), comment.body
        comment.body, comment.updated_at = text, max(self.now(), comment.created_at + self.tick)
        for entry in issue.timeline:
            if entry.comment is comment:
                entry.text = text
        self._say(repository, issue, comment, "edited", who, changes={"body": {"from": before}})
        return comment

    @locked
    def delete_comment(self, repo: str, comment_id: int, *, by: str) -> None:
        """Delete a comment (the author, or write)."""
        repository, who = self.repository(repo), self.account(by)
        issue, comment = self.find_comment(repo, comment_id)
        self._may_change(repository, comment, who)
        issue.comments.remove(comment)
        issue.timeline = [entry for entry in issue.timeline if entry.comment is not comment]
        self._say(repository, issue, comment, "deleted", who)

    @locked
    def react(self, repo: str, comment_id: int, content: str, *, by: str) -> tuple[Reaction, bool]:
        """React to a comment; give the reaction and whether it is new.

        Raises:
            ApiError: 422 for an unknown reaction, 404.
        """
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.READ)
        _, comment = self.find_comment(repo, comment_id)
        if content not in REACTIONS:
            raise invalid("Reaction", "content")
        for reaction in comment.reactions:
            if reaction.content == content and reaction.user is who:
                return reaction, False
        reaction = Reaction(self.next_id(), content, who, self.now())
        comment.reactions.append(reaction)
        return reaction, True

    @locked
    def unreact(self, repo: str, comment_id: int, reaction_id: int, *, by: str) -> None:
        """Take one's own reaction back. Raises ``ApiError`` 404."""
        who = self.account(by)
        _, comment = self.find_comment(repo, comment_id)
        kept = [r for r in comment.reactions if r.id != reaction_id or r.user is not who]
        if len(kept) == len(comment.reactions):
            raise not_found()
        comment.reactions = kept

    @locked
    def review(
        self,
        repo: str,
        number: int,
        body: str = "",
        state: ReviewState = "COMMENTED",
        *,
        by: str,
        sha: str | None = None,
    ) -> Review:
        """Submit a review of the head; ``state`` is APPROVED, CHANGES_REQUESTED or COMMENTED.

        Raises:
            ApiError: 422 for one's own pull request, or no text where one is needed; 404.
        """
        repository, who, pull = self.repository(repo), self.account(by), self.pull(repo, number)
        self.require(repository, who, Role.READ)
        if state == "APPROVED":
            self.check_workflow_pull(repository, who)
        if state != "COMMENTED" and who is pull.author:
            verb = "approve" if state == "APPROVED" else "request changes on"
            raise ApiError(422, "Unprocessable Entity", [f"Can not {verb} your own pull request"])
        if state != "APPROVED":
            check_body("PullRequestReview", body)
        self._may_speak(repository, pull, who)
        now = self.now()
        review = Review(self.next_id(), number, who, body, state, sha or pull.head_sha, now)
        pull.reviews.append(review)
        pull.asked = [one for one in pull.asked if one is not who]
        pull.timeline.append(Entry("review", now, who, body, review.sha, review=review))
        pull.updated_at = now
        self.notify(
            repository,
            "pull_request_review",
            who,
            lambda urls: {
                "action": "submitted",
                "review": shapes.review_shape(repository, pull, review, urls, hook=True),
                "pull_request": shapes.pull_shape(self, repository, pull, urls, hook=True, short=True),
            },
        )
        return review

    @locked
    def dismiss_review(self, repo: str, number: int, review_id: int, message: str, *, by: str) -> Review:
        """Dismiss a review (needs write). Raises ``ApiError`` 404, 422 for one that decided nothing."""
        repository, who, pull = self.repository(repo), self.account(by), self.pull(repo, number)
        self.require(repository, who, Role.WRITE)
        check_body("PullRequestReview", message)
        review = next((one for one in pull.reviews if one.id == review_id), None)
        if review is None:
            raise not_found()
        if review.state not in {"APPROVED", "CHANGES_REQUESTED"}:
            raise ApiError(422, "Validation Failed", ["Can not dismiss a commented pull request review"])
        review.state = "DISMISSED"
        pull.updated_at = self.now()
        self.notify(
            repository,
            "pull_request_review",
            who,
            lambda urls: {
                "action": "dismissed",
                "review": shapes.review_shape(repository, pull, review, urls, hook=True),
                "pull_request": shapes.pull_shape(self, repository, pull, urls, hook=True, short=True),
            },
        )
        return review

    @locked
    def lock_conversation(self, repo: str, number: int, *, locked: bool = True) -> None:
        """Lock a conversation for all but people with write, or unlock it."""
        self.issue(repo, number).locked = locked

    @locked
    def timeline(self, repo: str, number: int) -> list[Entry]:
        """Give the conversation in order: opening, comments, reviews, commits, merge, closing."""
        issue = self.issue(repo, number)
        if issue.timeline and isinstance(issue, Pull):
            issue.timeline[0].text = issue.body or ""
        return list(issue.timeline)
