"""Any story: people with any rights do anything in any order, and the bot keeps what it promises.

A Hypothesis state machine over people, pushes, edits, time, gates, freezes, lost deliveries and a bot that is killed.
After each move the ``Witness`` judges everything that was done; where the bot had its chance, also what is still to be
done. ``CANARY_FUZZ=20`` plays twenty times as many stories, others each time.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from bot.core.checks import press_id
from bot.core.gates import Outcome
from bot.ports import Role
from tests.scenarios.closed import closed
from tests.scenarios.facts import PATH, REPO, Configured, Said, shares
from tests.scenarios.story import COMMANDS, CONFIGURATIONS, NUMBERS, OFTEN, TALK, TRAPS, WAITS, Story, edited

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.sandbox.model import Pull

FUZZ = int(os.environ.get("CANARY_FUZZ", "1"))
STORIES, MOVES = 4 * FUZZ, 32
CONFIG = ".github/canary.yaml"
SPEAKERS = ("mona", "mona", "kim", "ada", "tess", "rita", "olga", "helper[bot]")


ODD = ("role", "configure", "configure", "trap", "trap", "gate", "restart", "sweep")


class Machine(Story):
    """One story in one repository."""

    # the beginning ----------------------------------------------------------------------------

    @initialize(
        weight=st.sampled_from((25, 25, 5, 0)),
        far=st.sampled_from((0, 1, 2, 3, 3, 4, 4)),
        by=st.sampled_from(("mona", "kim")),
    )
    def a_rollout(self, weight: int, far: int, by: str) -> None:
        """Most stories begin where something can go wrong: in the middle of a rollout."""
        if far == 0:
            return
        self.feature_of(by)
        self.say_here(1, by, f"/canary {weight}")
        if far > 1:
            self.does(f"{by} merges #1", lambda: self.run.world.merge(REPO, 1, by=by))
        if far > 2:
            self.wait_for(31)
        if far > 3 and self.seen.steps():
            self.say_here(self.seen.steps()[0][0].number, "kim", "/promote")

    # people -----------------------------------------------------------------------------------

    @precondition(lambda self: self.versions < 8)
    @rule(by=st.sampled_from(("mona", "kim", "ada")), hurry=st.booleans())
    def feature(self, by: str, *, hurry: bool) -> None:
        self.feature_of(by, hurry=hurry)

    @precondition(lambda self: self.seen.pulls())
    @rule(
        data=st.data(),
        text=st.one_of(st.sampled_from(OFTEN), st.sampled_from((*COMMANDS, *TALK))),
        by=st.sampled_from(SPEAKERS),
        hurry=st.sampled_from((False, False, True)),
    )
    def say(self, data: st.DataObject, text: str, by: str, *, hurry: bool) -> None:
        pull = _late(data, self.seen.pulls()[-5:])
        self.say_here(pull.number, by, text, hurry=hurry)

    @precondition(lambda self: self.seen.pulls(state="open"))
    @rule(
        data=st.data(),
        by=st.sampled_from(("mona", "kim", "ada", "tess")),
        method=st.sampled_from(("merge", "merge", "squash", "rebase")),
        hurry=st.sampled_from((False, False, True)),
    )
    def merge(self, data: st.DataObject, by: str, method: str, *, hurry: bool) -> None:
        pull = _late(data, self.seen.pulls(state="open"))
        act = lambda: self.run.world.merge(REPO, pull.number, by=by, method=method)  # type: ignore[arg-type]  # noqa: E731
        self.does(f"{by} merges #{pull.number} ({pull.head_ref}) by {method}", act, hurry=hurry)

    @precondition(lambda self: self.seen.pulls(state="open"))
    @rule(data=st.data(), by=st.sampled_from(("mona", "tess", "rita")), hurry=st.booleans())
    def close(self, data: st.DataObject, by: str, *, hurry: bool) -> None:
        pull = _late(data, self.seen.pulls(state="open"))
        if self.does(
            f"{by} closes #{pull.number} ({pull.head_ref})", lambda: self._close(pull, by), hurry=hurry
        ):
            self.seen.closed.add(pull.number)

    @precondition(lambda self: self._reopenable())
    @rule(data=st.data(), hurry=st.booleans())
    def reopen(self, data: st.DataObject, *, hurry: bool) -> None:
        pull = _late(data, self._reopenable())
        act = lambda: self.run.world.reopen(REPO, pull.number, by="mona")  # noqa: E731
        if self.does(f"mona reopens #{pull.number} ({pull.head_ref})", act, hurry=hurry):
            self.seen.closed.discard(pull.number)
            self.seen.reopened.add(pull.number)

    def _reopenable(self) -> list[Pull]:
        return [p for p in self.seen.pulls() if p.state == "closed" and not p.merged]

    @precondition(lambda self: self.seen.pulls(state="open"))
    @rule(
        data=st.data(),
        what=st.sampled_from(("readme", "level", "remark", "block", "template", "image")),
        weight=st.sampled_from((0, 30, 50, 100)),
        hurry=st.booleans(),
    )
    def push(self, data: st.DataObject, what: str, weight: int, *, hurry: bool) -> None:
        """A person commits to the branch of a pull request."""
        pull = _late(data, self.seen.pulls(state="open"))

        def act() -> None:
            there = self.run.world.read(REPO, pull.head_ref, PATH)
            path, content = (
                ("README.md", b"More\n") if what == "readme" else (PATH, edited(there, what, weight))
            )
            if path == PATH and shares(content) != shares(there):
                self.seen.blamed.add(pull.number)
            self.run.world.commit(REPO, pull.head_ref, {path: content}, f"Push {what}", by="kim")

        more = f" to {weight}" if what == "block" else ""
        self.does(f"kim changes the {what}{more} in #{pull.number} ({pull.head_ref})", act, hurry=hurry)

    @rule(
        what=st.sampled_from(("block", "block", "remark", "level", "next")),
        weight=st.sampled_from((0, 5, 25, 30, 50, 100)),
        hurry=st.booleans(),
    )
    def edit(self, what: str, weight: int, *, hurry: bool) -> None:
        """A person edits the file on the base branch."""
        there = self.seen.weight()
        if what == "next" and there is not None:
            weight = there[0].after(there[1]) or 100

        def act() -> None:
            content = edited(self.seen.main(), "block" if what == "next" else what, weight)
            self._by_hand(content)

        more = f" to {weight}" if what in {"block", "next"} else ""
        self.does(f"ada changes the {what}{more} on main", act, hurry=hurry)

    def role(self, who: str, role: str) -> None:
        act = lambda: self.run.world.set_role(REPO, who, Role[role.upper()])  # noqa: E731
        self.does(f"{who} gets the role {role}", act)

    @precondition(lambda self: self.seen.steps())
    @rule(data=st.data(), by=st.sampled_from(SPEAKERS), hurry=st.booleans())
    def press(self, data: st.DataObject, by: str, *, hurry: bool) -> None:
        """Somebody presses a button of a check."""
        pull = _late(data, [p for p, _, _ in self.seen.steps()])
        runs = [c for c in self.run.world.checks(REPO, pull.head_sha) if c.actions]
        if not runs:
            return
        verb = data.draw(st.sampled_from([a["identifier"] for a in runs[0].actions]))

        def act() -> None:
            self.run.world.press(REPO, runs[0].id, verb, by=by)
            sent = self.run.world.hooks.deliveries[-1]
            key = f"button/{press_id(sent.payload())}"
            known = self.seen.said.get(key)
            if known is None:
                self.seen.said[key] = Said(key, pull.number, by, (verb,), self.run.clock.now(), None, False)

        self.does(f"{by} presses {verb} on #{pull.number}", act, hurry=hurry)

    def gate(self, outcome: Outcome) -> None:
        """From now on gates answer something else."""

        def act() -> None:
            was_bad, self.run.gate = self.run.gate is not Outcome.PASS, outcome
            if outcome is Outcome.PASS:
                self.seen.bad_since = None
            elif not was_bad:
                self.seen.bad_since = self.run.clock.now()

        self.does(f"gates say {outcome}", act)

    def configure(self, what: str) -> None:
        """Somebody changes the configuration on the base branch."""
        now = self.run.clock.now().replace(second=0)
        config = Configured()
        lines = ["version: 1"]
        if what in {"standard", "fast", "manual", "cautious"}:
            lines.append(f"rules: {what}")
        if what in {"freeze", "later"}:
            start = now if what == "freeze" else now + timedelta(minutes=20)
            end = start + timedelta(hours=2)
            config.frozen = ((start, end),)
            when = f"FREQ=YEARLY;BYMONTH={start.month};BYMONTHDAY={start.day}"
            when += f";BYHOUR={start.hour};BYMINUTE={start.minute}"
            lines.append(f'freezes: [{{name: week, deny: "{when}", for: 2h}}]')
        if what == "broken":
            config.broken = True
            lines.append("freezes: [{name: week, deny: NEVER, for: 2h}]")

        def act() -> None:
            sha = self.run.world.commit(
                REPO, "main", {CONFIG: "\n".join(lines).encode()}, "Configure", by="ada"
            )
            self.seen.by_hand.add(sha)
            self.swept = False
            self.seen.config = config

        self.does(f"ada configures {lines[1:]}", act)

    @rule(
        data=st.data(),
        what=st.sampled_from(ODD),
    )
    def odd(self, data: st.DataObject, what: str) -> None:
        """What happens now and then."""
        match what:
            case "role":
                who = data.draw(st.sampled_from(("mona", "kim", "tess")))
                self.role(who, data.draw(st.sampled_from(("read", "triage", "write", "write", "none"))))
            case "configure":
                self.configure(data.draw(st.sampled_from(CONFIGURATIONS)))
            case "trap":
                self.trap(data.draw(st.integers(0, 5)), data.draw(st.sampled_from(TRAPS)))
            case "gate":
                self.gate(data.draw(st.sampled_from(list(Outcome))))
            case "restart":
                self.restart(keep=data.draw(st.booleans()))
            case _:
                self.sweep()

    @precondition(lambda self: not self.seen.steps() and self.versions < 12)
    @rule(text=st.sampled_from(("/canary 25", "/canary 25", "/canary 50", "/canary 10 40 70 100")))
    def begin_anew(self, text: str) -> None:
        """A rollout as it is meant, on top of whatever there is."""
        if self.feature_of("ada"):
            number = self.seen.pulls()[-1].number
            self.say_here(number, "ada", text)
            self.does(f"ada merges #{number}", lambda: self.run.world.merge(REPO, number, by="ada"))

    @precondition(lambda self: self.seen.steps())
    @rule(by=st.sampled_from(("mona", "kim", "ada")), first=st.booleans(), merges=st.booleans())
    def go_on(self, by: str, *, first: bool, merges: bool) -> None:
        """The next step as it is meant: somebody promotes, before the time is over or after it; or merges."""
        if not first:
            self.wait_for(31)
        step = next(iter(self.seen.steps()), None)
        if step is not None and merges and not first:
            act = lambda: self.run.world.merge(REPO, step[0].number, by=by)  # noqa: E731
            self.does(f"{by} merges #{step[0].number}", act)
        elif step is not None:
            self.say_here(step[0].number, by, "/promote")
        if first:
            self.wait_for(31)

    # time and machines ------------------------------------------------------------------------

    @rule(minutes=st.sampled_from(WAITS), down=st.sampled_from((False, False, False, True)))
    def wait(self, minutes: int, *, down: bool) -> None:
        self.wait_for(minutes, down=down)

    @precondition(lambda self: self.run.waiting())
    @rule(how=st.sampled_from(("lost", "doubled", "shuffled")), seed=st.integers(0, 9))
    def deliveries(self, how: str, seed: int) -> None:
        """What waits for the bot gets lost, or comes twice, or in another order."""
        self.story.append(f"deliveries are {how}{f' ({seed})' if how == 'shuffled' else ''}")
        NUMBERS["moves"] += 1
        if how == "lost":
            self.lost = bool(self.run.lose()) or self.lost
            return
        copies, shuffle = (2, None) if how == "doubled" else (1, seed)
        self.run.deliver(copies=copies, shuffle=shuffle)
        self.settle()

    def restart(self, *, keep: bool) -> None:
        """The bot's process ends and is started again, with its database or without."""
        self.story.append(f"the bot is started again{'' if keep else ' without its database'}")
        NUMBERS["moves"] += 1
        self.run.stop()
        self.run.start(keep=keep)
        self.sweep()

    def trap(self, left: int, what: str) -> None:
        """Somebody will come between the bot's next writes, or its process ends there."""
        acts: dict[str, Callable[[], object]] = {
            "kill": self._kill,
            "edit": lambda: self._by_hand(edited(self.seen.main(), "block", 30)),
            "close": self._close_a_step,
            "push": self._push_to_a_step,
            "demote": lambda: self.run.world.set_role(REPO, "mona", Role.READ),
            "merge": self._merge_a_step,
        }
        self.ambush = (left, acts[what], what)


def _late(data: st.DataObject, pulls: list[Pull]) -> Pull:
    """Choose a pull request, rather a late one."""
    return pulls[-1 - data.draw(st.integers(0, len(pulls) - 1))]


@pytest.fixture(autouse=True)
def refereed() -> None:
    """No exchange is kept here: there are too many, and all kinds of them are judged in other scenarios."""


@pytest.fixture(autouse=True)
def schema_judged() -> None:
    """As for the referee."""


@pytest.mark.timeout(900 * FUZZ)
def test_any_story(capsys: pytest.CaptureFixture[str]) -> None:
    with closed() as run:
        Machine.run = run
        NUMBERS.clear()
        rules = settings(
            max_examples=STORIES,
            stateful_step_count=MOVES,
            derandomize=FUZZ == 1,
            database=None,
            report_multiple_bugs=False,
            print_blob=True,
            phases=(Phase.generate, Phase.shrink),
        )
        try:
            run_state_machine_as_test(Machine, settings=rules)
        finally:
            with capsys.disabled():
                sys.stdout.write(
                    "\n" + ", ".join(f"{number} {what}" for what, number in NUMBERS.items()) + "\n"
                )
