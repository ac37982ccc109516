"""What the tests of the entries share."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bot.entry import cli
from tests.entry.working import CUSTOMER, NEXT, Working, isolated

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Prompt:
    """Types commands in a folder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, folder: Path) -> Ran:
        self._monkeypatch.chdir(folder)
        self._capsys.readouterr()
        status = cli.main(list(arguments))
        said = self._capsys.readouterr()
        return Ran(status, said.out, said.err)


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Prompt:
    """The command line in this process, with nobody's git configuration."""
    for key in [k for k in os.environ if k.startswith(("GIT_", "CANARY_"))]:
        monkeypatch.delenv(key)
    for key, value in isolated(tmp_path).items():
        monkeypatch.setenv(key, value)
    return Prompt(monkeypatch, capsys)


@pytest.fixture
def working(tmp_path: Path) -> Working:
    """A repository whose working tree brings customer-v4, not committed yet."""
    repository = Working(tmp_path / "shop")
    repository.commit("First", customer__yaml=CUSTOMER)
    repository.put("customer.yaml", NEXT)
    return repository
