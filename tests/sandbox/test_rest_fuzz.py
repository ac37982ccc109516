"""Whatever is sent to whatever operation: an answer below 500, and a body with a message when refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.sandbox.server import TABLES
from tests.sandbox.peer import SHOP, Peer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUTES = [(method, path) for table in TABLES for method, path, _ in table.routes]
FIELDS = [
    "actions",
    "annotations",
    "author",
    "base",
    "base_tree",
    "body",
    "branch",
    "commit_id",
    "commit_message",
    "commit_title",
    "committer",
    "conclusion",
    "content",
    "context",
    "description",
    "draft",
    "encoding",
    "event",
    "external_id",
    "force",
    "head",
    "head_sha",
    "identifier",
    "label",
    "labels",
    "mode",
    "name",
    "output",
    "parents",
    "path",
    "permissions",
    "ref",
    "repositories",
    "repository_ids",
    "sha",
    "state",
    "status",
    "summary",
    "target_url",
    "title",
    "tree",
    "type",
]
VALUES: list[Any] = [
    "main",
    "feature",
    "refs/heads/new",
    "0" * 40,
    "",
    "x",
    None,
    0,
    2**70,
    1.5,
    True,
    "é",
    [],
    {},
]
JSON = st.recursive(
    st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6) | JSON
SEGMENTS = [
    "1",
    "2",
    "main",
    "feature",
    "a.txt",
    "0" * 40,
    "99",
    "mona",
    "x y",
    "%00",
    "é",
    "..",
    "-x",
    "canary[bot]",
]
QUERIES = [
    "page",
    "per_page",
    "ref",
    "sha",
    "since",
    "until",
    "state",
    "head",
    "sort",
    "direction",
    "cursor",
    "recursive",
]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, dict[str, str]]]:
    with serving(tmp_path_factory.mktemp("world")) as peer:
        peer.feature()
        comment = peer.world.comment(SHOP, 1, "hello", by="mona")
        yield peer, {"bot": peer.token(), "mona": peer.world.token("mona"), "id": str(comment.id)}


def filled(path: str, data: st.DataObject, known: str) -> str:
    """Fill the parameters of a route."""
    out = []
    for part in path.split("/"):
        if part in {"{owner}", "{repo}"}:
            out.append({"{owner}": "acme", "{repo}": "shop"}[part])
        elif part.startswith("{"):
            out.append(data.draw(st.sampled_from([*SEGMENTS, known]), label=part))
        else:
            out.append(part)
    return "/".join(out)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    data=st.data(),
    route=st.sampled_from(ROUTES),
    who=st.sampled_from(["bot", "mona", "app", ""]),
    body=BODIES,
)
def test_nothing_is_a_5xx(
    fuzzed: tuple[Peer, dict[str, str]], data: st.DataObject, route: tuple[str, str], who: str, body: Any
) -> None:
    peer, known = fuzzed
    method, template = route
    path = filled(template, data, known["id"])
    query = data.draw(
        st.dictionaries(st.sampled_from(QUERIES), st.sampled_from(["1", "-1", "x", "main", "9" * 30]))
    )
    credential = peer.jwt() if who == "app" else known.get(who, "")
    more: dict[str, Any] = {} if method == "GET" else {"json": body}
    answer = peer.ask(method, path, credential, params=query, **more)
    mistakes = peer.server.errors.copy()
    peer.server.errors.clear()
    assert mistakes == []
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.json()["message"]
