"""What ``action.yml`` runs: its own scripts, in the shell that a runner uses, and the lock they install from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bot.entry.action.files import OUTPUTS
from tests.contract.action_docs import PAGE, filled

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
FILTER, PYTHON, PACKAGES, RUN = STEPS
LOCK = (ROOT / ".github" / "action" / "requirements.txt").read_text("utf-8")
CHAT, COMMAND = "Looks good to me.", "/canary 25"


class TestFacts:
    def test_the_outputs_are_the_programs(self) -> None:
        mapped = {name: output["value"] for name, output in ACTION["outputs"].items()}
        wanted = {name: f"${{{{ steps.run.outputs.{name} }}}}" for name in OUTPUTS}
        # Where the filter found no work the program did not run.
        wanted["decision"] = "${{ steps.run.outputs.decision || 'none' }}"
        assert mapped == wanted

    def test_everything_but_the_filter_waits_for_work(self) -> None:
        conditions = [step.get("if") for step in STEPS.values()]
        assert conditions == [None, *["steps.filter.outputs.work == 'true'"] * 3]

    def test_no_expression_in_a_script(self) -> None:
        assert not [name for name, step in STEPS.items() if "${{" in step.get("run", "")]

    def test_the_token_reaches_one_step_and_no_argument(self) -> None:
        told = {name for name, step in STEPS.items() if "inputs.token" in json.dumps(step)}
        assert told == {RUN}
        assert STEPS[RUN]["env"]["CANARY_ACTION_TOKEN"] == "${{ inputs.token }}"

    def test_no_more_than_hashes_allow(self) -> None:
        assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(STEPS[PACKAGES]["run"].split())


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace into which a checkout has put modules of the names that the bot imports."""
    folder = tmp_path / "workspace"
    (folder / "bot" / "entry" / "action").mkdir(parents=True)
    for name in ("bot/__init__", "json", "re", "sitecustomize", "usercustomize", "pip", "venv"):
        (folder / f"{name}.py").write_text("raise SystemExit('the workspace was imported')\n")
    return folder


def event_file(folder: Path, body: str) -> Path:
    user = {"id": 7, "login": "mona", "type": "User"}
    payload = {
        "action": "created",
        "repository": {"id": 3, "full_name": "acme/shop"},
        "issue": {"number": 1, "pull_request": {"url": ""}},
        "comment": {"id": 5, "body": body, "user": user},
        "sender": user,
    }
    path = folder / "event.json"
    path.write_text(json.dumps(payload))
    return path


