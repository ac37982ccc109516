"""Commands that serve until they are stopped, as processes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import httpx

from tests.entry.working import ROOT, isolated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRIES = 200  # requests until an answer of the bot is on the page
LAST_LINE = "Ctrl-C stops."


@dataclass(slots=True)
class Serving:
    """A process that says where its page is and waits."""

    process: subprocess.Popen[str]
    scratch: Path
    welcome: str = ""
    err: str = ""

    def read_until(self, text: str) -> str:
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line)
            if text in line:
                return "".join(lines)
        raise AssertionError(f"ended with {self.process.wait(10)}: {''.join(lines)}{self._rest()}")

    @property
    def url(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+/\S+", self.welcome)
        assert found is not None, self.welcome
        return found[0]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        _, self.err = self.process.communicate(timeout=90)
        return self.process.returncode

    def left_over(self) -> list[str]:
        return sorted(path.name for path in self.scratch.iterdir())

    def _rest(self) -> str:
        return self.process.stderr.read() if self.process.stderr is not None else ""


@contextmanager
def started(scratch: Path, *arguments: str, until: str = LAST_LINE) -> Iterator[Serving]:
    """Start ``python ARGUMENTS``, its temporary files in ``scratch``, and read until a text is printed."""
    scratch.mkdir(exist_ok=True)
    environment = isolated(scratch.parent) | {
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "TMPDIR": str(scratch),
    }
    with subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        cwd=scratch,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        serving = Serving(process, scratch)
        try:
            serving.welcome = serving.read_until(until)
            yield serving
        finally:
            if process.poll() is None:
                process.kill()


class Visitor:
    """Somebody at the page, without a browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(follow_redirects=True, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def page(self) -> str:
        answer = self._http.get(self.url)
        assert answer.status_code == 200
        return answer.text

    def _post(self, url: str, **fields: str) -> None:
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', self.page())
        assert token is not None
        answer = self._http.post(url, data={"csrf": token[1], **fields})
        assert answer.status_code == 200

    def be(self, login: str) -> None:
        self._post(str(httpx.URL(self.url).join("/-/user")), login=login, back="/")

    def say(self, text: str) -> None:
        self._post(f"{self.url}/comment", body=text, action="comment")

    def wait_for(self, text: str) -> str:
        for _ in range(TRIES):
            page = self.page()
            if text in page:
                return page
        raise AssertionError(f"no {text!r} on {self.url}")
