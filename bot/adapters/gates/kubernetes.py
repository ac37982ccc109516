"""The API server of a cluster, asked with GET and nothing else.

What it needs of a Role: ``get`` on ``services`` and ``revisions`` of ``serving.knative.dev``, or on ``applications``
of ``argoproj.io``, or on ``kustomizations`` of ``kustomize.toolkit.fluxcd.io``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bot.adapters.gates.hosts import Endpoint, Unasked
from bot.core.gates import LiveGate, Outcome, Verdict
from bot.core.live import Live, Wanted, argocd, flux, knative
from bot.core.text import code

if TYPE_CHECKING:
    from datetime import datetime

    from bot.adapters.gates.asking import Asker

_SERVING = "/apis/serving.knative.dev/v1"
_ARGO = "/apis/argoproj.io/v1alpha1"
_FLUX = "/apis/kustomize.toolkit.fluxcd.io/v1"
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)


class LiveGates:
    """Judges gates about a cluster. Safe to share between threads."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def judge(self, gate: LiveGate, wanted: Wanted, at: datetime) -> Verdict:
        """Look and judge; every trouble is an inconclusive verdict, none an exception."""
        try:
            endpoint = self._asker.endpoint("kubernetes", gate.cluster)
            live = self._look(endpoint, gate, wanted)
        except Unasked as failure:
            live = Live(Outcome.INCONCLUSIVE, failure.reason)
        return Verdict(
            gate.name,
            live.outcome,
            live.reason,
            at,
            source=gate.cluster,
            query=f"{gate.kind} {gate.namespace}/{gate.object}",
            since=live.since,
        )

    def _look(self, endpoint: Endpoint, gate: LiveGate, wanted: Wanted) -> Live:
        match gate.kind:
            case "knative":
                service = self._object(endpoint, _SERVING, gate.namespace, "services", gate.object)
                if service is None:
                    return _absent("service", gate)
                revision = self._object(endpoint, _SERVING, gate.namespace, "revisions", wanted.candidate)
                return knative(service, revision, wanted)
            case "argocd":
                application = self._object(endpoint, _ARGO, gate.namespace, "applications", gate.object)
                return _absent("Application", gate) if application is None else argocd(application, wanted)
            case "flux":
                kustomization = self._object(endpoint, _FLUX, gate.namespace, "kustomizations", gate.object)
                return (
                    _absent("Kustomization", gate) if kustomization is None else flux(kustomization, wanted)
                )

    def _object(self, endpoint: Endpoint, group: str, namespace: str, kind: str, name: str) -> Any:
        """Give an object, ``None`` when there is none."""
        for one in (namespace, name):
            if _NAME.fullmatch(one) is None or ".." in one:
                raise Unasked(f"{code(one)} is no name of an object.")
        told = self._asker.ask(endpoint, f"{group}/namespaces/{namespace}/{kind}/{name}")
        where = code(endpoint.name)
        if told.status == 404:  # noqa: PLR2004
            return None
        if told.status in {401, 403}:
            raise Unasked(f"{where} does not let the bot read {kind} in {code(namespace)} ({told.status}).")
        if not told.good:
            raise Unasked(f"{where} answers with status {told.status}.")
        if not isinstance(told.data, dict):
            raise Unasked(f"{where} does not answer as an API server does.")
        return told.data


def _absent(kind: str, gate: LiveGate) -> Live:
    name = code(f"{gate.namespace}/{gate.object}")
    return Live(Outcome.INCONCLUSIVE, f"The cluster has no {kind} {name}, or does not serve that kind.")
