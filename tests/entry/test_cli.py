"""The frame of the command line: its commands, its exit statuses, what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.entry.working import CUSTOMER, ROOT, Working, isolated, process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.conftest import Prompt

DOORS = (
    "comment",
    "plan",
    "traffic",
    "check",
    "migrate",
    "serve",
    "demo",
    "sandbox",
    "app-manifest",
    "doctor",
    "rules",
    "audit",
    "version",
)
HEAVY = ("github", "fastapi", "uvicorn", "pydantic", "rich", "ruamel", "markdown_it", "structlog", "jinja2")


class TestHelp:
    """``canary --help`` names every command and imports nothing heavy."""

    def test_every_command_is_named(self, canary: Prompt, tmp_path: Path) -> None:
        ran = canary("--help", folder=tmp_path)

        assert ran.status == 0
        assert all(f"  {name}" in ran.out for name in DOORS)

    @pytest.mark.parametrize("name", DOORS)
    def test_of_each_command(self, name: str, canary: Prompt, tmp_path: Path) -> None:
        ran = canary(name, "--help", folder=tmp_path)

        assert (ran.status, ran.err) == (0, "")
        assert ran.out.startswith(f"Usage: canary {name}")

    def test_no_heavy_module_is_imported(self, tmp_path: Path) -> None:
        script = (
            "import sys, json\n"
            "from bot.entry.cli import main\n"
            "status = main(['--help'])\n"
            "print(json.dumps([status, sorted(m.partition('.')[0] for m in sys.modules)]), file=sys.stderr)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=isolated(tmp_path) | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            text=True,
        )
        status, modules = json.loads(done.stderr)

        assert status == 0
        assert not set(modules) & set(HEAVY)

    def test_a_comment_speaks_with_no_server(self, working: Working) -> None:
        script = (
            "import sys\n"
            "from bot.entry.cli import main\n"
            "main(['comment', '/canary 25', '--json'])\n"
            "print(*sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=working.folder,
            env=working.environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            text=True,
        )

        assert json.loads(done.stdout)["code"] == "applied"
        assert not set(done.stderr.split()) & {"github", "fastapi", "uvicorn", "requests", "httpx", "sqlite3"}


class TestUsage:
    """What is typed wrongly is told on standard error, with exit status 2."""

    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(["canary-in-a-coal-mine"], id="no such command"),
            pytest.param(["comment"], id="no text"),
            pytest.param(["comment", "/canary 25", "--what"], id="no such option"),
            pytest.param(["demo", "--port", "70000"], id="no such port"),
            pytest.param(["app-manifest", "--webhook-url", "nowhere"], id="no address"),
            pytest.param(["app-manifest", "--name", "x" * 35], id="name too long"),
        ],
    )
    def test_wrong_arguments(self, arguments: list[str], canary: Prompt, tmp_path: Path) -> None:
        ran = canary(*arguments, folder=tmp_path)

        assert (ran.status, ran.out) == (2, "")
        assert ran.err

    def test_serve_without_settings_names_each(self, canary: Prompt, tmp_path: Path) -> None:
        ran = canary("serve", folder=tmp_path)

        assert (ran.status, ran.out) == (2, "")
        assert "CANARY_APP_ID is missing" in ran.err
        assert "CANARY_WEBHOOK_SECRET is missing" in ran.err
        assert "Traceback" not in ran.err


class TestVersion:
    """Both spellings give the same line."""

    def test_both_spellings(self, canary: Prompt, tmp_path: Path) -> None:
        option, command = canary("--version", folder=tmp_path), canary("version", folder=tmp_path)

        assert option == command
        assert option.status == 0
        assert option.out.startswith("canary-bot")


def test_the_app_manifest_is_json(canary: Prompt, tmp_path: Path) -> None:
    ran = canary("app-manifest", "--name", "my-canary", folder=tmp_path)

    assert ran.status == 0
    assert ran.json["name"] == "my-canary"
    assert ran.json["default_permissions"]["contents"] == "write"


class TestEnds:
    """No end of a command shows a stack trace."""

    def test_an_unknown_error_is_one_line(
        self, canary: Prompt, working: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.entry.comment_command.run", _raise(RuntimeError("line one\nline two")))
        ran = canary("comment", "/canary 25", folder=working.folder)

        assert (ran.status, ran.out) == (1, "")
        assert ran.err == (
            "canary: this is a bug: RuntimeError: line one line two (CANARY_DEBUG=1 shows where)\n"
        )

    def test_with_canary_debug_it_is_raised(
        self, canary: Prompt, working: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.entry.comment_command.run", _raise(RuntimeError("where")))
        monkeypatch.setenv("CANARY_DEBUG", "1")

        with pytest.raises(RuntimeError, match="where"):
            canary("comment", "/canary 25", folder=working.folder)

    def test_interrupted(self, canary: Prompt, working: Working, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bot.entry.comment_command.run", _raise(KeyboardInterrupt()))

        assert canary("comment", "/canary 25", folder=working.folder).status == 130

    @pytest.mark.parametrize("arguments", [["--help"], ["comment", "/canary 25"]], ids=["help", "comment"])
    def test_a_reader_that_went_away(self, arguments: list[str], working: Working) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "bot", *arguments],
                cwd=working.folder,
                env=working.environment | {"PYTHONPATH": str(ROOT)},
                stdout=writer,
                stderr=subprocess.PIPE,
                check=False,
                text=True,
            )
        finally:
            os.close(writer)

        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr

    def test_a_terminal_without_our_characters(self, working: Working) -> None:
        environment = working.environment | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "bot", "comment", "/canary 25"],
            cwd=working.folder,
            env=environment,
            capture_output=True,
            check=False,
        )

        assert done.returncode == 0
        assert b"\\u2588" in done.stdout

    def test_as_a_module(self, tmp_path: Path) -> None:
        (tmp_path / "customer.yaml").write_text(CUSTOMER, encoding="utf-8")
        done = process(tmp_path, "comment", "/canary 25 stable=customer-v2", "customer.yaml")

        assert done.returncode == 0
        assert "+  - revisionName: customer-v2" in done.stdout


def _raise(error: BaseException) -> object:
    def run(*_: object, **__: object) -> int:
        raise error

    return run
