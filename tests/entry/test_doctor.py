"""``canary doctor`` at the prompt: what it prints, how it ends, which files it looks at."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bot.core.rules import CONFIG_PATH
from bot.entry.doctor_command import read_tree
from bot.manifests.source import LARGEST_FILE
from tests.adapters.scripted import PEM
from tests.entry.working import CUSTOMER, ROOT, Working, isolated

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.conftest import Prompt

IGNORING = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  ignoreDifferences:
    - {group: serving.knative.dev, kind: Service, jsonPointers: [/spec/traffic]}
"""


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)


class TestResult:
    """Standard output is the result; the exit status says whether there are errors."""

    def test_nothing_lacks(self, canary: Prompt, working: Working) -> None:
        ran = canary("doctor", folder=working.folder)

        assert (ran.status, ran.out, ran.err) == (0, "Found nothing that is lacking.\n", "")

    def test_an_error(self, canary: Prompt, working: Working) -> None:
        working.put("argo.yaml", IGNORING)
        ran = canary("doctor", folder=working.folder)

        assert (ran.status, ran.err) == (1, "")
        head, message, remedy, empty, end = ran.out.splitlines()
        assert head == "error  argocd-ignores-weights  `argo.yaml:5:7`"
        assert message.startswith("  Differences of `Service` at `/spec/traffic` are ignored.")
        assert remedy == "  Remedy: Remove the rule, or narrow it to fields that no step changes."
        assert empty == ""
        assert end == "1 error. docs/doctor.md explains each code."

    def test_a_warning_is_no_failure(self, canary: Prompt, working: Working) -> None:
        working.put(".github/canary.yaml", "version: 1\nservices: {costumer: {}, x: {}}\n")
        ran = canary("doctor", folder=working.folder)

        assert ran.status == 0
        assert ran.out.endswith("2 warnings. docs/doctor.md explains each code.\n")

    def test_as_json(self, canary: Prompt, working: Working) -> None:
        working.put(".github/canary.yaml", "version: 1\nrule: fast\n")
        ran = canary("doctor", "--json", folder=working.folder)

        assert ran.status == 1
        assert ran.json == [
            {
                "severity": "error",
                "code": "config-invalid",
                "message": "Unknown key `rule`.",
                "where": f"{CONFIG_PATH}:2:1",
                "path": CONFIG_PATH,
                "line": 2,
                "column": 1,
                "remedy": "Did you mean `rules`?",
            }
        ]

    def test_nothing_as_json(self, canary: Prompt, working: Working) -> None:
        assert canary("doctor", "--json", folder=working.folder).json == []

    def test_a_terminal_shows_foreign_text_and_does_nothing_else(self, working: Working) -> None:
        evil = r"\e]0;x\a\e[31m\u202e"
        working.put(
            "argo.yaml",
            IGNORING.replace("jsonPointers: [/spec/traffic]", f'managedFieldsManagers: ["{evil}"]'),
        )
        shown = _on_terminal(working)

        assert b"argocd-rule-unclear" in shown
        assert rb"\u{1b}]0;x\u{7}" in shown
        assert b"\x1b]0;" not in shown
        assert "\u202e".encode() not in shown
        assert b"\x1b[33m" in shown  # our own colour


