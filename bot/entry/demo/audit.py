"""What the bot's commits changed, counted in two ways that share nothing.

One asks the reader of manifests which lines belong to the traffic block. The other takes git's
own diff and reads the file by its indentation alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.trailers import records
from bot.manifests.diff import bytes_outside, changed_lines
from bot.manifests.knative import find_services

if TYPE_CHECKING:
    from bot.sandbox.git import Git
    from bot.sandbox.model import Account, Commit
    from bot.sandbox.world import World

_HUNK = re.compile(rb"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_KEY = re.compile(rb"""(?P<dash>-\s+)?["']?(?P<key>[A-Za-z0-9_.-]+)["']?:(?:\s|$)""")
_NAME = [b"spec", b"template", b"metadata", b"name"]


@dataclass(frozen=True, slots=True)
class Change:
    """One commit of the bot. ``by_reader`` and ``by_git`` are bytes outside block and revision name."""

    commit: Commit
    path: str
    lines: int
    by_reader: int
    by_git: int


def changes(world: World, repo: str, bot: Account) -> list[Change]:
    """Give the bot's commits on all branches and pull requests, merges left out, the oldest first.

    A commit without trailers, or of more than one file, counts with all its bytes as outside.
    """
    git = world.repository(repo).git
    shas = git.run("rev-list", "--all", "--no-merges", "--reverse", "--date-order").decode().split()
    commits = [git.commit(sha) for sha in shas]
    return [_change(git, commit) for commit in commits if commit.author_name == bot.login]


def _change(git: Git, commit: Commit) -> Change:
    parent = commit.parents[0]
    arguments = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", parent, commit.sha)
    paths = git.run(*arguments).decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    lines = outside = 0
    for path in paths:
        before, after = (_blob(git, sha, path) for sha in (parent, commit.sha))
        lines += changed_lines(before, after)
        outside += _by_reader(before, after, path, commit.message)
    return Change(commit, " ".join(paths), lines, outside, by_git(git, parent, commit.sha, paths))


def _blob(git: Git, sha: str, path: str) -> bytes:
    entry = git.entry(sha, path)
    return b"" if entry is None else git.blob(entry.sha)


def _by_reader(before: bytes, after: bytes, path: str, message: str) -> int:
    service = records(message)[0].service if records(message) else ""
    owner, _, wanted = service.partition("#")
    for manifest in find_services(before, path).manifests:
        if owner == path and manifest.id == wanted:
            return bytes_outside(before, after, manifest)
    return max(len(before), len(after))


def by_git(git: Git, parent: str, sha: str, paths: list[str]) -> int:
    """Count the bytes of the lines in git's diff that are no line of a traffic block or revision name."""
    count = 0
    for path in paths:
        own = [own_lines(_blob(git, which, path)) for which in (parent, sha)]
        patch = git.run("diff", "-U0", "--no-color", "--no-ext-diff", "--no-renames", parent, sha, "--", path)
        at = [0, 0]
        _, _, body = patch.partition(b"\n@@")
        for line in (b"@@" + body).split(b"\n"):
            hunk = _HUNK.match(line)
            if hunk:
                at = [int(hunk[1]), int(hunk[2])]
            elif line[:1] in {b"-", b"+"}:
                side = int(line[:1] == b"+")
                count += len(line) - 1 if at[side] not in own[side] else 0
                at[side] += 1
    return count


def own_lines(content: bytes) -> set[int]:
    """Give the lines, from 1, under ``spec.traffic`` and of ``spec.template.metadata.name``, by indentation.

    Comments and empty lines are nobody's, so a change of one counts as outside.
    """
    own: set[int] = set()
    path: list[tuple[int, bytes]] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        text = line.strip()
        if text.startswith(b"---"):
            path = []
        if not text or text.startswith((b"#", b"---")):
            continue
        indent = len(line) - len(line.lstrip(b" "))
        is_item = text.startswith(b"- ")
        while path and (path[-1][0] > indent or (path[-1][0] == indent and not is_item)):
            path.pop()
        found = _KEY.match(text)
        if found:
            path.append((indent + len(found["dash"] or b""), found["key"]))
        keys = [key for _, key in path]
        if keys[:2] == [b"spec", b"traffic"] or keys[:4] == _NAME:
            own.add(number)
    return own
