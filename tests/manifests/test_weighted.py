"""What is found in routes of all kinds, how it is told apart, and what is declined where."""

from __future__ import annotations

import json

import pytest

from bot.core.problems import Declined
from bot.core.weights import Destination
from bot.manifests.dialects import distinct
from bot.manifests.weighted import choose, find_routes, may_have_routes, set_weights
from tests.manifests.weighted_examples import (
    EXAMPLES,
    GRPC_ROUTE,
    HTTP_ROUTE,
    TCP_AND_TLS,
    TCP_ROUTE,
    VIRTUAL_SERVICE,
    route_of,
    routes,
)
from tests.manifests.weighted_examples import VIRTUAL_SERVICE_HEAD as VS
from tests.shared import shared


def edited(text: str, *weights: int | None, index: int = 0) -> str:
    return set_weights(text.encode(), routes(text.encode())[index], weights).decode()


class TestFound:
    """Each rule, with its names, conditions, hosts, subsets and ports."""

    def test_virtual_service(self) -> None:
        header, primary = routes(VIRTUAL_SERVICE.encode())
        assert (header.kind, header.api_version) == ("VirtualService", "networking.istio.io/v1beta1")
        assert (header.id, header.hosts, header.document, header.item) == ("/name", ("name",), 0, None)
        assert (header.where, header.rule, header.line) == ("http[0]", None, 10)
        assert header.matches == ("headers.x-test.exact=use-v2",)
        assert header.weights.destinations == (Destination("name/name-v2", None, 0),)
        assert list(header.weights.shares) == [100]
        assert (primary.where, primary.rule, primary.line) == ("http[1]", "primary", 14)
        assert (primary.matches, primary.lines) == ((), (15, 23))
        assert primary.weights.destinations == (
            Destination("name/name-v1", 90, 0),
            Destination("name/name-v2", 10, 1),
        )
        assert [d.line for d in primary.weights.destinations] == [16, 20]
        assert primary.weights.destinations[1].also == ("name-v2",)
        assert str(primary.place) == "route.yaml:14"

    def test_tcp_and_tls(self) -> None:
        tcp, tls = routes(TCP_AND_TLS.encode())
        assert (tcp.id, tcp.where, tls.where) == ("shop/db", "tcp[0]", "tls[0]")
        assert [d.name for d in tcp.weights.destinations] == [
            "db.shop.svc.cluster.local:5432",
            "db.shop.svc.cluster.local:5433",
        ]
        assert tls.matches == ("port=443, sniHosts=a.example.com, sniHosts=b.example.com",)

    def test_http_route(self) -> None:
        api, rest = routes(HTTP_ROUTE.encode())
        assert (api.where, rest.where, api.hosts) == ("rules[0]", "rules[1]", ("store.example.com",))
        assert (api.matches, rest.matches) == (("path.type=PathPrefix, path.value=/api",), ())
        assert [(d.name, d.weight, d.also) for d in api.weights.destinations] == [
            ("store-v1", 9, ("store-v1:8080",)),
            ("store-v2", 1, ("store-v2:8080",)),
        ]
        assert list(rest.weights.shares) == [50, 50]

    def test_the_other_kinds(self) -> None:
        assert [(r.kind, r.where, len(r.weights.destinations)) for r in routes(GRPC_ROUTE.encode())] == [
            ("GRPCRoute", "rules[0]", 3)
        ]
        assert [r.kind for r in routes(TCP_ROUTE.encode())] == ["TCPRoute"]
        assert [r.kind for r in routes(EXAMPLES["TLSRoute in JSON"].encode())] == ["TLSRoute"]

    def test_the_shared_example_behind_another_document(self) -> None:
        content = (shared("examples") / "sentence-virtualservice.yaml").read_bytes()
        assert [(r.document, r.where) for r in routes(content)] == [(1, "http[0]"), (1, "http[1]")]

    def test_rules_that_redirect_or_delegate_are_passed_over(self) -> None:
        text = (
            VS
            + "  - redirect: {uri: /x}\n  - delegate: {name: a}\n  - route:\n    - destination: {host: a}\n"
        )
        assert [r.where for r in routes(text.encode())] == ["http[2]"]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(VS.replace("  http:\n", ""), id="no rules"),
            pytest.param(VS, id="null"),
            pytest.param(VS.replace("http:", "http: []"), id="an empty list"),
            pytest.param(route_of().replace("route:", "route: []"), id="no destinations"),
            pytest.param("apiVersion: networking.istio.io/v1\nkind: Gateway\n", id="another kind"),
            pytest.param("# networking.istio.io\n", id="a comment"),
            pytest.param(
                "apiVersion: v1\nkind: List\nitems: []\n# networking.istio.io\n", id="an empty list"
            ),
            pytest.param("a: {{ networking.istio.io }}\n", id="a template of something else"),
        ],
    )
    def test_nothing(self, text: str) -> None:
        found = find_routes(text.encode(), "a.yaml")
        assert (found.routes, found.problems) == ((), ())

    def test_by_name(self) -> None:
        content = (VIRTUAL_SERVICE + "---\n" + HTTP_ROUTE).encode()
        assert {r.name for r in find_routes(content, "a", name="store").routes} == {"store"}
        assert not find_routes(content, "a", name="ratings").routes

    def test_may_have_routes(self) -> None:
        assert may_have_routes("networking.istio.io".encode("utf-16"))
        assert not may_have_routes(b"kind: Service\n")


