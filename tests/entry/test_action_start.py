"""A comment that is conversation costs the Action no import but Python's own and ours.

How long that takes is measured by ``python -m tests.benchmarks.action_start``; no test waits on a clock.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "github",
    "requests",
    "ruamel",
    "pydantic",
    "cryptography",
    "typer",
    "markdown_it",
    "structlog",
    "jwt",
}
PROGRAMS = pytest.mark.parametrize("program", [("bot.entry.action.filter",), ("bot", "action")], ids=" ".join)


def started(
    folder: Path, program: tuple[str, ...], *options: str, body: str = "Looks good to me."
) -> subprocess.CompletedProcess[str]:
    user = {"id": 7, "login": "mona", "type": "User"}
    event = {
        "action": "created",
        "repository": {"id": 3, "full_name": "acme/shop"},
        "issue": {"number": 1, "pull_request": {"url": ""}},
        "comment": {"id": 5, "body": body, "user": user},
    }
    (folder / "event.json").write_text(json.dumps(event))
    environ = {
        "GITHUB_EVENT_NAME": "issue_comment",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_OUTPUT": str(folder / "output"),
    }
    words = [sys.executable, *options, "-m", *program]
    return subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def imported(said: str) -> set[str]:
    """Give the top-level packages of what ``-X importtime`` printed."""
    return {
        name.split(".")[0]
        for name in re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", said, re.MULTILINE)
    }


@PROGRAMS
def test_conversation_imports_nothing_heavy(tmp_path: Path, program: tuple[str, ...]) -> None:
    done = started(tmp_path, program, "-X", "importtime")
    assert done.returncode == 0, done.stderr
    assert {"bot", "json"} <= imported(done.stderr)
    assert not imported(done.stderr) & HEAVY


@PROGRAMS
def test_conversation_needs_no_package(tmp_path: Path, program: tuple[str, ...]) -> None:
    """Without the folder of installed packages on the path, as on a runner before anything is installed."""
    done = started(tmp_path, program, "-S", "-E", "-s")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "The comment is conversation.\n"


def test_the_filter_needs_no_package_for_a_command_either(tmp_path: Path) -> None:
    done = started(tmp_path, ("bot.entry.action.filter",), "-S", "-E", "-s", body="/canary 25")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "output").read_text() == "work=true\n"


def test_the_names_are_those_that_work_imports(tmp_path: Path) -> None:
    """A name that nothing imports would make the first test pass for ever."""
    del tmp_path
    words = [
        sys.executable,
        "-X",
        "importtime",
        "-c",
        "import bot.entry.action.run, bot.entry.cli, bot.entry.logs",
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert imported(done.stderr) >= HEAVY
