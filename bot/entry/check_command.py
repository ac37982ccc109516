"""``canary check``: whether the traffic of every manifest in a tree is valid, offline.

Findings go to standard output in the form that is asked for, progress and what is said besides to standard error.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.core.findings import Checked, Finding, Level, as_json, as_sarif, as_text, of_reader
from bot.core.problems import OutsideFailure, Place, Problem
from bot.core.text import printable
from bot.entry import show
from bot.entry.action.files import annotation
from bot.entry.checking.walk import Named, files, read
from bot.manifests.checking import check, may_hold_traffic
from bot.manifests.source import LARGEST_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

INVALID, USAGE = 1, 2
MANY = 200  # files with traffic that one process reads sooner than others are started
_AT_ONCE = 32  # files that a process takes at a time
_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}
_STYLES = {Level.ERROR: "red", Level.WARNING: "yellow", Level.NOTE: "cyan"}


class Format(StrEnum):
    """How the findings are printed."""

    TEXT = "text"
    GITHUB = "github"
    JSON = "json"
    SARIF = "sarif"


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments."""

    paths: tuple[str, ...]
    format: Format = Format.TEXT
    color: bool = True


def run(asked: Asked) -> int:
    """Check, print, and give the exit status: 0; 1 where there is an error; 2 where a path does not exist."""
    try:
        named = files(asked.paths)
    except FileNotFoundError as error:
        missing = error.filename or (error.args[0] if error.args else "")
        show.talk(f"canary check: there is no file or folder {printable(str(missing))}.")
        return USAGE
    except OutsideFailure as failure:
        show.talk(f"canary check: {printable(str(failure))}")
        return INVALID
    objects = 0
    findings: list[Finding] = []
    for checked in _with_progress(check_all(named), len(named)):
        objects += checked.objects
        findings += checked.findings
    whole = Checked(len(named), objects, tuple(findings))
    _print(whole, asked)
    return INVALID if whole.fails else 0


def check_all(named: Sequence[Named], *, processes: int | None = None) -> Iterator[Checked]:
    """Check files, and give what was found in each, in their order.

    Args:
        named: The files.
        processes: How many read at once when there is much to read; default: one for each processor.
    """
    count = processes or _processors()
    heavy = 0
    for i, one in enumerate(named):
        if heavy >= MANY and count > 1 and len(named) - i > MANY:
            yield from _elsewhere(named[i:], count)
            return
        checked, worth = _look(one)
        heavy += worth
        yield checked


def _elsewhere(named: Sequence[Named], processes: int) -> Iterator[Checked]:
    # Started afresh: a copy of this process could hold locks of threads that it does not have.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=fresh) as pool:
        yield from pool.map(check_one, named, chunksize=_AT_ONCE)


def check_one(named: Named) -> Checked:
    """Check one file."""
    return _look(named)[0]


def _look(named: Named) -> tuple[Checked, bool]:
    """Check one file; also whether its YAML had to be read."""
    content = read(named)
    if content is None:
        return Checked(1, 0, ()), False
    if isinstance(content, Problem):
        return Checked(1, 0, (of_reader(content),)), False
    if not may_hold_traffic(content):
        return Checked(1, 0, _half_seen(named) if len(content) > LARGEST_FILE else ()), False
    return check(content, named.path), True


def _half_seen(named: Named) -> tuple[Finding, ...]:
    message = f"Only the first {LARGEST_FILE} bytes were looked at; they hold no traffic."
    return (Finding(Problem("file-too-large", message, "", Place(named.path)), Level.NOTE),)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _with_progress(checked: Iterable[Checked], total: int) -> Iterable[Checked]:
    """Show on a terminal how far it is, where there is enough to wait for."""
    if total <= MANY or not sys.stderr.isatty():
        return checked
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import track  # noqa: PLC0415 - same

    return track(checked, "Checking files", total=total, console=Console(stderr=True), transient=True)


# telling ------------------------------------------------------------------------------------------


def _print(checked: Checked, asked: Asked) -> None:
    if asked.format is Format.JSON:
        # Escapes throughout: a file's name may hold what no encoding has.
        show.out(json.dumps(as_json(checked), indent=2))
    elif asked.format is Format.SARIF:
        show.out(json.dumps(as_sarif(checked, _version()), indent=2))
    elif asked.format is Format.GITHUB:
        for finding in checked.findings:
            show.out(_annotation(finding))
        show.talk(checked.summary)
    else:
        _print_text(checked, color=asked.color and sys.stdout.isatty())
        show.talk(checked.summary)


def _annotation(finding: Finding) -> str:
    problem = finding.problem
    place = problem.place or Place()
    return annotation(
        _LEVELS[finding.level],
        f"{problem.message} {problem.remedy}".strip(),
        title=problem.code,
        path=printable(place.path, longest=len(place.path)),
        line=place.line or 0,
        column=place.column or 0,
    )


def _print_text(checked: Checked, *, color: bool) -> None:
    if not color:
        for finding in checked.findings:
            show.out(as_text(finding))
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.text import Text  # noqa: PLC0415 - same

    console = Console(highlight=False)
    for finding in checked.findings:
        head, *rest = as_text(finding).split("\n")
        console.print(Text(head, style=_STYLES[finding.level]), soft_wrap=True)
        for line in rest:
            console.print(Text(line), soft_wrap=True)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - SARIF alone needs it

    try:
        return version("canary-bot")
    except PackageNotFoundError:
        return "0"
