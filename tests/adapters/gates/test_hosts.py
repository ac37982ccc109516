"""Threat T22: no spelling, no name and no redirection leads to an address that the operator has not allowed."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.gates.asking import Asker
from bot.adapters.gates.hosts import Allowed, Endpoint, Forbidden, Outside, Unasked, check, read_url
from tests.adapters.gates.standin import StandIn, answer, outside, resolver

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[StandIn, StandIn]]:
    """A listener on each loopback address; both must stay alone."""
    with StandIn() as four, StandIn(host="::1") as six:
        yield four, six
        assert (four.connections, six.connections) == (0, 0)


SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "127.000.000.001", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "0X7F000001",
    "2130706433", "017700000001", "127.0.0.1.", "localhost", "localhost.", "LOCALHOST", "0", "0.0.0.0", "0x0",  # noqa: S104
    "00000000", "127.0.0.0x1", "127.65535.1", "127.8", "127.0.0.2", "127.255.255.254",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::0001]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2002:a9fe:a9fe::]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]",
    "[fd00:ec2::254]", "[fd20:ce::254]", "[fec0::1]", "[ff02::1]", "[::ffff:0:127.0.0.1]", "[::1%251]",
    "169.254.169.254", "169.254.170.2", "169.254.43518", "0xa9fea9fe", "2852039166", "100.100.100.200",
    "192.0.0.192", "168.63.129.16", "10.0.0.1", "10.1", "172.16.0.1", "192.168.0.1", "192.168.257", "100.64.0.1",
    "255.255.255.255", "224.0.0.1", "240.0.0.1", "198.18.0.1", "metadata.google.internal", "instance-data",
    "kubernetes.default.svc", "127。0。0。1", "①②⑦.0.0.1", "１２７.0.0.1", "loc\u200balhost", "127.0.0.1%00",
    "127%2e0%2e0%2e1", "%31%32%37.0.0.1", "127.0.0.1\\@example.com", "example.com@127.0.0.1",
    "example.com:80@127.0.0.1", "user:pw@127.0.0.1", "127.0.0.1#@example.com", "example.com\\@127.0.0.1",
    "127.0.0.1?@example.com", "example.com 127.0.0.1", "example.com\t127.0.0.1", "example.com\r\nHost: 127.0.0.1",
    "", ".", "..", "-", "[", "[]", "[127.0.0.1]", "::1", "1e0.0.0.1", "127.0.0.1:x", "[::1]x",
]  # fmt: skip


def resolve_here(host: str, port: int) -> Sequence[str]:
    """As the system reads addresses, in all of their spellings, and names from a table: nobody is asked."""
    if host in NAMES:
        return NAMES[host]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(one[4][0]) for one in found]


NAMES = {
    "localhost": ("127.0.0.1", "::1"),
    "metadata.google.internal": ("169.254.169.254",),
    "instance-data": ("169.254.169.254",),
    "kubernetes.default.svc": ("10.0.0.1",),
}


def test_the_system_reads_what_is_no_address_here() -> None:
    """What makes the spellings dangerous: a resolver that is handed one dials loopback."""
    for spelling in ("127.1", "0x7f000001", "2130706433", "017700000001"):
        assert resolve_here(spelling, 80) == ["127.0.0.1"]


@pytest.mark.parametrize("listed", [False, True], ids=["not on the list", "on the list, not as internal"])
@pytest.mark.parametrize("spelling", SPELLINGS, ids=ascii)
def test_no_spelling_of_a_forbidden_address_is_dialled(
    spelling: str, *, listed: bool, guarded: tuple[StandIn, StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As T22 has it: zero connections, with the system's own reading of addresses, and no other address is tried."""
    dialled: list[object] = []
    connect = socket.create_connection

    def watched(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        dialled.append(address)
        return connect(address, *args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", watched)
    for listener in guarded:
        url = f"http://{spelling}:{listener.port}/"
        host = Allowed(spelling.rstrip(".").lower()) if listed else Allowed("prometheus.example.com")
        both = (host, Allowed(spelling)) if listed else (host,)
        asker = Asker(Outside((Endpoint("http", "main", url),), both, timeout=0.5), resolve=resolve_here)
        with pytest.raises(Unasked):
            asker.ask(asker.endpoint("http", "main"))
    assert dialled == []
    assert [listener.connections for listener in guarded] == [0, 0]


def spelled(address: ipaddress.IPv4Address) -> st.SearchStrategy[str]:
    """Ways that resolvers read as the address: parts in three bases, fewer parts, inside of IPv6."""
    number = int(address)
    a, b, c, d = address.packed

    def parts(*values: int) -> st.SearchStrategy[str]:
        bases = [st.sampled_from([str(v), hex(v), f"0{v:o}", f"{v:03d}", f"0x{v:08x}"]) for v in values]
        return st.tuples(*bases).map(".".join)

    inside = [0xFFFF << 32, 0, 0x64FF9B << 96, 0x64FF9B0001 << 80, 0x2002 << 112]
    return st.one_of(
        parts(a, b, c, d),
        parts(a, b, number & 0xFFFF),
        parts(a, number & 0xFFFFFF),
        parts(number),
        st.sampled_from(inside).map(lambda top: f"[{ipaddress.IPv6Address(top | number)}]"),
        st.sampled_from(["::ffff:", "::", "64:ff9b::"]).map(lambda top: f"[{top}{address}]"),
        st.just(f"[{ipaddress.IPv6Address(0x2002 << 112 | number << 80)}]"),
    )


FORBIDDEN = st.sampled_from(
    ["127.0.0.0/8", "169.254.0.0/16", "10.0.0.0/8", "0.0.0.0/8", "192.168.0.0/16"]
).flatmap(
    lambda net: st.integers(0, ipaddress.ip_network(net).num_addresses - 1).map(
        lambda n: ipaddress.IPv4Address(int(ipaddress.ip_network(net)[0]) + n)
    )
)


class TestEverySpelling:
    """However a forbidden address is written, there is nothing to dial."""

    @given(spelling=FORBIDDEN.flatmap(spelled), upper=st.booleans())
    def test_generated(self, spelling: str, *, upper: bool) -> None:
        spelling = spelling.upper() if upper else spelling
        settings = Outside(
            (Endpoint("http", "main", f"http://{spelling}:9090/"),),
            (Allowed(spelling.lower()), Allowed(spelling)),
        )
        dialled: list[str] = []
        asker = Asker(settings, resolve=lambda host, _port: (host,))
        asker._first = lambda *args: dialled.extend(args[2])  # type: ignore[method-assign,assignment]
        with pytest.raises(Unasked):
            asker.ask(settings.endpoints[0])
        assert dialled == []

    @given(FORBIDDEN.flatmap(spelled))
    def test_a_resolver_that_answers_with_it(self, spelling: str) -> None:
        with pytest.raises(Forbidden):
            check(spelling.strip("[]"), internal=False)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::",  # noqa: S104
     "224.0.0.1", "ff02::1", "255.255.255.255",
     "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "64:ff9b::a9fe:a9fe", "::ffff:169.254.169.254",
     "2002:7f00:1::", "2001:0:7f00:1::", "64:ff9b:1::7f00:1", "::7f00:1", "not an address", "127.1", "2130706433"],
)  # fmt: skip
def test_never_not_even_for_an_internal_host(address: str) -> None:
    with pytest.raises(Forbidden):
        check(address, internal=True)


