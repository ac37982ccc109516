"""kn's flags and edits: what the recorded cases leave out, and what holds for any flags."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.core.admission import Facts, refusal
from bot.core.kn.flags import LATEST, Cluster, Flags, Refused, read, record
from bot.core.kn.update import Refusal, create, update
from bot.core.traffic import Target, defaulted

BARE = 'bare " in non-quoted-field'
WRONG = 'extraneous or missing " in quoted-field'


class TestRecord:
    """An occurrence is one CSV record as Go reads it."""

    @pytest.mark.parametrize(
        ("text", "fields"),
        [
            pytest.param("a=1,b=2", ["a=1", "b=2"], id="plain"),
            pytest.param(",", ["", ""], id="a comma alone"),
            pytest.param("a,", ["a", ""], id="a comma at the end"),
            pytest.param(" a , b ", [" a ", " b "], id="nothing is trimmed"),
            pytest.param('"a,b"', ["a,b"], id="a comma in quotes"),
            pytest.param('"a""b",c', ['a"b', "c"], id="a quote in quotes"),
            pytest.param('""', [""], id="quotes around nothing"),
            pytest.param('"a",', ["a", ""], id="a comma behind quotes"),
            pytest.param("a\nb,c", ["a"], id="a second line is ignored"),
            pytest.param('a\n"', ["a"], id="whatever the second line holds"),
            pytest.param("\n\r\n\na", ["a"], id="blank lines first"),
            pytest.param("a\r\n", ["a"], id="CR LF"),
            pytest.param("a\r", ["a"], id="CR at the very end"),
            pytest.param("a\rb", ["a\rb"], id="CR inside"),
            pytest.param('"a\nb",c', ["a\nb", "c"], id="quotes over two lines"),
            pytest.param('"a\r\nb"', ["a\nb"], id="CR LF in quotes"),
            pytest.param("é\udcff", ["é\udcff"], id="bytes that are no UTF-8"),
        ],
    )
    def test_fields(self, text: str, fields: list[str]) -> None:
        assert record(text) == fields

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            pytest.param('a"', f"parse error on line 1, column 2: {BARE}", id="bare"),
            pytest.param('x,é"', f"parse error on line 1, column 5: {BARE}", id="columns are bytes"),
            pytest.param('"a"b', f"parse error on line 1, column 3: {WRONG}", id="text behind quotes"),
            pytest.param('"a', f"parse error on line 1, column 3: {WRONG}", id="no end"),
            pytest.param('"', f"parse error on line 1, column 2: {WRONG}", id="a quote alone"),
            pytest.param('\n"a', f"parse error on line 2, column 3: {WRONG}", id="on the second line"),
            pytest.param(
                '"a\nbc', f"record on line 1; parse error on line 2, column 3: {WRONG}", id="over two lines"
            ),
            pytest.param(
                '"a\nb"c',
                f"record on line 1; parse error on line 2, column 2: {WRONG}",
                id="behind two lines",
            ),
            pytest.param("\n", "EOF", id="a blank line"),
            pytest.param("\r", "EOF", id="a CR"),
        ],
    )
    def test_errors(self, text: str, error: str) -> None:
        with pytest.raises(Refused) as refused:
            record(text)
        assert str(refused.value) == error

    @given(fields=st.lists(st.text(st.characters(exclude_characters="\r\0", codec="utf-8")), min_size=1))
    def test_what_python_writes_is_read(self, fields: list[str]) -> None:
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerow(fields)
        assert record(written.getvalue()) == fields

    @given(text=st.text(alphabet='a,"\n\r=é'))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            fields = record(text)
        except Refused:
            fields = []
        assert fields or '"' in text or not text.strip("\r\n")
        if '"' not in text and "\r" not in text and text.strip("\n"):
            assert fields == text.lstrip("\n").split("\n")[0].split(",")


class TestRead:
    """Verification precedes every edit, and stops at the first failure."""

    @pytest.mark.parametrize(
        ("flags", "error"),
        [
            pytest.param(Flags(), "flag(s) not set", id="no flag"),
            pytest.param(
                Flags(untag=("\n",)), 'invalid argument "\\n" for "--untag" flag: EOF', id="a blank line"
            ),
            pytest.param(
                Flags(traffic=('\x1b\udcff"',)),
                f'invalid argument "\\x1b\\xff\\"" for "--traffic" flag: parse error on line 1, column 3: {BARE}',
                id="what was typed is quoted as Go does",
            ),
            pytest.param(
                Flags(traffic=("a=" + "9" * 5000,)),
                f"error converting given {'9' * 5000} to integer value for traffic distribution",
                id="more digits than Python converts",
            ),
        ],
    )
    def test_errors(self, flags: Flags, error: str) -> None:
        with pytest.raises(Refused) as refused:
            read(flags, Cluster())
        assert str(refused.value) == error

    def test_leading_zeros_without_end(self) -> None:
        asked = read(Flags(traffic=("a=" + "0" * 5000 + "100",)), Cluster())
        assert asked.shares == (("a", 100),)

    def test_given_and_empty_is_not_the_same_as_not_given(self) -> None:
        assert read(Flags(untag=("",), traffic=("",)), Cluster()).shares == ()
        assert read(Flags(untag=("",)), Cluster()).shares is None


class TestCreate:
    """``kn service create`` tags an empty block, and then gives all traffic to the latest revision."""

    def test_a_tag_of_a_revision_comes_first(self) -> None:
        assert create(("shop-v1=x",), service="shop") == (
            Target("shop-v1", 0, "x", latest=False),
            Target(None, 100, None, latest=True),
        )

    def test_errors_are_those_of_update(self) -> None:
        refused = create(("a", "b"), service="shop")
        assert isinstance(refused, Refusal)
        assert refused.text.startswith("repetition of identifier @latest")


class TestSpelling:
    """What stays is written as it was."""

    def test_the_block_that_the_server_makes_is_not_written(self) -> None:
        assert update((), Flags(untag=("",)), service="shop") == ()
        assert update((), Flags(traffic=("100",)), service="shop") == ()

    def test_fields_that_are_absent_stay_absent(self) -> None:
        block = (Target("shop-v1", 100, slot=0), Target(None, None, "latest", slot=1))
        changed = update(block, Flags(tag=("shop-v1=current",)), service="shop")
        assert changed == (Target("shop-v1", 100, "current"), Target(None, None, "latest"))
        assert not isinstance(changed, Refusal)
        assert [t.slot for t in changed] == [0, 1]


# what holds for any flags -----------------------------------------------------------

NAMES = ["shop-v1", "shop-v2", "shop-v3"]
TAGS = ["current", "candidate", "latest", "shop-v2"]
names = st.sampled_from(NAMES)
refs = st.sampled_from([LATEST, *NAMES, *TAGS])


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Target, ...]:
    """Any block with unique tags, its sum right or wrong."""
    free = draw(st.permutations([*TAGS, None, None, None]))
    found = []
    for slot in range(draw(st.integers(0, 4))):
        floats = draw(st.booleans())
        found.append(
            Target(
                None if floats else draw(names),
                draw(st.none() | st.sampled_from([0, 10, 50, 100])),
                free[slot],
                draw(st.sampled_from([None, floats])),
                slot,
            )
        )
    return tuple(found)


@st.composite
def shares(draw: st.DrawFn) -> tuple[str, ...]:
    """Mostly what sums to 100, so that more than the verification is tried."""
    count = draw(st.integers(0, 3))
    if not count:
        return draw(st.sampled_from([(), ("",)]))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=count - 1, max_size=count - 1)))
    parts = [b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
    which = draw(st.lists(refs, min_size=count, max_size=count, unique=True))
    return tuple(f"{ref}={part}" for ref, part in zip(which, parts, strict=True))


@st.composite
def operations(draw: st.DrawFn, *, untags: bool = True) -> tuple[tuple[Target, ...], Flags]:
    """A block, and flags that kn mostly takes for it: tags to take away that are there, tags to set that are free."""
    block = draw(blocks())
    held = [t.tag for t in block if t.tag]
    gone = draw(st.lists(st.sampled_from(held), unique=True, max_size=2)) if untags and held else []
    free = [tag for tag in TAGS if tag not in held or tag in gone]
    fresh = draw(st.lists(st.sampled_from(free), unique=True, max_size=3)) if free else []
    latest = next((t for t in defaulted(block).targets if t.floats), None)
    takes_tag = latest is None or not latest.tag or latest.tag in gone
    items = []
    for tag in fresh:
        ref = draw(st.sampled_from([*NAMES, LATEST]) if takes_tag else names)
        takes_tag = takes_tag and ref != LATEST
        items.append(draw(st.sampled_from([tag, f"{LATEST}={tag}"])) if ref == LATEST else f"{ref}={tag}")
    if draw(st.booleans()):
        items = [",".join(items)] if items else []
    return block, Flags(tuple(gone), tuple(items), draw(shares()))


def asked(block: tuple[Target, ...], typed: Flags) -> tuple[Target, ...]:
    """Give what kn makes of a block, for those flags that it takes."""
    got = update(block, typed, service="shop")
    assume(not isinstance(got, Refusal))
    assert not isinstance(got, Refusal)
    return got


class TestAny:
    """Whatever is typed: a refusal in words, or a block without untagged targets at 0 %."""

    @given(
        block=blocks(),
        typed=st.builds(Flags, *[st.lists(st.text(alphabet='a=,%10"@latest \n'), max_size=2).map(tuple)] * 3),
    )
    def test_any_text(self, block: tuple[Target, ...], typed: Flags) -> None:
        got = update(block, typed, service="shop")
        assert got.text if isinstance(got, Refusal) else isinstance(got, tuple)

    @given(operation=operations())
    def test_tags_are_unique_and_nothing_idle_stays(
        self, operation: tuple[tuple[Target, ...], Flags]
    ) -> None:
        got = asked(*operation)
        held = [t.tag for t in got if t.tag]
        assert len(held) == len(set(held))
        assert all(t.tag or t.effective_percent for t in got)

    @given(operation=operations())
    def test_what_the_server_takes_sums_to_100(self, operation: tuple[tuple[Target, ...], Flags]) -> None:
        split = defaulted(asked(*operation))
        assert (refusal(Facts("shop", split.targets)) is None) == (split.total == 100)

    @given(operation=operations())
    def test_what_stays_keeps_its_order_and_its_revision(
        self, operation: tuple[tuple[Target, ...], Flags]
    ) -> None:
        block, got = operation[0], asked(*operation)
        slots = [t.slot for t in got if t.slot is not None]
        assert slots == sorted(set(slots))
        assert [t.slot is None for t in got] == sorted(t.slot is None for t in got)
        for target in got:
            if target.slot is not None:
                old = block[target.slot]
                assert (target.revision, target.latest) == (old.revision, old.latest)

    @given(operation=operations())
    def test_without_shares_percents_stay(self, operation: tuple[tuple[Target, ...], Flags]) -> None:
        block, typed = operation
        got = asked(block, replace(typed, traffic=()))
        assert defaulted(got).total == defaulted(block).total or not got

    @given(operation=operations(untags=False))
    def test_tagging_and_sharing_twice_is_once(self, operation: tuple[tuple[Target, ...], Flags]) -> None:
        block, typed = operation
        once = asked(block, typed)
        assert update(once, typed, service="shop") == once

    @given(operation=operations())
    def test_the_order_of_untags_is_free(self, operation: tuple[tuple[Target, ...], Flags]) -> None:
        block, typed = operation
        got = asked(block, typed)
        assert update(block, replace(typed, untag=typed.untag[::-1]), service="shop") == got
