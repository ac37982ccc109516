"""What the sandbox reads and writes in git's own files is what git itself reads and writes there."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.sandbox import objects
from bot.sandbox.git import ABSENT, CONFIGURATION, Git, GitError, Signed

if TYPE_CHECKING:
    from pathlib import Path

WHEN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MONA = ("Mona Lisa", "mona@example.org")
MADE = Signed(MONA, MONA, WHEN, WHEN, sign=False)
SOME = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = ("a", "b", "a b.txt", "a.b", "a-", ".github", "A")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
CHANGES = st.lists(
    st.tuples(PATHS, st.sampled_from(["100644", "100755", "120000"]), st.none() | st.binary(max_size=3)),
    max_size=6,
)


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Git:
    folder = tmp_path_factory.mktemp("git")
    configuration = folder / "gitconfig"
    configuration.write_text(CONFIGURATION)
    return Git.init(folder / "one.git", configuration)


def stored(git: Git, changes: list[tuple[str, str, bytes | None]]) -> list[tuple[str, str, str | None]]:
    return [
        (path, mode, None if content is None else git.write_blob(content)) for path, mode, content in changes
    ]


def by_git(git: Git, base: str | None, changes: list[tuple[str, str, str | None]], index: Path) -> str:
    """Write a tree with git's own index."""
    env = {"GIT_INDEX_FILE": str(index)}
    index.unlink(missing_ok=True)
    if base is not None:
        git.run("read-tree", base, env=env)
    lines = [f"{mode if sha else '0'} {sha or ABSENT}\t{path}\0" for path, mode, sha in changes]
    git.run("update-index", "-z", "--replace", "--index-info", stdin="".join(lines).encode(), env=env)
    return git.run("write-tree", env=env).decode().strip()


class TestObjects:
    """Of any content."""

    @SOME
    @given(content=st.binary(max_size=300))
    def test_blob(self, git: Git, content: bytes) -> None:
        sha = git.write_blob(content)
        assert sha == git.run("hash-object", "-t", "blob", "--stdin", stdin=content).decode().strip()
        assert git.run("cat-file", "blob", sha) == content == Git(git.path, git.configuration).blob(sha)

    @SOME
    @given(before=CHANGES, after=CHANGES)
    def test_tree_after_changes(
        self,
        git: Git,
        tmp_path: Path,
        before: list[tuple[str, str, bytes | None]],
        after: list[tuple[str, str, bytes | None]],
    ) -> None:
        """Files over folders, folders over files, and what is deleted without being there."""
        old, new = stored(git, before), stored(git, after)
        base = by_git(git, None, old, tmp_path / "index")
        assert objects.changed(git.objects, None, old) == base
        assert objects.changed(git.objects, base, new) == by_git(git, base, new, tmp_path / "index")

    @SOME
    @given(changes=CHANGES, path=PATHS)
    def test_entry(self, git: Git, changes: list[tuple[str, str, bytes | None]], path: str) -> None:
        commit = git.write_commit(git.write_tree(None, stored(git, changes)), [], "m", MADE)
        found = git._entries("ls-tree", "-z", "-l", "--full-tree", commit, "--", path)
        assert git.entry(commit, path) == (found[0] if found else None)

    @pytest.mark.parametrize(
        "path",
        [".git/x", ".GIT", "a/../b", "./a", "a//b", "git~1/a", ".gitmodules", "ä", "a\\b", "a.", "a ", ""],
    )
    def test_a_path_that_git_may_refuse_is_left_to_git(self, git: Git, path: str) -> None:
        blob = git.write_blob(b"x")
        assert objects.changed(git.objects, None, [(path, "100644", blob)]) is None

    def test_a_blob_that_is_not_there_is_refused(self, git: Git) -> None:
        with pytest.raises(GitError, match="invalid object"):
            git.write_tree(None, [("a", "100644", "1" * 40)])

    def test_git_finds_nothing_wrong(self, git: Git) -> None:
        git.write_commit(git.write_tree(None, stored(git, [("a/b", "100755", b"1")])), [], "m\n", MADE)
        git.run("fsck", "--strict")


