"""A patch becomes a table with both sides' line numbers."""

from __future__ import annotations

from difflib import unified_diff

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.pages_diff import MOST_LINES, table_of
from tests.sandbox.html_rules import UNHURRIED

PATCH = """@@ -26,4 +26,7 @@ spec:
   - tag: current
     revisionName: customer-v3
-    percent: 100
+    percent: 75
   - tag: latest
+  - tag: candidate
+    revisionName: customer-v4
+    percent: 25"""


def test_numbers_count_on_both_sides() -> None:
    rows = [(row.kind, row.old, row.new) for row in table_of("a.yaml", PATCH).rows]

    assert rows == [
        ("hunk", None, None),
        ("same", 26, 26),
        ("same", 27, 27),
        ("del", 28, None),
        ("add", None, 28),
        ("same", 29, 29),
        ("add", None, 30),
        ("add", None, 31),
        ("add", None, 32),
    ]


@pytest.mark.parametrize(
    ("before", "after", "marked"),
    [
        pytest.param("    percent: 100", "    percent: 75", ("100", "75"), id="number"),
        pytest.param("percent: 25", "percent: 50", ("25", "50"), id="whole number"),
        pytest.param("percent: 10 # x", "percent: 100 # x", ("10", "100"), id="number that is a prefix"),
        pytest.param("image: a/b:3.4.1", "image: a/b:3.5.1", ("3.4.1", "3.5.1"), id="version"),
        pytest.param("name: customer-v3", "name: customer-v4", ("v3", "v4"), id="end of a name"),
        pytest.param("same words  ", "same words", ("  ", ""), id="blanks at the end"),
        pytest.param("all is new", "nothing: left", ("", ""), id="nothing in common"),
    ],
)
def test_the_words_that_changed_are_marked(before: str, after: str, marked: tuple[str, str]) -> None:
    _, old, new = table_of("a", f"@@ -1 +1 @@\n-{before}\n+{after}").rows

    assert tuple("".join(piece for piece, differs in row.pieces if differs) for row in (old, new)) == marked
    assert (old.text, new.text) == (before, after)


@pytest.mark.parametrize(
    ("added", "removed", "squares"),
    [
        (0, 0, "nnnnn"),
        (1, 0, "annnn"),
        (1, 1, "adnnn"),
        (3, 2, "aaadd"),
        (100, 1, "aaaad"),
        (1, 100, "adddd"),
    ],
)
def test_squares(added: int, removed: int, squares: str) -> None:
    patch = "@@ -1 +1 @@\n" + "\n".join(["-x"] * removed + ["+y"] * added)

    assert table_of("a", patch).squares == squares


def test_a_missing_last_line_end_is_told() -> None:
    table = table_of("a", "@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file")

    assert [(row.kind, row.text) for row in table.rows][-1] == ("note", "No newline at end of file")


def test_line_ends_with_carriage_return_are_told_once() -> None:
    table = table_of("a", "@@ -1 +1 @@\n-a\r\n+b\r")

    assert table.has_crlf
    assert [row.text for row in table.rows[1:]] == ["a", "b"]


def test_a_huge_patch_is_cut_and_says_so() -> None:
    table = table_of("a", f"@@ -0,0 +1,{MOST_LINES + 10} @@\n" + "+x\n" * (MOST_LINES + 10))

    assert (len(table.rows), table.left_out, table.additions) == (MOST_LINES, 11, MOST_LINES + 10)


LINES = st.lists(st.text(st.sampled_from("ab 1.-+@\\"), max_size=8), max_size=12)


class TestBothSides:
    """Every line of either side stands in the table once, under its own number."""

    @UNHURRIED
    @given(before=LINES, after=LINES)
    def test_any_two_files(self, before: list[str], after: list[str]) -> None:
        patch = "\n".join(list(unified_diff(before, after, n=99, lineterm=""))[2:])
        table = table_of("a", patch)

        if before == after:
            assert table.rows == ()
            return
        assert [row.text for row in table.rows if row.old] == before
        assert [row.text for row in table.rows if row.new] == after
        assert [row.old for row in table.rows if row.old] == list(range(1, len(before) + 1))
        assert [row.new for row in table.rows if row.new] == list(range(1, len(after) + 1))
