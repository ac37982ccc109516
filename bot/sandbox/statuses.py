"""Commit statuses: what programs without an App's rights report instead of checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.ports import Role
from bot.sandbox import shapes
from bot.sandbox.base import locked
from bot.sandbox.errors import ApiError, invalid
from bot.sandbox.model import CommitStatus
from bot.sandbox.talk import Talk

if TYPE_CHECKING:
    from bot.sandbox.base import Urls
    from bot.sandbox.model import Repository, StatusState

STATES: dict[str, StatusState] = {
    "error": "error",
    "failure": "failure",
    "pending": "pending",
    "success": "success",
}
LONGEST_DESCRIPTION = 140
LONGEST_CONTEXT = 255
MOST_OF_A_CONTEXT = 1000  # on one commit


class Statuses(Talk):
    """Statuses of commits. The latest of each context counts."""

    @locked
    def create_status(self, repo: str, sha: str, fields: dict[str, Any], *, by: str) -> CommitStatus:
        """Report on a commit (needs write) from the fields of ``POST .../statuses/{sha}``.

        Raises:
            ApiError: 422 for an unknown commit or state, a text that is too long, an address that
                is none, and more than a thousand of one context; 403, 404.
        """
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.WRITE)
        if repository.git.kind(sha) != "commit":
            raise ApiError(422, f"No commit found for SHA: {sha}")
        given = fields.get("state")
        state = STATES.get(given) if isinstance(given, str) else None
        if state is None:
            code = "missing_field" if given is None else "custom"
            raise invalid("Status", "state", code, "state is not included in the list")
        context = _text(fields, "context", LONGEST_CONTEXT) or "default"
        description = _text(fields, "description", LONGEST_DESCRIPTION)
        target = _text(fields, "target_url", 2**16)
        if target and urlsplit(target).scheme not in {"http", "https"}:
            raise invalid("Status", "target_url", "custom", "target_url must use http(s) scheme")
        if sum(one.sha == sha and one.context == context for one in repository.statuses) >= MOST_OF_A_CONTEXT:
            sentence = "This SHA and context has reached the maximum number of statuses."
            raise invalid("Status", "base", "custom", sentence)
        status = CommitStatus(self.next_id(), sha, state, context, description, target, who, self.now())
        repository.statuses.append(status)
        self._tell_status(repository, status)
        return status

    @locked
    def all_statuses(self, repo: str, sha: str) -> list[CommitStatus]:
        """Give all statuses of a commit, newest first."""
        return [one for one in reversed(self.repository(repo).statuses) if one.sha == sha]

    @locked
    def statuses(self, repo: str, sha: str) -> list[CommitStatus]:
        """Give the latest status of each context on a commit, in the order of the contexts' coming."""
        latest: dict[str, CommitStatus] = {}
        for one in reversed(self.all_statuses(repo, sha)):
            latest[one.context] = one
        return list(latest.values())

    def _tell_status(self, repository: Repository, status: CommitStatus) -> None:
        def build(urls: Urls) -> dict[str, Any]:
            git = repository.git
            holding = [
                shapes.branch_shape(self, repository, name, git.commit(tip), urls, short=True)
                for name, tip in self.branches(repository.full_name).items()
                if git.is_ancestor(status.sha, tip)
            ]
            shape = shapes.status_shape(repository, status, urls)
            told = (
                "id",
                "avatar_url",
                "state",
                "description",
                "target_url",
                "context",
                "created_at",
                "updated_at",
            )
            commit = shapes.commit_shape(self, repository, git.commit(status.sha), urls)
            for role in ("author", "committer"):
                if commit[role] is not None:
                    del commit[role]["user_view_type"]  # which this event alone does not tell
            return {
                **{name: shape[name] for name in told},
                "sha": status.sha,
                "name": repository.full_name,
                "commit": commit,
                "branches": holding[:10],
            }

        self.notify(repository, "status", status.creator, build)


def _text(fields: dict[str, Any], name: str, limit: int) -> str | None:
    """Check a text of a status. Raises ``ApiError`` 422."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ApiError(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
    if value is not None and len(value) > limit:
        sentence = f"{name} is too long (maximum is {limit} characters)"
        raise invalid("Status", name, "custom", sentence)
    return value
