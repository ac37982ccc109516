"""Which of a run's results is told where, and that no foreign word lives in it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.outcome import Decision, Outcome, declined
from bot.core.problems import Declined, Problem
from bot.entry.action import summary
from bot.entry.action.agenda import Failed
from bot.entry.action.files import OUTPUTS
from bot.entry.action.summary import CAVEATS, FORBIDDEN, NOT_PERMITTED, Run
from bot.ports import Annotation, Check, Subject
from bot.service.converge import Progress
from bot.service.journal import Answered, Followed, Stuck
from bot.service.reading import Service
from tests.scenarios.inert import live

WEB = "https://github.example/acme/shop"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CUSTOMER = Service("main", "apps/customer.yaml", "shop/customer")
PULL = Subject(1, "acme/shop", "pull/1")
DONE = Outcome(
    "done", "applied", "Committed.", verb="canary", service="customer", rollout="customer-1", step="1/3"
)
SHOWN = Outcome("answered", "shown", "State.", verb="canary status")


def answered(*outcomes: Outcome, comment: str = "comment/5", pull: int = 1) -> Answered:
    return Answered(pull, comment, outcomes or (DONE,))


def refused(source: str, code: str = "not-mergeable") -> Outcome:
    return declined(Problem(code, "GitHub refuses the change.", source=source), verb="canary")


def told(run: Run) -> tuple[str, str, str]:
    found = summary.outputs(run)
    assert tuple(found) == OUTPUTS
    return found["decision"], found["code"], found["pull-request"]


class TestOutputs:
    def test_the_events_own_comment_comes_first(self) -> None:
        others = answered(SHOWN, comment="comment/4", pull=7)
        run = Run(WEB, "comment/5", entries=(others, answered(), Followed(CUSTOMER, Progress(None))))
        assert summary.outputs(run) == {
            "decision": "done",
            "code": "applied",
            "service": "customer",
            "rollout": "customer-1",
            "step": "1/3",
            "pull-request": "1",
            "summary": "done: applied, customer 1/3",
        }

    def test_the_last_answer_to_it_counts(self) -> None:
        assert told(Run(WEB, "comment/5", entries=(answered(SHOWN), answered()))) == ("done", "applied", "1")

    def test_what_went_wrong_counts_more_than_what_went_well(self) -> None:
        bad = declined(Problem("not-allowed", "No."), verb="promote")
        assert told(Run(WEB, "comment/5", entries=(answered(DONE, bad),)))[:2] == ("declined", "not-allowed")

    def test_the_pull_request_that_was_opened(self) -> None:
        opened = Outcome("done", "proposed", "Proposed.", verb="canary", pull=9)
        assert told(Run(WEB, "comment/5", entries=(answered(opened),))) == ("done", "proposed", "9")

    def test_comments_that_were_left_behind(self) -> None:
        one = answered(SHOWN, comment="comment/4")
        assert told(Run(WEB, entries=(one,)))[:2] == ("answered", "shown")
        assert told(Run(WEB, entries=(one, answered())))[0] == "done"
        assert summary.headline(Run(WEB, entries=(one, answered()))) == "2 comments answered"

    def test_nothing(self) -> None:
        assert told(Run(WEB)) == ("none", "", "")
        assert summary.headline(Run(WEB)) == "Nothing was due."

    def test_failures(self) -> None:
        failed = Failed(PULL, "GitHub answered 500.")
        assert summary.outputs(Run(WEB, failed=(failed,)))["summary"] == "GitHub answered 500."
        assert told(Run(WEB, failed=(failed,)))[0] == "failed"
        assert told(Run(WEB, entries=(Stuck("pull/1", "No."),)))[0] == "failed"

    def test_an_old_comment(self) -> None:
        assert told(Run(WEB, "comment/5", comment_is_too_old=True))[:2] == ("declined", "too-late")
        assert told(Run(WEB, "comment/5", comment_is_too_old=True, entries=(answered(),)))[0] == "done"

    @pytest.mark.parametrize("name", ["x\n::error::y", "##[error]", "-a", "A", "a" * 300, "$(id)", "é"])
    def test_a_name_that_is_none(self, name: str) -> None:
        found = summary.outputs(Run(WEB, entries=(answered(Outcome("done", "applied", service=name)),)))
        assert (found["service"], found["summary"]) == ("", "done: applied")


class TestGood:
    @pytest.mark.parametrize(
        ("run", "good"),
        [
            pytest.param(Run(WEB), True, id="nothing"),
            pytest.param(Run(WEB, entries=(answered(),)), True, id="done"),
            pytest.param(Run(WEB, entries=(answered(refused("Required status check")),)), True, id="a rule"),
            pytest.param(Run(WEB, failed=(Failed(PULL, "500."),)), False, id="a failure"),
            pytest.param(Run(WEB, entries=(Stuck("pull/1", "No."),)), False, id="a refusal"),
            *(
                pytest.param(Run(WEB, entries=(answered(refused(words)),)), False, id=words[:20])
                for words in sorted(FORBIDDEN)
            ),
            pytest.param(
                Run(WEB, entries=(answered(refused(min(FORBIDDEN), "unexpected-text")),)),
                True,
                id="typed by somebody",
            ),
            pytest.param(
                Run(WEB, entries=(Followed(CUSTOMER, Progress(None, refusal=max(FORBIDDEN))),)),
                False,
                id="a merge",
            ),
            pytest.param(
                Run(
                    WEB,
                    entries=(
                        Followed(
                            CUSTOMER,
                            Progress(
                                None,
                                problem=Declined(Problem("not-mergeable", "No.", source=min(FORBIDDEN))),
                            ),
                        ),
                    ),
                ),
                False,
                id="a step",
            ),
        ],
    )
    def test_when(self, run: Run, good: bool) -> None:  # noqa: FBT001 - pytest's
        assert run.is_good is good
        assert bool(summary.undone(run)) is not good

    def test_each_reason_once(self) -> None:
        stuck = Stuck("pull/1", "No.")
        run = Run(WEB, entries=(stuck, stuck, answered(refused(min(FORBIDDEN)))))
        assert summary.undone(run) == ("pull/1: GitHub refuses: No.", NOT_PERMITTED)


WORDS = st.text(max_size=60) | st.lists(
    st.sampled_from(
        ["@mona ", "#1 ", "`", "```\n", "![x](https://a.invalid/x.png)", "<img>", "|", "\n\n", "](", "x"]
    ),
    max_size=8,
).map("".join)
DECISIONS: list[Decision] = ["done", "already", "pending", "answered", "declined", "not-understood", "failed"]


class TestMarkdown:
    """Nothing of a problem, of GitHub's words or of a name lives on the job's page."""

    @given(words=WORDS, decision=st.sampled_from(DECISIONS))
    def test_foreign_words(self, words: str, decision: Decision) -> None:
        problem = Problem("unexpected-text", "What is this?", source=words)
        run = Run(
            WEB,
            entries=(
                answered(Outcome(decision, "unexpected-text", problems=(problem,), verb="canary")),
                Followed(Service("main", words, f"shop/{words}"), Progress(None, problem=Declined(problem))),
                Stuck(f"service/{words}", words),
            ),
            failed=(Failed(Subject(1, "acme/shop", f"service/main:{words}#a/{words}"), words),),
            later=((Subject(1, "acme/shop", f"service/main:{words}#a/{words}"), NOON),),
            caveats=tuple(CAVEATS),
        )
        text = summary.markdown(run).replace(f"[#1]({WEB}/pull/1#issuecomment-5)", "")
        assert live(text) == []
        assert "### Left undone" in text
        assert "not before 2026-03-02 12:00 UTC" in text

    def test_every_answer_and_what_it_means(self) -> None:
        text = summary.markdown(
            Run(WEB, entries=(answered(DONE, SHOWN), answered(SHOWN, comment="review/6")))
        )
        assert text.count("\n| [#1](") == 3
        assert f"({WEB}/pull/1#pullrequestreview-6)" in text
        assert "Committed." in text


class TestCheck:
    @pytest.mark.parametrize(
        ("check", "told"),
        [
            (None, ("none", "")),
            (Check("canary / plan", "neutral", "t", "s"), ("none", "no-service")),
            (Check("canary / plan", "success", "t", "s"), ("answered", "shown")),
            (Check("canary / plan", "failure", "t", "s"), ("declined", "")),
            (
                Check(
                    "canary / plan",
                    "failure",
                    "t",
                    "s",
                    annotations=(Annotation("a.yaml", 1, 1, "failure", "m", "traffic-block-unusual"),),
                ),
                ("declined", "traffic-block-unusual"),
            ),
            (
                Check(
                    "canary / plan",
                    "failure",
                    "t",
                    "s",
                    annotations=(Annotation("a.yaml", 1, 1, "failure", "m", "::error::"),),
                ),
                ("declined", ""),
            ),
        ],
    )
    def test_outputs(self, check: Check | None, told: tuple[str, str]) -> None:
        found = summary.of_check(check, 4)
        assert tuple(found) == OUTPUTS
        assert (found["decision"], found["code"], found["pull-request"]) == (*told, "4")

    @given(title=WORDS)
    def test_title(self, title: str) -> None:
        assert live(summary.check_markdown(Check("canary / plan", "success", title, "Words."))) == []
