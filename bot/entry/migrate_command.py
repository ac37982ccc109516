"""``canary migrate``: a legacy manifest rewritten to ``serving.knative.dev/v1``, comments and all.

The rewritten file goes to standard output, byte for byte, or into the place of the old one; what was dropped, and
refusals, go to standard error.
"""

from __future__ import annotations

import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.worktree import replace_file
from bot.core.problems import Declined, Problem
from bot.core.text import code, pointed
from bot.entry import show
from bot.manifests.diff import changed_lines
from bot.manifests.legacy_migrate import Migrated, migrate
from bot.manifests.source import LARGEST_FILE

STANDARD_INPUT = "-"
DECLINED, USAGE = 1, 2


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments. ``service`` is a name, or ``namespace/name``."""

    file: str
    service: str | None = None
    write: bool = False

    @property
    def shown(self) -> str:
        """The file's name in problems."""
        return "<stdin>" if self.file == STANDARD_INPUT else self.file


def run(asked: Asked) -> int:
    """Rewrite, print or write, and give the exit status: 0; 1 where it is refused; 2 where nothing could be meant."""
    if asked.write and asked.file == STANDARD_INPUT:
        show.talk("Error: --write needs a file; what comes from standard input goes to standard output")
        return USAGE
    try:
        before = _read(asked)
        migrated = migrate(before, asked.shown, service=asked.service)
        if asked.write:
            _write(asked, before, migrated.content)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(migrated.content)
            sys.stdout.buffer.flush()
    except Declined as declined:
        for problem in declined.problems:
            show.talk(_told(problem))
        return DECLINED
    _tell(asked, migrated)
    return 0


def _tell(asked: Asked, migrated: Migrated) -> None:
    if not migrated.services:
        name = show.one_line(asked.shown)
        show.talk(f"Nothing to migrate: {name} is written for serving.knative.dev/v1 already.")
    for note in migrated.notes:
        show.talk(f"Note: {show.one_line(str(note.place))}: {note.message}")


def _read(asked: Asked) -> bytes:
    """Read what was named; a byte more than is edited, so that the size can be refused.

    Raises:
        Declined: ``file-missing``, ``path-refused``.
    """
    if asked.file == STANDARD_INPUT:
        return sys.stdin.buffer.read(LARGEST_FILE + 1)
    place, name = Path(asked.file), code(asked.file)
    try:
        if asked.write and not stat.S_ISREG(place.lstat().st_mode):
            raise Declined(
                Problem("path-refused", f"{name} is a link or no plain file.", "Name the file itself.")
            )
        with place.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise Declined(
            Problem("file-missing", f"There is no file {name}.", "Look at the spelling.")
        ) from None
    except IsADirectoryError:
        raise Declined(Problem("path-refused", f"{name} is a folder.", "Name the manifest in it.")) from None
    except OSError as error:
        raise Declined(Problem("path-refused", f"{name} cannot be read: {error.strerror}.")) from None


def _write(asked: Asked, before: bytes, after: bytes) -> None:
    """Put the rewritten file in the place of the old one, in one step.

    Raises:
        Declined: ``head-moved``, ``path-refused``.
    """
    if before == after:
        return
    if _read(asked) != before:
        raise Declined(Problem("head-moved", f"{code(asked.file)} changed meanwhile.", "Try again."))
    try:
        replace_file(Path(asked.file), after)
    except OSError as error:
        words = f"{code(asked.file)} cannot be written: {error.strerror or type(error).__name__}."
        raise Declined(Problem("path-refused", words)) from None
    lines = changed_lines(before, after)
    show.talk(f"Wrote {show.one_line(asked.file)}: {lines} line{'s' if lines != 1 else ''} changed.")


def _told(problem: Problem) -> str:
    where = f"{show.one_line(str(problem.place))}: " if problem.place else ""
    lines = [f"Error: {where}{problem.message} ({problem.code})"]
    if problem.source is not None and problem.caret is not None:
        lines += [f"    {line}" for line in pointed(problem.source, problem.caret).split("\n")[1:-1]]
    if problem.remedy:
        lines.append(problem.remedy)
    return "\n".join(lines)
