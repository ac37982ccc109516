"""One file, read and written by a command that edits it: ``-`` is standard input."""

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
from bot.manifests.source import LARGEST_FILE

STANDARD_INPUT = "-"
NO_PLACE = "Error: --write needs a file; what comes from standard input goes to standard output"


@dataclass(frozen=True, slots=True)
class OneFile:
    """A file as it was named; with ``writes`` it is to be written in place."""

    name: str
    writes: bool = False

    @property
    def shown(self) -> str:
        """The file's name in problems."""
        return "<stdin>" if self.name == STANDARD_INPUT else self.name

    @property
    def has_place(self) -> bool:
        """Whether it can be written in place, if it is to be."""
        return not (self.writes and self.name == STANDARD_INPUT)

    def read(self) -> bytes:
        """Read what was named; a byte more than is edited, so that the size can be refused.

        Raises:
            Declined: ``file-missing``, ``path-refused``.
        """
        if self.name == STANDARD_INPUT:
            return sys.stdin.buffer.read(LARGEST_FILE + 1)
        place, name = Path(self.name), code(self.name)
        try:
            if self.writes and not stat.S_ISREG(place.lstat().st_mode):
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
            raise Declined(
                Problem("path-refused", f"{name} is a folder.", "Name the manifest in it.")
            ) from None
        except OSError as error:
            raise Declined(Problem("path-refused", f"{name} cannot be read: {error.strerror}.")) from None

    def put(self, before: bytes, after: bytes) -> None:
        """Give the edited file: in the place of the old one, in one step, or on standard output.

        Raises:
            Declined: ``head-moved``, ``path-refused``.
        """
        if not self.writes:
            sys.stdout.flush()
            sys.stdout.buffer.write(after)
            sys.stdout.buffer.flush()
            return
        name = show.one_line(self.name)
        if before == after:
            show.talk(f"Nothing to change in {name}.")
            return
        if self.read() != before:
            raise Declined(Problem("head-moved", f"{code(self.name)} changed meanwhile.", "Try again."))
        try:
            replace_file(Path(self.name), after)
        except OSError as error:
            words = f"{code(self.name)} cannot be written: {error.strerror or type(error).__name__}."
            raise Declined(Problem("path-refused", words)) from None
        lines = changed_lines(before, after)
        show.talk(f"Wrote {name}: {lines} line{'s' if lines != 1 else ''} changed.")


def told(problem: Problem, kind: str = "Error") -> str:
    """Give a problem for standard error: place, words, code, the line with carets, remedy."""
    where = f"{show.one_line(str(problem.place))}: " if problem.place else ""
    lines = [f"{kind}: {where}{problem.message} ({problem.code})"]
    if problem.source is not None and problem.caret is not None:
        block = pointed(problem.source, problem.caret).split("\n")[1:-1]  # without the fences
        lines += [f"    {line}" for line in block]
    if problem.remedy:
        lines.append(problem.remedy)
    return "\n".join(lines)
