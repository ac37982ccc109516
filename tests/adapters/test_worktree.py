"""A working tree behind the ``Repository`` port."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bot.adapters.local_git import Git
from bot.adapters.worktree import CONFIGURATION, HEAD, NOTHING, Base, Edit, Here, WorkTree
from bot.core.problems import Declined, OutsideFailure
from bot.manifests.source import LARGEST_FILE
from bot.ports import ChangedFile, Missing, Moved, Refused, Role
from tests.entry.working import AT_25, CUSTOMER, NEXT, STARTED, Working, isolated

if TYPE_CHECKING:
    from pathlib import Path

    from bot.ports import File, Forge, Repository

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nobodys_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in [k for k in os.environ if k.startswith("GIT_")]:
        monkeypatch.delenv(key)
    for key, value in isolated(tmp_path).items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def working(tmp_path: Path) -> Working:
    repository = Working(tmp_path / "shop")
    repository.commit("First", customer__yaml=CUSTOMER)
    repository.put("customer.yaml", NEXT)
    return repository


def tree_of(working: Working, *, merged: bool = False) -> WorkTree:
    git = Git.around(working.folder)
    assert git is not None
    head = git.commit("HEAD")
    assert head is not None
    return WorkTree(
        git.top,
        git=git,
        base=Base("main", head, head),
        files=git.changed(head),
        text="/canary 25",
        now=NOON,
        merged=merged,
    )


def read(tree: WorkTree, path: str = "customer.yaml") -> File:
    file = tree.file(path, tree.pull(0).head_sha)
    assert file is not None
    return file


class TestReading:
    """The pull request's head is what the files hold now, its base is a commit."""

    def test_both_sides(self, working: Working) -> None:
        tree = tree_of(working)
        pull = tree.pull(0)
        base = tree.file("customer.yaml", pull.base_sha)

        assert read(tree).content == NEXT.encode()
        assert base is not None
        assert base.content == CUSTOMER.encode()
        assert (pull.state, pull.merged, pull.ours, pull.base_ref) == ("open", False, False, "main")
        assert (tree.tip("main"), tree.tip(HEAD)) == (pull.base_sha, pull.head_sha)

    def test_as_the_base_branch_itself(self, working: Working) -> None:
        tree = tree_of(working, merged=True)
        pull = tree.pull(0)

        assert pull.merged
        assert pull.base_sha == NOTHING
        assert tree.tip("main") == pull.head_sha
        assert tree.file("customer.yaml", NOTHING) is None
        assert tree.tip(CONFIGURATION) == working.git("rev-parse", "HEAD").strip()

    def test_absent_is_none(self, working: Working) -> None:
        tree = tree_of(working)

        assert tree.file("nope.yaml", tree.pull(0).head_sha) is None
        assert tree.file("customer.yaml/nope.yaml", tree.pull(0).head_sha) is None
        assert tree.file("nope.yaml", tree.pull(0).base_sha) is None

    def test_changes_of_every_kind(self, working: Working) -> None:
        working.put("customer.yaml", CUSTOMER)
        working.commit("More", gone__yaml="a: 1\n", kept__yaml="b: 1\n", old__yaml=CUSTOMER + "# old\n")
        (working.folder / "gone.yaml").unlink()
        working.git("mv", "old.yaml", "new.yaml")
        working.put("staged.yaml", "c: 1\n")
        working.git("add", "staged.yaml")
        working.put("fresh.yaml", "d: 1\n")
        working.put("ignored.yaml", "e: 1\n")
        working.put(".git/info/exclude", "ignored.yaml\n")
        working.put("sp ace\t.yaml", "f: 1\n")

        assert {
            f.path: (f.status, f.previous_path)
            for f in tree_of(working).changed_files(tree_of(working).pull(0))
        } == {
            "gone.yaml": ("removed", None),
            "new.yaml": ("renamed", "old.yaml"),
            "staged.yaml": ("added", None),
            "fresh.yaml": ("added", None),
            "sp ace\t.yaml": ("added", None),
        }

    def test_history_knows_ours_by_its_trailers(self, working: Working) -> None:
        working.commit(STARTED, customer__yaml=AT_25)
        working.commit("Elsewhere", notes__txt="x")
        tree = tree_of(working)
        history = tree.history("customer.yaml", tree.tip("main") or "")

        assert [(c.message.partition("\n")[0], c.ours) for c in history] == [
            ("Start customer-v4 at 25 %", True),
            ("First", False),
        ]
        assert history[0].at == NOON
        assert history[0].parents == (history[1].sha,)

    def test_everybody_who_writes_here_may(self, working: Working) -> None:
        tree = tree_of(working)

        assert tree.role_of(tree.comment.author.login).role is Role.ADMIN
        assert tree.role_of("stranger").role is Role.NONE

    def test_looking_changes_nothing(self, working: Working) -> None:
        index = working.folder / ".git" / "index"
        os.utime(working.folder / "customer.yaml", ns=(1, 1))  # git would like to refresh its index
        before = index.read_bytes()
        tree_of(working)

        assert index.read_bytes() == before
        assert not (working.folder / ".git" / "index.lock").exists()

    def test_other_pull_requests_are_missing(self, working: Working) -> None:
        tree = tree_of(working)

        with pytest.raises(Missing):
            tree.pull(7)
        with pytest.raises(Missing):
            tree.commits_of(7)


