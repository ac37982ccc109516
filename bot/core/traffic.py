"""The traffic block of one service, as values, and the arithmetic of shifting.

Percents are whole numbers from 0 to 100 and sum to 100 over a split.
Source: Knative Serving v1, ``TrafficTarget`` and its defaulting and validation.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """One entry of ``spec.traffic``.

    A field that is ``None`` is not written in the file; ``effective_percent`` and
    ``floats`` apply the API server's defaults. ``slot`` is the place in the list
    that the target was read from, ``None`` for a new one: it tells the editor which
    lines to keep, and plays no part in comparisons.
    """

    revision: str | None = None
    percent: int | None = None
    tag: str | None = None
    latest: bool | None = None
    slot: int | None = field(default=None, compare=False)

    @property
    def effective_percent(self) -> int:
        """The percent after defaulting: absent means 0."""
        return self.percent or 0

    @property
    def floats(self) -> bool:
        """Whether the target follows the newest ready revision."""
        return not self.revision if self.latest is None else self.latest


@dataclass(frozen=True, slots=True)
class Split:
    """All targets of a service, in the file's order."""

    targets: tuple[Target, ...]
