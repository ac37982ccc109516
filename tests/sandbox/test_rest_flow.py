"""What works over HTTP, as PyGithub asks it, at ``/`` and at ``/api/v3``."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from github import Auth, Github, GithubException, GithubIntegration

from bot.sandbox.git import TreeEntry
from tests.sandbox.peer import CHANGED, SECRET, SHOP, TEXT, b64

if TYPE_CHECKING:
    from github.Repository import Repository

    from tests.sandbox.peer import Peer

R = f"/repos/{SHOP}"


def connect(peer: Peer, prefix: str = "") -> Github:
    """Sign in as the App's installation, with PyGithub's pauses off: the peer is on this machine."""
    integration = GithubIntegration(
        auth=Auth.AppAuth(peer.app.id, peer.app.private_key_pem),
        base_url=peer.server.base_url + prefix,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    return integration.get_github_for_installation(peer.installation)


@pytest.fixture(params=["", "/api/v3"], ids=["github.com", "enterprise server"])
def shop(peer: Peer, request: pytest.FixtureRequest) -> Repository:
    # PyGithub signs by the machine's clock, and forgets a token when that clock says so.
    ahead = peer.world.clock.machine() - peer.world.clock.now()
    peer.world.clock.advance(ahead)
    return connect(peer, request.param).get_repo(SHOP)


def test_the_whole_way_of_a_change(peer: Peer, shop: Repository) -> None:
    """Branch, file, pull request, talk, checks, labels, merge."""
    shop.create_git_ref("refs/heads/canary/shop/25", shop.get_branch("main").commit.sha)
    file = shop.get_contents("a.txt", ref="canary/shop/25")
    assert not isinstance(file, list)
    assert file.decoded_content == TEXT
    done = shop.update_file("a.txt", "Shift to 25 %", CHANGED, file.sha, branch="canary/shop/25")
    assert done["commit"].sha == peer.world.tip(SHOP, "canary/shop/25")
    pull = shop.create_pull(base="main", head="canary/shop/25", title="25 %", body="Words")
    assert (pull.user.login, pull.user.type, pull.mergeable, pull.changed_files) == (
        "canary[bot]",
        "Bot",
        True,
        1,
    )
    assert [changed.filename for changed in pull.get_files()] == ["a.txt"]
    (commit,) = pull.get_commits()
    assert commit.commit.verification.verified
    assert commit.author.login == "canary[bot]"
    assert commit.commit.author.email == f"{peer.app.bot.id}+canary[bot]@users.noreply.github.com"
    comment = pull.create_issue_comment("Hello")
    comment.edit("Hello again")
    assert comment.performed_via_github_app.id == peer.app.id
    assert comment.create_reaction("rocket").content == "rocket"
    run = shop.create_check_run("canary / plan", pull.head.sha, status="in_progress")
    run.edit(conclusion="success", output={"title": "Fine", "summary": "All of it"})
    (check,) = shop.get_commit(pull.head.sha).get_check_runs()
    assert (check.name, check.status, check.conclusion) == ("canary / plan", "completed", "success")
    pull.add_to_labels("canary", "step")
    assert sorted(label.name for label in pull.get_labels()) == ["canary", "step"]
    assert shop.get_collaborator_permission("mona") == "write"
    assert shop.get_collaborator_role_name("rita") == "triage"
    merged = pull.merge(sha=pull.head.sha, commit_title="Ship", commit_message="It")
    assert shop.get_commit(merged.sha).commit.message == "Ship\n\nIt"
    assert [found.number for found in shop.get_commit(merged.sha).get_pulls()] == [pull.number]
    assert shop.get_pull(pull.number).merged_by.login == "canary[bot]"
    shop.get_git_ref("heads/canary/shop/25").delete()
    assert peer.world.read(SHOP, "main", "a.txt") == CHANGED
    assert not peer.world.pulls(SHOP, state="open")


def test_library_sees_the_refusals(shop: Repository) -> None:
    with pytest.raises(GithubException) as caught:
        shop.create_pull(base="main", head="none", title="T")
    assert (caught.value.status, caught.value.data["message"]) == (422, "Validation Failed")


class TestFiles:
    """Contents keep their mode; links, folders and submodules say what they are."""

    @pytest.fixture
    def token(self, peer: Peer) -> str:
        git = peer.world.repository(SHOP).git
        tip = peer.world.tip(SHOP, "main")
        assert tip is not None
        entries = [
            ("run.sh", "100755", git.write_blob(b"#!/bin/sh\n")),
            ("link.txt", "120000", git.write_blob(b"deep/b.yaml")),
            ("deep/up.txt", "120000", git.write_blob(b"../a.txt")),
            ("lost.txt", "120000", git.write_blob(b"nowhere.txt")),
            ("out.txt", "120000", git.write_blob(b"../../etc/passwd")),
            ("module", "160000", tip),
        ]
        tree = git.write_tree(git.commit(tip).tree, entries)
        made = peer.world.signed(peer.world.account("mona"))
        git.update_ref("refs/heads/main", git.write_commit(tree, [tip], "Kinds", made), tip)
        return peer.token()

    @pytest.mark.parametrize(
        ("path", "kind", "content"),
        [
            ("a.txt", "file", TEXT),
            ("deep/b.yaml", "file", b"b: 1\r\n"),
            ("run.sh", "file", b"#!/bin/sh\n"),
            pytest.param("link.txt", "file", b"b: 1\r\n", id="link to a file shows the file"),
            pytest.param("deep/up.txt", "file", TEXT, id="link upwards"),
            pytest.param("lost.txt", "symlink", None, id="link to nothing"),
            pytest.param("out.txt", "symlink", None, id="link out of the repository"),
            ("module", "submodule", None),
        ],
    )
    def test_kinds(self, peer: Peer, token: str, path: str, kind: str, content: bytes | None) -> None:
        shown = peer.ask("GET", f"{R}/contents/{path}", token).json()
        assert (shown["type"], shown["path"]) == (kind, path)
        if content is not None:
            assert base64.b64decode(shown["content"]) == content
            raw = peer.ask(
                "GET", f"{R}/contents/{path}", token, headers={"Accept": "application/vnd.github.raw+json"}
            )
            assert raw.content == content

    def test_folder(self, peer: Peer, token: str) -> None:
        shown = peer.ask("GET", f"{R}/contents/deep", token).json()
        assert [(item["path"], item["type"]) for item in shown] == [
            ("deep/b.yaml", "file"),
            ("deep/up.txt", "symlink"),
        ]

    def test_executable_stays_executable(self, peer: Peer, token: str) -> None:
        sha = peer.world.entry(SHOP, "main", "run.sh").sha
        body = {"message": "m", "content": b64(b"#!/bin/bash\n"), "sha": sha}
        assert peer.ask("PUT", f"{R}/contents/run.sh", token, json=body).status_code == 200
        assert peer.world.entry(SHOP, "main", "run.sh").mode == "100755"

    def test_delete(self, peer: Peer, token: str) -> None:
        sha = peer.world.entry(SHOP, "main", "a.txt").sha
        answer = peer.ask("DELETE", f"{R}/contents/a.txt", token, json={"message": "m", "sha": sha})
        assert (answer.status_code, answer.json()["content"]) == (200, None)
        assert "a.txt" not in peer.world.files(SHOP, "main")

    def test_author_of_ones_own_is_not_signed(self, peer: Peer, token: str) -> None:
        body: dict[str, Any] = {"message": "m", "content": b64(b"x")}
        signed = peer.ask("PUT", f"{R}/contents/x.txt", token, json=body).json()["commit"]
        body["author"] = {"name": "Somebody", "email": "some@body.org"}
        own = peer.ask("PUT", f"{R}/contents/y.txt", token, json=body).json()["commit"]
        assert (signed["verification"]["verified"], own["verification"]["verified"]) == (True, False)
        assert own["author"]["name"] == own["committer"]["name"] == "Somebody"


def test_git_data(peer: Peer) -> None:
    """Tree, commit and reference by hand; a null sha deletes."""
    token, tip = peer.token(), peer.world.tip(SHOP, "main")
    items = [
        {"path": "deep/b.yaml", "mode": "100644", "type": "blob", "sha": None},
        {"path": "new/c.txt", "mode": "100755", "type": "blob", "content": "c\r\n"},
    ]
    tree = peer.ask("POST", f"{R}/git/trees", token, json={"base_tree": tip, "tree": items}).json()
    made = {"message": "By hand", "tree": tree["sha"], "parents": [tip]}
    commit = peer.ask("POST", f"{R}/git/commits", token, json=made).json()
    assert commit["verification"]["verified"]
    moved = peer.ask("PATCH", f"{R}/git/refs/heads/main", token, json={"sha": commit["sha"]})
    assert moved.json()["object"]["sha"] == commit["sha"]
    assert peer.world.files(SHOP, "main") == ["a.txt", "new/c.txt"]
    entry = peer.world.entry(SHOP, "main", "new/c.txt")
    assert entry == TreeEntry("100755", "blob", entry.sha, 3, "new/c.txt")
    listed = peer.ask("GET", f"{R}/git/trees/{commit['sha']}?recursive=1", token).json()["tree"]
    assert [item["path"] for item in listed] == ["a.txt", "new", "new/c.txt"]
    blob = peer.ask("GET", f"{R}/git/blobs/{entry.sha}", token).json()
    assert base64.b64decode(blob["content"]) == b"c\r\n"


def test_comparison(peer: Peer) -> None:
    pull = peer.feature("feat/x")
    peer.world.commit(SHOP, "main", {"c.txt": b"c\n"}, "Meanwhile", by="mona")
    shown = peer.ask("GET", f"{R}/compare/main...feat/x").json()
    assert (shown["status"], shown["ahead_by"], shown["behind_by"]) == ("diverged", 1, 1)
    assert shown["merge_base_commit"]["sha"] == pull.base_sha
    assert [file["filename"] for file in shown["files"]] == ["a.txt"]
    states = {
        base: peer.ask("GET", f"{R}/compare/{base}").json()["status"]
        for base in ("main...main", f"{pull.base_sha}...main", f"main...{pull.base_sha}")
    }
    assert list(states.values()) == ["identical", "ahead", "behind"]


class TestLists:
    """Pages with ``Link``, and filters."""

    def test_pages(self, peer: Peer) -> None:
        peer.feature()
        for number in range(7):
            peer.world.comment(SHOP, 1, f"comment {number}", by="mona")
        path: str | None = f"{R}/issues/1/comments?per_page=3"
        read: list[str] = []
        pages = 0
        while path is not None:
            answer = peer.ask("GET", path)
            read += [comment["body"] for comment in answer.json()]
            following = answer.links.get("next")
            path = following["url"].removeprefix(peer.server.base_url) if following else None
            pages += 1
        assert (pages, read) == (3, [f"comment {number}" for number in range(7)])
        last = peer.ask("GET", f"{R}/issues/1/comments?per_page=3&page=3")
        assert set(last.links) == {"prev", "first"}
        assert "Link" not in peer.ask("GET", f"{R}/issues/1/comments").headers

    def test_links_under_enterprise_paths_stay_there(self, peer: Peer) -> None:
        peer.feature()
        for _ in range(2):
            peer.world.comment(SHOP, 1, "x", by="mona")
        answer = peer.ask("GET", f"/api/v3{R}/issues/1/comments?per_page=1")
        start = f"{peer.server.base_url}/api/v3/repos/"
        assert answer.links["next"]["url"].startswith(start)
        assert answer.json()[0]["url"].startswith(start)

    def test_pulls_by_state_head_and_base(self, peer: Peer) -> None:
        for name in ("one", "two", "three"):
            peer.feature(name, name.encode())
        peer.world.close_pull(SHOP, 2, by="mona")

        def numbers(query: str) -> list[int]:
            return [pull["number"] for pull in peer.ask("GET", f"{R}/pulls{query}").json()]

        assert numbers("") == [3, 1]
        assert numbers("?state=closed") == [2]
        assert numbers("?state=all&head=acme:two") == [2]
        assert numbers("?state=all&head=two") == [3, 2, 1]  # GitHub ignores a head without an owner
        assert numbers("?state=all&direction=asc") == [1, 2, 3]
        assert numbers("?base=none") == []
        assert numbers("?sort=updated&state=all&direction=desc")[0] in {2, 3}

    def test_comments_since(self, peer: Peer) -> None:
        peer.feature()
        old = peer.world.comment(SHOP, 1, "old", by="mona")
        peer.world.clock.advance(peer.world.tick * 60)
        since = f"{peer.world.now():%Y-%m-%dT%H:%M:%SZ}"
        peer.world.comment(SHOP, 1, "new", by="mona")
        path = f"{R}/issues/comments?since={since}"
        assert [comment["body"] for comment in peer.ask("GET", path).json()] == ["new"]
        peer.world.edit_comment(SHOP, old.id, "old, edited", by="mona")
        assert len(peer.ask("GET", path).json()) == 2

    def test_history_of_a_path(self, peer: Peer) -> None:
        peer.world.commit(SHOP, "main", {"a.txt": CHANGED}, "Change a", by="mona")
        peer.world.commit(SHOP, "main", {"c.txt": b"c"}, "Add c", by="mona")
        shown = peer.ask("GET", f"{R}/commits?path=a.txt").json()
        assert [commit["commit"]["message"] for commit in shown] == ["Change a", "Initial commit"]


class TestForks:
    """The App is not on the fork: it reads the pull request and cannot write to its head."""

    def test_from_a_fork(self, peer: Peer) -> None:
        world, token = peer.world, peer.token()
        world.fork(SHOP, by="eve")
        world.create_branch("eve/shop", "idea", by="eve")
        world.commit("eve/shop", "idea", {"a.txt": CHANGED}, "An idea", by="eve")
        eve = world.token("eve")
        body = {"title": "An idea", "head": "eve:idea", "base": "main"}
        made = peer.ask("POST", f"{R}/pulls", eve, json=body)
        assert made.status_code == 201
        shown = peer.ask("GET", f"{R}/pulls/1", token).json()
        assert (shown["head"]["label"], shown["head"]["repo"]["fork"]) == ("eve:idea", True)
        assert shown["author_association"] == "NONE"
        content = peer.ask("GET", f"{R}/contents/a.txt?ref={shown['head']['sha']}", token).json()["content"]
        assert base64.b64decode(content) == CHANGED
        body = {"message": "m", "content": b64(b"x"), "branch": "idea"}
        assert peer.ask("PUT", "/repos/eve/shop/contents/x", token, json=body).status_code == 403
        world.delete_repository("eve/shop")
        assert peer.ask("GET", f"{R}/pulls/1", token).json()["head"]["repo"] is None

    def test_app_cannot_grant_a_collaboration_it_does_not_have(self, peer: Peer) -> None:
        world = peer.world
        world.fork(SHOP, by="eve")
        world.create_branch("eve/shop", "idea", by="eve")
        world.commit("eve/shop", "idea", {"a.txt": CHANGED}, "An idea", by="eve")
        body: dict[str, Any] = {"title": "T", "head": "eve:idea", "base": "main"}
        answer = peer.ask("POST", f"{R}/pulls", peer.token(), json=body)
        assert answer.json()["errors"][0]["field"] == "fork_collab"
        body["maintainer_can_modify"] = False
        assert peer.ask("POST", f"{R}/pulls", peer.token(), json=body).status_code == 201

    def test_private_repository_is_not_named_to_strangers(self, peer: Peer) -> None:
        assert peer.ask("GET", f"/repos/{SECRET}/pulls", peer.world.token("eve")).status_code == 404


def test_issue_is_no_pull_request(peer: Peer) -> None:
    peer.feature()
    token = peer.token()
    made = peer.ask("POST", f"{R}/issues", token, json={"title": "Plain"})
    assert (made.status_code, made.json()["number"]) == (201, 2)
    plain, pull = (peer.ask("GET", f"{R}/issues/{number}", token).json() for number in (2, 1))
    assert "pull_request" not in plain
    assert pull["pull_request"]["merged_at"] is None
    peer.world.comment(SHOP, 2, "/canary 25", by="mona")
    event = peer.world.hooks.deliveries[-1].payload()
    assert "pull_request" not in event["issue"]


def test_headers_of_every_answer(peer: Peer) -> None:
    for path in (R, "/repos/acme/none"):
        headers = peer.ask("GET", path).headers
        assert headers["X-GitHub-Request-Id"]
        assert int(headers["X-RateLimit-Remaining"]) > 0
        assert headers["Content-Type"].startswith("application/json")
