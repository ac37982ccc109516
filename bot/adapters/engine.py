"""Durable work in one process: deliveries kept until routed, subjects looked at when due.

Level-triggered: a delivery, a timer and a sweep only say "look at this", and a look that was
interrupted is due again, so a process that ends at any moment loses nothing. What is in the
file can be found again on GitHub: losing the file costs one sweep. No GitHub code here.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from bot.adapters import agenda
from bot.adapters.ledger import Ledger, touch
from bot.core import events
from bot.core.problems import OutsideFailure
from bot.core.subject import Subject

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from bot.adapters.agenda import Dead, Taken, Waiting
    from bot.ports import Clock, Delivery

    Look = Callable[[Subject, str], datetime | None]
    Repositories = Callable[[], Iterable[tuple[int, str]]]

logger = logging.getLogger(__name__)

T = TypeVar("T")

POLL = 0.2  # seconds; the longest time until a clock that was moved is noticed
ROUTED_AT_ONCE = 50  # deliveries in one turn
FIRST_DELAY, LONGEST_DELAY = 2.0, 300.0  # seconds between tries, doubling
LONGEST_WISH = 3600.0  # seconds; what the other side may ask us to wait
KEPT = timedelta(days=3)  # as long as GitHub keeps deliveries
PRUNED_EVERY = timedelta(hours=1)
SWEEP = Subject(0, "", "sweep")  # our own entry in the agenda: ask for all repositories


class SqliteEngine:
    """The engine on an SQLite file; see ``bot.ports.Engine``. Safe to share between threads.

    One process works on a file, and in it one call of ``run``.

    Args:
        path: The SQLite file; its folder must exist.
        clock: Decides what is due. It may jump forwards.
        app_id: For ``events.route``.
        threads: Looks at the same time, each in another repository.
        seconds: The longest wait for the disk before ``store`` and ``look`` give up.

    Raises:
        StoreUnusable: See ``Ledger``.
    """

    def __init__(
        self, path: Path, clock: Clock, *, app_id: int | None = None, threads: int = 4, seconds: float = 5.0
    ) -> None:
        self._clock = clock
        self._app_id = app_id
        self._threads = threads
        self._seconds = seconds
        self._ledger = Ledger(path)
        self._wake = threading.Condition()
        self._woken = False
        self._running = 0
        self._broken = False
        self._working = threading.Event()
        self._served: dict[str, int] = {}
        self._turns = 0
        self._pruned_at: datetime | None = None
        self._repositories: Repositories | None = None
        self._sweep_every = timedelta(0)
        recovered = self._do(partial(agenda.recover, now=clock.now()))
        if recovered:
            logger.warning("looks-recovered", extra={"looks": recovered})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. ``run`` should have ended before."""
        self._ledger.close()

    # the port ------------------------------------------------------------------------

    def store(self, delivery: Delivery) -> None:
        """Keep a delivery; see ``bot.ports.Engine``.

        Raises:
            OutsideFailure: It is not known to be on disk.
        """
        self._do(partial(agenda.store, delivery=delivery))
        self._notify()

    def look(self, subject: Subject, *, at: datetime, why: str) -> None:
        """Ask for a look; see ``bot.ports.Engine``.

        Raises:
            OutsideFailure: The wish is not known to be on disk.
        """
        self._do(partial(agenda.mark, subject=subject, at=at, why=why))
        self._notify()

    # for whoever operates it -----------------------------------------------------------

    def is_well(self) -> bool:
        """Give whether the file can be written and the work goes on. Takes at most ``seconds``."""
        try:
            self._do(touch)
        except OutsideFailure:
            return False
        return not self._broken

    def dead(self) -> tuple[Dead, ...]:
        """Give the subjects that were given up after errors of ours, the latest first.

        A new hint gives such a subject one more try.
        """
        return self._do(agenda.dead)

    def idle(self, timeout: float) -> bool:
        """Wait until ``run`` has begun and nothing waits, is due or is under way; say whether it is so.

        Args:
            timeout: Seconds to wait at most.
        """
        deadline = time.monotonic() + timeout
        if not self._working.wait(timeout):
            return False
        while not self._do(lambda connection: agenda.is_quiet(connection, now=self._clock.now())):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self._wake:
                self._wake.wait(min(left, POLL / 4))
        return True

    # work ----------------------------------------------------------------------------

    def run(
        self,
        look: Look,
        stop: threading.Event,
        *,
        repositories: Repositories | None = None,
        sweep_every: float = 600.0,
        grace: float = 20.0,
    ) -> None:
        """Work until ``stop`` is set.

        Args:
            look: Looks at a subject, for a reason in one word, and says when to look again, or
                ``None``. It is called in several threads, never twice at a time for one repository.
                ``OutsideFailure`` means later, any other exception is an error of ours.
            stop: Ends the work; it is noticed within ``POLL`` seconds.
            repositories: Gives (installation, ``owner/name``) of all repositories; each of them is
                looked at as ``repository`` at the start and every ``sweep_every`` seconds.
            sweep_every: Seconds.
            grace: Seconds that looks under way have to finish. What does not is due again at the next start.
        """
        self._repositories, self._sweep_every = repositories, timedelta(seconds=sweep_every)
        tasks: queue.SimpleQueue[Taken | None] = queue.SimpleQueue()
        workers = [
            threading.Thread(target=self._work, args=(look, tasks, stop), name=f"look-{n}", daemon=True)
            for n in range(self._threads)
        ]
        for worker in workers:
            worker.start()
        try:
            if repositories is not None:
                self.look(SWEEP, at=self._clock.now(), why="start")
            self._working.set()
            while not stop.is_set():
                self._turn(tasks)
        except BaseException:
            self._broken = True
            raise
        finally:
            for _ in workers:
                tasks.put(None)
            deadline = time.monotonic() + grace
            for worker in workers:
                worker.join(max(0.0, deadline - time.monotonic()))
            left = sum(worker.is_alive() for worker in workers)
            if left:
                logger.warning("looks-left-behind", extra={"looks": left})

    def _turn(self, tasks: queue.SimpleQueue[Taken | None]) -> None:
        """Route what has come, start what is due, and wait when there was nothing."""
        try:
            busy = self._route_some() + self._start_some(tasks)
            self._prune()
        except OutsideFailure:
            logger.exception("engine-waits")  # the disk is full, say; there may be room again later
            busy = 0
        with self._wake:
            if not busy and not self._woken:
                self._wake.wait(POLL)
            self._woken = False

    def _route_some(self) -> int:
        deliveries = self._do(partial(agenda.waiting, limit=ROUTED_AT_ONCE))
        for delivery in deliveries:
            marks, error = self._marks_of(delivery)
            self._do(
                partial(agenda.routed, delivery=delivery, marks=marks, now=self._clock.now(), error=error)
            )
        return len(deliveries)

    def _marks_of(self, delivery: Waiting) -> tuple[tuple[tuple[Subject, str], ...], str | None]:
        fields = {"delivery": delivery.guid, "event": delivery.event}
        try:
            payload = events.parse(delivery.body)
            marks = events.route(delivery.event, payload, app_id=self._app_id, at=delivery.received_at)
        except ValueError as error:
            logger.warning("delivery-unreadable", extra={**fields, "reason": str(error)})
            return (), str(error)
        except Exception as error:
            # One delivery never stops the others, whatever is wrong with it or with us.
            logger.exception("delivery-failed", extra=fields)
            return (), repr(error)
        logger.info(
            "delivery-routed", extra={**fields, "subjects": [_shown(subject) for subject, _ in marks]}
        )
        return marks, None

    def _start_some(self, tasks: queue.SimpleQueue[Taken | None]) -> int:
        with self._wake:
            free = self._threads - self._running
        if free <= 0:
            return 0
        taken = self._do(partial(agenda.take, now=self._clock.now(), limit=free, served=self._served))
        for one in taken:
            self._turns += 1
            self._served[one.subject.repository.lower()] = self._turns
            with self._wake:
                self._running += 1
            tasks.put(one)
        return len(taken)

    def _prune(self) -> None:
        now = self._clock.now()
        if self._pruned_at is None or now - self._pruned_at >= PRUNED_EVERY:
            self._pruned_at = now
            self._do(partial(agenda.prune, before=now - KEPT))

    def _work(self, look: Look, tasks: queue.SimpleQueue[Taken | None], stop: threading.Event) -> None:
        """Be one of the threads that look."""
        while (taken := tasks.get()) is not None:
            try:
                self._record(taken, self._look_at(look, taken), stop)
            finally:
                with self._wake:
                    self._running -= 1
                self._notify()

    def _look_at(self, look: Look, taken: Taken) -> Callable[[sqlite3.Connection], object]:
        """Look, and give what is to be recorded."""
        fields = {"subject": _shown(taken.subject), "why": taken.why}
        try:
            again = self._sweep() if taken.subject == SWEEP else look(taken.subject, taken.why)
            logger.info("looked", extra={**fields, "again": again and again.isoformat()})
            return partial(agenda.finish, taken=taken, again=again)
        except OutsideFailure as failure:
            delay = _delay(taken.attempts)
            if failure.retry_after is not None:
                delay = max(delay, min(failure.retry_after, LONGEST_WISH))
            logger.warning("look-postponed", extra={**fields, "reason": str(failure), "seconds": delay})
            until = self._clock.now() + timedelta(seconds=delay)
            strictly = failure.retry_after is not None
            return partial(agenda.postpone, taken=taken, until=until, strictly=strictly, error=str(failure))
        except Exception as error:
            logger.exception("look-failed", extra={**fields, "faults": taken.faults + 1})
            now = self._clock.now()
            until = now + timedelta(seconds=_delay(taken.faults))
            return partial(agenda.fault, taken=taken, now=now, until=until, error=repr(error))

    def _record(
        self, taken: Taken, outcome: Callable[[sqlite3.Connection], object], stop: threading.Event
    ) -> None:
        """Write down how a look ended, as soon as the disk takes it."""
        while True:
            try:
                if self._do(outcome) is agenda.GIVEN_UP:
                    logger.error("subject-given-up", extra={"subject": _shown(taken.subject)})
            except OutsideFailure:
                logger.exception("look-not-recorded")
                if stop.wait(POLL):
                    return  # the look is due again at the next start
            else:
                return

    def _sweep(self) -> datetime | None:
        if self._repositories is None:
            return None
        found = [Subject(installation, name, "repository") for installation, name in self._repositories()]
        now = self._clock.now()

        def mark_all(connection: sqlite3.Connection) -> None:
            for subject in found:
                agenda.mark(connection, subject, at=now, why="sweep")

        self._do(mark_all)
        return now + self._sweep_every

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._ledger.do(work, seconds=self._seconds)

    def _notify(self) -> None:
        with self._wake:
            self._woken = True
            self._wake.notify_all()


def _delay(failures: int) -> float:
    """Give seconds until the next try, doubling, with jitter so that many do not come back together."""
    longest = min(FIRST_DELAY * 2.0 ** min(failures, 20), LONGEST_DELAY)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret


def _shown(subject: Subject) -> str:
    return f"{subject.repository} {subject.what}".strip()
