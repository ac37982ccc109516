"""How the demo looks, and how it counts."""

from __future__ import annotations

import io
import sys

import pytest

from bot.entry.demo import light_markdown
from bot.entry.demo.audit import own_lines
from bot.entry.demo.paper import Paper
from bot.entry.demo.shop import CUSTOMER, STOREFRONT, files
from bot.manifests.knative import find_services

DIFF = "--- a/x\n+++ b/x\n@@ -1,7 +1,7 @@ spec:\n a\n b\n c\n-d\n+D\n e\n f\n g\n"


class TestMarkdown:
    """Markdown as tight lines."""

    @pytest.mark.parametrize(
        ("source", "lines"),
        [
            pytest.param("a\nb", ["a", "b"], id="a line stays a line"),
            pytest.param("a\n\nb", ["a", "b"], id="no empty lines"),
            pytest.param("**a** *b* `c` [d](http://e)", ["a b c d"], id="marks are styles"),
            pytest.param("- a\n- b\n  - c", ["• a", "• b", "  • c"], id="lists"),
            pytest.param("- a\n\n  b", ["• a", "  b"], id="paragraphs of an entry"),
            pytest.param("<b>a</b>\n\n<!-- c -->", ["a"], id="no HTML"),
            pytest.param("`a\x1b[31mb`", ["a\\u{1b}[31mb"], id="no control characters"),
            pytest.param("```text\na\n\n b\n```", ["  a", "  ", "   b"], id="a block"),
            pytest.param("| a | b |\n|---|---:|\n| cc | 1 |", ["a    b", "cc   1"], id="a table"),
            pytest.param("a\n\n---\n\nb", ["a", "────", "b"], id="a rule"),
            pytest.param("> a", ["a"], id="a quote"),
            pytest.param("# a", ["a"], id="a heading"),
        ],
    )
    def test_lines(self, source: str, lines: list[str]) -> None:
        assert [line.plain for line in light_markdown.rendered(source)] == lines

    def test_a_diff_with_all_its_context(self) -> None:
        shown = [line.plain for line in light_markdown.rendered(f"```diff\n{DIFF}```")]
        assert shown == ["@@ -1,7 +1,7 @@", " a", " b", " c", "-d", "+D", " e", " f", " g"]

    def test_brief(self) -> None:
        source = f"a\n\n| b | c |\n|---|---|\n| d | e |\n\n```diff\n{DIFF}```\n\nf"
        shown = [line.plain for line in light_markdown.rendered(source, show="brief")]
        assert shown == ["a", " c", "-d", "+D", " e", "…"]

    def test_words(self) -> None:
        source = f"a\n\n| b | c |\n|---|---|\n| d | e |\n\n```diff\n{DIFF}```\n\nf"
        assert [line.plain for line in light_markdown.rendered(source, show="words")] == ["a", "f"]


class Terminal(io.TextIOWrapper):
    """Standard output of a person."""

    def isatty(self) -> bool:
        return True


def printed(monkeypatch: pytest.MonkeyPatch, stream: io.TextIOWrapper, *, color: bool) -> str:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stdout", stream)
    paper = Paper(color=color)
    paper.chapter("One")
    paper.said("mona", 1, "/canary 25", ["eyes", "rocket"])
    paper.share("customer", [("a", 75), ("b", 25), ("c", 0)])
    paper.checks([("canary / gate", None, "Baking")], on=2)
    paper.diff(DIFF.splitlines())
    paper.line("word " * 12 + "of 90 %", margin="  ")
    paper.missed("x")
    return read(stream)