class TestRefused:
    """What the bot would not edit on GitHub is not edited here."""

    @pytest.mark.parametrize(
        "path",
        [".git/config", "a/.GIT/x.yaml", "../x.yaml", "/x.yaml", "a//x.yaml", "", "ä.yaml"],
    )
    def test_paths(self, path: str, working: Working) -> None:
        tree = tree_of(working)
        for sha in (tree.pull(0).head_sha, tree.pull(0).base_sha):
            with pytest.raises(Refused):
                tree.file(path, sha)

    def test_rules_are_read_at_a_commit_only(self, working: Working) -> None:
        tree = tree_of(working)
        with pytest.raises(Refused):
            tree.file(".github/x.yaml", tree.pull(0).head_sha)
        assert tree.file(".github/x.yaml", tree.pull(0).base_sha) is None

    def test_a_commit_that_is_not_here_holds_nothing(self, working: Working) -> None:
        assert tree_of(working).file("customer.yaml", "0123456789" * 4) is None

    def test_links(self, working: Working) -> None:
        (working.folder / "link.yaml").symlink_to("customer.yaml")
        (working.folder / "away").symlink_to(working.folder.parent)
        (working.folder.parent / "outside.yaml").write_text(CUSTOMER, encoding="utf-8")
        working.commit("Links")
        tree = tree_of(working)

        for path in ("link.yaml", "away/outside.yaml"):
            with pytest.raises(Refused):
                tree.file(path, tree.pull(0).head_sha)
        with pytest.raises(Refused):
            tree.file("link.yaml", tree.pull(0).base_sha)

    def test_folders(self, working: Working) -> None:
        working.commit("Folder", **{"apps/customer__yaml": CUSTOMER})
        tree = tree_of(working)

        for sha in (tree.pull(0).head_sha, tree.pull(0).base_sha):
            with pytest.raises(Refused):
                tree.file("apps", sha)

    def test_too_large(self, working: Working) -> None:
        working.put("customer.yaml", CUSTOMER + "#" * LARGEST_FILE)
        tree = tree_of(working)

        with pytest.raises(Declined, match="file-too-large"):
            tree.file("customer.yaml", tree.pull(0).head_sha)

    def test_merging(self, working: Working) -> None:
        with pytest.raises(Refused):
            tree_of(working).merge(0, sha="x", title="", message="")


