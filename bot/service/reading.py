"""Facts: which services a pull request touches, and where their rollouts stand.

Everything is read at a full sha, so that what was read together belongs together and
can be cached for ever.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from bot.core import trailers
from bot.core.discovery import Hit
from bot.core.problems import Declined, Place, Problem
from bot.core.rollout import Phase, Rollout, Version, current, names_of, state_of
from bot.core.text import code
from bot.core.traffic import Shape, Split
from bot.manifests import workload
from bot.manifests.workload import SERVICE
from bot.ports import File, Missing, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.trailers import Record
    from bot.manifests.workload import Workload
    from bot.ports import ChangedFile, Commit, Pull, Repository

_MANIFEST = (".yaml", ".yml", ".json")
_SQUASHED = re.compile(r"\(#([0-9]{1,9})\)$", re.ASCII)
LOOK_UPS = 3  # squash and rebase merges whose pull requests are asked for the bot's commits
CACHED = 2000


@dataclass(frozen=True, slots=True)
class Service:
    """One service or route of a file on one base branch. ``id`` is that of ``bot.manifests.workload``."""

    base: str
    path: str
    id: str

    @property
    def name(self) -> str:
        """The service's name."""
        return self.id.rpartition("/")[2]

    @property
    def hit(self) -> Hit:
        """The object as a search gives it, without its line."""
        kind, mark, own = self.id.rpartition(":")
        namespace, _, name = own.partition("/")
        return Hit(self.path, kind if mark else SERVICE, namespace, name, 1)

    @property
    def key(self) -> str:
        """``path#namespace/name``, as the trailers have it."""
        return f"{self.path}#{self.id}"

    @property
    def what(self) -> str:
        """The subject to look at, see ``bot.ports.Subject``."""
        return f"service/{self.base}:{self.key}"

    @classmethod
    def parse(cls, base: str, key: str) -> Service | None:
        """Read ``path#namespace/name``."""
        path, mark, name = key.rpartition("#")
        return cls(base, path, name) if mark and path and "/" in name else None


@dataclass(frozen=True, slots=True)
class Held:
    """A service's manifest in a file at one commit."""

    file: File
    manifest: Workload

    @property
    def version(self) -> Version:
        """The manifest as the core wants it."""
        m = self.manifest
        return Version(m.split, m.template, m.template_name, m.names_revisions)

    @property
    def place(self) -> Place:
        """Where the traffic block stands, or the document."""
        return self.manifest.place

    def at(self, route: str | None) -> Held:
        """Give the manifest with the rule that is meant. Raises ``Declined``: ``which-route``."""
        return replace(self, manifest=self.manifest.at(route))


@dataclass(frozen=True, slots=True)
class Touched:
    """A service that a pull request changes; a side is ``None`` where it has no such service."""

    service: Service
    before: Held | None
    target: Held | None

    def at(self, route: str | None) -> Touched:
        """Give both sides with the rule that is meant. Raises ``Declined``: ``which-route``."""
        before = self.before
        with suppress(Declined):  # the rule may be new here
            before = None if before is None else before.at(route)
        return replace(self, before=before, target=None if self.target is None else self.target.at(route))


def read_held(repo: Repository, path: str, manifest_id: str, sha: str) -> Held | None:
    """Give a service's manifest at a commit, ``None`` when it is not there.

    Raises:
        Declined: The file or the document cannot be read, or two documents match.
    """
    file = read_file(repo, path, sha)
    if file is None:
        return None
    found = workload.find(file.content, path, name=manifest_id.rpartition("/")[2])
    hits = [w for w in found.workloads if w.id == manifest_id]
    if len(hits) > 1:
        lines = ", ".join(str(m.line) for m in hits)
        raise Declined(
            Problem(
                "ambiguous-document",
                f"{len(hits)} documents of {code(path)} are the service {code(manifest_id)} (lines {lines}).",
                "Keep one of them.",
            )
        )
    if not hits and found.problems:
        raise Declined(*found.problems)
    return Held(file, hits[0]) if hits else None


def read_file(repo: Repository, path: str, sha: str) -> File | None:
    """Give a file at a commit, ``None`` when it is not there.

    Raises:
        Declined: ``path-refused``.
    """
    try:
        return repo.file(path, sha)
    except Refused:
        raise Declined(
            Problem(
                "path-refused",
                f"{code(path)} is no plain file that the bot may write.",
                "Links, submodules and files under `.git*` are never edited.",
            )
        ) from None


def touched(
    repo: Repository, pull: Pull, files: Iterable[ChangedFile], *, before: str, target: str
) -> tuple[Touched, ...]:
    """Give the services whose document differs between two commits, in the ``files`` that a pull request changes.

    Raises:
        Declined: A changed file looks like it holds a service and cannot be read.
    """
    result: list[Touched] = []
    problems: list[Problem] = []
    for changed in files:
        if not changed.path.endswith(_MANIFEST):
            continue
        try:
            result += _touched_in(repo, pull, changed, before, target)
        except Declined as error:
            problems += error.problems
    if not result and problems:
        raise Declined(*problems)
    return tuple(result)


def _touched_in(
    repo: Repository, pull: Pull, changed: ChangedFile, before: str, target: str
) -> Iterable[Touched]:
    new = read_file(repo, changed.path, target)
    if new is None or not workload.may_hold(new.content):
        return []
    old = read_file(repo, changed.previous_path or changed.path, before)
    olds = _by_id(old)
    # Where the base branch went on, a difference may be its doing: the pull request must differ from both.
    first = old if pull.base_sha == before else read_file(repo, changed.path, pull.base_sha)
    firsts = olds if first is old else _by_id(first)
    found = workload.find(new.content, changed.path)
    hits = []
    for manifest in found.workloads:
        was = olds.get(manifest.id)
        began = firsts.get(manifest.id)
        if _splits(was, manifest) and _differs(was, manifest) and _differs(began, manifest):
            held = Held(old, was) if old is not None and was is not None else None
            service = Service(pull.base_ref, changed.path, manifest.id)
            hits.append(Touched(service, held, Held(new, manifest)))
    if not hits and found.problems:
        raise Declined(*found.problems)
    return hits


