"""Durable work: nothing that was stored is lost, nothing that was finished is done again."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bot.adapters.agenda import MOST_FAULTS
from bot.adapters.engine import KEPT, LONGEST_DELAY, SqliteEngine
from bot.core.problems import OutsideFailure
from bot.ports import Delivery, Subject
from tests.adapters.payloads import comment_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = Callable[[Subject, str], datetime | None]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
PATIENCE = 10.0  # seconds of the machine; only a failing test waits that long
A = Subject(9, "shop/a", "pull/1")
B = Subject(9, "shop/b", "pull/1")


class MovableClock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time


class Looks:
    """A look that remembers, and answers what the test wants."""

    def __init__(self, answer: Answer = lambda _subject, _why: None) -> None:
        self.answer = answer
        self.seen: list[tuple[Subject, str]] = []
        self._changed = threading.Condition()

    def __call__(self, subject: Subject, why: str) -> datetime | None:
        with self._changed:
            self.seen.append((subject, why))
            self._changed.notify_all()
        return self.answer(subject, why)

    def wait(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.seen) >= count, PATIENCE)

    @property
    def subjects(self) -> list[Subject]:
        return [subject for subject, _ in self.seen]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "canary.sqlite3"


@pytest.fixture
def engine(path: Path, clock: MovableClock) -> Iterator[SqliteEngine]:
    with SqliteEngine(path, clock) as engine:
        yield engine


@contextmanager
def at_work(engine: SqliteEngine, look: Answer, **more: object) -> Iterator[None]:
    stop = threading.Event()
    worker = threading.Thread(target=engine.run, args=(look, stop), kwargs=more)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join(PATIENCE)
        assert not worker.is_alive()


def delivery(guid: str = "1", body: bytes | None = None, *, at: datetime = NOON) -> Delivery:
    return Delivery(guid, "issue_comment", comment_on(3) if body is None else body, at)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Read the file of an engine that was closed."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


class TestDeliveries:
    """A delivery is kept until it was routed, once for each guid."""

    def test_leads_to_a_look(self, engine: SqliteEngine) -> None:
        looks = Looks()
        with at_work(engine, looks):
            engine.store(delivery())
            assert engine.idle(PATIENCE)
        assert looks.seen == [(Subject(9, "shop/customer", "pull/3"), "comment")]

    def test_waits_for_the_work_to_begin(self, engine: SqliteEngine) -> None:
        engine.store(delivery())
        looks = Looks()
        with at_work(engine, looks):
            assert engine.idle(PATIENCE)
        assert len(looks.seen) == 1

    def test_the_same_guid_again(self, engine: SqliteEngine) -> None:
        looks = Looks()
        with at_work(engine, looks):
            for _ in range(3):
                engine.store(delivery())
                assert engine.idle(PATIENCE)
        assert len(looks.seen) == 1

    def test_the_same_guid_in_twenty_threads(self, engine: SqliteEngine) -> None:
        threads = [threading.Thread(target=engine.store, args=(delivery(),)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        looks = Looks()
        with at_work(engine, looks):
            assert engine.idle(PATIENCE)
        assert len(looks.seen) == 1

    def test_one_that_cannot_be_read_stops_nothing(self, engine: SqliteEngine, path: Path) -> None:
        looks = Looks()
        with at_work(engine, looks):
            engine.store(delivery("1", b"[" * 1000))
            engine.store(delivery("2"))
            assert engine.idle(PATIENCE)
        assert len(looks.seen) == 1
        engine.close()
        assert rows(path, "SELECT guid, length(body), error FROM deliveries ORDER BY guid") == [
            ("1", 1000, "the payload is nested too deeply"),
            ("2", 0, None),
        ]

    def test_forgotten_after_three_days(self, engine: SqliteEngine, clock: MovableClock, path: Path) -> None:
        looks = Looks()
        with at_work(engine, looks):
            engine.store(delivery("old"))
            assert engine.idle(PATIENCE)
            clock.time += KEPT + HOUR
            engine.store(delivery("new", at=clock.time))
            assert looks.wait(2)
            assert engine.idle(PATIENCE)
        engine.close()
        assert rows(path, "SELECT guid FROM deliveries") == [("new",)]


class TestTime:
    """A subject is looked at when it is due by the clock that was given."""

    def test_a_clock_that_is_advanced(self, engine: SqliteEngine, clock: MovableClock) -> None:
        looks = Looks(lambda _subject, why: NOON + HOUR if why == "comment" else None)
        with at_work(engine, looks):
            engine.look(A, at=NOON, why="comment")
            assert engine.idle(PATIENCE)
            clock.time += HOUR - SECOND
            assert engine.idle(PATIENCE)
            assert looks.seen == [(A, "comment")]
            clock.time += SECOND
            assert looks.wait(2)
            assert engine.idle(PATIENCE)
        assert looks.seen == [(A, "comment"), (A, "timer")]

    def test_the_earlier_of_two_times(self, engine: SqliteEngine, clock: MovableClock) -> None:
        looks = Looks()
        with at_work(engine, looks):
            for hours in (2, 1, 3):
                engine.look(A, at=NOON + hours * HOUR, why="timer")
            assert engine.idle(PATIENCE)
            assert looks.seen == []
            clock.time += HOUR
            assert looks.wait(1)
            clock.time += 5 * HOUR
            assert engine.idle(PATIENCE)
        assert looks.seen == [(A, "timer")]

    def test_two_reasons_are_several(self, engine: SqliteEngine) -> None:
        engine.look(A, at=NOON, why="comment")
        engine.look(A, at=NOON, why="review")
        engine.look(A, at=NOON, why="comment")
        looks = Looks()
        with at_work(engine, looks):
            assert engine.idle(PATIENCE)
        assert looks.seen == [(A, "several")]

    def test_a_wish_during_a_look_is_another_look(self, engine: SqliteEngine) -> None:
        def answer(_subject: Subject, why: str) -> None:
            if why == "first":
                engine.look(A, at=NOON, why="second")

        looks = Looks(answer)
        with at_work(engine, looks):
            engine.look(A, at=NOON, why="first")
            assert engine.idle(PATIENCE)
        assert looks.seen == [(A, "first"), (A, "second")]

    def test_a_wish_for_later_during_a_look_is_not_due_at_once(
        self, engine: SqliteEngine, clock: MovableClock
    ) -> None:
        def answer(_subject: Subject, why: str) -> datetime | None:
            if why != "first":
                return None
            engine.look(A, at=NOON + HOUR, why="timer")
            return NOON + 2 * HOUR

        looks = Looks(answer)
        with at_work(engine, looks):
            engine.look(A, at=NOON, why="first")
            assert engine.idle(PATIENCE)
            assert len(looks.seen) == 1
            clock.time += HOUR
            assert looks.wait(2)
            assert engine.idle(PATIENCE)
        assert len(looks.seen) == 2


class TestOrder:
    """One look at a time in a repository, several repositories at the same time, none kept waiting."""

    def test_never_two_in_one_repository(self, engine: SqliteEngine) -> None:
        lock = threading.Lock()
        inside: dict[str, int] = {}
        overlaps: list[str] = []

        def answer(subject: Subject, _why: str) -> None:
            name = subject.repository.lower()
            with lock:
                inside[name] = inside.get(name, 0) + 1
                if inside[name] > 1:
                    overlaps.append(name)
            threading.Event().wait(0.002)
            with lock:
                inside[name] -= 1

        looks = Looks(answer)
        with at_work(engine, looks):
            for number in range(30):
                # GitHub's names know no case; another installation may still see the same repository.
                name = ("shop/a", "Shop/A", "shop/b")[number % 3]
                engine.look(Subject(number % 2, name, f"pull/{number}"), at=NOON, why="x")
            assert engine.idle(PATIENCE)
        assert len(looks.seen) == 30
        assert overlaps == []

    def test_repositories_side_by_side(self, engine: SqliteEngine) -> None:
        both = threading.Barrier(2)

        def answer(_subject: Subject, _why: str) -> None:
            both.wait(PATIENCE)

        with at_work(engine, answer):
            engine.look(A, at=NOON, why="x")
            engine.look(B, at=NOON, why="x")
            assert engine.idle(PATIENCE)
        assert not both.broken
        assert engine.dead() == ()

    def test_a_long_queue_keeps_no_other_repository_waiting(self, path: Path, clock: MovableClock) -> None:
        looks = Looks()
        with SqliteEngine(path, clock, threads=1) as engine:
            for number in range(20):
                engine.look(Subject(9, "shop/a", f"pull/{number}"), at=NOON - HOUR, why="x")
            engine.look(B, at=NOON, why="x")
            with at_work(engine, looks):
                assert engine.idle(PATIENCE)
        assert looks.subjects.index(B) == 1
        assert [s.what for s in looks.subjects if s != B] == [f"pull/{number}" for number in range(20)]

    def test_a_slow_repository_keeps_no_other_waiting(self, engine: SqliteEngine) -> None:
        release = threading.Event()

        def answer(subject: Subject, _why: str) -> None:
            if subject == A:
                release.wait(PATIENCE)

        looks = Looks(answer)
        with at_work(engine, looks):
            engine.look(A, at=NOON, why="x")
            assert looks.wait(1)
            for number in range(5):
                engine.look(Subject(9, f"shop/r{number}", "pull/1"), at=NOON, why="x")
            assert looks.wait(6)
            release.set()
            assert engine.idle(PATIENCE)


class TestFailures:
    """What something outside did not answer is tried again; an error of ours is tried five times."""

    def test_later_and_later(self, engine: SqliteEngine, clock: MovableClock) -> None:
        tries: list[datetime] = []

        def answer(_subject: Subject, _why: str) -> None:
            tries.append(clock.time)
            if len(tries) < 12:
                raise OutsideFailure("502")

        looks = Looks(answer)
        with at_work(engine, looks):
            engine.look(A, at=NOON, why="x")
            for number in range(1, 12):
                assert looks.wait(number)
                assert engine.idle(PATIENCE)
                assert len(looks.seen) == number  # not before its time
                clock.time += timedelta(seconds=LONGEST_DELAY)
            assert looks.wait(12)
            assert engine.idle(PATIENCE)
        assert {why for _, why in looks.seen[1:]} == {"retry"}
        assert engine.dead() == ()

    def test_not_before_the_time_that_was_named(self, engine: SqliteEngine, clock: MovableClock) -> None:
        failures = [OutsideFailure("rate limit", retry_after=1800)]

        def answer(_subject: Subject, _why: str) -> None:
            if failures:
                raise failures.pop()

        looks = Looks(answer)
        with at_work(engine, looks):
            engine.look(A, at=NOON, why="x")
            assert engine.idle(PATIENCE)
            clock.time += timedelta(seconds=1799)
            engine.look(A, at=clock.time, why="hint")  # a hint is no reason to ignore it
            assert engine.idle(PATIENCE)
            assert len(looks.seen) == 1
            clock.time += SECOND
            assert looks.wait(2)
            assert engine.idle(PATIENCE)
        assert len(looks.seen) == 2

    def test_a_hint_ends_the_waiting_where_no_time_was_named(self, engine: SqliteEngine) -> None:
        failures = [OutsideFailure("502")]

        def answer(_subject: Subject, _why: str) -> None:
            if failures:
                raise failures.pop()

        looks = Looks(answer)
        with at_work(engine, looks):
            engine.look(A, at=NOON, why="x")
            assert engine.idle(PATIENCE)
            engine.look(A, at=NOON, why="hint")
            assert engine.idle(PATIENCE)
        assert len(looks.seen) == 2

    def test_given_up_after_five_errors_of_ours(
        self, engine: SqliteEngine, clock: MovableClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        def answer(subject: Subject, _why: str) -> None:
            if subject == A:
                raise ZeroDivisionError("a bug")

        looks = Looks(answer)
        with at_work(engine, looks), caplog.at_level(logging.ERROR):
            engine.look(A, at=NOON, why="x")
            engine.look(B, at=NOON, why="x")
            for _ in range(2 * MOST_FAULTS):
                assert engine.idle(PATIENCE)
                clock.time += timedelta(seconds=LONGEST_DELAY)
            assert engine.idle(PATIENCE)
            assert looks.subjects.count(A) == MOST_FAULTS
            assert looks.subjects.count(B) == 1
            [dead] = engine.dead()
            assert (dead.subject, dead.error) == (A, "ZeroDivisionError('a bug')")
            # A new hint is worth one more try, and only one.
            engine.look(A, at=clock.time, why="hint")
            assert looks.wait(MOST_FAULTS + 2)
            clock.time += HOUR
            assert engine.idle(PATIENCE)
            assert looks.subjects.count(A) == MOST_FAULTS + 1
            assert len(engine.dead()) == 1
        assert "ZeroDivisionError: a bug" in caplog.text
        assert caplog.text.count("subject-given-up") == 2

    def test_back_to_life(self, engine: SqliteEngine, clock: MovableClock) -> None:
        broken = True

        def answer(_subject: Subject, _why: str) -> None:
            if broken:
                raise ZeroDivisionError

        with at_work(engine, answer):
            engine.look(A, at=NOON, why="x")
            for _ in range(2 * MOST_FAULTS):
                assert engine.idle(PATIENCE)
                clock.time += timedelta(seconds=LONGEST_DELAY)
            assert len(engine.dead()) == 1
            broken = False
            engine.look(A, at=clock.time, why="hint")
            assert engine.idle(PATIENCE)
            assert engine.dead() == ()


class TestSweep:
    """All repositories are looked at, at the start and every now and then, for what no webhook told."""

    def test_at_the_start_and_later(self, engine: SqliteEngine, clock: MovableClock) -> None:
        looks = Looks()
        with at_work(engine, looks, repositories=lambda: [(9, "shop/a"), (8, "shop/b")], sweep_every=600):
            assert engine.idle(PATIENCE)
            assert set(looks.seen) == {
                (Subject(9, "shop/a", "repository"), "sweep"),
                (Subject(8, "shop/b", "repository"), "sweep"),
            }
            clock.time += timedelta(seconds=600)
            assert looks.wait(4)
            assert engine.idle(PATIENCE)
        assert len(looks.seen) == 4

    def test_again_when_the_list_cannot_be_had(self, engine: SqliteEngine, clock: MovableClock) -> None:
        failures = [OutsideFailure("502")]

        def repositories() -> list[tuple[int, str]]:
            if failures:
                raise failures.pop()
            return [(9, "shop/a")]

        looks = Looks()
        with at_work(engine, looks, repositories=repositories):
            assert engine.idle(PATIENCE)
            assert looks.seen == []
            clock.time += timedelta(seconds=LONGEST_DELAY)
            assert looks.wait(1)
            assert engine.idle(PATIENCE)


class TestEnd:
    """The work ends when it is told to; what was not finished is due at the next start."""

    def test_finishes_what_is_under_way(self, path: Path, clock: MovableClock) -> None:
        stop, begun = threading.Event(), threading.Event()

        def look(_subject: Subject, _why: str) -> None:
            begun.set()
            stop.wait(PATIENCE)

        with SqliteEngine(path, clock) as engine:
            engine.look(A, at=NOON, why="x")
            worker = threading.Thread(target=engine.run, args=(look, stop))
            worker.start()
            assert begun.wait(PATIENCE)
            stop.set()
            worker.join(PATIENCE)
        assert rows(path, "SELECT * FROM agenda") == []

    def test_what_takes_too_long_is_due_again(self, path: Path, clock: MovableClock) -> None:
        release, begun = threading.Event(), threading.Event()

        def look(_subject: Subject, _why: str) -> None:
            begun.set()
            release.wait(PATIENCE)

        with SqliteEngine(path, clock) as engine:
            engine.look(A, at=NOON, why="comment")
            with at_work(engine, look, grace=0.01):
                assert begun.wait(PATIENCE)
        release.set()
        looks = Looks()
        with SqliteEngine(path, clock) as engine, at_work(engine, looks):
            assert engine.idle(PATIENCE)
        assert looks.seen == [(A, "retry")]

    def test_a_look_that_ends_the_process_is_given_up_at_last(self, path: Path, clock: MovableClock) -> None:
        with SqliteEngine(path, clock) as engine:
            engine.look(A, at=NOON, why="x")
        for _ in range(10):
            connection = sqlite3.connect(path)
            assert connection.execute("UPDATE agenda SET taken_at = 1, due = NULL WHERE due").rowcount == 1
            connection.commit()
            connection.close()
            SqliteEngine(path, clock).close()
        with SqliteEngine(path, clock) as engine:
            assert [dead.subject for dead in engine.dead()] == [A]

    def test_idle_gives_up_in_time(self, engine: SqliteEngine) -> None:
        assert not engine.idle(0.01)  # nobody works
        release = threading.Event()

        def look(_subject: Subject, _why: str) -> None:
            release.wait(PATIENCE)

        with at_work(engine, look):
            engine.look(A, at=NOON, why="x")
            began = time.monotonic()
            assert not engine.idle(0.05)
            assert time.monotonic() - began < PATIENCE / 2
            release.set()