class TestNames:
    """The shortest name that no other destination of the rule has."""

    @pytest.mark.parametrize(
        ("names", "chosen"),
        [
            pytest.param([("a", "a:80"), ("b", "b:80")], ["a", "b"], id="short"),
            pytest.param([("a", "a:80"), ("a", "a:81"), ("b",)], ["a:80", "a:81", "b"], id="ports"),
            pytest.param(
                [("a", "a:80", "x/a:80"), ("a", "a:80", "y/a:80")], ["x/a:80", "y/a:80"], id="namespaces"
            ),
            pytest.param([("a",), ("a",)], ["a", "a"], id="no way to tell"),
            pytest.param([("a", "a:80"), ("a",)], ["a:80", "a"], id="one has no port"),
        ],
    )
    def test_distinct(self, names: list[tuple[str, ...]], chosen: list[str]) -> None:
        assert distinct(names) == chosen


class TestChoice:
    """Several rules are told apart by name or place; none is edited silently."""

    def test_one_rule_with_weights(self) -> None:
        assert choose(routes(VIRTUAL_SERVICE.encode())).where == "http[1]"

    def test_named(self) -> None:
        found = routes(VIRTUAL_SERVICE.encode())
        assert choose(found, "primary").where == choose(found, "http[1]").where == "http[1]"
        assert choose(found, "http[0]").line == 10

    def test_asked_for(self) -> None:
        with pytest.raises(Declined) as declined:
            choose(routes(HTTP_ROUTE.encode()))
        (problem,) = declined.value.problems
        assert problem.code == "which-route"
        assert problem.message == (
            "Several rules have weights. There are: `rules[0]` of `store` (`route.yaml`, line 10); "
            "`rules[1]` of `store` (`route.yaml`, line 21)."
        )
        assert problem.remedy == "Name one with `route=`."

    @pytest.mark.parametrize(
        ("text", "which", "message"),
        [
            pytest.param(HTTP_ROUTE, "rules[7]", r"No rule is called `rules\[7\]`", id="no such place"),
            pytest.param(
                route_of("destination: {host: a}"), None, "No rule has several", id="one destination"
            ),
        ],
    )
    def test_none(self, text: str, which: str | None, message: str) -> None:
        with pytest.raises(Declined, match=message):
            choose(routes(text.encode()), which)

    def test_nothing_at_all(self) -> None:
        with pytest.raises(Declined, match=r"No rule has several destinations\.$"):
            choose(())


