"""Buttons and re-runs of checks, with an App's token: they come as events of its own check runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.action.moves import rolling

if TYPE_CHECKING:
    from bot.sandbox.model import CheckRun
    from tests.action.runner import Shop


def check(shop: Shop, name: str) -> CheckRun:
    runs = shop.run.world.checks(shop.repo, shop.step().head_sha)
    return next(run for run in runs if run.name == name)


def test_a_press_is_a_command(with_app: Shop) -> None:
    shop = with_app
    rolling(shop)
    number = shop.step().number
    shop.run.clock.advance(timedelta(minutes=31))
    shop.runner.schedule()
    shop.runner.forget()
    shop.run.world.press(shop.repo, check(shop, "canary / gate").id, "promote", by="kim")
    (event,) = shop.runner.events()
    assert (event.name, event.payload["action"]) == ("check_run", "requested_action")
    ran = shop.runner.run(event)
    assert ran.status == 0
    assert shop.split() == {"customer-v3": 50, "customer-v4": 50}
    assert ran.outputs["code"] == "applied"
    (reply,) = [r for r in shop.all_replies(number) if r.answer.to.startswith("button/")]
    assert reply.decision == "done"
    again = shop.runner.run(event)
    assert (again.status, len(shop.all_replies(number))) == (0, 1)
    assert [w for w in again.writes if "/check-runs/" not in w] == []
    assert shop.split() == {"customer-v3": 50, "customer-v4": 50}


def test_a_re_run_judges_again(with_app: Shop) -> None:
    shop = with_app
    rolling(shop)
    shop.runner.forget()
    plan = check(shop, "canary / plan")
    shop.run.world.rerequest_check(shop.repo, plan.id, by="kim")
    (event,) = shop.runner.events()
    assert event.payload["action"] == "rerequested"
    ran = shop.runner.run(event)
    assert ran.status == 0
    assert [w for w in ran.writes if "/check-runs" not in w] == []
    assert (plan.status, plan.conclusion) == ("completed", "success")
    assert any(w.endswith(f"/check-runs/{plan.id}") for w in ran.writes)
