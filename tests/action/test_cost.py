"""What a run costs: requests to GitHub, of the thousand an hour that a workflow's token has for a repository.

The figures are printed at the end of the run of the tests, and may only fall.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.action.moves import armed, baked, feature, rolling
from tests.contract.lane import FIGURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.action.runner import Ran, Shop

HOUR = 1_000  # requests of a GITHUB_TOKEN for a repository: GitHub, "Rate limits for the REST API"
STRIKES = 4  # of the example workflow's clock in an hour


def nothing(_: Shop) -> None:
    """A repository without anything going on."""


def chat(shop: Shop) -> Ran:
    return shop.runner.run(shop.event_of(1, "Looks good to me."))


def word_of_another_bot(shop: Shop) -> Ran:
    return shop.runner.run(shop.event_of(1, "/lgtm"))


def canary(shop: Shop) -> Ran:
    return shop.runner.run(shop.event_of(1, "/canary 25"))


def promote(shop: Shop) -> Ran:
    return shop.runner.run(shop.event_of(2, "/promote"))


def check(shop: Shop) -> Ran:
    shop.feature()
    return shop.last


def merge(shop: Shop) -> Ran:
    shop.merge(1)
    return shop.last


def clock(shop: Shop) -> Ran:
    shop.runner.schedule()
    shop.run.clock.advance(timedelta(minutes=5))
    return shop.runner.schedule()


COSTS = [
    pytest.param(feature, chat, (0, 0), id="a comment that is chat"),
    pytest.param(feature, word_of_another_bot, (5, 0), id="a comment for another bot"),
    pytest.param(nothing, check, (8, 0), id="the check of a pull request"),
    pytest.param(feature, canary, (21, 7), id="/canary 25 on an open pull request"),
    pytest.param(armed, merge, (32, 8), id="the push that opens the next step"),
    pytest.param(baked, promote, (84, 17), id="/promote that merges, and the step after it"),
    pytest.param(nothing, clock, (3, 0), id="the clock, nothing running"),
    pytest.param(rolling, clock, (31, 2), id="the clock, one rollout under way"),
]


@pytest.mark.parametrize(("before", "act", "most"), COSTS)
def test_requests(
    shop: Shop,
    *,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
    before: Callable[[Shop], None],
    act: Callable[[Shop], Ran],
    most: tuple[int, int],
) -> None:
    before(shop)
    ran = act(shop)
    assert ran.status == 0
    made = (len(ran.requests), len(ran.writes))
    record_property(
        FIGURES, f"Action, {request.node.callspec.id}: {made[0]} requests, of them writes {made[1]}"
    )
    assert made[0] <= most[0], [f"{r.method} {r.path}" for r in ran.requests]
    assert made[1] <= most[1], ran.writes
    assert STRIKES * made[0] < HOUR
