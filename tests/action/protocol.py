"""What GitHub's runner makes of a program's output: workflow commands in the log, and the output file.

Source: github.com/actions/runner, ``ActionCommand``, ``ActionCommandManager``, ``FileCommandManager``: a command
of the second form stands at the beginning of a line, spaces aside; one of the first form anywhere in it; while
commands are stopped, nothing counts but the token that was told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

KNOWN = frozenset(
    {
        *("set-env", "set-output", "save-state", "add-path", "add-mask", "add-matcher", "remove-matcher"),
        *("debug", "notice", "warning", "error", "group", "endgroup", "echo", "internal-set-repo-path"),
    }
)
STOP = "stop-commands"
_ENDS = re.compile(r"\r\n|\r|\n")
_DATA = (("%0D", "\r"), ("%0A", "\n"))
_PERCENT = ("%25", "%")
_PROPERTY = (*_DATA, ("%3A", ":"), ("%2C", ","), _PERCENT)
_OLD = (("%3B", ";"), *_DATA, ("%5D", "]"), _PERCENT)


@dataclass(frozen=True)
class Command:
    """A command that took effect."""

    name: str
    data: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Log:
    """A log as the runner reads it: what took effect, the lines printed while commands counted, and meanwhile."""

    commands: tuple[Command, ...]
    unguarded: tuple[str, ...]
    guarded: tuple[str, ...]
    ends_stopped: bool


def read_log(text: str) -> Log:
    """Read a step's output line by line."""
    found, unguarded, guarded, token = [], [], [], ""
    for line in _ENDS.split(text):
        known = KNOWN | {STOP} | ({token} if token else set())
        command = _second(line, known) or _first(line, known)
        if token:
            if command is not None and command.name == token.lower():
                token = ""
            else:
                guarded.append(line)
            continue
        if command is not None and command.name == STOP:
            token = command.data
            continue
        unguarded.append(line)
        if command is not None:
            found.append(command)
    return Log(tuple(found), tuple(unguarded), tuple(guarded), bool(token))


def _second(line: str, known: Collection[str]) -> Command | None:
    line = line.lstrip()
    head, end, data = line[2:].partition("::")
    if not line.startswith("::") or not end:
        return None
    return _command(head, ",", _PROPERTY, _unescaped(data, (*_DATA, _PERCENT)), known)


def _first(line: str, known: Collection[str]) -> Command | None:
    _, begin, rest = line.partition("##[")
    head, end, data = rest.partition("]")
    return _command(head, ";", _OLD, _unescaped(data, _OLD), known) if begin and end else None


def _command(
    head: str, separator: str, escapes: tuple[tuple[str, str], ...], data: str, known: Collection[str]
) -> Command | None:
    name, _, rest = head.partition(" ")
    if name.lower() not in {one.lower() for one in known}:
        return None
    pairs = (one.partition("=") for one in rest.strip().split(separator) if one)
    given = {key.lower(): _unescaped(value, escapes) for key, equals, value in pairs if equals and value}
    return Command(name.lower(), data, given)


def _unescaped(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for escape, meant in escapes:
        text = text.replace(escape, meant)
    return text


def read_file(text: str) -> dict[str, str]:
    """Read an output or environment file: ``name=value``, or ``name<<end``, lines, ``end``.

    Raises:
        ValueError: The runner would fail the step.
    """
    found = {}
    lines = iter(text.removesuffix("\n").split("\n") if text else ())
    for line in lines:
        if not line:
            continue
        equals, here = line.find("="), line.find("<<")
        if equals >= 0 and not 0 <= here < equals:
            name, _, value = line.partition("=")
            found[name] = value
        elif here >= 0:
            name, _, end = line.partition("<<")
            if not name or not end:
                raise ValueError(f"no name, or no end: {line}")
            inside: list[str] = []
            for one in lines:
                if one == end:
                    break
                inside.append(one)
            else:
                raise ValueError(f"{end} is not found")
            found[name] = "\n".join(inside)
        else:
            raise ValueError(f"invalid format: {line}")
    return found
