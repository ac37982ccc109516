"""What the sandbox answers: every operation that it serves, asked over HTTP in one small world."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.contract.recorded import Operation, operation_of
from tests.sandbox.peer import CHANGED, SECRET, SHOP, TEXT, Peer, b64, serving

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

R = f"/repos/{SHOP}"
CHECK = {
    "name": "canary / plan",
    "external_id": "plan-1",
    "details_url": "https://example.com/plan",
    "output": {
        "title": "Plan",
        "summary": "25 %",
        "annotations": [
            {
                "path": "a.txt",
                "start_line": 1,
                "end_line": 1,
                "annotation_level": "notice",
                "title": "Share",
                "message": "25 %",
            }
        ],
    },
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sandbox said to one request."""

    operation: Operation
    path: str
    status: int
    headers: dict[str, str] = field(hash=False)
    body: Any = field(hash=False)
    unchanged: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that the sandbox sent."""

    event: str
    action: str | None
    payload: Any = field(hash=False)


@dataclass(slots=True)
class Played:
    """All answers of a world, by operation, its refusals by name, and its webhooks."""

    answers: dict[Operation, list[Answer]] = field(default_factory=dict)
    refusals: dict[str, Answer] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)


class Player:
    """Asks a sandbox and keeps its answers."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.played = Played()

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """Ask something that succeeds, keep the answer, and give its body.

        A ``GET`` is asked again under the condition that the answer has changed.
        """
        answer, credential = self._asked(who, method, path, body)
        assert answer.status_code < 400, (method, path, answer.text)
        unchanged = None
        if method == "GET" and "etag" in answer.headers:
            again = self.peer.ask(method, path, credential, headers={"If-None-Match": answer.headers["etag"]})
            unchanged = again.status_code if not again.content else None
        kept = _answer(answer, unchanged)
        self.played.answers.setdefault(kept.operation, []).append(kept)
        return kept.body

    def refused(self, name: str, who: str, method: str, path: str, body: Any = None) -> None:
        """Ask something that is refused, and keep the answer under a name."""
        answer, _ = self._asked(who, method, path, body)
        assert answer.status_code >= 400, (method, path, answer.text)
        self.played.refusals[name] = _answer(answer, None)

    def _asked(self, who: str, method: str, path: str, body: Any) -> tuple[httpx.Response, str]:
        credential = who.partition(" ")[2] if who.startswith("raw ") else self.peer.credential(who)
        more: dict[str, Any] = (
            {} if body is None else {"content": body} if isinstance(body, bytes) else {"json": body}
        )
        return self.peer.ask(method, path, credential, **more), credential


def _answer(answer: httpx.Response, unchanged: int | None) -> Answer:
    operation = operation_of(answer.request.method, urlsplit(str(answer.request.url)).path)
    assert operation is not None, answer.request.url
    try:
        body: Any = json.loads(answer.content) if answer.content else None
    except ValueError:
        body = answer.text
    return Answer(
        operation,
        urlsplit(str(answer.request.url)).path,
        answer.status_code,
        dict(answer.headers),
        body,
        unchanged,
    )


def play(root: Path) -> Played:
    """Play every operation and refusal in a fresh world below ``root``."""
    with serving(root) as peer:
        peer.app.events = (*peer.app.events, "push")
        peer.world.set_role(SHOP, "mona", "admin")
        peer.world.set_webhook(peer.app, None, ping=True)
        player = Player(peer)
        _apps(player)
        _code(player)
        _pulls(player)
        _talk(player)
        _checks(player)
        _rules(player)
        _refusals(player)
        sent = [Delivery(one.event, one.action, one.payload()) for one in peer.world.hooks.deliveries]
        player.played.deliveries.extend(sent)
        return player.played


