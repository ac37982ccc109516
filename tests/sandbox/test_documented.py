"""What the sandbox says about statuses, checks and rules, judged by GitHub's own description of its API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bot.sandbox.rules import pull_request, required_checks
from tests.contract.exchange import Exchange
from tests.contract.packages import needed
from tests.contract.referee import referee
from tests.sandbox.peer import SHOP, Peer

if TYPE_CHECKING:
    from tests.contract.referee import Referee

R = f"/repos/{SHOP}"
GATE = "canary / gate"
PROMOTE = {"label": "Promote", "description": "Merge the next step", "identifier": "promote"}


@pytest.fixture(scope="module")
def judge() -> Referee:
    return needed(referee)


def judged(peer: Peer, judge: Referee, method: str, path: str, credential: str, *body: Any) -> Any:
    """Ask, have the exchange judged, and give the answer."""
    answer = peer.ask(method, path, credential, **({"json": body[0]} if body else {}))
    bare, _, query = path.partition("?")
    exchange = Exchange(
        method,
        bare,
        query,
        answer.status_code,
        json.dumps(body[0]).encode() if body else b"",
        answer.content,
        answer.headers.get("content-type", ""),
    )
    assert [str(one) for one in judge.judge(exchange)] == []
    return answer.json() if answer.content else None


@pytest.fixture
def admin(peer: Peer) -> str:
    peer.world.set_role(SHOP, "eve", "admin")
    return peer.world.token("eve")


def test_workflow_tokens(peer: Peer, judge: Referee) -> None:
    peer.feature()
    token = peer.world.workflow_token(SHOP, {"contents": "write", "pull-requests": "write"})
    judged(peer, judge, "GET", "/users/github-actions%5Bbot%5D", token)
    judged(peer, judge, "GET", "/user", token)
    judged(peer, judge, "POST", f"{R}/issues/1/comments", token, {"body": "Hi"})
    judged(peer, judge, "GET", f"{R}/issues/comments?sort=updated&direction=desc", token)
    judged(peer, judge, "PUT", f"{R}/contents/n.txt", token, {"message": "m", "content": "eA=="})
    for who in (token, "", peer.world.token("mona")):
        judged(peer, judge, "GET", R, who)


def test_statuses(peer: Peer, judge: Referee) -> None:
    peer.app.events = ("status",)
    sha = peer.feature().head_sha
    token = peer.world.workflow_token(SHOP, {"statuses": "write"})
    for body in (
        {"state": "pending"},
        {"state": "success", "context": GATE, "target_url": "https://x.test/"},
    ):
        judged(peer, judge, "POST", f"{R}/statuses/{sha}", token, body)
    judged(peer, judge, "POST", f"{R}/statuses/{sha}", peer.token(), {"state": "pending"})
    for ref in (sha, "feature"):
        judged(peer, judge, "GET", f"{R}/commits/{ref}/statuses?per_page=1", token)
        judged(peer, judge, "GET", f"{R}/commits/{ref}/status", token)
    judged(peer, judge, "GET", f"{R}/commits/nowhere/status", token)
    assert len(peer.world.hooks.deliveries) == 2
    assert [judge.judge_webhook(sent.event, sent.body) for sent in peer.world.hooks.deliveries] == [(), ()]


def test_checks_and_suites(peer: Peer, judge: Referee, admin: str) -> None:
    peer.app.events = ("check_run",)
    sha = peer.feature().head_sha
    token = peer.token()
    fields = {"name": GATE, "head_sha": sha, "actions": [PROMOTE]}
    run = judged(peer, judge, "POST", f"{R}/check-runs", token, fields)
    judged(peer, judge, "POST", f"{R}/check-runs", peer.world.token("mona"), fields)
    suite = f"{R}/check-suites/{run['check_suite']['id']}"
    path = f"{R}/check-runs/{run['id']}"
    judged(peer, judge, "GET", suite, token)
    judged(peer, judge, "POST", f"{path}/rerequest", token)
    judged(peer, judge, "PATCH", path, token, {"conclusion": "failure", "actions": [PROMOTE]})
    peer.world.press(SHOP, run["id"], "promote", by="mona")
    judged(peer, judge, "POST", f"{path}/rerequest", admin)
    judged(peer, judge, "POST", f"{suite}/rerequest", admin)
    judged(peer, judge, "GET", suite, token)
    judged(peer, judge, "GET", f"{suite}/check-runs", token)
    judged(peer, judge, "GET", f"{R}/commits/{sha}/check-suites?check_name=x", token)
    assert judged(peer, judge, "GET", f"{R}/commits/{sha}/check-suites", token)["total_count"] == 1
    sent = peer.world.hooks.deliveries
    assert [(one.event, one.action) for one in sent] == [
        ("check_run", "created"),
        ("check_run", "completed"),
        ("check_run", "requested_action"),
        ("check_run", "rerequested"),
        ("check_suite", "rerequested"),
    ]
    assert [str(one) for each in sent for one in judge.judge_webhook(each.event, each.body)] == []


def test_rules(peer: Peer, judge: Referee, admin: str) -> None:
    world = peer.world
    kinds = ("creation", "update", "deletion", "non_fast_forward", "required_signatures")
    rules: list[Any] = [
        required_checks(GATE, source=peer.app.id),
        required_checks("ci"),
        pull_request(1),
        *kinds,
    ]
    made = world.add_ruleset(SHOP, "main", rules=rules, bypass=[peer.app.id])
    for who in ("", peer.token(), admin):
        judged(peer, judge, "GET", f"{R}/rulesets?targets=branch", who)
        judged(peer, judge, "GET", f"{R}/rulesets/{made.id}", who)
        judged(peer, judge, "GET", f"{R}/rules/branches/main", who)
    judged(peer, judge, "GET", f"{R}/rulesets/1", admin)
    everything: dict[str, Any] = {"checks": (GATE,), "sources": {GATE: peer.app.id}, "approvals": 1}
    for rule in ({}, {"pulls_only": True}, everything):
        world.protect(SHOP, "main", **rule)
        judged(peer, judge, "GET", f"{R}/branches", admin)
        for who in ("", peer.token(), admin):
            for rest in ("", "/protection", "/protection/required_status_checks"):
                judged(peer, judge, "GET", f"{R}/branches/main{rest}", who)
            judged(peer, judge, "GET", f"{R}/actions/permissions/workflow", who)
    judged(peer, judge, "GET", f"{R}/git/trees/main?recursive=1", admin)
    judged(peer, judge, "GET", f"{R}/installation", peer.jwt())
