"""The agenda as a whole: whatever happens in whatever order, no wish is lost and no repository is doubled."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.adapters import agenda
from bot.adapters.ledger import SCHEMA
from bot.core.subject import Subject

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SUBJECTS = [Subject(9, name, f"pull/{number}") for name in ("a/a", "A/a", "b/b") for number in (1, 2)]
MINUTES = st.integers(-5, 60).map(lambda minutes: timedelta(minutes=minutes))


class AgendaMachine(RuleBasedStateMachine):
    """The statements against a dictionary that says the same in few words.

    ``wanted`` holds, for each subject, the earliest time somebody wants it looked at by.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:")
        self.connection.executescript(SCHEMA)
        self.now = NOON
        self.wanted: dict[Subject, datetime] = {}
        self.under_way: dict[Subject, agenda.Taken] = {}
        self.served: dict[str, int] = {}

    def teardown(self) -> None:
        self.connection.close()

    @staticmethod
    def key(subject: Subject) -> Subject:
        return Subject(subject.installation, subject.repository.lower(), subject.what)

    def want(self, subject: Subject, at: datetime) -> None:
        self.wanted[subject] = min(at, self.wanted.get(subject, at))

    @rule(subject=st.sampled_from(SUBJECTS), after=MINUTES)
    def mark(self, subject: Subject, after: timedelta) -> None:
        agenda.mark(self.connection, subject, at=self.now + after, why="x")
        self.want(self.key(subject), self.now + after)

    @rule(minutes=st.integers(1, 30))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(limit=st.integers(1, 4))
    def take(self, limit: int) -> None:
        busy = {subject.repository for subject in self.under_way}
        due = {s.repository for s, at in self.wanted.items() if at <= self.now and s.repository not in busy}
        taken = agenda.take(self.connection, now=self.now, limit=limit, served=self.served)
        assert len(taken) == min(limit, len(due))
        for one in taken:
            key = self.key(one.subject)
            assert self.wanted.pop(key) <= self.now
            self.under_way[key] = one

    @rule(data=st.data(), again=st.none() | MINUTES)
    def finish(self, data: st.DataObject, again: timedelta | None) -> None:
        if not self.under_way:
            return
        subject = data.draw(st.sampled_from(sorted(self.under_way, key=repr)))
        at = None if again is None else self.now + again
        agenda.finish(self.connection, self.under_way.pop(subject), again=at)
        if at is not None:
            self.want(subject, at)

    @rule(data=st.data())
    def postpone(self, data: st.DataObject) -> None:
        if not self.under_way:
            return
        subject = data.draw(st.sampled_from(sorted(self.under_way, key=repr)))
        until = self.now + timedelta(minutes=3)
        taken = self.under_way.pop(subject)
        agenda.postpone(self.connection, taken, until=until, strictly=False, error="502")
        # Sooner than anything that was wanted meanwhile, or as late as the other side can bear.
        self.wanted[subject] = until

    @rule()
    def crash(self) -> None:
        assert agenda.recover(self.connection, now=self.now) == len(self.under_way)
        rows = self.connection.execute("SELECT count(*) FROM agenda WHERE dead_at IS NOT NULL").fetchone()
        if rows != (0,):  # ten crashes in a row during the same look: given up, and tested elsewhere
            self.connection.execute(
                "UPDATE agenda SET dead_at = NULL, due = ? WHERE dead_at", (agenda.micros(self.now),)
            )
        for subject in self.under_way:
            self.wanted[subject] = self.now
        self.under_way.clear()

    @invariant()
    def never_two_of_a_repository(self) -> None:
        names = [subject.repository for subject in self.under_way]
        assert len(names) == len(set(names))

    @invariant()
    def no_wish_is_lost(self) -> None:
        rows = self.connection.execute(
            "SELECT installation, lower(repository), what, due FROM agenda WHERE due IS NOT NULL"
        ).fetchall()
        assert {Subject(*row[:3]): agenda.moment(row[3]) for row in rows} == self.wanted

    @invariant()
    def quiet_means_quiet(self) -> None:
        is_quiet = not self.under_way and all(at > self.now for at in self.wanted.values())
        assert agenda.is_quiet(self.connection, now=self.now) == is_quiet


AgendaMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAgenda = AgendaMachine.TestCase
