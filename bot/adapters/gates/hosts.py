"""Which addresses the bot connects to when a gate asks: those of the operator's list, and no others.

A repository only picks names; hosts stand in the operator's settings. A host is resolved once, every address that
comes back is checked, and the checked address is the one that is dialled. A URL is read by rules that know one
spelling for each host: what resolvers read as an address and ``ipaddress`` does not (``127.1``, ``0x7f000001``,
``2130706433``) is no host here.

Sources: ``reference/reliability.md`` T22; IANA, special-purpose address registries for IPv4 and IPv6; RFC 6052
(NAT64), RFC 3056 (6to4), RFC 4380 (Teredo); the metadata addresses that AWS, Azure, Google Cloud, Oracle Cloud and
Alibaba Cloud document.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path  # noqa: TC003 - a dataclass's field
from typing import Literal

from bot.core.text import code

Resolve = Callable[[str, int], Sequence[str]]
Kind = Literal["prometheus", "http", "kubernetes"]
_PORTS = {"http": 80, "https": 443}

_URL = re.compile(
    r"(https?)://"
    r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?)"
    r"(?::([1-9][0-9]{0,4}))?"
    r"((?:/[!$%&'()*+,\-./0-9:;=@A-Z_a-z{}~]*)?(?:\?[!$%&'()*+,\-./0-9:;=?@A-Z_a-z{}~]*)?)",
    re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

# Never, whatever the operator allows: metadata of clouds, one's own network segment, many receivers at once, and
# IPv6 addresses that carry an IPv4 address to somewhere else.
_NEVER = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/32",
            "2002::/16",
            "fd00:ec2::254/128",
            "fd20:ce::254/128",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")


class Unasked(Exception):  # noqa: N818 - an answer: inconclusive
    """There is no usable answer; ``reason`` is a sentence of Markdown without any credential."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Forbidden(Unasked):
    """The address is none that the bot connects to; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """One host of the operator's list, as it stands in a URL: small letters, IPv6 in brackets.

    ``port`` restricts it to one. ``internal`` lets this very host have addresses that are loopback or private.
    """

    host: str
    port: int | None = None
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Something to ask, which repositories name by ``name``.

    ``url`` is where it is; for ``http`` it may hold ``{service}`` and the like in path and query. ``token`` goes
    into the ``Authorization`` header; ``token_file`` holds one and is read for each question, because a cluster
    renews it. ``ca_file`` holds the only authorities that are trusted here, PEM.
    """

    kind: Kind
    name: str
    url: str
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Outside:
    """What the operator lets the bot ask.

    ``timeout`` is for connecting and for each read, ``longest`` for a whole question, both in seconds;
    ``largest`` is the most that an answer may have, in bytes.
    """

    endpoints: tuple[Endpoint, ...] = ()
    hosts: tuple[Allowed, ...] = ()
    timeout: float = 5.0
    longest: float = 10.0
    largest: int = 1024 * 1024

    def faults(self) -> tuple[str, ...]:
        """Say in sentences what is wrong with these settings; a reason not to start."""
        found: list[str] = []
        for endpoint in self.endpoints:
            try:
                self.where(endpoint)
            except Unasked as fault:
                found.append(fault.reason)
        names = [(endpoint.kind, endpoint.name) for endpoint in self.endpoints]
        twice = sorted({name for name in names if names.count(name) > 1})
        return (*found, *(f"Two {kind} endpoints have the name {code(name)}." for kind, name in twice))

    def endpoint(self, kind: Kind, name: str) -> Endpoint:
        """Give an endpoint by the name that a repository uses; without a name the only one of its kind.

        Raises:
            Unasked: There is none of that kind and name.
        """
        of_kind = [endpoint for endpoint in self.endpoints if endpoint.kind == kind]
        if not of_kind:
            raise Unasked(f"The operator of the bot has named no {kind} endpoint.")
        if not name and len(of_kind) == 1:
            return of_kind[0]
        for endpoint in self.endpoints:
            if (endpoint.kind, endpoint.name) == (kind, name):
                return endpoint
        known = ", ".join(code(e.name) for e in of_kind)
        if not name:
            raise Unasked(f"The gate does not say which {kind} endpoint it asks (known: {known}).")
        raise Unasked(f"The operator of the bot has named no {kind} endpoint {code(name)} (known: {known}).")

    def where(self, endpoint: Endpoint) -> tuple[Address, Allowed]:
        """Give the address of an endpoint, and the row of the list that allows it.

        Raises:
            Forbidden: The URL is not one, its host is not on the list, or a token would be sent in the open.
        """
        address = read_url(endpoint.url, endpoint.name)
        allowed = [a for a in self.hosts if a.host == address.host and a.port in {None, address.port}]
        if not allowed:
            raise Forbidden(
                f"The host of endpoint {code(endpoint.name)} is not on the operator's list of hosts."
            )
        best = max(allowed, key=lambda one: one.internal)
        if address.scheme == "http" and (endpoint.token or endpoint.token_file) and not best.internal:
            raise Forbidden(f"Endpoint {code(endpoint.name)} has a token, which is only sent over `https`.")
        return address, best


