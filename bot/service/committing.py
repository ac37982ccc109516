"""A commit to the branch of a pull request: made again where it moved, and judged from what is known of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.manifests import workload
from bot.service import overlapping
from bot.service.checks import Known, plan_check
from bot.service.reading import Held, Touched

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.outcome import Outcome
    from bot.core.trailers import Record
    from bot.service.verbs import Case


class HeadMoved(Exception):  # noqa: N818 - an answer: plan again
    """The file changed between reading and writing."""


def twice(case: Case, write: Callable[[], Outcome]) -> Outcome:
    """Write, and once more on what is there now where it moved; a second race is the reviewer's to look at."""
    scene = case.scene
    try:
        return write()
    except HeadMoved:
        scene.pull = case.desk.repo.pull(scene.pull.number)
        scene.forget()
    try:
        return write()
    except HeadMoved:
        raise Declined(
            Problem(
                "head-moved",
                f"The branch moved from {code(scene.pull.head_sha[:7])} while I worked; nothing was written.",
                "Look at the new commits and repeat the command.",
            )
        ) from None


def check_own(case: Case, record: Record | None) -> None:
    """Set the checks on the commit that was made just now, from what is known of it.

    Those that have nothing to say of it wait until the command is answered.
    """
    desk, pull = case.desk, case.scene.pull
    known = Known(case.scene.touched(desk), record)
    check = plan_check(desk, pull, known)
    if check is not None:
        desk.tell(pull.head_sha, [check], fresh=True)
    desk.afterwards.append((pull.head_sha, overlapping.quiet(desk, pull)))


def with_content(case: Case, held: Held, content: bytes) -> tuple[Touched, ...]:
    """Give the pull request's services as they are with another content of one file."""
    file = replace(held.file, content=content, blob="")
    found = {w.id: w for w in workload.find(content, file.path).workloads}
    changed = case.scene.touched(case.desk)
    if case.service not in {one.service for one in changed}:
        changed = (*changed, Touched(case.service, held, held))  # found elsewhere in the repository
    return tuple(
        replace(one, target=Held(file, found[one.service.id]))
        if one.service.path == file.path and one.service.id in found
        else one
        for one in changed
    )
