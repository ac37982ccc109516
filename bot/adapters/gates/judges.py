"""All gates, each judged by what answers it. Nothing of HTTP is loaded where the operator has named no endpoint."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from bot.adapters.gates.github import GitHubGates
from bot.adapters.gates.hosts import Kind, Outside, Unasked
from bot.core.gates import Gate, GitHubGate, HttpGate, LiveGate, MetricGate, Outcome, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

    from bot.adapters.gates.asking import Asker
    from bot.adapters.gates.hosts import Resolve
    from bot.adapters.github.redaction import Redactor
    from bot.ports import About, Signals


class Judges:
    """``bot.ports.Gates``. Safe to share between threads.

    Args:
        outside: The operator's settings.
        resolve: As for ``Asker``.
        transport: As for ``Asker``.
        redact: As for ``Asker``.
    """

    def __init__(
        self,
        outside: Outside,
        *,
        resolve: Resolve | None = None,
        transport: httpx.BaseTransport | None = None,
        redact: Redactor | None = None,
    ) -> None:
        self._outside = outside
        self._given = resolve, transport, redact
        self._lock = Lock()
        self._asker: Asker | None = None

    def judge(self, gate: Gate, about: About, at: datetime, signals: Signals) -> Verdict:
        """Ask one gate as of ``at``; every trouble is an inconclusive verdict, none an exception."""
        if isinstance(gate, GitHubGate):
            return GitHubGates(signals).judge(gate, about.wanted.commits[0], at)
        kind, name = _endpoint(gate)
        try:
            # Known before anything of HTTP is loaded, which takes a tenth of a second.
            self._outside.endpoint(kind, name)
        except Unasked as unasked:
            return Verdict(gate.name, Outcome.INCONCLUSIVE, unasked.reason, at, source=name)
        asker = self._ask()
        match gate:
            case MetricGate():
                from bot.adapters.gates.prometheus import PrometheusGates  # noqa: PLC0415 - as above

                return PrometheusGates(asker).judge(gate, about.values, at)
            case HttpGate():
                from bot.adapters.gates.http import HttpGates  # noqa: PLC0415 - as above

                return HttpGates(asker).judge(gate, about.values, at)
            case LiveGate():
                from bot.adapters.gates.kubernetes import LiveGates  # noqa: PLC0415 - as above

                return LiveGates(asker).judge(gate, about.wanted, at)

    def _ask(self) -> Asker:
        with self._lock:
            if self._asker is None:
                from bot.adapters.gates.asking import Asker  # noqa: PLC0415 - as above

                resolve, transport, redact = self._given
                self._asker = Asker(self._outside, resolve=resolve, transport=transport, redact=redact)
            return self._asker


def _endpoint(gate: MetricGate | HttpGate | LiveGate) -> tuple[Kind, str]:
    match gate:
        case MetricGate():
            return "prometheus", gate.server
        case HttpGate():
            return "http", gate.endpoint
        case LiveGate():
            return "kubernetes", gate.cluster
