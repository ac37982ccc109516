"""What many scenarios do: begin a rollout, let deliveries go, sweep, look whether nothing came of a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.ports import Subject
from tests.scenarios.stage import VERSION_4

if TYPE_CHECKING:
    from bot.sandbox.model import Comment
    from bot.sandbox.webhooks import Sent
    from tests.scenarios.stage import Stage


def begin(stage: Stage) -> int:
    """Bring the customer service to 25 %; the step's pull request is open."""
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number)
    return number


def flush(stage: Stage, *, shuffle: int | None = None, copies: int = 1) -> None:
    stage.run.world.hooks.flush(shuffle=shuffle, copies=copies)
    stage.settle()


def sweep(stage: Stage) -> None:
    """Let the bot look for what no webhook told."""
    installation = stage.run.install(stage.repo)
    look = stage.run.bot.parts.engine.look
    look(Subject(installation, stage.repo, "repository"), at=stage.run.clock.now(), why="sweep")
    stage.settle()


def deliveries(stage: Stage, event: str, action: str) -> list[Sent]:
    sent = stage.run.world.hooks.deliveries
    here = stage.run.world.repository(stage.repo).id
    return [s for s in sent if (s.event, s.action, s.repository_id) == (event, action, here)]


def delivery_of(stage: Stage, comment: Comment) -> Sent:
    created = deliveries(stage, "issue_comment", "created")
    return next(s for s in created if s.payload()["comment"]["id"] == comment.id)


def silent(stage: Stage, comment: Comment) -> bool:
    """Whether nothing came of a comment: no reply, no reaction."""
    answers = [r.answer.to for n in stage.numbers() for r in stage.all_replies(n)]
    return f"comment/{comment.id}" not in answers and comment.reactions == []


def untouched(stage: Stage, branch: str = "v4") -> bool:
    return stage.read(branch) == VERSION_4 and stage.no_step()
