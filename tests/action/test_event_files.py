"""Broken event files, and files of another shape: a clear sentence, no request, no trace of Python's."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.action.runner import Event
from tests.entry.test_action_event import CHANGES, NAMES, changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.action.conftest import Town
    from tests.action.runner import Ran, Shop


@dataclass(frozen=True, repr=False)  # its repr is long, and Hypothesis warns of that instead of what failed
class Office:
    shop: Shop
    events: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def office(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A repository with a pull request, and the events that GitHub made of it."""
    shop = town.shop(tmp_path_factory.mktemp("office"))
    shop.feature()
    opened = shop.last.event.payload
    said = shop.event_of(1, "/lgtm").payload
    shop.run.world.review(shop.repo, 1, "/lgtm", by="kim")
    (review,) = shop.runner.events()
    shop.runner.run(
        review
    )  # the first look at a pull request writes its checks; a later one has no reason to
    yield Office(shop, {"pull_request": opened, "issue_comment": said, "pull_request_review": review.payload})
    assert town.server.errors == []


def ends_well(ran: Ran) -> None:
    """It said what it did, or why it did nothing, and wrote nothing."""
    assert ran.status in {0, 1}
    assert ran.err == ""
    assert "raceback" not in ran.out
    assert "bug of the bot" not in ran.out
    assert ran.writes == []
    assert ran.outputs["summary"]
    assert (ran.status == 1) is (ran.decision in {"failed", "declined"})


BROKEN = [
    pytest.param(b"", "cannot be used", id="empty"),
    pytest.param(b"not JSON ::error::PWNED", "cannot be used", id="not JSON"),
    pytest.param(b'{"a": "' + b"x" * 2_000_000 + b'"}', "too large", id="two megabytes"),
    pytest.param(b"[" * 100_000 + b"]" * 100_000, "nested too deeply", id="nested"),
    pytest.param(
        b'{"repository": {"full_name": "acme/other"}}', "another repository", id="another repository"
    ),
    pytest.param(b'{"repository": {"full_name": "\\ud800"}}', "another repository", id="a lone surrogate"),
    pytest.param(b"\xed\xa0\x80", "cannot be used", id="surrogates in bytes"),
]


@pytest.mark.parametrize(("raw", "why"), BROKEN)
def test_broken(shop: Shop, raw: bytes, why: str) -> None:
    ran = shop.runner.run(Event("issue_comment", raw))
    assert (ran.status, ran.decision, ran.requests) == (1, "failed", ())
    assert why in ran.outputs["summary"]
    (error,) = ran.log.commands
    assert (error.name, why in error.data) == ("error", True)
    assert "PWNED" not in ran.out


def test_missing(shop: Shop) -> None:
    ran = shop.runner.run(Event("issue_comment", {}), GITHUB_EVENT_PATH="/nowhere/at/all.json")
    assert (ran.status, ran.requests) == (1, ())
    assert "names no file" in ran.outputs["summary"]


@pytest.mark.parametrize(
    "name", ["a", "a/b/c", "../x", "acme/shop\n::error::x", "acme/$(id)", "acme/x?y", "@/#"]
)
def test_a_repository_that_is_none(shop: Shop, name: str) -> None:
    event = Event("schedule", {})
    ran = shop.runner.run(event, GITHUB_REPOSITORY=name)
    assert (ran.status, ran.decision, ran.requests) == (1, "failed", ())
    assert ran.outputs["summary"] == "A repository is named owner/name."
    assert len(ran.log.commands) == 1


def test_surrogates_in_titles_and_comments(shop: Shop) -> None:
    shop.feature()
    event = shop.event_of(1, "/canary 25")
    payload = copy.deepcopy(event.payload)
    payload["issue"]["title"] = payload["comment"]["body"] = "\ud800/canary 25\udfff"
    ran = shop.runner.run(Event("issue_comment", json.dumps(payload).encode()))
    assert (ran.status, ran.writes, ran.decision) == (0, [], "none")
    payload["comment"]["body"] = "/canary 25 \ud800"
    ran = shop.runner.run(Event("issue_comment", json.dumps(payload).encode()))
    assert (ran.status, ran.outputs["code"]) == (0, "applied")  # what counts is the comment on GitHub


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    which=st.sampled_from(("pull_request", "issue_comment", "pull_request_review")),
    changes=CHANGES,
    name=st.sampled_from(NAMES),
)
def test_of_another_type_anywhere(
    office: Office, which: str, changes: list[tuple[list[int], Any]], name: str
) -> None:
    whole = changed(office.events[which], changes)
    ends_well(office.shop.runner.run(Event(name, json.dumps(whole).encode())))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=300), name=st.sampled_from(NAMES))
def test_any_bytes(office: Office, raw: bytes, name: str) -> None:
    ran = office.shop.runner.run(Event(name, raw))
    assert (ran.status, ran.decision, ran.requests) == (1, "failed", ())
