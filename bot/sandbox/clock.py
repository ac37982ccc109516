"""The time in the sandbox: the machine's, shifted, or standing still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock


class SandboxClock:
    """A ``bot.ports.Clock`` that can be moved forward, so that a bake time of an hour takes no hour.

    Args:
        frozen_at: An aware time. With it the clock stands still and moves by ``advance`` only;
            without it the clock runs with the machine's.
    """

    def __init__(self, frozen_at: datetime | None = None) -> None:
        self._lock = Lock()
        self._frozen = None if frozen_at is None else frozen_at.astimezone(UTC)
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """Give the time, aware, in UTC."""
        with self._lock:
            return (self._frozen or self.machine()) + self._offset

    def advance(self, by: timedelta) -> datetime:
        """Move forward by ``by`` (not negative) and give the new time."""
        if by < timedelta(0):
            raise ValueError("a sandbox clock moves forward only")
        with self._lock:
            self._offset += by
        return self.now()

    @staticmethod
    def machine() -> datetime:
        """Give the machine's own time; what signs a JWT may know no other."""
        return datetime.now(UTC)
