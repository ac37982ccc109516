"""Which files a check looks at, and their bytes: nothing here follows a link or waits for a pipe."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.adapters.local_git import Git
from bot.core.problems import OutsideFailure, Place, Problem
from bot.entry.locate import SUFFIXES
from bot.manifests.source import LARGEST_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SKIPPED = frozenset({"node_modules", "venv", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Named:
    """A file to look at. ``path`` is as it is told, ``asked`` whether somebody named it."""

    path: str
    asked: bool = False


def files(paths: Iterable[str]) -> list[Named]:
    """Give the files of the paths, each once, folders in order of their names.

    A folder gives its manifests by their names' ends: those that git tracks or would, or all where there is no
    git, and where git ignores the folder that was named; hidden folders and links are left out. A file that is named
    is taken whatever it is called, and a link that is named is followed.

    Raises:
        FileNotFoundError: There is no such path.
    """
    found: dict[str, Named] = {}
    for path in paths:
        is_folder = _is_folder(path)
        for one in sorted(_folder(path)) if is_folder else [path]:
            key = os.path.realpath(one)
            if key not in found or not is_folder:
                found[key] = Named(os.path.normpath(one), asked=not is_folder)
    return list(found.values())


def read(named: Named) -> bytes | Problem | None:
    """Give a file's first bytes, one more than is read at most; why not; or ``None`` for what is no plain file.

    Only a file that somebody named is worth a problem when it is a pipe or a device.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    flags |= 0 if named.asked else getattr(os, "O_NOFOLLOW", 0)
    place = Place(named.path)
    try:
        # Without waiting: opening a pipe would, for whoever writes.
        handle = os.open(named.path, flags)
        with open(handle, "rb") as file:  # noqa: PTH123 - a handle, not a path
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                refused = Problem("path-refused", "It is no plain file.", "Name the file itself.", place)
                return refused if named.asked else None
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        if not named.asked and _is_none(named.path):
            return None
        reason = error.strerror or type(error).__name__
        return Problem("path-refused", f"It cannot be read: {reason}.", "Correct its rights.", place)


def _is_none(path: str) -> bool:
    """Whether a path is a link, or something else than a file, or gone meanwhile."""
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return True


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - Path takes no name with a null character
    except (NotADirectoryError, ValueError):
        raise FileNotFoundError(path) from None
    except FileNotFoundError:
        raise
    except OSError:
        return False  # a link in a circle, or no right to look: reading says why


def _folder(folder: str) -> Iterator[str]:
    try:
        git = Git.around(Path(folder))
    except (OutsideFailure, OSError):
        git = None  # somebody else's repository: its files can be looked at all the same
    if git is None:
        yield from _walk(folder)
        return
    where = Path(folder).resolve().relative_to(git.top).as_posix()
    said = git.ask("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", where)
    if not said and where != ".":
        yield from _walk(folder)  # git ignores it, and somebody named it
        return
    for word in {os.fsdecode(word) for word in said.split(b"\0") if word}:
        inside = os.path.relpath(word, where)
        if _is_hidden(inside):
            continue
        path = os.path.join(folder, inside)  # noqa: PTH118 - keeps the folder as it was typed
        # A repository within the repository is one entry, and has rules of its own.
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - as above
            yield from _folder(path)
        elif inside.endswith(SUFFIXES):
            yield path


def _walk(top: str) -> Iterator[str]:
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
        yield from (os.path.join(folder, name) for name in names if name.endswith(SUFFIXES))  # noqa: PTH118 - as above


def _is_hidden(inside: str) -> bool:
    return any(part.startswith(".") for part in Path(inside).parts[:-1])
