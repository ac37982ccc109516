"""Buttons and re-runs of checks: what a signed payload of GitHub's asks for, as if somebody had commented it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.core.checks import GATE, Press, pull_of, stamp_of
from bot.core.outcome import declined
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase
from bot.core.text import code
from bot.ports import Actor, Comment
from bot.service import earlier
from bot.service.checks import nothing_to_judge
from bot.service.scene import Scene

if TYPE_CHECKING:
    from bot.core.outcome import Outcome
    from bot.ports import Pull
    from bot.service.desk import Desk

_GOES_ON = frozenset({"promote", "resume"})


def scene_of(desk: Desk, press: Press, pull: Pull, comments: tuple[Comment, ...]) -> Scene:
    """Give a press as the comment that would say the same."""
    at = datetime.fromtimestamp(press.at, UTC) if press.at else desk.now()
    said = Comment(press.id, "button", Actor(press.user, press.login), press.command, at)
    return Scene.of(pull, said, comments, press)


def take_up(desk: Desk, scene: Scene, press: Press) -> bool:
    """Prepare the look at a press; say whether it is still to be worked off."""
    done = earlier.answered(scene.comments)
    desk.pressed = press.sha
    desk.stamp = stamp_of([*(key for key in done if key.startswith("button/")), scene.key])
    return scene.key not in done


def outdated(desk: Desk, scene: Scene) -> Outcome | None:
    """Decline to go on because of a button that belongs to another state than the present one.

    Who comments names what is there now; a button was shown with a commit, and may have been on a page for
    days. Stopping is not made to wait for a reload.
    """
    press, proposal = scene.press, scene.proposal
    if press is None or proposal is None or scene.key in proposal.seen:
        return None  # an interrupted try of this very press has been at work
    pull = scene.pull
    problem = None
    if press.verb in _GOES_ON and pull.merged:
        text = f"#{pull.number} is merged already; what comes next has buttons of its own."
        problem = Problem("wrong-place", text, "Press there, or comment here.")
    elif press.verb in _GOES_ON and pull.head_sha != press.sha:
        shown, head = code(press.sha[:7]), code(pull.head_sha[:7])
        text = f"The button belongs to {shown}; the head of #{pull.number} is {head}."
        problem = Problem("wrong-head", text, "Look at the new commit, and press its button.")
    elif proposal.kind == "step" and _other_rollout(desk, scene, proposal.rollout):
        text = f"#{pull.number} belongs to a rollout that is over; another one of the service is under way."
        problem = Problem("no-rollout", text, "Press on the pull request of its step, or comment here.")
    return None if problem is None else declined(problem, verb=press.verb)


def _other_rollout(desk: Desk, scene: Scene, rollout: str) -> bool:
    try:
        standing = desk.standing(scene.services(desk)[0]).rollout
    except (Declined, IndexError):
        return False  # the verb itself says what is wrong
    runs = standing.phase in {Phase.ROLLING, Phase.DRIFTED} and standing.record is not None
    return runs and standing.record is not None and standing.record.rollout != rollout


def put_away(desk: Desk, press: Press) -> None:
    """Take the buttons from a check that nobody judges any more: its pull request is over, or it is no head."""
    if (press.sha, GATE) in desk.told:
        return
    for check in desk.repo.checks(press.sha):
        if check.name == GATE:
            desk.tell(press.sha, [replace(check, actions=())])


def pulls_of(desk: Desk, sha: str) -> tuple[int, ...]:
    """Give the pull requests that our checks on a commit were written for; GitHub names none of forks."""
    numbers = (pull_of(check.external_id) for check in desk.repo.checks(sha))
    return tuple(dict.fromkeys(n for n in numbers if n is not None))


def end_the_rest(desk: Desk, sha: str, number: int | None) -> None:
    """End the checks that were asked for again and that no judgement has told: none is left waiting."""
    waiting = {check.name for check in nothing_to_judge(None, "")} - {n for s, n in desk.told if s == sha}
    if not waiting:
        return
    why = "No pull request has this commit as its head."
    if number is not None:
        pull = desk.repo.pull(number)
        if pull.state == "closed":
            why = f"#{number} is {'merged' if pull.merged else 'closed'}."
        elif pull.head_sha != sha:
            why = f"The head of #{number} is {code(pull.head_sha[:7])} now."
        else:
            why = f"There is nothing to judge in #{number} as it is."
    desk.tell(sha, [check for check in nothing_to_judge(number, why) if check.name in waiting])
