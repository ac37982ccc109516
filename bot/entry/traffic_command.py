"""``canary traffic``: what ``kn service update`` does on a cluster, done on a file.

The edited file goes to standard output, byte for byte, or into the place of the old one; refusals go to standard
error with kn's or the API server's own text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.kn.flags import NOT_SET, Flags
from bot.core.kn.update import Refusal, update
from bot.core.problems import Declined, Problem
from bot.core.text import LONGEST_LINE, code, printable
from bot.entry import show
from bot.entry.one_file import NO_PLACE, OneFile, told
from bot.manifests.judge import later_problems, server_refusal
from bot.manifests.knative import edit_service, find_services

if TYPE_CHECKING:
    from bot.manifests.knative import Manifest

DECLINED, USAGE = 1, 2


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments. ``service`` is a name, or ``namespace/name``."""

    file: str
    flags: Flags
    service: str | None = None
    write: bool = False

    @property
    def shown(self) -> str:
        """The file's name in problems."""
        return OneFile(self.file).shown


def run(asked: Asked) -> int:
    """Edit, print or write, and give the exit status: 0; 1 where it is refused; 2 where nothing could be meant."""
    file = OneFile(asked.file, writes=asked.write)
    if not file.has_place:
        show.talk(NO_PLACE)
        return USAGE
    try:
        before = _read(asked, file)
        file.put(before, _edited(asked, before))
    except _Refused as refused:
        lines = str(refused).split("\n")
        show.talk("Error: " + "\n".join(printable(line, longest=LONGEST_LINE) for line in lines))
    except Declined as declined:
        for problem in declined.problems:
            show.talk(told(problem))
    else:
        return 0
    return DECLINED


def _read(asked: Asked, file: OneFile) -> bytes:
    """Read the file, unless no flag was given: then there is nothing to read it for."""
    if asked.flags == Flags():
        raise _Refused(NOT_SET)
    return file.read()


class _Refused(Exception):  # noqa: N818 - an outcome, not an error of the program
    """kn or the API server refuses; the argument is their text."""


def _edited(asked: Asked, content: bytes) -> bytes:
    """Give the edited file, and tell what will only show later.

    Raises:
        Declined: The file or the service cannot be read or edited.
        _Refused: kn or the API server says no.
    """
    manifest = _the_service(asked, content)
    targets = update(manifest.targets, asked.flags, service=manifest.name)
    if isinstance(targets, Refusal):
        raise _Refused(targets.text)
    text = server_refusal(manifest, targets)
    if text is not None:
        raise _Refused(text)
    edited = edit_service(content, asked.shown, manifest, targets=targets)
    if manifest.targets and not targets:
        show.talk("Warning: no target is left; the API server gives all traffic to the latest revision.")
    for problem in later_problems(manifest, targets):
        show.talk(told(problem, "Warning"))
    return edited


def _the_service(asked: Asked, content: bytes) -> Manifest:
    found = find_services(content, asked.shown)
    # kn knows no Route of its own: there is no ``kn route update``.
    services = [m for m in found.manifests if m.kind == "Service"]
    wanted = [m for m in services if asked.service is None or asked.service in {m.name, m.id}]
    # A document that cannot be read may be the one that is meant; one that was named and found is.
    if found.problems and (asked.service is None or not wanted):
        raise Declined(*found.problems)
    file = code(asked.shown)
    if not services:
        raise Declined(
            Problem("no-service", f"{file} holds no Service of `serving.knative.dev`.", "Name its manifest.")
        )
    if not wanted:
        raise Declined(
            Problem(
                "unknown-service",
                f"{file} holds no service {code(asked.service or '')}.",
                f"It holds {_listed(services)}.",
            )
        )
    if len({m.id for m in wanted}) > 1:
        raise Declined(
            Problem(
                "which-service",
                f"{file} holds several services: {_listed(wanted)}.",
                "Name one: `--service NAME`, or `--service NAMESPACE/NAME`.",
            )
        )
    return wanted[0]


def _listed(manifests: list[Manifest]) -> str:
    names = dict.fromkeys(m.id if m.namespace else m.name for m in manifests)
    return ", ".join(map(code, names))
