"""Several comments at once, and jobs that are run again: one result for each comment, whichever run gives it.

By default one run waits for the one that goes on, and a newer one takes its place; with ``queue: max`` all wait.
Source: GitHub, "Control the concurrency of workflows and jobs".
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.action.moves import armed, comment, feature, rolling, seen
from tests.action.test_cancel import ALL
from tests.scenarios.stage import VERSION_4

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.sandbox.model import Comment
    from tests.action.runner import Event, Ran, Shop

QUEUES = pytest.mark.parametrize(
    "replacing", [pytest.param(False, id="queue max"), pytest.param(True, id="the pending run is replaced")]
)
THREE = (("mona", "/canary 25"), ("kim", "/canary status"), ("tess", "/canary help promote"))
CODES = ["applied", "shown", "shown"]


def talk(shop: Shop, *said: tuple[str, str], number: int = 1) -> list[Comment]:
    """Let people comment, some seconds after each other."""
    found = []
    for by, text in said:
        found.append(shop.write(number, text, by=by))
        shop.run.clock.advance(timedelta(seconds=3))
    return found


def codes(shop: Shop, comments: list[Comment]) -> list[str]:
    """Give the code of the one reply to each."""
    return [shop.reply_to(one).code for one in comments]


def one_result_each(shop: Shop, comments: list[Comment]) -> None:
    assert codes(shop, comments) == CODES
    assert len(shop.all_replies(1)) == len(comments)
    assert shop.split("v4") == {"customer-v3": 75, "customer-v4": 25}
    assert len([m for m in shop.log("v4") if "Canary-Comment" in m]) == 1


@QUEUES
def test_three_comments_within_ten_seconds(shop: Shop, replacing: bool) -> None:  # noqa: FBT001 - pytest's
    feature(shop)
    said = talk(shop, *THREE)
    first, *others = shop.runner.events()
    shop.runner.run(first)
    rest = shop.runner.queue(*others, replacing=replacing)
    assert len(rest) == (1 if replacing else 2)
    assert {r.status for r in shop.runner.runs} == {0}
    one_result_each(shop, said)


@QUEUES
def test_comments_come_while_the_first_is_worked_on(opened: Callable[..., Shop], replacing: bool) -> None:  # noqa: FBT001
    shop = opened()
    feature(shop)
    requests = len(shop.runner.run(shop.event_of(1, "/canary 25")).requests)
    moments = range(1, requests + 1)
    for at in moments if ALL else random.Random(str(replacing)).sample(moments, 2):
        shop = opened()
        feature(shop)
        said = talk(shop, THREE[0])
        (first,) = shop.runner.events()
        left = [at]

        def hear(_method: str, _path: str, _status: int, left: list[int] = left, shop: Shop = shop) -> None:
            left[0] -= 1
            if left[0] == 0:
                said.extend(talk(shop, *THREE[1:]))  # noqa: B023 - of this round

        shop.runner.run(first, on_request=hear)
        shop.runner.queue(*shop.runner.events(), replacing=replacing)
        one_result_each(shop, said)


def test_comments_on_several_pull_requests(shop: Shop) -> None:
    feature(shop)
    for name in ("v5", "v6"):
        shop.branch(
            name, {"apps/customer.yaml": VERSION_4.replace(b"customer-v4", b"customer-%s" % name.encode())}
        )
        shop.run.world.open_pull(shop.repo, name, "main", name, by="mona")
    shop.runner.forget()
    said = [talk(shop, ("mona", "/canary plan 25"), number=n)[0] for n in (1, 2, 3)]
    last = shop.runner.events()[-1]
    shop.runner.run(last)
    assert codes(shop, said) == ["shown", "shown", "shown"]
    assert [r.number for one in said for r in [shop.reply_to(one)]] == [1, 2, 3]
    assert shop.last.outputs["pull-request"] == "3"
    assert shop.last.summary.count("`shown`") == 3


@pytest.mark.parametrize(
    ("by", "text"), [("kim", "/lgtm"), ("rita", "Thanks\n/approve no-issue"), ("mona", "/canary status")]
)
def test_what_the_replaced_run_would_have_done(shop: Shop, by: str, text: str) -> None:
    """The run that took its place answers, also when its own comment is somebody else's word."""
    feature(shop)
    (wanted,) = talk(shop, ("mona", "/canary 25"))
    _lost, instead = (*shop.runner.events(), shop.event_of(1, text, by=by))
    ran = shop.runner.run(instead)
    assert shop.reply_to(wanted).code == "applied"
    assert "answered" in ran.outputs["summary"] or ran.outputs["code"] == "shown"
    assert shop.runner.run(instead).writes == []


