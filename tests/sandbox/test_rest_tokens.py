"""Who may call: JWTs of an App, installation tokens with their scope and hour, people's tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.sandbox.people import PERMISSIONS
from tests.sandbox.peer import OTHER, SECRET, SHOP, WRITE, Peer, b64, later

R = f"/repos/{SHOP}"


def another_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


class TestAppToken:
    """RS256, issuer id or client id, ``exp`` at most ten minutes ahead, ``iat`` not ahead."""

    def test_good_ones(self, peer: Peer) -> None:
        for token in (peer.jwt(), peer.jwt(iss=peer.app.client_id), peer.jwt(exp=600), peer.jwt(iat=30)):
            answer = peer.ask("GET", "/app", token)
            assert (answer.status_code, answer.json()["slug"]) == (200, "canary")

    @pytest.mark.parametrize(
        ("claims", "status", "message"),
        [
            pytest.param({"exp": 3600}, 401, "is too far in the future", id="one hour"),
            pytest.param({"exp": -1}, 401, "must be a numeric value representing the future", id="expired"),
            pytest.param({"iat": 300, "exp": 500}, 401, "'Issued at' claim", id="issued in the future"),
            pytest.param({"iss": "999999"}, 404, "Integration not found", id="unknown App"),
        ],
    )
    def test_bad_claims(self, peer: Peer, claims: dict[str, Any], status: int, message: str) -> None:
        answer = peer.ask("GET", "/app", peer.jwt(**claims))
        assert answer.status_code == status
        assert message in answer.json()["message"]

    def test_key_of_somebody_else(self, peer: Peer) -> None:
        answer = peer.ask("GET", "/app", peer.jwt(key=another_key()))
        assert (answer.status_code, answer.json()["message"]) == (
            401,
            "A JSON web token could not be decoded",
        )

    def test_machine_time_counts_when_the_sandbox_is_ahead(self, peer: Peer) -> None:
        token = peer.jwt()
        later(peer.world, minutes=30)
        assert peer.ask("GET", "/app", token).status_code == 401
        ahead = int((peer.world.clock.machine() - peer.world.clock.now()).total_seconds())
        by_machine = peer.jwt(iat=ahead - 60, exp=ahead + 300)
        assert peer.ask("GET", "/app", by_machine).status_code == 200

    def test_it_manages_the_app_only(self, peer: Peer) -> None:
        assert peer.ask("GET", R, peer.jwt()).status_code == 401
        assert peer.ask("GET", f"{R}/installation", peer.jwt()).json()["id"] == peer.installation
        assert peer.ask("GET", f"/repos/{OTHER}/installation", peer.jwt()).status_code == 404
        assert peer.ask("GET", "/app", peer.token()).status_code == 401


class TestInstallationToken:
    """A token reaches the installation's repositories for an hour, or fewer with fewer permissions."""

    def test_whole_installation(self, peer: Peer) -> None:
        path = f"/app/installations/{peer.installation}/access_tokens"
        answer = peer.ask("POST", path, peer.jwt(), json={"permissions": {}})
        assert answer.status_code == 201
        assert answer.json()["permissions"] == WRITE
        assert "repositories" not in answer.json()
        token = answer.json()["token"]
        assert token.startswith("ghs_")
        assert len(token) != 40
        listed = peer.ask("GET", "/installation/repositories", token).json()
        assert [found["full_name"] for found in listed["repositories"]] == [SHOP, SECRET]
        assert listed["total_count"] == 2

    def test_it_lives_an_hour_of_the_sandbox(self, peer: Peer) -> None:
        path = f"/app/installations/{peer.installation}/access_tokens"
        made = peer.ask("POST", path, peer.jwt()).json()
        lives = datetime.fromisoformat(made["expires_at"]) - peer.world.now()
        assert lives.total_seconds() == 3600
        later(peer.world, minutes=59, seconds=59)
        assert peer.ask("GET", R, made["token"]).status_code == 200
        later(peer.world, seconds=1)
        answer = peer.ask("GET", R, made["token"])
        assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")

    @pytest.mark.parametrize(
        "narrowed", [{"repositories": ["shop"]}, {"repository_ids": [0]}], ids=["by name", "by id"]
    )
    def test_narrowed_to_one_repository(self, peer: Peer, narrowed: dict[str, Any]) -> None:
        if "repository_ids" in narrowed:
            narrowed = {"repository_ids": [peer.world.repository(SHOP).id]}
        token = peer.token(**narrowed)
        assert peer.ask("GET", R, token).status_code == 200
        assert peer.ask("GET", f"/repos/{SECRET}", token).status_code == 404

    @pytest.mark.parametrize(
        ("narrowed", "message"),
        [
            pytest.param({"repositories": ["other"]}, "not accessible", id="repository it is not on"),
            pytest.param({"permissions": {"contents": "admin"}}, "not granted", id="more than it has"),
            pytest.param({"permissions": {"actions": "read"}}, "not granted", id="what it has not"),
        ],
    )
    def test_more_than_was_given(self, peer: Peer, narrowed: dict[str, Any], message: str) -> None:
        path = f"/app/installations/{peer.installation}/access_tokens"
        answer = peer.ask("POST", path, peer.jwt(), json=narrowed)
        assert answer.status_code == 422
        assert message in answer.json()["message"]

    @pytest.mark.parametrize(
        ("method", "path", "body", "permission"),
        [
            ("PUT", f"{R}/contents/n.txt", {"message": "m", "content": b64(b"x")}, "contents"),
            ("POST", f"{R}/git/refs", {"ref": "refs/heads/x", "sha": "TIP"}, "contents"),
            ("PUT", f"{R}/pulls/1/merge", {}, "contents"),
            ("POST", f"{R}/pulls", {"title": "t", "head": "feature", "base": "main"}, "pull_requests"),
            ("PATCH", f"{R}/pulls/1", {"title": "t"}, "pull_requests"),
            ("POST", f"{R}/check-runs", {"name": "n", "head_sha": "TIP"}, "checks"),
            ("GET", f"{R}/commits/main/check-runs", None, "checks"),
        ],
    )
    def test_permission_that_is_missing(
        self, peer: Peer, method: str, path: str, body: dict[str, Any] | None, permission: str
    ) -> None:
        peer.feature()
        left = {name: level for name, level in WRITE.items() if name != permission}
        if body is not None:
            body = {
                key: peer.world.tip(SHOP, "main") if value == "TIP" else value for key, value in body.items()
            }
        answer = peer.ask(method, path, peer.token(permissions=left), json=body)
        assert (answer.status_code, answer.json()["message"]) == (
            403,
            "Resource not accessible by integration",
        )
        assert permission in answer.headers["X-Accepted-GitHub-Permissions"]
        with_it = peer.ask(method, path, peer.token(), json=body)
        assert with_it.status_code < 300 or "already exists" in with_it.text

    def test_read_is_not_write(self, peer: Peer) -> None:
        token = peer.token(permissions={"contents": "read"})
        assert peer.ask("GET", f"{R}/contents/a.txt", token).status_code == 200
        body = {"message": "m", "content": b64(b"x")}
        assert peer.ask("PUT", f"{R}/contents/n.txt", token, json=body).status_code == 403

    def test_pull_requests_is_enough_on_a_pull_request_and_not_on_an_issue(self, peer: Peer) -> None:
        peer.feature()
        peer.world.open_issue(SHOP, "Plain", by="mona")
        token = peer.token(permissions={"pull_requests": "write"})
        assert peer.ask("POST", f"{R}/issues/1/comments", token, json={"body": "x"}).status_code == 201
        assert peer.ask("POST", f"{R}/issues/2/comments", token, json={"body": "x"}).status_code == 403

    def test_public_repository_without_the_app_is_read_only(self, peer: Peer) -> None:
        token = peer.token()
        assert peer.ask("GET", f"/repos/{OTHER}/contents/a.txt", token).status_code == 200
        body = {"message": "m", "content": b64(b"x")}
        assert peer.ask("PUT", f"/repos/{OTHER}/contents/n.txt", token, json=body).status_code == 403

    def test_suspended_uninstalled_revoked(self, peer: Peer) -> None:
        world, token = peer.world, peer.token()
        world.suspend(peer.installation)
        assert peer.ask("GET", R, token).status_code == 403
        world.suspend(peer.installation, suspended=False)
        assert peer.ask("GET", f"/repos/{SECRET}", token).status_code == 200
        world.uninstall(peer.app, SECRET)
        assert peer.ask("GET", f"/repos/{SECRET}", token).status_code == 404
        world.revoke_tokens()
        assert peer.ask("GET", R, token).status_code == 401

    def test_least_permissions_by_default(self, peer: Peer) -> None:
        assert peer.world.create_app("plain", "s" * 32).permissions == PERMISSIONS


