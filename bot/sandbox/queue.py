"""The merge queue: pull requests are merged one after the other, each checked on top of those before it.

Source: GitHub's "Managing a merge queue" (strategy ``ALLGREEN``: each entry has a commit and a branch of its own),
its descriptions of ``merge_group`` and ``pull_request`` ``enqueued`` and ``dequeued``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.ports import Role
from bot.sandbox.base import locked
from bot.sandbox.code import HEADS
from bot.sandbox.errors import ApiError
from bot.sandbox.git import ABSENT
from bot.sandbox.merging import Merging, unprocessable
from bot.sandbox.model import Account, Pull
from bot.sandbox.shapes import stamp

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from bot.sandbox.base import Urls
    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import Issue, MergeMethod, Repository

PREFIX = "gh-readonly-queue/"
QUEUE_LOGIN = "github-merge-queue[bot]"
QUEUE_USER_ID = 118344674
METHODS: dict[str, MergeMethod] = {"MERGE": "merge", "SQUASH": "squash", "REBASE": "rebase"}


@dataclass(slots=True)
class QueueEntry:
    """A pull request in the queue. ``head_sha`` is its commit on top of ``base_sha``, on the branch ``ref``."""

    id: int
    pull: Pull
    who: Account
    at: datetime
    base_sha: str = ""
    head_sha: str = ""
    ref: str = ""


class Queues(Merging):
    """The queues of branches whose rules ask for one."""

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self._queues: dict[tuple[int, str], list[QueueEntry]] = {}

    @locked
    def queue(self, repo: str, branch: str) -> list[QueueEntry]:
        """Give what waits for a branch, first come first."""
        return list(self._queues.get((self.repository(repo).id, branch), []))

    def entry_of(self, repository: Repository, pull: Pull) -> QueueEntry | None:
        """Give a pull request's place in the queue."""
        waiting = self._queues.get((repository.id, pull.base_ref), [])
        return next((entry for entry in waiting if entry.pull is pull), None)

    @locked
    def enqueue(self, repo: str, number: int, *, by: str, head: str | None = None) -> None:
        """Put a pull request into the queue (needs write).

        Raises:
            ApiError: 422 where there is no queue, the head is not ``head``, or a rule is not met; 403, 404.
        """
        repository, pull, who = self.repository(repo), self.pull(repo, number), self.account(by)
        self.require(repository, who, Role.WRITE)
        rule = self.queue_rule(repository, pull.base_ref)
        if rule is None:
            raise unprocessable("Merge queue is not enabled for the base branch")
        if pull.state == "closed":
            raise unprocessable("Pull request is closed")
        if self.entry_of(repository, pull) is not None:
            raise unprocessable("Pull request is already in the merge queue")
        if pull.draft:
            raise unprocessable("Pull request is in draft status")
        if head is not None and head != pull.head_sha:
            raise unprocessable("Head branch was modified. Review and try the merge again.")
        if not self.mergeable(repo, number):
            raise unprocessable("Pull request has merge conflicts")
        try:
            self.check_rules(repository, pull, who, METHODS[rule["merge_method"]], queued=True)
        except ApiError as refusal:
            raise unprocessable(refusal.message.partition("\n\n")[2].strip() or refusal.message) from None
        entry = QueueEntry(self.next_id(), pull, who, self.now())
        self._queues.setdefault((repository.id, pull.base_ref), []).append(entry)
        self.tell(repository, pull, "enqueued", who)
        self._build(repository, pull.base_ref)
        self.settle_merges(repository)

    @locked
    def dequeue(self, repo: str, number: int, *, by: str) -> None:
        """Take a pull request out of the queue (needs write). Raises ``ApiError`` 422 where it is not in it."""
        repository, pull, who = self.repository(repo), self.pull(repo, number), self.account(by)
        self.require(repository, who, Role.WRITE)
        entry = self.entry_of(repository, pull)
        if entry is None:
            raise unprocessable("Pull request is not in the merge queue")
        self._take_out(repository, entry, "MANUAL", who)
        self.settle_merges(repository)

    # groups ------------------------------------------------------------------------------------------

    def _build(self, repository: Repository, branch: str) -> None:
        """Make the commit of each entry that has none on top of the one before it."""
        rule = self.queue_rule(repository, branch)
        before = repository.git.ref(HEADS + branch)
        for entry in self.queue(repository.full_name, branch):
            if before is None or rule is None:
                return
            if entry.head_sha and entry.base_sha == before:
                before = entry.head_sha
                continue
            self._destroy(repository, entry, "invalidated")
            wanted: tuple[MergeMethod, None, None] = (METHODS[rule["merge_method"]], None, None)
            made = self._merge_commit(repository, entry.pull, before, self._bot(), wanted)
            if made is None:
                self._take_out(repository, entry, "MERGE_CONFLICT", self._bot())
                continue
            entry.base_sha, entry.head_sha = before, made
            entry.ref = f"{PREFIX}{branch}/pr-{entry.pull.number}-{before}"
            self.push(repository, entry.ref, made, ABSENT, self._bot())
            self._tell_group(repository, entry, "checks_requested")
            before = made

    def _destroy(self, repository: Repository, entry: QueueEntry, reason: str) -> None:
        if entry.head_sha:
            tip = repository.git.ref(HEADS + entry.ref)
            if tip is not None:
                self.push(repository, entry.ref, None, tip, self._bot())
            self._tell_group(repository, entry, "destroyed", reason=reason)
        entry.base_sha = entry.head_sha = entry.ref = ""

    def _take_out(self, repository: Repository, entry: QueueEntry, reason: str, who: Account | None) -> None:
        branch = entry.pull.base_ref
        self._queues[repository.id, branch].remove(entry)
        self._destroy(repository, entry, "dequeued")
        self.tell(repository, entry.pull, "dequeued", who, reason=reason)
        self._build(repository, branch)

    def _settle_once(self, repository: Repository) -> bool:
        if super()._settle_once(repository):
            return True
        for (number, branch), waiting in list(self._queues.items()):
            first = waiting[0] if number == repository.id and waiting else None
            if first is None or not first.head_sha:
                continue
            state = self._state_of_group(repository, branch, first.head_sha)
            if state == "good":
                self._merge_first(repository, branch, first)
                return True
            if state == "failing":
                self._take_out(repository, first, "CI_FAILURE", self._bot())
                return True
        return False

    def _state_of_group(self, repository: Repository, branch: str, sha: str) -> str:
        """Say how the required checks stand on a group's commit: ``good``, ``failing`` or ``waiting``."""
        wanted: list[tuple[str, int | None]] = []
        classic = self.protection(repository.full_name, branch)
        if classic is not None:
            wanted += [(name, classic.sources.get(name)) for name in classic.checks]
        for _, rule in self.rules_of(repository.full_name, branch):
            if rule["type"] == "required_status_checks":
                told = rule["parameters"]["required_status_checks"]
                wanted += [(one["context"], one.get("integration_id")) for one in told]
        states = {self._state_of(repository, sha, name, source) for name, source in wanted}
        if "failing" in states:
            return "failing"
        return "good" if states <= {"good"} else "waiting"

    def _merge_first(self, repository: Repository, branch: str, entry: QueueEntry) -> None:
        tip, bot, head = repository.git.ref(HEADS + branch), self._bot(), entry.head_sha
        if tip != entry.base_sha or tip is None:  # somebody pushed: it is checked anew
            self._build(repository, branch)
            return
        self._queues[repository.id, branch].remove(entry)
        self._merged(repository, entry.pull, head, tip, bot)
        self.push(repository, branch, head, tip, bot)
        self.tell(repository, entry.pull, "dequeued", bot, reason="MERGE")
        self._destroy(repository, entry, "merged")
        if repository.delete_branch_on_merge:
            self._delete_head(repository, entry.pull, bot)

    def _tell_group(
        self, repository: Repository, entry: QueueEntry, action: str, reason: str | None = None
    ) -> None:
        commit = repository.git.commit(entry.head_sha)
        group = {
            "head_sha": entry.head_sha,
            "head_ref": HEADS + entry.ref,
            "base_sha": entry.base_sha,
            "base_ref": HEADS + entry.pull.base_ref,
            "head_commit": {
                "id": commit.sha,
                "tree_id": commit.tree,
                "message": commit.message,
                "timestamp": stamp(commit.committed_at),
                "author": {"name": commit.author_name, "email": commit.author_email},
                "committer": {"name": commit.committer_name, "email": commit.committer_email},
            },
        }
        more = {} if reason is None else {"reason": reason}

        def build(_: Urls) -> dict[str, Any]:
            return {"action": action, "merge_group": group, **more}

        self.notify(repository, "merge_group", self._bot(), build)

    def _bot(self) -> Account:
        key = QUEUE_LOGIN.casefold()
        if key not in self._accounts:
            self._accounts[key] = Account(QUEUE_USER_ID, QUEUE_LOGIN, QUEUE_LOGIN, "Bot", self.now())
        return self._accounts[key]

    # what ends a stay in the queue --------------------------------------------------------------------

    def _close(self, repository: Repository, pull: Issue, who: Account | None) -> None:
        super()._close(repository, pull, who)
        self._leave(repository, pull, "MANUAL", who)

    def _head_moved(self, home: Repository, pull: Pull, new: str | None, who: Account | None) -> None:
        super()._head_moved(home, pull, new, who)
        self._leave(home, pull, "UNKNOWN_REMOVAL_REASON", who)

    def _leave(self, repository: Repository, pull: Issue, reason: str, who: Account | None) -> None:
        entry = self.entry_of(repository, pull) if isinstance(pull, Pull) else None
        if entry is not None:
            self._take_out(repository, entry, reason, who)

    def after_push(
        self, repository: Repository, branch: str, old: str, new: str | None, who: Account | None
    ) -> None:
        """Deliver what a push sets off; a queue whose base moved is built anew."""
        super().after_push(repository, branch, old, new, who)
        if (repository.id, branch) in self._queues:
            self._build(repository, branch)
            self.settle_merges(repository)