def _apps(player: Player) -> None:
    ask, peer = player.ask, player.peer
    here = f"/app/installations/{peer.installation}"
    ask("app", "GET", "/app")
    ask("app", "GET", "/app/installations")
    ask("app", "GET", here)
    ask("app", "POST", f"{here}/access_tokens")
    ask("app", "POST", f"{here}/access_tokens", {"permissions": {}})
    ask(
        "app", "POST", f"{here}/access_tokens", {"repositories": ["shop"], "permissions": {"checks": "write"}}
    )
    ask("app", "GET", f"{R}/installation")
    ask("bot", "GET", "/installation/repositories")
    (newest, *_) = ask("app", "GET", "/app/hook/deliveries")
    ask("app", "GET", f"/app/hook/deliveries/{newest['id']}")
    ask("app", "POST", f"/app/hook/deliveries/{newest['id']}/attempts")
    ask("mona", "GET", "/user")
    ask("mona", "GET", "/users/rita")
    ask("mona", "GET", "/users/canary%5Bbot%5D")
    ask("mona", "GET", R)
    ask("bot", "GET", R)
    ask("mona", "GET", f"{R}/collaborators/rita/permission")
    ask("mona", "GET", "/rate_limit")
    peer.world.add_team("acme/sre", "mona")
    ask("mona", "GET", "/orgs/acme/teams/sre/memberships/mona")
    ask("", "GET", "/meta")
    ask("", "GET", "/zen")


def _code(player: Player) -> None:
    ask = player.ask
    main = ask("mona", "GET", f"{R}/git/ref/heads/main")["object"]["sha"]
    ask("mona", "GET", f"{R}/git/matching-refs/heads/ma")
    ask("mona", "POST", f"{R}/git/refs", {"ref": "refs/heads/topic", "sha": main})
    tree = ask("mona", "GET", f"{R}/git/commits/{main}")["tree"]["sha"]
    blob = ask("mona", "POST", f"{R}/git/blobs", {"content": b64(b"blob\n"), "encoding": "base64"})["sha"]
    ask("mona", "GET", f"{R}/git/blobs/{blob}")
    ask("mona", "GET", f"{R}/git/trees/{tree}?recursive=1")
    entry = {"path": "new.txt", "mode": "100644", "type": "blob", "sha": blob}
    made = ask("mona", "POST", f"{R}/git/trees", {"base_tree": tree, "tree": [entry]})["sha"]
    new = {"message": "By hand", "tree": made, "parents": [main]}
    commit = ask("mona", "POST", f"{R}/git/commits", new)["sha"]
    ask("bot", "GET", f"{R}/git/commits/{ask('bot', 'POST', f'{R}/git/commits', new)['sha']}")
    ask("mona", "PATCH", f"{R}/git/refs/heads/topic", {"sha": commit})
    ask("mona", "GET", f"{R}/branches")
    ask("mona", "GET", f"{R}/branches/main")
    ask("mona", "GET", f"{R}/commits")
    ask("mona", "GET", f"{R}/commits/{commit}")
    ask("mona", "GET", f"{R}/compare/main...topic")
    ask("mona", "GET", f"{R}/contents")
    ask("mona", "GET", f"{R}/contents/deep")
    ask("mona", "GET", f"{R}/contents/a.txt")
    file = {"message": "Add", "content": b64(b"more\n"), "branch": "topic"}
    there = ask("mona", "PUT", f"{R}/contents/deep/c.txt", file)["content"]["sha"]
    change = file | {"message": "Change", "content": b64(b"less\n"), "sha": there}
    there = ask("bot", "PUT", f"{R}/contents/deep/c.txt", change)["content"]["sha"]
    gone = {"message": "Remove", "sha": there, "branch": "topic"}
    player.ask("mona", "DELETE", f"{R}/contents/deep/c.txt?{_query(gone)}", gone)
    ask("mona", "DELETE", f"{R}/git/refs/heads/topic")


def _query(values: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in values.items())


