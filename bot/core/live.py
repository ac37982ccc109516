"""What objects of a cluster say: whether the merged commit is live and the candidate ready, and since when.

A bake counts from there, because a merge is minutes away from the cluster. What has not arrived is inconclusive; only
a candidate that is there and broken fails. Objects are plain values of any shape.

Sources: Knative Serving, "Error conditions and reporting" (``Ready``; ``True``, ``False``, ``Unknown``) and
``RouteStatus.traffic``; Argo CD, ``Application`` (``status.sync``, ``status.health``, ``status.history``); Flux,
"Kustomization" (``lastAppliedRevision`` like ``main@sha1:<commit>``, before 2.0 ``main/<commit>``; it stays behind
``lastAttemptedRevision`` while health checks fail); Kubernetes, API conventions (``observedGeneration``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.core.doctor.documents import at, entries, text
from bot.core.gates import Outcome
from bot.core.text import code

_BROKEN = frozenset(
    {"BuildFailed", "HealthCheckFailed"}
)  # what Flux says of the commit, and not of its own trouble


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be live.

    ``commits`` holds the merged commit, and those after it on the base branch that keep its split: an agent may
    have gone further. Nothing is live before ``since``, the merge. ``weight`` is the candidate's share, percent.
    """

    commits: tuple[str, ...]
    since: datetime
    candidate: str
    weight: int


@dataclass(frozen=True, slots=True)
class Live:
    """The answer. ``since`` is never before the merge, and ``None`` unless it passes."""

    outcome: Outcome
    reason: str
    since: datetime | None = None


def knative(service: Any, revision: Any, wanted: Wanted) -> Live:
    """Read a Service and the candidate's Revision (``None`` while there is none)."""
    name = code(wanted.candidate)
    if revision is None:
        return Live(Outcome.INCONCLUSIVE, f"The cluster has no revision {name} yet.")
    ready = _condition(revision, "Ready")
    if at(ready, "status") == "False":
        return Live(Outcome.FAIL, f"Revision {name} is not ready: {_said(ready)}.")
    if at(ready, "status") != "True":
        return Live(Outcome.INCONCLUSIVE, f"Revision {name} is not ready yet: {_said(ready)}.")
    if not _observed(service):
        return Live(Outcome.INCONCLUSIVE, "Knative has not worked on the last change of the service yet.")
    whole = _condition(service, "Ready")
    if at(whole, "status") != "True":
        return Live(Outcome.INCONCLUSIVE, f"The service is not ready: {_said(whole)}.")
    share = sum(
        percent
        for target in entries(at(service, "status", "traffic"))
        if at(target, "revisionName") == wanted.candidate
        and isinstance(percent := at(target, "percent"), int)
        and not isinstance(percent, bool)
    )
    if share != wanted.weight:
        return Live(
            Outcome.INCONCLUSIVE, f"The cluster gives {name} {share} %, and not {wanted.weight} % yet."
        )
    reason = f"Revision {name} is ready and has {share} %."
    return _passed(reason, wanted, _since(ready), _since(whole))


def argocd(application: Any, wanted: Wanted) -> Live:
    """Read an Argo CD Application."""
    sync = at(application, "status", "sync")
    revisions = _revisions(sync)
    if not _reached(revisions, wanted):
        return _behind("Argo CD", revisions, wanted)
    status = at(sync, "status")
    if status != "Synced":
        return Live(Outcome.INCONCLUSIVE, f"Argo CD knows the commit, and is {code(text(status))}.")
    health = at(application, "status", "health")
    state = text(at(health, "status"))
    if state == "Degraded":
        said = text(at(health, "message"))
        return Live(
            Outcome.FAIL, f"Argo CD says {code(state)}{': ' + code(said, longest=200) if said else ''}."
        )
    if state != "Healthy":
        return Live(Outcome.INCONCLUSIVE, f"Argo CD says {code(state)}.")
    # The first time that one of the commits was deployed: later ones keep the split.
    deployed = [
        when
        for entry in entries(at(application, "status", "history"))
        if _reached(_revisions(entry), wanted) and (when := _time(at(entry, "deployedAt"))) is not None
    ]
    operation = at(application, "status", "operationState")
    if not deployed and _reached(_revisions(at(operation, "syncResult")), wanted):
        deployed = [when for when in (_time(at(operation, "finishedAt")),) if when is not None]
    healthy = _time(at(health, "lastTransitionTime"))
    return _passed("Argo CD is synced and healthy.", wanted, min(deployed, default=None), healthy)


def flux(kustomization: Any, wanted: Wanted) -> Live:
    """Read a Flux Kustomization."""
    if at(kustomization, "spec", "suspend") is True:
        return Live(Outcome.INCONCLUSIVE, "Flux is suspended for this Kustomization.")
    applied = _commit(at(kustomization, "status", "lastAppliedRevision"))
    attempted = _commit(at(kustomization, "status", "lastAttemptedRevision"))
    ready = _condition(kustomization, "Ready")
    broken = at(ready, "status") == "False" and at(ready, "reason") in _BROKEN
    if broken and _observed(kustomization) and _reached((attempted,), wanted):
        return Live(Outcome.FAIL, f"Flux cannot bring the commit to life: {_said(ready)}.")
    if not _reached((applied,), wanted):
        return _behind("Flux", (applied,), wanted)
    if not _observed(kustomization):
        return Live(Outcome.INCONCLUSIVE, "Flux has not worked on the last change of the Kustomization yet.")
    if at(ready, "status") != "True":
        return Live(Outcome.INCONCLUSIVE, f"Flux is not ready: {_said(ready)}.")
    return _passed("Flux has applied the commit and is ready.", wanted, _since(ready))


def _passed(reason: str, wanted: Wanted, *since: datetime | None) -> Live:
    return Live(Outcome.PASS, reason, max((wanted.since, *(when for when in since if when is not None))))


def _behind(who: str, revisions: tuple[str, ...], wanted: Wanted) -> Live:
    there = ", ".join(code(r[:10]) for r in revisions if r) or "no commit"
    return Live(Outcome.INCONCLUSIVE, f"{who} is at {there}, and not yet at {code(wanted.commits[0][:10])}.")


def _reached(revisions: tuple[str, ...], wanted: Wanted) -> bool:
    return any(revision in wanted.commits for revision in revisions if revision)


def _revisions(holder: Any) -> tuple[str, ...]:
    """Give the commits of an Application's status: one, or one for each source."""
    several = tuple(r for r in entries(at(holder, "revisions")) if isinstance(r, str))
    return several or (text(at(holder, "revision")),)


def _commit(revision: Any) -> str:
    """Give the commit of ``main@sha1:<commit>`` or ``main/<commit>``."""
    return text(revision).rpartition(":")[2].rpartition("/")[2]


def _condition(holder: Any, kind: str) -> Any:
    return next((c for c in entries(at(holder, "status", "conditions")) if at(c, "type") == kind), None)


def _observed(holder: Any) -> bool:
    generation, seen = at(holder, "metadata", "generation"), at(holder, "status", "observedGeneration")
    return isinstance(generation, int) and generation == seen


def _said(condition: Any) -> str:
    parts = [text(at(condition, key)) for key in ("reason", "message")]
    said = ", ".join(part for part in parts if part)
    return code(said, longest=200) if said else "nothing is said"


def _since(condition: Any) -> datetime | None:
    return _time(at(condition, "lastTransitionTime"))


def _time(written: Any) -> datetime | None:
    try:
        when = datetime.fromisoformat(text(written))
        return when.astimezone(UTC) if when.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
