"""A file that goes through a browser's form keeps the bytes that nobody touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.pages_edit import as_text, with_own_ends
from bot.sandbox.pages_traffic import traffic_of
from bot.sandbox.pages_view import Share
from tests.sandbox.html_rules import UNHURRIED

ENDS = st.sampled_from(["\n", "\r\n", "\r"])
FILES = st.lists(st.tuples(st.text(st.sampled_from("ab# \t\u2028é"), max_size=5), ENDS), max_size=8)


def sent(text: str) -> str:
    """Give what a browser sends for a text area that shows ``text``."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


class TestUntouched:
    """Bytes of lines that you leave alone stay as they are."""

    @UNHURRIED
    @given(lines=FILES, last=st.sampled_from(["", "x"]), mark=st.sampled_from(["", "\ufeff"]))
    def test_a_file_sent_back_unchanged(self, lines: list[tuple[str, str]], last: str, mark: str) -> None:
        before = (mark + "".join(map("".join, lines)) + last).encode()
        shown = as_text(before)

        assert shown is not None
        assert with_own_ends(before, sent(shown)) == before

    @pytest.mark.parametrize(
        ("before", "typed", "after"),
        [
            pytest.param(b"a\nb\n", "a\r\nc\r\n", b"a\nc\n", id="LF stays LF"),
            pytest.param(b"a\r\nb\r\n", "a\r\nc\r\n", b"a\r\nc\r\n", id="CRLF stays CRLF"),
            pytest.param(b"a\r\nb", "a\r\nc", b"a\r\nc", id="no last line end"),
            pytest.param(
                b"a\r\nb\r\n", "a\r\nx\r\nb\r\n", b"a\r\nx\r\nb\r\n", id="new line as its neighbours"
            ),
            pytest.param(b"a\r\nb\nc\r\n", "a\r\nb\r\nd\r\n", b"a\r\nb\nd\r\n", id="each line its own end"),
            pytest.param(b"\xef\xbb\xbfa\r\n", "b\r\n", b"\xef\xbb\xbfb\r\n", id="byte-order mark"),
            pytest.param(b"a\r\nb", "a\r\nb\r\n", b"a\r\nb\r\n", id="a last line end is added"),
            pytest.param(b"a\r\n", "", b"", id="everything is gone"),
        ],
    )
    def test_an_edit(self, before: bytes, typed: str, after: bytes) -> None:
        assert with_own_ends(before, typed) == after


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"a\0b", id="binary"),
        pytest.param(b"a" * 600_000, id="large"),
    ],
)
def test_what_is_no_text_is_not_edited(content: bytes) -> None:
    assert as_text(content) is None


KNATIVE = b"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\nspec:\n"


@pytest.mark.parametrize(
    ("spec", "shares"),
    [
        pytest.param(b"  template: {}\n", [Share("@latest", 100)], id="no block"),
        pytest.param(
            b"  traffic:\n  - {revisionName: a-1, percent: 75, tag: current}\n  - {revisionName: a-2, percent: 25}\n",
            [Share("a-1", 75, "current"), Share("a-2", 25)],
            id="split",
        ),
        pytest.param(
            b"  traffic:\n  - {latestRevision: true, tag: t}\n", [Share("@latest", 0, "t")], id="tag only"
        ),
        pytest.param(b"  runLatest: {}\n", [Share("@latest", 100)], id="runLatest"),
        pytest.param(b"  pinned: {revisionName: a-1}\n", [Share("a-1", 100)], id="pinned"),
        pytest.param(
            b"  release: {revisions: [a-1, a-2], rolloutPercent: 10}\n",
            [Share("a-1", 90, "current"), Share("a-2", 10, "candidate")],
            id="release",
        ),
        pytest.param(b"  traffic: [1, {percent: x}]\n", [Share("@latest", 0)], id="nonsense"),
    ],
)
def test_traffic_is_read(spec: bytes, shares: list[Share]) -> None:
    (found,) = traffic_of("a.yaml", KNATIVE + spec)

    assert list(found.shares) == shares


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"serving.knative.dev: [", id="broken"),
        pytest.param(b"# knative\n{{ template }}: {{ x }}\n", id="template"),
        pytest.param(b"\xff knative", id="not UTF-8"),
        pytest.param(b"kind: Deployment # knative\n", id="something else"),
        pytest.param(b"- knative\n", id="a list"),
        pytest.param(b"knative: " + b"[" * 5_000, id="deep"),
    ],
)
def test_what_cannot_be_read_is_no_picture(content: bytes) -> None:
    assert traffic_of("a.yaml", content) == ()
