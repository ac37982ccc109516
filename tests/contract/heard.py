"""Good exchanges and webhooks to try the referee on: what the sandbox says over HTTP, each by a name."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.contract.recorder import Recorder
from tests.contract.referee import event_of
from tests.sandbox.peer import CHANGED, SHOP, Peer, b64, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.sandbox.model import Pull
    from tests.contract.exchange import Exchange

REPO = f"/repos/{SHOP}"


@dataclass(frozen=True, slots=True)
class Heard:
    """Exchanges by name, and the payloads of webhooks by event and action."""

    exchanges: dict[str, Exchange]
    webhooks: dict[str, bytes]


@cache
def heard() -> Heard:
    """Ask a sandbox the questions of ``_questions``, once in a process."""
    recorder = Recorder()
    exchanges: dict[str, Exchange] = {}
    with tempfile.TemporaryDirectory() as root, recorder.listening(), serving(Path(root)) as peer:
        pull = peer.feature()
        token, fork = peer.token(), _pull_of_a_deleted_fork(peer)
        payloads = recorder.take()[1]
        for name, ask in _questions(peer, token, pull, fork).items():
            ask()
            ((exchanges[name],), more) = recorder.take()
            payloads += more
        (suite,) = peer.world.check_suites(SHOP, pull.head_sha)
        peer.world.rerequest_suite(SHOP, suite.id, by="mona")
        payloads += recorder.take()[1]
    return Heard(exchanges, {event_of(event, payload): payload for event, payload in payloads})


def _pull_of_a_deleted_fork(peer: Peer) -> int:
    world = peer.world
    world.fork(SHOP, by="eve")
    world.create_branch("eve/shop", "idea", by="eve")
    world.commit("eve/shop", "idea", {"a.txt": CHANGED}, "An idea", by="eve")
    body = {"title": "An idea", "head": "eve:idea", "base": "main"}
    number = peer.ask("POST", f"{REPO}/pulls", world.token("eve"), json=body).json()["number"]
    world.delete_repository("eve/shop")
    return int(number)


def _questions(peer: Peer, token: str, pull: Pull, fork: int) -> dict[str, Callable[[], Any]]:
    number, sha = pull.number, pull.head_sha

    def ask(method: str, path: str, who: str = token, **more: Any) -> Callable[[], Any]:
        return lambda: peer.ask(method, path, who, **more)

    def failing(kind: str, method: str, path: str) -> Callable[[], Any]:
        def fail() -> None:
            peer.server.faults.add(method, path, kind)
            peer.ask(method, path, token)

        return fail

    output = {"title": "Fine", "summary": "All is well."}
    put = {"message": "Change", "content": b64(b"new\n"), "branch": "feature"}
    return {
        "installations": ask("GET", "/app/installations", peer.jwt()),
        "repository": ask("GET", REPO),
        "pull": ask("GET", f"{REPO}/pulls/{number}"),
        "pulls": ask("GET", f"{REPO}/pulls", params={"state": "all", "per_page": "100"}),
        "deep file": ask("GET", f"{REPO}/contents/deep/b.yaml", params={"ref": "main"}),
        "no such file": ask("GET", f"{REPO}/contents/none.yaml"),
        "comment": ask("POST", f"{REPO}/issues/{number}/comments", json={"body": "Hello"}),
        "check": ask(
            "POST", f"{REPO}/check-runs", json={"name": "canary / plan", "head_sha": sha, "output": output}
        ),
        "checks": ask("GET", f"{REPO}/commits/{sha}/check-runs"),
        "merged": ask("GET", f"{REPO}/pulls/{number}/merge"),
        "conflict": ask("PUT", f"{REPO}/contents/a.txt", json={**put, "sha": "0" * 40}),
        "new branch": ask("POST", f"{REPO}/git/refs", json={"ref": "refs/heads/new/one", "sha": sha}),
        "branch again": ask("POST", f"{REPO}/git/refs", json={"ref": "refs/heads/new/one", "sha": sha}),
        "branch gone": ask("DELETE", f"{REPO}/git/refs/heads/new/one"),
        "reaction to nothing": ask("POST", f"{REPO}/issues/comments/9/reactions", json={"content": "eyes"}),
        "pull of a deleted fork": ask("GET", f"{REPO}/pulls/{fork}"),
        "500": failing("500", "GET", f"{REPO}/pulls"),
        "429": failing("429", "GET", f"{REPO}/pulls"),
    }