class TestPeople:
    """A person's token has the person's roles; what may not be seen is not there."""

    def test_who_am_i(self, peer: Peer) -> None:
        assert peer.ask("GET", "/user", peer.world.token("mona")).json()["login"] == "mona"
        assert peer.ask("GET", "/user").status_code == 401
        assert peer.ask("GET", "/user", peer.token()).status_code == 403

    @pytest.mark.parametrize("header", ["Bearer ghp_nonsense", "Bearer", "Basic bW9uYTp4", "token ghs_1"])
    def test_bad_credentials(self, peer: Peer, header: str) -> None:
        answer = peer.ask("GET", R, headers={"Authorization": header})
        assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")

    def test_private_repository(self, peer: Peer) -> None:
        path = f"/repos/{SECRET}"
        seen = {
            who: peer.ask("GET", path, peer.credential(who)).status_code for who in ("mona", "eve", "", "bot")
        }
        assert seen == {"mona": 200, "eve": 404, "": 404, "bot": 200}

    @pytest.mark.parametrize(
        ("role", "permission"),
        [
            ("none", "read"),
            ("read", "read"),
            ("triage", "read"),
            ("write", "write"),
            ("maintain", "write"),
            ("admin", "admin"),
        ],
    )
    def test_roles_in_old_and_new_words(self, peer: Peer, role: str, permission: str) -> None:
        peer.world.set_role(SHOP, "eve", role)
        told = peer.ask("GET", f"{R}/collaborators/eve/permission", peer.token()).json()
        shown = "read" if role == "none" else role  # everybody may read what is public
        assert (told["permission"], told["role_name"]) == (permission, shown)
        assert (told["user"]["login"], told["user"]["id"]) == ("eve", peer.world.account("eve").id)


@pytest.mark.parametrize(
    "narrowed",
    [
        {"repositories": 5},
        {"repositories": [5]},
        {"repository_ids": "x"},
        {"permissions": ["contents"]},
        {"permissions": {"contents": {}}},
    ],
)
def test_narrowing_that_is_no_narrowing(peer: Peer, narrowed: dict[str, Any]) -> None:
    path = f"/app/installations/{peer.installation}/access_tokens"
    assert peer.ask("POST", path, peer.jwt(), json=narrowed).status_code == 422
