"""CODEOWNERS: GitHub's documented examples, and a property against a matcher that shares nothing with ours."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.core.codeowners import LOCATIONS, TOO_LARGE, CodeOwners, Line, is_owner, parse

DOCUMENTED = b"""\
# This is a comment.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
"""


def rules(*lines: str) -> CodeOwners:
    return parse("\n".join(lines).encode())


class TestDocumented:
    """The example of GitHub's documentation, sentence for sentence."""

    @pytest.mark.parametrize(
        ("path", "owners"),
        [
            pytest.param("README.md", "@global-owner1 @global-owner2", id="owners of everything"),
            pytest.param("web/app.js", "@js-owner", id="only the last match"),
            pytest.param("cmd/main.go", "docs@example.com", id="an address"),
            pytest.param("notes.txt", "@octo-org/octocats", id="a team"),
            pytest.param("build/logs/a.log", "@octocat", id="logs anywhere come later"),
            pytest.param("apps/web/a.md", "@octocat", id="apps"),
            pytest.param("src/apps/a.md", "@octocat", id="an apps directory anywhere"),
            pytest.param("docs/getting-started.md", "@doctocat", id="docs in the root"),
            pytest.param("scripts/x/y", "@doctocat @octocat", id="either of two"),
            pytest.param("scripts/logs", "@octocat", id="logs in scripts"),
            pytest.param("deeply/nested/logs/x", "@octocat", id="deeply nested logs"),
            pytest.param("apps/github/x", "", id="owners left empty"),
            pytest.param("apps/github", "", id="a file of that name"),
            pytest.param("apps/github2/x", "@octocat", id="another folder"),
        ],
    )
    def test_example(self, path: str, owners: str) -> None:
        assert " ".join(parse(DOCUMENTED).owners_of(path)) == owners
        assert parse(DOCUMENTED).skipped == ()

    @pytest.mark.parametrize(
        ("pattern", "yes", "no"),
        [
            pytest.param("*", "a a/b a/b/c .github/x", "", id="everything"),
            pytest.param("*.js", "a.js a/b.js", "a.jsx a.ts", id="an extension anywhere"),
            pytest.param(
                "/build/logs/", "build/logs/a build/logs/a/b", "build/logs x/build/logs/a", id="rooted folder"
            ),
            pytest.param(
                "docs/*",
                "docs/getting-started.md",
                "docs/build-app/troubleshooting.md x/docs/a docs",
                id="one level",
            ),
            pytest.param("apps/", "apps/a x/apps/a apps/b/c", "apps x/apps myapps/a", id="a folder anywhere"),
            pytest.param("/docs/", "docs/a docs/b/c", "x/docs/a docs", id="a folder of the root"),
            pytest.param(
                "**/logs", "logs build/logs scripts/logs deeply/nested/logs/a", "logs2 a/blogs", id="**/"
            ),
            pytest.param(
                "/apps/github", "apps/github apps/github/a", "x/apps/github apps/github.md", id="no slash"
            ),
            pytest.param("apps", "apps apps/a x/apps/a", "apps2", id="a bare name"),
            pytest.param("a/b", "a/b a/b/c", "x/a/b", id="a slash in the middle roots"),
            pytest.param("/*", "a README.md", "a/b", id="files of the root"),
            pytest.param("/*.md", "a.md", "x/a.md", id="an extension in the root"),
            pytest.param("a/**", "a/b a/b/c", "a x/a/b", id="all in a folder"),
            pytest.param("a/**/b", "a/b a/x/b a/x/y/b a/b/c", "b a/xb", id="any folders between"),
            pytest.param("**", "a a/b", "", id="all"),
            pytest.param("a/**/", "a/b/c", "a/b", id="folders below"),
            pytest.param("a?c", "abc x/abc", "ac a/c abbc", id="one character"),
            pytest.param("a*c/d", "ac/d abc/d", "a/c/d", id="an asterisk passes no slash"),
            pytest.param("docs/*.md", "docs/a.md docs/x.md/y", "docs/x/a.md", id="part of a name"),
            pytest.param("*/x", "a/x a/x/b", "x a/b/x", id="one folder"),
            pytest.param(r"\*", "*", "a", id="an escaped asterisk"),
            pytest.param("CASE", "CASE", "case", id="case counts"),
        ],
    )
    def test_pattern(self, pattern: str, yes: str, no: str) -> None:
        line = Line(1, pattern, ())

        assert [p for p in yes.split() if not line.matches(p)] == []
        assert [p for p in no.split() if line.matches(p)] == []

    def test_escaped_spaces(self) -> None:
        owned = rules(r"path\ with\ spaces/ @a", r"/my\ file.md    @b")

        assert owned.owners_of("x/path with spaces/y") == ("@a",)
        assert owned.owners_of("my file.md") == ("@b",)
        assert owned.owners_of("my") == ()

    def test_locations(self) -> None:
        assert LOCATIONS == (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")


class TestSkipped:
    """A line that is no rule is skipped and told; the others count."""

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param("!secret.md @b", id="negation"),
            pytest.param("*.[ch] @b", id="range"),
            pytest.param(r"\#file @b", id="escaped comment"),
            pytest.param("* @b nobody", id="an owner without @"),
            pytest.param("* @", id="an empty name"),
            pytest.param("* @b/", id="a team without a name"),
            pytest.param("* @b/c/d", id="a team in a team"),
            pytest.param("* @-b", id="a name that begins with a dash"),
            pytest.param("* @b,@c", id="commas"),
            pytest.param("/ @b", id="a lone slash"),
            pytest.param("a//b @b", id="two slashes"),
            pytest.param("a*** @b", id="three asterisks"),
            pytest.param("a\\", id="a back-slash at the end"),
            pytest.param("a\x1b[2J @b", id="a control character"),
            pytest.param("* @b\N{CYRILLIC SMALL LETTER A}", id="a letter of another script"),
        ],
    )
    def test_line(self, line: str) -> None:
        owned = rules("* @a", line, "# end")

        assert [s.number for s in owned.skipped] == [2]
        assert owned.skipped[0].why
        assert owned.owners_of("x.md") == owned.owners_of("file") == ("@a",)

    def test_size(self) -> None:
        fits = b"* @a\n" + b"#" * (TOO_LARGE - 6)

        assert parse(fits).owners_of("x") == ("@a",)
        assert parse(fits + b"#").lines == ()
        assert parse(fits + b"#").skipped[0].number == 0

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"* @a\r\n\r\n", id="CRLF"),
            pytest.param(b"\xef\xbb\xbf* @a", id="byte-order mark"),
            pytest.param(b"\t * \t@a\t", id="tabs"),
            pytest.param(b"* @a # and why\n  # more", id="comments"),
            pytest.param(b"caf\xe9 @b\n* @a", id="no UTF-8"),
        ],
    )
    def test_forms(self, content: bytes) -> None:
        assert parse(content).owners_of("x") == ("@a",)
        assert parse(content).skipped == ()

    @given(st.binary(max_size=300))
    def test_never_raises(self, content: bytes) -> None:
        owned = parse(content)
        owned.owners_of("a/b")
        assert all(is_owner(owner) for line in owned.lines for owner in line.owners)
        assert all(one.number < other.number for one, other in pairwise(owned.lines))


