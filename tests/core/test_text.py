"""Text from outside, made inert."""

import html
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.core.text import LONGEST_RUN, LONGEST_SHOWN, cell, code, code_block, pointed, printable

GITHUB = MarkdownIt("commonmark", {"linkify": True}).enable(["table", "linkify"])
ACTIVE = re.compile(r"[@#]|://|www\.|!\[|\]\(|<")

HOSTILE = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.sampled_from(
            [
                *["`", "``", "```", "~~~", "\n", "\r", "@octocat ", "#1 ", "![p](https://a.invalid/p.png)"],
                *["https://a.invalid ", "www.a.invalid", "<!--", "-->", "<b>", "|", "\\", "&#64;", " "],
                *["\u202e", "\x00", "\ud800", "[a](b)", "$x$", "`" * 90, "GH-1", "a@b.invalid", "\u2028"],
            ]
        ),
        max_size=12,
    ).map("".join),
)


def outside_code(markdown: str) -> list[Token]:
    """Give the inline tokens, and blocks of HTML, that are not code."""
    found = []
    for token in GITHUB.parse(markdown):
        found += [t for t in token.children or [] if t.type != "code_inline"]
        if token.type == "html_block":
            found.append(token)
    return found


def words_outside(markdown: str) -> str:
    return "".join(t.content for t in outside_code(markdown))


def types_outside(markdown: str) -> set[str]:
    return {t.type for t in outside_code(markdown)}


class TestInert:
    """User text is shown only inside code: no mention, link, image or issue reference can come out of it."""

    @given(HOSTILE)
    @example("`" * 85 + " @octocat")
    @example("`")
    @example("")
    @example(" ")
    def test_code_span(self, text: str) -> None:
        assert types_outside(f"Got {code(text)} here.") <= {"text"}
        assert words_outside(f"Got {code(text)} here.") == "Got  here."

    @given(HOSTILE)
    @example("```\n@octocat")
    @example("`" * 300)
    def test_block(self, text: str) -> None:
        tokens = GITHUB.parse(f"Got:\n\n{code_block(text)}\n\nend @me")
        assert [t.type for t in tokens if t.nesting >= 0] == [
            "paragraph_open",
            "inline",
            "fence",
            "paragraph_open",
            "inline",
        ]

    @given(HOSTILE, st.integers(0, 500), st.integers(0, 500))
    def test_block_with_carets(self, text: str, start: int, length: int) -> None:
        tokens = GITHUB.parse(f"{pointed(text, (start, length))}\n\nend")
        assert [t.type for t in tokens if t.nesting >= 0] == ["fence", "paragraph_open", "inline"]
        assert tokens[0].content.count("\n") == 2

    @given(HOSTILE)
    @example("a\\| @octocat")
    @example("a\\\\| @octocat")
    def test_cell_of_a_table(self, text: str) -> None:
        table = f"| a | b |\n|---|---|\n| {cell(text)} | end |"
        assert "|" not in cell(text)
        assert GITHUB.render(table).count("<td>") == 2
        assert types_outside(table) <= {"text"}
        assert not ACTIVE.search(words_outside(table))

    @given(HOSTILE)
    def test_no_run_is_longer_than_github_can_fence(self, text: str) -> None:
        for shown in (code(text), code_block(text)):
            assert max(map(len, re.findall("`+", shown))) <= LONGEST_RUN + 1


class TestShown:
    """What is shown is what was typed, as far as a reader can see it."""

    @given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=100))
    def test_ascii_is_shown_as_it_is(self, text: str) -> None:
        runs = [len(run) for run in re.findall("`+", text)]
        if max(runs, default=0) <= LONGEST_RUN and text:
            shown = GITHUB.renderInline(code(text))
            assert html.unescape(shown.removeprefix("<code>").removesuffix("</code>")) == text

    @given(st.text(max_size=400))
    def test_nothing_hidden_is_left(self, text: str) -> None:
        hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert not [c for c in printable(text) if unicodedata.category(c) in hidden]

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            pytest.param("a", "`a`", id="plain"),
            pytest.param("", "`  `", id="empty"),
            pytest.param(" a", "`  a `", id="space in front"),
            pytest.param("`", "`` ` ``", id="a back-tick"),
            pytest.param("a``b", "```a``b```", id="two back-ticks"),
            pytest.param("a\nb", r"`a\u{a}b`", id="line feed"),
            pytest.param("\u202e25", r"`\u{202e}25`", id="direction"),
            pytest.param("\x1b[31m", r"`\u{1b}[31m`", id="terminal escape"),
            pytest.param("x" * 301, f"`{'x' * LONGEST_SHOWN}…`", id="capped"),
        ],
    )
    def test_code(self, text: str, shown: str) -> None:
        assert code(text) == shown


class TestCarets:
    """The caret stands under the word."""

    @pytest.mark.parametrize(
        ("source", "caret", "under"),
        [
            pytest.param("/canary a lot", (8, 5), "        ^^^^^", id="ASCII"),
            pytest.param("/canary ２５", (8, 2), "        ^^^^", id="full width is two columns"),
            pytest.param("/canary \u202e25", (8, 1), "        ^^^^^^^^", id="an escape is longer"),
            pytest.param("\u202e x", (2, 1), "         ^", id="behind an escape"),
            pytest.param("e\u0301 x", (3, 1), "  ^", id="an accent takes no column"),
            pytest.param("/canary", (7, 0), "       ^", id="at the end"),
        ],
    )
    def test_pointed(self, source: str, caret: tuple[int, int], under: str) -> None:
        assert pointed(source, caret).split("\n") == ["```text", printable(source), under, "```"]
