"""Deliveries: GitHub's signature and headers, the events of each act, and what tests do to them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from bot.sandbox.webhooks import sign
from tests.sandbox.peer import CHANGED, OTHER, SHOP, Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.sandbox.model import App
    from bot.sandbox.world import World


@dataclass
class Receiver:
    """What came to an address on loopback, in order."""

    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answer: int = 202

    def events(self) -> list[tuple[str, str]]:
        return [(headers["x-github-event"], json.loads(body).get("action")) for headers, body in self.got]

    def guids(self) -> list[str]:
        return [headers["x-github-delivery"] for headers, _ in self.got]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            self.send_response(receiver.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/webhook"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def app(world: World) -> App:
    """An App on the shop that hears everything."""
    app = next(iter(world.apps.values()))
    app.events = (*app.events, "push")
    world.install(app, SHOP)
    return app


def opened(world: World) -> None:
    world.create_branch(SHOP, "feature", by="mona")
    world.commit(SHOP, "feature", {"a.txt": CHANGED}, "Change a", by="mona")
    world.open_pull(SHOP, "feature", "main", "Title", "Body", by="mona")


def test_githubs_documented_signature() -> None:
    """Source: GitHub's "Validating webhook deliveries", testing the webhook payload validation."""
    assert sign("It's a Secret to Everybody", b"Hello, World!") == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


def test_headers_and_signature_of_a_delivery(world: World, app: App, receiver: Receiver) -> None:
    world.set_webhook(app, receiver.url)
    opened(world)
    world.comment(SHOP, 1, "/canary 25 – ü \u2028", by="mona")
    assert world.hooks.wait()
    headers, body = receiver.got[-1]
    assert headers["x-github-event"] == "issue_comment"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("GitHub-Hookshot/")
    assert headers["x-github-hook-id"] == str(app.hook_id)
    assert headers["x-github-hook-installation-target-id"] == str(app.id)
    assert headers["x-github-hook-installation-target-type"] == "integration"
    assert headers["x-hub-signature-256"] == sign(app.webhook_secret, body)
    payload = json.loads(body)
    assert payload["comment"]["body"] == "/canary 25 – ü \u2028"
    assert payload["comment"]["user"]["login"] == payload["sender"]["login"] == "mona"
    assert payload["issue"]["pull_request"]["url"].endswith(f"/repos/{SHOP}/pulls/1")
    assert payload["repository"]["full_name"] == SHOP
    assert payload["installation"]["id"] == world.installation_of(app, world.repository(SHOP)).id  # type: ignore[union-attr]
    assert payload["organization"]["login"] == "acme"


def act(name: str, deed: Callable[[World], object], *events: tuple[str, str | None]) -> Any:
    return pytest.param(deed, list(events), id=name)


def _edit(world: World) -> None:
    comment = world.comment(SHOP, 1, "one", by="mona")
    world.edit_comment(SHOP, comment.id, "two", by="mona")
    world.delete_comment(SHOP, comment.id, by="mona")


def _check(world: World) -> None:
    app = next(iter(world.apps.values()))
    run = world.create_check(SHOP, app, {"name": "n", "head_sha": world.pull(SHOP, 1).head_sha})
    world.update_check(SHOP, run.id, app, {"conclusion": "success"})
    world.rerequest_check(SHOP, run.id, by="mona")


@pytest.mark.parametrize(
    ("deed", "events"),
    [
        act("push", lambda w: w.commit(SHOP, "main", {"x": b""}, "m", by="mona"), ("push", None)),
        act(
            "push to an open head",
            lambda w: w.commit(SHOP, "feature", {"x": b""}, "m", by="mona"),
            ("push", None),
            ("pull_request", "synchronize"),
        ),
        act(
            "merge",
            lambda w: w.merge(SHOP, 1, by="mona"),
            ("pull_request", "closed"),
            ("push", None),
        ),
        act("close", lambda w: w.close_pull(SHOP, 1, by="mona"), ("pull_request", "closed")),
        act(
            "close and reopen",
            lambda w: (w.close_pull(SHOP, 1, by="mona"), w.reopen(SHOP, 1, by="mona")),
            ("pull_request", "closed"),
            ("pull_request", "reopened"),
        ),
        act(
            "delete the head",
            lambda w: w.delete_branch(SHOP, "feature", by="mona"),
            ("push", None),
            ("pull_request", "closed"),
        ),
        act("title", lambda w: w.edit_pull(SHOP, 1, by="mona", title="New"), ("pull_request", "edited")),
        act("same title", lambda w: w.edit_pull(SHOP, 1, by="mona", title="Title")),
        act("label", lambda w: w.add_labels(SHOP, 1, ["x"], by="mona"), ("pull_request", "labeled")),
        act(
            "comment, edit, delete",
            _edit,
            ("issue_comment", "created"),
            ("issue_comment", "edited"),
            ("issue_comment", "deleted"),
        ),
        act("review", lambda w: w.review(SHOP, 1, "ok", by="rita"), ("pull_request_review", "submitted")),
        act(
            "check",
            _check,
            ("check_run", "created"),
            ("check_run", "completed"),
            ("check_run", "rerequested"),
        ),
        act("where the App is not", lambda w: w.commit(OTHER, "main", {"x": b""}, "m", by="mona")),
    ],
)
def test_events_of_an_act(
    world: World, app: App, deed: Callable[[World], object], events: list[tuple[str, str | None]]
) -> None:
    opened(world)
    before = len(world.hooks.deliveries)
    deed(world)
    sent = world.hooks.deliveries[before:]
    assert [(one.event, one.action) for one in sent] == events
    assert all(one.app is app for one in sent)


