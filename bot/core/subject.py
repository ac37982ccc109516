"""What the bot can be asked to look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to look at.

    ``what`` is ``pull/<number>``, ``service/<base branch>:<path>#<namespace>/<name>``
    (the namespace may be empty), or ``repository`` for a sweep.
    """

    installation: int
    repository: str
    what: str