@pytest.mark.parametrize("before", [feature, armed, rolling])
def test_a_job_that_is_run_again_doubles_nothing(shop: Shop, before: Callable[[Shop], None]) -> None:
    before(shop)
    event = shop.event_of(1, "/rollback" if before is rolling else "/canary 25")
    first = shop.runner.run(event)
    shop.runner.schedule()
    end = seen(shop)
    for _ in range(2):
        again = shop.runner.run(event, GITHUB_RUN_ATTEMPT="2")
        assert (again.status, again.decision, again.writes) == (0, "none", [])
    assert end.differences(seen(shop)) == []
    assert first.decision in {"done", "already"}


@pytest.mark.parametrize("answered", [True, False])
def test_80_last_months_job_is_too_old(shop: Shop, answered: bool) -> None:  # noqa: FBT001 - pytest's
    feature(shop)
    event = comment(1, "/canary 25")(shop)
    if answered:
        shop.runner.run(event)
    end = seen(shop)
    shop.run.clock.advance(timedelta(days=31))
    ran = shop.runner.run(event, GITHUB_RUN_ATTEMPT="2")
    assert (ran.status, ran.writes) == (0, [])
    assert (ran.decision, ran.outputs["code"]) == ("declined", "too-late")
    assert "too old" in ran.outputs["summary"]
    assert end.differences(seen(shop)) == []


def test_a_job_of_hours_ago_says_so_once(shop: Shop) -> None:
    feature(shop)
    event = shop.event_of(1, "/canary 25")
    shop.run.clock.advance(timedelta(hours=4, minutes=30))
    ran = shop.runner.run(event)
    assert (ran.decision, ran.outputs["code"]) == ("declined", "too-late")
    (reply,) = shop.all_replies(1)
    assert "too late (4 h 30 min)" in reply.text
    assert shop.runner.run(event).writes == []
    assert shop.split("v4") == {"customer-v3": 100}


def runs(shop: Shop, *events: Event) -> list[Ran]:
    return [shop.runner.run(event) for event in events]


def test_a_review_is_a_comment(shop: Shop) -> None:
    feature(shop)
    shop.run.world.review(shop.repo, 1, "Fine.\n\n/canary 25", by="kim")
    (ran,) = runs(shop, *shop.runner.events())
    assert (ran.event.name, ran.decision) == ("pull_request_review", "done")
    assert [r.answer.to.partition("/")[0] for r in shop.all_replies(1)] == ["review"]
    assert shop.live(ran) == []


@pytest.mark.parametrize(
    ("by", "text"),
    [
        pytest.param("mona", "/canary 25", id="edited into a command"),
        pytest.param("canary-bot[bot]", "/canary 25", id="of a bot"),
    ],
)
def test_comments_that_never_run(shop: Shop, by: str, text: str) -> None:
    feature(shop)
    said = shop.write(1, "Hm" if by == "mona" else text, by=by)
    if by == "mona":
        shop.run.world.edit_comment(shop.repo, said.id, text, by=by)
    for event in shop.runner.events():
        assert shop.runner.run(event).writes == []
    assert shop.runner.run(comment(1, "/lgtm")(shop)).writes == []
    assert shop.all_replies(1) == []