def play(
    step: str, workspace: Path, body: str, *, path: str | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run a step's script as a runner does: a file, in bash that stops at the first error."""
    temp = workspace.parent
    script = temp / "step.sh"
    script.write_text(STEPS[step]["run"])
    declared = {k: v for k, v in STEPS[step].get("env", {}).items() if "${{" not in v}
    environ = {
        "PATH": path
        if path is not None
        else f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(workspace),
        "PYTHONPATH": str(workspace),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_EVENT_NAME": "issue_comment",
        "GITHUB_EVENT_PATH": str(event_file(temp, body)),
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_OUTPUT": str(temp / "output"),
        "GITHUB_STEP_SUMMARY": str(temp / "summary"),
        "RUNNER_TEMP": str(temp),
        **declared,
        **extra,
    }
    bash = shutil.which("bash")
    assert bash is not None
    words = [bash, "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    return subprocess.run(
        words, cwd=workspace, env=environ, capture_output=True, text=True, check=False, timeout=100
    )


def outputs(workspace: Path) -> Mapping[str, str]:
    lines = (workspace.parent / "output").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


class TestFilter:
    @pytest.mark.parametrize(("body", "work"), [(CHAT, "false"), (COMMAND, "true")])
    def test_is_told_from_our_own_code(self, workspace: Path, body: str, work: str) -> None:
        done = play(FILTER, workspace, body)
        assert (done.returncode, done.stderr, outputs(workspace)) == (0, "", {"work": work})
        assert len(done.stdout.splitlines()) == 1

    @pytest.mark.parametrize("guard", ['cd "$GITHUB_ACTION_PATH"', "-E -s"])
    def test_each_guard_is_needed(self, workspace: Path, guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(STEPS[FILTER], "run", STEPS[FILTER]["run"].replace(guard, ""))
        done = play(FILTER, workspace, CHAT)
        assert "the workspace was imported" in done.stderr

    def test_the_comment_reaches_no_shell_and_no_file(self, workspace: Path) -> None:
        hostile = "/canary 25\n$(touch pwned)`touch pwned`\n::set-output name=work::no\nwork=no\nEOF\n"
        done = play(FILTER, workspace, hostile)
        assert outputs(workspace) == {"work": "true"}
        assert "pwned" not in done.stdout
        assert "::" not in done.stdout
        assert not list(workspace.parent.rglob("pwned"))

    @pytest.mark.parametrize("python", ["#!/bin/sh\nexit 1\n", None], ids=["too old", "none at all"])
    def test_a_runner_whose_python_cannot_tell_goes_on(self, workspace: Path, python: str | None) -> None:
        folder = workspace.parent / "bin"
        folder.mkdir()
        if python is not None:
            (folder / "python3").write_text(python)
            (folder / "python3").chmod(0o755)
        done = play(FILTER, workspace, CHAT, path=str(folder))
        assert (done.returncode, outputs(workspace)) == (0, {"work": "true"})


def locked() -> dict[str, tuple[Requirement, list[str]]]:
    """Give the pinned requirement and the hashes of every package of the lock."""
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for entry in re.split(r"\n(?=\S)", "\n".join(line for line in LOCK.splitlines() if line[:1] != "#")):
        words = [line.strip().removesuffix("\\").strip() for line in entry.strip().splitlines()]
        requirement = Requirement(words[0])
        found[canonicalize_name(requirement.name)] = (requirement, words[1:])
    return found


def dependencies() -> dict[str, Requirement]:
    """Give the project's own bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {canonicalize_name(one.name): one for one in map(Requirement, project["dependencies"])}


def wanted() -> set[str]:
    lines = (ROOT / ".github" / "action" / "requirements.in").read_text("utf-8").splitlines()
    return {canonicalize_name(line) for line in lines if line and not line.startswith("#")}


class TestLock:
    def test_it_names_versions_and_hashes_and_no_place(self) -> None:
        assert len(locked()) > len(wanted())
        for requirement, hashes in locked().values():
            assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
            assert hashes
            assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), requirement
        assert not re.search(r"://|--index|--find|@ ", LOCK)

    def test_what_the_action_imports_is_the_projects_own_and_is_in_the_lock(self) -> None:
        assert wanted() <= dependencies().keys() & locked().keys()

    @pytest.mark.parametrize("name", sorted(wanted()))
    def test_the_version_keeps_the_projects_bound(self, name: str) -> None:
        (pin,) = locked()[name][0].specifier
        assert dependencies()[name].specifier.contains(pin.version)


@pytest.mark.timeout(300)
@pytest.mark.skipif(
    not os.environ.get("CI") and float(os.environ.get("CANARY_FUZZ") or 1) < 2,
    reason="installs 21 packages: in CI, or with CANARY_FUZZ=2 and more",
)
class TestInstalled:
    def test_the_lock_alone_is_enough(self, workspace: Path) -> None:
        python = str(Path(sys.executable))
        # The folder's pip finds its index where this machine's configuration says so.
        configured = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.endswith("_proxy")}
        installed = play(
            PACKAGES, workspace, CHAT, PYTHON=python, **(configured | {"HOME": os.environ.get("HOME", "")})
        )
        assert installed.returncode == 0, installed.stderr
        fresh = workspace.parent / "canary-bot" / "bin" / "python"
        pip = [python, "-m", "pip", "--python", str(fresh)]
        listed = subprocess.run([*pip, "list", "--format=json"], capture_output=True, text=True, check=True)
        there = {canonicalize_name(one["name"]) for one in json.loads(listed.stdout)}
        assert there == {
            name for name, (pin, _) in locked().items() if not pin.marker or pin.marker.evaluate()
        }
        checked = subprocess.run([*pip, "check"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout

        said = play(
            RUN, workspace, CHAT, CANARY_ACTION_TOKEN="ghs_test", CANARY_ACTION_APP_SLUG="github-actions"
        )
        assert (said.returncode, outputs(workspace)["decision"]) == (0, "none"), said.stderr
        imported = subprocess.run(
            [fresh, "-E", "-s", "-c", "import bot.entry.action.run"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert imported.returncode == 0, imported.stderr


def test_the_page_shows_the_files_themselves() -> None:
    page = PAGE.read_text("utf-8")
    assert filled(page) == page, "python -m tests.contract.action_docs --write"
