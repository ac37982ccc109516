"""Which working tree, which base and which files a command at the prompt is about."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.adapters.local_git import Git
from bot.adapters.worktree import Base
from bot.core import trailers
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.manifests.source import LARGEST_FILE
from bot.manifests.workload import may_hold
from bot.ports import ChangedFile

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES = (".yaml", ".yml", ".json")
LOOKED_BACK = 100  # commits, for rollouts
# The base branch of most repositories; what the remote says is newer than what the clone says.
_USUAL = (
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
    "refs/heads/main",
    "refs/heads/master",
)


@dataclass(frozen=True, slots=True)
class Found:
    """The place. ``differs`` says whether any of ``files`` differs from the base."""

    root: Path
    git: Git | None
    base: Base | None
    files: tuple[ChangedFile, ...]
    differs: bool


def locate(folder: Path, files: Sequence[Path], base: str | None) -> Found:
    """Find the working tree of the files, or of the folder, and what to compare it with.

    Args:
        folder: Where the command was typed.
        files: As typed; none means what differs from the base.
        base: A revision as typed, or ``None`` for the place where ``HEAD`` left the main branch.

    Raises:
        Declined: With all problems of the files; ``no-worktree``, ``unknown-base``.
        OutsideFailure: git failed.
    """
    problems = [p for file in files if (p := _problem_of(folder, file)) is not None]
    if problems:
        raise Declined(*problems)
    places = [_place(folder, file) for file in files]
    git = Git.around(places[0].parent if places else folder)
    if git is None:
        return _without_git(folder, places, base)
    paths = [_inside(place, git.top, file) for place, file in zip(places, files, strict=True)]
    head = git.commit("HEAD")
    if head is None:
        return _without_git(git.top, places, base)
    start = _base(git, head, base)
    changed = git.changed(start.fork)
    if not paths:
        return Found(git.top, git, start, changed, any(f.path.endswith(SUFFIXES) for f in changed))
    known = {file.path: file for file in changed}
    wanted = tuple(known.get(path, ChangedFile(path, "unchanged")) for path in paths)
    return Found(git.top, git, start, wanted, any(path in known for path in paths))


def only_rollouts(found: Found) -> Found:
    """Take the files whose rollouts the base's history knows, where it knows any."""
    if found.git is None or found.base is None:
        return found
    commits = found.git.log(found.base.fork, limit=LOOKED_BACK)
    keys = [record.service for commit in commits for record in trailers.records(commit.message)]
    paths = dict.fromkeys(key.partition("#")[0] for key in keys)
    files = tuple(ChangedFile(path, "unchanged") for path in paths if (found.root / path).is_file())
    return replace(found, files=files) if files else found


def _place(folder: Path, file: Path) -> Path:
    """Give a file's place with its folder resolved; the file itself may be no link."""
    whole = folder / file
    return whole.parent.resolve() / whole.name


def _inside(place: Path, root: Path, file: Path) -> str:
    if not place.is_relative_to(root):
        raise Declined(
            Problem(
                "path-refused",
                f"{code(str(file))} is not in the working tree of the first file.",
                "Name files of one repository.",
            )
        )
    return place.relative_to(root).as_posix()


def _without_git(folder: Path, places: Sequence[Path], base: str | None) -> Found:
    if base is not None or not places:
        what = (
            "`--base` compares with a commit, and there is none here."
            if base is not None
            else ("This is no git working tree with a commit, and no file is named.")
        )
        raise Declined(Problem("no-worktree", what, "Name the manifest, or go to a git repository."))
    root = folder.resolve()
    if not all(place.is_relative_to(root) for place in places):
        root = Path(os.path.commonpath([place.parent for place in places]))
    files = tuple(ChangedFile(_inside(place, root, place), "added") for place in places)
    return Found(root, None, None, files, differs=True)


def _problem_of(folder: Path, file: Path) -> Problem | None:
    """Say why a file that was named cannot be looked at, ``None`` when it can."""
    place, name = folder / file, code(str(file))
    try:
        found = place.lstat()
    except (OSError, ValueError):
        return Problem("file-missing", f"There is no file {name}.", "Look at the spelling.")
    if stat.S_ISDIR(found.st_mode):
        return Problem("path-refused", f"{name} is a folder.", "Name the manifests in it.")
    if not stat.S_ISREG(found.st_mode):
        return Problem("path-refused", f"{name} is a link or no plain file.", "Name the file itself.")
    if not file.name.endswith(SUFFIXES):
        return Problem(
            "no-service", f"{name} is no manifest: its name does not end in {' or '.join(SUFFIXES)}."
        )
    if found.st_size > LARGEST_FILE:
        return Problem(
            "file-too-large",
            f"{name} has {found.st_size} bytes; files up to {LARGEST_FILE} bytes are edited.",
        )
    try:
        content = place.read_bytes()
    except OSError as error:
        return Problem("path-refused", f"{name} cannot be read: {error.strerror}.")
    if not may_hold(content):
        return Problem(
            "no-service",
            f"{name} holds no split: no Knative Service or Route, no VirtualService, no route of the Gateway API.",
        )
    return None


def _base(git: Git, head: str, wanted: str | None) -> Base:
    """Find the base: as named, else the main branch, else ``HEAD`` itself.

    The working tree is compared with the place where its history left the base branch, as a pull request is.
    """
    if wanted is not None:
        tip = git.commit(wanted)
        if tip is None:
            raise Declined(
                Problem(
                    "unknown-base", f"{code(wanted)} is no commit of this repository.", "Try `--base HEAD`."
                )
            )
        return Base(wanted, tip, git.merge_base(tip, head) or tip)
    for reference in _USUAL:
        tip = git.commit(reference)
        fork = git.merge_base(tip, head) if tip is not None else None
        if tip is not None and fork is not None:
            return Base(_short(git, reference), tip, fork)
    return Base("HEAD", head, head)


def _short(git: Git, reference: str) -> str:
    shown = git.branch_of(reference) or reference.removeprefix("refs/heads/").removeprefix("refs/remotes/")
    return shown.removeprefix("origin/")
