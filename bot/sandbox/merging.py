"""Merging by GitHub itself: auto-merge, drafts, and a merge that is not what it says.

Source: GitHub's "Automatically merging a pull request", and the error of a recording of PyGithub
(``PullRequest.testEnableAutomergeError``). The other sentences of refusals are as people quote them in
issues ("Pull request is in clean status").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.ports import Role
from bot.sandbox.base import locked
from bot.sandbox.errors import ApiError
from bot.sandbox.model import AutoMerge, Pull
from bot.sandbox.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import (
        Account,
        App,
        CheckRun,
        CommitStatus,
        Issue,
        MergeMethod,
        Repository,
        Review,
        ReviewState,
    )


def unprocessable(said: str) -> ApiError:
    """Give a refusal of a mutation, as GitHub words it."""
    return ApiError(422, f"Pull request {said}")


class Merging(Rules):
    """Rules, and what follows from them without a person at the button."""

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self._lies: dict[int, Mapping[str, bytes | None]] = {}
        self._settling = False

    # lies --------------------------------------------------------------------------------------------

    @locked
    def lie_about_next_merge(self, repo: str, changes: Mapping[str, bytes | None]) -> None:
        """Let the next merge succeed and bring something else: these files, ``None`` where one is missing.

        As in the incident of 23 April 2026, when merge queues squashed from a wrong base.
        """
        self._lies[self.repository(repo).id] = dict(changes)

    def _merge_commit(
        self,
        repository: Repository,
        pull: Pull,
        base: str,
        who: Account,
        wanted: tuple[MergeMethod, str | None, str | None],
    ) -> str | None:
        made = super()._merge_commit(repository, pull, base, who, wanted)
        lie = self._lies.pop(repository.id, None) if made is not None else None
        if made is None or lie is None:
            return made
        git = repository.git
        commit = git.commit(made)
        lines = [
            (path, "100644", None if content is None else git.write_blob(content))
            for path, content in lie.items()
        ]
        tree = git.write_tree(commit.tree, lines)
        return git.write_commit(tree, list(commit.parents), commit.message, self.signed(who))

    # drafts ------------------------------------------------------------------------------------------

    @locked
    def set_draft(self, repo: str, number: int, *, draft: bool, by: str) -> None:
        """Turn a pull request into a draft, or mark it ready (the author, or write)."""
        repository, pull, who = self.repository(repo), self.pull(repo, number), self.account(by)
        self.require(repository, who, Role.READ if who is pull.author else Role.WRITE)
        if pull.draft == draft or pull.state == "closed":
            return
        pull.draft = draft
        if draft:
            self._disarm(repository, pull, who, "Pull request was converted to draft")
        self.tell(repository, pull, "converted_to_draft" if draft else "ready_for_review", who)
        self.settle_merges(repository)

    # auto-merge --------------------------------------------------------------------------------------

    @locked
    def enable_auto_merge(
        self,
        repo: str,
        number: int,
        *,
        by: str,
        method: MergeMethod = "merge",
        title: str | None = None,
        message: str | None = None,
        head: str | None = None,
    ) -> None:
        """Have GitHub merge a pull request as soon as the rules let it (needs write).

        Raises:
            ApiError: 422 where that is off, the head is not ``head``, or nothing is waited for; 403, 404.
        """
        repository, pull, who = self.repository(repo), self.pull(repo, number), self.account(by)
        self.require(repository, who, Role.WRITE)
        if not repository.allow_auto_merge:
            raise unprocessable("Auto merge is not allowed for this repository")
        if pull.state == "closed":
            raise unprocessable("Pull request is closed")
        if pull.draft:
            raise unprocessable("Pull request is in draft status")
        if head is not None and head != pull.head_sha:
            raise unprocessable("Head branch was modified. Review and try the merge again.")
        if method not in repository.merge_methods:
            raise unprocessable(f"Merge method {method} merging is not allowed on this repository")
        if self.merge_state(repo, number) == "CLEAN" and not self.queue_rule(repository, pull.base_ref):
            raise unprocessable("Pull request is in clean status")
        pull.auto_merge = AutoMerge(who, method, title, message)
        self.tell(repository, pull, "auto_merge_enabled", who)
        self.settle_merges(repository)

    @locked
    def disable_auto_merge(self, repo: str, number: int, *, by: str) -> None:
        """Take that back (needs write). Raises ``ApiError`` 422 where it is off."""
        repository, pull, who = self.repository(repo), self.pull(repo, number), self.account(by)
        self.require(repository, who, Role.WRITE)
        if pull.auto_merge is None:
            raise unprocessable("Can't disable auto-merge for this pull request.")
        self._disarm(repository, pull, who, "Auto-merge was disabled manually")

    def _disarm(self, repository: Repository, pull: Pull, who: Account | None, reason: str) -> None:
        if pull.auto_merge is not None:
            pull.auto_merge = None
            self.tell(repository, pull, "auto_merge_disabled", who, reason=reason)

    @locked
    def merge_state(self, repo: str, number: int) -> str:
        """Give the ``MergeStateStatus`` of an open pull request: CLEAN, BLOCKED, DIRTY or DRAFT."""
        repository, pull = self.repository(repo), self.pull(repo, number)
        if pull.draft:
            return "DRAFT"
        if not self.mergeable(repo, number):
            return "DIRTY"
        methods = repository.merge_methods if pull.auto_merge is None else (pull.auto_merge.method,)
        for method in methods:
            try:
                self.check_rules(repository, pull, None, method, queued=True)
            except ApiError:
                continue
            return "CLEAN"
        return "BLOCKED"

    def queue_rule(self, repository: Repository, branch: str) -> dict[str, Any] | None:
        """Give the parameters of a branch's merge queue, ``None`` where it has none."""
        for _, rule in self.rules_of(repository.full_name, branch):
            if rule["type"] == "merge_queue":
                parameters: dict[str, Any] = rule["parameters"]
                return parameters
        return None

    # what happens by itself ----------------------------------------------------------------------------

    @locked
    def settle_merges(self, repository: Repository) -> None:
        """Do what waits for rules and checks, as far as they let it."""
        if self._settling:
            return
        self._settling = True
        try:
            while self._settle_once(repository):
                pass
        finally:
            self._settling = False

    def _settle_once(self, repository: Repository) -> bool:
        """Do one thing that can be done now; say whether there was one."""
        name = repository.full_name
        for pull in repository.pulls:
            armed = pull.auto_merge
            if armed is None or pull.state == "closed" or self.merge_state(name, pull.number) != "CLEAN":
                continue
            pull.auto_merge = None
            if self.queue_rule(repository, pull.base_ref):
                self.enqueue(name, pull.number, by=armed.who.login)
            else:
                how = {"method": armed.method, "title": armed.title, "message": armed.message}
                self.merge(name, pull.number, by=armed.who.login, sha=pull.head_sha, **how)  # type: ignore[arg-type]
            return True
        return False

    def enqueue(self, repo: str, number: int, *, by: str, head: str | None = None) -> None:
        """Put a pull request into the queue; the part above knows."""
        raise NotImplementedError

    def _close(self, repository: Repository, pull: Issue, who: Account | None) -> None:
        super()._close(repository, pull, who)
        if isinstance(pull, Pull):
            self._disarm(repository, pull, who, "Pull request was closed")

    def _head_moved(self, home: Repository, pull: Pull, new: str | None, who: Account | None) -> None:
        super()._head_moved(home, pull, new, who)
        writes = (
            who is None or who.app_id is not None or self.role_of(home.full_name, who.login) >= Role.WRITE
        )
        if not writes:
            self._disarm(home, pull, who, "New commits were pushed by someone without write access")

    def after_push(
        self, repository: Repository, branch: str, old: str, new: str | None, who: Account | None
    ) -> None:
        """Deliver what a push sets off, and merge what it lets be merged."""
        super().after_push(repository, branch, old, new, who)
        self.settle_merges(repository)

    @locked
    def create_check(self, repo: str, app: App, fields: dict[str, Any]) -> CheckRun:
        """Create a check run; see ``Checks``."""
        run = super().create_check(repo, app, fields)
        self.settle_merges(self.repository(repo))
        return run

    @locked
    def update_check(self, repo: str, check_id: int, app: App, fields: dict[str, Any]) -> CheckRun:
        """Change a check run; see ``Checks``."""
        run = super().update_check(repo, check_id, app, fields)
        self.settle_merges(self.repository(repo))
        return run

    @locked
    def create_status(self, repo: str, sha: str, fields: dict[str, Any], *, by: str) -> CommitStatus:
        """Report on a commit; see ``Statuses``."""
        status = super().create_status(repo, sha, fields, by=by)
        self.settle_merges(self.repository(repo))
        return status

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
        """Submit a review; see ``Talk``."""
        made = super().review(repo, number, body, state, by=by, sha=sha)
        self.settle_merges(self.repository(repo))
        return made
