"""What the bot's commits changed, counted in two ways that share nothing.

One asks the readers of manifests which lines belong to the split. The other takes git's own diff and reads the
file by its indentation alone; and it compares the files as plain values (``plain.py``): all but the split is
equal, and the split is what the commit's message says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from bot.core.trailers import records
from bot.entry.demo.plain import Said
from bot.manifests.diff import bytes_outside, changed_lines
from bot.manifests.knative import Manifest
from bot.manifests.legacy import LegacyService, legacy_documents
from bot.manifests.legacy_read import LegacyDocument
from bot.manifests.source import Source
from bot.manifests.workload import find

if TYPE_CHECKING:
    from bot.core.trailers import Record
    from bot.manifests.workload import Workload
    from bot.sandbox.git import Git
    from bot.sandbox.model import Account, Commit
    from bot.sandbox.world import World

_HUNK = re.compile(rb"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_KEY = re.compile(rb"""(?P<dash>-\s+)?["']?(?P<key>[A-Za-z0-9_.-]+)["']?:(?:\s|$)""")
# The keys that lead to a line of a split: with all that is below them, or alone.
_BLOCKS = (
    (b"spec", b"traffic"),
    (b"spec", b"template", b"metadata", b"name"),
    (b"spec", b"release", b"revisions"),
    (b"spec", b"release", b"rolloutPercent"),
    *((b"spec", section, b"route", b"weight") for section in (b"http", b"tcp", b"tls")),
)
_MODES = ((b"spec", b"runLatest"), (b"spec", b"release"))


@dataclass(frozen=True, slots=True)
class Change:
    """One commit of the bot.

    ``by_reader`` and ``by_git`` are bytes outside the lines of split and revision name. ``is_only_the_split`` says
    whether all other values are equal, ``is_as_said`` whether the split is what the commit's trailers say.
    """

    commit: Commit
    path: str
    lines: int
    by_reader: int
    by_git: int
    is_only_the_split: bool
    is_as_said: bool


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
    said = Said.read(commit.message)
    is_one = said is not None and paths == [said.path]
    lines = outside = 0
    is_only, is_as_said = is_one, is_one
    for path in paths:
        before, after = (_blob(git, sha, path) for sha in (parent, commit.sha))
        lines += changed_lines(before, after)
        outside += by_reader(before, after, path, commit.message)
        is_only = is_only and said is not None and not said.differs_elsewhere(before, after)
        is_as_said = is_as_said and said is not None and said.holds(after)
    counted = by_git(git, parent, commit.sha, paths)
    return Change(commit, " ".join(paths), lines, outside, counted, is_only, is_as_said)


def _blob(git: Git, sha: str, path: str) -> bytes:
    entry = git.entry(sha, path)
    return b"" if entry is None else git.blob(entry.sha)


def by_reader(before: bytes, after: bytes, path: str, message: str) -> int:
    """Count the bytes of lines that the readers of manifests take for no part of the split that a message names."""
    record = next(iter(records(message)), None)
    if record is not None and record.service.partition("#")[0] == path:
        old, new = (_the(content, path, record) for content in (before, after))
        if old is not None and isinstance(old.origin, Manifest):
            return bytes_outside(before, after, old.origin)
        if old is not None and new is not None:
            return _differing(before, _own(before, old), after, _own(after, new))
    return max(len(before), len(after))


def _the(content: bytes, path: str, record: Record) -> Workload | None:
    wanted = record.service.partition("#")[2]
    found = [workload for workload in find(content, path).workloads if workload.id == wanted]
    return found[0].at(record.route or None) if len(found) == 1 else None


def _own(content: bytes, workload: Workload) -> set[int]:
    """Give the lines of a split that is not Knative's block, from 0, as its reader knows them."""
    if isinstance(workload.origin, LegacyService):
        source = Source.read(content, workload.path)
        own: set[int] = set()
        for document in legacy_documents(source):
            if isinstance(document, LegacyDocument) and document.chunk.number == workload.document:
                own.add(source.line(document.mode.key.start))
                for pair in document.own():
                    own.update(range(source.line(pair.key.start), document.last_line(pair) + 1))
        return own
    first, last = workload.lines or (1, 0)
    lines = content.splitlines()
    return {number for number in range(first - 1, last) if b"weight" in lines[number]}


def _differing(before: bytes, own_before: set[int], after: bytes, own_after: set[int]) -> int:
    old, new = (
        [line for number, line in enumerate(content.splitlines(keepends=True)) if number not in own]
        for content, own in ((before, own_before), (after, own_after))
    )
    opcodes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    changed = [[*old[i1:i2], *new[j1:j2]] for tag, i1, i2, j1, j2 in opcodes if tag != "equal"]
    return sum(len(line) for lines in changed for line in lines)


def by_git(git: Git, parent: str, sha: str, paths: list[str]) -> int:
    """Count the bytes of the lines in git's diff that are no line of a split or of a revision's name."""
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
    """Give the lines of splits and revision names, from 1, by indentation.

    They are those under ``spec.traffic``, the name of the template, the old modes' own lines (not those of the
    configuration in them), and the weights of Istio's routes. Comments and empty lines are nobody's, so a change
    of one counts as outside.
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
        keys = tuple(key for _, key in path)
        if keys in _MODES or any(keys[: len(block)] == block for block in _BLOCKS):
            own.add(number)
    return own
