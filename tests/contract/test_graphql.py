"""The bot's GraphQL documents are GitHub's, the sandbox's answers are what they select, and errors are as recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from graphql import parse, validate

from bot.adapters.github import documents
from bot.sandbox.rules import merge_queue, required_checks
from tests.contract.exchange import Exchange
from tests.contract.graphql_referee import faults, name_of, schema
from tests.contract.packages import PYGITHUB, needed, sdist
from tests.sandbox.peer import CHANGED, SHOP, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.peer import Peer

DOCUMENTS = {name: text for name, text in vars(documents).items() if name.isupper()}


@pytest.fixture(scope="module", autouse=True)
def _schema() -> None:
    needed(schema)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_is_valid(name: str) -> None:
    assert validate(schema(), parse(DOCUMENTS[name])) == []


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with serving(tmp_path_factory.mktemp("graphql")) as peer:
        peer.app.permissions["merge_queues"] = "read"
        yield peer


def opened(peer: Peer, branch: str) -> str:
    """Open a pull request and give its node id."""
    peer.world.create_branch(SHOP, branch, by="mona")
    peer.world.commit(SHOP, branch, {f"{branch}.txt": CHANGED}, "Change", by="mona")
    return f"PR_{peer.world.open_pull(SHOP, branch, 'main', branch, by='mona').id}"


def asked(peer: Peer, document: str, variables: dict[str, Any], who: str = "bot") -> Any:
    """Send a document; what is sent and what comes back have to be as GitHub documents them."""
    body = {"query": document, "variables": variables}
    answer = peer.ask("POST", "/graphql", peer.credential(who), json=body)
    exchange = Exchange(
        "POST",
        "/graphql",
        "",
        answer.status_code,
        json.dumps(body).encode(),
        answer.content,
        "application/json",
    )
    assert list(faults(exchange)) == []
    return answer.json()


def test_the_story_of_auto_merge(peer: Peer) -> None:
    node = opened(peer, "auto")
    refused = asked(peer, documents.ENABLE, {"input": {"pullRequestId": node}})
    (recorded,) = json.loads(
        (needed(lambda: sdist(PYGITHUB)) / "tests/ReplayData/PullRequest.testEnableAutomergeError.txt")
        .read_text()
        .strip()
        .splitlines()[-1]
    )["errors"]
    (said,) = refused["errors"]
    assert {**said, "locations": 0} == {**recorded, "locations": 0}
    assert refused["data"] == {"enablePullRequestAutoMerge": None}
    peer.world.configure(SHOP, allow_auto_merge=True)
    clean = asked(peer, documents.ENABLE, {"input": {"pullRequestId": node}})
    assert clean["errors"][0]["message"] == "Pull request Pull request is in clean status"
    ruleset = peer.world.add_ruleset(SHOP, "checks", rules=[required_checks("ci")])
    told = asked(peer, documents.MERGING, {"id": node})["data"]["node"]
    assert told["mergeStateStatus"] == "BLOCKED"
    given = {"pullRequestId": node, "mergeMethod": "SQUASH", "commitHeadline": "a", "commitBody": "b"}
    stale = asked(peer, documents.ENABLE, {"input": given | {"expectedHeadOid": "0" * 40}})
    assert "modified" in stale["errors"][0]["message"]
    assert "errors" not in asked(peer, documents.ENABLE, {"input": given})
    assert "errors" not in asked(peer, documents.DISABLE, {"input": {"pullRequestId": node}})
    assert "errors" in asked(peer, documents.DISABLE, {"input": {"pullRequestId": node}})
    peer.world.remove_ruleset(SHOP, ruleset.id)


def test_the_story_of_a_queue(peer: Peer) -> None:
    node = opened(peer, "queued")
    where = {"owner": SHOP.partition("/")[0], "name": SHOP.partition("/")[2], "branch": "main"}
    assert asked(peer, documents.QUEUE, where)["data"]["repository"]["mergeQueue"] is None
    assert "errors" in asked(peer, documents.ENQUEUE, {"input": {"pullRequestId": node}})
    rules = [merge_queue(), required_checks("ci")]
    ruleset = peer.world.add_ruleset(SHOP, "queue", rules=rules)
    early = asked(peer, documents.ENQUEUE, {"input": {"pullRequestId": node}})
    assert early["errors"][0]["type"] == "UNPROCESSABLE"
    head = peer.world.tip(SHOP, "queued") or ""
    peer.world.create_status(SHOP, head, {"state": "success", "context": "ci"}, by="mona")
    assert "errors" not in asked(peer, documents.ENQUEUE, {"input": {"pullRequestId": node}})
    (entry,) = asked(peer, documents.QUEUE, where)["data"]["repository"]["mergeQueue"]["entries"]["nodes"]
    assert entry["headCommit"]["oid"] in peer.world.branches(SHOP).values()
    assert asked(peer, documents.MERGING, {"id": node})["data"]["node"]["mergeQueueEntry"]["position"] == 1
    assert "errors" not in asked(peer, documents.DEQUEUE, {"input": {"id": node}})
    assert "errors" in asked(peer, documents.DEQUEUE, {"input": {"id": node}})
    peer.world.remove_ruleset(SHOP, ruleset.id)


def test_what_may_not_be_seen_is_not_found(peer: Peer) -> None:
    answer = asked(peer, documents.MERGING, {"id": "PR_1"})
    assert answer["errors"][0]["type"] == "NOT_FOUND"


class TestReferee:
    """It can fail."""

    def said(self, query: str | None = None, answer: Any = None, **variables: Any) -> list[str]:
        body = json.dumps({"query": query or documents.MERGING, "variables": variables or {"id": "x"}})
        told = json.dumps(answer if answer is not None else {"data": {"node": None}})
        return list(faults(Exchange("POST", "/graphql", "", 200, body.encode(), told.encode())))

    def test_good(self) -> None:
        assert self.said() == []

    def test_an_unknown_field(self) -> None:
        assert "Cannot query field" in self.said("query A { viewer { nonsense } }")[0]

    def test_a_variable_of_another_type(self) -> None:
        assert self.said(documents.ENQUEUE, {"data": {}}, input={"nonsense": 1})

    def test_an_answer_with_more(self) -> None:
        assert self.said(answer={"data": {"node": None, "more": 1}})

    def test_an_answer_with_less(self) -> None:
        assert self.said(answer={"data": {"node": {"headRefOid": "0" * 40}}})

    def test_names(self) -> None:
        assert name_of(json.dumps({"query": documents.MERGING}).encode()) == "query Merging"
        assert name_of(b"nonsense") == "document"
