"""One SQLite file, written by one thread of one process, many requests to a commit.

A request that writes is answered after its transaction is on disk (WAL, ``synchronous=FULL``:
a power cut takes nothing that was answered). While one commit waits for the disk, the next
requests gather and share the following one: group commit keeps slow disks fast enough.
Source: SQLite, "Write-Ahead Logging", "PRAGMA synchronous", "PRAGMA locking_mode".
"""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from bot.core.problems import OutsideFailure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger(__name__)

T = TypeVar("T")
_Request: TypeAlias = "tuple[Callable[[sqlite3.Connection], Any], Future[Any]]"

LARGEST_BATCH = 200  # requests in one transaction
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY,             -- order of arrival
    guid TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    body BLOB NOT NULL,                 -- emptied when routed
    received_at INTEGER NOT NULL,       -- this and every time: microseconds since 1970, UTC
    routed_at INTEGER,
    error TEXT                          -- why nothing could be made of it
);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (id) WHERE routed_at IS NULL;
CREATE TABLE IF NOT EXISTS agenda (
    id INTEGER PRIMARY KEY,
    installation INTEGER NOT NULL,
    repository TEXT NOT NULL COLLATE NOCASE,
    what TEXT NOT NULL,
    due INTEGER,                        -- the next look; none is asked for while NULL
    why TEXT NOT NULL,
    taken_at INTEGER,                   -- a look is under way
    attempts INTEGER NOT NULL DEFAULT 0,  -- looks in a row that something outside did not answer
    faults INTEGER NOT NULL DEFAULT 0,    -- looks in a row that ended in an error of the bot
    crashes INTEGER NOT NULL DEFAULT 0,   -- looks in a row during which the process ended
    not_before INTEGER NOT NULL DEFAULT 0,  -- the time that the other side named, for any look
    last_error TEXT,
    dead_at INTEGER,                    -- given up until somebody asks again
    UNIQUE (installation, repository, what)
);
CREATE INDEX IF NOT EXISTS agenda_due ON agenda (due) WHERE due IS NOT NULL AND taken_at IS NULL;
"""


def touch(connection: sqlite3.Connection) -> None:
    """Write what is written already: the smallest proof that the file can be written."""
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


class StoreUnusable(Exception):  # noqa: N818 - a reason not to start, in words
    """The SQLite file cannot be used; the message says why and what to do."""


class Ledger:
    """The file and its one thread. Safe to share between threads.

    Raises:
        StoreUnusable: Another process has the file, it is no database of ours, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._connection = self._open()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    def _open(self) -> sqlite3.Connection:
        shown = repr(str(self._path))
        try:
            # Payloads of private repositories lie in it: for nobody else on the machine to read.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            # The connection is made here, where an error can be told, and used by one thread only.
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnusable(
                f"The database {shown} cannot be opened ({error}). "
                "Set CANARY_DATABASE to a file in a folder that exists and can be written."
            ) from error
        try:
            # Locked before the first read: a second process is refused, and no shared memory is needed.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN EXCLUSIVE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("COMMIT")
            if version <= SCHEMA_VERSION:
                connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        except sqlite3.Error as error:
            connection.close()
            raise StoreUnusable(self._reason(error)) from error
        if version > SCHEMA_VERSION:
            connection.close()
            raise StoreUnusable(
                f"The database {shown} was written by a newer canary-bot (schema {version}, this is "
                f"{SCHEMA_VERSION}). Start that one, or move the file away: its content is found again "
                "on GitHub, in one sweep."
            )
        return connection

    def _reason(self, error: sqlite3.Error) -> str:
        shown = repr(str(self._path))
        kind = error.sqlite_errorcode & 0xFF  # the primary result code
        if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return (
                f"The database {shown} is in use by another process. Only one canary-bot can work on a "
                "file: stop the other one, or set CANARY_DATABASE to another file."
            )
        if kind in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            return (
                f"{shown} is not a whole SQLite database. Move it away: its content is found again on "
                "GitHub, in one sweep."
            )
        return f"The database {shown} cannot be written ({error}). Check permissions and free space."

    def request(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Have ``work`` done in the next transaction; the answer comes when that is on disk.

        An error of ``work`` undoes what it wrote and no other request's.
        """
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                future.set_exception(OutsideFailure("the store is closed"))
            else:
                self._requests.put((work, future))
        return future

    def do(self, work: Callable[[sqlite3.Connection], T], *, seconds: float) -> T:
        """As ``request``, and wait for the answer.

        Raises:
            OutsideFailure: There was no answer in time, or the file could not be written. After a
                time-out the work may still be done.
        """
        try:
            return self.request(work).result(seconds)
        except FutureTimeoutError as error:
            raise OutsideFailure("the store did not answer in time") from error
        except sqlite3.Error as error:
            raise OutsideFailure(f"the store could not be written: {error}") from error

    def close(self) -> None:
        """Finish what was requested, and let go of the file."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._requests.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            going = True
            while going:
                batch = self._gather()
                going = batch[-1] is not None
                self._transact([request for request in batch if request is not None])
        finally:
            self._connection.close()

    def _gather(self) -> list[_Request | None]:
        batch = [self._requests.get()]
        while batch[-1] is not None and len(batch) < LARGEST_BATCH:
            try:
                batch.append(self._requests.get_nowait())
            except queue.Empty:
                break
        return batch

    def _transact(self, batch: list[_Request]) -> None:
        connection = self._connection
        try:
            # Deferred: a batch that only reads takes no write lock and waits for no disk.
            connection.execute("BEGIN")
            answers = [self._one(work) for work, _ in batch]
            connection.execute("COMMIT")
        except Exception as error:
            # Nothing of the batch is on disk: nobody may be told that it is. The thread goes on.
            logger.exception("store-failed")
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            answers = [(None, error)] * len(batch)
        for (_, future), (result, problem) in zip(batch, answers, strict=True):
            if problem is None:
                future.set_result(result)
            else:
                future.set_exception(problem)

    def _one(self, work: Callable[[sqlite3.Connection], Any]) -> tuple[Any, Exception | None]:
        connection = self._connection
        connection.execute("SAVEPOINT one")
        try:
            result = work(connection)
        except Exception as error:
            if not connection.in_transaction:
                raise  # the disk is full, or worse: SQLite itself has undone the whole batch
            connection.execute("ROLLBACK TO one")
            connection.execute("RELEASE one")
            return None, error
        connection.execute("RELEASE one")
        return result, None
