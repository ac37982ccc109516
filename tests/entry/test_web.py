"""The webhook's door: what is let in, what is answered, and what is kept."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import events
from bot.core.problems import OutsideFailure
from bot.entry.web import LARGEST, Limits, create_app, signature
from tests.entry.door import NOON, OLD_SECRET, SECRET, Door, Inbox, StandingClock, comment_body, headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


@pytest.fixture
def door() -> Door:
    return Door(Inbox())


class TestStored:
    """A signed, relevant delivery is answered with 202 after it was stored."""

    def test_as_it_came(self, door: Door) -> None:
        body = comment_body()
        answer = door.post(body, guid=GUID.upper())
        assert (answer.status_code, answer.text) == (202, "Stored.\n")
        [delivery] = door.inbox.stored
        assert (delivery.guid, delivery.event, delivery.body) == (GUID, "issue_comment", body)
        assert delivery.received_at == NOON

    @pytest.mark.parametrize("event", sorted(events.USED))
    def test_every_event_in_use(self, door: Door, event: str) -> None:
        assert door.post(b"{}", event=event).status_code == 202
        assert [d.event for d in door.inbox.stored] == [event]

    @pytest.mark.parametrize("event", ["ping", "push", "star", "issues", "workflow_run"])
    def test_other_events_are_thanked_for_and_dropped(self, door: Door, event: str) -> None:
        answer = door.post(b'{"zen": "Keep it logically awesome."}', event=event)
        assert (answer.status_code, answer.text) == (202, "Not used.\n")
        assert door.inbox.stored == []

    def test_large_payloads_of_other_events_are_verified_and_dropped(self, door: Door) -> None:
        body = b"[" * (3 * events.LARGEST)
        assert door.post(body, event="push").status_code == 202
        assert door.post(body, event="push", secret=b"other").status_code == 401
        assert door.inbox.stored == []

    @pytest.mark.parametrize(
        "media", ["application/json; charset=utf-8", "application/JSON", "application/json ;x=y"]
    )
    def test_spellings_of_the_content_type(self, door: Door, media: str) -> None:
        assert door.post(comment_body(), content_type=media).status_code == 202

    def test_nul_and_surrogates(self, door: Door) -> None:
        """Row 61: 202; they are inert."""
        for text in ("/canary 25\0", "\ud800"):
            assert door.post(comment_body(text)).status_code == 202
        assert len(door.inbox.stored) == 2


REFUSED = [
    pytest.param({"x_hub_signature_256": None}, 401, id="row 54: unsigned"),
    pytest.param({"x_hub_signature_256": b"sha256=\xe9" + b"0" * 63}, 401, id="row 55: byte 0xE9"),
    pytest.param({"x_hub_signature_256": ""}, 401, id="empty signature"),
    pytest.param({"x_hub_signature_256": "sha256="}, 401, id="no digits"),
    pytest.param({"x_hub_signature_256": "sha256=" + "0" * 64}, 401, id="wrong signature"),
    pytest.param({"x_hub_signature_256": "sha1=" + "0" * 40}, 401, id="old algorithm"),
    pytest.param({"secret": b"another secret"}, 401, id="another secret"),
    pytest.param(
        {"content_type": "application/x-www-form-urlencoded"}, 415, id="row 56: form-encoded payload"
    ),
    pytest.param({"content_type": None}, 415, id="no content type"),
    pytest.param({"content_type": "multipart/form-data; boundary=x"}, 415, id="multipart"),
    pytest.param({"content_type": "application/jsonp"}, 415, id="nearly JSON"),
    pytest.param({"content_encoding": "gzip"}, 415, id="compressed"),
    pytest.param({"content_length": "9" * 4000}, 413, id="a length of 4,000 digits"),
    pytest.param({"x_github_delivery": None}, 400, id="no GUID"),
    pytest.param({"x_github_delivery": "../../etc/passwd"}, 400, id="no GUID but a path"),
    pytest.param({"x_github_delivery": GUID + "\u00e9"}, 400, id="GUID with more behind it"),
    pytest.param({"x_github_event": None}, 400, id="no event"),
    pytest.param({"x_github_event": "Issue Comment"}, 400, id="not an event's name"),
]


class TestRefused:
    """Unsigned, broken and hostile requests get a clear 4xx, and nothing is stored."""

    @pytest.mark.parametrize(("more", "status"), REFUSED)
    def test_by_its_headers(self, door: Door, more: dict[str, Any], status: int) -> None:
        answer = door.post(comment_body(), **more)
        assert answer.status_code == status
        assert answer.text.endswith(".\n")
        assert door.inbox.stored == []

    def test_every_failed_signature_has_the_same_answer(self, door: Door) -> None:
        bad = [None, "", b"\xe9", "sha256=" + "0" * 64, "sha1=x", "x" * 5000]
        answers = [door.post(comment_body(), x_hub_signature_256=value) for value in bad]
        assert {(a.status_code, a.text, tuple(a.headers.items())) for a in answers} == {
            (401, answers[0].text, tuple(answers[0].headers.items()))
        }

    def test_two_signatures(self, door: Door) -> None:
        body = comment_body()
        head = [*headers(body), (b"x-hub-signature-256", b"sha256=" + b"0" * 64)]
        assert door.request("POST", "/webhook", body, head).status_code == 401

    def test_a_signature_of_another_body(self, door: Door) -> None:
        body = comment_body("/canary 25")
        assert door.request("POST", "/webhook", comment_body("/canary 100"), headers(body)).status_code == 401
        assert door.inbox.stored == []

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"[" * 100_000, id="row 58: 100,000 arrays"),
            pytest.param(b'{"a":' * 100_000, id="100,000 objects"),
            pytest.param(b'{"a": ' + b"9" * 5000 + b"}", id="a number of 5,000 digits"),
            pytest.param(b"", id="nothing"),
            pytest.param(b"\xff\xfe{}", id="not UTF-8"),
            pytest.param(b"payload=%7B%7D", id="a form under a false name"),
            pytest.param(b"[]", id="no object"),
        ],
    )
    def test_by_a_signed_body(self, door: Door, body: bytes) -> None:
        answer = door.post(body)
        assert answer.status_code == 400
        assert answer.text.startswith("Not read: ")
        assert door.inbox.stored == []

    @pytest.mark.parametrize(
        ("event", "size"),
        [
            pytest.param("push", LARGEST + 1, id="row 57: 26 MiB and a byte"),
            pytest.param("issue_comment", events.LARGEST + 1, id="1 MB and a byte of an event in use"),
        ],
    )
    def test_by_its_size(self, door: Door, event: str, size: int) -> None:
        body = b" " * size
        assert door.post(body, event=event).status_code == 413
        assert door.post(body, event=event, content_length="17").status_code == 413

    def test_by_its_size_without_a_length(self, door: Door) -> None:
        """Row 57: endless chunks. The reader stops soon behind the limit."""
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 100_000
                yield b" " * 100_000

        assert door.request("POST", "/webhook", endless(), headers(b"")).status_code == 413
        assert sent < 2 * events.LARGEST

    def test_by_its_slowness(self) -> None:
        door = Door(Inbox(), limits=Limits(body_seconds=0.05))

        async def slow() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

        assert door.request("POST", "/webhook", slow(), headers(b"")).status_code == 408

    def test_other_methods_and_pages(self, door: Door) -> None:
        assert door.request("GET", "/webhook").status_code == 405
        for path in (
            "/",
            "/docs",
            "/redoc",
            "/openapi.json",
            "/webhook/",
            "/metrics",
            "/status",
            "//webhook",
        ):
            assert door.request("GET", path).status_code == 404, path
            assert door.request("POST", path, b"{}", headers(b"{}")).status_code == 404, path
        assert door.inbox.stored == []

    def test_the_host_that_is_asked_for_decides_nothing(self, door: Door) -> None:
        assert door.post(comment_body(), host="attacker.invalid/healthz?").status_code == 202


class TestSignature:
    """Only the exact HMAC-SHA256 of the raw bytes is accepted."""

    def test_example_of_githubs_documentation(self) -> None:
        secret, body = b"It's a Secret to Everybody", b"Hello, World!"
        expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        assert signature(secret, body) == expected
        door = Door(Inbox(), secrets=(secret,))
        # Verified, and then refused for not being JSON: the order that is wanted.
        assert door.post(body, x_hub_signature_256=expected, secret=b"-").status_code == 400

    @given(
        body=st.binary(max_size=64),
        shown=st.one_of(
            st.text("0123456789abcdefABCDEF", max_size=66).map(lambda text: b"sha256=" + text.encode()),
            st.binary(max_size=80).filter(lambda value: not set(value) & set(b"\0\r\n")),
        ),
    )
    def test_nothing_else_is_accepted(self, body: bytes, shown: bytes) -> None:
        door = Door(Inbox())
        exact = b"sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest().encode()
        assert door.post(body, x_hub_signature_256=shown).status_code == (401 if shown != exact else 202)
        assert door.post(body, x_hub_signature_256=exact).status_code in {202, 400}
        assert door.post(body, x_hub_signature_256=exact.upper()).status_code == 401

    @given(body=st.binary(min_size=1, max_size=64), place=st.integers(0, 63), flip=st.integers(1, 255))
    def test_one_changed_byte(self, body: bytes, place: int, flip: int) -> None:
        place %= len(body)
        changed = body[:place] + bytes([body[place] ^ flip]) + body[place + 1 :]
        assert Door(Inbox()).request("POST", "/webhook", changed, headers(body)).status_code == 401

    def test_two_secrets_while_one_replaces_the_other(self) -> None:
        door = Door(Inbox(), secrets=(SECRET, OLD_SECRET))
        assert door.post(comment_body(), secret=SECRET).status_code == 202
        assert door.post(comment_body(), secret=OLD_SECRET).status_code == 202
        assert door.post(comment_body(), secret=b"a third one").status_code == 401

    @pytest.mark.parametrize("secrets", [(), (b"",), (SECRET, b"")])
    def test_no_door_without_a_lock(self, secrets: tuple[bytes, ...]) -> None:
        with pytest.raises(ValueError, match="secret"):
            create_app(Inbox(), secrets=secrets, clock=StandingClock())


class TestNotStored:
    """What could not be stored is answered with 503, so that GitHub records a failure."""

    @pytest.mark.parametrize("failure", [OutsideFailure("disk full"), ValueError("a bug"), MemoryError()])
    def test_503(self, door: Door, failure: Exception) -> None:
        door.inbox.failure = failure
        assert door.post(comment_body()).status_code == 503

    def test_503_when_it_takes_too_long(self) -> None:
        inbox = Inbox()
        inbox.stuck = threading.Event()
        door = Door(inbox, limits=Limits(store_seconds=0.05))
        try:
            assert door.post(comment_body()).status_code == 503
        finally:
            inbox.stuck.set()

    def test_what_needs_no_store_needs_no_store(self, door: Door) -> None:
        door.inbox.failure = OutsideFailure("disk full")
        assert door.post(b"{}", event="ping").status_code == 202


class TestHealth:
    """``/healthz`` says in two words whether a delivery could be stored now."""

    @pytest.mark.parametrize(
        ("failure", "expected"),
        [
            (None, (200, "ok\n")),
            (OutsideFailure("x"), (503, "not ok\n")),
            (RuntimeError(), (503, "not ok\n")),
        ],
    )
    def test_bare_answer(self, door: Door, failure: Exception | None, expected: tuple[int, str]) -> None:
        door.inbox.failure = failure
        answer: httpx.Response = door.request("GET", "/healthz")
        assert (answer.status_code, answer.text) == expected
