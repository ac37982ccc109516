"""Who said what in a conversation, by accounts and not by logins: a login may go over to somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.ports import Actor, Missing
from bot.service import authority

if TYPE_CHECKING:
    from bot.ports import Comment
    from bot.service.desk import Desk


def said_on(desk: Desk, number: int) -> tuple[Comment, ...]:
    """Give the comments of a pull request, read once for a decision.

    Raises:
        Missing: There is no such pull request.
        OutsideFailure: GitHub did not answer.
    """
    if number not in desk.known.said:
        desk.known.said[number] = desk.repo.comments(number)
    return desk.known.said[number]


def author_of(desk: Desk, number: int, comment: int) -> Actor | None:
    """Give who wrote a comment or a review, whatever they are called by now; ``None`` where it is gone.

    Raises:
        OutsideFailure: GitHub did not answer.
    """
    try:
        hit = next((one.author for one in said_on(desk, number) if one.id == comment and not one.ours), None)
        if hit is None:
            hit = next((one.author for one in desk.repo.reviewed(number) if one.id == comment), None)
    except Missing:
        return None
    return hit


def account_of(desk: Desk, login: str) -> Actor | None:
    """Give the account that has a login now. Raises ``OutsideFailure``."""
    holder = authority.holder_of(desk, login)
    return Actor(holder.id, login) if holder is not None and holder.id else None
