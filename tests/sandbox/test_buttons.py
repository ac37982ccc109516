"""Buttons of checks, and asking for a check or a suite again."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.errors import ApiError
from tests.sandbox.peer import SHOP, Peer, later, shared_key

R = f"/repos/{SHOP}"
PROMOTE = {"label": "Promote", "description": "Merge the next step", "identifier": "promote"}
HOLD = {"label": "Hold", "description": "Stop here", "identifier": "hold"}


def run_of(peer: Peer, **fields: Any) -> tuple[int, Any]:
    given = {"name": "canary / gate", "head_sha": peer.world.pull(SHOP, 1).head_sha, **fields}
    answer = peer.ask("POST", f"{R}/check-runs", peer.token(), json=given)
    return answer.status_code, answer.json()


@pytest.fixture(autouse=True)
def pull(peer: Peer) -> None:
    peer.feature()


class TestActions:
    """At most three, each with label, description and identifier within GitHub's limits."""

    @pytest.mark.parametrize(
        "actions",
        [
            pytest.param([PROMOTE] * 4, id="four"),
            pytest.param([{**PROMOTE, "label": "x" * 21}], id="long label"),
            pytest.param([{**PROMOTE, "description": "x" * 41}], id="long description"),
            pytest.param([{**PROMOTE, "identifier": "x" * 21}], id="long identifier"),
            pytest.param([{"label": "x", "description": "x"}], id="no identifier"),
            pytest.param([{**PROMOTE, "label": ""}], id="no label"),
            pytest.param([{**PROMOTE, "label": 5}], id="no text"),
            pytest.param(["promote"], id="no mapping"),
            pytest.param("promote", id="no list"),
        ],
    )
    def test_refused(self, peer: Peer, actions: Any) -> None:
        assert run_of(peer, actions=actions)[0] == 422
        _, run = run_of(peer)
        path = f"{R}/check-runs/{run['id']}"
        assert peer.ask("PATCH", path, peer.token(), json={"actions": actions}).status_code == 422

    def test_as_long_as_they_may_be(self, peer: Peer) -> None:
        longest = {"label": "x" * 20, "description": "é" * 40, "identifier": "x" * 20}
        status, run = run_of(peer, actions=[PROMOTE, HOLD, longest])
        assert status == 201
        assert peer.world.check(SHOP, run["id"]).actions == [PROMOTE, HOLD, longest]

    def test_changed_and_taken_away(self, peer: Peer) -> None:
        _, run = run_of(peer, actions=[PROMOTE])
        path = f"{R}/check-runs/{run['id']}"
        peer.ask("PATCH", path, peer.token(), json={"status": "in_progress"})
        assert peer.world.check(SHOP, run["id"]).actions == [PROMOTE]
        peer.ask("PATCH", path, peer.token(), json={"actions": []})
        assert peer.world.check(SHOP, run["id"]).actions == []


class TestPressing:
    """The App that made the run is told who pressed what, and nobody else is told anything."""

    def test_payload(self, peer: Peer) -> None:
        other = peer.world.create_app("other", "o" * 32, private_key_pem=shared_key())
        peer.world.install(other, SHOP)
        _, run = run_of(peer, actions=[PROMOTE, HOLD])
        peer.app.events = ()  # who may write checks hears of buttons without subscribing
        before = len(peer.world.hooks.deliveries)
        peer.world.press(SHOP, run["id"], "promote", by="mona")
        (sent,) = peer.world.hooks.deliveries[before:]
        told = sent.payload()
        assert sent.app is peer.app
        assert (sent.event, told["action"]) == ("check_run", "requested_action")
        assert told["requested_action"] == {"identifier": "promote"}
        assert (told["sender"]["login"], told["sender"]["type"]) == ("mona", "User")
        assert told["check_run"]["id"] == run["id"]
        assert [pull["number"] for pull in told["check_run"]["pull_requests"]] == [1]
        assert told["installation"]["id"] == peer.installation

    @pytest.mark.parametrize(
        ("by", "identifier", "status"),
        [("rita", "promote", 403), ("eve", "promote", 403), ("mona", "hold", 422), ("mona", "", 422)],
    )
    def test_refused(self, peer: Peer, by: str, identifier: str, status: int) -> None:
        _, run = run_of(peer, actions=[PROMOTE])
        before = len(peer.world.hooks.deliveries)
        with pytest.raises(ApiError) as no:
            peer.world.press(SHOP, run["id"], identifier, by=by)
        assert no.value.status == status
        assert len(peer.world.hooks.deliveries) == before

    def test_check_that_is_not_there(self, peer: Peer) -> None:
        with pytest.raises(ApiError) as no:
            peer.world.press(SHOP, 1, "promote", by="mona")
        assert no.value.status == 404

    def test_app_that_may_not_write_checks_hears_nothing(self, peer: Peer) -> None:
        _, run = run_of(peer, actions=[PROMOTE])
        peer.app.permissions = {**peer.app.permissions, "checks": "read"}
        before = len(peer.world.hooks.deliveries)
        peer.world.press(SHOP, run["id"], "promote", by="mona")
        assert len(peer.world.hooks.deliveries) == before