class TestRefs:
    """As they are at this moment, whoever changed them."""

    @pytest.fixture
    def shop(self, tmp_path: Path) -> Git:
        (tmp_path / "gitconfig").write_text(CONFIGURATION)
        return Git.init(tmp_path / "shop.git", tmp_path / "gitconfig")

    def test_changed_by_another_program(self, shop: Git) -> None:
        one, two = (shop.write_commit(shop.write_tree(None, []), [], text, MADE) for text in "12")
        for sha in (one, two):
            subprocess.run(["git", "--git-dir", shop.path, "update-ref", "refs/heads/x/y", sha], check=True)
            assert shop.ref("refs/heads/x/y") == shop.resolve("x/y") == sha
            assert shop.refs() == {"x/y": sha}
        subprocess.run(["git", "--git-dir", shop.path, "update-ref", "-d", "refs/heads/x/y"], check=True)
        assert (shop.ref("refs/heads/x/y"), shop.resolve("x/y"), shop.refs()) == (None, None, {})

    @pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
    def test_listed_in_gits_order(self, shop: Git, *, packed: bool) -> None:
        sha = shop.write_commit(shop.write_tree(None, []), [], "m", MADE)
        names = ["main", "a/b", "a-b", "a.b", "Z", "canary/customer/1/50"]
        for name in names:
            shop.update_ref(f"refs/heads/{name}", sha, ABSENT)
        shop.update_ref("refs/pull/1/head", sha, ABSENT)
        if packed:
            shop.run("pack-refs", "--all")
        lines = shop.run("for-each-ref", "--format=%(refname)", "refs/heads/").decode().split()
        assert [f"refs/heads/{name}" for name in shop.refs()] == lines
        assert all(shop.ref(line) == sha for line in lines)

    def test_a_branch_of_a_name_that_is_a_sha_does_not_hide_the_commit(self, shop: Git) -> None:
        one, two = (shop.write_commit(shop.write_tree(None, []), [], text, MADE) for text in "12")
        shop.update_ref(f"refs/heads/{one}", two, ABSENT)
        assert shop.resolve(one) == one


class TestHistory:
    """Of any shape: the same commits in the same order as git gives them."""

    @SOME
    @given(parents=st.lists(st.lists(st.integers(0, 20), max_size=2), min_size=1, max_size=9))
    def test_as_git_says(self, git: Git, parents: list[list[int]]) -> None:
        tree, made = git.write_tree(None, []), list[str]()
        for number, chosen in enumerate(parents):
            above = list(dict.fromkeys(made[one % number] for one in chosen if number))
            made.append(git.write_commit(tree, above, f"{number}", replace(MADE, sign=False)))
        for one, other in product(made, made):
            log = git.run("rev-list", "--topo-order", one, f"^{other}").decode().split()
            assert [commit.sha for commit in git.log(one, f"^{other}")] == log
            before = git.answer("merge-base", "--is-ancestor", one, other, ok=(0, 1))[0] == 0
            assert git.is_ancestor(one, other) == before
            bases = git.answer("merge-base", "--all", one, other, ok=(0, 1))[1].decode().split()
            base = git.merge_base(one, other)
            assert base in bases if bases else base is None

    def test_merging_what_only_one_side_changed(self, git: Git) -> None:
        base = git.write_commit(git.write_tree(None, stored(git, [("a", "100644", b"1")])), [], "b", MADE)
        head = git.write_commit(git.write_tree(None, stored(git, [("a", "100644", b"2")])), [base], "h", MADE)
        for pair in ((base, head), (head, base)):
            said = git.run("merge-tree", "--write-tree", *pair).decode().strip()
            assert git.merge_tree(*pair) == git.commit(head).tree == said
