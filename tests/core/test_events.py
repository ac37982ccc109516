"""What a delivery asks the bot to look at: nothing but names, and only where header and shape agree."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.checks import BUTTONS, Button, Press
from bot.core.events import DEEPEST, LARGEST, USED, parse, route
from bot.core.subject import Subject
from bot.core.usage import BY_VERB

APP = 4711
PERSON = {"login": "mona", "id": 3, "type": "User"}
OTHER_PERSON = {"login": "kim", "id": 4, "type": "User"}
ELSEWHERE = "https://attacker.invalid/steal"
BASE: dict[str, Any] = {
    "installation": {"id": 9},
    "repository": {"id": 77, "full_name": "shop/customer", "url": ELSEWHERE},
    "sender": {"login": "mona"},
}


def comment(**changes: Any) -> dict[str, Any]:
    return {
        **BASE,
        "action": "created",
        "issue": {"number": 3, "pull_request": {"url": ELSEWHERE}, "comments_url": ELSEWHERE},
        "comment": {"id": 1, "body": "/canary 25", "user": PERSON, "url": ELSEWHERE},
        **changes,
    }


def review(**changes: Any) -> dict[str, Any]:
    return {
        **BASE,
        "action": "submitted",
        "review": {"id": 1, "body": "/canary 25", "user": PERSON},
        "pull_request": {"number": 3},
        **changes,
    }


OURS = {"number": 3, "user": {"type": "Bot"}}


def pull(action: str = "opened", **changes: Any) -> dict[str, Any]:
    return {**BASE, "action": action, "number": 3, "pull_request": {"number": 3}, **changes}


SHA = "5" * 40
HERE = {"number": 3, "base": {"repo": {"id": 77}}}
OTHER = {"number": 4, "base": {"repo": {"id": 77}}}
ABROAD = {"number": 8, "base": {"repo": {"id": 1}}}


def check(event: str = "check_run", **changes: Any) -> dict[str, Any]:
    run = {"app": {"id": APP}, "head_sha": SHA, "pull_requests": [HERE, ABROAD]}
    return {**BASE, "action": "rerequested", event: {**run, **changes}}


def press(verb: str = "promote", sender: Any = PERSON, **changes: Any) -> dict[str, Any]:
    said = check(**{"name": "canary / gate", "external_id": "pull/3/gate-ok", **changes})
    return {**said, "action": "requested_action", "requested_action": {"identifier": verb}, "sender": sender}


def again(*what: str) -> tuple[tuple[Subject, str], ...]:
    return tuple((Subject(9, "shop/customer", f"checks/{SHA}{one}"), "check") for one in what)


def on_pull(why: str) -> tuple[tuple[Subject, str], ...]:
    return ((Subject(9, "shop/customer", "pull/3"), why),)


@pytest.mark.parametrize(
    ("event", "payload", "expected"),
    [
        pytest.param("issue_comment", comment(), on_pull("comment"), id="comment on a pull request"),
        pytest.param("pull_request_review", review(), on_pull("review"), id="review with a body"),
        *(
            pytest.param(
                "pull_request_review",
                review(
                    action=action, review={"body": None, "user": PERSON, "state": state}, pull_request=OURS
                ),
                on_pull("review"),
                id=f"{state} without a word, on a bot's pull request",
            )
            for action, state in (
                ("submitted", "approved"),
                ("submitted", "changes_requested"),
                ("dismissed", "dismissed"),
            )
        ),
        *(
            pytest.param("pull_request", pull(action), on_pull("pull"), id=f"pull request {action}")
            for action in ("opened", "synchronize", "reopened", "ready_for_review", "closed")
        ),
        pytest.param(
            "pull_request", pull("edited", changes={"base": {}}), on_pull("pull"), id="base branch changed"
        ),
        pytest.param("check_run", check(), again("/3"), id="our check is to run again, here only"),
        pytest.param("check_suite", check("check_suite"), again("/3"), id="all our checks of a commit"),
        pytest.param(
            "check_run",
            check(pull_requests=[], external_id="pull/7/gate-none"),
            again("/7"),
            id="check of a fork's or a closed pull request, which GitHub does not name",
        ),
        pytest.param(
            "check_run",
            check(external_id="pull/7/gate-none"),
            again("/3", "/7"),
            id="check of a commit that two pull requests had",
        ),
        pytest.param("check_run", check(pull_requests=[]), again(""), id="check that names no pull request"),
        pytest.param(
            "check_suite", check("check_suite", pull_requests=[]), again(""), id="checks of a fork's commit"
        ),
        pytest.param(
            "installation",
            {"action": "created", "installation": {"id": 9}, "repositories": [{"full_name": "a/b"}] * 2},
            ((Subject(9, "a/b", "repository"), "installation"),),
            id="App installed, each repository once",
        ),
        pytest.param(
            "installation_repositories",
            {
                "action": "added",
                "installation": {"id": 9},
                "repositories_added": [{"full_name": "a/b"}, {"full_name": "../x"}, 7],
            },
            ((Subject(9, "a/b", "repository"), "installation"),),
            id="repository added, broken entries left out",
        ),
    ],
)
def test_asks_for_a_look(
    event: str, payload: dict[str, Any], expected: tuple[tuple[Subject, str], ...]
) -> None:
    assert route(event, payload, app_id=APP) == expected


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        pytest.param("issue_comment", comment(action="edited"), id="edited comments never run"),
        pytest.param("issue_comment", comment(action="deleted"), id="deleted comment"),
        pytest.param("issue_comment", comment(issue={"number": 3}), id="comment on a plain issue"),
        pytest.param(
            "issue_comment", comment(issue={"number": 3, "pull_request": None}), id="pull_request is null"
        ),
        pytest.param(
            "issue_comment",
            comment(comment={"body": "/canary 25", "user": {"login": "x[bot]", "type": "Bot"}}),
            id="comment of a bot",
        ),
        pytest.param(
            "issue_comment",
            comment(comment={"body": "/x", "user": PERSON, "performed_via_github_app": {"id": APP}}),
            id="comment made through our own App",
        ),
        pytest.param(
            "issue_comment", comment(comment={"body": "/canary 25", "user": None}), id="author is gone"
        ),
        pytest.param("issue_comment", comment(comment={"body": None, "user": PERSON}), id="body is null"),
        pytest.param("issue_comment", comment(installation=None), id="no installation"),
        pytest.param("issue_comment", comment(installation={"id": "9"}), id="installation id is text"),
        pytest.param("issue_comment", comment(installation={"id": True}), id="installation id is true"),
        pytest.param(
            "issue_comment", comment(issue={"number": 3.0, "pull_request": {}}), id="number with a fraction"
        ),
        pytest.param("issue_comment", comment(issue={"number": 0, "pull_request": {}}), id="number zero"),
        pytest.param(
            "issue_comment", comment(issue={"number": 2**63, "pull_request": {}}), id="number too big"
        ),
        pytest.param("issue_comment", comment(repository={"full_name": "shop"}), id="name without owner"),
        pytest.param("issue_comment", comment(repository={"full_name": "a/.."}), id="name is a path"),
        pytest.param("issue_comment", comment(repository={"full_name": "a/b/c"}), id="name of three parts"),
        pytest.param("issue_comment", comment(repository={"full_name": "a/b\n"}), id="name with a line feed"),
        pytest.param("issue_comment", comment(repository={"full_name": "а/b"}), id="Cyrillic owner"),
        pytest.param("issue_comment", comment(repository={"full_name": "a/b\0"}), id="name with NUL"),
        pytest.param("issue_comment", review(), id="review sent as a comment"),
        pytest.param("pull_request", comment(), id="comment sent as a pull request"),
        pytest.param("pull_request", review(), id="review sent as a pull request"),
        pytest.param("pull_request_review", comment(), id="comment sent as a review"),
        pytest.param("pull_request_review", review(action="dismissed"), id="review dismissed elsewhere"),
        pytest.param(
            "pull_request_review",
            review(review={"body": "", "user": PERSON, "state": "approved"}),
            id="approval of a person's pull request",
        ),
        pytest.param(
            "pull_request_review",
            review(review={"body": "", "user": PERSON, "state": "commented"}, pull_request=OURS),
            id="remarks on lines alone",
        ),
        pytest.param(
            "pull_request_review",
            review(
                review={"body": "", "user": {**PERSON, "type": "Bot"}, "state": "approved"}, pull_request=OURS
            ),
            id="approval by a bot",
        ),
        pytest.param(
            "pull_request_review", review(review={"body": " ", "user": PERSON}), id="review without a body"
        ),
        pytest.param("pull_request", pull("labeled"), id="labelled"),
        pytest.param("pull_request", pull("edited", changes={"title": {}}), id="title changed"),
        pytest.param("pull_request", pull(number=4), id="two numbers that disagree"),
        pytest.param("check_run", check(app={"id": APP + 1}), id="check of another App"),
        pytest.param("check_run", check(head_sha="main"), id="check of no commit"),
        pytest.param("check_suite", check(), id="check sent as a suite"),
        pytest.param("check_run", check("check_suite"), id="suite sent as a check"),
        pytest.param(
            "check_suite", {**check("check_suite"), "action": "requested"}, id="GitHub made a suite by itself"
        ),
        pytest.param("check_run", press("merge"), id="button that there is not"),
        pytest.param("check_run", press(["promote"]), id="button without a name"),  # type: ignore[arg-type]
        pytest.param("check_run", press(app={"id": APP + 1}), id="button of another App"),
        pytest.param("check_run", press(name="canary / plan"), id="button of a check that has none"),
        pytest.param("check_run", press(head_sha=""), id="button of no commit"),
        pytest.param("check_run", press(sender={**PERSON, "type": "Bot"}), id="pressed by a bot"),
        pytest.param("check_run", press(sender=None), id="pressed by nobody"),
        pytest.param("check_run", press(sender={**PERSON, "id": None}), id="pressed by somebody without id"),
        pytest.param("check_run", press(sender={**PERSON, "login": "mona/9"}), id="login with a slash"),
        pytest.param("check_run", press(sender={**PERSON, "login": "mona[bot]"}), id="login of a bot"),
        pytest.param("check_run", press(sender={**PERSON, "login": "m\n"}), id="login with a line feed"),
        pytest.param("check_run", press(external_id="x", pull_requests=[]), id="of no pull request"),
        pytest.param("check_run", press(external_id="x", pull_requests=[ABROAD]), id="of one elsewhere"),
        pytest.param("check_run", press(external_id="x", pull_requests=[HERE, OTHER]), id="of one of two"),
        pytest.param("check_suite", press(), id="press sent as a suite"),
        pytest.param("check_run", {**check(), "action": "completed"}, id="check completed"),
        pytest.param("installation", {"action": "deleted", "installation": {"id": 9}}, id="App removed"),
        pytest.param("push", pull(), id="event that is not used"),
        pytest.param("", comment(), id="no event"),
    ],
)
def test_asks_for_nothing(event: str, payload: dict[str, Any]) -> None:
    assert route(event, payload, app_id=APP) == ()


class TestPress:
    """A press is known by its signed body: whatever the delivery is called, it is the same press."""

    def of(self, payload: dict[str, Any], at: datetime | None = None) -> Press:
        ((subject, why),) = route("check_run", payload, app_id=APP, at=at)
        found = Press.parse(subject.what)
        assert why == "button"
        assert found is not None
        assert found.what == subject.what
        return found

    def test_what_it_says(self) -> None:
        found = self.of(press("rollback"), datetime(2026, 3, 2, 12, tzinfo=UTC))
        assert (found.pull, found.verb, found.sha, found.user, found.login) == (3, "rollback", SHA, 3, "mona")
        assert found.at == 1_772_452_800
        assert (found.command, found.label) == ("/canary rollback", "Roll back")

    @pytest.mark.parametrize(
        ("changes", "number"),
        [
            pytest.param({}, 3, id="open"),
            pytest.param({"pull_requests": []}, 3, id="merged or closed: GitHub names none"),
            pytest.param({"pull_requests": [OTHER, HERE]}, 3, id="ours of two"),
            pytest.param({"pull_requests": [OTHER]}, 4, id="opened again under another number"),
            pytest.param({"external_id": ""}, 3, id="check of an older version of the bot"),
        ],
    )
    def test_its_pull_request(self, changes: dict[str, Any], number: int) -> None:
        assert self.of(press(**changes)).pull == number

    def test_the_same_body_is_the_same_press(self) -> None:
        body = json.dumps(press())
        assert self.of(dict(parse(body.encode()))).id == self.of(press()).id
        assert self.of(dict(reversed(press().items()))).id == self.of(press()).id

    def test_anything_else_in_the_body_is_another_press(self) -> None:
        pressed = [press(), press("hold"), press(external_id="pull/3/gate-ok~1"), press(sender=OTHER_PERSON)]
        assert len({self.of(p).id for p in pressed}) == len(pressed)

    def test_its_number_is_no_comments_and_fits_a_trailer(self) -> None:
        for verb in BUTTONS:
            assert 10**17 <= self.of(press(verb)).id < 10**18

    @pytest.mark.parametrize(
        "what",
        [
            "button",
            f"button/3/promote/{SHA}/1/0/3/mona",
            f"button/0/promote/{SHA}/{10**17}/0/3/mona",
            f"button/3/merge/{SHA}/{10**17}/0/3/mona",
            f"button/3/promote/main/{10**17}/0/3/mona",
            f"button/3/promote/{SHA}/{10**17}/0/3/mona/x",
            f"button/3/promote/{SHA}/{10**17}/0/3/mona\n",
        ],
    )
    def test_no_press(self, what: str) -> None:
        assert Press.parse(what) is None


class TestButtons:
    """GitHub takes three buttons of at most 20, 40 and 20 characters."""

    def test_each_is_a_verb(self) -> None:
        assert all(name in BY_VERB for name in BUTTONS)

    @pytest.mark.parametrize(
        "texts", [("x" * 21, "y", "z"), ("x", "y" * 41, "z"), ("x", "y", "z" * 21), ("",) * 3]
    )
    def test_too_long(self, texts: tuple[str, str, str]) -> None:
        with pytest.raises(ValueError, match="Button"):
            Button(*texts)


def test_checks_are_left_alone_while_the_app_is_unknown() -> None:
    assert route("check_run", check(), app_id=None) == ()
    assert route("check_run", press(), app_id=None) == ()


def test_our_own_comments_are_recognised_by_two_signs() -> None:
    """The account type says Bot, and the App is named: either is enough."""
    via_us = comment(comment={"body": "x", "user": PERSON, "performed_via_github_app": {"id": APP}})
    assert route("issue_comment", via_us, app_id=None) == on_pull("comment")  # nobody knows who "us" is
    assert route("issue_comment", via_us, app_id=APP) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = (
    "action",
    "issue",
    "comment",
    "review",
    "pull_request",
    "number",
    "repository",
    "installation",
    "check_run",
    "check_suite",
    "requested_action",
    "sender",
)


class TestRoute:
    """Whatever stands in a payload, routing answers, and only with names that have GitHub's grammar."""

    @given(
        event=st.sampled_from(sorted(USED)),
        kind=st.sampled_from([comment(), review(), pull(), check(), check("check_suite"), press()]),
        changes=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=3),
    )
    def test_any_change_of_a_payload(self, event: str, kind: dict[str, Any], changes: dict[str, Any]) -> None:
        for subject, why in route(event, {**kind, **changes}, app_id=APP):
            assert subject.repository.isascii()
            assert subject.repository.count("/") == 1
            kind_of, _, rest = subject.what.partition("/")
            assert {
                "repository": rest == "",
                "pull": rest.isdecimal(),
                "checks": re.fullmatch(rf"{SHA}(/\d+)?", rest) is not None,
                "button": Press.parse(subject.what) is not None,
            }[kind_of]
            assert why in {"comment", "review", "pull", "check", "button", "installation"}

    @given(payload=st.dictionaries(st.sampled_from(KEYS), JSON))
    def test_anything_at_all(self, payload: dict[str, Any]) -> None:
        for event in USED:
            route(event, payload, app_id=APP)

    @given(where=st.sampled_from(["issue", "comment", "repository", "sender"]))
    def test_no_address_of_a_payload_is_used(self, where: str) -> None:
        payload = comment()
        payload[where] = {**payload[where], "url": ELSEWHERE, "html_url": ELSEWHERE}
        assert "attacker" not in repr(route("issue_comment", payload, app_id=APP))


