"""Whether a file is the bot's to edit: who else sets the split, which program writes the file, what Cloud Run says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bot.core import cloudrun, generated, owners
from bot.core.discovery import SUFFIXES
from bot.core.doctor.documents import read_all
from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.manifests import holding
from bot.manifests.source import LARGEST_FILE
from bot.ports import Missing, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.owners import Holder
    from bot.core.traffic import Split
    from bot.ports import Repository, TreeFile
    from bot.service.reading import Held

MOST_NEIGHBOURS = 20  # files of the folder that are read for a controller that names a route
_TELLING = ("rollout", "canary", "canaries", "flagger")  # in the names of files of such controllers


_DOUBTFUL = frozenset({"templates", "vendor"})  # folders whose names raise a doubt, and prove nothing


@dataclass(frozen=True)
class Paths:
    """The files of a commit, listed when the first is asked for."""

    repo: Repository
    sha: str

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset(file.path for file in self.repo.tree(self.sha).files)

    def __contains__(self, path: object) -> bool:
        return path in self._all


def by_a_program(repo: Repository, path: str, content: bytes, branch: str, sha: str) -> Problem | None:
    """Give why a file is a program's and not a person's; the tree is listed only where its path raises the doubt.

    Raises:
        Missing: There is no such commit.
    """
    doubtful = not _DOUBTFUL.isdisjoint(path.split("/")[:-1])
    beside = Paths(repo, sha) if doubtful else None
    return generated.refusal(path, branch, paths=beside, content=content)


def check_file(repo: Repository, held: Held, holder: Holder, branch: str, sha: str) -> None:
    """Refuse a file that a program writes, and an object whose split somebody else sets.

    Args:
        repo: The repository.
        held: The manifest that would be edited.
        holder: The same, see ``holder_of``.
        branch: The branch that it would be edited on.
        sha: The commit that ``held`` was read at.

    Raises:
        Declined: ``generated-branch``, ``vendored-file``, ``helm-template``, ``generated-file``,
            ``foreign-controller``.
    """
    refused = by_a_program(repo, held.file.path, held.file.content, branch, sha)
    if refused is not None:
        raise Declined(refused)
    problems = owners.verdict(holder) or owners.named_by(holder, _files(repo, held, sha))
    if problems:
        raise Declined(*problems)


def refusals(held: Held, holder: Holder, split: Split) -> tuple[Problem, ...]:
    """Give what Cloud Run would say against a split of one of its services."""
    facts = holding.on_cloud_run(held.manifest, holder, split)
    return () if facts is None else cloudrun.problems(facts)


def cautions(held: Held, holder: Holder, split: Split) -> tuple[Problem, ...]:
    """Give what a reviewer should know of the file before it moves traffic; nothing of it forbids that."""
    found = list(owners.cautions(holder))
    marker = owners.image_marker(held.file.content, held.file.path)
    facts = holding.on_cloud_run(held.manifest, holder, split)
    return (*found, *([marker] if marker else []), *(cloudrun.cautions(facts) if facts else ()))


def left_unread(repo: Repository, held: Held, sha: str) -> tuple[Problem, ...]:
    """Give a caution where not all files beside a route were read; asks for nothing that was not asked for."""
    near = _near(repo, held, sha) if held.manifest.rules else []
    left = len(near) - MOST_NEIGHBOURS
    if left <= 0:
        return ()
    return (
        Problem(
            "foreign-controller",
            f"Of {len(near)} other manifests in the folder {left} {'was' if left == 1 else 'were'} not read: a "
            f"controller that sets the weights of {code(held.manifest.name)} may be named there.",
            "Where Argo Rollouts or Flagger has this route, two writers would fight: look before you merge.",
            Place(held.file.path),
        ),
    )


def holder_of(held: Held) -> Holder:
    """Give the object with its labels and owners."""
    return holding.holder_of(held.file.content, held.manifest)


def _files(repo: Repository, held: Held, sha: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Give the files that may name a controller of the object: its own; beside a route the whole folder."""
    content = held.file.content
    if owners.may_name_owner(content):
        yield held.file.path, read_all(_text(content)) or ()
    if not held.manifest.rules:
        return
    for file in _near(repo, held, sha)[:MOST_NEIGHBOURS]:
        try:
            beside = repo.blob(file.blob)
        except (Missing, Refused, Declined):
            continue
        if owners.may_name_owner(beside):
            yield file.path, read_all(_text(beside)) or ()


def _near(repo: Repository, held: Held, sha: str) -> list[TreeFile]:
    """Give the other manifests of the folder; those first whose names speak of a controller, or of the object."""
    folder = held.file.path.rpartition("/")[0]
    near = [
        file
        for file in repo.tree(sha).files
        if file.path.rpartition("/")[0] == folder
        and file.path != held.file.path
        and file.path.endswith(SUFFIXES)
        and file.size <= LARGEST_FILE
    ]

    def order(file: TreeFile) -> tuple[bool, bool, str]:
        name = file.path.rpartition("/")[2].lower()
        return not any(word in name for word in _TELLING), held.manifest.name not in name, file.path

    return sorted(near, key=order)


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace")
