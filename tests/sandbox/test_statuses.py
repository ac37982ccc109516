"""Commit statuses: the latest of a context counts, and one that is required must be good."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.errors import ApiError
from tests.sandbox.peer import SECRET, SHOP, Peer

R = f"/repos/{SHOP}"


def report(peer: Peer, sha: str, credential: str = "", /, **fields: Any) -> tuple[int, Any]:
    credential = credential or peer.world.token("mona")
    answer = peer.ask("POST", f"{R}/statuses/{sha}", credential, json=fields)
    return answer.status_code, answer.json()


class TestReporting:
    """``POST .../statuses/{sha}`` needs write on statuses, and one of four states."""

    def test_a_status(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        status, told = report(
            peer,
            sha,
            state="pending",
            context="canary / gate",
            description="Waits",
            target_url="https://x.test/",
        )
        assert status == 201
        assert {key: told[key] for key in ("state", "context", "description", "target_url")} == {
            "state": "pending",
            "context": "canary / gate",
            "description": "Waits",
            "target_url": "https://x.test/",
        }
        assert told["creator"]["login"] == "mona"
        assert told["url"].endswith(f"{R}/statuses/{sha}")

    def test_bare_one_is_called_default(self, peer: Peer) -> None:
        _, told = report(peer, peer.feature().head_sha, state="success")
        assert (told["context"], told["description"], told["target_url"]) == ("default", None, None)

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            pytest.param({}, "state", id="no state"),
            pytest.param({"state": "neutral"}, "state", id="a conclusion of checks"),
            pytest.param({"state": ["success"]}, "state", id="a list"),
            pytest.param({"state": "success", "description": "x" * 141}, "description", id="long words"),
            pytest.param({"state": "success", "context": "x" * 256}, "context", id="long context"),
            pytest.param(
                {"state": "success", "target_url": "javascript:1"}, "target_url", id="no web address"
            ),
        ],
    )
    def test_fields(self, peer: Peer, fields: dict[str, Any], field: str) -> None:
        status, told = report(peer, peer.feature().head_sha, **fields)
        assert (status, told["errors"][0]["field"]) == (422, field)

    def test_longest_words_that_go(self, peer: Peer) -> None:
        assert report(peer, peer.feature().head_sha, state="error", description="é" * 140)[0] == 201

    @pytest.mark.parametrize("sha", ["0" * 40, "main", "x"])
    def test_commit_that_is_none(self, peer: Peer, sha: str) -> None:
        assert report(peer, sha, state="success") == (
            422,
            {
                "message": f"No commit found for SHA: {sha}",
                "documentation_url": "https://docs.github.com/rest",
                "status": "422",
            },
        )

    def test_who_may(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        world = peer.world
        seen = {
            "triage": report(peer, sha, world.token("rita"), state="success")[0],
            "App without statuses": report(peer, sha, peer.token(), state="success")[0],
            "reads": report(peer, sha, world.workflow_token(SHOP, {"statuses": "read"}), state="success")[0],
            "writes": report(peer, sha, world.workflow_token(SHOP, {"statuses": "write"}), state="success")[
                0
            ],
        }
        assert seen == {"triage": 403, "App without statuses": 403, "reads": 403, "writes": 201}
        assert peer.ask("POST", f"{R}/statuses/{sha}", json={"state": "success"}).status_code == 401
        secret = f"/repos/{SECRET}/statuses/{sha}"
        assert peer.ask("POST", secret, world.token("eve"), json={"state": "success"}).status_code == 404

    def test_a_thousand_of_a_context_and_no_more(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        for _ in range(1000):
            peer.world.create_status(SHOP, sha, {"state": "pending"}, by="mona")
        assert report(peer, sha, state="pending")[0] == 422
        assert report(peer, sha, state="pending", context="other")[0] == 201


class TestReading:
    """All of a commit newest first, or the latest of each context with one state for all."""

    def test_all(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        for state in ("pending", "failure", "success"):
            report(peer, sha, state=state, context="ci")
        token = peer.world.workflow_token(SHOP, {"statuses": "read"})
        for ref in (sha, "feature"):
            told = peer.ask("GET", f"{R}/commits/{ref}/statuses", token).json()
            assert [one["state"] for one in told] == ["success", "failure", "pending"]
        assert peer.ask("GET", f"{R}/commits/nowhere/statuses", token).status_code == 404

    @pytest.mark.parametrize(
        ("states", "together"),
        [
            ([], "pending"),
            (["success"], "success"),
            (["success", "pending"], "pending"),
            (["success", "pending", "error"], "failure"),
            (["failure", "success"], "failure"),
        ],
        ids=lambda value: " ".join(value) or "none" if isinstance(value, list) else "",
    )
    def test_together(self, peer: Peer, states: list[str], together: str) -> None:
        sha = peer.feature().head_sha
        for number, state in enumerate(states):
            report(peer, sha, state="error", context=f"ci {number}")
            report(peer, sha, state=state, context=f"ci {number}")
        told = peer.ask("GET", f"{R}/commits/{sha}/status").json()
        assert (told["state"], told["sha"], told["total_count"]) == (together, sha, len(states))
        assert [one["state"] for one in told["statuses"]] == states
        assert told["repository"]["full_name"] == SHOP

    def test_status_of_a_branch_with_slashes(self, peer: Peer) -> None:
        pull = peer.feature("canary/shop/25")
        report(peer, pull.head_sha, state="success")
        assert peer.ask("GET", f"{R}/commits/canary/shop/25/status").json()["sha"] == pull.head_sha


class TestRequired:
    """A required check may be a status; a check and a status of one name are both required."""

    def merge(self, peer: Peer) -> str:
        try:
            peer.world.merge(SHOP, 1, by="mona")
        except ApiError as no:
            return no.message
        return ""

    def test_status_of_that_name(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        peer.world.protect(SHOP, "main", checks=("canary / gate",))
        for state, told in (("pending", "pending"), ("error", "failing")):
            report(peer, sha, state=state, context="canary / gate")
            assert self.merge(peer) == f'Required status check "canary / gate" is {told}.'
        report(peer, sha, state="success", context="canary / gate")
        assert self.merge(peer) == ""

    def test_check_and_status_of_that_name(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        peer.world.protect(SHOP, "main", checks=("ci",))
        report(peer, sha, state="success", context="ci")
        fields: dict[str, Any] = {"name": "ci", "head_sha": sha}
        run = peer.world.create_check(SHOP, peer.app, fields)
        assert self.merge(peer) == 'Required status check "ci" is in progress.'
        peer.world.update_check(SHOP, run.id, peer.app, {"conclusion": "failure"})
        assert self.merge(peer) == 'Required status check "ci" is failing.'
        peer.world.update_check(SHOP, run.id, peer.app, {"conclusion": "neutral"})
        assert self.merge(peer) == ""

    def test_pinned_to_an_app(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        peer.world.protect(SHOP, "main", checks=("ci",), sources={"ci": peer.app.id})
        report(peer, sha, state="success", context="ci")
        token = peer.world.workflow_token(SHOP, {"statuses": "write", "checks": "write"})
        report(peer, sha, token, state="success", context="ci")
        forged = {"name": "ci", "head_sha": sha, "conclusion": "success"}
        assert peer.ask("POST", f"{R}/check-runs", token, json=forged).status_code == 201
        assert self.merge(peer) == 'Required status check "ci" is expected.'
        peer.world.create_check(SHOP, peer.app, forged)
        assert self.merge(peer) == ""


def test_apps_that_subscribe_are_told(peer: Peer) -> None:
    peer.app.events = ("status",)
    sha = peer.feature().head_sha
    report(peer, sha, state="failure", context="ci", description="No")
    (sent,) = peer.world.hooks.deliveries
    told = sent.payload()
    assert sent.event == "status"
    assert (told["sha"], told["state"], told["context"], told["name"]) == (sha, "failure", "ci", SHOP)
    assert [branch["name"] for branch in told["branches"]] == ["feature"]
    assert (told["commit"]["sha"], told["sender"]["login"]) == (sha, "mona")
