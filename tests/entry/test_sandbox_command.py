"""``canary sandbox``: a rehearsal on a copy; the original is never written to."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.entry.leaving import Visitor, started
from tests.entry.working import CUSTOMER, NEXT, Working

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.conftest import Prompt

SANDBOX = ("-m", "bot", "sandbox")


def everything(folder: Path) -> dict[str, tuple[str, int]]:
    """Give the hash and the time of every file and folder, git's own included."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (hashlib.sha256(content).hexdigest(), path.stat().st_mtime_ns)
    return found


def test_the_bot_answers_on_a_copy_and_the_original_stays_as_it_was(working: Working, tmp_path: Path) -> None:
    before = everything(working.folder)
    with started(tmp_path / "scratch", *SANDBOX, str(working.folder)) as serving:
        assert "Pull request #1 waits for a comment: /canary 25" in serving.welcome
        assert "mona (write), ana (write), kim (maintain), rita (read)" in serving.welcome
        with Visitor(serving.url) as visitor:
            assert "Work that is not committed yet" in visitor.page()
            visitor.be("mona")
            visitor.say("/canary 25")
            page = re.sub(r"<[^>]+>", "", visitor.wait_for("Committed"))
            assert "+    percent: 75" in page
        assert serving.stop() == 0
        assert serving.err == ""
        assert serving.left_over() == []
    assert everything(working.folder) == before


def test_without_a_path_there_is_a_shop_with_a_pull_request(tmp_path: Path) -> None:
    with started(tmp_path / "scratch", *SANDBOX) as serving:
        assert serving.url.endswith("/acme/shop/pull/1")
        with Visitor(serving.url) as visitor:
            assert "Customer 4.0.0" in visitor.page()
            visitor.be("rita")
            visitor.say("/canary 25")
            visitor.wait_for("Not applied")
            visitor.be("kim")
            visitor.say("/canary 25")
            visitor.wait_for("Committed")
        assert serving.stop(signal.SIGTERM) == 0
        assert serving.err == ""
        assert serving.left_over() == []


class TestWork:
    """The work under way becomes a pull request."""

    def test_a_branch(self, working: Working, tmp_path: Path) -> None:
        working.git("switch", "--quiet", "-c", "faster")
        working.commit("Faster")
        with started(tmp_path / "scratch", *SANDBOX, str(working.folder)) as serving:
            assert serving.url.endswith("/local/shop/pull/1")
            with Visitor(serving.url) as visitor:
                assert "Rehearse faster" in visitor.page()
            serving.stop()

    def test_files_without_a_service(self, tmp_path: Path) -> None:
        repository = Working(tmp_path / "notes")
        repository.commit("First", a__txt="a\n")
        repository.put("a.txt", "b\n")
        with started(tmp_path / "scratch", *SANDBOX, str(repository.folder)) as serving:
            assert "it changes no Knative Service" in serving.welcome
            serving.stop()

    def test_none(self, tmp_path: Path) -> None:
        repository = Working(tmp_path / "my shop (old)")
        repository.commit("First", customer__yaml=CUSTOMER)
        with started(tmp_path / "scratch", *SANDBOX, str(repository.folder)) as serving:
            assert serving.url.endswith("/local/my-shop-old-/pulls")
            assert "Edit a manifest under Code" in serving.welcome
            serving.stop()

    def test_a_branch_that_main_has_already(self, tmp_path: Path) -> None:
        repository = Working(tmp_path / "shop")
        repository.commit("First", customer__yaml=CUSTOMER)
        repository.git("switch", "--quiet", "-c", "idle")
        with started(tmp_path / "scratch", *SANDBOX, str(repository.folder)) as serving:
            assert serving.url.endswith("/local/shop/pulls")
            serving.stop()

    def test_a_bare_repository(self, tmp_path: Path) -> None:
        repository = Working(tmp_path / "shop")
        repository.commit("First", customer__yaml=CUSTOMER)
        repository.git("switch", "--quiet", "-c", "next")
        repository.commit("Next", customer__yaml=NEXT)
        repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "copy.git"))
        before = everything(tmp_path / "copy.git")
        with started(tmp_path / "scratch", *SANDBOX, str(tmp_path / "copy.git")) as serving:
            assert serving.url.endswith("/local/copy/pull/1")
            serving.stop()
        assert everything(tmp_path / "copy.git") == before


class TestRefused:
    """A path or a machine that is not fit for it: one line, exit status 2."""

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            pytest.param("nowhere", "not a git repository", id="is not there"),
            pytest.param("file", "not a git repository", id="is a file"),
            pytest.param("folder", "not a git repository", id="is a folder without git"),
            pytest.param("unborn", "no commit yet", id="has no commit"),
            pytest.param("a\x1b[31m", "\\u{1b}[31m", id="would colour the terminal"),
        ],
    )
    def test_path(self, canary: Prompt, tmp_path: Path, path: str, said: str) -> None:
        (tmp_path / "file").write_text("x")
        (tmp_path / "folder").mkdir()
        Working(tmp_path / "unborn")
        ran = canary("sandbox", path, folder=tmp_path)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("canary sandbox: ")
        assert said in ran.err
        assert ran.err.count("\n") == 1

    def test_port_that_is_taken(self, canary: Prompt, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ran = canary("sandbox", "--port", str(taken.getsockname()[1]), folder=tmp_path)
        assert (ran.status, ran.out) == (2, "")
        assert "the page cannot be served" in ran.err

    @pytest.mark.parametrize(
        ("git", "said"),
        [
            pytest.param(None, "there is no git on the PATH", id="no git"),
            pytest.param("echo git version 2.37.9", "this is git 2.37.9", id="git before merge-tree"),
            pytest.param("echo git version 1.9", "this is git 1.9", id="git of long ago"),
            pytest.param("echo gut", "does not say which this is", id="something else of that name"),
            pytest.param("exit 1", "does not say which this is", id="git that fails"),
        ],
    )
    def test_git(
        self, canary: Prompt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: str | None, said: str
    ) -> None:
        if git is not None:
            (tmp_path / "git").write_text(f"#!/bin/sh\n{git}\n")
            (tmp_path / "git").chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path))
        for command in ("sandbox", "demo"):
            ran = canary(command, folder=tmp_path)
            assert (ran.status, ran.out) == (2, "")
            assert ran.err.startswith(f"canary {command}: git 2.38 or later is needed")
            assert said in ran.err
