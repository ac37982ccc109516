"""A gate as it is written, and the same gate as it is asked and judged."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.core.gates import Absolute, GitHubGate, HttpGate, LiveGate, MetricGate, Relative
from bot.core.promql import parse

if TYPE_CHECKING:
    from bot.core.gates import Gate, Threshold
    from bot.core.rules.values import GateRule

KINDS = ("query", "http", "checks", "environment", "live", "reviewers")
"""The keys that say what answers a gate; a gate has one of them, and ``environment`` may stand beside ``checks``."""

WINDOW = timedelta(minutes=15)
"""What a gate looks at that does not say it."""


def gate_from(name: str, rule: GateRule, *, service: str, namespace: str) -> Gate | None:
    """Give the gate to ask, ``None`` for one that people answer.

    Args:
        name: Its name in the rules.
        rule: What is written.
        service: The service's name: what a cluster calls the object, where the gate does not say.
        namespace: The service's, may be empty.

    Raises:
        Declined: ``config-invalid``, what is written cannot be asked.
    """
    window = rule.window or WINDOW
    if rule.query is not None:
        return MetricGate(
            name,
            rule.server,
            parse(rule.query),
            _threshold(rule) or Absolute(0.0),
            window,
            samples=None if rule.samples is None else parse(rule.samples),
            min_samples=rule.min_requests,
            no_data=rule.no_data,
            unit=rule.unit,
        )
    if rule.http:
        limit = _threshold(rule)
        return HttpGate(
            name,
            rule.http,
            rule.verdict,
            rule.value,
            rule.count,
            limit if isinstance(limit, Absolute) else None,
            rule.min_requests,
            rule.no_data,
            window,
            rule.unit,
        )
    if rule.checks or rule.environment:
        return GitHubGate(name, rule.checks, rule.app, rule.environment)
    if rule.live:
        return LiveGate(name, rule.cluster, rule.live, rule.object or service, rule.namespace or namespace)
    return None


def _threshold(rule: GateRule) -> Threshold | None:
    if rule.compare:
        return Relative(rule.tolerance, rule.slack)
    if rule.max is not None:
        return Absolute(rule.max)
    return None if rule.min is None else Absolute(rule.min, "least")
