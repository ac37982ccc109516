"""What many scenarios do: begin a rollout, press, let deliveries go, sweep, look that nothing came of a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.checks import GATE, press_id
from bot.ports import Subject
from tests.scenarios.stage import VERSION_4

if TYPE_CHECKING:
    from bot.sandbox.model import CheckRun, Comment
    from bot.sandbox.webhooks import Sent
    from tests.scenarios.stage import Reply, Stage


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


def run_of(stage: Stage, number: int, name: str = GATE) -> CheckRun:
    """Give the check run of a name on a pull request's head."""
    found = {c.name: c for c in stage.run.world.checks(stage.repo, stage.pull(number).head_sha)}
    return found[name]


def buttons(stage: Stage, number: int) -> list[str]:
    """Give what stands on the buttons of a pull request."""
    return [action["label"] for action in run_of(stage, number).actions]


def push_button(stage: Stage, number: int, verb: str, *, by: str = "mona") -> Sent:
    """Press a button without waiting for anything."""
    stage.run.world.press(stage.repo, run_of(stage, number).id, verb, by=by)
    return deliveries(stage, "check_run", "requested_action")[-1]


def press(stage: Stage, number: int, verb: str, *, by: str = "mona") -> Reply:
    """Press a button, wait, and read the one reply to it."""
    sent = push_button(stage, number, verb, by=by)
    stage.settle()
    return reply_to_press(stage, sent)


def reply_to_press(stage: Stage, sent: Sent) -> Reply:
    """Read the one reply to a press."""
    number = press_id(sent.payload())
    pull = next(n for n in stage.numbers() for r in stage.all_replies(n) if r.answer.to == f"button/{number}")
    return stage.notice(pull, f"button/{number}")


def silent(stage: Stage, comment: Comment) -> bool:
    """Whether nothing came of a comment: no reply, no reaction."""
    answers = [r.answer.to for n in stage.numbers() for r in stage.all_replies(n)]
    return f"comment/{comment.id}" not in answers and comment.reactions == []


def untouched(stage: Stage, branch: str = "v4") -> bool:
    return stage.read(branch) == VERSION_4 and stage.no_step()
