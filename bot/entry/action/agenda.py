"""What one run of a job looks at: what is due now is worked off, what is due later is told."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.core.problems import OutsideFailure

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bot.core.subject import Subject
    from bot.ports import Clock

    Look = Callable[[Subject, str], datetime | None]

MOST_LOOKS = 300  # in one run; what is left over is found by the next
TRIES = 4
LONGEST_WAIT = timedelta(
    seconds=30
)  # a runner is paid by the minute; who has to wait longer, waits for the next run
FIRST_WAIT = 2.0  # seconds, doubling

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failed:
    """A look that did not end. ``reason`` is our own words; ``is_bug`` when it is nobody else's fault."""

    subject: Subject
    reason: str
    is_bug: bool = False


@dataclass(slots=True)
class Agenda:
    """The subjects of one run, each once, the earliest first; of two due now the one asked for first."""

    clock: Clock
    _due: dict[Subject, tuple[datetime, str]] = field(default_factory=dict)

    def __call__(self, subject: Subject, *, at: datetime, why: str) -> None:
        """Ask for a look at ``subject`` at that time, or earlier if one is asked for already."""
        known = self._due.get(subject)
        if known is None or at < known[0]:
            self._due[subject] = (at, why)

    @property
    def later(self) -> tuple[tuple[Subject, datetime], ...]:
        """What is left, with the time before which there is nothing to do, the earliest first."""
        return tuple(sorted(((s, at) for s, (at, _) in self._due.items()), key=lambda one: one[1]))

    def take(self) -> tuple[Subject, str] | None:
        """Take what is due, ``None`` when nothing is."""
        now = self.clock.now()
        due = [subject for subject, (at, _) in self._due.items() if at <= now]
        return (due[0], self._due.pop(due[0])[1]) if due else None

    def wait(self) -> timedelta | None:
        """Give the time until something is due, ``None`` when that is not worth waiting for."""
        if not self._due:
            return None
        left = min(at for at, _ in self._due.values()) - self.clock.now()
        return left if left <= LONGEST_WAIT else None


def work_off(agenda: Agenda, look: Look, sleep: Callable[[float], None]) -> tuple[Failed, ...]:
    """Look at everything that is due until nothing is, and give what did not end.

    Args:
        agenda: Holds the first subjects; looks ask it for more.
        look: Looks at one subject and says when to look again.
        sleep: Waits for some seconds: between two tries, and for what is due in a moment.
    """
    failed: dict[Subject, Failed] = {}
    tries: dict[Subject, int] = {}
    for _ in range(MOST_LOOKS):
        taken = agenda.take()
        while taken is None:
            left = agenda.wait()
            if left is None:
                return tuple(failed.values())
            sleep(max(left.total_seconds(), 0.0))
            taken = agenda.take()
        subject, why = taken
        now = agenda.clock.now()
        try:
            again = look(subject, why)
        except OutsideFailure as failure:
            tries[subject] = tries.get(subject, 0) + 1
            pause = max(failure.retry_after or 0.0, FIRST_WAIT * 2 ** (tries[subject] - 1))
            if tries[subject] < TRIES and timedelta(seconds=pause) <= LONGEST_WAIT:
                agenda(subject, at=now + timedelta(seconds=pause), why="retry")
            else:
                failed[subject] = Failed(subject, str(failure))
        except Exception as error:
            log.exception("look-failed", extra={"subject": subject.what})
            failed[subject] = Failed(
                subject, f"This is a bug of the bot ({type(error).__name__}).", is_bug=True
            )
        else:
            failed.pop(subject, None)
            if again is not None:
                agenda(subject, at=again, why="timer")
    return tuple(failed.values())
