"""``canary traffic``: what ``kn service update`` does on a cluster, done on a file.

The edited file goes to standard output, byte for byte, or into the place of the old one; refusals go to standard
error with kn's or the API server's own text.
"""

from __future__ import annotations

import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.adapters.worktree import replace_file
from bot.core.kn.flags import NOT_SET, Flags
from bot.core.kn.update import Refusal, update
from bot.core.problems import Declined, Problem
from bot.core.text import LONGEST_LINE, code, pointed, printable
from bot.entry import show
from bot.manifests.diff import changed_lines
from bot.manifests.judge import later_problems, server_refusal
from bot.manifests.knative import edit_service, find_services
from bot.manifests.source import LARGEST_FILE

if TYPE_CHECKING:
    from bot.manifests.knative import Manifest

STANDARD_INPUT = "-"
DECLINED, USAGE = 1, 2


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments. ``service`` is a name, or ``namespace/name``."""

    file: str
    flags: Flags
    service: str | None = None
    write: bool = False

    @property
    def shown(self) -> str:
        """The file's name in problems."""
        return "<stdin>" if self.file == STANDARD_INPUT else self.file


def run(asked: Asked) -> int:
    """Edit, print or write, and give the exit status: 0; 1 where it is refused; 2 where nothing could be meant."""
    if asked.write and asked.file == STANDARD_INPUT:
        show.talk("Error: --write needs a file; what comes from standard input goes to standard output")
        return USAGE
    try:
        before = _read(asked)
        after = _edited(asked, before)
        if asked.write:
            _write(asked, before, after)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(after)
            sys.stdout.buffer.flush()
    except _Refused as refused:
        lines = str(refused).split("\n")
        show.talk("Error: " + "\n".join(printable(line, longest=LONGEST_LINE) for line in lines))
    except Declined as declined:
        for problem in declined.problems:
            show.talk(_told(problem))
    else:
        return 0
    return DECLINED


class _Refused(Exception):  # noqa: N818 - an outcome, not an error of the program
    """kn or the API server refuses; the argument is their text."""


def _edited(asked: Asked, content: bytes) -> bytes:
    """Give the edited file, and tell what will only show later.

    Raises:
        Declined: The file or the service cannot be read or edited.
        _Refused: kn or the API server says no.
    """
    manifest = _the_service(asked, content)
    targets = update(manifest.targets, asked.flags, service=manifest.name)
    if isinstance(targets, Refusal):
        raise _Refused(targets.text)
    text = server_refusal(manifest, targets)
    if text is not None:
        raise _Refused(text)
    edited = edit_service(content, asked.shown, manifest, targets=targets)
    if manifest.targets and not targets:
        show.talk("Warning: no target is left; the API server gives all traffic to the latest revision.")
    for problem in later_problems(manifest, targets):
        show.talk(_told(problem, "Warning"))
    return edited


def _the_service(asked: Asked, content: bytes) -> Manifest:
    found = find_services(content, asked.shown)
    # kn knows no Route of its own: there is no ``kn route update``.
    services = [m for m in found.manifests if m.kind == "Service"]
    wanted = [m for m in services if asked.service is None or asked.service in {m.name, m.id}]
    # A document that cannot be read may be the one that is meant; one that was named and found is.
    if found.problems and (asked.service is None or not wanted):
        raise Declined(*found.problems)
    file = code(asked.shown)
    if not services:
        raise Declined(
            Problem("no-service", f"{file} holds no Service of `serving.knative.dev`.", "Name its manifest.")
        )
    if not wanted:
        raise Declined(
            Problem(
                "unknown-service",
                f"{file} holds no service {code(asked.service or '')}.",
                f"It holds {_listed(services)}.",
            )
        )
    if len({m.id for m in wanted}) > 1:
        raise Declined(
            Problem(
                "which-service",
                f"{file} holds several services: {_listed(wanted)}.",
                "Name one: `--service NAME`, or `--service NAMESPACE/NAME`.",
            )
        )
    return wanted[0]


def _listed(manifests: list[Manifest]) -> str:
    names = dict.fromkeys(m.id if m.namespace else m.name for m in manifests)
    return ", ".join(map(code, names))


# the file ---------------------------------------------------------------------------


def _read(asked: Asked) -> bytes:
    """Read what was named; a byte more than is edited, so that the size can be refused.

    Raises:
        Declined: ``file-missing``, ``path-refused``.
        _Refused: No flag was given, so there is nothing to read it for.
    """
    if asked.flags == Flags():
        raise _Refused(NOT_SET)
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
    """Put the edited file in the place of the old one, in one step.

    Raises:
        Declined: ``head-moved``, ``path-refused``.
    """
    name = show.one_line(asked.file)
    if before == after:
        show.talk(f"Nothing to change in {name}.")
        return
    if _read(asked) != before:
        raise Declined(Problem("head-moved", f"{code(asked.file)} changed meanwhile.", "Try again."))
    try:
        replace_file(Path(asked.file), after)
    except OSError as error:
        words = f"{code(asked.file)} cannot be written: {error.strerror or type(error).__name__}."
        raise Declined(Problem("path-refused", words)) from None
    lines = changed_lines(before, after)
    show.talk(f"Wrote {name}: {lines} line{'s' if lines != 1 else ''} changed.")


def _told(problem: Problem, kind: str = "Error") -> str:
    where = f"{show.one_line(str(problem.place))}: " if problem.place else ""
    lines = [f"{kind}: {where}{problem.message} ({problem.code})"]
    if problem.source is not None and problem.caret is not None:
        block = pointed(problem.source, problem.caret).split("\n")[1:-1]  # without the fences
        lines += [f"    {line}" for line in block]
    if problem.remedy:
        lines.append(problem.remedy)
    return "\n".join(lines)
