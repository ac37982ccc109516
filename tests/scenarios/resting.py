"""What has to be so once the bot has heard of everything and has nothing left to do."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from bot.core.markers import Answer
from tests.scenarios.facts import PATH, REPO, Wrong, shares

if TYPE_CHECKING:
    from bot.sandbox.model import Pull
    from tests.scenarios.witness import Witness

NAMES = {"canary / plan", "canary / gate", "canary / approvals"}
OWN_HOLDS = ("On hold: Gate", "Frozen: the base branch")  # of the bot's own, for what it alone has seen


@cache
def _answer(body: str) -> Answer | None:
    return Answer.read(body)


def replies(seen: Witness) -> dict[str, int]:
    """Count the replies to each comment and press."""
    counts: dict[str, int] = {}
    for pull in seen.pulls():
        for comment in pull.comments:
            answer = _answer(comment.body) if comment.author is seen.run.app.bot else None
            for key in answer.answers if answer is not None else ():
                if key.startswith(("comment/", "review/", "button/")):  # the rest are notices
                    counts[key] = counts.get(key, 0) + 1
    return counts


def always(seen: Witness) -> None:
    """Judge what holds at every moment: at most one reply to each, none to others, one step at a time."""
    counts = replies(seen)
    twice = [key for key, count in counts.items() if count > 1]
    seen.expect(not twice, f"more than one reply to {twice}")
    stray = [key for key in counts if key.startswith("comment/") and key not in seen.said]
    seen.expect(not stray, f"a reply to what was no command: {stray}")
    steps = [p for p, _, _ in seen.steps() if p.number not in seen.reopened]
    seen.expect(len(steps) < 2, f"two steps are open: {[(p.number, p.title) for p in steps]}")


def at_rest(seen: Witness, *, swept: bool, deaf: bool) -> None:
    """Judge what is there after all is done.

    Of an edit on the base branch and of the beginning of a freeze the bot hears when it sweeps. Of a push to other
    people's pull requests that it was ``deaf`` to for two hours it hears with the next one.
    """
    seen.hold_what_was_closed()
    _all_answered(seen)
    if swept:
        _step_is_there(seen)
    for pull in seen.pulls(state="open"):
        _checks_of(seen, pull, swept=swept, deaf=deaf)


def _all_answered(seen: Witness) -> None:
    counts = replies(seen)
    for said in seen.said.values():
        meant = said.long or seen.goal(seen.world.pull(REPO, said.number)) is not None
        young = seen.now - said.at < timedelta(hours=71)
        if said.key.startswith("comment/") and meant and young:
            seen.expect(counts.get(said.key) == 1, f"no reply to {said}")


def _step_is_there(seen: Witness) -> None:
    there, steps = seen.weight(), seen.steps()
    plan = seen.plans.get(seen.current)
    if there is None and plan is not None:
        return  # drifted: what is open stays open, and is red
    following = None if there is None or plan is None else plan.after(there[1])
    fit = [p.number for p, of, w in steps if of is plan and w == following]
    others = [p.number for p, of, w in steps if not (of is plan and w == following)]
    seen.expect(not others, f"steps are open that are not next: {others}; next is {following} of {plan}")
    if plan is None or following is None:
        return
    branch = f"canary/customer/{plan.rollout.rpartition('-')[2]}/{following}"
    earlier = [p for p in seen.pulls() if p.head_ref == branch]
    stopped = bool(earlier) and earlier[-1].state == "closed"
    going_back = any(of is plan for _, of in seen.backs())
    wanted = not stopped and not going_back and plan.rollout not in seen.ended
    seen.expect(bool(fit) or not wanted, f"no pull request for the step to {following} of {plan}")
    seen.expect(not fit or not going_back, f"#{fit} goes on while a rollback is open")


def _checks_of(seen: Witness, pull: Pull, *, swept: bool, deaf: bool) -> None:
    checks = {c.name: c for c in seen.world.checks(REPO, pull.head_sha) if c.app is seen.run.app}
    missing = NAMES - set(checks)
    excused = deaf and pull.author is not seen.run.app.bot
    seen.expect(not missing or excused, f"#{pull.number} ({pull.head_ref}) lacks {missing}")
    if missing:
        return
    goal = seen.goal(pull)
    gate = checks["canary / gate"]
    if goal is not None and goal[1] != "rollback" and not seen.is_start(pull) and swept:
        why, title = seen.hindrance(pull), gate.output["title"]
        green = gate.conclusion == "success"
        seen.expect(not (green and why), f"the gate of #{pull.number} is green, but {why}")
        known = pull.number in seen.blamed or seen.run.gate != "pass" or title.startswith(OWN_HOLDS)
        seen.expect(green or known or bool(why), f"the gate of #{pull.number} waits: {title}")
    if checks["canary / plan"].conclusion == "success":
        _plan_is_true(seen, pull)


def _plan_is_true(seen: Witness, pull: Pull) -> None:
    there = shares(seen.world.read(REPO, pull.head_sha, PATH))
    goal = seen.goal(pull)
    armed, weight = (goal[0], 0 if goal[1] == "rollback" else int(goal[1])) if goal else seen.armed(pull)
    seen.expect(sum(there.values()) == 100, f"the plan of #{pull.number} is green with {there}")
    if armed is not None:
        fits = there == armed.split(weight)
        seen.expect(fits, f"the plan of #{pull.number} is green: {there} for {weight} % of {armed}")


def fail_if_wrong(seen: Witness) -> None:
    """Raise what was seen."""
    dead = seen.run.dead()
    found = [*seen.run.api.errors[:1], *([f"given up: {dead}"] if dead else []), *seen.wrong]
    if found:
        raise Wrong("\n".join(found))
