"""What came of a command, as a value: the reply, the log and the machine twin say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bot.core.markers import Hold
    from bot.core.problems import Problem

Decision = Literal["done", "already", "pending", "answered", "declined", "not-understood", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one command.

    ``text`` is Markdown in our own words; ``problems`` are shown behind it. ``step`` is like ``2/3``,
    ``rollback`` or empty. ``hold`` is set by ``/hold`` on a pull request that is not merged yet. ``pull`` is
    the pull request that was opened, merged or is waited for; 0 where that is the one commented on.
    """

    decision: Decision
    code: str
    text: str = ""
    problems: tuple[Problem, ...] = ()
    verb: str = ""
    service: str = ""
    rollout: str = ""
    step: str = ""
    hold: Hold | None = None
    pull: int = 0


def declined(*problems: Problem, verb: str = "", service: str = "") -> Outcome:
    """Give the outcome of a command that cannot be carried out."""
    return Outcome("declined", problems[0].code, problems=problems, verb=verb, service=service)