def read(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.raw.getvalue().decode(stream.encoding)  # type: ignore[attr-defined,no-any-return]


def terminal(encoding: str = "utf-8") -> Terminal:
    return Terminal(io.BufferedWriter(io.BytesIO()), encoding=encoding)


class TestPaper:
    """Readable in colour, without, and on a terminal that knows ASCII only."""

    def test_a_terminal_gets_colours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        assert "\x1b[32m+D" in printed(monkeypatch, terminal(), color=True)

    @pytest.mark.parametrize("variable", ["", "1"], ids=["--no-color", "NO_COLOR"])
    def test_nobody_gets_them_who_does_not_want_them(
        self, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv("NO_COLOR", variable)
        shown = printed(monkeypatch, terminal(), color=bool(variable))
        assert "\x1b" not in shown
        assert "mona on #1:  /canary 25   👀 🚀\n" in shown
        assert "  customer  " + "█" * 22 + "▒" * 8 + "  a 75 %, b 25 %\n" in shown
        assert "  ○ canary / gate: Baking (#2)\n" in shown

    def test_ascii(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shown = printed(monkeypatch, terminal("ascii"), color=True)
        assert "mona on #1:  /canary 25   eyes rocket\n" in shown
        assert "  customer  " + "#" * 22 + "=" * 8 + "  a 75 %, b 25 %\n" in shown

    def test_lines_are_broken_behind_their_margin_and_not_before_a_percent_sign(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shown = printed(monkeypatch, terminal(), color=False)
        assert "  word word word word word word word word word word word\n  word of 90 %\n" in shown

    def test_a_bar_makes_room_for_long_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdout", stream := terminal())
        paper = Paper(color=False)
        paper.console.width = 60
        paper.share("customer", [("customer-v3-long", 90), ("x", 10)])
        assert read(stream) == "  customer  " + "█" * 15 + "▒" * 2 + "  customer-v3-long 90 %, x 10 %\n"

    def test_a_table_wraps_its_last_column_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdout", stream := terminal())
        paper = Paper(color=False)
        paper.console.width = 40
        paper.table(
            ("one", "two"), [("a", "b: 1 → c\nd: 2"), ("e", "50 % of all that there is, at last 100 %")]
        )
        assert read(stream).splitlines() == [
            "  one  two",
            "  ──────────────────────────────────────",
            "  a    b: 1 → c",
            "       d: 2",
            "  e    50 % of all that there is, at",
            "       last 100 %",
        ]

    def test_a_table_in_ascii(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdout", stream := terminal("ascii"))
        Paper(color=False).table(("one", "two"), [("a", "1 → c")])
        assert read(stream).splitlines() == ["  one  two", "  -----------", "  a    1 -> c"]

    def test_lines_of_files_are_not_broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdout", stream := terminal())
        paper, long = Paper(color=False), "word " * 40 + "end"
        paper.diff([f"+{long}"])
        paper.listing([long])
        paper.markdown(f"```diff\n+{long}\n```")
        assert read(stream).count(f"{long}\n") == 3


class TestOwnLines:
    """The second count reads a file by its indentation alone, and finds what the first one finds."""

    @pytest.mark.parametrize("path", [CUSTOMER, STOREFRONT, "app.yaml"])
    def test_files_of_the_demo(self, path: str) -> None:
        content = files()[path]
        lines = content.split(b"\n")
        wanted: set[int] = set()
        for manifest in find_services(content, path).manifests:
            assert manifest.traffic_lines is not None
            assert manifest.template_name_line is not None
            first, last = manifest.traffic_lines
            wanted |= {*range(first, last + 1), manifest.template_name_line}
        # It takes less for its own: no comments, no name in flow style.
        nobodys = {
            n
            for n in wanted
            if lines[n - 1].lstrip().startswith((b"#", b"metadata: {")) or not lines[n - 1].strip()
        }
        assert own_lines(content) == wanted - nobodys

    @pytest.mark.parametrize(
        ("text", "own"),
        [
            pytest.param(
                "spec:\n  traffic:\n  - tag: a\n    percent: 1\n  other: 2", {2, 3, 4}, id="indentless list"
            ),
            pytest.param("spec:\n  traffic:\n    -\n      tag: a\n", {2, 3, 4}, id="a dash on its own line"),
            pytest.param("data:\n  traffic: |\n    percent: 1", set(), id="text of a ConfigMap"),
            pytest.param("spec:\n  traffic:\n    # mine\n\n    - tag: a", {2, 5}, id="comments are nobody's"),
            pytest.param(
                "spec:\n  template:\n    metadata:\n      name: a\n      x: b", {4}, id="the revision's name"
            ),
            pytest.param("metadata:\n  name: a\nspec:\n  x:\n    traffic: 1", set(), id="other names"),
            pytest.param("spec:\n  a: 1\n---\n  traffic: 1", set(), id="another document"),
        ],
    )
    def test_layouts(self, text: str, own: set[int]) -> None:
        assert own_lines(text.encode()) == own
