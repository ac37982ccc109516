"""``GITHUB_TOKEN`` of a workflow: who it is, what it may, and what it never starts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.sandbox.errors import ApiError
from tests.sandbox.peer import CHANGED, OTHER, SECRET, SHOP, Peer, b64, later

R = f"/repos/{SHOP}"
JOB = {"contents": "write", "pull-requests": "write", "checks": "write"}


class TestWhoItIs:
    """Comments, commits and checks are those of ``github-actions[bot]``."""

    def test_account_is_there_before_the_first_token(self, peer: Peer) -> None:
        found = peer.ask("GET", "/users/github-actions%5Bbot%5D").json()
        assert (found["login"], found["id"], found["type"]) == ("github-actions[bot]", 41898282, "Bot")

    def test_it_is_nobody_and_no_app(self, peer: Peer) -> None:
        token = peer.world.workflow_token(SHOP, JOB)
        assert token.startswith("ghs_")
        answer = peer.ask("GET", "/user", token)
        assert (answer.status_code, answer.json()["message"]) == (
            403,
            "Resource not accessible by integration",
        )
        assert peer.ask("GET", "/app", token).status_code == 401
        assert peer.ask("GET", "/app", peer.jwt(iss="15368")).status_code == 404

    def test_comment_carries_the_account_and_the_app(self, peer: Peer) -> None:
        peer.feature()
        token = peer.world.workflow_token(SHOP, JOB)
        told = peer.ask("POST", f"{R}/issues/1/comments", token, json={"body": "Hi"}).json()
        assert told["user"]["login"] == "github-actions[bot]"
        assert told["performed_via_github_app"]["id"] == 15368
        assert told["performed_via_github_app"]["slug"] == "github-actions"

    def test_fewer_requests_an_hour(self, peer: Peer) -> None:
        for token, limit in ((peer.world.workflow_token(SHOP, JOB), 1000), (peer.token(), 5000)):
            assert peer.ask("GET", R, token).headers["x-ratelimit-limit"] == str(limit)
            assert peer.ask("GET", "/rate_limit", token).json()["rate"]["limit"] == limit

    def test_commit_is_attributed_and_verified(self, peer: Peer) -> None:
        token = peer.world.workflow_token(SHOP, JOB)
        body = {"message": "m", "content": b64(b"x")}
        made = peer.ask("PUT", f"{R}/contents/n.txt", token, json=body).json()["commit"]
        assert made["author"]["name"] == "github-actions[bot]"
        assert made["author"]["email"] == "41898282+github-actions[bot]@users.noreply.github.com"
        assert made["verification"]["verified"] is True
        shown = peer.ask("GET", f"{R}/commits/{made['sha']}", token).json()
        assert shown["author"]["id"] == 41898282

    def test_check_run_is_of_the_app(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        fields = {"name": "canary / plan", "head_sha": sha, "conclusion": "success"}
        made = peer.ask("POST", f"{R}/check-runs", peer.world.workflow_token(SHOP, JOB), json=fields)
        assert (made.status_code, made.json()["app"]["slug"]) == (201, "github-actions")
        mine = peer.ask("PATCH", f"{R}/check-runs/{made.json()['id']}", peer.token(), json={"name": "x"})
        assert mine.status_code == 403
        by_person = peer.ask("POST", f"{R}/check-runs", peer.world.token("mona"), json=fields)
        assert by_person.status_code == 403
        assert by_person.json()["message"] == "You must authenticate via a GitHub App."


class TestWhatItMay:
    """One repository, the permissions of the job, and no workflow files."""

    @pytest.mark.parametrize("spelling", ["pull-requests", "pull_requests"])
    def test_either_spelling(self, peer: Peer, spelling: str) -> None:
        peer.feature()
        token = peer.world.workflow_token(SHOP, {spelling: "write"})
        assert peer.ask("POST", f"{R}/issues/1/comments", token, json={"body": "x"}).status_code == 201

    def test_issues_are_enough_to_comment(self, peer: Peer) -> None:
        peer.feature()
        token = peer.world.workflow_token(SHOP, {"issues": "write"})
        assert peer.ask("POST", f"{R}/issues/1/comments", token, json={"body": "x"}).status_code == 201
        assert peer.ask("GET", f"{R}/contents/a.txt", token).status_code == 403

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            pytest.param("POST", "/issues/1/comments", {"body": "x"}, id="comment"),
            pytest.param("PUT", "/contents/n.txt", {"message": "m", "content": ""}, id="commit"),
            pytest.param("POST", "/check-runs", {"name": "n", "head_sha": "0" * 40}, id="check"),
            pytest.param("PUT", "/pulls/1/merge", {}, id="merge"),
        ],
    )
    def test_token_of_a_forks_run_only_reads(
        self, peer: Peer, method: str, path: str, body: dict[str, str]
    ) -> None:
        peer.feature()
        token = peer.world.workflow_token(
            SHOP, {"contents": "read", "pull-requests": "read", "checks": "read"}
        )
        assert peer.ask("GET", f"{R}/pulls/1", token).status_code == 200
        answer = peer.ask(method, f"{R}{path}", token, json=body)
        assert answer.status_code == 403
        assert answer.json()["message"] == "Resource not accessible by integration"

    def test_other_repositories(self, peer: Peer) -> None:
        peer.world.workflow_token(SECRET, JOB)
        token = peer.world.workflow_token(SHOP, JOB)
        body = {"message": "m", "content": b64(b"x")}
        assert peer.ask("GET", f"/repos/{SECRET}", token).status_code == 404
        assert peer.ask("PUT", f"/repos/{OTHER}/contents/n.txt", token, json=body).status_code == 403

    def test_workflow_files(self, peer: Peer) -> None:
        token = peer.world.workflow_token(SHOP, JOB)
        body = {"message": "m", "content": b64(b"x")}
        path = f"{R}/contents/.github/workflows/ci.yaml"
        assert peer.ask("PUT", path, token, json=body).status_code == 403

    def test_it_ends(self, peer: Peer) -> None:
        token = peer.world.workflow_token(SHOP, JOB, life=timedelta(minutes=10))
        later(peer.world, minutes=9)
        assert peer.ask("GET", R, token).status_code == 200
        later(peer.world, minutes=1)
        assert peer.ask("GET", R, token).status_code == 401

    @pytest.mark.parametrize("wrong", [{"workflows": "write"}, {"contents": "admin"}, {"content": "read"}])
    def test_permissions_that_a_workflow_has_not(self, peer: Peer, wrong: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="no permission of a workflow"):
            peer.world.workflow_token(SHOP, wrong)

    def test_none_is_none(self, peer: Peer) -> None:
        peer.feature()
        token = peer.world.workflow_token(SHOP, {"issues": "none"})
        assert peer.ask("POST", f"{R}/issues/1/comments", token, json={"body": "x"}).status_code == 403

    def test_where_workflows_may_not_propose(self, peer: Peer) -> None:
        pull = peer.feature()
        peer.world.configure(SHOP, workflows_open_pulls=False)
        token = peer.world.workflow_token(SHOP, JOB)
        peer.world.create_branch(SHOP, "step", by="mona")
        peer.world.commit(SHOP, "step", {"b.txt": b"1"}, "Step", by="mona")
        for path, body in (
            ("/pulls", {"title": "Step", "head": "step", "base": "main"}),
            (f"/pulls/{pull.number}/reviews", {"event": "APPROVE"}),
        ):
            answer = peer.ask("POST", R + path, token, json=body)
            assert answer.status_code == 403
            assert answer.json()["message"] == (
                "GitHub Actions is not permitted to create or approve pull requests."
            )
        step = {"title": "Step", "head": "step", "base": "main"}
        assert peer.ask("POST", f"{R}/pulls", peer.token(), json=step).status_code == 201
        peer.world.configure(SHOP, workflows_open_pulls=True)
        answer = peer.ask("POST", f"{R}/pulls/{pull.number}/reviews", token, json={"event": "APPROVE"})
        assert answer.status_code == 200


class TestWhatItStarts:
    """Events that a ``GITHUB_TOKEN`` caused reach Apps, and start no workflow."""

    def propose(self, peer: Peer, token: str) -> tuple[int, str]:
        """Push a branch and open a pull request over HTTP; give its number and head."""
        main = peer.world.tip(SHOP, "main")
        made = peer.ask("POST", f"{R}/git/refs", token, json={"ref": "refs/heads/step", "sha": main})
        assert made.status_code == 201, made.text
        blob = peer.world.entry(SHOP, "main", "a.txt").sha
        body = {"message": "Step", "content": b64(CHANGED), "branch": "step", "sha": blob}
        sha = peer.ask("PUT", f"{R}/contents/a.txt", token, json=body).json()["commit"]["sha"]
        opened = peer.ask("POST", f"{R}/pulls", token, json={"title": "S", "head": "step", "base": "main"})
        assert opened.status_code == 201, opened.text
        return opened.json()["number"], sha

    def test_workflow_token(self, peer: Peer) -> None:
        number, sha = self.propose(peer, peer.world.workflow_token(SHOP, JOB))
        assert not peer.world.starts_workflows(SHOP, sha)
        assert [(sent.event, sent.action) for sent in peer.world.hooks.deliveries] == [
            ("pull_request", "opened")
        ]
        assert peer.world.hooks.deliveries[0].payload()["sender"]["login"] == "github-actions[bot]"
        merged = peer.ask("PUT", f"{R}/pulls/{number}/merge", peer.world.workflow_token(SHOP, JOB))
        assert not peer.world.starts_workflows(SHOP, merged.json()["sha"])

    def test_a_person_closes_and_reopens(self, peer: Peer) -> None:
        number, sha = self.propose(peer, peer.world.workflow_token(SHOP, JOB))
        peer.world.close_pull(SHOP, number, by="mona")
        assert not peer.world.starts_workflows(SHOP, sha)
        peer.world.reopen(SHOP, number, by="mona")
        assert peer.world.starts_workflows(SHOP, sha)
        assert not peer.world.starts_workflows(SHOP, sha, "push")

    def test_app_token(self, peer: Peer) -> None:
        number, sha = self.propose(peer, peer.world.installation_token(peer.app, SHOP))
        assert peer.world.starts_workflows(SHOP, sha, "push")
        assert peer.world.starts_workflows(SHOP, sha, "pull_request")
        assert peer.world.pull(SHOP, number).author.login == "canary[bot]"

    def test_a_person_merges(self, peer: Peer) -> None:
        number, _ = self.propose(peer, peer.world.workflow_token(SHOP, JOB))
        assert peer.world.starts_workflows(SHOP, peer.world.merge(SHOP, number, by="mona"))


class TestAppTokenOfAStep:
    """A token of the bot's own App, minted by a step of the job: for this repository only."""

    def test_narrowed(self, peer: Peer) -> None:
        token = peer.world.installation_token(peer.app, SHOP, {"contents": "read"})
        assert peer.ask("GET", R, token).status_code == 200
        assert peer.ask("GET", f"/repos/{SECRET}", token).status_code == 404
        body = {"message": "m", "content": b64(b"x")}
        assert peer.ask("PUT", f"{R}/contents/n.txt", token, json=body).status_code == 403

    def test_refusals(self, peer: Peer) -> None:
        with pytest.raises(ApiError) as no:
            peer.world.installation_token(peer.app, OTHER)
        assert no.value.status == 404
        with pytest.raises(ApiError) as no:
            peer.world.installation_token(peer.app, SHOP, {"administration": "read"})
        assert no.value.status == 422


