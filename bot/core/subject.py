"""What the bot can be asked to look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to look at.

    ``what`` is ``pull/<number>``, ``service/<base branch>:<path>#<namespace>/<name>``
    (the namespace may be empty), ``repository`` for a sweep, ``repository/ours`` for one that leaves
    out the open pull requests of people, ``checks/<sha>/<number>`` or
    ``checks/<sha>`` for checks to be judged again,
    ``group/<sha>`` for a commit of a merge queue, or ``button/…``, see ``bot.core.checks.Press``.
    """

    installation: int
    repository: str
    what: str