def oracle(pattern: str, path: str) -> bool:
    """Match by a regular expression that is written from left to right, and try the path and its folders."""
    dir_only = pattern.endswith("/")
    body = re.sub(r"\*\*(/\*\*)+", "**", pattern.strip("/"))
    text = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    for part in re.split(r"(/\*\*/|^\*\*/|/\*\*$|^\*\*$|\*+|\?)", body):
        text += {"/**/": "(?:/|/.*/)", "**/": "(?:.*/)?", "/**": "/.+", "**": ".+", "?": "[^/]"}.get(
            part, "[^/]*" if part[:1] == "*" else re.escape(part)
        )
    folders = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
    whole = re.compile(text, re.DOTALL)
    if dir_only:
        return any(whole.fullmatch(f) for f in folders)
    if body.rpartition("/")[2] == "*":
        return whole.fullmatch(path) is not None
    return any(whole.fullmatch(f) for f in [*folders, path])


PARTS = st.sampled_from(["a", "b", "ab", "*", "a*", "*b", "?", "a?", "*a*b", "**"])
PATTERNS = st.builds(
    lambda front, parts, end: front + "/".join(parts) + end,
    st.sampled_from(["", "/"]),
    st.lists(PARTS, min_size=1, max_size=5),
    st.sampled_from(["", "/"]),
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "aab", "ba", "c"]), min_size=1, max_size=6).map("/".join)


class TestOracle:
    """Our matcher says what a simple one says."""

    @given(PATTERNS, PATHS)
    @example("a/**/b", "a/b")
    @example("a/**/", "a/b")
    @example("**/", "a")
    @example("**/a/**/b/", "a/a/c/b/b")
    def test_same(self, pattern: str, path: str) -> None:
        assert Line(1, pattern, ()).matches(path) == oracle(pattern, path)

    @given(st.lists(PATTERNS, max_size=6), PATHS)
    def test_the_last_match_wins(self, patterns: list[str], path: str) -> None:
        owned = rules(*(f"{pattern} @u{number}" for number, pattern in enumerate(patterns)))

        expected = [f"@u{number}" for number, pattern in enumerate(patterns) if oracle(pattern, path)]
        assert owned.owners_of(path) == tuple(expected[-1:])

    def test_no_pattern_takes_long(self) -> None:
        pattern = "/".join(["**", "*a" * 40 + "b"] * 40)
        path = "/".join(["a" * 80] * 80)
        start = time.process_time()

        assert not Line(1, pattern, ()).matches(path)
        assert time.process_time() - start < 2
