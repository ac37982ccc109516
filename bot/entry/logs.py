"""Log lines: one JSON object each, in ASCII, on standard error, without secrets.

Whatever a stranger typed can only stand in a field of one record: control characters, line
separators and terminal sequences are escaped, long text is cut. Secrets are taken out by
their known values and by their prefixes, never by length: installation tokens have several.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

LONGEST_TEXT = 2_000  # characters of one field
LONGEST_TRACE = 20_000  # characters of a traceback
MOST_ENTRIES = 100  # of one list or object
DEEPEST = 6
HIDDEN = "[hidden]"
SHORTEST_SECRET = 8  # shorter values would make the log unreadable, and are refused by the settings

_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
    r"|gh[a-z]_[A-Za-z0-9_.\-]{8,}"  # ghs_, ghp_, gho_, ghu_, ghr_ and their successors
    r"|github_pat_[A-Za-z0-9_]{8,}"
    r"|eyJ[A-Za-z0-9_\-]{5,4096}\.[A-Za-z0-9_\-]{5,4096}\.[A-Za-z0-9_\-]*",
    re.DOTALL,
)


class Redactor:
    """Takes secrets out of text.

    Args:
        secrets: Known values. Of one with several lines (a key) each line is hidden, too.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values: set[str] = set()
        for secret in secrets:
            values |= {part for part in (secret, secret.strip(), *secret.splitlines()) if _is_telling(part)}
        # The longest first, so that none is left over in part.
        ordered = sorted(values, key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(value) for value in ordered)) if ordered else None

    def __call__(self, text: str) -> str:
        """Give the text with every secret replaced."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _SHAPES.sub(HIDDEN, text)


def _is_telling(part: str) -> bool:
    return len(part) >= SHORTEST_SECRET and not part.startswith("-----")


def configure(
    level: str = "INFO", *, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> logging.Handler:
    """Send every log line of this process, ours and the libraries', to one place in one form.

    Args:
        level: As the standard library names it.
        secrets: Values that must never show.
        stream: Standard error, unless a test wants to read it.

    Returns:
        The handler, now the only one of the root logger.
    """
    render = _Renderer(Redactor(secrets))
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    for name in ("httpx", "httpcore", "urllib3", "github", "uvicorn.error"):
        # Lines for each request and each start of a library are debugging aids.
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return handler


class _Handler(logging.StreamHandler[TextIO]):
    """A stream handler whose own trouble is a record, too."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        problem = type(sys.exc_info()[1]).__name__
        line = {"event": "log-failed", "level": "error", "logger": record.name, "problem": problem}
        try:
            self.stream.write(json.dumps(line) + self.terminator)
        except (OSError, ValueError):
            return  # standard error is gone; a log that cannot be written never stops the work


class _Renderer:
    """Makes one line of a record."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def __call__(self, _logger: Any, _method: str, record: MutableMapping[str, Any]) -> str:
        line = {self._text(str(key)): self._value(value, key) for key, value in record.items()}
        # ASCII only: what a terminal or a line reader could take for something else is escaped.
        return json.dumps(line, ensure_ascii=True, allow_nan=False)

    def _value(self, value: object, key: str = "", depth: int = 0) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and abs(value) < 2**63:
            return value
        if isinstance(value, float) and abs(value) < float("inf"):
            return value
        if depth < DEEPEST and isinstance(value, dict):
            entries = list(value.items())[:MOST_ENTRIES]
            return {self._text(str(name)): self._value(entry, depth=depth + 1) for name, entry in entries}
        if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return [self._value(entry, depth=depth + 1) for entry in list(value)[:MOST_ENTRIES]]
        longest = LONGEST_TRACE if key == "exception" else LONGEST_TEXT
        return self._text(value if isinstance(value, str) else repr(value), longest)

    def _text(self, text: str, longest: int = LONGEST_TEXT) -> str:
        # Cut generously, redact, cut: a secret that the last cut goes through is hidden by then.
        shown = self._redact(text[: 8 * longest])
        return shown if len(shown) <= longest else shown[:longest] + "…"
