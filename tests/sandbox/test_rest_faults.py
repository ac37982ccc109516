"""Faults on the way of a request, and the record that a cost is counted with."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import httpx
import pytest

from bot.sandbox.faults import Faults, Request
from tests.sandbox.peer import SHOP

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.peer import Peer

R = f"/repos/{SHOP}"
COMMENTS = f"{R}/issues/1/comments"


def spoken(peer: Peer) -> list[str]:
    return [comment.body for comment in peer.world.pull(SHOP, 1).comments]


def eventually(true: Callable[[], bool]) -> bool:
    """Look again for ten seconds at most: a busy machine may still be at it."""
    pause = Event()
    return any(true() or pause.wait(0.05) for _ in range(200))


@pytest.mark.parametrize(
    ("kind", "status", "done"),
    [
        ("before-500", 500, False),
        ("after-500", 500, True),
        ("before-502", 502, False),
        ("after-504", 504, True),
        ("403-secondary", 403, False),
        ("403-primary", 403, False),
        ("429", 429, False),
        ("404", 404, False),
        ("401", 401, False),
        ("409", 409, False),
    ],
)
def test_status_before_or_after_the_deed(peer: Peer, kind: str, status: int, *, done: bool) -> None:
    peer.feature()
    token = peer.token()
    peer.server.faults.add("POST", r"/issues/\d+/comments$", kind)
    assert peer.ask("POST", COMMENTS, token, json={"body": "one"}).status_code == status
    assert spoken(peer) == (["one"] if done else [])
    assert peer.ask("POST", COMMENTS, token, json={"body": "two"}).status_code == 201
    assert peer.server.faults.waiting == []


@pytest.mark.parametrize(("kind", "done"), [("before-drop", False), ("after-drop", True)])
def test_cut_connection(peer: Peer, kind: str, *, done: bool) -> None:
    peer.feature()
    token = peer.token()
    peer.server.faults.add("POST", COMMENTS, kind)
    with pytest.raises(httpx.RemoteProtocolError):
        peer.ask("POST", COMMENTS, token, json={"body": "one"})
    assert spoken(peer) == (["one"] if done else [])
    assert peer.server.requests[-1] == Request("POST", COMMENTS, 0, "canary[bot]")
    assert peer.ask("GET", COMMENTS, token).status_code == 200


@pytest.mark.parametrize(("kind", "done"), [("before-hang", False), ("after-hang", True)])
def test_answer_that_does_not_come(peer: Peer, kind: str, *, done: bool) -> None:
    peer.feature()
    token = peer.token()
    peer.server.faults.add("POST", COMMENTS, kind)
    with pytest.raises(httpx.ReadTimeout):
        peer.ask("POST", COMMENTS, token, json={"body": "one"}, timeout=0.5)
    assert eventually(lambda: Request("POST", COMMENTS, 0, "canary[bot]") in peer.server.requests)
    assert spoken(peer) == (["one"] if done else [])


def test_limits_say_how_long(peer: Peer) -> None:
    peer.server.faults.add("GET", R, "403-primary")
    peer.server.faults.add("GET", R, "403-secondary-retry")
    primary, secondary = peer.ask("GET", R), peer.ask("GET", R)
    assert primary.headers["X-RateLimit-Remaining"] == "0"
    assert int(primary.headers["X-RateLimit-Reset"]) > peer.world.now().timestamp()
    assert secondary.headers["Retry-After"] == "60"
    assert "secondary rate limit" in secondary.json()["message"]


def test_base_that_was_modified(peer: Peer) -> None:
    peer.feature()
    peer.server.faults.add("PUT", "/merge$", "405-base-modified")
    token = peer.token()
    answer = peer.ask("PUT", f"{R}/pulls/1/merge", token, json={})
    assert (answer.status_code, answer.json()["message"]) == (
        405,
        "Base branch was modified. Review and try the merge again.",
    )
    assert peer.ask("PUT", f"{R}/pulls/1/merge", token, json={}).status_code == 200


def test_somebody_is_faster(peer: Peer) -> None:
    """A push between the reading and the writing: the merge sees another head."""
    pull = peer.feature()
    seen = pull.head_sha
    world = peer.world
    peer.server.faults.before(
        "PUT", "/merge$", lambda: world.commit(SHOP, "feature", {"b.txt": b"b\n"}, "Fast", by="mona")
    )
    answer = peer.ask("PUT", f"{R}/pulls/1/merge", peer.token(), json={"sha": seen})
    assert (answer.status_code, pull.merged) == (409, False)


def test_times_skip_and_prefix(peer: Peer) -> None:
    peer.server.faults.add("*", "^/repos", "503", times=2, skip=1, message="Maintenance")
    paths = [R, f"/api/v3{R}", "/zen", R, R]
    answers = [peer.ask("GET", path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 503, 200, 503, 200]
    assert answers[1].json()["message"] == "Maintenance"


def test_fault_that_is_none() -> None:
    with pytest.raises(ValueError, match="not a fault"):
        Faults().add("GET", "/", "before-lunch")


def test_record_counts_by_caller(peer: Peer) -> None:
    peer.feature()
    token = peer.token()
    peer.server.requests.clear()
    peer.ask("GET", f"{R}/pulls/1", token)
    peer.ask("GET", f"/api/v3{R}/pulls?state=all", token)
    peer.ask("GET", R, peer.world.token("mona"))
    peer.ask("GET", f"{R}/pulls/99")
    peer.ask("GET", "/app", peer.jwt())
    assert peer.server.by("canary[bot]") == [
        Request("GET", f"{R}/pulls/1", 200, "canary[bot]"),
        Request("GET", f"{R}/pulls", 200, "canary[bot]", "state=all"),
    ]
    assert [request.caller for request in peer.server.requests[2:]] == ["mona", "", "app:canary"]
    assert peer.server.requests[3].status == 404


def test_unchanged_answer_is_not_sent_again(peer: Peer) -> None:
    peer.feature()
    token = peer.token()
    first = peer.ask("GET", f"{R}/pulls/1", token)
    same = peer.ask("GET", f"{R}/pulls/1", token, headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["X-RateLimit-Used"] == first.headers["X-RateLimit-Used"]
    peer.world.comment(SHOP, 1, "News", by="mona")
    changed = peer.ask("GET", f"{R}/pulls/1", token, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


def test_own_mistakes_are_seen(peer: Peer) -> None:
    def broken() -> None:
        raise RuntimeError("a mistake of the test")

    peer.server.faults.before("GET", "/zen", broken)
    assert peer.ask("GET", "/zen").status_code == 500
    assert "a mistake of the test" in peer.server.errors.pop()
