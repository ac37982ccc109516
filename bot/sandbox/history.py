"""What follows from commits alone: ancestors, straight lines, merges that need no merging.

Only questions whose answer is plain are answered; ``None`` means "ask git". Commits never change, so
what was found stays true.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.sandbox.model import Commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST = 500  # commits that are walked; a longer history is git's


class History:
    """The commits of a repository.

    Args:
        commit: Gives a commit at hand, ``None`` when git would have to be started for it.
    """

    def __init__(self, commit: Callable[[str], Commit | None]) -> None:
        self._commit = commit
        self._before: dict[str, frozenset[str] | None] = {}

    def before(self, sha: str) -> frozenset[str] | None:
        """Give a commit and all its ancestors."""
        if sha not in self._before:
            self._before[sha] = self._reach(sha)
        return self._before[sha]

    def _reach(self, sha: str) -> frozenset[str] | None:
        found: set[str] = set()
        waiting = [sha]
        while waiting:
            commit = self._commit(waiting.pop())
            if commit is None or len(found) == LONGEST:
                return None
            found.add(commit.sha)
            waiting.extend(parent for parent in commit.parents if parent not in found)
        return frozenset(found)

    def is_ancestor(self, one: str, other: str) -> bool | None:
        """Tell whether ``one`` is ``other`` or before it."""
        before = self.before(other)
        return None if before is None or self._commit(one) is None else one in before

    def line(self, tip: str, without: Iterable[str], limit: int | None) -> list[str] | None:
        """Give the commits from ``tip`` back, without those before others; only of a straight line."""
        gone: set[str] = set()
        for sha in without:
            before = self.before(sha)
            if before is None:
                return None
            gone |= before
        found: list[str] = []
        sha = tip
        while sha not in gone and (limit is None or len(found) < limit):
            commit = self._commit(sha)
            if commit is None or len(commit.parents) > 1 or len(found) == LONGEST:
                return None
            found.append(sha)
            if not commit.parents:
                break
            sha = commit.parents[0]
        return found


_WHO = re.compile(r"(.*?) ?<(.*?)> (\d+) [+-]\d{4}")


def parse_commit(sha: str, raw: bytes) -> Commit:
    """Read the text of a commit object. Source: git's documentation of the commit format."""
    head, _, message = raw.decode("utf-8", "replace").partition("\n\n")
    fields: list[tuple[str, str]] = []
    unsigned: list[str] = []
    for line in head.split("\n"):
        if line.startswith(" ") and fields:
            fields[-1] = (fields[-1][0], f"{fields[-1][1]}\n{line[1:]}")
            continue
        key, _, value = line.partition(" ")
        fields.append((key, value))
        if key != "gpgsig":
            unsigned.append(line)
    known = dict(fields)
    author, author_email, authored = _who(known["author"])
    committer, committer_email, committed = _who(known["committer"])
    signature = known.get("gpgsig")
    return Commit(
        sha=sha,
        tree=known["tree"],
        parents=tuple(value for key, value in fields if key == "parent"),
        author_name=author,
        author_email=author_email,
        authored_at=authored,
        committer_name=committer,
        committer_email=committer_email,
        committed_at=committed,
        message=message,
        signature=signature,
        payload=None if signature is None else "\n".join(unsigned) + "\n\n" + message,
    )


def _who(text: str) -> tuple[str, str, datetime]:
    found = _WHO.fullmatch(text)
    if found is None:
        return text, "", datetime.fromtimestamp(0, UTC)
    return found[1], found[2], datetime.fromtimestamp(int(found[3]), UTC)
