"""The rules on the next step of a rollout, judged: one value for each, and what they say together.

``canary / gate``, ``/canary why``, the pull request of the step and the trail all show these values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from bot.core.gates import Verdict as Measured

Kind = Literal["bake", "hold", "freeze", "gate", "approvals", "order"]
"""What a rule is about; also what an override names."""

Verdict = Literal["pass", "wait", "fail", "overridden"]
"""``wait`` is over by itself or by somebody's word; ``fail`` is a gate that said no."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One rule on the next step, judged now. All words are Markdown of one line, safe in a cell of a table.

    ``rule`` is what a reader calls it. ``reason`` is a sentence that says why the step waits, empty where it does
    not. ``until`` is when time alone changes the answer, or its words. ``origin`` is file and line, or the
    command. ``measured`` is what a gate was answered, ``again`` when it is asked again. ``firm`` says that no
    override lifts it; ``aside`` is the trailer's value where two people have. ``subjects`` names what stands behind it
    now, ``begun`` is when the last of that began, where that is known: an override is only about what stood then.
    """

    kind: Kind
    rule: str
    verdict: Verdict
    reason: str = ""
    value: str = "none"
    threshold: str = "none"
    origin: str = "built in"
    until: datetime | None = None
    measured: Measured | None = None
    firm: bool = False
    again: datetime | None = None
    aside: str = ""
    subjects: tuple[str, ...] = ()
    begun: datetime | None = None

    @property
    def lets_pass(self) -> bool:
        """Whether this rule lets the step go on."""
        return self.verdict in {"pass", "overridden"}


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether the next step may be merged now, by all of its rules.

    ``since`` is what the bake time counts from, ``bake_ends`` when it is over.
    """

    conditions: tuple[Condition, ...]
    since: datetime
    bake_ends: datetime

    @property
    def passes(self) -> bool:
        """Whether every rule lets the step go on."""
        return all(c.lets_pass for c in self.conditions)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not, in Markdown, what failed first; empty when it may."""
        waiting = [c for c in self.conditions if not c.lets_pass]
        return tuple(c.reason for c in sorted(waiting, key=lambda c: c.verdict != "fail"))

    @property
    def until(self) -> datetime | None:
        """When to judge again, if time alone changes the answer or its words: the earliest of all rules.

        A gate that passes is asked again, too: it may fail before the step is merged.
        """
        times = [c.until for c in self.conditions if not c.lets_pass]
        times += [c.again for c in self.conditions]
        return min((time for time in times if time is not None), default=None)

    @property
    def failed(self) -> tuple[Condition, ...]:
        """The gates that said no."""
        return tuple(c for c in self.conditions if c.verdict == "fail")

    @property
    def measured(self) -> tuple[Measured, ...]:
        """What gates were answered."""
        return tuple(c.measured for c in self.conditions if c.measured is not None)
