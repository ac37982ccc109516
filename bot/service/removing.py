"""What a pull request takes away: an object that a rollout is about must stay until that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase
from bot.core.text import code
from bot.manifests import workload
from bot.service import proposing
from bot.service.comparing import origin_of
from bot.service.reading import Service, read_file, read_held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.ports import ChangedFile, Pull
    from bot.service.desk import Desk

_MANIFEST = (".yaml", ".yml", ".json")


def taken_away(desk: Desk, pull: Pull, tip: str) -> tuple[Problem, ...]:
    """Give a problem for each object of a running rollout that a pull request deletes.

    An object that goes into another file of the pull request is not deleted, and neither is one that its branch has
    never known.
    """
    changed = [one for one in desk.files_of(pull) if one.path.endswith(_MANIFEST)]
    return tuple(_problems(desk, pull, tip, changed))


def _problems(desk: Desk, pull: Pull, tip: str, changed: list[ChangedFile]) -> Iterator[Problem]:
    there = {
        found for one in changed if one.status != "removed" for found in _ids(desk, one.path, pull.head_sha)
    }
    for one in changed:
        if one.status == "added":
            continue
        old = one.previous_path or one.path
        for gone in (found for found in _ids(desk, old, tip) if found not in there):
            service = Service(pull.base_ref, old, gone)
            try:
                standing = desk.standing(service)
                rollout, record = standing.rollout, standing.rollout.record
                if record is None or rollout.phase not in {Phase.ROLLING, Phase.DRIFTED}:
                    continue
                if proposing.was_cancelled(desk, rollout):
                    continue
                if read_held(desk.repo, old, gone, origin_of(desk.repo, pull)) is None:
                    continue  # it came to the base branch after this branch began
            except Declined:
                continue  # it cannot be read, which has words of its own
            yield Problem(
                "service-removed",
                f"A rollout of {code(service.name)} is at {rollout.weight} %, and this pull request deletes it from "
                f"{code(old)}.",
                f"End the rollout that began on #{record.pull} first: `/rollback` or `/canary cancel` there.",
            )


def _ids(desk: Desk, path: str, sha: str) -> tuple[str, ...]:
    try:
        file = read_file(desk.repo, path, sha)
    except Declined:
        return ()
    if file is None or not workload.may_hold(file.content):
        return ()
    return tuple(found.id for found in workload.find(file.content, path).workloads)
