"""Weighted routes of all kinds, in common layouts, and what is made of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from bot.manifests.weighted import Route, find_routes
from tests.manifests.operators import RIGHT as SERVICE_OPERATORS
from tests.manifests.weighted_oracle import entries_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Operator = Callable[[str], str | None]

VIRTUAL_SERVICE = """\
# mesh
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: name
spec:
  hosts: [name]
  gateways: [mesh]
  http:
  - match:                       # testers go straight to the new one
    - headers: {x-test: {exact: use-v2}}
    route:
    - destination: {host: name, subset: name-v2}
  - name: primary
    route:
    - destination:
        host: name
        subset: name-v1
      weight: 90    # stable
    - destination:
        host: name
        subset: name-v2
      weight: 10    # canary
    timeout: 3s
"""
TCP_AND_TLS = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db, namespace: shop}
spec:
    hosts:
        - db.shop.svc.cluster.local
    tcp:
        - route:
              - weight: 1000
                destination:
                    host: db.shop.svc.cluster.local
                    port:
                        number: 5432
              - destination:
                    host: db.shop.svc.cluster.local
                    port:
                        number: 5433
    tls:
        - match:
              - port: 443
                sniHosts: [a.example.com, b.example.com]
          route:
              - destination: {host: a}
                weight: 100
"""
HTTP_ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: store
spec:
  parentRefs:
  - name: gateway
  hostnames: ["store.example.com"]
  rules:
  - matches:
    - path:
        type: PathPrefix
        value: /api
    backendRefs:
    - name: store-v1
      port: 8080
      weight: 9
    - name: store-v2
      port: 8080
      weight: 1
  - backendRefs:
      - name: store-v1
        port: 8080
      - name: store-v2
        port: 8080
        filters: []
"""
GRPC_ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata:
  name: store
spec:
  rules:
  - name: all
    backendRefs:
    - weight: 1
      name: store-v1
      port: 50051
    - {name: store-v2, port: 50051, weight: 0}
    - {name: store-v3, port: 50051}
"""
TCP_ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata:
  name: db
spec:
  rules:
  - backendRefs: [{name: db-v1, port: 5432, weight: 1}, {name: db-v2, port: 5432, weight: 0}]
"""
TLS_ROUTE = """\
{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TLSRoute", "metadata": {"name": "db"}, "spec": {
  "hostnames": ["db.example.com"],
  "rules": [
    {"backendRefs": [
      {"name": "db-v1", "port": 443, "weight": 100},
      {"name": "db-v2", "port": 443}
    ]}
  ]
}}
"""
VIRTUAL_SERVICE_HEAD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
"""
EXAMPLES = {
    "VirtualService": VIRTUAL_SERVICE,
    "tcp and tls": TCP_AND_TLS,
    "HTTPRoute": HTTP_ROUTE,
    "GRPCRoute": GRPC_ROUTE,
    "TCPRoute": TCP_ROUTE,
    "TLSRoute in JSON": TLS_ROUTE,
}


def route_of(*destinations: str) -> str:
    """Give a VirtualService with one rule; further lines of a destination are indented by six."""
    return VIRTUAL_SERVICE_HEAD + "  - route:\n" + "".join(f"    - {entry}\n" for entry in destinations)


def routes(content: bytes) -> tuple[Route, ...]:
    """Give the routes of a file in which everything can be read."""
    found = find_routes(content, "route.yaml")
    assert not found.problems, found.problems
    return found.routes


