"""A run that is cancelled at any moment is made good by the next one, whatever started that.

Cancelled is a run by an interrupt, as a runner does it, and by a kill, as it ends. Without a wish of the
environment a sample of the moments is looked at: ``CANARY_FUZZ=2`` looks at all.
"""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.action.moves import FLOWS, Flow, seen

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.action.conftest import Town
    from tests.action.moves import Seen
    from tests.action.runner import Event, Ran, Shop

ALL = int(os.environ.get("CANARY_FUZZ", "1")) > 1
SAMPLED = 1
MAIN = ("canary on an open pull request", "a merge opens the step", "the clock merges what was wished")
CANCELLED = 130


class Cancel:
    """Interrupts a run after some requests; -1 lets it be."""

    def __init__(self, after: int = -1) -> None:
        self.left = after
        self.count = 0

    def __call__(self, _method: str, _path: str, _status: int) -> None:
        self.count += 1
        if self.count == self.left:
            raise KeyboardInterrupt


def again(shop: Shop, event: Event) -> Ran:
    """Run the same job again."""
    return shop.runner.run(event)


def clock(shop: Shop, _event: Event) -> Ran:
    return shop.runner.schedule()


def chat(shop: Shop, _event: Event) -> Ran:
    """Run because of a word that another bot owns."""
    return shop.runner.run(shop.event_of(1, "/lgtm", by="kim"))


NEXT = (again, clock, chat)


@dataclass(frozen=True)
class Course:
    """How a flow goes without a cancellation: requests, and what is there behind it and behind the next clock."""

    requests: int
    end: Seen
    rest: Seen

    def differences(self, shop: Shop) -> list[str]:
        """Compare: checks that nobody waits for may come as late as with the next clock, the rest not."""
        found = self.end.differences(seen(shop), checks=False)
        assert shop.runner.schedule().status == 0
        return found + self.rest.differences(seen(shop))


def course(shop: Shop, flow: Flow) -> Course:
    flow.before(shop)
    heard = Cancel()
    assert shop.runner.run(flow.act(shop), on_request=heard).status == 0
    end = seen(shop)
    assert shop.runner.schedule().status == 0
    return Course(heard.count, end, seen(shop))


@pytest.mark.timeout(1800 if ALL else 120)
@pytest.mark.parametrize("name", FLOWS if ALL else MAIN)
def test_cancelled_once_anywhere(opened: Callable[..., Shop], name: str) -> None:
    """After each request, and before the first: as a run that was replaced before it began."""
    meant = course(opened(), FLOWS[name])
    moments = range(meant.requests + 1)
    chosen = moments if ALL else [0, *random.Random(name).sample(moments[1:], SAMPLED)]
    wrong = []
    for at in chosen:
        shop = opened()
        FLOWS[name].before(shop)
        event = FLOWS[name].act(shop)
        if at:
            assert shop.runner.run(event, on_request=Cancel(at)).status == CANCELLED
            assert shop.last.files["OUTPUT"] == ""
            assert shop.last.log.unguarded[-2:] == ("Cancelled; the next run goes on from here.", "")
        follow = NEXT[(at + len(name)) % len(NEXT)]
        assert follow(shop, event).status == 0
        wrong += [f"{at}, then {follow.__name__}: {line}" for line in meant.differences(shop)]
    assert wrong == []


@pytest.mark.timeout(300 if ALL else 120)
@pytest.mark.parametrize("name", FLOWS)
def test_cancelled_again_and_again_each_time_a_little_later(opened: Callable[..., Shop], name: str) -> None:
    meant = course(opened(), FLOWS[name])
    shop = opened()
    FLOWS[name].before(shop)
    event = FLOWS[name].act(shop)
    stride = 1 if ALL else 6
    for at in range(1, 10 * meant.requests, stride):
        if shop.runner.run(event, on_request=Cancel(at)).status != CANCELLED:
            break
    assert shop.last.status == 0
    assert meant.differences(shop) == []


# --- a process ------------------------------------------------------------------------------------


class Ender:
    """Ends a process with one of its writes, which is carried out all the same."""

    def __init__(self, child: subprocess.Popen[bytes], how: signal.Signals, write: int) -> None:
        self.child, self.how, self.left = child, how, write

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.child.send_signal(self.how)
            self.child.wait(100)  # on a busy machine; the test ends after 120


@pytest.mark.parametrize("write", range(1, 7) if ALL else (2, 4))
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_a_process_that_is_ended_in_the_middle_of_a_write(
    live_town: Town, tmp_path: Path, write: int, how: signal.Signals
) -> None:
    """The write is carried out, and its answer never heard."""
    flow = FLOWS["canary on an open pull request"]
    meant = course(live_town.shop(tmp_path), flow)
    shop = live_town.shop(tmp_path)
    flow.before(shop)
    event = flow.act(shop)
    child, wait = shop.runner.process(event)
    ender, faults = Ender(child, how, write), live_town.server.faults
    for method in ("POST", "PUT"):
        faults.before(method, f"^/repos/{shop.repo}/", ender, times=1_000)
    ran = wait()
    faults.clear()
    assert ran.status == (-how if how == signal.SIGKILL else CANCELLED)
    assert ran.files["OUTPUT"] == ""
    if how != signal.SIGKILL:
        assert not ran.log.ends_stopped
        assert "Cancelled; the next run goes on from here." in ran.log.unguarded
    _, wait = shop.runner.process(event)
    assert wait().status == 0
    assert meant.differences(shop) == []
    assert live_town.server.errors == []
