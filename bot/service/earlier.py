"""What earlier replies of ours say about a comment: it is answered, refused already, or came second."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.core import commands as c
from bot.core.markers import Answer
from bot.core.problems import Problem
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bot.core.outcome import Outcome
    from bot.ports import Comment
    from bot.service.reading import Service
    from bot.service.scene import Scene

REFUSAL_PAUSE = timedelta(hours=1)


def answered(comments: Iterable[Comment]) -> frozenset[str]:
    """Give the names of all comments and presses that replies of ours answer."""
    answers = (Answer.read(x.body) for x in comments if x.ours)
    return frozenset(key for answer in answers if answer is not None for key in answer.answers)


MOST_ALSO = 49  # further comments that one reply answers; the next ones get a reply of their own


def same_refusal(scene: Scene, outcomes: Sequence[Outcome], now: datetime) -> tuple[Comment, str] | None:
    """Find an earlier reply that told the same person the same lack of a right, to be extended in place.

    Who may not command could otherwise make the bot write as often as they like: one reply an hour.
    """
    if any(o.code != "not-allowed" for o in outcomes):
        return None
    authors = {f"{x.kind}/{x.id}": x.author.id for x in scene.comments}
    for reply in scene.comments:
        answer = Answer.read(reply.body) if reply.ours and now - reply.created_at < REFUSAL_PAUSE else None
        if answer is None or answer.code != "not-allowed":
            continue
        author = scene.comment.author
        if answer.by != author.login if answer.by else authors.get(answer.to) != author.id:
            continue
        if answer.verbs != tuple(o.verb for o in outcomes):
            continue
        if len(answer.also) >= MOST_ALSO:
            continue  # a name that was dropped would be answered again
        extended = replace(answer, also=(*answer.also, scene.key))
        return reply, reply.body.replace(answer.marker(), extended.marker())
    return None


def superseded(scene: Scene, command: c.Command, service: Service) -> Problem | None:
    """Find somebody else's share of the same service that this comment was written without knowing.

    Ids of comments rise: who wrote before our answer stood there did not see it. Lower id wins.
    """
    if not isinstance(command, c.Canary) or scene.comment.kind != "comment":
        return None
    for reply in scene.comments:
        answer = Answer.read(reply.body) if reply.ours else None
        if answer is None or answer.decision != "done" or "canary" not in answer.verbs:
            continue
        first = next((x for x in scene.comments if f"{x.kind}/{x.id}" == answer.to), None)
        if first is None or first.author.id == scene.comment.author.id or answer.service != service.name:
            continue
        if first.id < scene.comment.id < reply.id:
            return Problem(
                "superseded",
                f"Superseded by {code(first.author.login)}, whose command on {code(service.name)} came first.",
                f"Look at the answer to it, and repeat yours if you still want it: {first.url}".rstrip(": "),
            )
    return None
