"""A service anywhere in a repository: the files of a commit are listed once, and the likely ones read.

What a file holds follows from its content, so a file that was read is never read again, whatever the commit.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from bot.core.discovery import MOST_READ, Hit, Search, candidates, choose, matches, name_of, names, ranked
from bot.core.problems import Declined
from bot.manifests.source import LARGEST_FILE
from bot.manifests.workload import find, may_hold
from bot.ports import Missing, Refused
from bot.service.reading import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.problems import Problem
    from bot.ports import Repository, TreeFile

MOST_KNOWN = 20_000  # files whose content is known to hold nothing, and answers of files that hold something
MOST_BYTES = 4_000_000  # of all files that one search reads; parsing takes seconds a megabyte
_MOST_PROBLEMS = 3


@dataclass(frozen=True, slots=True)
class Held:
    """What one file holds of one name."""

    hits: tuple[Hit, ...] = ()
    problems: tuple[Problem, ...] = ()


NOTHING = Held()


class Index:
    """What files were found to hold, for all repositories of a bot. Safe to share between threads.

    With one that is kept, a search that was cut goes on where the last one ended.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], Held] = OrderedDict()
        self._lock = Lock()

    def get(self, repo: Repository, file: TreeFile, name: str) -> Held | None:
        """Give what a file holds of a name, ``None`` where that is not known."""
        with self._lock:
            for key in ((repo.name, file.blob), (repo.name, file.blob, file.path, name)):
                if key in self._known:
                    self._known.move_to_end(key)
                    return self._known[key]
        return None

    def put(self, repo: Repository, file: TreeFile, name: str, content: bytes) -> Held:
        """Keep what a file holds of a name, and give it."""
        if may_hold(content):
            key: tuple[str, ...] = (repo.name, file.blob, file.path, name)
            held = held_by(content, file.path, name)
        else:
            key, held = (repo.name, file.blob), NOTHING  # of no name, at no path
        with self._lock:
            self._known[key] = held
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return held


def held_by(content: bytes, path: str, name: str) -> Held:
    """Give what a file holds of a name."""
    found = find(content, path, name=name)
    hits = tuple(Hit(path, w.kind, w.namespace or "", w.name, w.line) for w in found.workloads)
    return Held(hits, found.problems)


def find_in_repository(
    repo: Repository,
    sha: str,
    asked: str,
    *,
    near: Sequence[str] = (),
    file: str | None = None,
    index: Index | None = None,
) -> tuple[tuple[Hit, ...], bool]:
    """Give the objects of a name at a commit, and whether there may be others that were not read.

    ``find_one`` gives the one that was meant. Raises as ``search``.
    """
    found = search(repo, sha, asked, near=near, file=file, index=index)
    return found.hits, found.is_cut(asked)


def find_one(
    repo: Repository,
    sha: str,
    asked: str,
    *,
    near: Sequence[str] = (),
    file: str | None = None,
    index: Index | None = None,
) -> Hit:
    """Give the one object that a person meant.

    Raises:
        Declined: As ``bot.core.discovery.choose``; where nothing was found, with the problems of documents that
            mention the name and cannot be read. Else as ``search``.
    """
    found = search(repo, sha, asked, near=near, file=file, index=index)
    try:
        return choose(found.hits, asked, cut=found.is_cut(asked), unread=len(found.unread))
    except Declined as declined:
        if found.problems and not any(matches(hit, asked) for hit in found.hits):
            raise Declined(*declined.problems, *found.problems[:_MOST_PROBLEMS]) from None
        raise


def search(
    repo: Repository,
    sha: str,
    asked: str,
    *,
    near: Sequence[str] = (),
    file: str | None = None,
    index: Index | None = None,
    most: int = MOST_READ,
) -> Search:
    """Look for the objects of a name at a commit.

    One request for the commit, and one for each candidate whose content nobody read yet. With an ``index`` that
    is kept, a search that was cut goes on where the last one ended.

    Args:
        repo: The repository.
        sha: A full sha.
        asked: As for ``bot.core.discovery.matches``.
        near: Paths of files that the pull request changes: they are read first.
        file: The only file to look at, as the configuration names it; then nothing is listed.
        index: What is known of files.
        most: Of how many contents at most is asked; files of a known content are for free.

    Raises:
        Declined: ``path-refused``: ``file`` is no plain file.
        Missing: There is no such commit.
    """
    name = name_of(asked)
    if not name:
        return Search(())
    if file is not None:
        there = read_file(repo, file, sha)
        alone = NOTHING if there is None else held_by(there.content, file, name)
        return Search(alone.hits, problems=alone.problems)
    tree = repo.tree(sha)
    files = {f.path: f for f in tree.files}
    paths = candidates({f.path: f.size for f in tree.files}, largest=LARGEST_FILE)
    known = Index() if index is None else index
    contents: dict[str, bytes | None] = {}  # one content may lie at many paths
    found: list[Held] = []
    unread: list[str] = []
    spent = 0  # bytes
    proven = False
    for path in ranked(paths, name, near=near):
        blob, named = files[path].blob, names(path, name)
        held = known.get(repo, files[path], name)
        # Of very many files those are left alone that could hold no better hit.
        enough = len(contents) >= most or (proven and not named and len(paths) > most)
        enough = enough or (spent > 0 and spent + files[path].size > MOST_BYTES)
        if held is None and (blob in contents or not enough):
            content = contents[blob] if blob in contents else _content(repo, blob)
            contents[blob] = content
            spent += files[path].size
            held = None if content is None else known.put(repo, files[path], name, content)
        if held is None:
            unread.append(path)
            continue
        found.append(held)
        proven = proven or (named and any(matches(hit, asked) for hit in held.hits))
    hits = tuple(hit for held in found for hit in held.hits)
    problems = tuple(problem for held in found for problem in held.problems)
    return Search(hits, tuple(unread), tree.truncated, problems)


def _content(repo: Repository, blob: str) -> bytes | None:
    """Give a content, ``None`` for what went away meanwhile or nobody may read."""
    try:
        return repo.blob(blob)
    except (Missing, Declined):
        return None
    except Refused:
        return b""  # at a path that the bot does not edit
