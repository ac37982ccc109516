"""Holds and freezes end by themselves, at the right moment, and what was wished for goes on then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bot.core.rollout import clock
from tests.scenarios.moves import begin

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

CONFIG = ".github/canary.yaml"
SUNDAYS = b"""\
version: 1
timezone: Europe/Berlin
freezes:
- {name: sundays, deny: "FREQ=WEEKLY;BYDAY=SU", for: 24h}
"""


def next_change(now: datetime, month: int) -> datetime:
    """Give the last Sunday of a month, at 00:00 UTC, a day or more from now: the clocks of Europe change on it."""
    for year in (now.year, now.year + 1):
        last = datetime(year, month + 1, 1, tzinfo=UTC) - timedelta(days=1)
        sunday = last - timedelta(days=(last.weekday() + 1) % 7)
        if sunday - now > timedelta(days=1):
            return sunday
    raise AssertionError(now)


@pytest.mark.parametrize(
    ("month", "begins", "ends"),
    [
        pytest.param(3, timedelta(hours=-1), timedelta(hours=22), id="a Sunday of 23 hours"),
        pytest.param(10, timedelta(hours=-2), timedelta(hours=23), id="a Sunday of 25 hours"),
    ],
)
def test_a_window_of_the_configuration_where_the_clocks_change(
    stage: Stage, month: int, begins: timedelta, ends: timedelta
) -> None:
    stage.run.world.commit(stage.repo, "main", {CONFIG: SUNDAYS}, "Freeze", by="ada")
    midnight = next_change(stage.run.clock.now(), month)
    stage.run.clock.advance(midnight + begins - timedelta(minutes=20) - stage.run.clock.now())
    begin(stage)
    step = stage.step()
    stage.later(minutes=40)  # it began while the step baked
    assert stage.check(step.number, "canary / gate")[0] is None
    reply = stage.say(step.number, "/promote")
    assert reply.code == "remembered"
    assert f"until {clock(midnight + ends)}" in reply.text
    stage.run.clock.advance(midnight + ends - timedelta(minutes=1) - stage.run.clock.now())
    stage.settle()
    assert stage.pull(step.number).state == "open"
    stage.later(minutes=2)
    assert stage.pull(step.number).merged


def test_a_hold_and_a_freeze_end_and_the_later_one_counts(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    assert stage.say(number, "/hold for 2h", by="tess").code == "applied"
    assert stage.say(number, "/canary freeze for 3h", by="ada").code == "applied"
    reply = stage.say(step.number, "/promote")
    assert reply.code == "remembered"
    assert "On hold by `tess`" in reply.text
    assert "frozen by `ada`" in reply.text
    stage.later(minutes=121)
    assert stage.pull(step.number).state == "open"
    assert "On hold" not in str(stage.check(step.number, "canary / gate")[1])
    stage.later(minutes=61)
    assert stage.pull(step.number).merged
    assert stage.split()["customer-v4"] == 50


def test_a_hold_ends_inside_a_freeze_that_is_lifted_early(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    assert stage.say(number, "/hold for 1h", by="tess").code == "applied"
    assert stage.say(number, "/canary freeze for 30h", by="ada").code == "applied"
    assert stage.say(step.number, "/promote").code == "remembered"
    stage.later(minutes=61)
    assert stage.pull(step.number).state == "open"
    assert stage.say(number, "/canary unfreeze", by="ada").code == "applied"
    assert stage.pull(step.number).merged


def test_two_services_go_on_after_a_freeze_one_step_each(stage: Stage) -> None:
    """A long freeze ends: of each service only the step that was wished for is merged, and the next one bakes."""
    number = begin(stage)
    cart = stage.read().replace(b"customer", b"cart")
    stage.run.world.commit(stage.repo, "main", {"apps/cart.yaml": cart}, "Add a cart", by="mona")
    other = stage.feature(cart.replace(b"cart-v4   #", b"cart-v5   #"), name="cart", path="apps/cart.yaml")
    assert stage.say(other, "/canary 25 stable=cart-v3").code == "applied"
    stage.merge(other)
    assert stage.say(number, "/canary freeze for 48h", by="ada").code == "applied"
    for pull in (number, other):
        assert stage.say(pull, "/promote").code == "remembered"
    stage.later(hours=47)
    assert stage.split()["customer-v4"] == 25
    stage.later(hours=2)
    assert stage.split()["customer-v4"] == 50
    assert stage.split(path="apps/cart.yaml", name="cart")["cart-v5"] == 50
