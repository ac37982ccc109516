"""Merging, and what is asked of GitHub around it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.adapters.github.git import is_full_sha
from bot.adapters.github.reading import Reading
from bot.adapters.github.values import understood
from bot.ports import Comparison, Landed, Missing, Moved, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNKNOWN = {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}  # 422: "No commit found for SHA"


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

    def merge(self, number: int, *, sha: str, title: str, message: str) -> str:
        """Merge with a merge commit if the head still is ``sha``; give the merge commit's sha.

        Raises:
            Missing: There is no such pull request.
            Moved: Another head (409), or the base moved while GitHub merged (405).
            Refused: A rule, a conflict, closed or merged already (405); no permission.
        """
        body = {"sha": sha, "commit_title": title, "commit_message": message, "merge_method": "merge"}
        answers = {HTTPStatus.METHOD_NOT_ALLOWED}
        answer = self._client.send("PUT", f"{self._path}/pulls/{number:d}/merge", body=body, answers=answers)
        if answer.status in answers:
            # The one 405 that passes: GitHub gives no code, so its words decide.
            passing = answer.message.lower().startswith("base branch was modified")
            raise Moved(self._client.said(answer)) if passing else Refused(self._client.said(answer))
        with understood("a merge"):
            return str(answer.data["sha"])


def _paths(files: Iterable[Any]) -> tuple[str, ...]:
    names = (name for one in files for name in (one["filename"], one.get("previous_filename")) if name)
    return tuple(dict.fromkeys(map(str, names)))
