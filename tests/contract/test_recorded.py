"""Lane D: the sandbox answers as the real GitHub was recorded to answer."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.packages import needed
from tests.contract.recorded import Operation, Recording, of_operations, operation_of, operations, recordings
from tests.contract.recorded_referee import OBJECTIONS, judged, reason_of
from tests.contract.recorded_shapes import described, differences
from tests.contract.recorded_table import PAGE, filled
from tests.contract.recorded_texts import texts, years
from tests.contract.recorded_tolerated import KEYS, REFUSALS, STATUSES
from tests.contract.recorded_verdict import Verdict, examples, message_of, played, verdicts, webhook_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_FLAGGED = 145  # of 318; a stricter referee, or other recordings, may change it knowingly


@pytest.fixture(scope="module")
def every() -> tuple[Verdict, ...]:
    return needed(verdicts)


@pytest.fixture(scope="module")
def hooks() -> tuple[Verdict, ...]:
    return needed(webhook_verdicts)


class TestReader:
    """The recordings are read whole."""

    def test_all_exchanges_are_read(self) -> None:
        found = needed(recordings)
        ours = [one for one in found if not one.source.startswith("github3/")]
        assert (len(ours), len(found)) == (2382, 3441)

    def test_a_recording_is_what_the_file_says(self) -> None:
        (put,) = (
            one for one in needed(recordings) if one.source == "PullRequest.testMerge" and one.method == "PUT"
        )
        assert put.path == "/repos/PyGithub/PyGithub/pulls/31/merge"
        assert (put.status, put.year, put.sent) == (200, 2012, {})
        assert put.body["merged"] is True
        assert put.headers["content-type"] == "application/json; charset=utf-8"

    @pytest.mark.parametrize(
        ("method", "path", "expected"),
        [
            pytest.param("GET", "/repos/o/r", "GET /repos/{owner}/{repo}", id="plain"),
            pytest.param("GET", "/repositories/7", "GET /repos/{owner}/{repo}", id="by id"),
            pytest.param(
                "GET",
                "/repositories/7/issues/1/labels",
                "GET /repos/{owner}/{repo}/issues/{number:int}/labels",
                id="below an id",
            ),
            pytest.param(
                "GET",
                "/repos/o/r/branches/a/b",
                "GET /repos/{owner}/{repo}/branches/{branch:path}",
                id="slash in a branch",
            ),
            pytest.param(
                "GET",
                "/repos/o/r/branches/a/protection",
                "GET /repos/{owner}/{repo}/branches/{branch:path}/protection",
                id="protection is no part of a branch's name",
            ),
            pytest.param(
                "GET", "/repos/o/r/branches/a/protection/enforce_admins", "None", id="not served below"
            ),
            pytest.param("GET", "/repos/o/r/commits/a/comments", "None", id="not served below a commit"),
            pytest.param("PUT", "/repos/o/r", "None", id="another method"),
            pytest.param("GET", "/repos/o/r/issues/x", "None", id="no number"),
        ],
    )
    def test_operation_of_a_path(self, method: str, path: str, expected: str) -> None:
        assert str(operation_of(method, path)) == expected


class TestOperations:
    """Same operation: same statuses, same keys, same refusals."""

    def test_every_operation_is_asked(self) -> None:
        assert [str(one) for one in operations() if one not in played().answers] == []

    def test_nothing_differs_without_a_reason(self, every: tuple[Verdict, ...]) -> None:
        assert [finding.sentence for verdict in every for finding in verdict.wrong] == []

    def test_a_condition_that_holds_is_answered_with_304(self) -> None:
        asked = [one for ones in played().answers.values() for one in ones if one.operation.method == "GET"]
        assert {str(one.operation) for one in asked if one.status == 200 and one.unchanged != 304} == set()

    def test_most_operations_were_recorded(self, every: tuple[Verdict, ...]) -> None:
        lacking = [verdict.where for verdict in every if not verdict.recorded]
        assert len(lacking) < len(every) / 5, lacking


class TestRefusals:
    """A refusal has the shape that recorded ones have."""

    @staticmethod
    def _recorded() -> list[Recording]:
        found = [one for one in needed(recordings) if one.status >= 400 and message_of(one)]
        assert len(found) > 80
        return found

    def test_keys(self) -> None:
        found = self._recorded()
        newest = max(one.year for one in found)
        always = frozenset.intersection(*(frozenset(one.body) for one in found if one.year == newest))
        ever = frozenset[str]().union(*(one.body for one in found))
        assert always == {"message", "documentation_url", "status"}
        for name, answer in played().refusals.items():
            assert always <= answer.body.keys() <= ever, name
            assert answer.body["status"] == str(answer.status), name

    def test_keys_of_errors(self) -> None:
        listed = [error for one in self._recorded() for error in one.body.get("errors", [])]
        assert {type(error) for error in listed} == {dict, str}
        allowed = frozenset[str]().union(*(error for error in listed if isinstance(error, dict)))
        needed_keys = frozenset.intersection(*(frozenset(e) for e in listed if isinstance(e, dict)))
        ours = [error for answer in played().refusals.values() for error in answer.body.get("errors", [])]
        assert ours
        for error in ours:
            assert needed_keys - {"message"} <= error.keys() <= allowed

    def test_a_sentence_that_github_said_is_kept(self) -> None:
        """These were recorded; who rewords one in the sandbox loses the evidence."""
        known = {text.words for text in texts() if needed(lambda text=text: years(text))}  # type: ignore[misc]
        assert known >= {
            "Bad credentials",
            "Branch not found",
            "Branch not protected",
            "Must have push access to view collaborator permission.",
            "Must have … rights to Repository.",
            "Not Found",
            "Problems parsing JSON",
            "Required status checks not enabled",
            "Resource not accessible by integration",
            "The permissions requested are not granted to this installation.",
            "Validation Failed",
        }


class TestWebhooks:
    """Webhooks have the keys of GitHub's examples."""

    def test_nothing_differs_without_a_reason(self, hooks: tuple[Verdict, ...]) -> None:
        assert [finding.sentence for verdict in hooks for finding in verdict.wrong] == []

    def test_most_have_examples(self, hooks: tuple[Verdict, ...]) -> None:
        assert [verdict.where for verdict in hooks if not verdict.recorded] == ["pull_request/edited"]

    def test_no_example_is_of_a_comment_on_a_pull_request(self) -> None:
        found = needed(examples)["issue_comment"]
        assert len(found) == 9
        assert not [
            one for one in found if "pull_request" in one["issue"] or "/pull/" in one["issue"]["html_url"]
        ]
        assert {one["comment"]["author_association"] for one in found} == {"OWNER"}

    def test_no_example_is_of_a_pull_request_from_a_fork(self) -> None:
        found = [one["pull_request"] for one in needed(examples)["pull_request"]]
        assert len(found) == 29
        assert {one["head"]["repo"]["id"] == one["base"]["repo"]["id"] for one in found} == {True}


