"""A process that stores deliveries and works on them, to be killed: ``python -m tests.adapters.engine_child``.

Arguments: the SQLite file, the log, the number of this run, how many deliveries there are. The log gets a
line ``stored N`` after each delivery that was stored, and ``look N RUN`` at the beginning of each look.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from bot.adapters.clock import SystemClock
from bot.adapters.engine import SqliteEngine
from bot.ports import Delivery
from tests.adapters.payloads import comment_on

if TYPE_CHECKING:
    from bot.core.subject import Subject


def main(path: str, log: str, run: str, count: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    written = Path(log).read_text("ascii").splitlines()
    stored = {int(line.split()[1]) for line in written if line.startswith("stored")}
    clock = SystemClock()

    def look(subject: Subject, _why: str) -> None:
        os.write(out, f"look {subject.what.removeprefix('pull/')} {run}\n".encode())

    with SqliteEngine(Path(path), clock) as engine:
        stop = threading.Event()
        worker = threading.Thread(target=engine.run, args=(look, stop))
        worker.start()
        for number in range(1, int(count) + 1):
            if number not in stored:
                body = comment_on(number, repository=f"shop/r{number % 5}")
                engine.store(Delivery(f"guid-{number}", "issue_comment", body, clock.now()))
                os.write(out, f"stored {number}\n".encode())
        assert engine.idle(60)
        stop.set()
        worker.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
