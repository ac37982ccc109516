"""What is due now is worked off, each subject as often as it takes and no more; what is due later is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bot.core.problems import OutsideFailure
from bot.entry.action.agenda import LONGEST_WAIT, MOST_LOOKS, TRIES, Agenda, work_off
from bot.ports import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def pull(number: int) -> Subject:
    return Subject(1, "acme/shop", f"pull/{number}")


@dataclass
class Desk:
    """A clock that sleeping moves, and looks that do what a test says."""

    time: datetime = NOON
    slept: list[float] = field(default_factory=list)
    looks: list[tuple[str, str]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)

    def look(self, do: Callable[[Subject], datetime | None]) -> Callable[[Subject, str], datetime | None]:
        def look(subject: Subject, why: str) -> datetime | None:
            self.looks.append((subject.what, why))
            return do(subject)

        return look


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def agenda(desk: Desk) -> Agenda:
    return Agenda(desk)


def nothing(_: Subject) -> datetime | None:
    return None


def test_each_once_in_their_order(desk: Desk, agenda: Agenda) -> None:
    for number in (3, 1, 3, 2):
        agenda(pull(number), at=NOON, why="sweep")
    assert work_off(agenda, desk.look(nothing), desk.sleep) == ()
    assert [what for what, _ in desk.looks] == ["pull/3", "pull/1", "pull/2"]
    assert (agenda.later, desk.slept) == ((), [])


def test_the_earlier_time_counts(desk: Desk, agenda: Agenda) -> None:
    agenda(pull(1), at=NOON + timedelta(hours=1), why="timer")
    agenda(pull(1), at=NOON, why="comment")
    agenda(pull(1), at=NOON + timedelta(hours=2), why="sweep")
    work_off(agenda, desk.look(nothing), desk.sleep)
    assert desk.looks == [("pull/1", "comment")]


def test_what_is_due_later_is_left(desk: Desk, agenda: Agenda) -> None:
    agenda(pull(2), at=NOON + timedelta(hours=2), why="timer")
    agenda(pull(1), at=NOON + timedelta(hours=1), why="timer")
    assert work_off(agenda, desk.look(nothing), desk.sleep) == ()
    assert (desk.looks, desk.slept) == ([], [])
    assert [(s.what, at - NOON) for s, at in agenda.later] == [
        ("pull/1", timedelta(hours=1)),
        ("pull/2", timedelta(hours=2)),
    ]


@pytest.mark.parametrize(("after", "waited"), [(5, True), (30, True), (31, False)])
def test_what_is_due_in_a_moment_is_waited_for(desk: Desk, agenda: Agenda, after: int, waited: bool) -> None:  # noqa: FBT001
    agenda(pull(1), at=NOON + timedelta(seconds=after), why="timer")
    work_off(agenda, desk.look(nothing), desk.sleep)
    assert (desk.slept == [after]) is waited
    assert bool(desk.looks) is waited


def test_a_look_may_ask_for_more(desk: Desk, agenda: Agenda) -> None:
    def do(subject: Subject) -> datetime | None:
        if subject == pull(1):
            agenda(pull(2), at=NOON, why="sweep")
            return NOON + timedelta(hours=1)
        return None

    agenda(pull(1), at=NOON, why="comment")
    assert work_off(agenda, desk.look(do), desk.sleep) == ()
    assert desk.looks == [("pull/1", "comment"), ("pull/2", "sweep")]
    assert [s.what for s, _ in agenda.later] == ["pull/1"]


class TestFailures:
    def test_tried_again_with_longer_pauses(self, desk: Desk, agenda: Agenda) -> None:
        def do(_: Subject) -> datetime | None:
            raise OutsideFailure("GitHub answered 500.")

        agenda(pull(1), at=NOON, why="comment")
        (failed,) = work_off(agenda, desk.look(do), desk.sleep)
        assert (failed.subject, failed.reason, failed.is_bug) == (pull(1), "GitHub answered 500.", False)
        assert desk.looks == [("pull/1", "comment"), *[("pull/1", "retry")] * (TRIES - 1)]
        assert desk.slept == [2.0, 4.0, 8.0]

    def test_over_in_the_end(self, desk: Desk, agenda: Agenda) -> None:
        def do(_: Subject) -> datetime | None:
            if len(desk.looks) < TRIES:
                raise OutsideFailure("GitHub answered 500.")
            return None

        agenda(pull(1), at=NOON, why="comment")
        assert work_off(agenda, desk.look(do), desk.sleep) == ()

    @pytest.mark.parametrize(("wait", "slept"), [(10.0, [10.0]), (30.0, [30.0]), (31.0, []), (3_600.0, [])])
    def test_as_long_as_github_says_or_not_at_all(
        self, desk: Desk, agenda: Agenda, wait: float, slept: list[float]
    ) -> None:
        def do(_: Subject) -> datetime | None:
            if len(desk.looks) == 1:
                raise OutsideFailure("GitHub's rate limit (429).", retry_after=wait)
            return None

        agenda(pull(1), at=NOON, why="comment")
        failed = work_off(agenda, desk.look(do), desk.sleep)
        assert (desk.slept, bool(failed)) == (slept, not slept)
        assert sum(desk.slept) <= LONGEST_WAIT.total_seconds()

    def test_others_go_on(self, desk: Desk, agenda: Agenda) -> None:
        def do(subject: Subject) -> datetime | None:
            if subject == pull(1):
                raise OutsideFailure("GitHub's rate limit (429).", retry_after=60)
            return None

        for number in (1, 2):
            agenda(pull(number), at=NOON, why="sweep")
        (failed,) = work_off(agenda, desk.look(do), desk.sleep)
        assert failed.subject == pull(1)
        assert desk.looks[-1] == ("pull/2", "sweep")

    def test_a_bug_is_told_as_one_without_its_text(self, desk: Desk, agenda: Agenda) -> None:
        def do(_: Subject) -> datetime | None:
            raise LookupError("::error::somebody's words")

        agenda(pull(1), at=NOON, why="comment")
        (failed,) = work_off(agenda, desk.look(do), desk.sleep)
        assert failed.is_bug
        assert failed.reason == "This is a bug of the bot (LookupError)."
        assert len(desk.looks) == 1


def test_no_look_goes_on_for_ever(desk: Desk, agenda: Agenda) -> None:
    agenda(pull(1), at=NOON, why="comment")
    work_off(agenda, desk.look(lambda _: desk.now()), desk.sleep)
    assert len(desk.looks) == MOST_LOOKS
