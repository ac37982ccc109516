"""The plain files of a commit or of a folder on disk, as ``bot.ports.Repository.tree`` lists them.

Nothing here follows a link or opens a file. Hidden folders of a plain folder, and what git ignores, are left out.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from bot.adapters.local_git import LINK, SUBMODULE
from bot.ports import Tree, TreeFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bot.adapters.local_git import Git

_SKIPPED = frozenset({"node_modules", "venv", "__pycache__"})


def of_commit(git: Git, sha: str) -> Tree:
    """Give the plain files of a commit, with their blobs. One question to git."""
    files = []
    for row in git.ask("ls-tree", "-r", "-z", "-l", "--full-tree", sha, "--").split(b"\0")[:-1]:
        facts, _, path = row.partition(b"\t")
        mode, _, blob, size = facts.decode("ascii").split()
        if mode not in {LINK, SUBMODULE}:
            files.append(TreeFile(os.fsdecode(path), blob, int(size)))
    return Tree(tuple(files))


def of_folder(root: Path, git: Git | None, name: str) -> Tree:
    """Give the plain files under a folder as they are now: those that git tracks or would.

    Args:
        root: The folder.
        git: The repository whose root it is, ``None`` for a plain folder.
        name: What a blob's name begins with; ``:`` and the path follow.
    """
    paths = _walked(root) if git is None else _known(git)
    return Tree(tuple(_plain(root, paths, name)))


def _plain(root: Path, paths: Iterable[str], name: str) -> Iterator[TreeFile]:
    for path in paths:
        try:
            found = (root / path).lstat()
        except OSError:
            continue  # deleted and not yet committed, or gone meanwhile
        if stat.S_ISREG(found.st_mode):
            yield TreeFile(path, f"{name}:{path}", found.st_size)


def _known(git: Git) -> list[str]:
    said = git.ask("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--")
    return sorted({os.fsdecode(word) for word in said.split(b"\0") if word})


def _walked(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in _SKIPPED)
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        yield from (name if inside == "." else f"{inside}/{name}" for name in sorted(names))
