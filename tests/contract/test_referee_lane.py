"""The referee in whole runs of pytest: it fails what it must, is never silently off, and brings its table home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.contract.heard import heard
from tests.contract.lane import verdict
from tests.contract.packages import needed
from tests.contract.recorder import Recorder
from tests.contract.referee import referee
from tests.contract.tally import REST, WEBHOOKS, Tally

ROOT = Path(__file__).parents[2]
ONE = "tests/scenarios/test_start.py::test_no_new_revision"


def run(*words: str, without: bool = False, folder: Path, ci: bool = False) -> tuple[int, str]:
    """Run one scenario in a process of its own; ``without`` the packages and the client that fetches them."""
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    if ci:
        environment["CI"] = "true"
    if without:
        git = shutil.which("git")
        assert git is not None
        (folder / "git").symlink_to(git)
        environment |= {"PATH": str(folder), "CANARY_TEST_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, ONE]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=110
    )
    return done.returncode, done.stdout + done.stderr


def test_the_table_comes_home_from_a_worker(tmp_path: Path) -> None:
    needed(referee)
    code, said = run("-n", "1", folder=tmp_path)

    assert code == 0, said
    assert "POST /repos/{owner}/{repo}/issues/{issue_number}/comments  201:" in said
    assert "requests, 0 violations" in said
    assert "payloads, 0 violations" in said
    assert "GraphQL: 0 operations, 0 documents, 0 violations" in said


def test_where_the_descriptions_cannot_be_had_the_run_says_why(tmp_path: Path) -> None:
    code, said = run("-n", "1", without=True, folder=tmp_path)

    assert code == 0, said
    assert "OFF: npm is not on this machine" in said


def test_in_ci_the_run_fails_then(tmp_path: Path) -> None:
    code, said = run("-n", "0", without=True, ci=True, folder=tmp_path)

    assert code == 1, said
    assert "CI must have it: npm is not on this machine" in said


def test_violations_are_told_and_counted() -> None:
    needed(referee)
    recorder, tally = Recorder(), Tally()
    good = heard().exchanges["pull"]
    for exchange in (good, replace(good, query="step=1"), replace(good, query="step=1")):
        recorder.hear(exchange)

    assert verdict(recorder, tally) == [
        "GET /repos/{owner}/{repo}/pulls/{pull_number}: query: step is not documented (2x)"
    ]
    assert tally.seen[REST, "GET /repos/{owner}/{repo}/pulls/{pull_number}", "200"] == 3
    assert tally.violations[REST, "GET /repos/{owner}/{repo}/pulls/{pull_number}"] == 2
    assert not any(lane == WEBHOOKS for lane, _, _ in tally.seen)
    assert verdict(recorder, tally) == []