class TestUsage:
    """What is typed wrongly is told on standard error, with exit status 2."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            pytest.param(["nowhere"], "nowhere is no folder", id="no folder"),
            pytest.param(["--repo", "shop"], "--repo takes OWNER/NAME", id="no name"),
            pytest.param(["--repo", "acme/.."], "--repo takes OWNER/NAME", id="a path"),
            pytest.param(["--repo", "acme/shop/pulls"], "--repo takes OWNER/NAME", id="a longer path"),
        ],
    )
    def test_arguments(self, arguments: list[str], words: str, canary: Prompt, working: Working) -> None:
        ran = canary("doctor", *arguments, folder=working.folder)

        assert (ran.status, ran.out) == (2, "")
        assert words in ran.err

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            pytest.param(
                {"CANARY_APP_ID": "x", "CANARY_PRIVATE_KEY": PEM}, "CANARY_APP_ID is wrong", id="no id"
            ),
            pytest.param(
                {"CANARY_APP_ID": "7", "CANARY_PRIVATE_KEY": "secret-text"},
                "CANARY_PRIVATE_KEY is wrong",
                id="no key",
            ),
            pytest.param(
                {"GITHUB_TOKEN": "ghs_x", "CANARY_GITHUB_API_URL": "http://github.example.org"},
                "the token would travel in the open",
                id="no address",
            ),
        ],
    )
    def test_settings(
        self,
        settings: dict[str, str],
        words: str,
        canary: Prompt,
        working: Working,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        ran = canary("doctor", "--repo", "acme/shop", folder=working.folder)

        assert (ran.status, ran.out) == (2, "")
        assert words in ran.err
        assert "secret-text" not in ran.err

    def test_no_credentials(self, canary: Prompt, working: Working) -> None:
        ran = canary("doctor", "--repo", "acme/shop", "--json", folder=working.folder)

        assert ran.status == 1
        assert [f["code"] for f in ran.json] == ["repository-unreadable"]
        assert ran.json[0]["where"] == "acme/shop"

    def test_nobody_answers(
        self, canary: Prompt, working: Working, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
    ) -> None:
        monkeypatch.setattr("bot.adapters.github.client._PAUSES", ())
        monkeypatch.setenv("GITHUB_TOKEN", "ghs_secret")
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{unused_tcp_port}")
        ran = canary("doctor", "--repo", "acme/shop", "--json", folder=working.folder)

        assert [f["code"] for f in ran.json] == ["repository-unreadable"]
        assert "no answer" in ran.json[0]["message"]
        assert "ghs_secret" not in ran.out + ran.err


@pytest.fixture
def unused_tcp_port() -> int:
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class TestFiles:
    """What Git tracks, or would; in a plain folder everything."""

    def test_what_git_ignores_is_not_read(self, working: Working) -> None:
        working.put(".gitignore", "out/\n")
        working.put("out/argo.yaml", IGNORING)
        working.put("argo.yaml", IGNORING)

        assert set(read_tree(working.folder).texts) == {"argo.yaml", "customer.yaml"}

    def test_the_whole_working_tree_from_a_folder_in_it(self, working: Working) -> None:
        working.put("apps/x/argo.yaml", IGNORING)

        tree = read_tree(working.folder / "apps" / "x")

        assert set(tree.texts) == {"apps/x/argo.yaml", "customer.yaml"}
        assert [(s.name, str(s.place)) for s in tree.services] == [("customer", "customer.yaml:2")]

    def test_a_plain_folder(self, tmp_path: Path) -> None:
        (tmp_path / "node_modules").mkdir()
        (tmp_path / "node_modules" / "argo.yaml").write_text(IGNORING)
        (tmp_path / "customer.yaml").write_text(CUSTOMER)

        assert set(read_tree(tmp_path).texts) == {"customer.yaml"}

    def test_links_are_not_followed(self, working: Working, tmp_path: Path) -> None:
        (tmp_path / "secret.yaml").write_text(IGNORING)
        (working.folder / "argo.yaml").symlink_to(tmp_path / "secret.yaml")
        (working.folder / ".github").mkdir()
        (working.folder / CONFIG_PATH).symlink_to(tmp_path / "secret.yaml")

        tree = read_tree(working.folder)

        assert set(tree.texts) == {"customer.yaml"}
        assert tree.config is None

    def test_rule_sets_by_path(self, working: Working) -> None:
        rules = {"deploy/careful__yaml": "id: careful\n"}
        (working.folder / ".github").mkdir()
        (working.folder / "deploy").mkdir()
        config = "version: 1\nrules: deploy/careful.yaml\nservices: {customer: {rules: deploy/none.yaml}}\n"
        working.commit("Config", **{".github/canary__yaml": config}, **rules)

        tree = read_tree(working.folder)

        assert tree.rule_sets == {"deploy/careful.yaml": "id: careful\n", "deploy/none.yaml": None}

    def test_a_file_that_was_deleted(self, working: Working) -> None:
        working.commit("Config", **{".github/canary__yaml": "version: 1\n"})
        (working.folder / CONFIG_PATH).unlink()

        assert read_tree(working.folder).config is None

    def test_what_is_too_large_is_named(self, canary: Prompt, working: Working) -> None:
        working.put("big.yaml", "a: 1\n" * (LARGEST_FILE // 5 + 1))
        ran = canary("doctor", "--json", folder=working.folder)

        assert ran.status == 0
        assert [(f["code"], f["path"]) for f in ran.json] == [("could-not-look", "big.yaml")]

    def test_a_byte_order_mark_and_no_utf_8(self, canary: Prompt, working: Working) -> None:
        working.put("argo.yaml", b"\xef\xbb\xbf" + IGNORING.encode())
        working.put("other.yaml", b"\xff\xfe argoproj.io")
        ran = canary("doctor", "--json", folder=working.folder)

        assert [f["code"] for f in ran.json] == ["argocd-ignores-weights"]

    def test_nothing_is_written(self, canary: Prompt, working: Working) -> None:
        before = working.status()
        canary("doctor", folder=working.folder)

        assert working.status() == before


def test_offline_nothing_of_github_is_imported(working: Working) -> None:
    script = (
        "import sys\n"
        "from bot.entry.cli import main\n"
        "main(['doctor', '--json'])\n"
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

    assert json.loads(done.stdout) == []
    assert not set(done.stderr.split()) & {
        "github",
        "requests",
        "httpx",
        "fastapi",
        "uvicorn",
        "jwt",
        "rich",
    }


def _on_terminal(working: Working) -> bytes:
    """Run the command with a pseudo-terminal as its standard output, and give what it shows."""
    ours, theirs = pty.openpty()
    environment = isolated(working.folder) | {
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "COLUMNS": "200",
    }
    environment.pop("NO_COLOR", None)
    running = subprocess.Popen(
        [sys.executable, "-m", "bot", "doctor"],
        cwd=working.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            more = b""
        if not more:
            break
        shown += more
    os.close(ours)
    assert running.wait(60) == 0
    return shown
