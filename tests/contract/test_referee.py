"""The referee finds each kind of deviation, by small changes of exchanges that are good."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.allowed import ALLOWED
from tests.contract.description import rest, webhooks
from tests.contract.heard import heard
from tests.contract.packages import needed
from tests.contract.referee import Exchange, Referee, event_of, referee

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def judge() -> Referee:
    return needed(referee)


def changed(body: bytes, change: Callable[[Any], object]) -> bytes:
    """Change a JSON body in place."""
    value = json.loads(body)
    change(value)
    return json.dumps(value).encode()


def put(*place: str | int, value: Any) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for word in place[:-1]:
            body = body[word]
        body[place[-1]] = value

    return change


def drop(*place: str | int) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for word in place[:-1]:
            body = body[word]
        del body[place[-1]]

    return change


class TestGood:
    def test_what_the_sandbox_says_is_documented(self, judge: Referee) -> None:
        said = {name: judge.judge(exchange) for name, exchange in heard().exchanges.items()}

        assert {name: found for name, found in said.items() if found} == {}

    def test_what_the_sandbox_sends_is_documented(self, judge: Referee) -> None:
        sent = heard().webhooks
        said = {name: judge.judge_webhook(name.partition("/")[0], body) for name, body in sent.items()}

        assert {"pull_request/opened", "issue_comment/created", "check_run/created"} <= set(sent)
        assert {name: found for name, found in said.items() if found} == {}

    def test_the_operation_is_named(self, judge: Referee) -> None:
        assert judge.operation(heard().exchanges["deep file"]) == "GET /repos/{owner}/{repo}/contents/{path}"


class TestRequests:
    """Undocumented path, method, parameter or body: each is found, and nothing else."""

    @pytest.mark.parametrize(
        ("name", "fields", "kind", "words"),
        [
            pytest.param("pull", {"path": "/repos/acme/shop/pull/2"}, "path", "no such path", id="path"),
            pytest.param(
                "new branch", {"path": "/repos/acme/shop/git/ref/heads/new"}, "method", "no such method",
                id="a method of a neighbour",
            ),
            pytest.param(
                "pull", {"path": "/repos/acme/shop/pulls/two"}, "parameter", "pull_number",
                id="a word for a number",
            ),
            pytest.param("pulls", {"query": "status=open"}, "query", "status is not documented", id="query"),
            pytest.param("pulls", {"query": "state=merged"}, "query", "state", id="value of a query"),
            pytest.param("pulls", {"query": "per_page=many"}, "query", "per_page", id="type of a query"),
            pytest.param("comment", {"request_body": b""}, "request", "a body is required", id="no body"),
            pytest.param("comment", {"request_body": b"{"}, "request", "not JSON", id="broken body"),
            pytest.param("pull", {"request_body": b"{}"}, "request", "no JSON body", id="a body with GET"),
        ],
    )  # fmt: skip
    def test_around_the_body(
        self, judge: Referee, name: str, fields: dict[str, Any], kind: str, words: str
    ) -> None:
        found = judge.judge(replace(heard().exchanges[name], **fields))

        assert [violation.kind for violation in found] == [kind]
        assert words in found[0].sentence

    @pytest.mark.parametrize(
        ("name", "change", "words"),
        [
            pytest.param("comment", drop("body"), '"body" is a required', id="missing"),
            pytest.param("comment", put("body", value=1), ".body: 1 is not of type", id="wrong type"),
            pytest.param("comment", put("text", value="x"), "'text' was unexpected", id="undocumented"),
            pytest.param(
                "check", put("output", "sumary", value="x"), "'sumary' was unexpected", id="deep undocumented"
            ),
            pytest.param("check", put("conclusion", value="good"), '"good" is not one of', id="value"),
            pytest.param("check", drop("output", "summary"), '"summary" is a required', id="deep missing"),
        ],
    )
    def test_body(self, judge: Referee, name: str, change: Callable[[Any], object], words: str) -> None:
        good = heard().exchanges[name]
        found = judge.judge(replace(good, request_body=changed(good.request_body, change)))

        assert [violation.kind for violation in found] == ["request"]
        assert words in found[0].sentence

    def test_a_request_without_an_answer_is_judged(self, judge: Referee) -> None:
        lost = replace(heard().exchanges["comment"], status=0, response_body=b"", content_type="")

        assert judge.judge(lost) == ()
        assert [v.kind for v in judge.judge(replace(lost, query="x=1"))] == ["query"]

    def test_a_graphql_document(self, judge: Referee) -> None:
        found = judge.judge(Exchange("POST", "/graphql", "", 200, b'{"query":"{viewer{nonsense}}"}', b"{}"))

        assert [violation.kind for violation in found] == ["graphql"]


class TestAnswers:
    """Undocumented status or shape: each is found, and nothing else."""

    @pytest.mark.parametrize(
        ("name", "fields", "kind", "words"),
        [
            pytest.param("pull", {"status": 202}, "status", "202 is not documented", id="status"),
            pytest.param(
                "pulls",
                {"status": 502, "response_body": b"<html>"},
                "status",
                "502",
                id="a page for an error",
            ),
            pytest.param("pull", {"response_body": b""}, "response", "must have a body", id="no body"),
            pytest.param("pull", {"response_body": b"{"}, "response", "not JSON", id="broken"),
            pytest.param("branch gone", {"response_body": b"{}"}, "response", "no documented body", id="204"),
            pytest.param("pull", {"content_type": "text/html"}, "media", "text/html", id="media type"),
        ],
    )
    def test_around_the_body(
        self, judge: Referee, name: str, fields: dict[str, Any], kind: str, words: str
    ) -> None:
        found = judge.judge(replace(heard().exchanges[name], **fields))

        assert [violation.kind for violation in found] == [kind]
        assert words in found[0].sentence

    @pytest.mark.parametrize(
        ("name", "change", "kind", "words"),
        [
            pytest.param("pull", drop("number"), "response", '"number" is a required', id="missing"),
            pytest.param("pull", put("number", value="2"), "response", ".number: ", id="wrong type"),
            pytest.param("pull", put("title", value=None), "response", ".title: null", id="null"),
            pytest.param("pull", put("state", value="merged"), "response", ".state: ", id="value"),
            pytest.param("pull", put("html_url", value="there"), "response", "uri", id="no address"),
            pytest.param("pull", put("created_at", value="soon"), "response", "date-time", id="no time"),
            pytest.param("pull", put("step", value=1), "extra", "'step' was unexpected", id="undocumented"),
            pytest.param(
                "pull", put("head", "repo", "owner", "team", value=1), "extra", ".head.repo.owner: ",
                id="deep undocumented",
            ),
            pytest.param("pulls", drop(0, "head"), "response", '[0]: "head" is a required', id="in a list"),
            pytest.param(
                "checks", drop("check_runs", 0, "name"), "response", ".check_runs[0]: ", id="in a list below"
            ),
            pytest.param(
                "no such file", put("message", value=404), "response", ".message: 404", id="error shape"
            ),
            pytest.param("no such file", put("reason", value="x"), "extra", "'reason'", id="error with more"),
            pytest.param("conflict", put("reason", value="x"), "extra", "'reason'", id="conflict with more"),
            pytest.param(
                "installations", put(0, "account", "team", value=1), "extra", "[0].account: ", id="mended place"
            ),
            pytest.param("branch again", put("errors", value=1), "response", ".errors: 1", id="errors"),
        ],
    )  # fmt: skip
    def test_body(
        self, judge: Referee, name: str, change: Callable[[Any], object], kind: str, words: str
    ) -> None:
        good = heard().exchanges[name]
        found = judge.judge(replace(good, response_body=changed(good.response_body, change)))

        assert [violation.kind for violation in found] == [kind]
        assert words in found[0].sentence
        assert found[0].where == judge.operation(good)


class TestWebhooks:
    @pytest.mark.parametrize(
        ("name", "change", "kind", "words"),
        [
            pytest.param("pull_request/opened", drop("number"), "webhook", '"number"', id="missing"),
            pytest.param("pull_request/opened", put("number", value="1"), "webhook", ".number", id="type"),
            pytest.param("pull_request/opened", put("step", value=1), "extra", "'step'", id="undocumented"),
            pytest.param(
                "issue_comment/created", put("comment", "step", value=1), "extra", ".comment: ",
                id="deep undocumented",
            ),
            pytest.param(
                "issue_comment/created", put("action", value="spoken"), "webhook", "no such event", id="action"
            ),
        ],
    )  # fmt: skip
    def test_payload(
        self, judge: Referee, name: str, change: Callable[[Any], object], kind: str, words: str
    ) -> None:
        body = changed(heard().webhooks[name], change)
        found = judge.judge_webhook(name.partition("/")[0], body)

        assert [violation.kind for violation in found] == [kind]
        assert words in found[0].sentence

    def test_an_event_that_does_not_exist(self, judge: Referee) -> None:
        assert [v.sentence for v in judge.judge_webhook("rollout", b"{}")] == ["no such event is documented"]

    def test_what_is_not_json(self, judge: Referee) -> None:
        assert [v.kind for v in judge.judge_webhook("push", b"payload=1")] == ["webhook"]


class TestAllowed:
    """Each exception has an exchange that needs it."""

    NEEDS = {  # noqa: RUF012 - a table
        "server-error": "500",
        "refused": "429",
        "unseen": "reaction to nothing",
        "error-body": "merged",
        "error-status": "branch again",
        "user-view-type": "installations",
        "client-id": "installations",
        "installation-account": "installations",
        "deleted-fork": "pull of a deleted fork",
        "contents-conflict": "conflict",
    }
    OF_WEBHOOKS = ("merge-queues", "bot-email")

    def test_every_exception_is_here_and_has_a_reason(self) -> None:
        assert [one.name for one in ALLOWED] == [*self.NEEDS, *self.OF_WEBHOOKS]
        assert all(one.reason.endswith(".") for one in ALLOWED)

    @pytest.mark.parametrize("name", NEEDS)
    def test_needed(self, judge: Referee, name: str) -> None:
        exchange = heard().exchanges[self.NEEDS[name]]
        without = Referee(rest(), webhooks(), [one for one in ALLOWED if one.name != name])

        assert judge.judge(exchange) == ()
        assert without.judge(exchange) != ()
        assert judge.needed[name]
        assert not without.needed[name]

    def test_a_bots_address_is_needed(self, judge: Referee) -> None:
        address = "1002+canary-bot[bot]@users.noreply.github.com"
        of = put("check_suite", "head_commit", "author", "email", value=address)
        body = changed(heard().webhooks["check_suite/rerequested"], of)
        without = Referee(rest(), webhooks(), [one for one in ALLOWED if one.name != "bot-email"])

        assert judge.judge_webhook("check_suite", body) == ()
        assert len(without.judge_webhook("check_suite", body)) == 1

    def test_an_app_that_hears_of_merge_queues_needs_it(self, judge: Referee) -> None:
        body = heard().webhooks["check_suite/rerequested"]
        without = Referee(rest(), webhooks(), [one for one in ALLOWED if one.name != "merge-queues"])

        assert judge.judge_webhook("check_suite", body) == ()
        assert without.judge_webhook("check_suite", body) != ()

    def test_a_bare_refusal_has_the_basic_shape(self, judge: Referee) -> None:
        good = heard().exchanges["429"]
        other = replace(good, response_body=changed(good.response_body, put("errors", value=[])))

        assert [violation.kind for violation in judge.judge(other)] == ["status"]


def test_events_are_named_with_their_action() -> None:
    assert event_of("push", b'{"ref": "x"}') == "push"
    assert event_of("check_run", b'{"action": "requested_action"}') == "check_run/requested_action"
