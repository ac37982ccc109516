"""Which lines of a comment may be commands."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.core.comment import LONGEST_COMMENT, command_lines


def texts(comment: str) -> list[str]:
    return [line.text for line in command_lines(comment)]


class TestRead:
    """A command is a line of a top-level paragraph that begins with ``/``."""

    @pytest.mark.parametrize(
        ("comment", "lines"),
        [
            pytest.param("/canary 25", [(1, "/canary 25")], id="alone"),
            pytest.param("Looks good.\n\n/canary 25\n", [(3, "/canary 25")], id="a paragraph of its own"),
            pytest.param("Looks good.\n/canary 25", [(2, "/canary 25")], id="second line of a paragraph"),
            pytest.param("/a\n/b\n\n/c", [(1, "/a"), (2, "/b"), (4, "/c")], id="several"),
            pytest.param("x\r\n/canary 25\r\ny", [(2, "/canary 25")], id="CRLF"),
            pytest.param("   /canary 25", [(1, "   /canary 25")], id="three spaces are no indentation"),
            pytest.param("/canary 25  \nx", [(1, "/canary 25  ")], id="hard break behind it"),
            pytest.param("> /hold\n\n/canary 25", [(3, "/canary 25")], id="behind a quote and an empty line"),
            pytest.param("# h\n/canary 25", [(2, "/canary 25")], id="right behind a heading"),
            pytest.param("```\nx\n```\n/canary 25", [(4, "/canary 25")], id="right behind a fence"),
            pytest.param("***\n/canary 25", [(2, "/canary 25")], id="right behind a rule"),
            pytest.param("`a`\n/canary `b`\n`c`", [(2, "/canary `b`")], id="code spans on other lines"),
            pytest.param("`a\n/canary 25", [(2, "/canary 25")], id="a back-tick that opens nothing"),
            pytest.param("`a\n\n/canary 25\n\nb`", [(3, "/canary 25")], id="no span over paragraphs"),
            pytest.param("a\\`b\n/canary 25\n`", [(2, "/canary 25")], id="escaped back-tick"),
            pytest.param("[a\n/canary 25\nb]", [(2, "/canary 25")], id="brackets without a link"),
            pytest.param("Map<String>\n/canary 25", [(2, "/canary 25")], id="a type that looks like a tag"),
            pytest.param("a<br>\n/canary 25", [(2, "/canary 25")], id="void element"),
            pytest.param(
                '<div title="a>b">x</div>\n\n/canary 25', [(3, "/canary 25")], id="bracket in quotes"
            ),
            pytest.param("- <details>\n\n/canary 25", [(3, "/canary 25")], id="<details> that a list ends"),
            pytest.param("<p>x</p>\n\n/canary 25", [(3, "/canary 25")], id="behind an HTML block"),
            pytest.param("<!-- x -->\n\n/canary 25", [(3, "/canary 25")], id="behind an HTML comment"),
            pytest.param("<p>\n\n/canary 25", [(3, "/canary 25")], id="behind a paragraph tag left open"),
            pytest.param(
                "<details>\n\nx\n\n</details>\n\n/canary 25", [(7, "/canary 25")], id="behind <details>"
            ),
            pytest.param(
                "<details>\n\n<b>\n\n</details>\n\n</b>\n\n/canary 25",
                [(9, "/canary 25")],
                id="behind tags that interleave",
            ),
            pytest.param(
                "xxxxxxxxxx\n/canary 25\n![xxxxxxxx`yyyy`](z)",
                [(2, "/canary 25")],
                id="code in an image below",
            ),
            pytest.param("a|b\n-|-\n1|2\n\n/canary 25", [(5, "/canary 25")], id="behind a table"),
            pytest.param("a | b\n/canary 25", [(2, "/canary 25")], id="bars without a table"),
            pytest.param("\v\n/canary 25", [(2, "/canary 25")], id="behind a line that is only a tab"),
            pytest.param("\x00\n/canary 25", [(2, "/canary 25")], id="NUL on another line"),
            pytest.param("\ufeff/canary 25", [(1, "\ufeff/canary 25")], id="byte-order mark, to be answered"),
            pytest.param("／canary 25", [(1, "／canary 25")], id="full-width slash, to be answered"),
        ],
    )
    def test_lines(self, comment: str, lines: list[tuple[int, str]]) -> None:
        assert [(line.number, line.text) for line in command_lines(comment)] == lines


class TestConversation:
    """Quotes, code, lists, tables, headings, HTML and its comments are conversation."""

    @pytest.mark.parametrize(
        "comment",
        [
            pytest.param("", id="empty"),
            pytest.param("please run /canary 25", id="in a sentence"),
            pytest.param("> /canary 25", id="quoted reply"),
            pytest.param("> x\n/canary 25", id="lazy continuation of a quote"),
            pytest.param("On Monday mona wrote:\n> a\n>\n> /canary 25", id="e-mail reply"),
            pytest.param("> [!NOTE]\n> /canary 25", id="alert"),
            pytest.param("```\n/canary 25\n```", id="back-tick fence"),
            pytest.param("~~~text\n/canary 25\n~~~", id="tilde fence"),
            pytest.param("```\n/canary 25", id="fence left open"),
            pytest.param("    /canary 25", id="indented code"),
            pytest.param("\t/canary 25", id="code by a tab"),
            pytest.param("x\n    /canary 25", id="indented continuation"),
            pytest.param("x\n\t/canary 25", id="continuation behind a tab"),
            pytest.param("`/canary 25`", id="code span"),
            pytest.param("`a\n/canary 25\nb`", id="inside of a code span over lines"),
            pytest.param("``a\n`\n/canary 25\nb``", id="inside of a longer code span"),
            pytest.param("- /canary 25", id="list"),
            pytest.param("- x\n/canary 25", id="lazy continuation of a list"),
            pytest.param("- x\n\n  /canary 25", id="second paragraph of a list item"),
            pytest.param("1. /canary 25", id="numbered list"),
            pytest.param("- [ ] /canary 25", id="task"),
            pytest.param("# /canary 25", id="heading"),
            pytest.param("/canary 25\n===", id="heading by underline"),
            pytest.param("/canary 25\n---", id="second heading by underline"),
            pytest.param("| a |\n|---|\n| /canary 25 |", id="table cell"),
            pytest.param("a | b\n--|--\n/canary 25", id="table row without bars"),
            pytest.param("<!-- /canary 25 -->", id="HTML comment"),
            pytest.param("<!--\n/canary 25\n-->", id="HTML comment over lines"),
            pytest.param("<!--\n\n/canary 25", id="HTML comment left open"),
            pytest.param("x <!--\n/canary 25\n-->", id="HTML comment that starts in a paragraph"),
            pytest.param("<div>\n/canary 25\n</div>", id="HTML block"),
            pytest.param("<div>\n\n/canary 25\n\n</div>", id="paragraph between HTML tags"),
            pytest.param("<details>\n<summary>x</summary>\n\n/canary 25\n\n</details>", id="<details>"),
            pytest.param("<details>\n\n/canary 25", id="<details> left open"),
            pytest.param("<pre>\n/canary 25\n</pre>", id="<pre>"),
            pytest.param("<div>\n<!--\n\n/canary 25", id="comment that the HTML block does not end"),
            pytest.param("- <!--\n\n/canary 25", id="comment left open in a list"),
            pytest.param("> <!--\n\n/canary 25", id="comment left open in a quote"),
            pytest.param('<div title="\n\n/canary 25\n\n">', id="attribute that the HTML block does not end"),
            pytest.param("- <div title='\n\n/canary 25\n\n'>", id="attribute left open in a list"),
            pytest.param("<div>\n<textarea>\n\n/canary 25", id="text area left open"),
            pytest.param("<script>\n\n/canary 25\n\n</script>", id="<script>"),
            pytest.param("x <b>\n/canary 25\n</b>", id="inline element over lines"),
            pytest.param('x <b title="\n/canary 25\n">', id="attribute over lines"),
            pytest.param("<?php\n\n/canary 25\n\n?>", id="processing instruction"),
            pytest.param("[a\n/canary 25\nb](c)", id="link text over lines"),
            pytest.param("[a](b '\n/canary 25\n')", id="link title over lines"),
            pytest.param("![a\n/canary 25\nb](c)", id="image text over lines"),
            pytest.param("[a\n/canary 25\nb][r]\n\n[r]: /x", id="reference link over lines"),
            pytest.param("[a]:\n/canary", id="link reference definition"),
            pytest.param("[a]: b '\n/canary 25\n'", id="title of a link reference definition"),
            pytest.param("[^1]: x\n/canary 25", id="footnote that looks like a definition"),
            pytest.param("[^1]: x y\n/canary 25", id="footnote"),
            pytest.param("&#47;canary 25", id="entity for the slash"),
            pytest.param("\\/canary 25", id="escaped slash"),
            pytest.param("x\u2028/canary 25", id="U+2028 ends no line"),
            pytest.param("x\v/canary 25", id="vertical tab ends no line"),
            pytest.param("x\x85/canary 25", id="U+0085 ends no line"),
            pytest.param("x\r/canary 25", id="a lone CR starts no command"),
            pytest.param("x\r~~~\n/canary 25", id="fence behind a lone CR"),
            pytest.param("```\rx\n/canary 25\n```", id="lone CR inside of a fence"),
            pytest.param("/canary 25" + "\nx" * LONGEST_COMMENT, id="longer than GitHub accepts"),
        ],
    )
    def test_silence(self, comment: str) -> None:
        assert command_lines(comment) == ()

    def test_separators_stay_inside_their_line(self) -> None:
        assert texts("/canary 25\u2028/rollback\v\x85\r/hold\nx") == [
            "/canary 25\u2028/rollback\v\x85\r/hold"
        ]


FRAGMENTS = [
    *[
        "",
        "",
        "text",
        "text",
        "> quote",
        "- item",
        "1. item",
        "```",
        "~~~",
        "`",
        "``",
        "a ` b",
        "\\`",
        "===",
        "---",
    ],
    *[
        "<!--",
        "-->",
        "x <!-- y",
        "<details>",
        "</details>",
        "x <details> y",
        "<br>",
        "a | b",
        "--- | ---",
        "# head",
    ],
    *[
        "[a",
        "](b)",
        "![a",
        "[r]: /u",
        "[r]:",
        "[r]",
        "    code",
        "  - nested",
        "<http://a`b>",
        "***",
        "&#96;",
    ],
    *["/COMMAND"] * 12,
]


@st.composite
def comments(draw: st.DrawFn) -> str:
    """Comments of lines that open and close every construct; each command has a number of its own."""
    lines = draw(st.lists(st.sampled_from(FRAGMENTS), max_size=14))
    return "\n".join(s.replace("COMMAND", f"c{n}") for n, s in enumerate(lines))


_HTML = re.compile(r"<!--.*?-->|<!--.*\Z|<[^>]*>|[^<]+", re.DOTALL)
_RENDERER = MarkdownIt("commonmark", {"breaks": True}).enable("table")


def seen_at_line_starts(comment: str) -> list[str]:
    """Read the page instead of the source: the text behind ``<p>`` or ``<br />``, outside of all else."""
    found = []
    stack: list[str] = []
    at_start = False
    for piece in _HTML.findall(_RENDERER.render(comment)):
        if piece.startswith("<!--"):
            at_start = False
        elif not piece.startswith("<"):
            if at_start and stack == ["p"]:
                found.append(piece.lstrip("\n").split("\n")[0])
            at_start = at_start and not piece.strip("\n")
        else:
            name = piece.strip("</ >").split()[0]
            if piece.startswith("</"):
                # As browsers do it, the end of a paragraph does not end <details> that began in it.
                if name == "p" and "p" in stack:
                    stack.remove("p")
                while name in stack and stack.pop() != name:
                    pass
            elif name == "br":
                at_start = piece == "<br />"
                continue
            elif not piece.endswith("/>") and not name.startswith("http:"):
                stack.append(name)
            at_start = name == "p" and not piece.startswith("</")
    return [text for text in found if text.startswith("/c")]


class TestAgreesWithThePage:
    """CommonMark decides."""

    @given(comments())
    @example("x <details> y\n/c1\n</details>\n/c3")
    @example("x <details> y\n\n/c2")
    @example("> quote\nx <details> y\n\n/c3")
    def test_what_a_reader_sees_at_a_line_start(self, comment: str) -> None:
        assert texts(comment) == seen_at_line_starts(comment)


class TestBounded:
    """Any text ends soon: the time is linear in its length."""

    @pytest.mark.timeout(30)
    @pytest.mark.parametrize(
        "unit",
        [
            *[
                "[",
                "![",
                "`a",
                "``` ",
                "<",
                "<!--",
                "<a b='",
                "a<![CDATA[",
                "*a_ ",
                "**x",
                "&",
                "\\",
                ">",
                "- ",
            ],
            *[
                "[a](",
                "[x]: y\n",
                "a|b\n-|-\n",
                "<details>\n\n",
                "</details>\n\n<b>\n\n",
                "x <b>\n",
                "`a`\n",
                "\r",
            ],
            *["/canary 25\n", "[^1]: a\n", "x <!--\n", "<a\n", "![[]()", "<!-- <b> -->\n\n"],
        ],
    )
    def test_hostile_repetition(self, unit: str) -> None:
        comment = "/x\n" + unit * ((LONGEST_COMMENT - 20) // len(unit)) + "\n/canary 25\n"
        assert texts(comment)[0] == "/x"

    @given(st.text(max_size=300))
    def test_any_text(self, text: str) -> None:
        for line in command_lines("/x\n\n" + text):
            assert "\n" not in line.text
            assert line.text in text or line.text == "/x"
