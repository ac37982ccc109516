"""Comment text to commands.

The grammar, one command on a line; words are parted by plain spaces::

    line     = ("/canary" [verb] | "/" short) arguments
    (none)   = [SERVICE] N {N} {option} ["--again"]   N: 0 to 100; several rise, the last is 100
    plan     = [SERVICE] [N]
    promote  = [SERVICE] ["next" | N | "full"] {"--override" RULE} ["--" reason]   with RULE the reason is needed
    rollback = [SERVICE] ["--" reason]
    hold     = [SERVICE] ["for" DURATION] ["--" reason]
    freeze   = [SERVICE] ["for" DURATION] ["--" reason]
    resume, unfreeze, status, why, cancel, adopt, retry = [SERVICE]
    help     = [VERB]
    traffic, tag, untag = WORD {WORD}
    option   = ("service" | "app") "=" NAME     also for the verbs that take a SERVICE
             | ("stable" | "candidate") "=" NAME | "sha=" HEX
    short    = promote | rollback | hold | resume | traffic | tag | untag

``SERVICE`` is a DNS-1035 name or ``all``; ``freeze`` and ``unfreeze`` alone mean ``all``.
A first word that is neither ``/canary`` nor a short verb belongs to somebody else.
All lines are parsed before anything is decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.core.command import (
    ALL,
    Adopt,
    Canary,
    Cancel,
    Command,
    Freeze,
    Help,
    Hold,
    OfService,
    Plan,
    Promote,
    Resume,
    Retarget,
    Retry,
    Rollback,
    Status,
    Tag,
    Traffic,
    Unfreeze,
    Untag,
    Why,
    WithItems,
)
from bot.core.comment import Line, command_lines
from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.core.usage import USAGES, Usage, help_text, usage_table
from bot.core.verbs import addressed, read_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = [
    "ALL",
    "USAGES",
    "Adopt",
    "Canary",
    "Cancel",
    "Command",
    "Dropped",
    "Freeze",
    "Help",
    "Hold",
    "Line",
    "OfService",
    "Parsed",
    "Plan",
    "Promote",
    "Resume",
    "Retarget",
    "Retry",
    "Rollback",
    "Status",
    "Tag",
    "Traffic",
    "Unfreeze",
    "Untag",
    "Usage",
    "Why",
    "help_text",
    "parse_comment",
    "usage_table",
]

MOST_COMMANDS = 10  # in one comment


@dataclass(frozen=True, slots=True)
class Dropped:
    """A command that is not carried out, and why, in our own words."""

    command: Command
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a comment asks for.

    ``commands`` is empty when there is any problem: nothing runs. ``lines`` are the lines
    that were addressed to us.
    """

    commands: tuple[Command, ...] = ()
    problems: tuple[Problem, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    lines: tuple[Line, ...] = field(default=(), repr=False)

    @property
    def is_conversation(self) -> bool:
        """Whether nothing in the comment is for us."""
        return not self.commands and not self.problems

    def ordered(self) -> tuple[Command, ...]:
        """Give the commands in the order of their execution; within a class, as typed.

        What stops comes before what goes on; ``untag``, ``tag``, ``traffic`` are one edit.
        """
        return tuple(sorted(self.commands, key=lambda c: _ORDER.index(c.verb)))

    def jobs(self) -> tuple[Command, ...]:
        """Give what is to be carried out, in that order: all traffic operations are one ``Retarget``."""
        operations = [c for c in self.ordered() if isinstance(c, WithItems)]
        if not operations:
            return self.ordered()
        untag, tag, traffic = (
            tuple(item for c in operations if isinstance(c, kind) for item in c.items)
            for kind in (Untag, Tag, Traffic)
        )
        first = operations[0]
        whole = Retarget(
            untag=untag, tag=tag, traffic=traffic, line=first.line, source=first.source, short=first.short
        )
        return tuple(whole if c is first else c for c in self.ordered() if c is first or c not in operations)

    def without_short(self) -> Parsed:
        """Give what is left for a pull request that touches no service.

        Other bots own ``/hold`` and ``/tag`` there, also with arguments that we do not know.
        """
        return _parsed([line for line in self.lines if addressed(line.text) == "canary"])


_ORDER = (
    *("rollback", "cancel", "freeze", "hold", "unfreeze", "resume", "adopt", "retry"),
    *("untag", "tag", "traffic", "canary", "promote", "plan", "status", "why", "help"),
)


def parse_comment(text: str, *, known: Collection[str] = ()) -> Parsed:
    """Read the commands of a comment.

    Args:
        text: The comment as it came.
        known: The names of services, where they are known: for the words of a problem only.

    Returns:
        The commands, or all problems of the comment; neither when it is conversation.
    """
    return _parsed([line for line in command_lines(text) if addressed(line.text)], known)


def _parsed(lines: list[Line], known: Collection[str] = ()) -> Parsed:
    if len(lines) > MOST_COMMANDS:
        line = lines[MOST_COMMANDS]
        problem = Problem(
            "too-many-commands",
            f"A comment holds at most {MOST_COMMANDS} commands (got {len(lines)}); nothing was done.",
            "Keep the ones that are meant.",
            place=Place(line=line.number),
        )
        return Parsed(problems=(problem,), lines=tuple(lines))
    commands: list[Command] = []
    problems: list[Problem] = []
    for line in lines:
        try:
            command = read_line(line, known)
        except Declined as declined:
            problems += declined.problems
        else:
            commands.append(command)
    problems += _conflicts(commands)
    if problems:
        return Parsed(problems=tuple(problems), lines=tuple(lines))
    dropped = tuple(_dropped(commands))
    kept = tuple(c for c in commands if not any(c is d.command for d in dropped))
    return Parsed(kept, (), dropped, tuple(lines))


# Several commands -----------------------------------------------------------------------

_CONTRADICTIONS = frozenset(
    frozenset(pair)
    for pair in (
        ("promote", "rollback"),
        ("hold", "resume"),
        ("freeze", "unfreeze"),
        ("canary", "rollback"),
        ("cancel", "rollback"),
        ("cancel", "promote"),
        ("adopt", "rollback"),
        ("adopt", "cancel"),
        ("traffic", "canary"),
        ("traffic", "promote"),
        ("traffic", "rollback"),
    )
)


def _overlap(a: Command, b: Command) -> bool:
    """Whether two commands may mean the same service: no name is the only one, whichever that is."""
    names = {c.service if isinstance(c, OfService) else None for c in (a, b)}
    return len(names) == 1 or None in names or ALL in names


def _contradict(a: Command, b: Command) -> bool:
    if frozenset({a.verb, b.verb}) in _CONTRADICTIONS:
        return True
    match a, b:
        case (Canary(), Canary()):
            return (a.weights, a.stable, a.candidate, a.sha) != (b.weights, b.stable, b.candidate, b.sha)
        case (Promote(), Promote()):
            return (a.to, a.overrides) != (b.to, b.overrides)
        case (Hold(duration=first), Hold(duration=second)) | (
            Freeze(duration=first),
            Freeze(duration=second),
        ):
            return first != second
        case (Canary(weights=weights), Promote(to=to)) | (Promote(to=to), Canary(weights=weights)):
            return to != "next" and weights[0] != (100 if to == "full" else to)
    return False


def _conflicts(commands: list[Command]) -> Iterator[Problem]:
    """Give one problem for each command that contradicts an earlier one."""
    for i, later in enumerate(commands):
        earlier = next((e for e in commands[:i] if _overlap(e, later) and _contradict(e, later)), None)
        if earlier is not None:
            yield Problem(
                "conflicting-commands",
                "Two commands in one comment contradict each other; nothing was done: "
                f"{code(earlier.source.strip())} and {code(later.source.strip())}.",
                "Keep one of them.",
                place=Place(line=later.line, column=1),
                source=later.source,
                caret=(0, len(later.source)),
            )


def _dropped(commands: list[Command]) -> Iterator[Dropped]:
    """Give the commands that another one of the comment makes void."""
    for i, command in enumerate(commands):
        if command in commands[:i]:
            yield Dropped(
                command, f"The same command stands in line {commands[commands.index(command)].line}."
            )
        elif isinstance(command, Promote):
            stop = next((h for h in commands if isinstance(h, Hold | Freeze) and _overlap(h, command)), None)
            if stop is not None:
                said = f"`{stop.verb}` in line {stop.line} is carried out instead: stopping wins."
                yield Dropped(command, said)