def _pulls(player: Player) -> None:
    ask, peer = player.ask, player.peer
    for branch in ("feature", "other", "unmerged"):
        peer.world.create_branch(SHOP, branch, by="mona")
        content = CHANGED if branch != "other" else TEXT + b"last line\n"
        peer.world.commit(SHOP, branch, {f"{branch}.txt": content}, "Change a", by="mona")
    opened = {"title": "About feature", "head": "feature", "base": "main", "body": "Words"}
    pull = ask("mona", "POST", f"{R}/pulls", opened)["number"]
    there = f"{R}/pulls/{pull}"
    ask("bot", "POST", f"{R}/pulls", opened | {"head": "other", "draft": True})
    third = ask("mona", "POST", f"{R}/pulls", opened | {"head": "unmerged"})["number"]
    ask("mona", "GET", f"{R}/pulls")
    ask("mona", "GET", there)
    ask("mona", "PATCH", there, {"title": "Another title"})
    ask("mona", "GET", f"{there}/files")
    ask("mona", "GET", f"{there}/commits")
    ask(
        "mona", "POST", f"{R}/pulls/2/requested_reviewers", {"reviewers": ["rita"], "team_reviewers": ["sre"]}
    )
    ask("rita", "POST", f"{there}/reviews", {"event": "APPROVE", "body": "Good"})
    ask("mona", "GET", f"{there}/reviews")
    player.refused("not merged", "mona", "GET", f"{there}/merge")
    peer.world.add_labels(SHOP, pull, ["bug"], by="mona")
    ask("mona", "PUT", f"{there}/merge", {"merge_method": "squash"})
    ask("mona", "GET", f"{there}/merge")
    merged = ask("mona", "GET", there)["merge_commit_sha"]
    ask("mona", "GET", f"{R}/commits/{merged}/pulls")
    ask("mona", "PATCH", f"{R}/pulls/{third}", {"state": "closed"})
    ask("mona", "PATCH", f"{R}/pulls/{third}", {"state": "open"})
    peer.world.remove_label(SHOP, pull, "bug", by="mona")
    peer.world.commit(SHOP, "unmerged", {"more.txt": b"1\n"}, "Go on", by="mona")


def _talk(player: Player) -> None:
    ask = player.ask
    ask("mona", "POST", f"{R}/issues", {"title": "A question", "body": "What?"})
    plain = ask("bot", "POST", f"{R}/issues", {"title": "By an App"})["number"]
    ask("mona", "GET", f"{R}/issues?state=all")
    ask("mona", "GET", f"{R}/issues/{plain}")
    ask("mona", "GET", f"{R}/issues/1")
    ask("mona", "PUT", f"{R}/issues/{plain}/lock")
    ask("mona", "DELETE", f"{R}/issues/{plain}/lock")
    comment = ask("mona", "POST", f"{R}/issues/1/comments", {"body": "/canary 25"})["id"]
    ask("bot", "POST", f"{R}/issues/{plain}/comments", {"body": "By an App"})
    ask("mona", "GET", f"{R}/issues/1/comments")
    ask("mona", "GET", f"{R}/issues/comments")
    here = f"{R}/issues/comments/{comment}"
    ask("mona", "PATCH", here, {"body": "/canary 50"})
    reaction = ask("mona", "POST", f"{here}/reactions", {"content": "eyes"})["id"]
    ask("mona", "POST", f"{here}/reactions", {"content": "eyes"})
    ask("mona", "GET", f"{here}/reactions")
    ask("mona", "GET", here)
    ask("mona", "DELETE", f"{here}/reactions/{reaction}")
    ask("mona", "DELETE", here)
    ask("mona", "POST", f"{R}/issues/1/labels", ["bug"])
    ask("mona", "POST", f"{R}/issues/1/labels", {"labels": ["later"]})
    ask("mona", "GET", f"{R}/issues/1/labels")
    ask("mona", "GET", f"{R}/labels")
    ask("mona", "DELETE", f"{R}/issues/1/labels/bug")


