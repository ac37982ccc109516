"""A fault on any request: nothing is lost and nothing is doubled.

Each flow runs once to see the bot's requests, and again for every request and every way in which
it can fail. In the end the repository looks as if there had been no fault.
Source: ``reference/reliability.md`` 2, F07 to F16.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bot.core.markers import Answer
from bot.manifests.knative import find_services
from tests.scenarios.moves import push_button
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bot.entry.rehearsal import Rehearsal

    Act = Callable[[Stage], None]

ALL = int(os.environ.get("CANARY_FUZZ", "1")) > 1
SAMPLED_KINDS = 2
SAMPLED = 1  # requests of each flow and kind of fault that are broken by default; CANARY_FUZZ breaks each
_ROLLOUT = re.compile(r"[0-9a-f]{8}(?=/)")
_numbers = itertools.count(1)


# --- the flows --------------------------------------------------------------------------------


def _armed(stage: Stage) -> None:
    stage.feature()
    _say(stage, 1, "/canary 25")


def _rolling(stage: Stage) -> None:
    _armed(stage)
    stage.merge(1)


def _merged(stage: Stage) -> None:
    stage.feature()
    stage.merge(1)


def _by_hand(stage: Stage) -> None:
    stage.feature(CUSTOMER.replace(b"tag: current", b"tag: live"))


def _baked(stage: Stage) -> None:
    _rolling(stage)
    stage.later(minutes=31)


def _last(stage: Stage) -> None:
    _baked(stage)
    stage.merge(2)
    stage.later(minutes=31)


def _closed(stage: Stage) -> None:
    _rolling(stage)
    stage.later(minutes=1)  # or the next commit is the same one, made in the same second
    stage.close(2)
    stage.later(minutes=1)


def _wished(stage: Stage) -> None:
    _rolling(stage)
    _say(stage, 2, "/hold")
    _say(stage, 2, "/promote", by="kim")
    stage.later(minutes=31)


def _turning(stage: Stage) -> None:
    _rolling(stage)
    _say(stage, 1, "/rollback")


def _watched(stage: Stage) -> None:
    stage.measure(error_rate=0.002)
    stage.configure("rules: cautious\n")
    _rolling(stage)


def _held(stage: Stage) -> None:
    _watched(stage)
    _say(stage, 1, "/rollback")
    stage.close(3)
    stage.later(minutes=1)  # as above
    _say(stage, 1, "/resume")


def _fails(stage: Stage) -> None:
    stage.measure(error_rate=0.5)
    stage.later(minutes=1)


def _say(stage: Stage, number: int, text: str, *, by: str = "mona") -> None:
    stage.write(number, text, by=by)
    stage.settle()


def _comment(number: int, text: str) -> Act:
    return partial(_say, number=number, text=text)


def _press(stage: Stage, verb: str) -> None:
    push_button(stage, 2, verb)
    stage.settle()


def _again(stage: Stage) -> None:
    (suite,) = stage.run.world.check_suites(stage.repo, stage.pull(2).head_sha)
    stage.run.world.rerequest_suite(stage.repo, suite.id, by="mona")
    stage.settle()


def _merge(number: int) -> Act:
    return partial(Stage.merge, number=number)


@dataclass(frozen=True, slots=True)
class Flow:
    """What happens before, and what happens while a request fails."""

    before: Act
    act: Act


# Done twice it would be refused: the tag is gone then.
_TRAFFIC = "/untag current\n\n/traffic customer-v3=70 customer-v4=30"

FLOWS = {
    "canary on an open pull request": Flow(Stage.feature, _comment(1, "/canary 25")),  # type: ignore[arg-type]
    "another share": Flow(_armed, _comment(1, "/canary 50")),
    "cancel before the merge": Flow(_armed, _comment(1, "/canary cancel")),
    "canary on a merged pull request": Flow(_merged, _comment(1, "/canary 25")),
    "traffic on an open pull request": Flow(Stage.feature, _comment(1, _TRAFFIC)),  # type: ignore[arg-type]
    "traffic on a merged pull request": Flow(_merged, _comment(1, _TRAFFIC)),
    "traffic as on the base branch": Flow(_by_hand, _comment(1, "/untag live\n\n/tag customer-v3=current")),
    "merge opens the step": Flow(_armed, _merge(1)),
    "promote merges": Flow(_baked, _comment(2, "/promote")),
    "early promote is remembered": Flow(_rolling, _comment(2, "/promote")),
    "resume merges what was wished": Flow(_wished, _comment(2, "/resume")),
    "rollback": Flow(_rolling, _comment(1, "/rollback")),
    "rollback is merged": Flow(_turning, _merge(3)),
    "hold": Flow(_rolling, _comment(2, "/hold -- look")),
    "closing a step": Flow(_rolling, partial(Stage.close, number=2)),
    "resume after a closed step": Flow(_closed, _comment(1, "/resume")),
    "cancel": Flow(_rolling, _comment(1, "/canary cancel")),
    "the last step is merged": Flow(_last, _merge(3)),
    "the button Promote merges": Flow(_baked, partial(_press, verb="promote")),
    "the button Hold": Flow(_rolling, partial(_press, verb="hold")),
    "the button Roll back": Flow(_rolling, partial(_press, verb="rollback")),
    "all checks again": Flow(_baked, _again),
    "a gate fails and turns back": Flow(_watched, _fails),
    "a gate fails and holds": Flow(_held, _fails),
}
# GitHub's words are the fault's own; each leaves the request undone, or done without an answer.
KINDS = ("before-500", "after-500", "after-drop", "403-secondary", "409")
# The command has its answer before the second try of the merge: it goes on, and is merged a moment later.
NOT_THE_SAME = {("resume merges what was wished", "409")}


# --- what is there in the end -----------------------------------------------------------------


@dataclass(slots=True)
class World:
    """A repository as its visitors see it, without numbers that differ from run to run."""

    branches: dict[str, tuple[dict[str, int], int]] = field(default_factory=dict)
    pulls: list[tuple[str, ...]] = field(default_factory=list)
    replies: list[tuple[str, ...]] = field(default_factory=list)
    checks: list[tuple[str, ...]] = field(default_factory=list)


def _seen(stage: Stage) -> World:
    world, repo = stage.run.world, stage.repo
    seen = World()
    for name in sorted(world.branches(repo)):
        manifests = find_services(stage.read(name), PATH).manifests
        split = {t.shown: t.effective_percent for m in manifests for t in m.targets}
        seen.branches[_ROLLOUT.sub("*", name)] = (split, len(stage.log(name)))
    ids: dict[str, str] = {}
    for pull in sorted(world.pulls(repo), key=lambda p: p.number):
        number = str(pull.number)
        state = "merged" if pull.merged_at else pull.state
        seen.pulls.append((number, pull.title, state, pull.base_ref, _ROLLOUT.sub("*", pull.head_ref)))
        for entry in world.timeline(repo, pull.number):
            if entry.comment is None:
                continue
            ids[f"comment/{entry.comment.id}"] = f"{number}.{len(ids)}"
            answer = Answer.read(entry.comment.body)
            if answer is not None and entry.comment.author is stage.run.app.bot:
                to = ids.get(answer.to, re.sub(r"-[0-9a-f]{8}$|(?<=^button/)[0-9]+$", "", answer.to))
                seen.replies.append((number, to, answer.decision, answer.code, answer.step))
        runs = sorted((c.name, str(c.conclusion)) for c in world.all_checks(repo, pull.head_sha))
        home = world.repository(repo)
        suites = world.check_suites(repo, pull.head_sha)
        seen.checks += [(number, *map(str, world.state_of_suite(home, suite))) for suite in suites]
        seen.checks += [(number, name, conclusion) for name, conclusion in runs]
    # Two comments of a pull request may come in another order after a fault.
    seen.replies.sort()
    return seen


@contextmanager
def _stage(run: Rehearsal) -> Iterator[Stage]:
    repo = f"acme/faults-{next(_numbers)}"
    run.world.create_repository(repo, {PATH: CUSTOMER}, by="ada")
    for login, role in PEOPLE.items():
        run.world.set_role(repo, login, role)
    run.install(repo)
    run.settle()
    try:
        yield Stage(run, repo)
    finally:
        run.server.faults.clear()
        folder = run.world.repository(repo).git.path
        run.world.delete_repository(repo)
        run.settle()
        shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Course:
    """How a flow goes without a fault: the bot's requests (method, path), and the end."""

    requests: tuple[tuple[str, str], ...]
    end: World


