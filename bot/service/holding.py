"""A hold that waits for nobody: where a step cannot be judged, it is stopped all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.checks import GATE, reference
from bot.core.rollout import Phase
from bot.ports import Check
from bot.service import handing, proposing

if TYPE_CHECKING:
    from bot.service.desk import Desk
    from bot.service.proposing import Ours
    from bot.service.reading import Standing


def open_step(desk: Desk, standing: Standing) -> Ours | None:
    """Give the open step of the rollout that is under way, without judging it. Raises ``OutsideFailure``."""
    record = standing.rollout.record
    if record is None or standing.rollout.phase is not Phase.ROLLING:
        return None
    mine = (
        one
        for one in proposing.open_for(desk, standing.service)
        if (one.proposal.kind, one.proposal.rollout) == ("step", record.rollout) and not one.proposal.closed
    )
    return next(mine, None)


def show(desk: Desk, standing: Standing, step: Ours, words: str) -> None:
    """Show a hold on a step that cannot be judged now, and take it out of GitHub's hands; another look judges it.

    Args:
        desk: The look's tools.
        standing: The service on its base branch.
        step: With the hold.
        words: Who holds it and why, in Markdown.

    Raises:
        OutsideFailure: GitHub did not answer; the hold itself is written.
    """
    text = (
        f"{words}. The other rules cannot be judged now, because GitHub does not answer; the bot tries again."
    )
    check = Check(
        GATE,
        None,
        proposing.plain(words)[:200],
        text,
        external_id=reference(step.pull.number, "gate-held-unjudged"),
        actions=proposing.buttons(step.proposal, desk.now(), back=True),
    )
    desk.tell(step.pull.head_sha, [check])
    handing.take_back(desk, step)
    desk.elsewhere.append(standing.service.what)
