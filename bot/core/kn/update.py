"""Targets in, targets or a refusal out: what ``kn service update`` makes of a traffic block.

The order is kn's, whatever the order typed: untag, tag, traffic, and at the end untagged targets without traffic
go. Source: Knative client v1.23, ``pkg/kn/traffic/compute.go``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core.kn.flags import LATEST, Cluster, Flags, Refused, read
from bot.core.traffic import Target, defaulted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.kn.flags import Asked


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is changed. ``text`` is kn's own, and may hold what was typed, whatever it is."""

    text: str


def update(
    targets: tuple[Target, ...],
    flags: Flags,
    *,
    service: str,
    cluster: Cluster | None = None,
    as_stored: bool = False,
) -> tuple[Target, ...] | Refusal:
    """Apply the flags to a block. What the API server says about the result is ``bot.core.admission``'s.

    Args:
        targets: ``spec.traffic`` as a file has it. The server's defaults are applied in memory; a target that stays
            keeps its spelling and its ``slot``.
        flags: As typed.
        service: ``metadata.name``, for kn's texts.
        cluster: What is known of a cluster. Without it the percents of ``--traffic`` sum to 100, or it is refused.
        as_stored: Take the targets as they are, without defaults. kn crashes on a missing ``latestRevision`` or
            ``percent`` that it looks at; here it is refused.

    Returns:
        The targets in their order, new ones last (no ``slot``); ``()`` is a block that is left empty, and that the
        server takes for all traffic to the latest revision.
    """
    whole = targets if as_stored else defaulted(targets).targets
    block = _Block([_Entry.of(target, as_stored=as_stored) for target in whole], service)
    try:
        block.apply(read(flags, cluster or Cluster()))
    except Refused as refused:
        return Refusal(str(refused))
    result = tuple(entry.target for entry in block.entries)
    # The one target that the server makes of an empty block need not be written.
    return targets if result == whole else result


def create(tags: tuple[str, ...], *, service: str) -> tuple[Target, ...] | Refusal:
    """Give the block of ``kn service create --tag``: tags on an empty block, then all traffic to the latest."""
    return update((), Flags(tag=tags, traffic=(f"{LATEST}=100",)), service=service, as_stored=True)


@dataclass(slots=True)
class _Entry:
    """A target that is being edited; ``""`` is no tag and no name."""

    tag: str
    revision: str
    latest: bool | None
    percent: int | None
    origin: Target | None = None

    @classmethod
    def of(cls, target: Target, *, as_stored: bool) -> _Entry:
        latest = target.latest if as_stored else target.floats
        percent = target.percent if as_stored else target.effective_percent
        return cls(target.tag or "", target.revision or "", latest, percent, target)

    @property
    def target(self) -> Target:
        if self.origin is None:
            return Target(self.revision or None, self.percent, self.tag or None, self.latest)
        old = self.origin
        return replace(
            old,
            tag=old.tag if (old.tag or "") == self.tag else self.tag or None,
            percent=old.percent if old.effective_percent == (self.percent or 0) else self.percent,
        )


class _Block:
    """The targets, and kn's edits of them."""

    def __init__(self, entries: list[_Entry], service: str) -> None:
        self.entries = entries
        self._service = service

    def apply(self, asked: Asked) -> None:
        self._untag(asked.untag)
        for ref, tag in asked.tags:
            if ref == LATEST:
                self._tag_latest(tag)
            else:
                self._tag_revision(ref, tag)
        if asked.shares is not None:
            self._share(asked.shares)
        self.entries = [entry for number, entry in enumerate(self.entries) if self._is_kept(entry, number)]

    def _untag(self, tags: Iterable[str]) -> None:
        missing: list[str] = []
        for tag in tags:
            entry = self._tagged(tag)
            if entry is None:
                missing.append(tag)
            else:
                entry.tag = ""
        if missing:
            listed = ", ".join(missing)
            raise Refused(f"tag(s) {listed} not present for any revisions of service {self._service}")

    def _tag_latest(self, tag: str) -> None:
        latest = self._latest()
        now = latest.tag if latest else ""
        if now == tag:
            # Also where there is no latest target, and an empty tag was asked for.
            return
        self._refuse_taken(tag)
        if now:
            raise Refused(
                f"tag '{now}' exists on latest ready revision of service, refusing to overwrite existing tag with"
                f" '{tag}', add flag '--untag {now}' in command to untag it"
            )
        if latest is None:
            self.entries.append(_Entry(tag, "", latest=True, percent=0))
        else:
            latest.tag = tag

    def _tag_revision(self, revision: str, tag: str) -> None:
        if any((entry.tag, entry.revision) == (tag, revision) for entry in self.entries):
            return
        self._refuse_taken(tag)
        # Only the first target of the revision counts: a later one without a tag is not considered.
        entry = self._pinned(revision)
        if entry is None or entry.tag:
            self.entries.append(_Entry(tag, revision, latest=False, percent=0))
        else:
            entry.tag = tag

    def _refuse_taken(self, tag: str) -> None:
        if self._tagged(tag) is not None:
            raise Refused(
                f"refusing to overwrite existing tag in service, add flag '--untag {tag}' in command to untag it"
            )

    def _share(self, shares: Iterable[tuple[str, int]]) -> None:
        for entry in self.entries:
            entry.percent = 0
        for ref, percent in shares:
            if ref == LATEST:
                entry = self._latest() or self._appended(_Entry("", "", latest=True, percent=0))
            else:
                entry = (
                    self._tagged(ref)
                    or self._pinned(ref)
                    or self._appended(_Entry("", ref, latest=False, percent=0))
                )
            entry.percent = percent

    def _is_kept(self, entry: _Entry, number: int) -> bool:
        if not entry.tag and entry.percent is None:
            raise _undefaulted(number, "percent")
        return bool(entry.tag or entry.percent)

    def _appended(self, entry: _Entry) -> _Entry:
        self.entries.append(entry)
        return entry

    def _latest(self) -> _Entry | None:
        for number, entry in enumerate(self.entries):
            if entry.latest is None:
                raise _undefaulted(number, "latestRevision")
            if entry.latest:
                return entry
        return None

    def _tagged(self, tag: str) -> _Entry | None:
        return next((entry for entry in self.entries if entry.tag == tag), None)

    def _pinned(self, revision: str) -> _Entry | None:
        return next((entry for entry in self.entries if entry.revision == revision), None)


def _undefaulted(number: int, key: str) -> Refused:
    return Refused(
        f"target {number + 1} of the traffic block has no {key}: kn crashes on it; apply the server's defaults"
    )
