"""A question has limits of time and size, follows nobody, and keeps its credentials to itself."""

from __future__ import annotations

import datetime as dt
import gzip
import logging
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.adapters.gates.asking import Asker, Told
from bot.adapters.gates.hosts import Outside, Unasked
from tests.adapters.gates.standin import (
    Behaviour,
    StandIn,
    answer,
    drip,
    outside,
    raw,
    reset,
    resolver,
    silence,
)

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "prom-tok3n-that-nobody-sees"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: "


def ask(settings: Outside, path: str = "", query: dict[str, str] | None = None) -> Told:
    return Asker(settings, resolve=resolver(slo_internal="127.0.0.1")).ask(settings.endpoints[0], path, query)


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        pytest.param(silence, "did not answer within 0.3 s", id="says nothing"),
        pytest.param(drip, "did not finish its answer within 0.8 s", id="never finishes"),
        pytest.param(reset, "broke off", id="resets the connection"),
        pytest.param(raw(b""), "broke off", id="closes at once"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "does not speak HTTP", id="another protocol"),
        pytest.param(raw(GOOD + b"100\r\n\r\n{}"), "broke off", id="shorter than announced"),
        pytest.param(
            raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000), "does not speak HTTP", id="a huge head"
        ),
        pytest.param(answer(b" " * 5000), "larger than 1000 bytes", id="large"),
        pytest.param(answer(b""), "no JSON", id="empty"),
        pytest.param(answer(b"<html>"), "no JSON", id="a page"),
        pytest.param(answer(b"[" * 900), "no JSON", id="deep"),
        pytest.param(answer(b"1" * 900 + b"x"), "no JSON", id="digits"),
        pytest.param(answer(b'{"value": NaN}'), "no JSON", id="NaN is no JSON"),
        pytest.param(answer('{"a": 1}'.encode("utf-16")), "no JSON", id="UTF-16"),
        pytest.param(answer(b"\xff\xfe"), "no JSON", id="no text"),
        pytest.param(answer(gzip.compress(b"{}"), Content_Encoding="gzip"), "compressed", id="compressed"),
    ],
)
def test_no_usable_answer(behaviour: Behaviour, says: str) -> None:
    with StandIn(behaviour) as server:
        settings = outside("http", server.url(), timeout=0.3, longest=0.8, largest=1000)
        began = time.monotonic()
        with pytest.raises(Unasked, match=says):
            ask(settings)
        assert time.monotonic() - began < 3
        assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_no_redirection_is_followed(status: int) -> None:
    with (
        StandIn() as goal,
        StandIn(answer({}, status, Location=goal.url("/latest/meta-data"))) as server,
        pytest.raises(Unasked, match="redirection"),
    ):
        ask(outside("http", server.url()))
    assert goal.connections == 0


def test_nothing_listens() -> None:
    with StandIn() as server:
        url = server.url()
    with pytest.raises(Unasked, match="`main` cannot be reached"):
        ask(outside("http", url))


def test_proxies_and_credentials_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("default login mona password secret\n")
    with StandIn() as proxy, StandIn(answer({"a": 1})) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("HOME", str(tmp_path))
        assert ask(outside("http", server.url())) == Told(200, {"a": 1})
        assert proxy.connections == 0
        assert "authorization" not in server.heads[0].lower()


def test_what_is_sent() -> None:
    with StandIn(answer({})) as server:
        settings = outside("http", server.url("/base?tenant=a"), token=TOKEN)
        ask(settings, "/api/v1/query", {"query": 'a{b="ü"}'})
        (head,) = server.heads
    lines = head.split("\r\n")
    assert lines[0] == "GET /base/api/v1/query?tenant=a&query=a%7Bb%3D%22%C3%BC%22%7D HTTP/1.1"
    assert sorted(lines[1:]) == [
        "Accept-Encoding: identity",
        "Accept: application/json",
        f"Authorization: Bearer {TOKEN}",
        "Connection: close",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: canary-bot",
    ]


def test_a_long_query_is_a_form() -> None:
    with StandIn(answer({})) as server:
        ask(outside("http", server.url()), "/api/v1/query", {"query": "a" * 5000})
        assert server.heads[0].startswith("POST /api/v1/query HTTP/1.1")
        assert server.bodies == ["query=" + "a" * 5000]