class TestParse:
    """One guarded function reads what strangers send; it raises ``ValueError`` and nothing else."""

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"[]", id="an array at the top"),
            pytest.param(b"25", id="a number at the top"),
            pytest.param(b"null", id="null at the top"),
            pytest.param(b"[" * 100_000, id="100,000 arrays"),
            pytest.param(b'{"a":' * 100_000, id="100,000 objects"),
            pytest.param(b'{"a":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}", id="one level too deep"),
            pytest.param(b'{"a":' + b"9" * 5_000 + b"}", id="5,000 digits"),
            pytest.param(b'{"a":1e' + b"9" * 5_000 + b"}", id="5,000 digits of an exponent"),
            pytest.param(b'{"a":NaN}', id="NaN"),
            pytest.param(b'{"a":-Infinity}', id="minus infinity"),
            pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
            pytest.param(b'\xef\xbb\xbf{"a":1}', id="byte-order mark"),
            pytest.param(b'{"a":"\xe9"}', id="Latin-1"),
            pytest.param(b'{"a":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
            pytest.param(b'{"a":1} {"b":2}', id="two objects"),
            pytest.param(b'{"a":"' + b'\\"' * 400_000 + b"\\", id="a string that never ends"),
            pytest.param(b"payload=%7B%7D", id="a form"),
            pytest.param(b" " * (LARGEST + 1), id="one byte too many"),
        ],
    )
    def test_refused(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse(body)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param('{"body": "/canary 25\\u0000"}', id="NUL"),
            pytest.param('{"body": "\\ud800"}', id="a lone surrogate"),
            pytest.param('{"body": "[[[[{{{{"}', id="brackets in a string"),
            pytest.param('{"body": "\\"[\\\\"}', id="escaped quotes and backslashes"),
            pytest.param('{"a":' + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1) + "}", id="just not too deep"),
            pytest.param('{"id": ' + "9" * 19 + "}", id="the longest id"),
        ],
    )
    def test_read(self, text: str) -> None:
        assert parse(text.encode()) == json.loads(text)

    @given(value=st.dictionaries(st.text(), JSON))
    def test_reads_what_json_reads(self, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        try:
            assert parse(body) == value
        except ValueError as error:
            assert "number" in str(error)  # noqa: PT017 - generated integers may be longer than any id

    @given(body=st.binary(max_size=200) | st.text('[]{}"\\:,0123456789eE.-tfn ').map(str.encode))
    def test_any_bytes(self, body: bytes) -> None:
        try:
            value = parse(body)
        except ValueError:
            return
        assert isinstance(value, dict)

    def test_nul_and_surrogates_are_inert(self) -> None:
        payload = parse(
            json.dumps(comment(comment={"body": "/canary 25\0\ud800", "user": PERSON})).encode("ascii")
        )
        assert route("issue_comment", payload, app_id=APP) == on_pull("comment")
