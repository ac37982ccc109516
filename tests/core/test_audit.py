"""The judgement of a history: content decides, trailers are compared with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.audit import Evidence, Landed, Move, Said, Unit, moves, reason_of, shares, told
from bot.core.traffic import Split, Target
from bot.core.trailers import Edit, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

UNIT = Unit("a.yaml#shop/a")
OTHER = Unit("a.yaml#shop/b")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = Record(
    service=UNIT.service,
    rollout="a-e30fca3c",
    step=1,
    weight=25,
    steps=(25, 50, 100),
    stable="a-1",
    candidate="a-2",
    pull=7,
    rules="standard",
    requested_by="mona",
    comment=12,
)


def split(**percents: int) -> Split:
    return Split(tuple(Target(name.replace("_", "-"), percent) for name, percent in percents.items()))


ALL_STABLE = split(a_1=100)


def at(weight: int) -> Split:
    return split(a_1=100 - weight, a_2=weight)


def said(record: Record | Edit, sha: str = "b" * 40) -> Said:
    return Said(sha, "bot", f"Shift\n\n{record.trailers()}\n")


class Line:
    """A first-parent line under way."""

    def __init__(self) -> None:
        self.landed: list[Landed] = []
        self.held: dict[str, Split] = {}
        self.add("First", {UNIT: ALL_STABLE})

    def add(
        self,
        message: str | Record | Edit,
        units: Mapping[Unit, Split] | None = None,
        *brought: Said,
        path: str = "a.yaml",
        touched: bool = True,
    ) -> None:
        text = message if isinstance(message, str) else f"Shift\n\n{message.trailers()}\n"
        number = len(self.landed)
        files = {path: units} if touched else {}
        self.landed.append(
            Landed(
                f"{number:040x}",
                NOON + timedelta(hours=number),
                "mona",
                "GitHub",
                text,
                bool(brought),
                files,
                brought,
            )
        )

    def moves(self) -> list[Move]:
        return list(moves(self.landed, lambda sha, _: self.held.get(sha)))

    def evidence(self) -> list[str]:
        return [str(m.evidence) for m in self.moves()]


@pytest.fixture
def line() -> Line:
    return Line()


class TestVerdict:
    """What trailers say, against what the content is."""

    @pytest.mark.parametrize(
        ("record", "now", "evidence"),
        [
            pytest.param(RECORD, at(25), "agrees", id="the step"),
            pytest.param(RECORD, at(26), "contradicts", id="one percent more"),
            pytest.param(RECORD, at(50), "contradicts", id="another step of the same rollout"),
            pytest.param(
                RECORD, split(a_1=70, a_2=25, a_0=5), "contradicts", id="a third revision gets some"
            ),
            pytest.param(RECORD, split(a_2=100), "contradicts", id="all at once"),
            pytest.param(replace(RECORD, weight=100, step=3), split(a_2=100), "agrees", id="the end"),
            pytest.param(
                replace(RECORD, weight=100, step=3), split(a_2=100, a_1=0), "agrees", id="old target kept"
            ),
            pytest.param(replace(RECORD, weight=100, step=3), at(99), "contradicts", id="nearly the end"),
            pytest.param(replace(RECORD, weight=0, step="rollback"), at(0), "agrees", id="rollback"),
            pytest.param(
                replace(RECORD, weight=0, step="rollback"), at(5), "contradicts", id="half a rollback"
            ),
            pytest.param(
                replace(RECORD, candidate="a-3"),
                at(25),
                "contradicts",
                id="another candidate than the content's",
            ),
            pytest.param(
                RECORD,
                Split((Target("a-1", 75), Target(latest=True, percent=25))),
                "contradicts",
                id="floating instead of the candidate",
            ),
            pytest.param(
                RECORD, replace(at(25), exact=False), "contradicts", id="rounded weights are no step"
            ),
        ],
    )
    def test_of_one_commit(self, record: Record, now: Split, evidence: str, line: Line) -> None:
        line.add(record, {UNIT: now})
        assert line.evidence() == [evidence]

    @pytest.mark.parametrize(
        ("then", "now", "evidence"),
        [
            pytest.param(at(25), at(25), "agrees", id="as it was said"),
            pytest.param(at(25), at(40), "changed", id="changed behind the bot's commit"),
            pytest.param(at(40), at(40), "contradicts", id="a lie in its own commit"),
            pytest.param(None, at(40), "contradicts", id="nothing there in its own commit"),
        ],
    )
    def test_of_what_a_merge_brought(self, then: Split | None, now: Split, evidence: str, line: Line) -> None:
        line.held = {} if then is None else {"b" * 40: then}
        line.add("Merge pull request #7 from shop/v2", {UNIT: now}, said(RECORD))

        (move,) = line.moves()
        assert (str(move.evidence), move.pull, move.recorded_in) == (evidence, 7, "b" * 40)
        assert move.weights == (0, now.percent_of("a-2"))

    def test_the_last_word_counts(self, line: Line) -> None:
        later = replace(RECORD, weight=50, steps=(50, 100))
        line.add("Merge pull request #7 from shop/v2", {UNIT: at(50)}, said(RECORD), said(later, "c" * 40))

        (move,) = line.moves()
        assert (move.evidence, move.recorded_in) == (Evidence.AGREES, "c" * 40)

    def test_what_was_taken_back_counts_as_never_said(self, line: Line) -> None:
        cancel = replace(RECORD, step="cancel", weight=0)
        line.add("Merge pull request #7 from shop/v2", {UNIT: at(25)}, said(RECORD), said(cancel, "c" * 40))

        assert line.evidence() == ["by-hand"]

    def test_begun_anew_after_it_was_taken_back(self, line: Line) -> None:
        cancel = replace(RECORD, step="cancel", weight=0)
        line.add("Merge pull request #7 from shop/v2", {UNIT: at(25)}, said(cancel), said(RECORD, "c" * 40))

        assert line.evidence() == ["agrees"]

    def test_trailers_of_one_service_say_nothing_of_another(self, line: Line) -> None:
        line.add("Another", {UNIT: ALL_STABLE, OTHER: split(b_1=100)})
        line.add(RECORD, {UNIT: at(25), OTHER: split(b_2=100)})

        assert [(m.unit, str(m.evidence)) for m in line.moves()] == [(UNIT, "agrees"), (OTHER, "by-hand")]

    def test_an_edit_names_no_percents(self, line: Line) -> None:
        line.add(Edit(UNIT.service, "hubot", 5), {UNIT: at(33)})

        (move,) = line.moves()
        assert (move.evidence, move.asked_by, move.comment) == (Evidence.EDIT, "hubot", 5)

    def test_a_step_and_a_later_edit_in_one_squash(self, line: Line) -> None:
        edit = Edit(UNIT.service, "hubot", 5)
        line.add(f"x (#7)\n\n* a\n\n{RECORD.trailers()}\n\n* b\n\n{edit.trailers()}\n", {UNIT: at(33)})

        (move,) = line.moves()
        assert (move.evidence, move.asked_by) == (Evidence.EDIT, "hubot")

    def test_unreadable(self, line: Line) -> None:
        line.add(RECORD, None)
        line.add("Repaired", {UNIT: at(25)})

        assert line.evidence() == ["unreadable", "by-hand"]

    def test_a_file_that_moves(self, line: Line) -> None:
        there = Unit("b.yaml#shop/a")
        line.add(RECORD, {UNIT: at(25)})
        moved = Landed(
            "e" * 40, NOON, "mona", "mona", "Folders", False, {"a.yaml": {}, "b.yaml": {there: at(60)}}
        )
        line.landed.append(moved)

        move = line.moves()[1]
        assert (move.unit, move.before, move.rollout) == (there, {"a-1": 75, "a-2": 25}, RECORD)

    @pytest.mark.parametrize(
        ("last", "now"),
        [
            pytest.param(replace(RECORD, weight=0, step="rollback"), at(0), id="rolled back"),
            pytest.param(replace(RECORD, weight=100, step=3), at(100), id="done"),
        ],
    )
    def test_a_hand_after_the_end_belongs_to_no_rollout(self, last: Record, now: Split, line: Line) -> None:
        line.add(RECORD, {UNIT: at(25)})
        line.add(last, {UNIT: now})
        line.add("Fix", {UNIT: at(60)})

        move = line.moves()[2]
        assert (move.evidence, move.rollout, move.weights) == (Evidence.BY_HAND, None, (None, None))

    @pytest.mark.parametrize(
        ("message", "note"),
        [
            pytest.param("Fix", "No trailers. It equals the rollout's step to 50 %.", id="plain"),
            pytest.param("a: 25 % → 50 % (#8)", "By hand, or a squash that lost the trailers", id="squash"),
            pytest.param("Merge (#8)\n\nCanary-Promoted-By: rules", "says who promoted", id="promoted"),
        ],
    )
    def test_words_on_what_has_no_trailers(self, message: str, note: str, line: Line) -> None:
        line.add(RECORD, {UNIT: at(25)})
        line.add(message, {UNIT: at(50)})

        assert note in line.moves()[1].note

    @pytest.mark.parametrize(
        ("then", "evidence"),
        [
            pytest.param(at(25), ["agrees", "agrees"], id="true in its own commit: told once"),
            pytest.param(at(40), ["agrees", "agrees", "contradicts"], id="a lie is told all the same"),
        ],
    )
    def test_a_merge_that_does_nothing_to_the_file(
        self, then: Split, evidence: list[str], line: Line
    ) -> None:
        line.held = {"b" * 40: then}
        line.add(RECORD, {UNIT: at(25)})
        line.add(replace(RECORD, weight=50, step=2), {UNIT: at(50)})
        line.add("Merge pull request #7 from shop/v2", None, said(RECORD), touched=False)

        assert line.evidence() == evidence

    def test_trailers_without_their_file(self, line: Line) -> None:
        line.add(RECORD, touched=False)

        assert line.evidence() == ["contradicts"]

    def test_files_that_nobody_asked_for_are_not_judged(self, line: Line) -> None:
        line.add(RECORD, touched=False)

        assert list(moves(line.landed, lambda *_: None, lambda path: path != "a.yaml")) == []


class TestWho:
    """Who asked, who merged or promoted, and which pull request."""

    @pytest.mark.parametrize(
        ("message", "is_merge", "pull"),
        [
            pytest.param("Merge pull request #12 from a/b", True, 12, id="GitHub's merge"),
            pytest.param(
                "Merge pull request #12 from a/b", False, None, id="words of a merge on a plain commit"
            ),
            pytest.param("a: 25 % → 50 % (#13)", True, 13, id="the bot's merge"),
            pytest.param("Squashed (#14)", False, 14, id="squash"),
            pytest.param("Squashed (#14) more", False, None, id="not at the end"),
            pytest.param("x\n\nfixes (#15)", False, None, id="not in the subject"),
            pytest.param("x (#٣)", False, None, id="foreign digits"),
        ],
    )
    def test_pull(self, message: str, is_merge: bool, pull: int | None) -> None:  # noqa: FBT001 - a case
        landed = Landed("0" * 40, NOON, "mona", "GitHub", message, is_merge)
        assert move_of(landed).pull == pull

    @pytest.mark.parametrize(
        ("body", "promoted", "comment"),
        [
            pytest.param("Canary-Promoted-By: hubot\nCanary-Comment: 21", "hubot", 21, id="a wish"),
            pytest.param("Canary-Promoted-By: rules", "rules", None, id="rules"),
            pytest.param("Canary-Promoted-By: hubot[bot]", "hubot[bot]", None, id="a bot"),
            pytest.param("Canary-Promoted-By: not a login", None, None, id="no login"),
            pytest.param("said Canary-Promoted-By: hubot", None, None, id="within a sentence"),
        ],
    )
    def test_promoted(self, body: str, promoted: str | None, comment: int | None) -> None:
        move = move_of(Landed("0" * 40, NOON, "mona", "GitHub", f"x (#1)\n\n{body}\n", is_merge=True))
        assert (move.promoted_by, move.promoted_comment) == (promoted, comment)

    @pytest.mark.parametrize(
        ("body", "overrides"),
        [
            pytest.param("Canary-Override: bake by ada and kim", ("bake by ada and kim",), id="one"),
            pytest.param(
                "Canary-Override: bake by ada and kim\nCanary-Override: steps by ada and bob",
                ("bake by ada and kim", "steps by ada and bob"),
                id="two",
            ),
            pytest.param("Canary-Override: hold by ada and kim", (), id="no rule that can be"),
            pytest.param("Canary-Override: bake by ada", (), id="one person"),
            pytest.param("said Canary-Override: bake by ada and kim", (), id="within a sentence"),
        ],
    )
    def test_overrides(self, body: str, overrides: tuple[str, ...]) -> None:
        move = move_of(Landed("0" * 40, NOON, "mona", "GitHub", f"x (#1)\n\n{body}\n", is_merge=True))
        assert move.overrides == overrides

    @pytest.mark.parametrize(
        ("author", "committer", "is_merge", "who"),
        [
            pytest.param("Mona L", "GitHub", True, "Mona L", id="the button: the merge's author"),
            pytest.param("Mona L", "GitHub", False, None, id="a squash: only GitHub knows"),
            pytest.param("Mona L", "Hu Bot", False, "Hu Bot", id="pushed: the committer"),
        ],
    )
    def test_merged(self, author: str, committer: str, is_merge: bool, who: str | None) -> None:  # noqa: FBT001 - a case
        assert move_of(Landed("0" * 40, NOON, author, committer, "x", is_merge)).merged_by == who

    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            pytest.param(
                "s\n\n25 % held\nfor 41 min.\n\nCanary-Service: a#b/c",
                "25 % held for 41 min.",
                id="two lines",
            ),
            pytest.param("s\n\nCanary-Service: a#b/c\nCanary-Step: 1/2", "", id="trailers alone"),
            pytest.param("s\n\nwhy\nCanary-Step: 1/2", "why", id="trailers right behind"),
            pytest.param("s\r\n\r\nwhy\r\n", "why", id="CRLF"),
            pytest.param("s", "", id="subject alone"),
            pytest.param("", "", id="empty"),
        ],
    )
    def test_reason(self, message: str, reason: str) -> None:
        assert reason_of(message) == reason

    def test_told(self) -> None:
        assert told({"b": 25, "a": 75}) == "a 75 %, b 25 %"
        assert told({"b": 50, "a": 50}) == "a 50 %, b 50 %"
        assert told({}) == "nothing for anybody"


def move_of(landed: Landed) -> Move:
    whole = replace(landed, files={"a.yaml": {UNIT: at(50)}})
    first = Landed("f" * 40, NOON, "x", "x", "First", False, {"a.yaml": {UNIT: ALL_STABLE}})
    (move,) = moves([first, whole], lambda *_: None)
    return move


WEIGHTS = st.lists(st.integers(0, 100), max_size=12)


class TestTrail:
    """The moves, put together, are the history of the split."""

    @given(WEIGHTS)
    def test_nothing_is_left_out_and_nothing_made_up(self, weights: list[int]) -> None:
        line = Line()
        for weight in weights:
            line.add("By hand", {UNIT: at(weight)})
        found = line.moves()

        held = shares(ALL_STABLE)
        for move in found:
            assert (move.before, move.evidence) == (held, Evidence.BY_HAND)
            assert move.after != move.before
            held = dict(move.after or {})
        assert held == shares(at(weights[-1]) if weights else ALL_STABLE)
        assert len(found) == sum(a != b for a, b in zip([0, *weights], weights, strict=False))

    @given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=8))
    def test_a_lie_is_always_told(self, steps: list[tuple[int, int]]) -> None:
        line = Line()
        for claimed, weight in steps:
            line.add(replace(RECORD, weight=claimed), {UNIT: at(weight)})

        assert line.evidence() == ["agrees" if c == w else "contradicts" for c, w in steps]

    @given(WEIGHTS, st.lists(st.booleans(), min_size=12, max_size=12))
    def test_what_cannot_be_read_for_a_while_hides_nothing(
        self, weights: list[int], broken: list[bool]
    ) -> None:
        line, plain = Line(), Line()
        for weight, is_broken in zip(weights, broken, strict=False):
            line.add("By hand", None if is_broken else {UNIT: at(weight)})
            if not is_broken:
                plain.add("By hand", {UNIT: at(weight)})

        assert [(m.before, m.after) for m in line.moves()] == [(m.before, m.after) for m in plain.moves()]


class TestRules:
    """Rules without a name are known by their place, and found again by their destinations."""

    @staticmethod
    def rule(place: int, seen: str = "") -> Unit:
        return Unit("a.yaml#VirtualService:shop/a", f"http[{place}]", seen)

    def test_a_rule_in_front(self, line: Line) -> None:
        one, new = split(a_1=90, a_2=10), split(news=100)
        line.add("Mesh", {self.rule(0): one})
        line.add("In front", {self.rule(0): new, self.rule(1): one})
        line.add("By hand", {self.rule(0): new, self.rule(1): at(60)})

        (move,) = line.moves()
        assert (move.unit.route, move.before) == ("http[1]", {"a-1": 90, "a-2": 10})

    def test_a_rule_that_goes(self, line: Line) -> None:
        one, two = split(a_1=90, a_2=10), split(b_1=100, b_2=0)
        line.add("Mesh", {self.rule(0): one, self.rule(1): two})
        line.add("Gone, and moved", {self.rule(0): split(b_1=40, b_2=60)})

        (move,) = line.moves()
        assert (move.before, move.after) == ({"b-1": 100}, {"b-1": 40, "b-2": 60})

    def test_a_record_finds_its_rule_by_fingerprint(self, line: Line) -> None:
        record = replace(RECORD, service=self.rule(0).service, route="http[0]~12345678")
        line.add("Mesh", {self.rule(0, "12345678"): ALL_STABLE})
        line.add(record, {self.rule(0, "00000000"): split(news=100), self.rule(1, "12345678"): at(25)})

        (move,) = line.moves()
        assert (move.evidence, move.unit.route) == (Evidence.AGREES, "http[1]")

    def test_by_where_it_leads_where_its_conditions_changed(self, line: Line) -> None:
        record = replace(RECORD, service=self.rule(0).service, route="http[0]~12345678")
        line.add("Mesh", {self.rule(0, "12345678"): ALL_STABLE})
        line.add(record, {self.rule(0, "12340000"): split(news=100), self.rule(1, "99995678"): at(25)})

        (move,) = line.moves()
        assert (move.evidence, move.unit.route) == (Evidence.AGREES, "http[1]")

    def test_the_same_fingerprint_comes_before_a_like_one(self, line: Line) -> None:
        record = replace(RECORD, service=self.rule(0).service, route="http[0]~12345678")
        line.add("Mesh", {self.rule(0, "99995678"): ALL_STABLE, self.rule(1, "12345678"): ALL_STABLE})
        line.add(record, {self.rule(0, "99995678"): ALL_STABLE, self.rule(1, "12345678"): at(25)})

        (move,) = line.moves()
        assert (move.evidence, move.unit.route) == (Evidence.AGREES, "http[1]")

    def test_another_fingerprint_is_the_same_rule_at_its_place(self, line: Line) -> None:
        line.add("Mesh", {self.rule(0, "12345678"): ALL_STABLE})
        line.add("By hand", {self.rule(0, "99990000"): at(25)})

        assert line.evidence() == ["by-hand"]

    def test_a_record_without_a_route_means_the_only_rule_with_a_choice(self, line: Line) -> None:
        record = replace(RECORD, service=self.rule(0).service)
        line.add("Mesh", {self.rule(0): split(news=100), self.rule(1): split(a_1=100, a_2=0)})
        line.add(record, {self.rule(0): split(news=100), self.rule(1): at(25)})

        (move,) = line.moves()
        assert (move.evidence, move.unit.route) == (Evidence.AGREES, "http[1]")
