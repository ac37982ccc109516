"""A branch's history as ``bot.core.audit`` wants it: commits, splits of manifests, and what merges brought."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.core.audit import Landed, Said, Unit
from bot.entry.locate import SUFFIXES
from bot.manifests import workload
from bot.manifests.source import LARGEST_FILE
from bot.manifests.weighted import may_have_routes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bot.adapters.local_git import Git, Landing
    from bot.core.traffic import Split

AT_ONCE = 200  # contents that are held in memory together
MARK = "Canary-Service"
_GLOBS = tuple(f"*{suffix}" for suffix in SUFFIXES)
Splits = dict[tuple[str, str, str], "Split"]
"""The splits of one content, by the object's id, the rule, and the rule's fingerprint."""

# A name of one plain word; what YAML reads as something else than text is none.
_WORD = r"(?!(?:y|n|yes|no|on|off|true|false|null)\b)[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAMED = re.compile(
    rf"^([ \t]*(?:- )?(?:revisionName|name):[ ]+)({_WORD})(?=[ ]*(?:[ ]#.*)?$)", re.MULTILINE | re.ASCII
)
_IMAGE = re.compile(
    r"^([ \t]*(?:- )?image:[ ]+)[A-Za-z0-9](?:[A-Za-z0-9._/:@-]*[A-Za-z0-9])?(?=[ ]*$)",
    re.MULTILINE | re.ASCII,
)
# Printable ASCII alone: other characters may end a line.
_COMMENT = re.compile(r"^([ \t]*#)[ -~\t]*$", re.MULTILINE)
_STAND_IN = "zz-audit-"
_STOOD_IN = re.compile(rf"{_STAND_IN}([0-9]+)-zz", re.ASCII)


@dataclass(slots=True)
class History:
    """Reads contents once each, and remembers only their splits."""

    git: Git
    missing: set[str] = field(
        default_factory=set
    )  # blobs that the clone does not have, or that are too large
    _read: dict[str, Splits | None] = field(default_factory=dict)
    _like: dict[bytes, Splits | None] = field(default_factory=dict)

    def landed(self, until: str, paths: Sequence[str]) -> tuple[Landed, ...]:
        """Give the first-parent line behind a full sha, the oldest first.

        Args:
            until: The newest commit.
            paths: Files and folders of the repository; none means all manifests.
        """
        line = self.git.line(until, paths, globs=() if paths else _GLOBS)
        noted = {sha: Said(sha, author, text) for sha, author, text in self.git.mentioning(until, MARK)}
        brought = _brought(line, self.git.parents(until), noted) if noted else {}
        found: list[Landed] = []
        for start in range(0, len(line), AT_ONCE):
            some = line[start : start + AT_ONCE]
            self._fetch(blob for landing in some for path, blob in landing.files if blob and _may(path))
            found += [self._landed(landing, brought.get(landing.sha, ())) for landing in some]
        return tuple(reversed(found))

    def held(self, sha: str, unit: Unit) -> Split | None:
        """Give the split of a unit at any commit."""
        if "\n" in unit.path:
            return None
        content = self.git.contents((f"{sha}:{unit.path}",), largest=LARGEST_FILE)
        splits = next((self._splits(c) for c in content.values()), None)
        same = [at for at in splits or {} if at[0] == unit.id and unit.seen and at[2] == unit.seen]
        same = same or [at for at in splits or {} if at[:2] == (unit.id, unit.route)]
        return splits[same[0]] if splits is not None and len(same) == 1 else None

    def _landed(self, landing: Landing, said: tuple[Said, ...]) -> Landed:
        files: dict[str, Mapping[Unit, Split] | None] = {}
        for path, blob in landing.files:
            if _may(path):
                splits: Splits | None = {} if blob is None else self._read.get(blob)
                files[path] = (
                    None
                    if splits is None
                    else {Unit(f"{path}#{id_}", rule, seen): s for (id_, rule, seen), s in splits.items()}
                )
        merge = len(landing.parents) > 1
        return Landed(
            landing.sha, landing.at, landing.author, landing.committer, landing.message, merge, files, said
        )

    def _fetch(self, blobs: Iterable[str]) -> None:
        wanted = [blob for blob in dict.fromkeys(blobs) if blob not in self._read]
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            contents = self.git.contents(some, largest=LARGEST_FILE)
            for blob in some:
                if blob not in contents:
                    self.missing.add(blob)
                self._read[blob] = self._splits(contents[blob]) if blob in contents else None

    def _splits(self, content: bytes) -> Splits | None:
        """Give the splits of a content, ``None`` where a document that seems to hold one cannot be read.

        Most commits of a manifest write another image, or the same block with other revisions: what differs in
        such words alone is read once.
        """
        if not workload.may_hold(content):
            return {}
        masked, names = _masked(content)
        if masked not in self._like:
            self._like[masked] = splits_of(masked)
        like = self._like[masked]
        named = None if like is None else _unmasked(like, names)
        return splits_of(content) if named is None else named


def splits_of(content: bytes) -> Splits | None:
    """Read the splits of a content; ``None`` where it seems to hold one and cannot be read."""
    found = workload.find(content, "")
    splits: Splits = {}
    for one in found.workloads:
        if not one.rules:
            splits[one.id, "", ""] = one.split
        for rule in one.rules:
            name, _, seen = replace(one, rule=rule).route.partition("~")
            splits[one.id, name, seen] = workload.split_of(rule.weights)
    return None if found.problems and not splits else splits


def _may(path: str) -> bool:
    return path.endswith(SUFFIXES)


def _masked(content: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Give a content with stand-ins for names and images and without the words of comments, and the names.

    Knative's readers never compare names; those of routes do, so names stay in files that hold any.
    """
    text = content.decode("latin-1")
    if _STAND_IN in text:
        return content, ()
    names: dict[str, int] = {}

    def stand_in(found: re.Match[str]) -> str:
        return f"{found[1]}{_STAND_IN}{names.setdefault(found[2], len(names))}-zz"

    text = _COMMENT.sub(r"\1", _IMAGE.sub(r"\1image", text))
    if not may_have_routes(content):
        text = _NAMED.sub(stand_in, text)
    return text.encode("latin-1"), tuple(names)