@dataclass(frozen=True, slots=True)
class Address:
    """A URL in its parts. ``host`` is as in the URL; ``rest`` is path and query, or empty."""

    scheme: str
    host: str
    port: int
    rest: str

    @property
    def name(self) -> str:
        """The host without brackets: what is resolved, and what a certificate must be for."""
        return self.host.strip("[]")

    @property
    def authority(self) -> str:
        """The value of the ``Host`` header."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"


def read_url(url: str, name: str) -> Address:
    """Read a URL of the operator's.

    Small letters in the host; no user, no fragment, no back-slash; a number is an address in its one spelling.
    ``name`` is the endpoint's: the words of a refusal do not repeat the URL.

    Raises:
        Forbidden: It is no such URL.
    """
    found = _URL.fullmatch(url) if len(url) <= 2000 else None  # noqa: PLR2004 - as a query
    port = int(found[3] or _PORTS[found[1]]) if found is not None else 0
    if found is None or not 0 < port <= 65535 or not _one_spelling(found[2]):  # noqa: PLR2004
        raise Forbidden(
            f"The URL of endpoint {code(name)} is not plain `https://host:port/path`, in small letters, without "
            "a user, and with an address only in its usual spelling."
        )
    return Address(found[1], found[2], port, found[4])


def check(address: str, *, internal: bool) -> str:
    """Give an address as it is to be dialled, if it may be.

    Args:
        address: What the resolver gave.
        internal: Whether the operator lets this host be loopback or private.

    Raises:
        Forbidden: It may not; link-local, metadata and multicast addresses never may.
    """
    try:
        plain = ip_address(address)
    except ValueError:
        raise Forbidden(f"The resolver gave {code(address)}, which is no address.") from None
    if isinstance(plain, IPv6Address):
        if plain.scope_id:
            raise Forbidden("The host has an address that belongs to one network interface.")
        plain = plain.ipv4_mapped or plain
    judged: IPv4Address | IPv6Address = plain
    if isinstance(plain, IPv6Address) and plain in _NAT64:
        judged = IPv4Address(int(plain) & 0xFFFF_FFFF)
    never = any(judged in net for net in _NEVER if net.version == judged.version)
    if never or (judged.version == 6 and judged in _COMPATIBLE and not judged.is_loopback):  # noqa: PLR2004
        raise Forbidden(
            "The host has an address that the bot never connects to (link-local, metadata or such)."
        )
    if not judged.is_global and not internal:
        raise Forbidden(
            "The host has a loopback or private address, and the operator has not allowed that for it."
        )
    return str(plain)


def pinned(address: Address, allowed: Allowed, resolve: Resolve) -> tuple[str, ...]:
    """Resolve a host, once, and give the addresses to dial.

    One address that is forbidden forbids all: a name that points inside and outside is no mistake to choose from.

    Raises:
        Forbidden: An address may not be dialled.
        Unasked: The host has no address.
    """
    try:
        literal = address.host.startswith("[") or _NUMBER.fullmatch(address.host.rpartition(".")[2])
        found = (address.name,) if literal else resolve(address.name, address.port)
    except (OSError, UnicodeError):
        found = ()
    if not found:
        raise Unasked("The host has no address: its name cannot be resolved now.")
    return tuple(dict.fromkeys(check(one, internal=allowed.internal) for one in found))


def system_resolver(timeout: float) -> Resolve:
    """Give the system's resolver, which by itself may take as long as it likes, with an end in seconds."""

    def resolve(host: str, port: int) -> Sequence[str]:
        found: list[str] = []

        def look() -> None:
            try:
                found.extend(
                    str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                )
            except (OSError, UnicodeError):
                return

        thread = threading.Thread(target=look, name="gate-resolver", daemon=True)
        thread.start()
        thread.join(timeout)
        return () if thread.is_alive() else tuple(found)

    return resolve


def _one_spelling(host: str) -> bool:
    if host.startswith("["):
        try:
            return str(IPv6Address(host[1:-1])) == host[1:-1]
        except ValueError:
            return False
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]) is None:
        return all(_LABEL.fullmatch(label) for label in labels)
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False