class TestCommits:
    """Commits stay in memory; what they make of the files is one edit for a chain."""

    def test_a_chain_is_one_edit(self, working: Working) -> None:
        tree = tree_of(working)
        first = tree.commit_file(HEAD, read(tree), b"one\n", "")
        file = tree.file("customer.yaml", first)
        assert file is not None
        second = tree.commit_file(HEAD, file, b"two\n", "")

        assert tree.tip(HEAD) == second != first
        assert tree.edits == (Edit("customer.yaml", NEXT.encode(), b"two\n"),)
        assert (working.folder / "customer.yaml").read_text() == NEXT

    def test_there_and_back_is_none(self, working: Working) -> None:
        tree = tree_of(working)
        before = read(tree)
        tree.commit_file(HEAD, before, b"one\n", "")
        tree.commit_file(HEAD, read(tree), before.content, "")

        assert tree.edits == ()

    def test_a_file_that_moved(self, working: Working) -> None:
        tree = tree_of(working)
        old = read(tree)
        tree.commit_file(HEAD, old, b"one\n", "")

        with pytest.raises(Moved):
            tree.commit_file(HEAD, old, b"two\n", "")

    def test_two_pull_requests_are_two_edits(self, working: Working) -> None:
        tree = tree_of(working, merged=True)
        for name in ("one", "two"):
            tree.create_branch(
                name, tree.commit_on(tree.tip("main") or "", "customer.yaml", name.encode(), "")
            )
            tree.open_pull(head=name, base="main", title=name, body="")

        assert [edit.after for edit in tree.edits] == [b"one", b"two"]
        assert [p.title for p in tree.open_pulls()] == ["one", "two"]
        assert [p.title for p in tree.pulls_from("two")] == ["two"]
        assert all(p.ours for p in tree.open_pulls())


