"""The whole story by events alone: a check, a comment, merges, the workflow's clock. No server, no webhook."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.action.runner import Event
from tests.scenarios.stage import PATH, VERSION_4

if TYPE_CHECKING:
    from tests.action.runner import Ran, Shop

INVALID = VERSION_4.replace(b"percent: 100", b"percent: 90")
BOTH = pytest.mark.parametrize("kind", ["shop", "with_app"])


@pytest.fixture
def told(request: pytest.FixtureRequest, kind: str) -> Shop:
    found: Shop = request.getfixturevalue(kind)
    return found


def later(shop: Shop, **delta: float) -> Ran:
    """Let time pass, and the workflow's clock strike."""
    shop.run.clock.advance(timedelta(**delta))
    return shop.runner.schedule()


@BOTH
def test_from_the_first_comment_to_the_end(told: Shop) -> None:
    shop = told
    number = shop.feature()
    assert (shop.last.event.name, shop.last.status, shop.last.decision) == ("pull_request", 0, "answered")
    assert shop.last.writes == []

    assert shop.say(number, "/canary 25").code == "applied"
    answered = next(r for r in shop.runner.runs if r.event.name == "issue_comment")
    rollout = answered.outputs["rollout"]
    assert answered.outputs == {
        "decision": "done",
        "code": "applied",
        "service": "customer",
        "rollout": rollout,
        "step": "1/3",
        "pull-request": "1",
        "summary": "done: applied, customer 1/3",
    }
    assert rollout.startswith("customer-")
    assert shop.split("v4") == {"customer-v3": 75, "customer-v4": 25}
    assert shop.check(number, "canary / plan")[0] == "success"

    shop.merge(number)
    assert "push" in [r.event.name for r in shop.runner.runs]
    step = shop.step()
    assert (step.title, step.head_ref) == ("customer: 25 % → 50 %", f"canary/{rollout.replace('-', '/')}/50")
    assert shop.check(step.number, "canary / gate")[0] is None

    shop.runner.schedule()  # gives the step's check its full evidence, as a webhook's look does
    early = shop.runner.schedule()
    assert (early.status, early.decision, early.writes) == (0, "none", [])
    assert "not before" in early.summary
    assert early.outputs["pull-request"] == str(step.number)

    promote = shop.write(step.number, "/promote", by="kim")
    shop.settle()
    assert (shop.reply_to(promote).decision, shop.reply_to(promote).code) == ("pending", "remembered")
    assert shop.split() == {"customer-v3": 75, "customer-v4": 25}

    merged = later(shop, minutes=31)
    assert (merged.decision, merged.outputs["step"]) == ("done", "2/3")
    assert merged.outputs["summary"].startswith("1 pull request merged")
    assert shop.split() == {"customer-v3": 50, "customer-v4": 50}
    assert (shop.reply_to(promote).decision, shop.reply_to(promote).code) == ("done", "applied")
    shop.settle()

    last = shop.step()
    assert last.title == "customer: 50 % → 100 %"
    later(shop, minutes=61)
    shop.merge(last.number)
    assert shop.split() == {"customer-v4": 100}
    assert shop.no_step()
    assert "**Done**" in shop.notice(number, "done-").text
    assert shop.unread() == []
    for ran in shop.runner.runs:
        assert (ran.status, ran.told("error")) == (0, [])
        assert shop.live(ran) == []


@BOTH
def test_a_rollback_by_comment(told: Shop) -> None:
    shop = told
    number = shop.feature()
    shop.say(number, "/canary 25")
    shop.merge(number)
    step = shop.step()
    later(shop, minutes=3)
    reply = shop.say(number, "/rollback -- errors", by="tess")
    assert (reply.decision, reply.code) == ("done", "proposed")
    assert shop.pull(step.number).state == "closed"
    shop.notice(step.number, "closed-rollback")
    back = shop.step()
    assert back.title == "customer: roll back to customer-v3"
    shop.merge(back.number)
    assert shop.split() == {"customer-v3": 100}
    assert "**Rolled back**" in shop.notice(number, "rolled-back-").text
    assert later(shop, hours=1).writes == []
    assert (shop.unread(), shop.no_step()) == ([], True)