def test_an_error_is_an_answer() -> None:
    with StandIn(answer({"error": "x"}, 422), answer(b"<html>", 502)) as server:
        settings = outside("http", server.url())
        assert ask(settings) == Told(422, {"error": "x"})
        assert ask(settings) == Told(502, None)


class TestCredentials:
    def test_a_token_file_is_read_for_each_question(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        with StandIn(answer({})) as server:
            settings = outside("http", server.url(), token_file=file)
            for token in ("first-token", "second-token"):
                file.write_text(token + "\n")
                ask(settings)
                assert f"Authorization: Bearer {token}\r\n" in server.heads[-1] + "\r\n"

    @pytest.mark.parametrize("content", ["", "two words", "line\nbreak", "\x00", "tökén"])
    def test_a_token_that_is_none_is_not_sent(self, content: str, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text(content)
        with StandIn() as server:
            with pytest.raises(Unasked, match="token of `main`"):
                ask(outside("http", server.url(), token_file=file))
            assert server.connections == 0

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(Unasked, match="cannot be read"):
            ask(outside("http", "http://127.0.0.1:1/", token_file=tmp_path / "absent"))

    @pytest.mark.parametrize(
        "behaviour",
        [answer({"error": TOKEN}, 500), silence, reset, raw(TOKEN.encode()), answer({}, 302, Location=TOKEN)],
        ids=["echoed", "silence", "reset", "rubbish", "redirected"],
    )
    def test_no_token_in_logs_or_errors(self, behaviour: Behaviour, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with StandIn(behaviour) as server:
            settings = outside("http", server.url(), token=TOKEN, timeout=0.3)
            asker = Asker(settings)
            hidden = True
            try:
                said = asker.said(asker.ask(settings.endpoints[0]).data)
            except Unasked as failure:
                said = failure.reason
                # A traceback would show the request, and with it the token.
                hidden = failure.__cause__ is None and (
                    failure.__suppress_context__ or failure.__context__ is None
                )
            assert hidden
        # The rubbish itself is somebody else's header, which httpcore's debug log shows as it came.
        logged = "\n".join(r.getMessage() for r in caplog.records if "Location" not in r.getMessage())
        assert TOKEN not in said
        assert TOKEN not in logged
        assert TOKEN not in repr(settings)


def authority(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate of its own making for a host, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca, both = folder / "ca.pem", folder / "both.pem"
    pem = certificate.public_bytes(Encoding.PEM)
    ca.write_bytes(pem)
    both.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return ca, context


class TestCertificates:
    """The address is pinned; the certificate is still for the name."""

    def test_trusted(self, tmp_path: Path) -> None:
        ca, context = authority(tmp_path, "slo.internal")
        with StandIn(answer({"a": 1}), context=context) as server:
            url = server.url(scheme="https", host="slo.internal")
            assert ask(outside("http", url, ca_file=ca, token=TOKEN)).data == {"a": 1}

    def test_slow_over_tls_ends_too(self, tmp_path: Path) -> None:
        ca, context = authority(tmp_path, "slo.internal")
        with StandIn(drip, context=context) as server:
            url = server.url(scheme="https", host="slo.internal")
            with pytest.raises(Unasked, match="did not finish its answer within"):
                ask(outside("http", url, ca_file=ca, timeout=0.3, longest=0.5))

    @pytest.mark.parametrize(("name", "given"), [("slo.internal", False), ("other.internal", True)])
    def test_not_trusted(self, name: str, *, given: bool, tmp_path: Path) -> None:
        ca, context = authority(tmp_path, name)
        with StandIn(answer({}), context=context) as server:
            url = server.url(scheme="https", host="slo.internal")
            with pytest.raises(Unasked, match="certificate of `main` is not to be trusted"):
                ask(outside("http", url, ca_file=ca if given else None, token=TOKEN))
            assert server.heads == []

    def test_no_authorities(self, tmp_path: Path) -> None:
        with pytest.raises(Unasked, match="authorities"):
            ask(outside("http", "https://slo.internal/", ca_file=tmp_path / "absent"))


def test_an_endpoint_shows_no_token() -> None:
    settings: Any = outside("http", "https://slo.internal/", token=TOKEN)
    assert TOKEN not in f"{settings!r}{settings.endpoints!s}"