class TestAgain:
    """A rerequest queues the suite and clears its conclusion; the run stays until its App changes it."""

    def suite(self, peer: Peer, run: Any) -> Any:
        return peer.ask("GET", f"{R}/check-suites/{run['check_suite']['id']}", peer.token()).json()

    def test_run(self, peer: Peer) -> None:
        _, run = run_of(peer, conclusion="failure")
        assert (self.suite(peer, run)["status"], self.suite(peer, run)["conclusion"]) == (
            "completed",
            "failure",
        )
        path = f"{R}/check-runs/{run['id']}"
        answer = peer.ask("POST", f"{path}/rerequest", peer.world.token("mona"))
        assert (answer.status_code, answer.json()) == (201, {})
        told = peer.world.hooks.deliveries[-1].payload()
        assert (told["action"], told["check_run"]["conclusion"]) == ("rerequested", "failure")
        assert told["check_run"]["check_suite"]["status"] == "queued"
        assert (self.suite(peer, run)["status"], self.suite(peer, run)["conclusion"]) == ("queued", None)
        assert peer.ask("GET", path, peer.token()).json()["conclusion"] == "failure"
        peer.ask("PATCH", path, peer.token(), json={"conclusion": "success"})
        assert self.suite(peer, run)["conclusion"] == "success"

    def test_by_its_own_app(self, peer: Peer) -> None:
        _, run = run_of(peer, conclusion="success")
        path = f"{R}/check-runs/{run['id']}/rerequest"
        assert peer.ask("POST", path, peer.token()).status_code == 201
        workflow = peer.world.workflow_token(SHOP, {"checks": "write"})
        assert peer.ask("POST", path, workflow).status_code == 403

    @pytest.mark.parametrize("who", ["rita", "eve", ""])
    def test_refused(self, peer: Peer, who: str) -> None:
        _, run = run_of(peer, conclusion="success")
        for path in (f"check-runs/{run['id']}", f"check-suites/{run['check_suite']['id']}"):
            answer = peer.ask("POST", f"{R}/{path}/rerequest", peer.credential(who))
            assert answer.status_code == (403 if who else 401)

    def test_run_that_has_not_ended(self, peer: Peer) -> None:
        _, run = run_of(peer)
        path = f"{R}/check-runs/{run['id']}/rerequest"
        assert peer.ask("POST", path, peer.world.token("mona")).status_code == 422

    def test_whole_suite(self, peer: Peer) -> None:
        _, run = run_of(peer, conclusion="failure")
        run_of(peer, name="canary / plan", conclusion="success")
        suite = self.suite(peer, run)
        assert (suite["latest_check_runs_count"], suite["head_branch"]) == (2, "feature")
        path = f"{R}/check-suites/{suite['id']}"
        assert peer.ask("POST", f"{path}/rerequest", peer.world.token("mona")).status_code == 201
        sent = peer.world.hooks.deliveries[-1]
        told = sent.payload()
        assert (sent.event, told["action"], told["sender"]["login"]) == ("check_suite", "rerequested", "mona")
        assert (told["check_suite"]["status"], told["check_suite"]["conclusion"]) == ("queued", None)
        assert [pull["number"] for pull in told["check_suite"]["pull_requests"]] == [1]
        runs = peer.ask("GET", f"{path}/check-runs", peer.token()).json()
        assert {one["name"]: one["conclusion"] for one in runs["check_runs"]} == {
            "canary / gate": "failure",
            "canary / plan": "success",
        }
        later(peer.world, minutes=1)
        run_of(peer, conclusion="success")
        assert self.suite(peer, run)["conclusion"] == "success"

    def test_suites_of_a_commit(self, peer: Peer) -> None:
        sha = peer.world.pull(SHOP, 1).head_sha
        run_of(peer)
        workflow = peer.world.workflow_token(SHOP, {"checks": "write"})
        fields = {"name": "ci", "head_sha": sha, "status": "in_progress"}
        peer.ask("POST", f"{R}/check-runs", workflow, json=fields)

        def listed(query: str = "") -> list[tuple[str, str]]:
            told = peer.ask("GET", f"{R}/commits/feature/check-suites{query}", peer.token()).json()
            assert told["total_count"] == len(told["check_suites"])
            return [(suite["app"]["slug"], suite["status"]) for suite in told["check_suites"]]

        assert listed() == [("canary", "queued"), ("github-actions", "in_progress")]
        assert listed("?app_id=15368") == listed("?check_name=ci") == [("github-actions", "in_progress")]
        assert peer.ask("GET", f"{R}/commits/nowhere/check-suites", peer.token()).status_code == 422
        assert peer.ask("GET", f"{R}/check-suites/1", peer.token()).status_code == 404