@pytest.mark.parametrize(
    ("address", "internal", "dialled"),
    [
        pytest.param("93.184.216.34", False, "93.184.216.34", id="public"),
        pytest.param("2606:2800:220:1::1", False, "2606:2800:220:1::1", id="public, version 6"),
        pytest.param("::ffff:93.184.216.34", False, "93.184.216.34", id="mapped is the address itself"),
        pytest.param("64:ff9b::5db8:d822", False, "64:ff9b::5db8:d822", id="translated to a public one"),
        pytest.param("127.0.0.1", True, "127.0.0.1", id="loopback of an internal host"),
        pytest.param("::1", True, "::1", id="loopback of an internal host, version 6"),
        pytest.param("10.1.2.3", True, "10.1.2.3", id="private, of an internal host"),
        pytest.param("fd12::1", True, "fd12::1", id="private, version 6"),
        pytest.param("100.64.0.1", True, "100.64.0.1", id="shared address space"),
    ],
)
def test_dialled(address: str, *, internal: bool, dialled: str) -> None:
    assert check(address, internal=internal) == dialled


class TestResolution:
    """Resolved once, every address checked, the checked one dialled."""

    def test_a_public_name_with_a_private_address(self, guarded: tuple[StandIn, StandIn]) -> None:
        settings = outside("http", guarded[0].url(host="slo.example.com"), internal=False)
        asker = Asker(settings, resolve=resolver(slo_example_com="127.0.0.1"))
        with pytest.raises(Forbidden, match="loopback or private"):
            asker.ask(settings.endpoints[0])

    def test_one_bad_address_of_two_is_enough(self, guarded: tuple[StandIn, StandIn]) -> None:
        settings = outside("http", guarded[0].url(host="slo.example.com"), internal=False)
        asker = Asker(settings, resolve=resolver(slo_example_com=["127.0.0.1", "93.184.216.34"]))
        with pytest.raises(Forbidden):
            asker.ask(settings.endpoints[0])

    def test_a_name_that_changes_its_mind_is_asked_once(self) -> None:
        """Rebinding: what the second look would say is never heard."""
        asked: list[str] = []

        def resolve(host: str, _port: int) -> Sequence[str]:
            asked.append(host)
            return ("127.0.0.1",) if len(asked) == 1 else ("::1",)

        with StandIn(answer({"ok": True})) as server:
            settings = outside("http", server.url(host="slo.internal"))
            told = Asker(settings, resolve=resolve).ask(settings.endpoints[0])
            assert told.data == {"ok": True}
            assert server.connections == 1
            assert f"Host: slo.internal:{server.port}" in server.heads[0]
        assert asked == ["slo.internal"]

    def test_an_address_that_does_not_answer_gives_way_to_the_next(self) -> None:
        with StandIn(answer({"ok": True}), host="::1") as server:
            settings = outside("http", server.url(host="slo.internal"))
            asker = Asker(settings, resolve=resolver(slo_internal=["127.0.0.2", "::1"]))
            assert asker.ask(settings.endpoints[0]).data == {"ok": True}

    def test_no_address(self) -> None:
        settings = outside("http", "https://slo.internal/")
        with pytest.raises(Unasked, match="cannot be resolved"):
            Asker(settings, resolve=resolver()).ask(settings.endpoints[0])

    def test_the_system_is_not_waited_for_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import threading

        over = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: over.wait(10) and [])
        settings = outside("http", "https://slo.internal/", timeout=0.1)
        with pytest.raises(Unasked, match="cannot be resolved"):
            Asker(settings).ask(settings.endpoints[0])
        over.set()


