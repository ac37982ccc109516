"""Comments look as on GitHub, and nothing in them acts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.text import code, code_block
from bot.sandbox.markdown import highlighted, painted_yaml, render
from tests.sandbox.html_rules import UNHURRIED, Rules

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](  JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "![x](javascript:alert(1))",
    '![x](http://evil.test/"onerror=alert(1))',
    "<iframe src=//evil.test></iframe>",
    "<style>body{display:none}</style>",
    '<p style="position:fixed;inset:0">x</p>',
    '<p onclick="alert(1)" id="comment-form" class="flash">x</p>',
    "<form action=/-/user><input name=login><button>x</button></form>",
    "<math><mi//xlink:href='data:x,<script>alert(4)</script>'>",
    "<textarea><img src=x></textarea>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<div><!-- a --!><script>alert(1)</script>",
    "`<script>`<script>",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>\nx\n```',
    "| a |\n|--|\n| <script>alert(1)</script> |",
    '@<b>mona</b> #<i>1</i> https://x.test/"onmouseover=alert(1)',
    "https://x.test/'><script>alert(1)</script>",
    '<https://x.test/"><script>alert(1)</script>>',
    "[a]: javascript:alert(1)\n\n[a]",
    "<p>unclosed <b> <table><tr><td>",
    "</div></article></main><script>alert(1)</script>",
    "<base href=//evil.test><link rel=stylesheet href=//evil.test>",
    "<meta http-equiv=refresh content='0;url=//evil.test'>",
    "<plaintext>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &amp;#60;script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert(text: str) -> None:
    assert Rules(render(text, repository="o/r")).breaches == []


@UNHURRIED
@given(
    parts=st.lists(st.sampled_from([*HOSTILE, "\n\n", " ", "@mona", "#1", "<", ">", '"', "'", "&", "`", "*"]))
)
def test_hostile_text_is_inert_in_every_mixture(parts: list[str]) -> None:
    assert Rules(render("".join(parts), repository="o/r")).breaches == []


@pytest.mark.parametrize(
    ("text", "links"),
    [
        pytest.param("@mona said so", ["/mona"], id="mention"),
        pytest.param("(@mona)", ["/mona"], id="mention in brackets"),
        pytest.param("@shop/sre", ["/shop"], id="team"),
        pytest.param("@canary[bot]", ["/canary"], id="bot"),
        pytest.param("mona@example.org", [], id="address of a person"),
        pytest.param("a/@mona", [], id="mention inside a path"),
        pytest.param("@-mona @mona- @a--b", [], id="no login"),
        pytest.param("`@mona #1 https://x.test`", [], id="code span"),
        pytest.param("```\n@mona #1\n```", [], id="fenced code"),
        pytest.param("    @mona #1", [], id="indented code"),
        pytest.param("<code>@mona</code> <pre>#1</pre>", [], id="code in HTML"),
        pytest.param("see #12", ["/o/r/pull/12"], id="issue"),
        pytest.param("see GH-12", ["/o/r/pull/12"], id="issue by prefix"),
        pytest.param("see a/b#12", ["/a/b/pull/12"], id="issue elsewhere"),
        pytest.param("#12a a#12 &#49; ##1", [], id="no issue"),
        pytest.param("by 7f3a91c and 1234567", ["/o/r/commit/7f3a91c"], id="commit, not a number"),
        pytest.param("customer-7f3a91c2", [], id="name of a revision"),
        pytest.param("https://x.test/a?b=1.", ["https://x.test/a?b=1"], id="bare address"),
        pytest.param("(https://x.test/a_(b))", ["https://x.test/a_(b)"], id="address in brackets"),
        pytest.param("www.x.test, yes", ["http://www.x.test"], id="address without scheme"),
        pytest.param("[@mona](https://x.test)", ["https://x.test"], id="mention in a link"),
        pytest.param("![a](https://x.test/a.png)", ["https://x.test/a.png"], id="image"),
        pytest.param("<details><summary>@mona</summary></details>", ["/mona"], id="mention in HTML"),
    ],
)
def test_references_are_links_outside_code(text: str, links: list[str]) -> None:
    assert Rules(render(text, repository="o/r")).links == links


class TestQuoted:
    """User text is only ever shown inside a code span: no live mention, link, image or reference."""

    @UNHURRIED
    @given(text=st.text() | st.sampled_from(HOSTILE))
    def test_any_text_in_a_span(self, text: str) -> None:
        assert Rules(render(f"Got {code(text)} here.", repository="o/r")).links == []

    @UNHURRIED
    @given(text=st.text() | st.lists(st.sampled_from([*HOSTILE, "```", "~~~", "@mona", "\n"])).map("".join))
    def test_any_text_in_a_block(self, text: str) -> None:
        assert Rules(render(f"Got\n{code_block(text)}\n", repository="o/r")).links == []


@pytest.mark.parametrize(
    ("text", "html"),
    [
        pytest.param("a\nb", "<p>a<br>\nb</p>\n", id="line end in a comment"),
        pytest.param("a <!-- hidden --> b", "<p>a  b</p>\n", id="comment"),
        pytest.param("<!-- hidden -->", "", id="only a comment"),
        pytest.param("~~a~~", "<p><s>a</s></p>\n", id="strikethrough"),
        pytest.param(
            "```diff\n-a\n+<b>\n c\n@@ -1 +1 @@\n```",
            '<pre class="code"><code><span class="line del">-a</span>\n'
            '<span class="line add">+&lt;b&gt;</span>\n c\n'
            '<span class="line hunk">@@ -1 +1 @@</span></code></pre>\n',
            id="diff",
        ),
        pytest.param(
            "```mermaid\ngraph TD\n```",
            '<pre class="code"><code>graph TD</code></pre>\n',
            id="diagram is code",
        ),
    ],
)
def test_rendering(text: str, html: str) -> None:
    assert render(text, repository="o/r") == html


def test_a_table_says_its_alignment_without_a_style() -> None:
    html = render("| a | b |\n|--:|---|\n| 1 | 2 |")

    assert '<th align="right">a</th>' in html
    assert '<td align="right">1</td>' in html


def test_a_files_line_ends_do_not_break_lines() -> None:
    assert render("a\nb", breaks=False) == "<p>a\nb</p>\n"


def test_details_fold() -> None:
    html = render("<details>\n<summary>More</summary>\n\n**bold**\n\n</details>")

    assert html.startswith("<details>\n<summary>More</summary>\n<p><strong>bold</strong></p>")


@pytest.mark.parametrize(
    ("line", "painted"),
    [
        pytest.param("# note", '<span class="note"># note</span>', id="comment"),
        pytest.param("a: 1", '<span class="key">a</span>:<span class="value"> 1</span>', id="key and value"),
        pytest.param(
            "  - tag: x # y",
            '  - <span class="key">tag</span>:<span class="value"> x </span><span class="note"># y</span>',
            id="list item with a comment",
        ),
        pytest.param(
            'a: "#<b>"',
            '<span class="key">a</span>:<span class="value"> &quot;#&lt;b&gt;&quot;</span>',
            id="hash in quotes",
        ),
        pytest.param("---", "---", id="document start"),
    ],
)
def test_yaml_is_painted(line: str, painted: str) -> None:
    assert painted_yaml(line).replace("&#x27;", "'") == painted


@UNHURRIED
@given(line=st.text(st.sampled_from("ab: -#'\"<>&{}[]\t0")))
def test_paint_never_changes_the_text(line: str) -> None:
    rules = Rules(painted_yaml(line))

    assert (rules.words, rules.breaches) == (line, [])


@UNHURRIED
@given(text=st.text(st.characters(exclude_characters="\r\x00", exclude_categories=["Cs"])))
def test_highlighting_never_changes_the_text(text: str) -> None:
    for language in ("diff", "yaml", "text"):
        assert Rules(highlighted(text, language)).words == text.removesuffix("\n")
