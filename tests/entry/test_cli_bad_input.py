"""``canary comment`` with bad input: a clear reply, exit 1, nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.manifests.source import LARGEST_FILE
from tests.entry.working import CUSTOMER, Working

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.entry.conftest import Prompt

KEYS = ["decision", "code", "service", "rollout", "step", "reply", "diff", "files"]


def _link(working: Working) -> str:
    (working.folder / "link.yaml").symlink_to("customer.yaml")
    return "link.yaml"


def _put(name: str, content: str | bytes) -> Callable[[Working], str]:
    def make(working: Working) -> str:
        working.put(name, content)
        return name

    return make


BAD_FILES = [
    pytest.param(lambda _: "nope.yaml", "file-missing", id="no such file"),
    pytest.param(lambda _: ".", "path-refused", id="a folder"),
    pytest.param(_link, "path-refused", id="a link"),
    pytest.param(lambda _: ".git/config", "no-service", id="git's own file"),
    pytest.param(_put(".git/x.yaml", CUSTOMER), "no-worktree", id="a manifest among git's own files"),
    pytest.param(_put("notes.txt", CUSTOMER), "no-service", id="another kind of file"),
    pytest.param(_put("image.yaml", bytes(range(256))), "no-service", id="binary"),
    pytest.param(_put("list.yaml", "- a\n- b\n"), "no-service", id="no service"),
    pytest.param(_put("empty.yaml", ""), "no-service", id="empty"),
    pytest.param(_put("big.yaml", CUSTOMER + "#" * LARGEST_FILE), "file-too-large", id="huge"),
    pytest.param(
        _put("bad.yaml", CUSTOMER.replace("spec:\n", "spec: [\n", 1)), "yaml-invalid", id="not YAML"
    ),
    pytest.param(
        _put("latin.yaml", CUSTOMER.replace("Who", "Wh\xf6").encode("latin-1")), "not-utf-8", id="latin-1"
    ),
    pytest.param(
        _put("chart.yaml", CUSTOMER.replace("percent: 100", "percent: {{ .Values.share }}")),
        "template-language",
        id="a template",
    ),
]


class TestBadInput:
    """Bad input gets a clear reply, exit 1, and writes nothing."""

    @pytest.mark.parametrize(("make", "code"), BAD_FILES)
    def test_files(self, make: Callable[[Working], str], code: str, canary: Prompt, working: Working) -> None:
        name = make(working)
        before = working.status()
        ran = canary("comment", "/canary 25", name, "--write", folder=working.folder)
        as_json = canary("comment", "/canary 25", name, "--json", folder=working.folder)

        assert ran.status == as_json.status == 1
        assert f"`{code}`" in ran.out + ran.err
        assert list(as_json.json) == KEYS
        assert as_json.json["code"] == code
        assert "Traceback" not in ran.err
        assert working.status() == before

    def test_all_files_are_told_together(self, canary: Prompt, working: Working) -> None:
        ran = canary("comment", "/canary 25", "one.yaml", "two.yaml", folder=working.folder)

        assert (ran.status, ran.out) == (1, "")
        assert "`one.yaml`" in ran.err
        assert "`two.yaml`" in ran.err

    @pytest.mark.parametrize(
        "revision",
        [
            pytest.param("nowhere", id="no such revision"),
            pytest.param("--output=stolen", id="an option"),
            pytest.param("-n1", id="a short option"),
            pytest.param("", id="nothing"),
            pytest.param("HEAD:customer.yaml", id="a file"),
            pytest.param("main..main", id="a range"),
            pytest.param("a\nb", id="two lines"),
            pytest.param("x\x1b[31m", id="an escape"),
        ],
    )
    def test_revisions(self, revision: str, canary: Prompt, working: Working) -> None:
        ran = canary("comment", "/canary 25", f"--base={revision}", folder=working.folder)

        assert (ran.status, ran.out) == (1, "")
        assert "`unknown-base`" in ran.err
        assert "\x1b" not in ran.err
        assert not (working.folder / "stolen").exists()

    def test_a_base_without_git(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "customer.yaml").write_text(CUSTOMER, encoding="utf-8")
        ran = canary("comment", "/canary 25", "customer.yaml", "--base", "HEAD", folder=tmp_path)

        assert (ran.status, ran.out) == (1, "")
        assert "`no-worktree`" in ran.err

    def test_no_repository_and_no_file(self, canary: Prompt, tmp_path: Path) -> None:
        ran = canary("comment", "/canary 25", folder=tmp_path)

        assert (ran.status, ran.out) == (1, "")
        assert "`no-worktree`" in ran.err

    def test_no_commit_yet(self, canary: Prompt, tmp_path: Path) -> None:
        fresh = Working(tmp_path / "fresh")
        fresh.put("customer.yaml", CUSTOMER)

        assert canary("comment", "/canary 25", folder=fresh.folder).status == 1
        named = canary("comment", "/canary 25 stable=customer-v2", "customer.yaml", folder=fresh.folder)
        assert named.status == 0

    def test_files_of_two_repositories(self, canary: Prompt, working: Working, tmp_path: Path) -> None:
        other = Working(tmp_path / "other")
        other.commit("First", customer__yaml=CUSTOMER)
        ran = canary(
            "comment", "/canary 25", "customer.yaml", "../other/customer.yaml", folder=working.folder
        )

        assert ran.status == 1
        assert "`path-refused`" in ran.err

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("looks good to me", id="talk"),
            pytest.param("> /canary 25", id="quoted"),
            pytest.param("    /canary 25", id="code"),
            pytest.param("/lgtm", id="another bot's"),
            pytest.param("", id="nothing"),
        ],
    )
    def test_conversation(self, text: str, canary: Prompt, working: Working) -> None:
        ran = canary("comment", text, folder=working.folder)
        as_json = canary("comment", text, "--json", folder=working.folder)

        assert (ran.status, ran.out) == (1, "")
        assert "There is no command in that text" in ran.err
        assert (as_json.status, as_json.json["code"]) == (1, "no-command")

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            pytest.param("/canary a lot", "weight-not-a-number", id="no number"),
            pytest.param("/canary 1e2", "weight-not-a-number", id="an exponent"),
            pytest.param("/canary 25\n\n/canary 50", "conflicting-commands", id="two shares"),
            pytest.param("/promote 50 60", "unexpected-text", id="a short verb"),
            pytest.param("/canary retry", "needs-github", id="a verb of pull requests"),
            pytest.param("/canary 25 sha=0123456", "wrong-head", id="another head"),
        ],
    )
    def test_comments(self, text: str, code: str, canary: Prompt, working: Working) -> None:
        ran = canary("comment", text, "--json", folder=working.folder)

        assert (ran.status, ran.json["code"]) == (1, code)

    def test_a_comment_s_problem_comes_before_a_file_s(self, canary: Prompt, tmp_path: Path) -> None:
        ran = canary("comment", "/canary 101", "nope.yaml", "--json", folder=tmp_path)

        assert ran.json["code"] == "weight-out-of-range"
