"""Any order of steps, merges, edits, rollbacks, holds and freezes, on the core alone: a hundred thousand moves a run.

The scenarios play the same with the whole bot, a thousand times slower. Here a rollout is a split, its records and a
clock. A model beside it says in the words of the contract what may happen; the core has to agree at every move.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.rulebook import built_in
from bot.core import moving
from bot.core.conditions import Condition
from bot.core.rollout import (
    ALL,
    Phase,
    held,
    judge,
    moved,
    rollback_record,
    rolled_back,
    state_of,
    step_record,
)
from bot.core.traffic import Split, Target
from bot.core.trailers import Record

if TYPE_CHECKING:
    from collections.abc import Callable

FUZZ = int(os.environ.get("CANARY_FUZZ", "1"))
STORIES, MOVES = 200 * FUZZ, 200
FIRST_DAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
# Minutes that a share has to hold, from the tables of the rule sets, written again.
BAKES: dict[str, dict[int, int]] = {
    "standard": {5: 30, 25: 30, 50: 30},
    "cautious": {5: 30, 25: 30, 50: 60},
    "fast": {25: 5, 50: 5},
    "manual": {},
}
STEPS = {
    "standard": (5, 25, 50, 100),
    "cautious": (5, 25, 50, 100),
    "fast": (25, 50, 100),
    "manual": (5, 25, 50, 100),
}
SETS = {name: built_in().get(name) for name in BAKES}
# Two of them may promote; the third may only stop, the fourth nothing.
MAY_GO_ON, MAY_STOP = ("mona", "kim"), ("mona", "kim", "tess")
PEOPLE = ("mona", "kim", "tess", "rita")


@dataclass(slots=True)
class Play:
    """One service, its last rollout, and what a reader of the contract knows of them.

    ``at`` is the step reached, ``None`` in drift. ``going`` says whether a rollout goes on, ``back`` whether an
    accepted rollback was not merged yet.
    """

    dice: random.Random
    now: datetime = FIRST_DAY
    split: Split = field(
        default_factory=lambda: Split((Target("v1", ALL, "current"), Target("v0", 0, "old")))
    )
    records: list[Record] = field(default_factory=list)
    rules: str = "standard"
    steps: tuple[int, ...] = ()
    stable: str = "v1"
    candidate: str = ""
    at: int | None = None
    recorded: int = 0
    going: bool = False
    back: bool = False
    hold: datetime | None = None
    is_held: bool = False
    frozen: bool = False
    since: datetime = FIRST_DAY
    versions: int = 1
    story: list[str] = field(default_factory=list)
    merged: int = 0

    # what the contract says -------------------------------------------------------------------

    @property
    def following(self) -> int | None:
        """The step behind the one reached."""
        if not self.going or self.at is None:
            return None
        return next((w for w in self.steps if w > self.at), None)

    @property
    def bakes_until(self) -> datetime:
        """When the present share has held for long enough."""
        if not self.at:
            return self.since
        table = BAKES[self.rules]
        below = [w for w in table if w <= self.at]
        nearest = max(below) if below else min(table, default=0)
        return self.since + timedelta(minutes=table.get(nearest, 0))

    @property
    def held(self) -> bool:
        """Whether a hold is on, and has not expired."""
        return self.is_held and (self.hold is None or self.now < self.hold)

    @property
    def may_go_on(self) -> bool:
        """Whether all rules let the next step pass."""
        return not (self.held or self.frozen or self.now < self.bakes_until)

    # what the core says -----------------------------------------------------------------------

    def passes(self) -> bool:
        """Ask the core for the gate of the next step."""
        freeze = Condition("freeze", "freeze", "wait" if self.frozen else "pass")
        words = "On hold" if self.is_held else None
        others = (held(words, self.hold, self.now), freeze)
        return judge(SETS[self.rules], self.at or 0, since=self.since, now=self.now, others=others).passes

    def look(self) -> None:
        """See that the core finds the rollout where it is, and lets pass what may pass."""
        found = state_of(self.split, self.records)
        assert sum(t.effective_percent for t in self.split.targets) == ALL
        assert found.next_weight == self.following
        assert Target("v0", 0, "old") in self.split.targets  # nobody's business here, and never touched
        if self.going:
            assert found.phase is (Phase.DRIFTED if self.at is None else Phase.ROLLING)
            assert self.at is None or found.weight == self.at
        else:
            assert found.phase not in {Phase.ROLLING, Phase.DRIFTED}
        if self.following is not None:
            assert self.passes() == self.may_go_on

    # moves ------------------------------------------------------------------------------------

    def start(self, who: str) -> None:
        """Begin a rollout; an unfinished one is superseded, and stable stays the last revision that was finished."""
        if who not in MAY_GO_ON:
            return
        if not self.going and self.at == ALL:
            self.stable = self.candidate
        first = self.dice.choice((0, 5, 10, 25))
        self.versions += 1
        self.rules = self.dice.choice(tuple(BAKES))
        self.candidate = f"v{self.versions}"
        self.steps = (first, *(w for w in STEPS[self.rules] if w > first))
        assert SETS[self.rules].steps_from(first) == self.steps
        self.split = moving.to_weight(self.split, stable=self.stable, candidate=self.candidate, weight=first)
        name = f"customer-{self.versions:08x}"
        self.records.insert(
            0,
            Record(
                "a.yaml#shop/customer",
                name,
                1,
                first,
                self.steps,
                self.stable,
                self.candidate,
                1,
                self.rules,
                who,
                1,
            ),
        )
        self.going, self.back, self.is_held = True, False, False
        self._reached(first)

    def _reached(self, weight: int) -> None:
        self.at = self.recorded = weight
        self.since = self.now
        self.going = self.going and weight < ALL

    def promote(self, who: str) -> None:
        """Have the bot merge the next step: only for whom it may, and only when the core lets it."""
        if who not in MAY_GO_ON or self.following is None or self.back or not self.passes():
            return
        assert self.may_go_on
        self._merge(who)
        self.merged += 1

    def merge(self, who: str) -> None:
        """Have a person merge the next step, early or not: a fact, and often a hold."""
        if who not in MAY_GO_ON or self.following is None or self.back:
            return
        early = self.now < self.bakes_until
        self._merge(who)
        if early and self.rules in {"standard", "cautious"}:
            self.is_held, self.hold = True, None

    def _merge(self, who: str) -> None:
        weight, found = self.following, state_of(self.split, self.records)
        assert weight is not None
        assert found.record is not None
        assert found.next_weight == weight
        record = step_record(found, weight, requested_by=who, comment=2)
        assert (record.weight, record.step) == (weight, self.steps.index(weight) + 1)
        self.split = moved(self.split, record, weight)
        self.records.insert(0, record)
        self._reached(weight)

    def edit(self, _: str) -> None:
        """Have a person set the block by hand: to a step of the rollout, or to anything."""
        if not self.going:
            return
        share = self.dice.choice((0, 30, 99, *self.steps[:-1], *self.steps[:-1]))
        self.split = moving.to_weight(self.split, stable=self.stable, candidate=self.candidate, weight=share)
        fits = share in self.steps and share >= self.recorded
        if not (fits and share == self.at):
            self.since = self.now
        self.at = share if fits else None

    def rollback(self, who: str) -> None:
        """Accept a rollback: nothing goes on from here, until somebody resumes."""
        if who in MAY_STOP and self.going:
            self.back = True

    def turn_back(self, _: str) -> None:
        """Merge the rollback that was accepted."""
        if not self.back:
            return
        found = state_of(self.split, self.records)
        assert found.record is not None
        self.split = rolled_back(self.split, found.record)
        self.records.insert(0, rollback_record(found.record, requested_by="tess", comment=3))
        assert {t.revision: t.percent for t in self.split.targets if t.percent} == {self.stable: ALL}
        self.going, self.back, self.at = False, False, None

    def stop(self, who: str) -> None:
        """Hold, for a while or for good."""
        if who in MAY_STOP and self.going:
            self.is_held = True
            self.hold = self.now + timedelta(hours=2) if self.dice.random() < 0.5 else None

    def resume(self, who: str) -> None:
        """End a hold, and a rollback that was not merged."""
        if who in MAY_GO_ON and self.going:
            self.is_held = self.back = False

    def freeze(self, _: str) -> None:
        """Begin or end a freeze."""
        self.frozen = self.dice.random() < 0.3

    def wait(self, _: str) -> None:
        """Let time pass."""
        self.now += timedelta(minutes=self.dice.choice((1, 4, 6, 29, 31, 61, 300)))

    def play(self, moves: int) -> None:
        """Make moves at random, and look after each."""
        common: tuple[Callable[[str], None], ...] = (
            self.promote,
            self.promote,
            self.promote,
            self.wait,
            self.wait,
        )
        rare = (
            self.start,
            self.merge,
            self.edit,
            self.rollback,
            self.turn_back,
            self.stop,
            self.resume,
            self.freeze,
        )
        every = (*common, *common, *common, self.resume, self.freeze, *rare)
        for _ in range(moves):
            move, who = self.dice.choice(every), self.dice.choice(PEOPLE)
            before, was_back = self.at, self.back
            self.story.append(f"{self.now:%d %H:%M} {who} {move.__name__}")
            move(who)
            self.story[-1] += f": {self.at} of {self.steps}"
            ahead = before is not None and self.at is not None and self.at > before
            assert not (ahead and was_back and move in {self.promote, self.merge})
            self.look()


@settings(max_examples=STORIES, derandomize=FUZZ == 1, database=None)
@given(st.integers(0, 2**32))
def test_any_order(seed: int) -> None:
    """The base branch only ever takes values of the plan, of an edit or of a rollback; what may not go on does not."""
    play = Play(random.Random(seed))
    try:
        play.play(MOVES)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(play.story)) from error


def test_the_moves_lead_somewhere() -> None:
    """A machine whose rollouts never get on would agree with anything."""
    plays = [Play(random.Random(seed)) for seed in range(20)]
    for play in plays:
        play.play(MOVES)
    assert sum(play.merged for play in plays) > 3 * len(plays)
    assert any(record.weight == ALL for play in plays for record in play.records)
    assert any(record.step == "rollback" for play in plays for record in play.records)
