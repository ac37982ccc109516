"""The file: one process, whole transactions, clear words when it cannot be used, and no loss when killed."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.engine import SqliteEngine
from bot.adapters.ledger import SCHEMA_VERSION, Ledger, StoreUnusable
from bot.core.problems import OutsideFailure
from bot.ports import Delivery
from tests.adapters.payloads import comment_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

PATIENCE = 10.0  # seconds of the machine
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "canary.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    ledger = Ledger(path)
    yield ledger
    ledger.close()


def delivery(number: int, body: bytes | None = None) -> Delivery:
    return Delivery(f"guid-{number}", "issue_comment", body or comment_on(number), SystemClock().now())


def guids(connection: sqlite3.Connection) -> list[str]:
    return [guid for (guid,) in connection.execute("SELECT guid FROM deliveries ORDER BY id")]


def insert(connection: sqlite3.Connection, guid: str) -> None:
    connection.execute(
        "INSERT INTO deliveries (guid, event, body, received_at) VALUES (?, 'x', x'', 0)", (guid,)
    )


def request_insert(ledger: Ledger, guid: str) -> Future[None]:
    return ledger.request(lambda connection: insert(connection, guid))


class TestUnusable:
    """A file that cannot be used is a reason not to start, told in words."""

    def test_by_another_engine(self, path: Path, ledger: Ledger) -> None:
        with pytest.raises(StoreUnusable, match="in use by another process") as refusal:
            Ledger(path)
        assert "CANARY_DATABASE" in str(refusal.value)
        ledger.do(lambda connection: insert(connection, "still works"), seconds=PATIENCE)

    def test_by_another_process(self, path: Path, ledger: Ledger) -> None:
        ledger.do(guids, seconds=PATIENCE)
        code = "import sys, pathlib, bot.adapters.ledger as l; l.Ledger(pathlib.Path(sys.argv[1]))"
        other = subprocess.run(
            [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert other.returncode == 1
        assert "StoreUnusable" in other.stderr
        assert "in use by another process" in other.stderr

    def test_free_after_closing(self, path: Path) -> None:
        for _ in range(3):
            Ledger(path).close()

    def test_something_else(self, path: Path) -> None:
        path.write_bytes(b"certainly no database, but long enough to be looked at" * 100)
        with pytest.raises(StoreUnusable, match="not a whole SQLite database"):
            Ledger(path)

    def test_a_newer_schema(self, path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        connection.close()
        with pytest.raises(StoreUnusable, match="newer canary-bot"):
            Ledger(path)

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnusable, match="CANARY_DATABASE"):
            Ledger(tmp_path / "nowhere" / "canary.sqlite3")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnusable, match="cannot be opened"):
            Ledger(tmp_path)


class TestTransactions:
    """Requests that come together share a commit, and nothing else."""

    def test_an_error_undoes_only_its_own_request(self, ledger: Ledger) -> None:
        gate = threading.Event()

        def broken(connection: sqlite3.Connection) -> None:
            insert(connection, "undone")
            raise KeyError("x")

        first = ledger.request(lambda _connection: gate.wait(PATIENCE))
        good = [request_insert(ledger, f"good {n}") for n in range(3)]
        bad = ledger.request(broken)
        twice = request_insert(ledger, "good 1")
        last = request_insert(ledger, "good 3")
        gate.set()
        first.result(PATIENCE)
        for future in (*good, last):
            future.result(PATIENCE)
        with pytest.raises(KeyError):
            bad.result(PATIENCE)
        with pytest.raises(sqlite3.IntegrityError):
            twice.result(PATIENCE)
        assert ledger.do(guids, seconds=PATIENCE) == ["good 0", "good 1", "good 2", "good 3"]

    def test_who_waits_together_shares_a_commit(self, ledger: Ledger) -> None:
        commits = 0

        def count(statement: str) -> None:
            nonlocal commits
            commits += statement.startswith("COMMIT")

        ledger.do(lambda connection: connection.set_trace_callback(count), seconds=PATIENCE)
        gate = threading.Event()
        ledger.request(lambda _connection: gate.wait(PATIENCE))
        futures = [request_insert(ledger, str(n)) for n in range(100)]
        gate.set()
        for future in futures:
            future.result(PATIENCE)
        ledger.do(lambda connection: connection.set_trace_callback(None), seconds=PATIENCE)
        assert len(ledger.do(guids, seconds=PATIENCE)) == 100
        assert commits <= 4

    def test_settings_that_a_power_cut_asks_for(self, ledger: Ledger) -> None:
        def pragma(name: str) -> object:
            return ledger.do(lambda c: c.execute(f"PRAGMA {name}").fetchone()[0], seconds=PATIENCE)

        assert (pragma("journal_mode"), pragma("synchronous")) == ("wal", 2)  # 2 is FULL

    def test_for_nobody_else_to_read(self, ledger: Ledger, path: Path) -> None:
        request_insert(ledger, "x").result(PATIENCE)
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert modes == {path.name: 0o600, f"{path.name}-wal": 0o600}

    def test_nobody_waits_for_ever(self, ledger: Ledger) -> None:
        gate = threading.Event()
        ledger.request(lambda _connection: gate.wait(PATIENCE))
        with pytest.raises(OutsideFailure, match="in time"):
            ledger.do(guids, seconds=0.01)
        gate.set()

    def test_closed(self, path: Path) -> None:
        ledger = Ledger(path)
        ledger.close()
        ledger.close()
        with pytest.raises(OutsideFailure, match="closed"):
            ledger.do(guids, seconds=PATIENCE)


class TestFullDisk:
    """A full disk is told to whoever wanted to write, and is over when there is room again."""

    def test_delivery_is_refused_and_the_next_one_taken(self, path: Path) -> None:
        with SqliteEngine(path, SystemClock()) as engine:

            def allow(pages: int) -> None:
                # SQLite's own limit gives the same error as the disk, at the same places.
                engine._ledger.do(lambda c: c.execute(f"PRAGMA max_page_count = {pages}"), seconds=PATIENCE)

            allow(1)  # as few as there are now
            with pytest.raises(OutsideFailure, match="full"):
                engine.store(delivery(1, b"x" * 500_000))
            assert engine.is_well()  # what is small still fits
            allow(1_000_000)
            engine.store(delivery(2))
            assert engine._ledger.do(guids, seconds=PATIENCE) == ["guid-2"]

    def test_not_well_when_nothing_can_be_written(self, path: Path) -> None:
        with SqliteEngine(path, SystemClock()) as engine:
            assert engine.is_well()
            engine._ledger.do(lambda c: c.execute("PRAGMA query_only = ON"), seconds=PATIENCE)
            assert not engine.is_well()
            engine._ledger.do(lambda c: c.execute("PRAGMA query_only = OFF"), seconds=PATIENCE)
            assert engine.is_well()


class TestKilled:
    """Killed at any moment and started again: every delivery is looked at, and none that was finished again."""

    COUNT = 400
    KILLS = 6

    def test_kill_9(self, path: Path, tmp_path: Path) -> None:
        seed = random.randrange(2**32)
        print(f"seed {seed}")  # noqa: T201 - shown when the test fails
        dice = random.Random(seed)
        log = tmp_path / "log"
        log.touch()
        finished: dict[int, int] = {}  # delivery -> the run at whose end it was finished
        for run in range(1, self.KILLS + 1):
            self._one_run(path, log, run, kill_after=dice.randrange(10, 120))
            for number in self._finished(path, tmp_path):
                finished.setdefault(number, run)
        self._one_run(path, log, self.KILLS + 1, kill_after=None)

        lines = [line.split() for line in log.read_text("ascii").splitlines()]
        stored = [int(line[1]) for line in lines if line[0] == "stored"]
        looked = [(int(line[1]), int(line[2])) for line in lines if line[0] == "look"]
        assert len(set(stored)) == self.COUNT
        assert {number for number, _ in looked} == set(stored)  # nothing lost
        again = [(number, run) for number, run in looked if run > finished.get(number, run)]
        assert again == []  # nothing twice once its end was recorded
        # What was under way when the process ended, four looks at most, is repeated; nothing else.
        assert len(looked) - self.COUNT <= 4 * self.KILLS
        assert finished

    def _one_run(self, path: Path, log: Path, run: int, *, kill_after: int | None) -> None:
        before = log.read_bytes().count(b"\n")
        arguments = [str(path), str(log), str(run), str(self.COUNT)]
        child = subprocess.Popen([sys.executable, "-m", "tests.adapters.engine_child", *arguments], cwd=ROOT)
        if kill_after is None:
            assert child.wait(60) == 0
            return
        for _ in range(20_000):
            if child.poll() is not None or log.read_bytes().count(b"\n") >= before + kill_after:
                break
            threading.Event().wait(0.001)
        child.kill()
        assert child.wait(100) == -signal.SIGKILL  # it had not come to its end

    def _finished(self, path: Path, tmp_path: Path) -> list[int]:
        """Give the deliveries that are routed and have nothing left to be done, from a copy of the file."""
        copy = tmp_path / "copy"
        copy.mkdir(exist_ok=True)
        for name in (path.name, f"{path.name}-wal"):
            if path.with_name(name).exists():
                shutil.copy(path.with_name(name), copy / name)
        connection = sqlite3.connect(copy / path.name)
        found = connection.execute(
            "SELECT replace(guid, 'guid-', '') FROM deliveries WHERE routed_at IS NOT NULL "
            "AND replace(guid, 'guid-', 'pull/') NOT IN (SELECT what FROM agenda)"
        ).fetchall()
        connection.close()
        return [int(number) for (number,) in found]
