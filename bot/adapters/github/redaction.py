"""No secret leaves through a message.

GitHub's installation tokens have no fixed length since 2026 (``ghs_<app>_<JWT>``), so secrets
are found by their known value and by their prefix, never by length.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict

HIDDEN = "[secret]"
_LIMIT = 5_000  # known values kept; a token lives for an hour
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\bgh[a-z]_[A-Za-z0-9_.\-]+"
    r"|\bgithub_pat_[A-Za-z0-9_]+"
    r"|\beyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)?",
    re.ASCII | re.DOTALL,
)


class Redactor(logging.Filter):
    """Takes secrets out of text; as a logging filter also out of log records."""

    def __init__(self) -> None:
        super().__init__()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def learn(self, secret: str) -> None:
        """Remember a secret's value; nothing so short that it would hide ordinary words."""
        if len(secret) < 8:  # noqa: PLR2004 - see above
            return
        with self._lock:
            self._known[secret] = None
            while len(self._known) > _LIMIT:
                self._known.popitem(last=False)

    def __call__(self, text: str) -> str:
        """Give the text with every secret replaced."""
        with self._lock:
            known = sorted(self._known, key=len, reverse=True)
        for secret in known:
            text = text.replace(secret, HIDDEN)
        return _SHAPES.sub(HIDDEN, text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record in place and let it pass."""
        record.msg, record.args = self(record.getMessage()), None
        return True
