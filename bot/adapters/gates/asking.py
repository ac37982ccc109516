"""One question over HTTP, to an endpoint of the operator's, under limits.

No redirections, no proxies or credentials from the environment, certificates are verified, the answer is capped and
must be JSON. A question has an end as a whole: a server that sends a byte now and then meets every read's time-out.
Each question resolves anew and uses a connection of its own, so an address is never older than its check.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode

import httpx

from bot.adapters.gates.hosts import (
    Address,
    Endpoint,
    Kind,
    Outside,
    Resolve,
    Unasked,
    pinned,
    system_resolver,
)
from bot.adapters.github.redaction import Redactor
from bot.core.gates import shown
from bot.core.text import code

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path

_LONGEST_GET = 4000  # characters of a query string; proxies begin to refuse above
_TOKEN = re.compile(r"[!-~]{1,16384}", re.ASCII)
_MOST_ADDRESSES = 3


@dataclass(frozen=True, slots=True)
class Told:
    """What was answered: status 200 to 299, or 400 and more. ``data`` is JSON of any kind, ``None`` if it is none."""

    status: int
    data: Any

    @property
    def good(self) -> bool:
        """Whether the question was answered, and not refused."""
        return self.status < HTTPStatus.BAD_REQUEST


class Asker:
    """Asks endpoints. Safe to share between threads.

    Args:
        outside: The operator's settings.
        resolve: Gives the addresses of (host, port); the system's resolver unless a test says otherwise.
        transport: Carries requests instead of the network, for tests; addresses are checked all the same.
        redact: Learns every token, and takes it out of texts.
    """

    def __init__(
        self,
        outside: Outside,
        *,
        resolve: Resolve | None = None,
        transport: httpx.BaseTransport | None = None,
        redact: Redactor | None = None,
    ) -> None:
        self.outside = outside
        self._resolve = resolve or system_resolver(outside.timeout)
        self._transport = transport
        self._redact = redact or Redactor()
        self._contexts: dict[Path | None, ssl.SSLContext] = {}
        for endpoint in outside.endpoints:
            self._redact.learn(endpoint.token)

    def endpoint(self, kind: Kind, name: str) -> Endpoint:
        """Give an endpoint by name; raises ``Unasked``."""
        return self.outside.endpoint(kind, name)

    def said(self, text: object, *, longest: int = 200) -> str:
        """Give somebody else's words as a code span on one line, without tokens."""
        return code(self._redact(" ".join(str(text)[:10_000].split())), longest=longest)

    def ask(self, endpoint: Endpoint, path: str = "", query: Mapping[str, str] | None = None) -> Told:
        """Ask, and give the answer.

        Args:
            endpoint: What to ask.
            path: Put behind the endpoint's own path; begins with a slash, and is quoted.
            query: The query; one that is too long for a URL is sent as a form.

        Raises:
            Unasked: There is no usable answer; ``Forbidden`` when nothing was sent for a reason.
        """
        address, allowed = self.outside.where(endpoint)
        token = self._token(endpoint)
        addresses = pinned(address, allowed, self._resolve)
        cut = _Cut(self.outside.longest)
        try:
            return self._first(endpoint, address, addresses, path, urlencode(query or {}), token, cut)
        finally:
            cut.over()

    def _first(  # noqa: PLR0917 - one question in its parts
        self,
        endpoint: Endpoint,
        address: Address,
        addresses: tuple[str, ...],
        path: str,
        query: str,
        token: str,
        cut: _Cut,
    ) -> Told:
        base, _, own = address.rest.partition("?")
        joined = "&".join(part for part in (own, query) if part)
        long = len(joined) > _LONGEST_GET and not own
        target = (base.rstrip("/") + path) if path else (base or "/")
        if joined and not long:
            target += f"?{joined}"
        headers = {
            "Host": address.authority,
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # a compressed answer has two sizes
            "Connection": "close",
            "User-Agent": "canary-bot",
        }
        if long:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        name = code(endpoint.name)
        with httpx.Client(
            transport=self._transport or self._over(endpoint, address),
            timeout=self.outside.timeout,
            follow_redirects=False,
            trust_env=False,
        ) as client:
            last = f"{name} cannot be reached."
            for one in addresses[:_MOST_ADDRESSES]:
                url = httpx.URL(
                    scheme=address.scheme,
                    host=one,
                    port=address.port,
                    raw_path=target.encode("ascii"),
                )
                # The address is dialled; the certificate is still checked for the name.
                request = httpx.Request(
                    "POST" if long else "GET",
                    url,
                    headers=headers,
                    content=joined.encode() if long else None,
                    extensions={
                        "sni_hostname": address.name,
                        "trace": cut.trace,
                        "timeout": httpx.Timeout(self.outside.timeout).as_dict(),
                    },
                )
                try:
                    return self._once(client, request, name)
                except (httpx.ConnectError, httpx.ConnectTimeout) as failure:
                    last = self._words(failure, name, cut)
                except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as failure:
                    raise Unasked(self._words(failure, name, cut)) from None
                if cut.late:
                    break
            raise Unasked(last)

    def _once(self, client: httpx.Client, request: httpx.Request, name: str) -> Told:
        response = client.send(request, stream=True)
        try:
            if HTTPStatus.MULTIPLE_CHOICES <= response.status_code < HTTPStatus.BAD_REQUEST:
                raise Unasked(f"{name} answers with a redirection, and none is followed.")
            if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
                raise Unasked(f"{name} sends a compressed answer that nobody asked for.")
            body = b""
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > self.outside.largest:
                    raise Unasked(f"The answer of {name} is larger than {self.outside.largest} bytes.")
        finally:
            response.close()
        data = _json(body)
        if data is None and response.status_code < HTTPStatus.BAD_REQUEST:
            raise Unasked(f"{name} answers, but no JSON.")
        return Told(response.status_code, data)

    def _words(self, failure: Exception, name: str, cut: _Cut) -> str:
        if cut.late:
            return f"{name} did not finish its answer within {shown(self.outside.longest)} s."
        if isinstance(failure, httpx.TimeoutException):
            return f"{name} did not answer within {shown(self.outside.timeout)} s."
        if isinstance(failure, httpx.ConnectError):
            if "CERTIFICATE_VERIFY_FAILED" in str(failure):
                return f"The certificate of {name} is not to be trusted."
            return f"{name} cannot be reached."
        return f"{name} broke off, or does not speak HTTP ({type(failure).__name__})."

    def _token(self, endpoint: Endpoint) -> str:
        token = endpoint.token
        if endpoint.token_file is not None:
            try:
                token = endpoint.token_file.read_text("ascii").strip()
            except (OSError, UnicodeError):
                raise Unasked(f"The token of {code(endpoint.name)} cannot be read.") from None
        if (token or endpoint.token_file) and _TOKEN.fullmatch(token) is None:
            raise Unasked(f"The token of {code(endpoint.name)} has characters that no token has.")
        self._redact.learn(token)
        return token

    def _over(self, endpoint: Endpoint, address: Address) -> httpx.HTTPTransport:
        # Without TLS there is nothing to verify, and reading the authorities takes longer than asking.
        verify = self._context(endpoint) if address.scheme == "https" else False
        return httpx.HTTPTransport(verify=verify, trust_env=False)

    def _context(self, endpoint: Endpoint) -> ssl.SSLContext:
        context = self._contexts.get(endpoint.ca_file)
        if context is None:
            try:
                context = (
                    ssl.create_default_context(cafile=str(endpoint.ca_file))
                    if endpoint.ca_file
                    else httpx.create_ssl_context(trust_env=False)
                )
            except OSError:  # also ssl.SSLError
                raise Unasked(f"The authorities of {code(endpoint.name)} cannot be read.") from None
            self._contexts[endpoint.ca_file] = context
        return context


class _Cut:
    """Ends a question that takes too long, by shutting down its connection from another thread."""

    def __init__(self, seconds: float) -> None:
        self.late = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Hear what httpcore does (its ``trace`` extension), and keep the connection within reach."""
        if event != "connection.connect_tcp.complete":
            return
        # A duplicate: TLS takes the first one over, and shutting down reaches both.
        duplicate = info["return_value"].get_extra_info("socket").dup()
        with self._lock:
            self._sockets.append(duplicate)
            if self.late:
                _shut(duplicate)

    def over(self) -> None:
        """Let go."""
        self._timer.cancel()
        with self._lock:
            for one in self._sockets:
                one.close()
            self._sockets.clear()

    def _end(self) -> None:
        with self._lock:
            self.late = True
            for one in self._sockets:
                _shut(one)


def _shut(one: socket.socket) -> None:
    try:
        one.shutdown(2)  # SHUT_RDWR
    except OSError:
        return  # gone already


def _json(body: bytes) -> Any:
    def refuse(_word: str) -> NoReturn:
        raise ValueError

    try:
        return json.loads(body.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
