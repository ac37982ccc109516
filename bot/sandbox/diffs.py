"""Differences between two commits, in the pieces that GitHub's API shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bot.sandbox.git import ABSENT
from bot.sandbox.model import FileDiff

if TYPE_CHECKING:
    from bot.sandbox.git import Git

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
Status = Literal["added", "removed", "modified", "renamed", "copied", "changed", "unchanged"]
_STATUS: dict[str, Status] = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed"}


def differences(git: Git, old: str | None, new: str) -> list[FileDiff]:
    """Give what changed from ``old`` (``None``: nothing) to ``new``, by path.

    Paths that are not UTF-8 are shown with replacement characters; patches too.
    """
    before = old or git.run("hash-object", "-w", "-t", "tree", "--stdin").decode().strip()
    asked = ("diff-tree", "-r", "-M", "--no-color", "--no-ext-diff", "--no-textconv", "--full-index")
    facts = git.run(*asked, "--raw", "--numstat", "-z", "--no-abbrev", before, new).decode("utf-8", "replace")
    texts = _patches(git.run(*asked, "--patch", before, new).decode("utf-8", "replace"))
    words = facts.split("\0")
    found: list[tuple[Status, str, str, str | None]] = []
    at = 0
    while at < len(words) and words[at].startswith(":"):
        _, _, old_sha, new_sha, letter = words[at].split(" ")
        status = _STATUS.get(letter[0], "changed")
        renamed = letter[0] in "RC"
        previous, path = (words[at + 1], words[at + 2]) if renamed else (None, words[at + 1])
        found.append((status, path, old_sha if new_sha == ABSENT else new_sha, previous))
        at += 3 if renamed else 2
    counts: list[tuple[int, int]] = []
    while at < len(words) and words[at]:
        added, removed, path = words[at].split("\t", 2)
        counts.append((int(added) if added != "-" else 0, int(removed) if removed != "-" else 0))
        at += 1 if path else 3
    return [
        FileDiff(path, status, blob, plus, minus, text, previous)
        for (status, path, blob, previous), (plus, minus), text in zip(found, counts, texts, strict=True)
    ]


def _patches(text: str) -> list[str | None]:
    """Cut git's patch into one text for each file, from its first hunk; ``None`` without a hunk."""
    files: list[str | None] = []
    lines: list[str] | None = None
    # Lines of content begin with a blank, a sign or a backslash, so a header cannot be mistaken.
    for line in text.split("\n"):
        if line.startswith("diff --git "):
            if files:
                files[-1] = _joined(lines)
            files.append(None)
            lines = None
        elif line.startswith("@@") and lines is None:
            lines = [line]
        elif lines is not None:
            lines.append(line)
    if files:
        files[-1] = _joined(lines)
    return files


def _joined(lines: list[str] | None) -> str | None:
    if lines is None:
        return None
    if lines and not lines[-1]:
        lines = lines[:-1]
    return "\n".join(lines)