def test_a_workflows_own_work_starts_no_workflow_and_an_apps_does(shop: Shop, with_app: Shop) -> None:
    started = []
    for one in (shop, with_app):
        number = one.feature()
        one.say(number, "/canary 25")
        one.merge(number)
        head = one.step().head_sha
        started.append(
            [one.run.world.starts_workflows(one.repo, sha) for sha in (head, one.pull(number).head_sha)]
        )
        own = [r for r in one.runner.runs if r.event.payload["sender"]["login"].endswith("[bot]")]
        assert bool(own) is all(started[-1])
        said = one.pull(one.step().number).body
        assert ("starts no workflow" in (said or "")) is not started[-1][0]
    assert started == [[False, False], [True, True]]
    notices = [{n for r in one.runner.runs for n in r.told("notice")} for one in (shop, with_app)]
    assert [len(n) for n in notices] == [1, 0]


class TestCheck:
    """``pull_request``: the manifests are judged with a token that only reads."""

    def test_valid(self, shop: Shop) -> None:
        shop.feature()
        assert (shop.last.status, shop.last.log.commands, shop.last.writes) == (0, (), [])
        assert shop.last.outputs["summary"] == "The manifests are valid."

    def test_nothing_of_ours(self, shop: Shop) -> None:
        shop.feature(b"Words", path="README.md")
        assert (shop.last.status, shop.last.decision, shop.last.outputs["code"]) == (0, "none", "no-service")

    def test_invalid_with_annotations_on_the_lines(self, shop: Shop) -> None:
        shop.feature(INVALID)
        ran = shop.last
        assert (ran.status, ran.decision, ran.writes) == (1, "declined", [])
        (remark,) = ran.log.commands
        line = int(remark.properties["line"])
        assert (remark.name, remark.properties["file"]) == ("error", PATH)
        assert INVALID.splitlines()[line - 1].strip() in {b"traffic:", b"percent: 90", b"- tag: current"}
        assert "90" in remark.data
        assert ran.outputs["code"] == remark.properties["title"]
        assert remark.data.splitlines()[0] in ran.summary.replace("`", "") or "90" in ran.summary
        shop.push("v4", VERSION_4)
        assert (shop.last.event.payload["action"], shop.last.status) == ("synchronize", 0)

    @pytest.mark.parametrize(("content", "status"), [(VERSION_4, 0), (INVALID, 1)], ids=["valid", "invalid"])
    def test_a_fork_gets_a_verdict_and_no_write(self, shop: Shop, content: bytes, status: int) -> None:
        world = shop.run.world
        fork = world.fork(shop.repo, by="rita").full_name
        world.create_branch(fork, "mine", by="rita")
        world.commit(fork, "mine", {PATH: content}, "Mine", by="rita")
        world.open_pull(shop.repo, "mine", "main", "From a fork", by="rita", fork=fork)
        (ran,) = shop.runner.settle()
        assert (ran.event.name, ran.status) == ("pull_request", status)
        assert {r.method for r in ran.requests} == {"GET"}
        assert {r.status for r in ran.requests} <= {200, 404}  # there is no configuration
        assert {r.caller for r in ran.requests} == {"github-actions[bot]"}
        assert shop.unread() == []
        assert world.all_checks(shop.repo, shop.pull(1).head_sha) == []

    def test_that_is_gone(self, shop: Shop) -> None:
        shop.feature()
        event = shop.last.event
        gone = Event(event.name, {**event.payload, "pull_request": {"number": 77}})
        ran = shop.runner.run(gone)
        assert (ran.status, ran.decision) == (0, "none")
        assert ran.outputs["summary"] == "The pull request or its base branch is gone."


def test_the_rules_of_the_default_branch(shop: Shop) -> None:
    world, config = shop.run.world, ".github/canary.yaml"
    sha = world.commit(shop.repo, "main", {config: b"version: 1\nrules: fast\n"}, "Rules", by="ada")
    shop.settle()
    shop.branch("rules", {config: b"version: 1\nrule: manual\n"})
    number = world.open_pull(shop.repo, "rules", "main", "Rules", by="mona").number
    shop.settle()
    (remark,) = [c for c in shop.last.log.commands if c.name == "error"]
    place = {"file": config, "line": "2", "col": "1"}
    assert (shop.last.status, place.items() <= remark.properties.items()) == (1, True)
    assert remark.data.startswith("Unknown key rule.")
    shop.close(number)

    number = shop.feature()
    assert shop.say(number, "/canary 25").code == "applied"
    assert f"Canary-Config: {sha}" in shop.log("v4")[0]
    shop.merge(number)
    world.commit(shop.repo, "main", {config: b"version: 1\nrules: manual\n"}, "Rules", by="ada")
    later(shop, minutes=6)
    assert shop.split() == {"customer-v3": 50, "customer-v4": 50}
