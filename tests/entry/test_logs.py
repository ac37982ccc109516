"""Every log line parses, holds exactly one record, and shows no secret."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.entry import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "a webhook secret that must not be shown"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7v\nsecond+line/of+the+key=\n-----END RSA PRIVATE KEY-----\n"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiI0NzExIn0.c2lnbmF0dXJl"
TOKENS = [
    "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
    f"ghs_4711_{JWT}",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11AAAAAAA0abcdefghijkl_mnopqrstuvwxyz",
    JWT,
    PEM,
    SECRET,
    "second+line/of+the+key=",
]

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=10)
    | st.characters(codec=None, categories=["Cc", "Cf", "Cs", "Zl", "Zp"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4)
    ),
    max_leaves=10,
)


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def configured() -> tuple[io.StringIO, logging.Logger]:
    stream = io.StringIO()
    logs.configure("INFO", secrets=(SECRET, PEM), stream=stream)
    return stream, logging.getLogger("bot.test")


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    text = stream.getvalue()
    assert text.isascii()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


class TestOneRecordOneLine:
    """Whatever a stranger typed, a line stays a line."""

    @given(text=st.text(st.characters(codec=None)), field=ANYTHING, name=st.text(max_size=10))
    def test_any_text(self, text: str, field: object, name: str) -> None:
        stream, logger = configured()
        logger.info("comment", extra={"text": text, "field": field, "name_": {name: field}})
        logger.info(text.replace("%", "%%"))
        structlog.get_logger("canary").info(text or "-", shown=text, field=field)
        assert len(records(stream)) == 3

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("a\nb", id="line feed"),
            pytest.param("a\r\n{}", id="a record of its own"),
            pytest.param("a\u2028b\u0085c\vd", id="other line separators"),
            pytest.param("\x1b[31mred\x1b[0m", id="terminal colours"),
            pytest.param("\u202eabc", id="direction"),
            pytest.param("\ud800", id="lone surrogate"),
            pytest.param("\0", id="NUL"),
        ],
    )
    def test_text_of_a_stranger(self, text: str) -> None:
        stream, logger = configured()
        logger.warning("comment", extra={"text": text})
        [record] = records(stream)
        assert record["text"] == text
        assert record["event"] == "comment"
        assert record["level"] == "warning"
        assert record["logger"] == "bot.test"
        assert record["timestamp"].endswith("Z")

    def test_long_text_is_cut(self) -> None:
        stream, logger = configured()
        logger.info("comment", extra={"text": "x" * 1_000_000, "many": list(range(10_000))})
        [record] = records(stream)
        assert record["text"] == "x" * logs.LONGEST_TEXT + "…"
        assert len(record["many"]) == logs.MOST_ENTRIES

    def test_a_traceback_is_one_field(self) -> None:
        stream, logger = configured()
        try:
            raise ZeroDivisionError("x\ny")  # noqa: TRY301 - raised to be logged
        except ZeroDivisionError:
            logger.exception("failed")
        [record] = records(stream)
        assert "ZeroDivisionError: x\ny" in record["exception"]

    def test_a_record_that_cannot_be_made_is_one(self) -> None:
        stream, logger = configured()
        logger.info("%d pull requests", "seven")
        [record] = records(stream)
        assert (record["event"], record["problem"]) == ("log-failed", "TypeError")

    def test_lines_of_libraries(self) -> None:
        stream, _ = configured()
        logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
        logging.getLogger("uvicorn.error").error("Exception in %s", "ASGI")
        logging.getLogger("httpx").info("HTTP Request: GET https://example.org?token=1")
        [record] = records(stream)
        assert record["event"] == "Exception in ASGI"


class TestSecrets:
    """No secret is in any line, wherever it was put."""

    @pytest.mark.parametrize("token", TOKENS)
    def test_hidden_everywhere(self, token: str) -> None:
        stream, logger = configured()
        logger.info("as %s", token, extra={"in": f"x {token} y", "deep": {"list": [token], token: 1}})
        structlog.get_logger("canary").info("also", header=f"Bearer {token}", pair=(token, object()))
        try:
            raise RuntimeError(token)  # noqa: TRY301 - raised to be logged
        except RuntimeError:
            logger.exception("failed")
        text = stream.getvalue() + str(records(stream))
        for part in token.strip().splitlines():
            if not part.startswith("-----"):
                assert part not in text
        assert logs.HIDDEN in text

    @given(before=st.text(), token=st.sampled_from(TOKENS), after=st.text(" \n.,;()", max_size=5))
    def test_in_any_text(self, before: str, token: str, after: str) -> None:
        shown = logs.Redactor((SECRET, PEM))(before + token + after)
        for part in token.strip().splitlines():
            assert part.startswith("-----") or part not in shown

    def test_a_secret_at_the_cut(self) -> None:
        """The cut never leaves the first half of a secret."""
        stream, logger = configured()
        for shift in range(0, 60, 7):
            logger.info("x", extra={"text": "y" * (logs.LONGEST_TEXT - shift) + TOKENS[0]})
        assert "ghs_" not in stream.getvalue()

    def test_time_is_linear(self) -> None:
        redact = logs.Redactor((SECRET,))
        for text in ("eyJ" * 5_000, "ghs_" * 5_000, "-----BEGIN PRIVATE KEY" * 500, "eyJ" + "a." * 5_000):
            redact(text)  # the test's time limit is the assertion

    def test_short_values_are_no_secrets(self) -> None:
        assert logs.Redactor(("a", ""))("banana") == "banana"
