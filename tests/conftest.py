from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

from tests.contract.lane import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown

__all__ = ["pytest_sessionfinish", "pytest_terminal_summary", "pytest_testnodedown"]

# What a shell starts in the background ignores SIGINT, and so do its children; some tests send it to theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is slow, not wrong: no deadlines. CANARY_FUZZ multiplies the examples for long runs.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=30 * int(os.environ.get("CANARY_FUZZ", "1")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")