def data_of(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


def each_line(pattern: str, new: str) -> Operator:
    """Replace a pattern on every line of the file's lists of destinations."""

    def operator(text: str) -> str | None:
        lines = text.split("\n")
        for route in routes(text.encode()):
            for number in range(route.lines[0] - 1, route.lines[1]):
                lines[number] = re.sub(pattern, new, lines[number])
        return "\n".join(lines)

    return operator


def before_entries(*new: str) -> Operator:
    """Put lines before every destination that begins a line."""

    def operator(text: str) -> str | None:
        lines = text.split("\n")
        starts = {d.line for route in routes(text.encode()) for d in route.weights.destinations}
        for number in sorted(starts, reverse=True):
            if lines[number - 1].lstrip().startswith("- "):
                lines[number - 1 : number - 1] = new
        return "\n".join(lines)

    return operator


def first_weight(new: str) -> Operator:
    """Write the first weight in another way; ``\\1`` is the number, ``\\2`` the indentation."""

    def operator(text: str) -> str | None:
        return re.sub(
            r'(?m)(?P<lead>^ *(?:- )?|[{] ?|, )"?weight"?: (?P<n>\d+)', rf"\g<lead>{new}", text, count=1
        )

    return operator


def rendered(render: Callable[[list[dict[str, Any]]], str]) -> Operator:
    """Write every list of destinations anew; ``render`` gives what follows its key."""

    def operator(text: str) -> str | None:
        if text.startswith("{"):
            return None
        data, lines = data_of(text), text.split("\n")
        for route in reversed(routes(text.encode())):
            first, last = route.lines
            key = re.match(r"[ -]*(?:backendRefs|route):", lines[first - 1])
            assert key
            indent = " " * (len(key[0]) - len(key[0].lstrip(" -")))
            new = key[0] + render(entries_of(data, route)).replace("\n", "\n" + indent)
            lines[first - 1 : last] = new.split("\n")
        return "\n".join(lines)

    return operator


def flow(entry: dict[str, Any]) -> str:
    return json.dumps(entry)


def alone(entries: list[dict[str, Any]]) -> str:
    return "".join(
        "\n  -" + "".join(f"\n      {key}: {json.dumps(value)}" for key, value in entry.items())
        for entry in entries
    )


def as_list(text: str) -> str | None:
    """Put the object into a ``kind: List`` behind another one."""
    if text.startswith("{"):
        return None
    head = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n-"
    return head + "".join(f"  {line}\n" if line else "\n" for line in text.split("\n")[:-1])[1:]


def of_service(name: str) -> Operator:
    """Take an operator for Knative manifests that changes the text as a whole."""
    operator = SERVICE_OPERATORS[name]
    return lambda text: operator(text, (None, ""))


WHOLE = (
    "nothing",
    "CR LF",
    "byte-order mark",
    "no final newline",
    "several final newlines",
    "document mark with a comment",
    "another document behind",
    "end mark behind",
    "%YAML 1.1",
    "another document before, with emoji",
    "templates in another document",
    "form feed in another document",
    "old line separator in another document",
    "duplicate key in another document",
    "empty last value of the document",
)
RIGHT: dict[str, Operator] = {
    **{name: of_service(name) for name in WHOLE},
    "in a list": as_list,
    "trailing spaces": each_line(r"(?<=\S)$", "   "),
    "comments behind": each_line(r"(?<=\S)$", "   # {{ why }} - weight: 1"),
    "tab before a comment": each_line(r"(?<=\S)$", "\t# tab"),
    "tab at the end": each_line(r"(?<=\S)$", "\t"),
    "tab behind the colon": each_line(r"(?<=weight): (?=\d)", ":\t"),
    "extra spaces behind the colon": each_line(r"(?<=weight): (?=\d)", ":      "),
    "spaces before the colon": each_line(r"(?<=weight)(?=:( |$))", "  "),
    "quoted keys": each_line(r"\b(?<![-./\"])(destination|host|subset|name|port|weight)(?=:)", r'"\1"'),
    "single-quoted keys": each_line(r"\b(?<![-./\"])(weight|name|destination)(?=:)", r"'\1'"),
    "very long comment": each_line(r"(weight: \d+)$", r"\1 # " + "x" * 1_000),
    "comments between": before_entries("    # between"),
    "comments between at column 0": before_entries("# between"),
    "comments between, deep": before_entries("                    # - weight: 1"),
    "blank lines between": before_entries("", "   "),
    "null": first_weight("weight: null"),
    "nothing behind the key": first_weight("weight: "),
    "entries in flow style": rendered(lambda entries: "".join(f"\n- {flow(e)}" for e in entries)),
    "entries in flow style, spaced": rendered(
        lambda entries: "".join(f"\n  -  {{  {flow(e)[1:-1]}  }}  # x" for e in entries)
    ),
    "flow list": rendered(lambda entries: " [" + ", ".join(map(flow, entries)) + "]"),
    "flow list with a last comma": rendered(
        lambda entries: " [\n    " + ",\n    ".join(map(flow, entries)) + ",\n  ]"
    ),
    "JSON in the block": rendered(lambda entries: " " + json.dumps(entries, indent=2)),
    "dashes alone": rendered(alone),
    "JSON": lambda text: json.dumps(data_of(text), indent=2) + "\n",
    "JSON on one line": lambda text: json.dumps(data_of(text)),
    "anchors elsewhere": lambda text: (
        None if text.startswith("{") else text + "x-note: [&here {a: 1}, *here]\n"
    ),
    "tags elsewhere": lambda text: None if text.startswith("{") else text + "x-note: !!str 1\n",
}

REFUSED: dict[str, tuple[set[str], Operator]] = {
    "in double quotes": ({"not-a-plain-number"}, first_weight(r'"weight": "\g<n>"')),
    "in single quotes": ({"not-a-plain-number"}, first_weight(r"weight: '\g<n>'")),
    "a leading zero": ({"not-a-plain-number"}, first_weight(r"weight: 0\g<n>")),
    "a sign": ({"not-a-plain-number"}, first_weight(r"weight: -\g<n>")),
    "an octal number": ({"not-a-plain-number"}, first_weight("weight: 0o17")),
    "a fraction": ({"not-a-plain-number"}, first_weight(r"weight: \g<n>.5")),
    "a list": ({"not-a-plain-number"}, first_weight(r"weight: [\g<n>]")),
    "a word": ({"not-a-plain-number"}, first_weight("weight: HALF")),
    "a tag": ({"tag-in-block"}, first_weight(r"weight: !!int \g<n>")),
    "an anchor": ({"alias-in-block"}, first_weight(r"weight: &w \g<n>")),
    "an alias": (
        {"alias-in-block"},
        lambda text: (
            None if text.startswith("{") else "x-note: &w 50\n" + (first_weight("weight: *w ")(text) or "")
        ),
    ),
    "a template expression": ({"template-language"}, first_weight("weight: {{ .Values.weight }}")),
    "a placeholder": ({"template-language", "yaml-invalid"}, first_weight("weight: ${WEIGHT}")),
    "U+2028 in a comment": ({"yaml-invalid"}, lambda text: "# \u2028\n" + text),
    "a form feed": ({"yaml-invalid"}, lambda text: "# \x0c\n" + text),
}