class TestOperatorsList:
    @pytest.mark.parametrize(
        ("endpoint", "hosts", "says"),
        [
            pytest.param(("https://a.example/", ""), (), "not on the operator's list", id="no list"),
            pytest.param(
                ("https://a.example/", ""), (Allowed("b.example"),), "not on the", id="another host"
            ),
            pytest.param(
                ("https://a.example:444/", ""), (Allowed("a.example", 443),), "not on the", id="port"
            ),
            pytest.param(
                ("https://x.a.example/", ""), (Allowed("a.example"),), "not on the", id="below a host"
            ),
            pytest.param(
                ("http://a.example/", "token-token"),
                (Allowed("a.example"),),
                "only sent over",
                id="open token",
            ),
            pytest.param(("ftp://a.example/", ""), (Allowed("a.example"),), "not plain", id="another scheme"),
            pytest.param(("https://a.example/#x", ""), (Allowed("a.example"),), "not plain", id="fragment"),
            pytest.param(
                ("https://a.example:0/", ""), (Allowed("a.example", 0),), "not plain", id="port nought"
            ),
            pytest.param(
                ("https://a.example:65536/", ""), (Allowed("a.example"),), "not plain", id="no port"
            ),
        ],
    )
    def test_faults(self, endpoint: tuple[str, str], hosts: tuple[Allowed, ...], says: str) -> None:
        settings = Outside((Endpoint("http", "slo", *endpoint),), hosts)
        (fault,) = settings.faults()
        assert says in fault
        assert "token-token" not in fault
        with pytest.raises(Forbidden):
            Asker(settings, resolve=resolver(a_example="93.184.216.34")).ask(settings.endpoints[0])

    def test_good(self) -> None:
        settings = Outside(
            (
                Endpoint("prometheus", "main", "https://prom.example:9090/base", "token-token"),
                Endpoint("kubernetes", "main", "https://[fd12::1]:6443"),
                Endpoint(
                    "http", "slo", "http://slo.internal/v1/{service}?revision={candidate}", "token-token"
                ),
            ),
            (Allowed("prom.example", 9090), Allowed("[fd12::1]"), Allowed("slo.internal", internal=True)),
        )
        assert settings.faults() == ()

    def test_a_name_twice(self) -> None:
        twice = (Endpoint("http", "slo", "https://a.example/"),) * 2
        assert Outside(twice, (Allowed("a.example"),)).faults() == (
            "Two http endpoints have the name `slo`.",
        )

    def test_a_name_that_the_operator_has_not_given(self) -> None:
        settings = outside("prometheus", "https://a.example")
        with pytest.raises(Unasked, match=r"no prometheus endpoint `x` \(known: `main`\)"):
            settings.endpoint("prometheus", "x")
        with pytest.raises(Unasked, match=r"named no http endpoint\."):
            settings.endpoint("http", "main")

    @given(st.text(max_size=60))
    def test_any_url_is_read_or_refused(self, text: str) -> None:
        for url in (text, f"https://{text}", f"https://a.example/{text}"):
            try:
                address = read_url(url, "main")
            except Forbidden as fault:
                assert len(text) < 9 or text not in fault.reason  # noqa: PT017
            else:
                assert url.startswith(f"{address.scheme}://{address.host}")
