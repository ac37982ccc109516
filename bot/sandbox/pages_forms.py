"""The pages' forms: what a person does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from bot.sandbox.errors import ApiError
from bot.sandbox.pages_edit import as_text, with_own_ends
from bot.sandbox.pages_http import USER_COOKIE, Refusal, Visit, redirect
from bot.sandbox.pages_read import NOT_FOUND, Pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from bot.sandbox.model import MergeMethod, Repository, ReviewState

FARTHEST_SKIP = 60 * 24 * 31  # minutes
_METHODS = ("merge", "squash", "rebase")
_REVIEWS = ("APPROVED", "CHANGES_REQUESTED", "COMMENTED")


class Forms(Pages):
    """The forms, a method for each. All end in a redirect, or in the page they came from with a reason."""

    def choose_user(self, visit: Visit) -> Response:
        """Become another person."""
        login = self.world.account(visit.form.get("login", "")).login
        answer = redirect(visit.form.get("back", "/"))
        answer.set_cookie(USER_COOKIE, login, httponly=True, samesite="strict", secure=visit.secure)
        return answer

    def skip_time(self, visit: Visit) -> Response:
        """Move the sandbox's clock forward."""
        minutes = visit.form.get("minutes", "")
        if not (minutes.isascii() and minutes.isdigit() and 1 <= int(minutes[:6]) <= FARTHEST_SKIP):
            raise Refusal(400, "Not a time", f"Skip 1 to {FARTHEST_SKIP} minutes.")
        self.world.clock.advance(timedelta(minutes=int(minutes)))
        return redirect(visit.form.get("back", "/"))

    def _tried(
        self, visit: Visit, act: Callable[[str, str], str | None], view: str = "conversation"
    ) -> Response:
        """Do something to the pull request as the visitor; a refusal shows the page again, with the reason.

        Args:
            visit: A form of a pull request.
            act: Takes the repository and the person's login; gives where on the page to go on.
            view: The side of the pull request that the form stands on.
        """
        repo = self.repository_of(visit).full_name
        try:
            place = act(repo, self.me(visit, repo).login)
        except ApiError as no:
            if no.status == NOT_FOUND:
                raise
            return self.pull_page(visit, view, status=no.status, alert=sentence(no))
        side = "" if view == "conversation" else f"/{view}"
        return redirect(f"/{repo}/pull/{visit.number}{side}" + (f"#{place}" if place else ""))

    def comment(self, visit: Visit) -> Response:
        """Comment, review, close or reopen, or a comment with one of them."""
        body, action, kind = visit.form.get("body", ""), visit.form.get("action"), visit.form.get("kind")

        def act(repo: str, by: str) -> str:
            place = "live-merge"
            if kind in _REVIEWS and action == "comment":
                review = self.world.review(repo, visit.number, body, cast("ReviewState", kind), by=by)
                place = f"pullrequestreview-{review.id}" if body else place
            elif body.strip() or action not in {"close", "reopen"}:
                place = f"issuecomment-{self.world.comment(repo, visit.number, body, by=by).id}"
            if action == "close":
                self.world.close_pull(repo, visit.number, by=by)
            elif action == "reopen":
                self.world.reopen(repo, visit.number, by=by)
            return place

        return self._tried(visit, act)

    def change_comment(self, visit: Visit) -> Response:
        """Edit or delete a comment."""
        comment, body = int(visit.path["id"]), visit.form.get("body", "")

        def act(repo: str, by: str) -> None:
            if visit.form.get("action") == "delete":
                self.world.delete_comment(repo, comment, by=by)
            else:
                self.world.edit_comment(repo, comment, body, by=by)

        return self._tried(visit, act)

    def merge(self, visit: Visit) -> Response:
        """Merge what the page showed: a head that has moved since is not merged."""
        method, sha = visit.form.get("method", "merge"), visit.form.get("sha") or None

        def act(repo: str, by: str) -> None:
            if method not in _METHODS:
                raise ApiError(422, "There is no such way to merge.")
            self.world.merge(repo, visit.number, by=by, method=cast("MergeMethod", method), sha=sha)

        return self._tried(visit, act)

    def ask_check(self, visit: Visit) -> Response:
        """Press a button of a check, or ask for the check again."""
        check, pressed = int(visit.path["id"]), visit.form.get("press")

        def act(repo: str, by: str) -> str | None:
            if self.world.check(repo, check).sha != self.world.pull(repo, visit.number).head_sha:
                raise ApiError(409, "The check is of an older commit.")
            if pressed is None:
                self.world.rerequest_check(repo, check, by=by)
            else:
                self.world.press(repo, check, pressed, by=by)
            return None

        return self._tried(visit, act, "checks" if visit.form.get("view") == "checks" else "conversation")

    def delete_branch(self, visit: Visit) -> Response:
        """Delete the branch of a merged pull request."""

        def act(repo: str, by: str) -> None:
            pull = self.world.pull(repo, visit.number)
            if not pull.merged or pull.head_repository is not self.world.repository(repo):
                raise ApiError(422, "Only the branch of a merged pull request is deleted here.")
            self.world.delete_branch(repo, pull.head_ref, by=by)

        return self._tried(visit, act)

    def edit(self, visit: Visit) -> Response:
        """Change a file on its branch, or on a new branch with a pull request.

        Who may not write proposes from a fork, as on GitHub.
        """
        repository = self.repository_of(visit)
        ref, path = visit.form.get("base", ""), visit.form.get("path", "")
        try:
            return redirect(self._edited(visit, repository, ref, path))
        except ApiError as no:
            if no.status == NOT_FOUND:
                raise
            return self.blob_page(visit, repository, ref, path, status=no.status, alert=sentence(no))

    def _edited(self, visit: Visit, repository: Repository, ref: str, path: str) -> str:
        """Carry out an edit; give the address that shows it."""
        world, repo, form = self.world, repository.full_name, visit.form
        me = self.me(visit, repo)
        before = world.read(repo, ref, path)
        if as_text(before) is None:
            raise ApiError(422, "This file is not text.")
        after = with_own_ends(before, form.get("content", ""))
        if after == before:
            raise ApiError(422, "Nothing was changed.")
        blob = form.get("blob", "")
        if blob != world.entry(repo, ref, path).sha:
            raise ApiError(409, "Somebody changed the file since this page was loaded; nothing was written.")
        title = " ".join(form.get("title", "").split()) or f"Update {path}"
        if form.get("action") == "commit":
            world.put_file(repo, path, after, title, branch=ref, blob=blob, by=me.login)
            return f"/{repo}/blob/{quote(ref)}/{quote(path)}"
        branch, source = form.get("branch", "").strip(), repo
        if not me.may("write"):
            source = world.fork(repo, by=me.login).full_name
        world.create_branch(source, branch, at=world.branches(repo)[ref], by=me.login)
        world.put_file(source, path, after, title, branch=branch, blob=blob, by=me.login)
        fork = source if source != repo else None
        pull = world.open_pull(repo, branch, ref, title, form.get("description", ""), by=me.login, fork=fork)
        return f"/{repo}/pull/{pull.number}"


def sentence(no: ApiError) -> str:
    """Give a refusal in GitHub's words, with the fields' own messages behind them."""
    details = [
        str(error.get("message") or f"{error.get('field', '?')}: {error.get('code', '?')}")
        if isinstance(error, dict)
        else str(error)
        for error in no.errors
    ]
    return " ".join([f"{no.message.rstrip('.')}.", *details])