def _checks(player: Player) -> None:
    ask = player.ask
    sha = ask("mona", "GET", f"{R}/pulls/3")["head"]["sha"]
    check = ask("bot", "POST", f"{R}/check-runs", CHECK | {"head_sha": sha})
    here, suite = f"{R}/check-runs/{check['id']}", f"{R}/check-suites/{check['check_suite']['id']}"
    ask("bot", "PATCH", here, {"status": "completed", "conclusion": "success"})
    ask("bot", "GET", here)
    ask("bot", "GET", f"{here}/annotations")
    ask("bot", "GET", f"{R}/commits/{sha}/check-runs")
    ask("bot", "POST", f"{here}/rerequest")
    ask("bot", "GET", f"{R}/commits/{sha}/check-suites")
    ask("bot", "GET", suite)
    ask("bot", "GET", f"{suite}/check-runs")
    ask("bot", "POST", f"{suite}/rerequest")
    status = {
        "state": "success",
        "context": "ci",
        "description": "Fine",
        "target_url": "https://example.com/ci",
    }
    ask("mona", "POST", f"{R}/statuses/{sha}", status)
    ask("mona", "GET", f"{R}/commits/{sha}/statuses")
    ask("mona", "GET", f"{R}/commits/{sha}/status")
    made = ask("mona", "POST", f"{R}/deployments", {"ref": sha, "environment": "production"})
    ask("mona", "POST", f"{R}/deployments/{made['id']}/statuses", {"state": "success"})
    ask("mona", "GET", f"{R}/deployments?sha={sha}&environment=production&per_page=1")
    ask("mona", "GET", f"{R}/deployments/{made['id']}/statuses?per_page=1")


def _rules(player: Player) -> None:
    ask, world = player.ask, player.peer.world
    for branch in ("guarded", "reviewed"):
        world.create_branch(SHOP, branch, by="mona")
    world.protect(SHOP, "guarded", checks=("ci",), approvals=1, strict=True)
    world.protect(SHOP, "reviewed", approvals=1)
    world.add_ruleset(SHOP, "canary", include=["refs/heads/canary/*"], rules=["deletion"])
    here = f"{R}/branches/guarded"
    ask("mona", "GET", here)
    ask("mona", "GET", f"{R}/branches")
    ask("mona", "GET", f"{here}/protection")
    ask("mona", "GET", f"{here}/protection/required_status_checks")
    (ruleset,) = ask("mona", "GET", f"{R}/rulesets")
    ask("mona", "GET", f"{R}/rulesets/{ruleset['id']}")
    ask("mona", "GET", f"{R}/rules/branches/canary/1")
    ask("mona", "GET", f"{R}/actions/permissions/workflow")
    player.refused("not protected", "mona", "GET", f"{R}/branches/main/protection")
    unchecked = f"{R}/branches/reviewed/protection/required_status_checks"
    player.refused("no checks required", "mona", "GET", unchecked)


def _refusals(player: Player) -> None:
    refused, peer = player.refused, player.peer
    tokens = f"/app/installations/{peer.installation}/access_tokens"
    refused("bad credentials", "raw ghp_nonsense", "GET", "/user")
    refused("no such user", "mona", "GET", "/users/nobody-at-all")
    refused("no such repository", "mona", "GET", "/repos/acme/nothing")
    refused("no such branch", "mona", "GET", f"{R}/branches/nothing")
    refused("no such file", "mona", "GET", f"{R}/contents/nothing.txt")
    refused("private to others", "eve", "GET", f"/repos/{SECRET}")
    refused("role asked without push", "eve", "GET", f"{R}/collaborators/mona/permission")
    refused("no such installation", "app", "POST", "/app/installations/1/access_tokens")
    refused("JWT expired", f"raw {peer.jwt(iat=-900, exp=-300)}", "POST", tokens)
    refused("body is no JSON", "app", "POST", tokens, b'{"permissions": ')
    refused("permission not granted", "app", "POST", tokens, {"permissions": {"administration": "write"}})
    author = {"message": "m", "tree": "0" * 40, "parents": [], "author": {"date": "2026-03-02T09:00:00Z"}}
    tree = peer.ask("GET", f"{R}/git/trees/main", peer.credential("mona")).json()["sha"]
    refused("author without name", "mona", "POST", f"{R}/git/commits", author | {"tree": tree})
    refused("label without text", "mona", "POST", f"{R}/issues/1/labels", {"labels": [""]})
    refused("pull request without head", "mona", "POST", f"{R}/pulls", {"title": "t", "base": "main"})