def test_only_events_that_the_app_subscribes_to(world: World, app: App) -> None:
    app.events = ("check_run",)
    opened(world)
    world.comment(SHOP, 1, "x", by="mona")
    assert world.hooks.deliveries == []


def test_without_an_address_they_are_logged_only(world: World, app: App) -> None:
    opened(world)
    assert world.hooks.wait()
    assert [one.status for one in world.hooks.deliveries] == [None] * len(world.hooks.deliveries)
    assert app.webhook_url is None


def test_receiver_that_is_not_there(world: World, app: App) -> None:
    with receiving() as receiver:
        gone = receiver.url
    world.set_webhook(app, gone)
    opened(world)
    assert world.hooks.wait()
    last = world.hooks.deliveries[-1]
    assert last.status == 0
    assert "Connect" in last.error


def test_redelivery_has_the_same_guid_and_body(world: World, app: App, receiver: Receiver) -> None:
    receiver.answer = 500
    world.set_webhook(app, receiver.url)
    opened(world)
    assert world.hooks.wait()
    failed = world.hooks.deliveries[-1]
    receiver.answer = 202
    again = world.hooks.redeliver(failed.guid)
    assert world.hooks.wait()
    assert (failed.status, again.status, again.redelivery) == (500, 202, True)
    assert again.id > failed.id
    assert receiver.got[-1][1] == failed.body
    assert receiver.guids()[-2:] == [failed.guid, failed.guid]


def test_sent_in_order_by_one_thread(world: World, app: App, receiver: Receiver) -> None:
    world.set_webhook(app, receiver.url)
    opened(world)
    for number in range(15):
        world.comment(SHOP, 1, f"comment {number}", by="mona")
    assert world.hooks.wait()
    assert receiver.guids() == [one.guid for one in world.hooks.deliveries]


def test_held_shuffled_and_doubled(world: World, app: App, receiver: Receiver) -> None:
    world.set_webhook(app, receiver.url)
    world.hooks.pause()
    opened(world)
    for number in range(6):
        world.comment(SHOP, 1, f"comment {number}", by="mona")
    assert world.hooks.wait()
    assert receiver.got == []
    sent = [one.guid for one in world.hooks.deliveries]
    assert world.hooks.flush(shuffle=7, copies=2) == 2 * len(sent)
    assert world.hooks.wait()
    assert sorted(receiver.guids()) == sorted(sent * 2)
    assert receiver.guids() != [guid for guid in sent for _ in range(2)]
    world.comment(SHOP, 1, "at once again", by="mona")
    assert world.hooks.wait()
    assert receiver.events()[-1] == ("issue_comment", "created")


def test_lost(world: World, app: App, receiver: Receiver) -> None:
    opened(world)
    world.set_webhook(app, receiver.url)
    world.hooks.drop(1)
    world.comment(SHOP, 1, "lost", by="mona")
    world.comment(SHOP, 1, "found", by="mona")
    assert world.hooks.wait()
    assert [json.loads(body)["comment"]["body"] for _, body in receiver.got] == ["found"]
    assert [one.status for one in world.hooks.deliveries[-2:]] == [None, 202]


def test_ping(world: World, app: App, receiver: Receiver) -> None:
    world.set_webhook(app, receiver.url, ping=True)
    assert world.hooks.wait()
    headers, body = receiver.got[0]
    assert (headers["x-github-event"], json.loads(body)["hook"]["app_id"]) == ("ping", app.id)


def test_deliveries_over_the_api(peer: Peer) -> None:
    """The App lists its deliveries, newest first, and asks for one again."""
    peer.feature()
    peer.world.comment(SHOP, 1, "hello", by="mona")
    listed = peer.ask("GET", "/app/hook/deliveries?per_page=1", peer.jwt())
    (newest,) = listed.json()
    assert (newest["event"], newest["action"], newest["redelivery"]) == ("issue_comment", "created", False)
    following = listed.headers["Link"].partition(">")[0].removeprefix("<").removeprefix(peer.server.base_url)
    assert peer.ask("GET", following, peer.jwt()).json()[0]["id"] < newest["id"]
    whole = peer.ask("GET", f"/app/hook/deliveries/{newest['id']}", peer.jwt()).json()
    assert whole["request"]["payload"]["comment"]["body"] == "hello"
    assert peer.ask("POST", f"/app/hook/deliveries/{newest['id']}/attempts", peer.jwt()).status_code == 202
    again = peer.world.hooks.deliveries[-1]
    assert (again.guid, again.redelivery) == (newest["guid"], True)


def test_secret_is_in_no_delivery(world: World, app: App) -> None:
    world.set_webhook(app, None, ping=True)
    opened(world)
    for one in world.hooks.deliveries:
        assert app.webhook_secret.encode() not in one.body
        assert b"PRIVATE KEY" not in one.body