class TestTolerated:
    """The list of tolerated differences has no entry that nothing needs."""

    def test_keys(self, every: tuple[Verdict, ...], hooks: tuple[Verdict, ...]) -> None:
        found = [
            f.difference for v in every + hooks for f in v.findings if f.difference and not f.difference.rule
        ]
        unused = [
            (entry.where, key)
            for entry in KEYS
            for key in entry.keys or ("",)
            if not any(entry.covers(d.where, d.place, d.key) and key in {"", d.key} for d in found)
        ]
        assert unused == []

    def test_statuses(self) -> None:
        found = needed(of_operations)
        unused = [
            entry
            for entry in STATUSES
            for status in entry.statuses
            if not any(
                entry.covers(str(op), one.status) and one.status == status
                for op, ones in found.items()
                for one in ones
            )
        ]
        assert unused == []
        answered = {(str(op), one.status) for op, ones in played().answers.items() for one in ones}
        assert not [(entry, at) for entry in STATUSES for at in answered if entry.covers(*at)]

    def test_refusals(self) -> None:
        found = {
            message_of(one) for ones in needed(of_operations).values() for one in ones if one.status >= 400
        }
        said = {answer.body["message"] for answer in played().refusals.values()}
        for entry in REFUSALS:
            assert any(entry.covers(message) for message in found), entry
            assert not any(entry.covers(message) for message in said), entry

    def test_reasons_are_sentences(self) -> None:
        for entry in (*KEYS, *STATUSES, *REFUSALS, *OBJECTIONS):
            assert len(entry.reason) > 20, entry


class TestReferee:
    """What the referee of lane C says of the real GitHub."""

    def test_every_objection_is_understood(self) -> None:
        assert {said for _, said in needed(judged).objections if reason_of(said) is None} == set()

    def test_every_reason_is_needed(self) -> None:
        used = {reason_of(said) for _, said in needed(judged).objections}
        assert [entry for entry in OBJECTIONS if entry not in used] == []

    def test_it_objects_to_few(self) -> None:
        found = needed(judged)
        assert found.recordings > 300
        assert found.flagged <= MOST_FLAGGED


class TestPage:
    """The page in the docs says what the tests find."""

    def test_up_to_date(self, every: tuple[Verdict, ...]) -> None:
        assert every
        page = PAGE.read_text("utf-8")
        assert page == filled(page), "python -m tests.contract.recorded_table --write"


class TestItself:
    """The comparison finds what it should: an answer spoiled on purpose is seen."""

    PULL = Operation("GET", "/repos/{owner}/{repo}/pulls/{number:int}")

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            pytest.param(lambda body: body.pop("head"), ".: missing head", id="key lost"),
            pytest.param(lambda body: body["head"].pop("sha"), "head: missing sha", id="key below lost"),
            pytest.param(lambda body: body.update(invented=1), ".: invented invented", id="key made up"),
            pytest.param(
                lambda body: body["base"]["repo"]["owner"].update(x=1),
                "base.repo.owner: invented x",
                id="deep",
            ),
        ],
    )
    def test_a_spoiled_answer(self, change: Callable[[Any], Any], expected: str) -> None:
        bodies = [copy.deepcopy(one.body) for one in played().answers[self.PULL]]
        for body in bodies:
            change(body)
        theirs = [(one.year, one.body) for one in needed(of_operations)[self.PULL] if one.status == 200]
        told = needed(lambda: described("/repos/{owner}/{repo}/pulls/{pull_number}", "GET"))
        found = [str(one) for one in differences("it", theirs, bodies, told) if not one.rule]
        assert [sentence for sentence in found if expected in sentence]
