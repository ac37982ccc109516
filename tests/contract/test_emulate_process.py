"""The emulator as a process: started, stopped by its own id whatever happens, and heard when it fails."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from tests.contract import emulate_process as process
from tests.contract.emulate_peer import HERE, peer
from tests.contract.emulate_run import Evidence, Run
from tests.contract.emulate_wire import send

NOWHERE = "http://127.0.0.1:9"


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_serves_under_the_address_that_it_was_told(tmp_path: Path) -> None:
    with process.emulator(tmp_path, webhook_url=NOWHERE, public_url="http://127.0.0.1:8") as run:
        assert is_there(run.pid)
        assert send(run.port, "GET", HERE).data["url"] == f"http://127.0.0.1:8{HERE}"
    assert not is_there(run.pid)


def test_stopped_also_when_a_test_fails(tmp_path: Path) -> None:
    pid = 0

    def fail() -> None:
        nonlocal pid
        with process.emulator(tmp_path, webhook_url=NOWHERE, public_url=NOWHERE) as run:
            pid = run.pid
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert pid
    assert not is_there(pid)


def test_says_why_it_did_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        tried: list[int] = []

        def port() -> int:
            tried.append(int(taken.getsockname()[1]))
            return tried[-1]

        monkeypatch.setattr(process, "_free_port", port)
        with (
            pytest.raises(RuntimeError, match=r"did not start:\s(?s:.*)EADDRINUSE"),
            process.emulator(tmp_path, webhook_url=NOWHERE, public_url=NOWHERE),
        ):
            pass  # pragma: no cover
    assert len(tried) == process.ATTEMPTS


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process runs")
def test_started_as_the_binary_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is called ``node`` may start Node as another process, and would leave it behind when stopped."""
    real = process.binary()
    wrapper = tmp_path / "node"
    wrapper.write_text(f'#!/bin/sh\n"{real}" "$@"\nexit $?\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(process, "node", lambda: wrapper)
    process.binary.cache_clear()
    with process.emulator(tmp_path, webhook_url=NOWHERE, public_url=NOWHERE) as run:
        assert Path(f"/proc/{run.pid}/exe").samefile(real)


def test_a_wrong_request_would_be_seen(tmp_path: Path) -> None:
    """The figure 0 is of a judge that looks: what the bot never sends is a violation."""
    with peer(tmp_path, mended=False) as played:
        assert send(played.proxy.port, "GET", f"{HERE}/pulls?state=blue").status == 200
        assert send(played.proxy.port, "POST", f"{HERE}/pulls", body=b'{"titel": "t"}').status == 401
        assert send(played.proxy.port, "GET", f"{HERE}/pull/1").status == 404
    run = Run()
    run.take(Evidence.of(played))
    assert sorted({violation.kind for violation in run.requests}) == ["path", "query", "request"]
