"""``canary migrate``: a legacy manifest rewritten to ``serving.knative.dev/v1``, comments and all.

The rewritten file goes to standard output, byte for byte, or into the place of the old one; what was dropped, and
refusals, go to standard error.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.problems import Declined
from bot.entry import show
from bot.entry.one_file import NO_PLACE, OneFile, told
from bot.manifests.legacy_migrate import Migrated, migrate

DECLINED, USAGE = 1, 2


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments. ``service`` is a name, or ``namespace/name``."""

    file: str
    service: str | None = None
    write: bool = False


def run(asked: Asked) -> int:
    """Rewrite, print or write, and give the exit status: 0; 1 where it is refused; 2 where nothing could be meant."""
    file = OneFile(asked.file, writes=asked.write)
    if not file.has_place:
        show.talk(NO_PLACE)
        return USAGE
    try:
        before = file.read()
        migrated = migrate(before, file.shown, service=asked.service)
        if migrated.content != before or not asked.write:
            file.put(before, migrated.content)
    except Declined as declined:
        for problem in declined.problems:
            show.talk(told(problem))
        return DECLINED
    _tell(file, migrated)
    return 0


def _tell(file: OneFile, migrated: Migrated) -> None:
    if not migrated.services:
        name = show.one_line(file.shown)
        show.talk(f"Nothing to migrate: {name} is written for serving.knative.dev/v1 already.")
    for note in migrated.notes:
        show.talk(f"Note: {show.one_line(str(note.place))}: {note.message}")
