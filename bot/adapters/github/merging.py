"""Merging, and what is asked of GitHub around it."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.adapters.github import documents
from bot.adapters.github.git import is_full_sha
from bot.adapters.github.reading import Reading
from bot.adapters.github.values import understood
from bot.ports import Comparison, Landed, Missing, Moved, QueueBranch, Queued, Refused
from bot.ports import Merging as Merged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.ports import MergeMethod, Pull

log = logging.getLogger(__name__)

_UNKNOWN = {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}  # 422: "No commit found for SHA"
_METHODS: tuple[MergeMethod, ...] = ("merge", "squash", "rebase")
# ``UNKNOWN`` while GitHub works it out, ``BEHIND`` where the branch has to be brought up to date first.
_WAITING = frozenset({"BLOCKED", "BEHIND", "UNKNOWN", "UNSTABLE"})
_QUEUE_BRANCH = re.compile(
    r"refs/heads/gh-readonly-queue/(?P<base>.+)/pr-(?P<number>[1-9][0-9]{0,9})-(?P<sha>[0-9a-f]{40})",
    re.ASCII,
)


class Merging(Reading):
    """``bot.ports.Repository`` as far as it merges and looks at what was merged."""

    def landed(self, sha: str) -> Landed:
        """Give what a commit changed against its first parent. One request, and none again.

        Raises:
            Missing: There is no such commit, or GitHub does not know it yet.
            ValueError: ``sha`` is not a full sha: what it names could change.
        """
        if not is_full_sha(sha):
            raise ValueError("A commit is read by its full sha.")
        key = (*self._scope, sha)
        known = self._memory.landed.get(key)
        if known is not None:
            return known
        path = f"{self._path}/commits/{quote(sha, safe='')}"
        answer = self._client.send("GET", path, answers=_UNKNOWN)
        if answer.status in _UNKNOWN:
            raise Missing(sha)
        with understood("a commit"):
            parents = tuple(str(one["sha"]) for one in answer.data["parents"])
            found = Landed(parents, _paths(answer.data.get("files") or ()))
        self._memory.landed.put(key, found)
        return found

    def compare(self, base: str, head: str) -> Comparison:
        """Compare two commits. One request, and none again.

        Raises:
            Missing: One of them is not there, or they have no history in common.
            ValueError: One is not a full sha: what it names could change.
        """
        if not (is_full_sha(base) and is_full_sha(head)):
            raise ValueError("Commits are compared by their full shas.")
        key = (*self._scope, base, head)
        known = self._memory.comparisons.get(key)
        if known is not None:
            return known
        path = f"{self._path}/compare/{quote(base, safe='')}...{quote(head, safe='')}"
        data = self._client.get(path)
        with understood("a comparison"):
            found = Comparison(
                str(data["merge_base_commit"]["sha"]),
                self._commits(data["commits"]),
                _paths(data.get("files") or ()),
            )
        self._memory.comparisons.put(key, found)
        return found

    def merge(self, number: int, *, sha: str, title: str, message: str, method: MergeMethod = "merge") -> str:
        """Merge if the head still is ``sha``; give the sha of the commit that it made.

        Raises:
            Missing: There is no such pull request.
            Moved: Another head (409), or the base moved while GitHub merged (405).
            Refused: A rule, a conflict, closed or merged already (405); no permission.
        """
        body = {"sha": sha, "commit_title": title, "commit_message": message, "merge_method": method}
        answers = {HTTPStatus.METHOD_NOT_ALLOWED}
        answer = self._client.send("PUT", f"{self._path}/pulls/{number:d}/merge", body=body, answers=answers)
        if answer.status in answers:
            # The one 405 that passes: GitHub gives no code, so its words decide.
            passing = answer.message.lower().startswith("base branch was modified")
            raise Moved(self._client.said(answer)) if passing else Refused(self._client.said(answer))
        with understood("a merge"):
            return str(answer.data["sha"])

    # where GitHub merges -------------------------------------------------------------

    def merging(self, pull: Pull) -> Merged:
        """Say how GitHub would merge an open pull request: one document, and the rules of its base branch.

        Raises:
            Missing: There is no such pull request.
            Refused: No permission.
        """
        told = self._asked("node", documents.MERGING, {"id": pull.node})
        rules = list(self._client.pages(f"{self._path}/rules/branches/{quote(pull.base_ref, safe='')}"))
        with understood("how a pull request is merged"):
            settings, entry = told["repository"], told["mergeQueueEntry"]
            allowed = {
                "merge": settings["mergeCommitAllowed"],
                "squash": settings["squashMergeAllowed"],
                "rebase": settings["rebaseMergeAllowed"],
            }
            for rule in rules:
                if rule["type"] == "required_linear_history":
                    allowed["merge"] = False
                named = (rule.get("parameters") or {}).get("allowed_merge_methods")
                if rule["type"] == "pull_request" and named:
                    allowed = {method: may and method in named for method, may in allowed.items()}
            return Merged(
                head_sha=str(told["headRefOid"]),
                queue=bool(told["isMergeQueueEnabled"]) or any(one["type"] == "merge_queue" for one in rules),
                position=None if entry is None else int(entry["position"]),
                auto_merge=bool(settings["autoMergeAllowed"]),
                blocked=told["mergeStateStatus"] in _WAITING,
                methods=tuple(method for method in _METHODS if allowed[method]),
            )

    def enqueue(self, pull: Pull) -> None:
        """Put a pull request into the merge queue if its head still is that. Raises ``Moved``, ``Refused``."""
        given = {"pullRequestId": pull.node, "expectedHeadOid": pull.head_sha}
        self._client.graphql("enqueuePullRequest", documents.ENQUEUE, {"input": given})

    def dequeue(self, pull: Pull) -> None:
        """Take a pull request out of the merge queue. Raises ``Refused`` where it is not in it."""
        self._client.graphql("dequeuePullRequest", documents.DEQUEUE, {"input": {"id": pull.node}})

    def enable_auto_merge(self, pull: Pull, *, title: str, message: str, method: MergeMethod) -> None:
        """Let GitHub merge a pull request when its rules are met, if its head still is that.

        Raises:
            Moved: Another head.
            Refused: That is off in the repository, or GitHub waits for nothing.
        """
        given = {
            "pullRequestId": pull.node,
            "expectedHeadOid": pull.head_sha,
            "mergeMethod": method.upper(),
            "commitHeadline": title,
            "commitBody": message,
        }
        self._client.graphql("enablePullRequestAutoMerge", documents.ENABLE, {"input": given})

    def disable_auto_merge(self, pull: Pull) -> None:
        """Take that back. Raises ``Refused`` where it is off."""
        given = {"pullRequestId": pull.node}
        self._client.graphql("disablePullRequestAutoMerge", documents.DISABLE, {"input": given})

    # the queue -----------------------------------------------------------------------

    def queue(self, branch: str) -> tuple[Queued, ...]:
        """Give what waits in the merge queue of a branch, first come first. Raises ``Missing``, ``Refused``."""
        given = {"owner": self._owner, "name": self._name.partition("/")[2], "branch": branch}
        told = self._asked("repository", documents.QUEUE, given)
        with understood("a merge queue"):
            queue = told["mergeQueue"]
            nodes = [] if queue is None else [node for node in queue["entries"]["nodes"] if node]
            return tuple(
                Queued(int(node["pullRequest"]["number"]), _oid(node["baseCommit"]), _oid(node["headCommit"]))
                for node in nodes
                if node["pullRequest"]
            )

    def _asked(self, field: str, document: str, variables: dict[str, Any]) -> Any:
        """Ask with the right to look into queues, else without: what is not shown then is null, or refused."""
        if self._queues is not None:
            client = self._queues()
            try:
                return client.graphql(field, document, variables)
            except Refused as refusal:
                log.info("asked without the right to look into merge queues: %s", refusal)
            finally:
                client.close()
        return self._client.graphql(field, document, variables)

    def queue_branches(self) -> tuple[QueueBranch, ...]:
        """Give the branches of all merge queues: GitHub names each ``gh-readonly-queue/BASE/pr-NUMBER-SHA``."""
        data = self._client.get(f"{self._path}/git/matching-refs/heads/gh-readonly-queue/")
        with understood("branches"):
            found = [(_QUEUE_BRANCH.fullmatch(one["ref"]), str(one["object"]["sha"])) for one in data]
        return tuple(
            QueueBranch(sha, name["base"], int(name["number"]), name["sha"]) for name, sha in found if name
        )


def _paths(files: Iterable[Any]) -> tuple[str, ...]:
    names = (name for one in files for name in (one["filename"], one.get("previous_filename")) if name)
    return tuple(dict.fromkeys(map(str, names)))


def _oid(commit: Any) -> str:
    return "" if commit is None else str(commit["oid"])