def _unmasked(splits: Splits, names: tuple[str, ...]) -> Splits | None:
    """Give the splits with their own names; ``None`` where a stand-in did not come through whole."""
    if not names:
        return splits
    result: Splits = {}
    for (id_, rule, seen), split in splits.items():
        kind, _, name = id_.rpartition("/")
        targets = tuple(replace(t, revision=_own(t.revision, names)) for t in split.targets)
        result[f"{kind}/{_own(name, names)}", rule, seen] = replace(split, targets=targets)
    shown = (
        word for (id_, *_), s in result.items() for word in (id_, *(t.revision or "" for t in s.targets))
    )
    return None if any(_STAND_IN in word for word in shown) else result


def _own(text: str | None, names: tuple[str, ...]) -> str | None:
    found = _STOOD_IN.fullmatch(text or "")
    return text if found is None else names[int(found[1])]


def _brought(
    line: Sequence[Landing], parents: Mapping[str, tuple[str, ...]], noted: Mapping[str, Said]
) -> dict[str, tuple[Said, ...]]:
    """Give the commits with trailers that each merge of the line brought, the oldest first."""
    place = {sha: number for number, sha in enumerate(parents)}
    seen: set[str] = set()
    found: dict[str, tuple[Said, ...]] = {}
    for landing in reversed(line):
        seen.add(landing.sha)
        own = [sha for sha in _behind(landing.parents[1:], parents, seen) if sha in noted]
        if own:
            found[landing.sha] = tuple(noted[sha] for sha in sorted(own, key=place.__getitem__))
    return found


def _behind(tips: Iterable[str], parents: Mapping[str, tuple[str, ...]], seen: set[str]) -> Iterator[str]:
    waiting = list(tips)
    while waiting:
        sha = waiting.pop()
        if sha not in seen and sha in parents:
            seen.add(sha)
            waiting += parents[sha]
            yield sha
