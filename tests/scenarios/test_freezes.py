"""Freezes of ``.github/canary.yaml``: nothing goes on in them, and everything stops."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.core.rollout import clock
from tests.scenarios.moves import begin, sweep
from tests.scenarios.stage import VERSION_4

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

CONFIG = ".github/canary.yaml"
NOW = "deny: 'FREQ=DAILY;BYHOUR={0.hour};BYMINUTE={0.minute}', for: {1}"


def configure(stage: Stage, freeze: str, *, more: str = "") -> None:
    """Write a freeze called week into the configuration on the default branch."""
    text = f"version: 1\n{more}freezes:\n- {{name: week, {freeze}}}\n"
    stage.run.world.commit(stage.repo, "main", {CONFIG: text.encode()}, "Freeze", by="ada")
    stage.settle()


def from_now(stage: Stage, length: str = "20h") -> str:
    """Give a window that began this minute, every day."""
    return NOW.format(stage.run.clock.now(), length)


def test_a_wish_is_remembered_and_done_when_the_freeze_is_over(stage: Stage) -> None:
    number = begin(stage)
    ends = stage.run.clock.now().replace(second=0, microsecond=0) + timedelta(hours=2)
    configure(stage, from_now(stage, "2h"))
    stage.later(minutes=31)
    step = stage.step()
    reply = stage.say(step.number, "/promote")
    assert (reply.decision, reply.code) == ("pending", "remembered")
    assert f"Freeze `week` (`{CONFIG}:3" in reply.text
    assert f"until {clock(ends)}" in reply.text
    assert stage.check(step.number, "canary / gate")[0] is None
    stage.later(minutes=80)
    assert stage.pull(step.number).state == "open"
    stage.later(minutes=11)
    assert stage.pull(step.number).merged
    assert stage.split()["customer-v4"] == 50
    assert stage.say(number, "/canary status").code == "shown"


def test_rollback_and_hold_pass(stage: Stage) -> None:
    number = begin(stage)
    configure(stage, from_now(stage))
    stage.later(minutes=31)
    step = stage.step()
    assert stage.say(step.number, "/promote").code == "remembered"
    assert stage.say(step.number, "/hold").code == "applied"
    assert stage.say(number, "/rollback").code == "proposed"
    stage.notice(step.number, "closed-rollback")
    stage.merge(stage.step().number)
    assert stage.split() == {"customer-v3": 100}
    stage.notice(number, "rolled-back")


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [
        pytest.param(NOW, True, id="all services"),
        pytest.param(f"{NOW}, services: [customer]", True, id="this service"),
        pytest.param(f"{NOW}, services: [checkout]", False, id="another service"),
        pytest.param(NOW.replace("deny", "allow"), False, id="inside of what is allowed"),
        pytest.param("allow: 'FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1', for: 1h", True, id="outside of it"),
        pytest.param("deny: 'FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1', for: 1h", False, id="another day"),
    ],
)
def test_what_it_is_about(stage: Stage, freeze: str, *, frozen: bool) -> None:
    configure(stage, freeze.format(stage.run.clock.now(), "20h"))
    begin(stage)
    stage.later(minutes=31)
    assert stage.say(stage.step().number, "/promote").code == ("remembered" if frozen else "applied")


def test_a_green_check_turns_when_a_window_begins(stage: Stage) -> None:
    """People and GitHub's auto-merge go by the check: it is not left green until somebody happens to look."""
    begin(stage)
    starts = stage.run.clock.now().replace(second=0, microsecond=0) + timedelta(hours=2)
    configure(stage, NOW.format(starts, "1h"))
    step = stage.step().number
    stage.later(minutes=60)
    assert stage.check(step, "canary / gate")[0] == "success"
    stage.later(minutes=61)
    assert stage.check(step, "canary / gate")[0] is None
    assert stage.check(step, "canary / gate")[1].startswith("Freeze week")
    stage.later(minutes=61)
    assert stage.check(step, "canary / gate")[0] == "success"


def test_why_names_it_and_its_line(stage: Stage) -> None:
    configure(stage, from_now(stage))
    number = begin(stage)
    reply = stage.say(number, "/canary why")
    assert f"| freeze | ⏳ wait | Freeze `week` (`{CONFIG}:3" in reply.text


def test_a_freeze_in_a_pull_request_has_no_effect(stage: Stage) -> None:
    begin(stage)
    text = f"version: 1\nfreezes:\n- {{name: week, {from_now(stage)}}}\n"
    stage.branch("freeze", {CONFIG: text.encode()})
    stage.run.world.open_pull(stage.repo, "freeze", "main", "Freeze", by="mona")
    stage.later(minutes=31)
    assert stage.say(2, "/promote").code == "applied"


def test_a_broken_configuration_promotes_nothing_and_stops_no_rollback(stage: Stage) -> None:
    number = begin(stage)
    configure(stage, "deny: NEVER, for: 24h")
    stage.later(minutes=31)
    step = stage.step()
    reply = stage.say(step.number, "/promote")
    assert (reply.decision, reply.code) == ("declined", "config-invalid")
    assert "Nothing is promoted before that is mended" in stage.say(step.number, "/canary why").text
    sweep(stage)
    assert stage.pull(step.number).state == "open"
    assert stage.say(number, "/rollback").code == "proposed"
    stage.notice(step.number, "closed-rollback")


def test_a_feature_pull_request_can_begin_in_a_freeze(stage: Stage) -> None:
    """The first share is merged by people, with the feature; what the bot proposes and merges waits."""
    configure(stage, from_now(stage))
    number = stage.feature(VERSION_4)
    assert stage.say(number, "/canary 25").code == "applied"