class TestSettings:
    """Settings about merging are shown to who may write contents; a merge deletes the branch if asked."""

    def test_who_sees_them(self, peer: Peer) -> None:
        def seen(credential: str) -> object:
            return peer.ask("GET", R, credential).json().get("allow_auto_merge", "hidden")

        world = peer.world
        assert seen(world.token("mona")) is False
        world.configure(SHOP, allow_auto_merge=True)
        assert seen(world.token("mona")) is True
        assert seen(peer.token()) is True
        reader = world.workflow_token(SHOP, {"contents": "read"})
        assert [seen(who) for who in (world.token("rita"), "", reader)] == ["hidden"] * 3

    def test_branch_is_deleted_on_merge(self, peer: Peer) -> None:
        peer.feature("one")
        peer.world.merge(SHOP, 1, by="mona")
        assert "one" in peer.world.branches(SHOP)
        peer.world.configure(SHOP, delete_branch_on_merge=True)
        assert peer.ask("GET", R, peer.token()).json()["delete_branch_on_merge"] is True
        peer.world.create_branch(SHOP, "two", by="mona")
        peer.world.commit(SHOP, "two", {"n.txt": b"n"}, "n", by="mona")
        peer.world.open_pull(SHOP, "two", "main", "Two", by="mona")
        peer.world.merge(SHOP, 2, by="mona")
        assert "two" not in peer.world.branches(SHOP)
        assert peer.world.pull(SHOP, 2).merged
