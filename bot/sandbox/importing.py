"""Copying somebody's repository into the sandbox without writing a byte to it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bot.sandbox.git import GitError, environment

if TYPE_CHECKING:
    from bot.sandbox.git import Git, Signed


def copy_repository(git: Git, source: Path, made: Signed) -> str:
    """Copy the branches of ``source``, and what is not committed there, into an empty repository.

    Uncommitted files (changed, new, deleted; ignored ones are left out) become one commit on the
    current branch. Git's index of the source is not used: the work tree is compared through an
    index of the copy, so not even a time stamp of the source changes.

    Args:
        git: The empty repository.
        source: A work tree, a folder in one, or a bare repository.
        made: Who makes the commit of what was not committed.

    Returns:
        The name of the current branch; ``main`` where HEAD is detached.

    Raises:
        ValueError: ``source`` is no git repository, or has no commit.
    """
    folder = _ask(git, source, "rev-parse", "--absolute-git-dir")
    if folder is None:
        raise ValueError(f"not a git repository: {source}")
    head = _ask(git, source, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if head is None:
        raise ValueError(f"the repository has no commit yet: {source}")
    branch = _ask(git, source, "symbolic-ref", "--quiet", "--short", "HEAD") or "main"
    try:
        git.run(
            "fetch", "--quiet", "--update-shallow", "--no-write-fetch-head", "--no-auto-maintenance", folder,
            "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/sandbox/head",
        )  # fmt: skip
    except GitError as error:
        raise ValueError(f"the repository cannot be read: {error}") from error
    if git.ref(f"refs/heads/{branch}") is None:
        git.update_ref(f"refs/heads/{branch}", head, "")
    git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    top = _ask(git, source, "rev-parse", "--show-toplevel")
    if top:
        _commit_the_rest(git, Path(top), Path(folder), (branch, head), made)
    return branch


def _commit_the_rest(git: Git, top: Path, folder: Path, tip: tuple[str, str], made: Signed) -> None:
    branch, head = tip
    with tempfile.TemporaryDirectory(dir=git.path) as scratch:
        here = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), "GIT_WORK_TREE": str(top)}
        excludes = folder / "info" / "exclude"
        quiet = ("-c", "advice.addEmbeddedRepo=false", "-c", "core.bare=false")
        excluding = ("-c", f"core.excludesFile={excludes}") if excludes.is_file() else ()
        git.run("read-tree", head, env=here)
        git.run(
            *quiet, *excluding, "-C", str(top), "add", "--all", "--ignore-errors", ".", ok=(0, 1), env=here
        )
        tree = git.run("write-tree", env=here).decode().strip()
    if tree != git.commit(head).tree:
        sha = git.write_commit(tree, [head], "Work that is not committed yet", made)
        git.update_ref(f"refs/heads/{branch}", sha, head)


def _ask(git: Git, source: Path, *arguments: str) -> str | None:
    """Ask git about the source; ``None`` for no."""
    done = subprocess.run(
        ["git", "-C", str(source), *arguments],
        capture_output=True,
        check=False,
        env=environment(git.configuration),
    )
    return done.stdout.decode("utf-8", "surrogateescape").strip() or None if done.returncode == 0 else None
