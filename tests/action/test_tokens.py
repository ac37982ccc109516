"""Tokens that may less than they should, are nobody's or somebody else's, and a GitHub that does not answer."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.action.moves import armed, feature, merged, rolling, seen
from tests.action.runner import JOB

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.action.conftest import Town
    from tests.action.runner import Ran, Shop

STATUSES = {"contents": "write", "pull-requests": "write", "statuses": "write"}
NEITHER = {"contents": "write", "pull-requests": "write"}
REFUSED = "refuses what the token would do"


def command(shop: Shop, permissions: Mapping[str, str] | None = None, *, token: str | None = None) -> Ran:
    """Let mona ask for a canary on a fresh pull request, and run that with a token."""
    feature(shop)
    event = shop.event_of(1, "/canary 25")
    if permissions is not None:
        token = shop.run.world.workflow_token(shop.repo, permissions)
    return shop.runner.run(event, token=token)


def completes(shop: Shop) -> None:
    """The next run, with a token as it should be, gives the comment its one result."""
    ran = shop.runner.schedule()
    assert (ran.status, ran.told("error")) == (0, [])
    (reply,) = shop.all_replies(1)
    assert reply.code == "applied"
    assert shop.split("v4") == {"customer-v3": 75, "customer-v4": 25}
    assert len([m for m in shop.log("v4") if "Canary-Comment" in m]) == 1


class TestPermissions:
    def test_statuses_where_check_runs_are_refused(self, shop: Shop) -> None:
        ran = command(shop, STATUSES)
        assert (ran.status, ran.decision, ran.outputs["code"]) == (0, "done", "applied")
        head = shop.pull(1).head_sha
        states = {s.context: s for s in shop.run.world.statuses(shop.repo, head)}
        assert {name: s.state for name, s in states.items()} == {
            "canary / plan": "success",
            "canary / gate": "success",
            "canary / approvals": "success",
        }
        page = f"{shop.run.server.base_url}/{shop.repo}/actions/runs/4711"
        assert {s.target_url for s in states.values()} == {page}
        assert [n for n in ran.told("notice") if "commit statuses" in n]
        assert "commit statuses" in ran.summary
        assert shop.run.world.all_checks(shop.repo, head) == []
        shop.runner.permissions = STATUSES
        assert shop.runner.schedule().writes.count(f"POST /repos/{shop.repo}/statuses/{head}") == 0

    def test_a_pending_gate_is_a_pending_status(self, shop: Shop) -> None:
        shop.runner.permissions = STATUSES
        rolling(shop)
        head = shop.step().head_sha
        states = {s.context: s.state for s in shop.run.world.statuses(shop.repo, head)}
        assert states["canary / gate"] == "pending"

    def test_a_command_counts_where_neither_may_be_written(self, shop: Shop) -> None:
        ran = command(shop, NEITHER)
        assert (ran.status, ran.decision) == (0, "done")
        assert [n for n in ran.told("notice") if "Neither check runs nor statuses" in n]
        assert len([w for w in ran.writes if "/check-runs" in w]) == 1
        assert shop.split("v4") == {"customer-v3": 75, "customer-v4": 25}

    def test_no_write_to_the_contents_is_told_in_words(self, shop: Shop) -> None:
        ran = command(shop, {**JOB, "contents": "read"})
        (reply,) = shop.all_replies(1)
        assert (ran.status, ran.decision, reply.code) == (1, "declined", "not-mergeable")
        assert "a missing permission" in reply.text
        (error,) = ran.told("error")
        assert "Grant contents: write" in error
        assert error in ran.summary
        assert shop.say(1, "/canary 25").code == "applied"

    def test_workflows_that_may_not_propose(self, shop: Shop, town: Town) -> None:
        town.world.configure(shop.repo, workflows_open_pulls=False)
        merged(shop)
        ran = shop.runner.run(shop.event_of(1, "/canary 25"))
        assert (ran.status, ran.decision) == (1, "declined")
        assert "must allow GitHub Actions to create pull requests" in ran.told("error")[0]

    def test_steps_that_workflows_may_not_propose(self, shop: Shop, town: Town) -> None:
        armed(shop)
        town.world.configure(shop.repo, workflows_open_pulls=False)
        shop.merge(1)
        assert (shop.last.event.name, shop.last.status) == ("push", 1)
        assert "must allow GitHub Actions to create pull requests" in shop.last.told("error")[0]
        assert shop.no_step()
        town.world.configure(shop.repo, workflows_open_pulls=True)
        assert shop.runner.schedule().status == 0
        assert shop.step().title == "customer: 25 % → 50 %"
        shop.notice(1, "no-step-")

    @pytest.mark.parametrize(
        "permissions",
        [
            pytest.param({}, id="none"),
            pytest.param({"contents": "write", "checks": "write"}, id="no pull requests"),
            pytest.param({**JOB, "pull-requests": "read"}, id="pull requests to read"),
        ],
    )
    def test_what_cannot_even_be_answered_is_left_to_the_next_run(
        self, shop: Shop, permissions: Mapping[str, str]
    ) -> None:
        ran = command(shop, permissions)
        assert (ran.status, ran.decision) == (1, "failed")
        assert REFUSED in ran.outputs["summary"]
        assert "pull/1: GitHub refuses: Resource not accessible by integration" in ran.told("error")
        assert len(set(ran.told("error"))) == len(ran.told("error"))
        completes(shop)


class TestIdentity:
    @pytest.mark.parametrize("which", ["none", "classic", "fine-grained", "of an app's user", "before 2021"])
    def test_a_person_is_refused(self, shop: Shop, town: Town, which: str) -> None:
        token = {
            "none": "",
            "classic": town.world.token("mona"),
            "fine-grained": "github_pat_11ABCDEFG0abcdefghij_klmnop",
            "of an app's user": "ghu_0123456789abcdef0123456789abcdef0123",
            "before 2021": "0123456789abcdef0123456789abcdef01234567",
        }[which]
        ran = command(shop, token=token)
        assert (ran.status, ran.decision, ran.requests) == (1, "failed", ())
        assert "must not act as a person" in ran.outputs["summary"]
        assert "must not act as a person" in ran.told("error")[0]
        completes(shop)

    @pytest.mark.parametrize(
        "token", ["ghs_1\nabcdef", "ghs_1 abcdef", "ghs_\u2019abcdef", "ghs_ü", "\ud800"]
    )
    def test_what_no_token_looks_like(self, shop: Shop, token: str) -> None:
        ran = command(shop, token=token)
        assert (ran.status, ran.decision, ran.requests, shop.runner.slept) == (1, "failed", (), [])
        assert "character that no token has" in ran.outputs["summary"]

    def test_a_token_that_is_over(self, shop: Shop, town: Town) -> None:
        token = town.world.workflow_token(shop.repo, JOB, life=timedelta(seconds=1))
        ran = command(shop, token=token)
        assert (ran.status, ran.decision) == (1, "failed")
        assert "(401)" in ran.outputs["summary"]
        assert "refused" in ran.told("error")[0]
        completes(shop)

    def test_a_token_that_ends_in_the_middle(self, shop: Shop, town: Town) -> None:
        feature(shop)
        event = shop.event_of(1, "/canary 25")
        town.server.faults.add("PUT", f"^/repos/{shop.repo}/", "401", 100)
        ran = shop.runner.run(event)
        assert (ran.status, ran.decision, shop.all_replies(1)) == (1, "failed", [])
        town.server.faults.clear()
        completes(shop)

    @pytest.mark.parametrize("kind", ["an App's token, the slug left out", "a workflow's, with a slug"])
    def test_a_slug_of_another_app(self, opened: Callable[..., Shop], town: Town, kind: str) -> None:
        """The bot would not know its own answers again, and answer in every run."""
        own, said = ("canary-bot", "") if kind.startswith("an App") else ("github-actions", "canary-bot")
        shop = opened(app=town.canary if own == "canary-bot" else None)
        feature(shop)
        event = shop.event_of(1, "/canary 25")
        for _ in range(2):
            ran = shop.runner.run(event, CANARY_ACTION_APP_SLUG=said)
            assert (ran.status, ran.decision) == (1, "failed")
            assert f"belongs to the App {own}" in ran.outputs["summary"]
            assert "app-slug" in ran.told("error")[0]
            assert [w for w in ran.writes if not w.endswith("/reactions")] == []
        assert shop.all_replies(1) == []
        completes(shop)

    @pytest.mark.parametrize("slug", ["Canary-Bot", "canary bot", "-x", "a/b", "canary-bot[bot]", "$(id)"])
    def test_what_is_no_slug(self, shop: Shop, slug: str) -> None:
        feature(shop)
        ran = shop.runner.run(shop.event_of(1, "/canary 25"), CANARY_ACTION_APP_SLUG=slug)
        assert (ran.status, ran.decision, ran.requests) == (1, "failed", ())
        assert "slug" in ran.outputs["summary"]

    def test_what_gates_may_not_ask(self, shop: Shop) -> None:
        feature(shop)
        wrong = "endpoints: [{kind: http, name: slo, url: 'http://169.254.169.254/', token: hush-hush}]"
        ran = shop.runner.run(shop.event_of(1, "/canary 25"), CANARY_ACTION_ENDPOINTS=wrong)
        assert (ran.status, ran.decision, ran.requests) == (1, "failed", ())
        assert "slo is not on the operators list of hosts" in ran.outputs["summary"]
        assert "hush" not in str(ran)

    @pytest.mark.parametrize("age", ["soon", "-1", "0", "73h", "9" * 5000, "1e9", "\u0663"])
    def test_what_is_no_age(self, shop: Shop, age: str) -> None:
        feature(shop)
        ran = shop.runner.run(shop.event_of(1, "/canary 25"), CANARY_MAX_COMMAND_AGE=age)
        assert (ran.status, ran.decision, ran.requests) == (1, "failed", ())
        assert "CANARY_MAX_COMMAND_AGE" in ran.outputs["summary"]


class TestOutages:
    """Whatever GitHub does, the run ends, says why, and the next one completes."""

    @pytest.mark.parametrize(
        ("kind", "words", "waits"),
        [
            pytest.param("500", "GitHub answered 500", True, id="faults"),
            pytest.param("before-drop", "no answer", True, id="cut connections"),
            pytest.param("429", "rate limit", False, id="a limit of a minute"),
            pytest.param("403-primary", "rate limit", False, id="a limit of an hour"),
        ],
    )
    def test_nothing_answers(self, shop: Shop, town: Town, kind: str, words: str, waits: bool) -> None:  # noqa: FBT001
        feature(shop)
        event = shop.event_of(1, "/canary 25")
        town.server.faults.add("*", f"^/repos/{shop.repo}", kind, 1_000)
        ran = shop.runner.run(event)
        assert (ran.status, ran.decision) == (1, "failed")
        assert words in ran.outputs["summary"]
        assert any(words in error for error in ran.told("error"))
        assert (sum(shop.runner.slept) > 10) is waits
        assert sum(shop.runner.slept) < 60
        town.server.faults.clear()
        completes(shop)

    @pytest.mark.parametrize("kind", ["after-500", "after-drop", "before-500", "403-secondary-retry"])
    @pytest.mark.parametrize("method", ["PUT", "POST"])
    def test_one_write_is_lost(self, shop: Shop, town: Town, method: str, kind: str) -> None:
        feature(shop)
        event = shop.event_of(1, "/canary 25")
        where = "/contents/" if method == "PUT" else "/issues/1/comments$"
        town.server.faults.add(method, where, kind)
        shop.runner.run(event)
        completes(shop)

    def test_checks_of_a_pull_request_fail_in_words(self, shop: Shop, town: Town) -> None:
        town.server.faults.add("GET", f"^/repos/{shop.repo}", "500", 1_000)
        shop.feature()
        assert (shop.last.status, shop.last.decision) == (1, "failed")
        assert "GitHub did not answer" in shop.last.outputs["summary"]
        town.server.faults.clear()
        assert shop.runner.run(shop.last.event).status == 0


def test_the_token_never_shows(shop: Shop, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither with all that can be logged, nor where GitHub repeats it. ``Ran.check`` looks at everything."""
    monkeypatch.setattr("bot.entry.logs.configure", _loud(monkeypatch))
    feature(shop)
    token = shop.runner.token()
    event = shop.event_of(1, "/canary 25")
    town.server.faults.add(
        "PUT", f"^/repos/{shop.repo}/", "422", message=f"Bad token {token} in {token[:-4]}"
    )
    ran = shop.runner.run(event, token=token, CANARY_DEBUG="1", RUNNER_DEBUG="1")
    assert '"level": "debug"' in ran.out
    assert "[secret]" in shop.all_replies(1)[0].text
    texts = [ran.out, ran.err, *ran.files.values(), *(r.text for r in shop.all_replies(1))]
    assert [t for t in texts if token[8:24] in t] == []
    assert seen(shop).replies == ["#1 /canary 25: declined not-mergeable "]


def _loud(monkeypatch: pytest.MonkeyPatch) -> Callable[..., logging.Handler]:
    from bot.entry import logs

    plain = logs.configure

    def configure(_level: str, **more: object) -> logging.Handler:
        handler = plain("DEBUG", **more)  # type: ignore[arg-type]
        for name in ("github", "urllib3"):
            monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
        return handler

    return configure
