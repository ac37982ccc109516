from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.contract.lane import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown

__all__ = ["pytest_sessionfinish", "pytest_terminal_summary", "pytest_testnodedown"]

# A busy machine is slow, not wrong: no deadlines. CANARY_FUZZ multiplies the examples for long runs.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=100 * int(os.environ.get("CANARY_FUZZ", "1")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")
