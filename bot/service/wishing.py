"""Whether a remembered promotion is one that somebody made.

A value in a pull request's body only says where to look, because whoever may write to the repository may edit that
body. The word itself is read where it was typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.commands import Promote, parse_comment
from bot.core.markers import Answer
from bot.ports import Missing
from bot.service.overriding import belongs, names
from bot.service.stepping import merged_step

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bot.core.markers import Wish
    from bot.service.desk import Desk
    from bot.service.proposing import Ours
    from bot.service.reading import Standing


def stands(desk: Desk, standing: Standing, step: Ours, since: datetime | None) -> bool:
    """Whether the promotion that a step remembers stands where it was typed, by that account, about this service.

    What this look itself has taken down from a signed delivery is believed. Of a button there is the bot's answer
    to its press. An edited comment counts for nothing.

    Args:
        desk: The look's tools.
        standing: The service on its base branch.
        step: With the wish.
        since: When the present share came to be; what was said before is about an earlier step. ``None`` where
            that does not matter.

    Raises:
        OutsideFailure: GitHub did not answer.
    """
    wish, record = step.proposal.wish, standing.rollout.record
    if wish is None or record is None:
        return False
    if wish == desk.wished:
        return True
    if wish.pull != step.pull.number and not belongs(desk, wish.pull, record):
        return False
    try:
        return any(_said(desk, standing, wish, since))
    except Missing:
        return False


def _said(desk: Desk, standing: Standing, wish: Wish, since: datetime | None) -> Iterable[bool]:
    # Times of comments have whole seconds; those of other things may have more of it.
    since = None if since is None else since.replace(microsecond=0)

    def is_new(at: datetime) -> bool:
        return not _before(at, since) and not (at == since and _led_to_the_step_before(desk, standing, wish))

    kind, _, number = wish.to.partition("/")
    if kind == "button":
        for comment in desk.repo.comments(wish.pull):
            answer = Answer.read(comment.body) if comment.ours else None
            if answer is not None and (answer.to, answer.by) == (wish.to, wish.by):
                yield "promote" in answer.verbs and is_new(comment.created_at)
        return
    found = desk.repo.reviews(wish.pull) if kind == "review" else desk.repo.comments(wish.pull)
    for one in found:
        if (str(one.id), one.author.id) == (number, wish.by_id) and not (one.ours or one.edited):
            yield is_new(one.created_at) and _promotes(one.body, standing)


def _before(at: datetime, since: datetime | None) -> bool:
    return since is not None and at < since


def _led_to_the_step_before(desk: Desk, standing: Standing, wish: Wish) -> bool:
    """Whether a promotion of the very second of the last merge is the one that led to it."""
    record = standing.rollout.record
    earlier = None if record is None else merged_step(desk, record, standing.rollout.weight)
    return earlier is not None and wish.to in earlier.proposal.seen


def _promotes(body: str, standing: Standing) -> bool:
    return any(isinstance(one, Promote) and names(one, standing) for one in parse_comment(body).commands)
