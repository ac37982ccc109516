"""The statements of the durable engine: deliveries waiting, and subjects to look at.

Each function is one request to the ledger and runs inside its transaction. A row of the
agenda is a subject; it goes when its look is done and nobody has asked for another.
Times are kept as whole microseconds since 1970 in UTC, so that comparing is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.core.subject import Subject

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from bot.ports import Delivery

MOST_FAULTS = 5  # looks in a row that may end in an error of ours, before a subject is given up
MOST_CRASHES = 10  # the same for looks during which the process ended; being killed is mostly not their fault
CANDIDATES = 1000  # repositories considered in one turn

GIVEN_UP = True
"""What ``fault`` answers when there will be no further try by itself."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Taken:
    """A look under way: the row's id, and what it is for. ``attempts`` and ``faults`` count earlier failures."""

    row: int
    subject: Subject
    why: str
    attempts: int
    faults: int


@dataclass(frozen=True, slots=True)
class Dead:
    """A subject that was given up. ``error`` is our own traceback's last line or reason."""

    subject: Subject
    why: str
    error: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that nobody has made anything of yet."""

    row: int
    guid: str
    event: str
    body: bytes
    received_at: datetime


def micros(moment: datetime) -> int:
    """Give microseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(micros: int) -> datetime:
    """Give the time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def store(connection: sqlite3.Connection, delivery: Delivery) -> None:
    """Keep a delivery; the same guid is kept once."""
    connection.execute(
        "INSERT INTO deliveries (guid, event, body, received_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (delivery.guid, delivery.event, delivery.body, micros(delivery.received_at)),
    )


def waiting(connection: sqlite3.Connection, limit: int) -> list[Waiting]:
    """Give deliveries that were not routed, in the order of their arrival."""
    rows = connection.execute(
        "SELECT id, guid, event, body, received_at FROM deliveries WHERE routed_at IS NULL ORDER BY id LIMIT ?",
        (limit,),
    )
    return [Waiting(row, guid, event, body, moment(at)) for row, guid, event, body, at in rows]


def routed(
    connection: sqlite3.Connection,
    delivery: Waiting,
    marks: Iterable[tuple[Subject, str]],
    *,
    now: datetime,
    error: str | None,
) -> None:
    """Ask for the looks that a delivery leads to, and let go of its body, in one transaction."""
    for subject, why in marks:
        mark(connection, subject, at=now, why=why)
    # A body that could not be read is kept for whoever has to find out why.
    connection.execute(
        "UPDATE deliveries SET routed_at = ?, error = ?, body = CASE WHEN ? IS NULL THEN x'' ELSE body END "
        "WHERE id = ?",
        (micros(now), error, error, delivery.row),
    )


def mark(connection: sqlite3.Connection, subject: Subject, *, at: datetime, why: str) -> None:
    """Ask for a look; the earlier of two times counts. A subject that was given up gets one more try.

    Wishes for two reasons become one for ``several``: a look may do less for a reason it knows, and
    must not miss the other.
    """
    connection.execute(
        """
        INSERT INTO agenda (installation, repository, what, due, why) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (installation, repository, what) DO UPDATE SET
            why = CASE WHEN due IS NULL OR why = excluded.why THEN excluded.why ELSE 'several' END,
            due = CASE WHEN due IS NULL THEN excluded.due ELSE min(due, excluded.due) END,
            faults = CASE WHEN dead_at IS NULL THEN faults ELSE ? END,
            crashes = CASE WHEN dead_at IS NULL THEN crashes ELSE ? END,
            dead_at = NULL
        """,
        (
            subject.installation,
            subject.repository,
            subject.what,
            micros(at),
            why,
            MOST_FAULTS - 1,
            MOST_CRASHES - 1,
        ),
    )


def take(
    connection: sqlite3.Connection, *, now: datetime, limit: int, served: Mapping[str, int]
) -> list[Taken]:
    """Take due subjects, never two of one repository.

    Args:
        limit: How many looks can start.
        served: For repositories in lower case, a number that is larger the later they were last
            served; among due repositories the one that waited longest since then goes first, so
            that one with a long queue does not keep the others waiting.
    """
    # One row for each repository with nothing under way; the table is small, and this is a few milliseconds.
    rows = connection.execute(
        """
        SELECT id, installation, repository, what, why, attempts, faults FROM (
            SELECT *, row_number() OVER (PARTITION BY repository ORDER BY due, id) AS place FROM agenda
            WHERE due <= :now AND not_before <= :now AND taken_at IS NULL
            AND repository NOT IN (SELECT repository FROM agenda WHERE taken_at IS NOT NULL)
        ) WHERE place = 1 ORDER BY due, id LIMIT :candidates
        """,
        {"now": micros(now), "candidates": CANDIDATES},
    ).fetchall()
    rows.sort(key=lambda row: served.get(row[2].lower(), 0))  # stable: else the earlier due goes first
    found = [
        Taken(row, Subject(installation, repository, what), why, attempts, faults)
        for row, installation, repository, what, why, attempts, faults in rows[:limit]
    ]
    for one in found:
        # ``due`` is emptied: what is asked for from here on is another look.
        connection.execute("UPDATE agenda SET taken_at = ?, due = NULL WHERE id = ?", (micros(now), one.row))
    return found


def finish(connection: sqlite3.Connection, taken: Taken, *, again: datetime | None) -> None:
    """Record that a look is done, and when to look again unless somebody asked for an earlier time."""
    due = None if again is None else micros(again)
    connection.execute(
        """
        UPDATE agenda SET taken_at = NULL, attempts = 0, faults = 0, crashes = 0, not_before = 0,
            last_error = NULL,
            why = CASE WHEN :due IS NULL THEN why WHEN due IS NULL THEN 'timer' ELSE 'several' END,
            due = CASE WHEN due IS NULL THEN :due WHEN :due IS NULL THEN due ELSE min(due, :due) END
        WHERE id = :row
        """,
        {"due": due, "row": taken.row},
    )
    connection.execute("DELETE FROM agenda WHERE id = ? AND due IS NULL", (taken.row,))


def postpone(
    connection: sqlite3.Connection, taken: Taken, *, until: datetime, strictly: bool, error: str
) -> None:
    """Record that something outside did not answer.

    With ``strictly``, because the other side named a time, not even a new hint leads to an earlier look.
    """
    connection.execute(
        "UPDATE agenda SET taken_at = NULL, why = 'retry', attempts = attempts + 1, due = ?, not_before = ?, "
        "last_error = ? "
        "WHERE id = ?",
        (micros(until), micros(until) if strictly else 0, error, taken.row),
    )


def fault(
    connection: sqlite3.Connection, taken: Taken, *, now: datetime, until: datetime, error: str
) -> bool:
    """Record an error of ours; give whether the subject is given up.

    A hint that came during the look is no reason for another try of what was just given up.
    """
    is_dead = taken.faults + 1 >= MOST_FAULTS
    connection.execute(
        "UPDATE agenda SET taken_at = NULL, why = 'retry', faults = faults + 1, due = ?, dead_at = ?, "
        "last_error = ? "
        "WHERE id = ?",
        (None if is_dead else micros(until), micros(now) if is_dead else None, error, taken.row),
    )
    return is_dead


def recover(connection: sqlite3.Connection, *, now: datetime) -> int:
    """Make every look that the last process did not finish due again; give their number."""
    cursor = connection.execute(
        """
        UPDATE agenda SET taken_at = NULL, why = 'retry', crashes = crashes + 1,
            due = CASE WHEN crashes + 1 >= :most THEN NULL ELSE :now END,
            dead_at = CASE WHEN crashes + 1 >= :most THEN :now END,
            last_error = 'the process ended during the look'
        WHERE taken_at IS NOT NULL
        """,
        {"now": micros(now), "most": MOST_CRASHES},
    )
    return cursor.rowcount


def is_quiet(connection: sqlite3.Connection, *, now: datetime) -> bool:
    """Give whether nothing waits, nothing is due and nothing is under way."""
    (busy,) = connection.execute(
        """
        SELECT EXISTS (SELECT 1 FROM deliveries WHERE routed_at IS NULL)
            OR EXISTS (SELECT 1 FROM agenda WHERE taken_at IS NOT NULL)
            OR EXISTS (SELECT 1 FROM agenda WHERE due <= :now AND not_before <= :now)
        """,
        {"now": micros(now)},
    ).fetchone()
    return not busy


def dead(connection: sqlite3.Connection) -> tuple[Dead, ...]:
    """Give the subjects that were given up, the latest first."""
    rows = connection.execute(
        "SELECT installation, repository, what, why, last_error, dead_at FROM agenda "
        "WHERE dead_at IS NOT NULL ORDER BY dead_at DESC, id DESC"
    )
    return tuple(Dead(Subject(*row[:3]), row[3], row[4] or "", moment(row[5])) for row in rows)


def prune(connection: sqlite3.Connection, *, before: datetime) -> int:
    """Forget deliveries that were routed and received before a time; give their number."""
    cursor = connection.execute(
        "DELETE FROM deliveries WHERE routed_at IS NOT NULL AND received_at < ?", (micros(before),)
    )
    return cursor.rowcount
