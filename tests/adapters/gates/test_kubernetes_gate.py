"""A cluster says that the merged commit is live and the candidate ready, and since when."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.adapters.gates.asking import Asker
from bot.adapters.gates.kubernetes import LiveGates
from bot.core.gates import LiveGate, Outcome, Verdict
from bot.core.live import Wanted, argocd, flux, knative
from tests.adapters.gates.standin import StandIn, answer, outside, resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

OURS, LATER, OTHER = "a" * 40, "b" * 40, "c" * 40
MERGED = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 2, 12, 30, tzinfo=UTC)
WANTED = Wanted((OURS, LATER), MERGED, "checkout-v2", 25)
PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
DELETE = object()


def condition(kind: str, status: str, at: str = "2026-11-02T12:05:00Z", **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": at, **more}


REVISION = {"status": {"conditions": [condition("Ready", "True", "2026-11-02T12:04:00Z")]}}
SERVICE = {
    "metadata": {"generation": 4},
    "status": {
        "observedGeneration": 4,
        "conditions": [condition("RoutesReady", "True"), condition("Ready", "True")],
        "traffic": [
            {"revisionName": "checkout-v1", "percent": 75, "tag": "current"},
            {"revisionName": "checkout-v2", "percent": 25, "tag": "candidate"},
            {"revisionName": "checkout-v2", "tag": "latest", "latestRevision": True},
        ],
    },
}
APPLICATION = {
    "status": {
        "sync": {"status": "Synced", "revision": OURS},
        "health": {"status": "Healthy", "lastTransitionTime": "2026-11-02T12:07:00Z"},
        "history": [
            {"revision": OTHER, "deployedAt": "2026-11-01T09:00:00Z"},
            {"revision": OURS, "deployedAt": "2026-11-02T12:03:00Z"},
            {"revision": LATER, "deployedAt": "2026-11-02T12:20:00Z"},
        ],
    }
}
KUSTOMIZATION = {
    "metadata": {"generation": 2},
    "spec": {},
    "status": {
        "observedGeneration": 2,
        "lastAppliedRevision": f"main@sha1:{OURS}",
        "lastAttemptedRevision": f"main@sha1:{OURS}",
        "conditions": [condition("Ready", "True", reason="ReconciliationSucceeded")],
    },
}


def changed(base: Any, *changes: tuple[str, Any]) -> Any:
    """The object with other values at dotted paths."""
    made = copy.deepcopy(base)
    for path, value in changes:
        *way, last = path.split(".")
        here = made
        for key in way:
            here = here[int(key)] if key.isdigit() else here[key]
        if value is DELETE:
            del here[last]
        else:
            here[int(last) if last.isdigit() else last] = value
    return made


@pytest.mark.parametrize(
    ("service", "revision", "outcome", "says"),
    [
        pytest.param([], [], PASS, "Revision `checkout-v2` is ready and has 25 %.", id="live and ready"),
        pytest.param([], None, INCONCLUSIVE, "no revision `checkout-v2` yet", id="not made yet"),
        pytest.param(
            [],
            [("status.conditions.0", condition("Ready", "False", reason="ContainerMissing", message="no @image"))],
            FAIL,
            "is not ready: `ContainerMissing, no @image`.",
            id="the candidate is broken",
        ),
        pytest.param(
            [], [("status.conditions.0", condition("Ready", "Unknown", reason="Deploying"))], INCONCLUSIVE,
            "not ready yet: `Deploying`", id="starts",
        ),
        pytest.param([], [("status", {})], INCONCLUSIVE, "nothing is said", id="no conditions"),
        pytest.param([("metadata.generation", 5)], [], INCONCLUSIVE, "has not worked on", id="not observed yet"),
        pytest.param(
            [("status.conditions.1", condition("Ready", "False", reason="RevisionMissing"))], [], INCONCLUSIVE,
            "service is not ready: `RevisionMissing`", id="the service is not ready",
        ),
        pytest.param(
            [("status.traffic.1.percent", 5)], [], INCONCLUSIVE, "gives `checkout-v2` 5 %, and not 25 % yet",
            id="still the split before",
        ),
        pytest.param([("status.traffic", None)], [], INCONCLUSIVE, "gives `checkout-v2` 0 %", id="no traffic"),
        pytest.param([("status.traffic.1.percent", "25")], [], INCONCLUSIVE, "0 %", id="a percent in a text"),
    ],
)  # fmt: skip
def test_knative(service: Any, revision: Any, outcome: Outcome, says: str) -> None:
    live = knative(
        changed(SERVICE, *service), None if revision is None else changed(REVISION, *revision), WANTED
    )
    assert live.outcome is outcome
    assert says in live.reason
    # Ready since 12:04, the service with the new split since 12:05.
    assert live.since == (datetime(2026, 11, 2, 12, 5, tzinfo=UTC) if outcome is PASS else None)


@pytest.mark.parametrize(
    ("changes", "outcome", "says", "since"),
    [
        pytest.param([], PASS, "synced and healthy", 7, id="live and healthy"),
        pytest.param([("status.sync.revision", LATER)], PASS, "synced", 7, id="a later commit with the split"),
        pytest.param(
            [("status.sync.revision", OTHER)], INCONCLUSIVE, "is at `cccccccccc`, and not yet at `aaaaaaaaaa`", 0,
            id="still the commit before",
        ),
        pytest.param([("status.sync", {})], INCONCLUSIVE, "is at no commit", 0, id="never synced"),
        pytest.param(
            [("status.sync", {"status": "Synced", "revisions": [OTHER, OURS]})], PASS, "synced", 7,
            id="several sources",
        ),
        pytest.param([("status.sync.status", "OutOfSync")], INCONCLUSIVE, "is `OutOfSync`", 0, id="out of sync"),
        pytest.param([("status.health.status", "Progressing")], INCONCLUSIVE, "`Progressing`", 0, id="starts"),
        pytest.param([("status.health.status", "Missing")], INCONCLUSIVE, "`Missing`", 0, id="missing"),
        pytest.param([("status.health", DELETE)], INCONCLUSIVE, "Argo CD says", 0, id="no health"),
        pytest.param(
            [("status.health", {"status": "Degraded", "message": "crash @mona"})], FAIL,
            "says `Degraded`: `crash @mona`.", 0, id="degraded",
        ),
        pytest.param([("status.health.lastTransitionTime", DELETE)], PASS, "synced", 3, id="healthy all the time"),
        pytest.param(
            [
                ("status.health.lastTransitionTime", DELETE), ("status.history", []),
                ("status.operationState", {"syncResult": {"revision": OURS}, "finishedAt": "2026-11-02T12:09:00Z"}),
            ],
            PASS, "synced", 9, id="no history, but the operation",
        ),
        pytest.param(
            [("status.history", []), ("status.health.lastTransitionTime", "2026-10-01T00:00:00Z")], PASS, "synced", 0,
            id="never before the merge",
        ),
        pytest.param(
            [("status.history", "?"), ("status.health.lastTransitionTime", "yesterday")], PASS, "synced", 0,
            id="times that are none",
        ),
    ],
)  # fmt: skip
def test_argocd(changes: Any, outcome: Outcome, says: str, since: int) -> None:
    live = argocd(changed(APPLICATION, *changes), WANTED)
    assert live.outcome is outcome
    assert says in live.reason
    assert live.since == (MERGED.replace(minute=since) if outcome is PASS else None)


@pytest.mark.parametrize(
    ("changes", "outcome", "says"),
    [
        pytest.param([], PASS, "has applied the commit and is ready", id="live and ready"),
        pytest.param([("status.lastAppliedRevision", f"main/{OURS}")], PASS, "applied", id="as before 2.0"),
        pytest.param([("status.lastAppliedRevision", f"feat/x@sha1:{LATER}")], PASS, "applied", id="later commit"),
        pytest.param(
            [("status.lastAppliedRevision", f"main@sha1:{OTHER}")], INCONCLUSIVE, "is at `cccccccccc`",
            id="still the commit before",
        ),
        pytest.param([("status.lastAppliedRevision", DELETE)], INCONCLUSIVE, "is at no commit", id="never applied"),
        pytest.param([("metadata.generation", 3)], INCONCLUSIVE, "has not worked on", id="not observed yet"),
        pytest.param([("spec.suspend", True)], INCONCLUSIVE, "suspended", id="suspended"),
        pytest.param(
            [("status.conditions.0", condition("Ready", "Unknown", reason="Progressing"))], INCONCLUSIVE,
            "not ready: `Progressing`", id="at work",
        ),
        pytest.param(
            [("status.conditions.0", condition("Ready", "False", reason="DependencyNotReady"))], INCONCLUSIVE,
            "not ready: `DependencyNotReady`", id="waits for another",
        ),
        pytest.param(
            [
                ("status.lastAppliedRevision", f"main@sha1:{OTHER}"),
                ("status.conditions.0", condition("Ready", "False", reason="HealthCheckFailed", message="timeout")),
            ],
            FAIL, "`HealthCheckFailed, timeout`", id="our commit does not come to life",
        ),
        pytest.param(
            [
                ("status.lastAppliedRevision", f"main@sha1:{OTHER}"),
                ("status.lastAttemptedRevision", f"main@sha1:{OTHER}"),
                ("status.conditions.0", condition("Ready", "False", reason="HealthCheckFailed")),
            ],
            INCONCLUSIVE, "is at `cccccccccc`", id="another commit does not come to life",
        ),
    ],
)  # fmt: skip
def test_flux(changes: Any, outcome: Outcome, says: str) -> None:
    live = flux(changed(KUSTOMIZATION, *changes), WANTED)
    assert live.outcome is outcome
    assert says in live.reason
    assert live.since == (MERGED.replace(minute=5) if outcome is PASS else None)


def test_nothing_foreign_is_live() -> None:
    foreign = changed(APPLICATION, ("status.sync.revision", "@m `[x](y)`"))
    (_, inline, _) = MarkdownIt().parse(argocd(foreign, WANTED).reason)
    assert all("@m" not in child.content or child.type == "code_inline" for child in inline.children or ())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["True", "Synced", "Healthy", OURS, "", "?"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["status", "metadata", "generation", "observedGeneration", "conditions", "type", "traffic", "percent",
             "sync", "revision", "revisions", "health", "history", "deployedAt", "lastTransitionTime", "spec"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


class TestAnyShape:
    """What answers is not ours: any shape has an answer, and none passes by accident."""

    @given(values, values)
    def test_read(self, one: Any, two: Any) -> None:
        for live in (knative(one, two, WANTED), argocd(one, WANTED), flux(one, WANTED)):
            assert live.reason
            assert (live.since is not None) == (live.outcome is PASS)


GATE = LiveGate("live", "main", "knative", "checkout", "shop")
BASE = "/apis/serving.knative.dev/v1/namespaces/shop"
OBJECTS = {
    f"{BASE}/services/checkout": SERVICE,
    f"{BASE}/revisions/checkout-v2": REVISION,
    "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop": APPLICATION,
    "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/apps": KUSTOMIZATION,
}


class Cluster:
    """An API server behind a transport: nothing leaves the process."""

    def __init__(self, objects: Mapping[str, Any] = OBJECTS, status: int = 404) -> None:
        self.asked: list[httpx.Request] = []
        self.objects = objects
        self.status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        found = self.objects.get(request.url.path)
        told = {"kind": "Status", "message": "nothing here"} if found is None else found
        stream = httpx.ByteStream(json.dumps(told).encode())
        return httpx.Response(self.status if found is None else 200, stream=stream)

    def judge(self, gate: LiveGate, token_file: Path, wanted: Wanted = WANTED) -> Verdict:
        settings = outside("kubernetes", "https://kubernetes.default.svc", token_file=token_file)
        asker = Asker(
            settings,
            resolve=resolver(kubernetes_default_svc="10.96.0.1"),
            transport=httpx.MockTransport(self),
        )
        return LiveGates(asker).judge(gate, wanted, NOW)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("service-account-token\n")
    return file


@pytest.mark.parametrize(
    ("gate", "requests"),
    [
        pytest.param(GATE, 2, id="knative"),
        pytest.param(LiveGate("live", "main", "argocd", "shop", "argocd"), 1, id="argocd"),
        pytest.param(LiveGate("live", "main", "flux", "apps", "flux-system"), 1, id="flux"),
    ],
)
def test_gate(gate: LiveGate, requests: int, token: Path) -> None:
    cluster = Cluster()
    verdict = cluster.judge(gate, token)
    assert verdict.outcome is PASS
    assert verdict.since is not None
    assert verdict.since >= MERGED
    assert verdict.query == f"{gate.kind} {gate.namespace}/{gate.object}"
    assert len(cluster.asked) == requests
    for request in cluster.asked:
        assert request.method == "GET"
        assert request.url.host == "10.96.0.1"
        assert request.headers["Host"] == "kubernetes.default.svc"
        assert request.headers["Authorization"] == "Bearer service-account-token"
        assert request.extensions["sni_hostname"] == "kubernetes.default.svc"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        pytest.param(404, "has no service `shop/checkout`", id="404"),
        pytest.param(403, "does not let the bot read services in `shop` (403)", id="403"),
        pytest.param(401, "(401)", id="401"),
        pytest.param(500, "answers with status 500", id="500"),
        pytest.param(200, "not ready yet: nothing is said", id="an object of another kind"),
    ],
)
def test_no_object(status: int, says: str, token: Path) -> None:
    verdict = Cluster({}, status).judge(GATE, token)
    assert verdict.outcome is INCONCLUSIVE
    assert says in verdict.reason


def test_a_revision_that_is_not_there_yet(token: Path) -> None:
    verdict = Cluster({f"{BASE}/services/checkout": SERVICE}).judge(GATE, token)
    assert (verdict.outcome, verdict.reason) == (
        INCONCLUSIVE,
        "The cluster has no revision `checkout-v2` yet.",
    )


@pytest.mark.parametrize("name", ["..", "a/../b", "", "Checkout", "a b", "a%2fb", "a?watch=1", "-a"])
@pytest.mark.parametrize("place", ["object", "namespace", "candidate"])
def test_names_that_are_none_are_not_asked_for(name: str, place: str, token: Path) -> None:
    cluster = Cluster()
    make: Callable[..., LiveGate] = LiveGate
    known = {"object": "checkout", "namespace": "shop"} | ({place: name} if place != "candidate" else {})
    gate = make("live", "main", "knative", **known)
    wanted = Wanted(WANTED.commits, MERGED, name if place == "candidate" else "checkout-v2", 25)
    verdict = cluster.judge(gate, token, wanted)
    assert verdict.outcome is INCONCLUSIVE
    assert all(request.url.path == f"{BASE}/services/checkout" for request in cluster.asked)
    assert len(cluster.asked) == (1 if place == "candidate" else 0)


def test_over_a_real_connection(token: Path) -> None:
    with StandIn(answer(APPLICATION)) as server:
        settings = outside("kubernetes", server.url(), token_file=token)
        gate = LiveGate("live", "main", "argocd", "shop", "argocd")
        assert LiveGates(Asker(settings)).judge(gate, WANTED, NOW).outcome is PASS
        assert "Authorization: Bearer service-account-token" in server.heads[0]