def _by_id(file: File | None) -> dict[str, Workload]:
    return {} if file is None else {w.id: w for w in workload.find(file.content, file.path).workloads}


def _splits(*sides: Workload | None) -> bool:
    """Whether there is traffic to shift: most routes of meshes and gateways have one destination a rule."""
    there = [side for side in sides if side is not None]
    return any(
        not side.rules or any(len(rule.weights.destinations) > 1 for rule in side.rules) for side in there
    )


def _differs(one: Workload | None, other: Workload) -> bool:
    return one is None or one.content != other.content


class Historian:
    """Reads the bot's records out of a branch's history; remembers what cannot change."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[Record, ...]] = OrderedDict()
        self._lock = Lock()

    def records(self, repo: Repository, service: Service, sha: str) -> tuple[Record, ...]:
        """Give a service's records, newest first, from the commits that changed its file."""
        return tuple(r for r in self.all_records(repo, service.path, sha) if r.service == service.key)

    def all_records(self, repo: Repository, path: str, sha: str) -> tuple[Record, ...]:
        """Give the records of all services of a file, newest first."""
        result: list[Record] = []
        look_ups = LOOK_UPS
        for commit in repo.history(path, sha):
            said = trailers.records(commit.message)
            own = tuple(reversed(said)) if commit.ours else ()
            squashed = _SQUASHED.search(commit.message.partition("\n")[0])
            if not own and (said or squashed is not None) and look_ups:
                look_ups -= 1
                own = self._of_pull(repo, commit, None if squashed is None else int(squashed[1]))
            result += own
        return tuple(result)

    def _of_pull(self, repo: Repository, commit: Commit, number: int | None) -> tuple[Record, ...]:
        """Give the records of the pull request that brought a commit which is not the bot's own any more.

        A squash puts the pull request's number into the subject. A rebase keeps the message, and GitHub does
        not sign the commit that it makes anew: without a number GitHub itself is asked.
        """
        key = (repo.name, commit.sha)
        with self._lock:
            if key in self._known:
                return self._known[key]
        found: tuple[Record, ...] = ()
        try:
            if number is None:
                brought = repo.pull_of_commit(commit.sha)
                if brought is None:
                    return ()  # not remembered: GitHub may know a moment later
                found = tuple(reversed(records_of_pull(repo, brought.number)))
            else:
                # The subject is anybody's text: the pull request must name this very commit as its merge.
                found = tuple(reversed(records_of_pull(repo, number)))
                if found and repo.pull(number).merge_sha != commit.sha:
                    found = ()
        except Missing:
            pass
        with self._lock:
            self._known[key] = found
            while len(self._known) > CACHED:
                self._known.popitem(last=False)
        return found


def records_of_pull(repo: Repository, number: int) -> tuple[Record, ...]:
    """Give the records of the bot's commits in a pull request, oldest first."""
    commits = (c for c in repo.commits_of(number) if c.ours)
    return tuple(record for commit in commits for record in trailers.records(commit.message))


@dataclass(frozen=True, slots=True)
class Standing:
    """A service on its base branch: the manifest, the state, and the commit both were read at.

    ``lost`` says which rule or destination of a drifted rollout is not there any more: no step leads on or back.
    """

    service: Service
    tip: str
    held: Held | None
    rollout: Rollout
    records: tuple[Record, ...]
    lost: Problem | None = None

    @property
    def path(self) -> str:
        """Where the manifest is now; the rollout goes by the name that it began with."""
        return self.held.file.path if self.held is not None else self.service.path

    @property
    def split(self) -> Split:
        """The split on the base branch, with defaults."""
        return self.held.version.split if self.held is not None else Split(())


def standing(repo: Repository, historian: Historian, service: Service, tip: str) -> Standing:
    """Read a service on its base branch.

    Raises:
        Declined: The manifest cannot be read.
    """
    held = read_held(repo, service.path, service.id, tip)
    records = historian.records(repo, service, tip) if held is not None else ()
    return stands(service, tip, held, records)


def stands(service: Service, tip: str, held: Held | None, records: tuple[Record, ...]) -> Standing:
    """Tell where a service stands by its manifest and its records, newest first."""
    record = current(records)
    lost = None
    if held is not None and held.manifest.rules and record is not None:
        try:
            held = held.at(record.route or None)
            lost = _missing(held, record)
        except Declined as declined:
            lost = declined.problems[0]
            nothing = Split((), Shape.WEIGHTS, exact=False)
            held = replace(held, manifest=replace(held.manifest, rule=None, split=nothing))
    split = held.version.split if held is not None else Split(())
    rollout = state_of(split, records)
    return Standing(service, tip, held, rollout, records, lost if rollout.phase is Phase.DRIFTED else None)


def _missing(held: Held, record: Record) -> Problem | None:
    names = names_of(held.version.split)
    gone = next((name for name in (record.stable, record.candidate) if name not in names), None)
    if gone is None:
        return None
    return Problem(
        "which-destination",
        f"The rule has no destination {code(gone)} any more, and the rollout is about that one.",
        "Put it back; or set the weights by hand, and begin anew.",
        held.place,
    )
