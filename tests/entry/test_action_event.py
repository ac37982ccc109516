"""What an event asks for: a table, and whatever else may stand in an event file."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.comment import command_lines
from bot.entry.action.event import EventUnusable, GoOn, Judge, Look, Nothing, _may_command, read
from bot.ports import Subject

REPO = "acme/shop"
MONA = {"id": 7, "login": "mona", "type": "User"}
APP = {"id": 15368, "slug": "github-actions"}
SHA = "0123456789abcdef0123456789abcdef01234567"
AT = "2026-03-02T09:00:00Z"


def event(**more: Any) -> dict[str, Any]:
    return {"repository": {"id": 3, "full_name": REPO}, "sender": MONA, **more}


def commented(body: Any = "/canary 25", action: str = "created", **more: Any) -> dict[str, Any]:
    comment = {"id": 5, "body": body, "user": MONA, "created_at": AT, **more}
    return event(action=action, issue={"number": 1, "pull_request": {"url": ""}}, comment=comment)


def reviewed(body: Any = "/canary 25", action: str = "submitted") -> dict[str, Any]:
    review = {"id": 6, "body": body, "user": MONA, "submitted_at": AT}
    return event(action=action, review=review, pull_request={"number": 2})


def pulled(action: str, number: Any = 3, **more: Any) -> dict[str, Any]:
    return event(action=action, number=number, pull_request={"number": number, "head": {"sha": SHA}}, **more)


def checked(action: str, slug: str = "github-actions", **more: Any) -> dict[str, Any]:
    run = {"id": 9, "name": "canary / gate", "head_sha": SHA, "external_id": "", "app": {**APP, "slug": slug}}
    run["pull_requests"] = [{"number": 4, "base": {"repo": {"id": 3}}}]
    return event(action=action, check_run=run, **more)


@pytest.fixture
def asked(tmp_path: Path) -> Any:
    """Read an event as a job would have it."""

    def ask(name: str, payload: object, *, repo: str = REPO, slug: str = "github-actions") -> Any:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        (tmp_path / "event.json").write_bytes(raw)
        environ = {
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
            "GITHUB_REPOSITORY": repo,
        }
        return read(environ, slug=slug)

    return ask


def look(what: str, why: str, comment: str = "", said_at: str = "") -> Look:
    return Look(REPO, ((Subject(1, REPO, what), why),), comment, said_at)


@pytest.mark.parametrize(
    ("name", "payload", "wanted"),
    [
        pytest.param(
            "issue_comment", commented(), look("pull/1", "comment", "comment/5", AT), id="a command"
        ),
        pytest.param(
            "issue_comment",
            commented("Hm\r\n\r\n  /canary 25"),
            look("pull/1", "comment", "comment/5", AT),
            id="further down",
        ),
        pytest.param(
            "issue_comment", commented(created_at=5), look("pull/1", "comment"), id="without a time"
        ),
        pytest.param(
            "pull_request_review", reviewed(), look("pull/2", "review", "review/6", AT), id="a review"
        ),
        pytest.param("pull_request", pulled("opened"), Judge(REPO, 3, SHA), id="opened"),
        pytest.param("pull_request", pulled("synchronize"), Judge(REPO, 3, SHA), id="pushed to"),
        pytest.param("pull_request", pulled("closed"), look("pull/3", "pull"), id="closed"),
        pytest.param("check_run", checked("rerequested"), look(f"checks/{SHA}/4", "check"), id="re-run"),
        *(
            pytest.param(name, b"not even JSON", GoOn(REPO), id=name)
            for name in ("push", "schedule", "workflow_dispatch", "repository_dispatch")
        ),
    ],
)
def test_work(asked: Any, name: str, payload: object, wanted: object) -> None:
    assert asked(name, payload) == wanted


@pytest.mark.parametrize(
    ("name", "payload", "why"),
    [
        pytest.param("issue_comment", commented("Fine"), "conversation", id="conversation"),
        pytest.param("issue_comment", commented(""), "conversation", id="empty"),
        pytest.param("issue_comment", commented(None), "conversation", id="no body"),
        pytest.param("issue_comment", commented(["/canary 25"]), "conversation", id="a list as body"),
        pytest.param("issue_comment", commented(action="edited"), "edited comment never", id="edited"),
        pytest.param("issue_comment", commented(action="deleted"), "edited comment never", id="deleted"),
        pytest.param(
            "issue_comment",
            commented(user={"id": 8, "login": "x[bot]", "type": "Bot"}),
            "not a person's",
            id="a bot",
        ),
        pytest.param(
            "issue_comment", commented() | {"issue": {"number": 1}}, "not a person's", id="an issue"
        ),
        pytest.param("pull_request_review", reviewed(None), "conversation", id="a review without words"),
        pytest.param("pull_request_review", reviewed(action="dismissed"), "edited", id="a dismissal"),
        pytest.param("pull_request", pulled("labeled"), "not one that", id="labelled"),
        pytest.param("pull_request", event(action="closed"), "names no pull request", id="closed, nothing"),
        pytest.param("check_run", checked("rerequested", "other"), "another App's", id="another App's check"),
        pytest.param("check_run", checked("completed"), "asks for work", id="a check that is done"),
        pytest.param("check_suite", event(action="rerequested"), "another App's", id="no suite"),
        pytest.param("workflow_run", event(action="completed"), "not one that", id="another event"),
        pytest.param("fork", event(), "not one that", id="no action"),
    ],
)
def test_no_work(asked: Any, name: str, payload: object, why: str) -> None:
    found = asked(name, payload)
    assert isinstance(found, Nothing)
    assert why in found.why


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        pytest.param(b"", "cannot be used", id="empty"),
        pytest.param(b"{", "cannot be used", id="cut off"),
        pytest.param(b"[]", "not an object", id="a list"),
        pytest.param(b"\xff\xfe{}", "cannot be used", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="nested"),
        pytest.param(b'{"a":' * 100_000, "nested too deeply", id="nested objects"),
        pytest.param(b'{"a": "' + b"x" * 2_000_000 + b'"}', "too large", id="two megabytes"),
        pytest.param(b'{"a": ' + b"9" * 5_000 + b"}", "number that is too long", id="a long number"),
        pytest.param(b'{"a": NaN}', "not JSON", id="no number"),
        pytest.param(b"{}", "another repository", id="no repository"),
        pytest.param(
            json.dumps(commented() | {"repository": {"full_name": "acme/other"}}).encode(),
            "another repository",
            id="another repository",
        ),
    ],
)
def test_unusable(asked: Any, payload: bytes, why: str) -> None:
    with pytest.raises(EventUnusable, match=why):
        asked("issue_comment", payload)


@pytest.mark.parametrize("path", ["", ".", "/nowhere/event.json", "a\0b"])
def test_no_file(path: str) -> None:
    environ = {"GITHUB_EVENT_NAME": "issue_comment", "GITHUB_EVENT_PATH": path, "GITHUB_REPOSITORY": REPO}
    with pytest.raises(EventUnusable, match=r"event file|no file that can be read"):
        read(environ, slug="github-actions")


@pytest.mark.parametrize("missing", ["GITHUB_EVENT_NAME", "GITHUB_REPOSITORY"])
def test_no_workflow(missing: str) -> None:
    environ = {"GITHUB_EVENT_NAME": "schedule", "GITHUB_REPOSITORY": REPO}
    with pytest.raises(EventUnusable, match="inside a workflow"):
        read(environ | {missing: ""}, slug="github-actions")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
# Where a value goes (one number for each level, taken round the keys there), and the value. What is drawn does
# not depend on the payload, which differs between machines and runs.
CHANGES = st.lists(
    st.tuples(st.lists(st.integers(0, 999), min_size=1, max_size=4), ANYTHING), min_size=1, max_size=3
)
NAMES = ("issue_comment", "pull_request_review", "pull_request", "check_run", "check_suite", "fork")


def changed(payload: dict[str, Any], changes: list[tuple[list[int], Any]]) -> dict[str, Any]:
    """A copy of the payload with other values in those places."""
    whole = copy.deepcopy(payload)
    for path, value in changes:
        inner = whole
        for level, number in enumerate(path, start=1):
            key = sorted(inner)[number % len(inner)]
            if level < len(path) and isinstance(inner[key], dict) and inner[key]:
                inner = inner[key]
                continue
            inner[key] = copy.deepcopy(value)
            break
    return whole


class TestAnythingAnywhere:
    """Whatever type stands wherever in an event file: work, no work, or unusable, and nothing of its text."""

    @given(
        whole=st.sampled_from(
            [commented(), reviewed(), pulled("opened"), pulled("closed"), checked("rerequested")]
        ),
        changes=CHANGES,
        name=st.sampled_from(NAMES),
    )
    def test_of_another_type(
        self, whole: dict[str, Any], changes: list[tuple[list[int], Any]], name: str
    ) -> None:
        self._read(name, json.dumps(changed(whole, changes)).encode())

    @given(raw=st.binary(max_size=200), name=st.sampled_from(NAMES))
    def test_of_any_bytes(self, raw: bytes, name: str) -> None:
        self._read(name, raw)

    def _read(self, name: str, raw: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "event.json"
            path.write_bytes(raw)
            environ = {
                "GITHUB_EVENT_NAME": name,
                "GITHUB_EVENT_PATH": str(path),
                "GITHUB_REPOSITORY": REPO,
            }
            try:
                found = read(environ, slug="github-actions")
            except EventUnusable:
                return
            assert isinstance(found, Nothing | Look | Judge)


class TestMayCommand:
    """What is no work here is conversation to the parser, too."""

    @given(
        st.lists(
            st.sampled_from(
                [
                    "/canary 25",
                    "／canary",
                    "\u29f8canary",
                    "\u00ad/canary 1",
                    "\ufeff",
                    "\n",
                    "\r",
                    " ",
                    "   ",
                    "\t",
                    "> ",
                    "x",
                    "/",
                    "`",
                    "\u2028",
                    "\u200b\u200b",
                    "- ",
                    "\0",
                    "&#47;canary",
                ]
            ),
            max_size=12,
        ).map("".join)
    )
    def test_no_candidate_is_missed(self, body: str) -> None:
        if command_lines(body):
            assert _may_command(body)

    @pytest.mark.parametrize(
        "body", ["\n" * 65_000, " \n" * 30_000, "\u200b" * 65_000, "\n\u200b" * 30_000, "\r" * 65_000]
    )
    def test_a_line_is_read_once(self, body: str) -> None:
        """Quadratic, the longest of these would take minutes: pytest's limit ends that."""
        assert not _may_command(body)