class TestEdited:
    """A new weight looks like its neighbours; other characters stay."""

    @pytest.mark.parametrize(
        ("before", "weights", "after"),
        [
            pytest.param(
                route_of("destination: {host: a, subset: v1}", "destination: {host: a, subset: v2}"),
                (95, 5),
                VS
                + "  - route:\n    - destination: {host: a, subset: v1}\n      weight: 95\n"
                + "    - destination: {host: a, subset: v2}\n      weight: 5\n",
                id="behind the destination",
            ),
            pytest.param(
                route_of("weight: 100\n      destination: {host: a}", "destination: {host: b} # new"),
                (90, 10),
                route_of(
                    "weight: 90\n      destination: {host: a}",
                    "weight: 10\n      destination: {host: b} # new",
                ),
                id="at the beginning, as the neighbour has it",
            ),
            pytest.param(
                route_of(
                    "destination:\n        host: a\n      # why\n      headers: {}", "destination: {host: b}"
                ),
                (1, None),
                route_of(
                    "destination:\n        host: a\n      weight: 1\n      # why\n      headers: {}",
                    "destination: {host: b}",
                ),
                id="before a comment on its own line",
            ),
            pytest.param(
                route_of("{destination: {host: a}, weight: 100}", "{destination: {host: b}, headers: {}}"),
                (90, 10),
                route_of(
                    "{destination: {host: a}, weight: 90}",
                    "{destination: {host: b}, weight: 10, headers: {}}",
                ),
                id="flow style",
            ),
            pytest.param(
                route_of('"destination": {"host": "a"}', '"destination": {"host": "b"}').rstrip("\n"),
                (1, 2),
                route_of(
                    '"destination": {"host": "a"}\n      "weight": 1',
                    '"destination": {"host": "b"}\n      "weight": 2',
                ).rstrip("\n"),
                id="quoted keys, no newline at the end",
            ),
            pytest.param(
                route_of(
                    "destination: {host: a}\n      weight: null # x", "destination: {host: b}\n      weight:"
                ),
                (1, 2),
                route_of(
                    "destination: {host: a}\n      weight: 1 # x", "destination: {host: b}\n      weight: 2"
                ),
                id="null",
            ),
        ],
    )
    def test_virtual_service(self, before: str, weights: tuple[int | None, ...], after: str) -> None:
        assert edited(before, *weights) == after
        assert routes(after.encode())[0].weights.destinations[0].weight == weights[0]

    def test_backends(self) -> None:
        assert edited(HTTP_ROUTE, 3, 1, index=1).endswith(
            "  - backendRefs:\n      - name: store-v1\n        port: 8080\n        weight: 3\n"
            "      - name: store-v2\n        port: 8080\n        weight: 1\n        filters: []\n"
        )

    def test_json(self) -> None:
        text = EXAMPLES["TLSRoute in JSON"]
        after = edited(text, 75, 25)
        assert '{"name": "db-v2", "port": 443, "weight": 25}' in after
        assert json.loads(after)["spec"]["rules"][0]["backendRefs"][0]["weight"] == 75

    def test_as_it_was(self) -> None:
        content = VIRTUAL_SERVICE.encode()
        assert set_weights(content, routes(content)[1], (90, 10)) is content

    def test_other_rules_stay(self) -> None:
        after = edited(HTTP_ROUTE, 50, 50)
        assert after == HTTP_ROUTE.replace("weight: 9\n", "weight: 50\n").replace(
            "weight: 1\n", "weight: 50\n"
        )

    @pytest.mark.parametrize(
        ("text", "weights", "code", "line"),
        [
            pytest.param(
                VIRTUAL_SERVICE, (None, 100), "traffic-block-unusual", 19, id="comment behind a weight to go"
            ),
            pytest.param(VIRTUAL_SERVICE, (0, 0), "split-invalid", 15, id="Istio refuses a sum of 0"),
            pytest.param(
                VIRTUAL_SERVICE + "---\n" + VIRTUAL_SERVICE,
                (0, 100),
                "ambiguous-document",
                27,
                id="two documents",
            ),
        ],
    )
    def test_declined(self, text: str, weights: tuple[int | None, ...], code: str, line: int) -> None:
        content = text.encode()
        with pytest.raises(Declined) as declined:
            set_weights(content, routes(content)[1], weights)
        (problem,) = declined.value.problems
        assert problem.place
        assert (problem.code, problem.place.line) == (code, line)

    def test_the_gateway_takes_a_sum_of_zero(self) -> None:
        assert "weight: 0" in edited(HTTP_ROUTE, 0, 0)

    @pytest.mark.parametrize(
        "now",
        [
            pytest.param(VIRTUAL_SERVICE.replace("90", "80"), id="another weight"),
            pytest.param(VIRTUAL_SERVICE.replace("primary", "main"), id="another rule"),
            pytest.param(
                VIRTUAL_SERVICE.replace("subset: name-v1", "subset: name-v0"), id="another destination"
            ),
            pytest.param("a: 1\n", id="another file"),
        ],
    )
    def test_moved(self, now: str) -> None:
        with pytest.raises(Declined) as declined:
            set_weights(now.encode(), routes(VIRTUAL_SERVICE.encode())[1], (0, 100))
        assert [p.code for p in declined.value.problems] == ["head-moved"]

    def test_wrong_number(self) -> None:
        with pytest.raises(ValueError, match="1 weights for 2 destinations"):
            edited(VIRTUAL_SERVICE, 1, index=1)
