"""How far a story is before something happens, and what a repository shows its visitors in the end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.core.markers import Answer
from bot.manifests.knative import find_services
from tests.scenarios.stage import PATH, VERSION_4

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.action.runner import Event, Shop

    Before = Callable[[Shop], object]
    Act = Callable[[Shop], Event]

_ROLLOUT = re.compile(r"[0-9a-f]{8}(?=/)")


def say(shop: Shop, number: int, text: str, *, by: str = "mona") -> None:
    shop.write(number, text, by=by)
    shop.settle()


def feature(shop: Shop) -> None:
    """Open a feature pull request; that its manifest is checked is of no interest here."""
    shop.branch("v4", {PATH: VERSION_4})
    shop.run.world.open_pull(shop.repo, "v4", "main", "Four", by="mona")
    shop.runner.forget()


def armed(shop: Shop) -> None:
    feature(shop)
    say(shop, 1, "/canary 25")


def merged(shop: Shop) -> None:
    feature(shop)
    shop.run.world.merge(shop.repo, 1, by="mona")
    shop.runner.forget()


def rolling(shop: Shop) -> None:
    armed(shop)
    shop.merge(1)


def baked(shop: Shop) -> None:
    rolling(shop)
    shop.run.clock.advance(timedelta(minutes=31))


def wished(shop: Shop) -> None:
    rolling(shop)
    say(shop, 2, "/promote", by="kim")
    shop.run.clock.advance(timedelta(minutes=31))


def held(shop: Shop) -> None:
    rolling(shop)
    say(shop, 2, "/hold")
    say(shop, 2, "/promote", by="kim")
    shop.run.clock.advance(timedelta(minutes=31))


def turning(shop: Shop) -> None:
    rolling(shop)
    say(shop, 1, "/rollback")


def comment(number: int, text: str) -> Act:
    return lambda shop: shop.event_of(number, text)


def merge(number: int) -> Act:
    def act(shop: Shop) -> Event:
        shop.run.world.merge(shop.repo, number, by="mona")
        return next(event for event in shop.runner.events() if event.name == "push")

    return act


def strike(shop: Shop) -> Event:
    return shop.runner.made("schedule", schedule="7,22,37,52 * * * *")


@dataclass(frozen=True)
class Flow:
    """What happens before, and the event whose run is looked at."""

    before: Before
    act: Act


FLOWS = {
    "canary on an open pull request": Flow(feature, comment(1, "/canary 25")),
    "another share": Flow(armed, comment(1, "/canary 50")),
    "canary on a merged pull request": Flow(merged, comment(1, "/canary 25")),
    "a merge opens the step": Flow(armed, merge(1)),
    "promote merges": Flow(baked, comment(2, "/promote")),
    "early promote is remembered": Flow(rolling, comment(2, "/promote")),
    "the clock merges what was wished": Flow(wished, strike),
    "resume merges what was wished": Flow(held, comment(2, "/resume")),
    "hold": Flow(rolling, comment(2, "/hold -- look")),
    "rollback": Flow(rolling, comment(1, "/rollback")),
    "rollback is merged": Flow(turning, merge(3)),
    "cancel": Flow(rolling, comment(1, "/canary cancel")),
}


@dataclass
class Seen:
    """A repository without numbers that differ from run to run."""

    branches: list[str] = field(default_factory=list)
    pulls: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    def differences(self, got: Seen, *, checks: bool = True) -> list[str]:
        """Give what is missing in ``got`` (-) and what is too much (+)."""
        found = []
        for part in ("branches", "pulls", "replies", *(["checks"] if checks else [])):
            old, new = getattr(self, part), getattr(got, part)
            found += [f"- {line}" for line in old if old.count(line) > new.count(line)]
            found += [f"+ {line}" for line in new if new.count(line) > old.count(line)]
        return found


def seen(shop: Shop) -> Seen:
    """Look at branches with splits and numbers of commits, pull requests, replies and checks."""
    world, repo, found = shop.run.world, shop.repo, Seen()
    for name in sorted(world.branches(repo)):
        manifests = find_services(shop.read(name), PATH).manifests
        split = {t.shown: t.effective_percent for m in manifests for t in m.targets}
        found.branches.append(f"{_ROLLOUT.sub('*', name)}: {split}, {len(shop.log(name))} commits")
    names: dict[str, str] = {}
    for pull in sorted(world.pulls(repo), key=lambda p: p.number):
        state = "merged" if pull.merged_at else pull.state
        found.pulls.append(f"#{pull.number} {pull.title}: {state}, {_ROLLOUT.sub('*', pull.head_ref)}")
        for entry in world.timeline(repo, pull.number):
            if entry.comment is None:
                continue
            if entry.comment.author is not shop.run.app.bot:
                names[f"comment/{entry.comment.id}"] = entry.comment.body
                continue
            answer = Answer.read(entry.comment.body)
            assert answer is not None
            to = names.get(answer.to, re.sub(r"-[0-9a-f]{8}$", "", answer.to))
            found.replies.append(f"#{pull.number} {to}: {answer.decision} {answer.code} {answer.step}")
        for check in world.all_checks(repo, pull.head_sha):
            found.checks.append(f"#{pull.number} {check.name}: {check.conclusion}")
    for part in (found.replies, found.checks):
        part.sort()  # two of them may come in another order
    return found