class TestWriting:
    """A file is replaced in one step, or left alone."""

    EDIT = Edit("customer.yaml", NEXT.encode(), AT_25.encode())

    @pytest.mark.parametrize("mode", [0o600, 0o644, 0o755], ids=oct)
    def test_bytes_and_mode(self, mode: int, working: Working) -> None:
        place = working.folder / "customer.yaml"
        place.chmod(mode)
        tree_of(working).write(self.EDIT)

        assert place.read_bytes() == AT_25.encode()
        assert stat.S_IMODE(place.stat().st_mode) == mode
        assert sorted(p.name for p in working.folder.iterdir()) == [".git", "customer.yaml"]

    def test_a_file_that_changed_meanwhile(self, working: Working) -> None:
        tree = tree_of(working)
        working.put("customer.yaml", NEXT + "# mine\n")

        with pytest.raises(Declined, match="head-moved"):
            tree.write(self.EDIT)
        assert (working.folder / "customer.yaml").read_text() == NEXT + "# mine\n"

    def test_a_rename_that_fails_leaves_nothing(
        self, working: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tree = tree_of(working)
        monkeypatch.setattr("pathlib.Path.replace", _fail)

        with pytest.raises(Declined, match="path-refused"):
            tree.write(self.EDIT)
        assert (working.folder / "customer.yaml").read_text() == NEXT
        assert sorted(p.name for p in working.folder.iterdir()) == [".git", "customer.yaml"]


class TestGit:
    """Questions to git, with answers instead of failures where an answer is due."""

    def test_no_working_tree(self, tmp_path: Path) -> None:
        assert Git.around(tmp_path) is None

    def test_no_git(self, working: Working, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(working.folder))

        assert Git.around(working.folder) is None

    def test_inside_of_git_s_folder(self, working: Working) -> None:
        with pytest.raises(OutsideFailure, match="must be run in a work tree"):
            Git.around(working.folder / ".git")

    @pytest.mark.parametrize(
        "revision", ["-n1", "--all", "", "nope", "HEAD:customer.yaml", "a..b", "a b", "a\nb"]
    )
    def test_no_commit(self, revision: str, working: Working) -> None:
        git = Git.around(working.folder)

        assert git is not None
        assert git.commit(revision) is None

    @pytest.mark.parametrize("revision", ["HEAD", "main", "@", "main^{commit}", "refs/heads/main", "HEAD^{}"])
    def test_a_commit(self, revision: str, working: Working) -> None:
        git = Git.around(working.folder)

        assert git is not None
        assert git.commit(revision) == working.git("rev-parse", "HEAD").strip()

    def test_a_failure_is_in_git_s_words(self, working: Working) -> None:
        git = Git.around(working.folder)

        assert git is not None
        with pytest.raises(OutsideFailure, match="git: bad revision"):
            git.log("0" * 39 + "x", limit=1)


class TestTree:
    """What could be read, without reading it: of a commit, and of the files as they are now."""

    def test_both_sides(self, working: Working) -> None:
        working.put("apps/new.yaml", "a: 1\n")
        tree = tree_of(working)
        pull = tree.pull(0)
        base, head = tree.tree(pull.base_sha), tree.tree(pull.head_sha)

        assert [f.path for f in base.files] == ["customer.yaml"]
        assert sorted(f.path for f in head.files) == ["apps/new.yaml", "customer.yaml"]
        assert [tree.blob(f.blob).decode() for f in base.files] == [CUSTOMER]
        assert {f.path: tree.blob(f.blob).decode() for f in head.files} == {
            "apps/new.yaml": "a: 1\n",
            "customer.yaml": NEXT,
        }
        assert {f.path: f.size for f in head.files} == {"apps/new.yaml": 5, "customer.yaml": len(NEXT)}
        assert not base.truncated
        assert not head.truncated

    def test_what_git_ignores_and_what_is_gone_is_left_out(self, working: Working) -> None:
        working.commit("More", __gitignore="build/\n", old__yaml="a: 1\n")
        working.put("build/out.yaml", "a: 1\n")
        (working.folder / "old.yaml").unlink()
        (working.folder / "link.yaml").symlink_to("customer.yaml")
        (working.folder / "kept.yaml").symlink_to("customer.yaml")
        working.git("add", "kept.yaml")
        tree = tree_of(working)

        assert sorted(f.path for f in tree.tree(tree.pull(0).head_sha).files) == [
            ".gitignore",
            "customer.yaml",
        ]

    def test_links_and_submodules_of_a_commit_are_no_files(self, working: Working) -> None:
        (working.folder / "link.yaml").symlink_to("customer.yaml")
        first = working.git("rev-parse", "HEAD").strip()
        working.git("update-index", "--add", "--cacheinfo", f"160000,{first},sub")
        working.git("add", "link.yaml")
        working.git("commit", "--quiet", "-m", "Links")
        tree = tree_of(working)

        assert [f.path for f in tree.tree(working.git("rev-parse", "HEAD").strip()).files] == [
            "customer.yaml"
        ]

    def test_a_commit_of_the_bot(self, working: Working) -> None:
        tree = tree_of(working)
        sha = tree.commit_on(tree.pull(0).head_sha, "customer.yaml", AT_25.encode(), "Shift")

        (file,) = tree.tree(sha).files
        assert tree.blob(file.blob) == AT_25.encode()

    def test_a_plain_folder(self, tmp_path: Path) -> None:
        for path in ("b.yaml", "apps/a.yaml", ".hidden/c.yaml", "node_modules/d.yaml"):
            place = tmp_path / "plain" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(path)
        tree = WorkTree(tmp_path / "plain", git=None, base=None, files=(), text="", now=NOON)
        files = tree.tree(tree.pull(0).head_sha).files

        assert [f.path for f in files] == ["b.yaml", "apps/a.yaml"]
        assert [tree.blob(f.blob) for f in files] == [b"b.yaml", b"apps/a.yaml"]

    def test_nothing_holds_nothing(self, working: Working) -> None:
        assert tree_of(working).tree(NOTHING).files == ()

    @pytest.mark.parametrize("name", ["0" * 40, "main", "--all", "", "+0:gone.yaml", "HEAD:customer.yaml"])
    def test_what_is_no_blob(self, name: str, working: Working) -> None:
        with pytest.raises(Missing):
            tree_of(working).blob(name)

    def test_a_commit_is_no_blob(self, working: Working) -> None:
        with pytest.raises(Missing):
            tree_of(working).blob(working.git("rev-parse", "HEAD").strip())

    def test_the_disk_is_listed_once(self, working: Working) -> None:
        tree = tree_of(working)
        head = tree.pull(0).head_sha
        first = tree.tree(head)
        working.put("late.yaml", "a: 1\n")

        assert tree.tree(head) is first


def _fail(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_the_ports_are_kept(working: Working) -> None:
    tree = tree_of(working)
    repository: Repository = tree
    forge: Forge = Here(tree)

    assert forge.repository(0, "any") is repository
    assert list(forge.repositories()) == [(0, "local/shop")]
    assert isinstance(tree.changed_files(tree.pull(0))[0], ChangedFile)
