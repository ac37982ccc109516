"""What others can do under the account that all workflows share, and by patience, noise or old events."""

from __future__ import annotations

import base64
import json
import urllib.request
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.github.token import TokenForge
from bot.core.markers import Answer
from bot.core.trailers import records
from bot.entry.action import run as action
from bot.service import starting
from tests.action.moves import armed, feature, merged, rolling
from tests.scenarios.stage import PATH, VERSION_4

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.action.runner import Shop

ECHO = "github-actions[bot]"  # another workflow of the repository that quotes what strangers write


def call(shop: Shop, token: str, method: str, path: str, body: object = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the sandbox
        shop.runner.server.base_url + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"token {token}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        return json.loads(answer.read())


class TestPatience:
    """A rollout goes on whenever its pull request is merged."""

    @pytest.mark.parametrize("days", [2, 4])
    def test_merged_days_after_the_command(self, shop: Shop, days: int) -> None:
        armed(shop)
        shop.run.clock.advance(timedelta(days=days))
        shop.merge(1)
        assert shop.step().title == "customer: 25 % → 50 %"


class TestNoise:
    """Talk elsewhere hides no command, and one person cannot use up what all others need."""

    def test_much_talk(self, shop: Shop) -> None:
        shop.branch("other", {"README.md": b"other"})
        talk = shop.run.world.open_pull(shop.repo, "other", "main", "Other", by="mona").number
        for i in range(320):
            shop.write(talk, f"chat {i}", by="rita")
        shop.branch("v4", {PATH: VERSION_4})
        number = shop.run.world.open_pull(shop.repo, "v4", "main", "Four", by="mona").number
        shop.runner.forget()
        shop.write(number, "/canary 25")
        shop.runner.forget()
        shop.runner.schedule()
        assert [r.code for r in shop.all_replies(number)] == ["applied"]

    def test_many_commands_of_one_person(self, shop: Shop) -> None:
        merged(shop)
        for _ in range(60):
            shop.write(1, "/canary 25", by="rita")
        first = shop.runner.run(shop.runner.events()[-1])
        asked = [len(first.requests)]
        for _ in range(8):
            shop.run.clock.advance(timedelta(minutes=5))
            asked.append(len(shop.runner.schedule().requests))
        assert max(asked) < 250
        refused = [r for r in shop.all_replies(1) if r.code == "not-allowed"]
        keys = [key for r in refused for key in (r.answer.to, *r.answer.also)]
        assert len(keys) == len(set(keys)) == 60


class TestSharedAccount:
    """Every workflow, a fork's too, has the account of the token: it proves nothing by itself."""

    def test_a_fork_forges_a_rollout(
        self, opened: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        honest = opened()
        armed(honest)
        content = honest.run.world.read(honest.repo, "v4", PATH)
        record = replace(records(honest.log("v4")[0])[0], rules="fast", requested_by="mona")

        def strict(*args: Any, **kw: Any) -> TokenForge:
            return TokenForge(*args, **{**kw, "signed_commits_only": True})

        monkeypatch.setattr(action, "TokenForge", strict)
        shop = opened()
        world = shop.run.world
        fork = world.fork(shop.repo, by="rita").full_name
        world.create_branch(fork, "bump", by="rita")
        token = world.workflow_token(fork, {"contents": "write"})
        there = f"/repos/{fork}/contents/{PATH}"
        body = {
            "message": f"Bump customer to 4.0.0\n\n{record.trailers()}",
            "content": base64.b64encode(content).decode(),
            "sha": call(shop, token, "GET", f"{there}?ref=bump")["sha"],
            "branch": "bump",
        }
        made = call(shop, token, "PUT", there, body)["commit"]
        assert made["verification"]["verified"]
        world.open_pull(shop.repo, "bump", "main", "Bump", by="rita", fork=fork)
        shop.runner.settle()
        shop.merge(1)
        shop.runner.run(shop.event_of(1, "/canary status", by="rita"))
        for _ in range(3):
            shop.run.clock.advance(timedelta(minutes=31))
            shop.runner.schedule()
        assert shop.no_step()
        assert len(world.pulls(shop.repo)) == 1

    @pytest.mark.parametrize("frame", ["Preview:\n\n> {}", "Preview: {}", "{}\n\nThat was it."])
    def test_an_echoed_marker_silences_nothing_that_comes_later(self, shop: Shop, frame: str) -> None:
        rolling(shop)
        last = shop.write(1, "chat", by="rita").id
        guessed = tuple(f"comment/{number}" for number in range(last, last + 40))
        marker = Answer(f"comment/{last + 2}", "already", "already", also=guessed).marker()
        shop.run.world.comment(shop.repo, 1, frame.format(marker), by=ECHO)
        shop.runner.forget()
        shop.runner.run(shop.event_of(1, "/rollback"))
        assert any(p.title.startswith("customer: roll back") for p in shop.run.world.pulls(shop.repo))

    def test_a_quoted_marker_answers_nobody(self, shop: Shop) -> None:
        rolling(shop)
        comment = shop.write(1, "/rollback")
        marker = Answer(f"comment/{comment.id}", "already", "already").marker()
        shop.run.world.comment(shop.repo, 1, f"Preview of your change:\n\n> {marker}", by=ECHO)
        shop.runner.forget()
        shop.runner.schedule()
        assert any(p.title.startswith("customer: roll back") for p in shop.run.world.pulls(shop.repo))


class TestOldEvents:
    """What is said of a commit is said of no other one, and a press is pressed once."""

    def test_the_head_has_moved_on(self, shop: Shop) -> None:
        shop.branch("v4", {PATH: VERSION_4.replace(b"percent: 100", b"percent: 90")})
        shop.run.world.open_pull(shop.repo, "v4", "main", "Four", by="mona")
        (event,) = shop.runner.events()
        shop.run.world.commit(shop.repo, "v4", {PATH: VERSION_4}, "Good", by="mona")
        ran = shop.runner.run(event)
        assert (ran.status, ran.decision, ran.writes) == (1, "failed", [])
        assert "newer commit" in ran.outputs["summary"]

    def test_a_press_whose_job_is_run_again(self, with_app: Shop) -> None:
        rolling(with_app)
        step = with_app.step()
        (gate,) = (
            run
            for run in with_app.run.world.checks(with_app.repo, step.head_sha)
            if run.name == "canary / gate"
        )
        with_app.runner.forget()
        with_app.run.world.press(with_app.repo, gate.id, "rollback", by="mona")
        (event,) = with_app.runner.events()
        with_app.run.clock.advance(timedelta(days=20))
        ran = with_app.runner.run(event, GITHUB_RUN_ATTEMPT="2")
        assert (ran.status, ran.decision, ran.requests) == (0, "none", ())

    def test_a_bug_fails_the_job(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError

        feature(shop)
        event = shop.event_of(1, "/canary 25")
        monkeypatch.setattr(starting, "canary", broken)
        ran = shop.runner.run(event)
        assert (ran.status, ran.decision, ran.outputs["code"]) == (1, "failed", "internal")
