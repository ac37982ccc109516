"""Git underneath: objects written and read back, differences, and copies that write nothing."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.sandbox.diffs import differences
from bot.sandbox.git import CONFIGURATION, SIGNATURE, Git, Signed, Stale, parse_commit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bot.sandbox.model import FileDiff
    from bot.sandbox.world import World

WHEN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MONA = ("Mona Lisa", "mona@example.org")
MADE = Signed(MONA, MONA, WHEN, WHEN, sign=False)


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Git:
    folder = tmp_path_factory.mktemp("git")
    configuration = folder / "gitconfig"
    configuration.write_text(CONFIGURATION)
    return Git.init(folder / "one.git", configuration)


def commit(git: Git, files: Mapping[str, bytes], mode: str = "100644") -> str:
    tree = git.write_tree(None, [(path, mode, git.write_blob(content)) for path, content in files.items()])
    return git.write_commit(tree, [], "m", MADE)


class TestCommits:
    """What is written is what git has."""

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        message=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
        name=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
        sign=st.booleans(),
    )
    def test_any_message(self, git: Git, message: str, name: str, *, sign: bool) -> None:
        made = Signed((name, "a@b.c"), ("GitHub", "noreply@github.com"), WHEN, WHEN, sign=sign)
        sha = git.write_commit(git.write_tree(None, []), [], message, made)
        read = parse_commit(sha, git.run("cat-file", "commit", sha))
        assert (read.message, read.author_name, read.verified) == (message, name, sign)
        assert (read.authored_at, read.committed_at) == (WHEN, WHEN)

    def test_signature_and_what_it_signs(self, git: Git) -> None:
        tree = git.write_tree(None, [])
        signed = git.commit(git.write_commit(tree, [], "m", Signed(MONA, MONA, WHEN, WHEN, sign=True)))
        assert signed.signature == SIGNATURE
        assert signed.payload is not None
        assert "gpgsig" not in signed.payload
        assert signed.payload.endswith("\n\nm")

    def test_fsck_finds_nothing_wrong(self, git: Git) -> None:
        commit(git, {"a": b"1", "b/c": b"2"})
        git.run("fsck", "--strict")

    def test_ref_is_swapped_only_from_where_it_was(self, git: Git) -> None:
        one, two = commit(git, {"a": b"1"}), commit(git, {"a": b"2"})
        git.update_ref("refs/heads/x", one, "")
        with pytest.raises(Stale):
            git.update_ref("refs/heads/x", two, two)
        git.update_ref("refs/heads/x", two, one)
        assert git.ref("refs/heads/x") == two
        with pytest.raises(Stale):
            git.delete_ref("refs/heads/x", one)

    def test_user_configuration_is_not_read(self, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Somebody")
        monkeypatch.setenv("GIT_DIR", "/nonexistent")
        assert git.run("config", "--get", "user.name", ok=(0, 1)) == b""


def change(git: Git, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[FileDiff]:
    return differences(git, commit(git, old), commit(git, new))


class TestDifferences:
    """One entry for each file, with the patch from its first hunk."""

    def test_kinds(self, git: Git) -> None:
        long = b"".join(b"%d\n" % n for n in range(30))
        found = change(
            git,
            {"gone": b"0\n", "same": b"1\n", "changed": b"1\n2\n", "was": long},
            {"new": b"1\n", "same": b"1\n", "changed": b"1\n3\n", "is": long},
        )
        shown = {
            file.path: (file.status, file.additions, file.deletions, file.previous_path) for file in found
        }
        assert shown == {
            "changed": ("modified", 1, 1, None),
            "gone": ("removed", 0, 1, None),
            "new": ("added", 1, 0, None),
            "is": ("renamed", 0, 0, "was"),
        }

    @pytest.mark.parametrize(
        ("old", "new", "patch"),
        [
            pytest.param(b"a\nb\n", b"a\nc\n", "@@ -1,2 +1,2 @@\n a\n-b\n+c", id="a line"),
            pytest.param(b"a\r\n", b"b\r\n", "@@ -1 +1 @@\n-a\r\n+b\r", id="CRLF is kept"),
            pytest.param(
                b"a\n",
                b"a",
                "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file",
                id="no newline at the end",
            ),
            pytest.param(
                b"x\n", b"diff --git a b\n", "@@ -1 +1 @@\n-x\n+diff --git a b", id="text like a header"
            ),
            pytest.param(b"x\n", b"@@ -1 @@\n", "@@ -1 +1 @@\n-x\n+@@ -1 @@", id="text like a hunk"),
            pytest.param(b"\0\1", b"\0\2", None, id="binary"),
        ],
    )
    def test_patch(self, git: Git, old: bytes, new: bytes, patch: str | None) -> None:
        (file,) = change(git, {"f": old}, {"f": new})
        assert file.patch == patch

    def test_names_with_blanks_quotes_and_letters(self, git: Git) -> None:
        names = ["a b.txt", 'q"uote.txt', "tab\t.txt", "ümläut.txt", "line\nfeed"]
        found = change(git, {}, dict.fromkeys(names, b"1\n"))
        assert sorted(file.path for file in found) == sorted(names)

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        old=st.dictionaries(st.sampled_from("abcd"), st.text("xy\n\r", max_size=8), max_size=4),
        new=st.dictionaries(st.sampled_from("abcd"), st.text("xy\n\r", max_size=8), max_size=4),
    )
    def test_only_what_changed_is_listed(self, git: Git, old: dict[str, str], new: dict[str, str]) -> None:
        before = {path: text.encode() for path, text in old.items()}
        after = {path: text.encode() for path, text in new.items()}
        touched = {path for path in before | after if before.get(path) != after.get(path)}
        found = change(git, before, after)
        assert {path for file in found for path in (file.path, file.previous_path) if path} == touched


def run(folder: Path, *arguments: str) -> None:
    """Run git as a person would, in the person's own repository."""
    people = {
        f"GIT_{role}_{what}": "mona@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    env = {**os.environ, **people, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True)


def everything(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Give times, modes and bytes of all files below a folder, git's own too."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.lstat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    } | {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, 0, b"")
        for path in folder.rglob("*")
        if path.is_dir()
    }


@pytest.fixture
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work tree with a commit on ``trunk``, another branch, changes, and ignored files."""
    folder = tmp_path_factory.mktemp("theirs")
    run(folder, "init", "--quiet", "--initial-branch=trunk")
    (folder / "apps").mkdir()
    (folder / "apps" / "service.yaml").write_bytes(b"kind: Service\r\n")
    (folder / "old.txt").write_bytes(b"old\n")
    (folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / ".gitignore").write_bytes(b"*.secret\n")
    run(folder, "add", ".")
    run(folder, "commit", "--quiet", "-m", "First")
    run(folder, "branch", "other")
    return folder


class TestImport:
    """A copy of somebody's repository; the repository itself is only read."""

    def test_committed_state(self, world: World, theirs: Path) -> None:
        before = everything(theirs)
        repository = world.import_repository("me/copy", theirs, by="mona")
        assert everything(theirs) == before
        assert (repository.default_branch, sorted(world.branches("me/copy"))) == ("trunk", ["other", "trunk"])
        assert world.read("me/copy", "trunk", "apps/service.yaml") == b"kind: Service\r\n"
        assert [commit.message for commit in world.log("me/copy", "trunk")] == ["First\n"]
        assert world.entry("me/copy", "trunk", "run.sh").mode == "100755"

    def test_what_is_not_committed_comes_on_top(self, world: World, theirs: Path) -> None:
        (theirs / "apps" / "service.yaml").write_bytes(b"kind: Service # dirty\r\n")
        (theirs / "new.txt").write_bytes(b"new\n")
        (theirs / "key.secret").write_bytes(b"hidden\n")
        (theirs / "old.txt").unlink()
        before = everything(theirs)
        world.import_repository("me/copy", theirs, by="mona")
        assert everything(theirs) == before
        assert world.files("me/copy", "trunk") == [".gitignore", "apps/service.yaml", "new.txt", "run.sh"]
        assert world.read("me/copy", "trunk", "apps/service.yaml") == b"kind: Service # dirty\r\n"
        assert [commit.message for commit in world.log("me/copy", "trunk")][1:] == ["First\n"]

    def test_writing_to_the_copy_leaves_the_source(self, world: World, theirs: Path) -> None:
        world.import_repository("me/copy", theirs, by="mona")
        before = everything(theirs)
        world.create_branch("me/copy", "feature", by="mona")
        world.commit("me/copy", "feature", {"old.txt": b"x\n"}, "Change", by="mona")
        world.open_pull("me/copy", "feature", "trunk", "Change", by="mona")
        world.merge("me/copy", 1, by="mona")
        assert everything(theirs) == before

    def test_folder_inside_bare_and_detached(self, world: World, theirs: Path, tmp_path: Path) -> None:
        bare = tmp_path / "bare.git"
        run(theirs, "clone", "--quiet", "--bare", str(theirs), str(bare))
        assert world.import_repository("me/bare", bare, by="mona").default_branch == "trunk"
        assert world.import_repository("me/inside", theirs / "apps", by="mona").default_branch == "trunk"
        assert world.files("me/inside", "trunk") == world.files("me/bare", "trunk")
        run(theirs, "checkout", "--quiet", "--detach")
        assert world.import_repository("me/detached", theirs, by="mona").default_branch == "main"
        assert world.tip("me/detached", "main") == world.tip("me/bare", "trunk")

    def test_no_repository_and_no_commit(self, world: World, tmp_path: Path) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        with pytest.raises(ValueError, match="not a git repository"):
            world.import_repository("me/none", empty, by="mona")
        run(empty, "init", "--quiet")
        with pytest.raises(ValueError, match="no commit"):
            world.import_repository("me/none", empty, by="mona")
        assert all(repository.name != "none" for repository in world.repositories())