def _play(run: Rehearsal, flow: Flow, fault: tuple[int, str, int] | None = None) -> Course:
    with _stage(run) as stage:
        flow.before(stage)
        where = rf"^/repos/{stage.repo}(/|$)"
        begun = len(run.server.requests)
        if fault is not None:
            skip, kind, times = fault
            run.server.faults.add("*", where, kind, times, skip=skip)
        flow.act(stage)
        made = [r for r in run.server.requests[begun:] if re.search(where, r.path)]
        for _ in range(3):
            stage.later(minutes=3)  # every pause of the engine after a failure is over
        paths = [(r.method, r.path.removeprefix(f"/repos/{stage.repo}")) for r in made]
        return Course(tuple(paths), _seen(stage))


_courses: dict[str, Course] = {}


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reads be tried again at once."""
    monkeypatch.setattr("bot.adapters.github.client._PAUSES", (0.0, 0.0))


def _course(run: Rehearsal, name: str) -> Course:
    if name not in _courses:
        _courses[name] = _play(run, FLOWS[name])
    return _courses[name]


# --- the tests --------------------------------------------------------------------------------


# By default each flow meets two of the five kinds, and each kind two of five flows.
PAIRS = [
    (name, kind)
    for i, name in enumerate(FLOWS)
    for j, kind in enumerate(KINDS)
    if ALL or (i + j) % len(KINDS) < SAMPLED_KINDS
]


@pytest.mark.timeout(1800 if ALL else 120)
@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_a_fault_anywhere_changes_nothing_in_the_end(running_bot: Rehearsal, name: str, kind: str) -> None:
    course = _course(running_bot, name)
    meant = [i for i, (method, path) in enumerate(course.requests) if _is_meant(kind, method, path)]
    if (name, kind) in NOT_THE_SAME or not meant:
        pytest.skip("no such request in this flow")
    chosen = meant if ALL else sorted(random.Random(f"{name} {kind}").sample(meant, min(SAMPLED, len(meant))))
    wrong: list[str] = []
    for i in chosen:
        method, path = course.requests[i]
        # A read is tried three times before a look gives up.
        times = 3 if method == "GET" and kind.endswith(("500", "drop")) else 1
        end = _play(running_bot, FLOWS[name], (i, kind, times)).end
        wrong += [f"{i} {method} {path}: {line}" for line in _differences(course.end, end)]
    assert wrong == []


def _differences(meant: World, got: World) -> list[str]:
    """Give what is missing (-) and what is too much (+)."""
    found = []
    for part in fields(World):
        old, new = ([*map(str, _entries(getattr(w, part.name)))] for w in (meant, got))
        found += [f"- {line}" for line in old if old.count(line) > new.count(line)]
        found += [f"+ {line}" for line in new if new.count(line) > old.count(line)]
    return found


def _entries(value: Iterable[object]) -> Iterable[object]:
    return value.items() if isinstance(value, dict) else value


def _is_meant(kind: str, method: str, path: str) -> bool:
    if kind == "409":
        # The two writes that compare: the branch, or the head, is said to have moved.
        return method == "PUT" and ("/contents/" in path or path.endswith("/merge"))
    if path.endswith(("/reactions", "/labels")):
        return False  # best effort: what is lost is lost
    return method != "GET" or not kind.startswith("after")
