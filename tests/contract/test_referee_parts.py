"""What the referee stands on: paths, schemas, the recorder, the count of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema_rs import Draft202012Validator

from tests.contract.recorder import Recorder
from tests.contract.routing import Router
from tests.contract.schemas import alone, convert, converted
from tests.contract.tally import GRAPHQL, REST, WEBHOOKS, Tally
from tests.sandbox.peer import SHOP, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.schemas import Json

REPO = "/repos/{owner}/{repo}"
NONE: dict[str, Any] = {"multi": []}
OPERATIONS = {
    f"{REPO}/commits": {"GET": NONE},
    f"{REPO}/commits/{{ref}}": {"GET": NONE},
    f"{REPO}/commits/{{ref}}/check-runs": {"GET": NONE},
    f"{REPO}/contents/{{path}}": {"GET": NONE, "PUT": NONE},
    f"{REPO}/compare/{{basehead}}": {"GET": NONE},
    f"{REPO}/compare/{{base}}...{{head}}": {"GET": NONE},
    f"{REPO}/branches/{{branch}}": {"GET": {"multi": ["branch"]}},
    f"{REPO}/labels/{{name}}": {"GET": NONE},
    f"{REPO}/pulls/{{pull_number}}": {"GET": NONE},
    f"{REPO}/pulls/comments": {"GET": NONE},
    "/app": {"GET": NONE},
}


class TestRouter:
    @pytest.mark.parametrize(
        ("path", "template", "last"),
        [
            pytest.param("/app", "/app", None, id="plain"),
            pytest.param("/repos/a/b/commits", f"{REPO}/commits", "b", id="no parameter at the end"),
            pytest.param("/repos/a/b/contents/x", f"{REPO}/contents/{{path}}", "x", id="one word"),
            pytest.param("/repos/a/b/contents/x/y%20z", f"{REPO}/contents/{{path}}", "x/y z", id="slashes"),
            pytest.param("/repos/a/b/commits/r/s", f"{REPO}/commits/{{ref}}", "r/s", id="a ref with slashes"),
            pytest.param(
                "/repos/a/b/commits/r/s/check-runs", f"{REPO}/commits/{{ref}}/check-runs", "r/s",
                id="a word behind a ref with slashes",
            ),
            pytest.param("/repos/a/b/compare/r/s...t", f"{REPO}/compare/{{basehead}}", "r/s...t", id="compare"),
            pytest.param("/repos/a/b/branches/r/s", f"{REPO}/branches/{{branch}}", "r/s", id="marked"),
            pytest.param("/repos/a/b/labels/r%2Fs", f"{REPO}/labels/{{name}}", "r/s", id="an escaped slash"),
            pytest.param("/repos/a/b/pulls/comments", f"{REPO}/pulls/comments", "b", id="literal first"),
        ],
    )  # fmt: skip
    def test_found(self, path: str, template: str, last: str | None) -> None:
        found = Router(OPERATIONS).find(path)

        assert found is not None
        assert found[0] == template
        assert next(reversed(found[1].values()), None) == last

    @pytest.mark.parametrize(
        "path",
        ["/", "", "/apps", "/app/", "/repos/a/b", "/repos/a/b/labels/r/s", "/repos/a/b/contents/",
         "/repos//b/commits", "/repos/a/b/pulls/1/x"],
    )  # fmt: skip
    def test_not_found(self, path: str) -> None:
        assert Router(OPERATIONS).find(path) is None


class TestSchemas:
    """A schema refuses what it does not name, wherever the names stand."""

    COMPONENTS: dict[str, Json] = {  # noqa: RUF012 - a table
        "user": {"type": "object", "properties": {"login": {"type": "string"}}, "required": ["login"]},
        "free": {"type": "object"},
        "list": {"type": "array", "items": {"$ref": "#/components/schemas/user"}},
    }
    USER: Json = {"$ref": "#/components/schemas/user"}  # noqa: RUF012 - a table

    @pytest.mark.parametrize(
        ("schema", "good", "bad"),
        [
            pytest.param(USER, {"login": "a"}, {"login": "a", "x": 1}, id="reference"),
            pytest.param(
                {"allOf": [USER, {"properties": {"x": {"type": "integer"}}}]},
                {"login": "a", "x": 1}, {"login": "a", "y": 1}, id="allOf",
            ),
            pytest.param({"oneOf": [USER, {"type": "string"}]}, "a", {"login": "a", "x": 1}, id="oneOf"),
            pytest.param(
                {"$ref": "#/components/schemas/list"}, [{"login": "a"}], [{"login": "a", "x": 1}], id="items"
            ),
            pytest.param({"$ref": "#/components/schemas/free"}, {"x": 1}, [], id="open"),
            pytest.param({"anyOf": [USER, {"type": "object"}]}, {"x": 1}, 1, id="open alternative"),
            pytest.param(
                {"type": "object", "additionalProperties": {"type": "string"}}, {"x": "1"}, {"x": 1}, id="map"
            ),
            pytest.param(
                {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
                {"a": 1}, {"b": 1}, id="named, and said to be open",
            ),
            pytest.param({"type": "string", "nullable": True}, None, 1, id="nullable"),
            pytest.param({"type": "string", "nullable": True, "enum": ["a"]}, None, "b", id="nullable enum"),
            pytest.param({"allOf": [USER], "nullable": True}, None, {"x": 1}, id="nullable reference"),
            pytest.param(
                {"type": "object", "properties": {"title": {"type": "string"}, "description": {"type": "string"}}},
                {"title": "a", "description": "b"}, {"title": 1}, id="properties that look like annotations",
            ),
            pytest.param(
                {"type": "object", "properties": {"nullable": {"type": "string"}}},
                {"nullable": "a"}, {"nullable": None}, id="a property called nullable",
            ),
        ],
    )  # fmt: skip
    def test_accepts_and_refuses(self, schema: Json, good: Any, bad: Any) -> None:
        whole = alone(convert(schema, self.COMPONENTS), converted(self.COMPONENTS))
        validator = Draft202012Validator(whole)

        assert [error.message for error in validator.iter_errors(good)] == []
        assert not validator.is_valid(bad)

    def test_only_what_is_reached_is_taken_along(self) -> None:
        made = alone(
            convert({"$ref": "#/components/schemas/list"}, self.COMPONENTS), converted(self.COMPONENTS)
        )

        assert sorted(made["$defs"]) == ["list", "user"]


class TestRecorder:
    def test_a_request_with_its_answer(self, tmp_path: Path) -> None:
        recorder = Recorder()
        with recorder.listening(), serving(tmp_path) as peer:
            token = peer.token()
            recorder.take()
            answer = peer.ask(
                "POST", f"/api/v3/repos/{SHOP}/labels%2Fx?a=1%202", token, content=b'{"name": "\xc3\xa9"}'
            )
            ((heard,), _) = recorder.take()

        assert (heard.method, heard.path, heard.query) == ("POST", f"/repos/{SHOP}/labels%2Fx", "a=1%202")
        assert heard.request_body == b'{"name": "\xc3\xa9"}'
        assert (heard.status, heard.response_body) == (404, answer.content)
        assert heard.content_type == answer.headers["content-type"]

    def test_a_cut_connection_is_a_request_without_an_answer(self, tmp_path: Path) -> None:
        import httpx

        recorder = Recorder()
        with recorder.listening(), serving(tmp_path) as peer:
            peer.server.faults.add("GET", "/users", "after-drop")
            with pytest.raises(httpx.TransportError):
                peer.ask("GET", "/users/mona")
        ((heard,), _) = recorder.take()

        assert (heard.path, heard.status, heard.response_body) == ("/users/mona", 0, b"")

    def test_webhooks_are_heard_as_they_are_sent(self, tmp_path: Path) -> None:
        recorder = Recorder()
        with recorder.listening(), serving(tmp_path) as peer:
            peer.feature()
            sent = [(one.event, one.body) for one in peer.world.hooks.deliveries]
        _, heard = recorder.take()

        assert heard == sent
        assert "pull_request" in {event for event, _ in heard}
        assert recorder.take() == ([], [])

    def test_outside_nothing_is_heard(self, tmp_path: Path) -> None:
        recorder = Recorder()
        with recorder.listening():
            pass
        with serving(tmp_path) as peer:
            peer.ask("GET", "/users/mona")
            peer.feature()

        assert recorder.take() == ([], [])


class TestTally:
    def tally(self) -> Tally:
        tally = Tally()
        tally.count(REST, "GET /b", "200", 0)
        tally.count(REST, "GET /a", "200", 0)
        tally.count(REST, "GET /a", "404", 2)
        tally.count(WEBHOOKS, "push", "", 0)
        tally.needed["refused"] += 1
        return tally

    def test_the_table(self) -> None:
        assert self.tally().lines(["refused", "server-error"]) == [
            "  seen viol  operation, and its statuses",
            "     2    2  GET /a  200:1 404:1",
            "     1    0  GET /b  200:1",
            "REST: 2 operations, 3 requests, 2 violations",
            "     1    0  push",
            "webhooks: 1 operations, 1 payloads, 0 violations",
            "GraphQL: 0 operations, 0 documents, 0 violations",
            "allowances needed: 1 of 2; not in this run: server-error",
        ]

    def test_of_two_processes(self) -> None:
        both, other = self.tally(), self.tally()
        other.count(GRAPHQL, "POST /graphql", "200", 1)
        both.add(other.told())

        assert both.seen[REST, "GET /a", "404"] == 2
        assert both.violations[REST, "GET /a"] == 4
        assert both.seen[GRAPHQL, "POST /graphql", "200"] == 1
        assert both.needed["refused"] == 2

    def test_a_run_without_the_referee_says_why(self) -> None:
        home = Tally()
        home.add(Tally(off="npm is not on this machine").told())

        assert home.lines() == ["OFF: npm is not on this machine"]

    def test_a_run_that_needed_no_referee_says_nothing(self) -> None:
        assert Tally().lines(["refused"]) == []
