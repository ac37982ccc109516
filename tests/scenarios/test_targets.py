"""Every target goes the whole way: start, step, promotion, rollback, plan and checks, each with its smallest diff."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.scenarios.moves import sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.scenarios.stage import Stage

ISTIO = b"""\
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: storefront
spec:
  host: storefront
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: storefront
  namespace: shop
spec:
  hosts: [storefront]
  http:
  - match:                       # testers go straight to the new one
    - headers: {x-test: {exact: use-v2}}
    route:
    - destination: {host: storefront, subset: v2}
  - name: primary
    timeout: 3s
    route:
    - destination:
        host: storefront
        subset: v1
      weight: 100   # stable
    - destination:
        host: storefront
        subset: v2
      weight: 0     # canary
"""
GATEWAY = b"""\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: storefront.shop, namespace: shop}
spec:
  rules:
  - timeouts: {request: 3s}
    backendRefs:
    - {name: storefront-v1, port: 8080, weight: 1000}   # stable
    - {name: storefront-v2, port: 8080, weight: 0}
"""
LEGACY = b"""\
apiVersion: serving.knative.dev/v1alpha1
kind: Service
metadata:
  name: dumpy
spec:
  runLatest:
    configuration:
      revisionTemplate:
        spec:
          container:
            image: registry.example/demo/dumpy:3s
            env:
            - {name: LOG_LEVEL, value: "info"}
"""
RELEASE = LEGACY.replace(
    b"  runLatest:\n",
    b'  release:\n    revisions: ["dumpy-00001", "dumpy-00002"]   # current, candidate\n    rolloutPercent: 0\n',
)
ROUTE = b"""\
apiVersion: serving.knative.dev/v1
kind: Route
metadata:
  name: dumpy
  annotations: {timeout: 3s}
spec:
  traffic:
  - revisionName: dumpy-00001   # serves
    percent: 100
  - revisionName: dumpy-00002
    tag: candidate
    percent: 0
"""
PINNED = LEGACY.replace(b"  runLatest:\n", b"  pinned:\n    revisionName: dumpy-00001\n")
PATCH = b"""\
# A patch of an overlay: there is no template here.
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: dumpy
  annotations: {timeout: 3s}
spec:
  traffic:
  - revisionName: dumpy-00001
    percent: 100
"""
IN_A_LIST = b"""\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: dumpy}
- apiVersion: serving.knative.dev/v1
  kind: Service
  metadata:
    name: dumpy
  spec:
    template:
      metadata: {name: dumpy-00002}
      spec: {containers: [{image: "dumpy:3s"}]}
    traffic:
    - {revisionName: dumpy-00001, percent: 100}   # serves
"""


@dataclass(frozen=True)
class Case:
    """One target: its file, the options that a command needs, and its lines at each share.

    ``lines`` gives the lines that differ from the file at 0 %, for a share; ``names`` are stable and candidate.
    """

    content: bytes
    names: tuple[str, str]
    lines: Callable[[int], list[str]]
    options: str = ""
    finished: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    back_after_the_end: list[str] | None = None
    asked: str = ""
    path: str = "mesh/storefront.yaml"

    @property
    def changed(self) -> bytes:
        return self.content.replace(b"3s", b"5s")

    def new_lines(self, content: bytes) -> list[str]:
        old = self.changed.decode().splitlines()
        return [line for line in content.decode().splitlines() if line not in old]


CASES = {
    "VirtualService": Case(
        ISTIO,
        ("storefront/v1", "storefront/v2"),
        lambda n: [f"      weight: {100 - n}   # stable", f"      weight: {n}     # canary"],
        finished=["      weight: 0   # stable", "      weight: 100     # canary"],
    ),
    "HTTPRoute": Case(
        GATEWAY,
        ("storefront-v1", "storefront-v2"),
        lambda n: [
            f"    - {{name: storefront-v1, port: 8080, weight: {1000 - 10 * n}}}   # stable",
            f"    - {{name: storefront-v2, port: 8080, weight: {10 * n}}}",
        ],
        finished=[
            "    - {name: storefront-v1, port: 8080, weight: 0}   # stable",
            "    - {name: storefront-v2, port: 8080, weight: 1000}",
        ],
    ),
    "runLatest": Case(
        LEGACY,
        ("dumpy-00001", "dumpy-00002"),
        lambda n: ["  release:", '    revisions: ["dumpy-00001", "dumpy-00002"]', f"    rolloutPercent: {n}"],
        " stable=dumpy-00001 candidate=dumpy-00002",
        finished=["  release:", '    revisions: ["dumpy-00002"]', "    rolloutPercent: 0"],
        back=["  release:", '    revisions: ["dumpy-00001"]', "    rolloutPercent: 0"],
        asked="unknown-stable",
    ),
    "release": Case(
        RELEASE,
        ("dumpy-00001", "dumpy-00002"),
        lambda n: [f"    rolloutPercent: {n}"],
        finished=['    revisions: ["dumpy-00002"]   # current, candidate'],
        back=['    revisions: ["dumpy-00001"]   # current, candidate'],
    ),
    "pinned": Case(
        PINNED,
        ("dumpy-00001", "dumpy-00002"),
        lambda n: ["  release:", "    revisions: [dumpy-00001, dumpy-00002]", f"    rolloutPercent: {n}"],
        " candidate=dumpy-00002",
        finished=["  release:", "    revisions: [dumpy-00002]", "    rolloutPercent: 0"],
        back=["  release:", "    revisions: [dumpy-00001]", "    rolloutPercent: 0"],
        asked="unknown-candidate",
    ),
    "a patch without a template": Case(
        PATCH,
        ("dumpy-00001", "dumpy-00002"),
        lambda n: [
            f"    percent: {100 - n}",
            "  - tag: candidate",
            "    revisionName: dumpy-00002",
            f"    percent: {n}",
        ],
        " candidate=dumpy-00002",
        finished=["  - revisionName: dumpy-00002"],
        back=["  - tag: candidate", "    revisionName: dumpy-00002", "    percent: 0"],
        back_after_the_end=[],
        asked="unknown-candidate",
    ),
    "Route": Case(
        ROUTE,
        ("dumpy-00001", "dumpy-00002"),
        lambda n: [f"    percent: {100 - n}", f"    percent: {n}"],
        finished=["  - revisionName: dumpy-00002   # serves"],
    ),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Play each story on four kinds, other ones for each story; on all of them with CANARY_FUZZ."""
    if "case" not in metafunc.fixturenames:
        return
    names, first = list(CASES), sum(map(ord, metafunc.function.__name__))
    several = len(names) if int(os.environ.get("CANARY_FUZZ", "1")) > 1 else 4
    chosen = [names[(first + i) % len(names)] for i in range(several)]
    metafunc.parametrize("case", [CASES[name] for name in chosen], ids=chosen)


def opened(stage: Stage, case: Case) -> int:
    """Open a pull request that changes the target elsewhere."""
    stage.run.world.commit(stage.repo, "main", {case.path: case.content}, "Add a target", by="mona")
    stage.settle()
    return stage.feature(case.changed, name="feature", path=case.path)


def begun(stage: Stage, case: Case) -> int:
    """Bring the target to 25 %; the step's pull request is open."""
    number = opened(stage, case)
    assert stage.say(number, f"/canary 25{case.options}").decision == "done"
    stage.merge(number)
    return number


def on_main(stage: Stage, case: Case) -> list[str]:
    return case.new_lines(stage.read(path=case.path))


class TestWholeWay:
    def test_start(self, stage: Stage, case: Case) -> None:
        number = opened(stage, case)
        reply = stage.say(number, f"/canary 25{case.options}")
        assert (reply.decision, reply.code) == ("done", "applied"), reply.text
        assert case.new_lines(stage.read("feature", path=case.path)) == case.lines(25)
        for name, share in zip(case.names, ("75 %", "25 %"), strict=True):
            assert f"`{name}`" in reply.text
            assert f"**{share}**" in reply.text
        assert stage.check(number, "canary / plan") == ("success", f"Canary: {reply.answer.service} at 25 %")

    def test_steps_to_the_end(self, stage: Stage, case: Case) -> None:
        number = begun(stage, case)
        for share in (50, 100):
            step = stage.step()
            assert step.title.endswith(f"→ {share} %"), step.title
            wanted = case.lines(share) if share < 100 else case.finished
            assert case.new_lines(stage.read(step.head_ref, path=case.path)) == wanted
            assert stage.check(step.number, "canary / plan")[0] == "success"
            assert stage.check(step.number, "canary / gate")[0] is None
            stage.later(minutes=31)
            assert stage.say(step.number, "/promote").code == "applied"
        assert stage.no_step()
        assert "has all traffic" in stage.notice(number, "done").text
        assert on_main(stage, case) == case.finished

    def test_roll_back_on_the_way(self, stage: Stage, case: Case) -> None:
        number = begun(stage, case)
        step = stage.step()
        reply = stage.say(number, "/rollback -- too slow")
        assert (reply.decision, reply.code) == ("done", "proposed")
        stage.notice(step.number, "closed-rollback")
        stage.merge(stage.step().number)
        assert on_main(stage, case) == case.back
        assert case.names[0] in stage.notice(number, "rolled-back").text
        assert stage.no_step()

    def test_roll_back_after_the_end(self, stage: Stage, case: Case) -> None:
        number = begun(stage, case)
        for _ in range(2):
            stage.later(minutes=31)
            stage.say(stage.step().number, "/promote")
        stage.notice(number, "done")
        assert stage.say(number, "/rollback").code == "proposed"
        stage.merge(stage.step().number)
        wanted = case.back if case.back_after_the_end is None else case.back_after_the_end
        assert on_main(stage, case) == wanted
        stage.notice(number, "rolled-back")

    def test_taken_back_byte_for_byte(self, stage: Stage, case: Case) -> None:
        number = opened(stage, case)
        stage.say(number, f"/canary 25{case.options}")
        assert stage.say(number, "/canary cancel").code == "applied"
        assert stage.read("feature", path=case.path) == case.changed

    def test_another_share(self, stage: Stage, case: Case) -> None:
        number = opened(stage, case)
        stage.say(number, f"/canary 25{case.options}")
        assert stage.say(number, f"/canary 10{case.options}").code == "applied"
        assert case.new_lines(stage.read("feature", path=case.path)) == case.lines(10)
        assert stage.check(number, "canary / plan")[0] == "success"

    def test_a_plan_writes_nothing(self, stage: Stage, case: Case) -> None:
        number = opened(stage, case)
        reply = stage.say(number, f"/canary plan 25{case.options}")
        assert reply.code == "shown"
        for line in case.lines(25):
            assert f"+{line}" in reply.text
        assert stage.read("feature", path=case.path) == case.changed

    def test_start_after_the_merge(self, stage: Stage, case: Case) -> None:
        number = opened(stage, case)
        stage.merge(number)
        reply = stage.say(number, f"/canary 25{case.options}")
        assert (reply.decision, reply.code) == ("done", "proposed"), reply.text
        start = stage.step()
        assert case.new_lines(stage.read(start.head_ref, path=case.path)) == case.lines(25)
        assert stage.check(start.number, "canary / plan")[0] == "success"
        stage.merge(start.number)
        assert case.new_lines(stage.read(stage.step().head_ref, path=case.path)) == case.lines(50)

    def test_names_that_are_asked_for(self, stage: Stage, case: Case) -> None:
        if not case.asked:
            return
        number = opened(stage, case)
        assert stage.say(number, "/canary 25").code == case.asked
        assert stage.read("feature", path=case.path) == case.changed

    def test_an_edit_by_hand_is_drift(self, stage: Stage, case: Case) -> None:
        number = begun(stage, case)
        step = stage.step()
        text = stage.read(path=case.path).decode()
        for old, new in (("75", "73"), ("25", "27"), ("750", "730"), ("250", "270")):
            text = text.replace(f" {old}", f" {new}")
        stage.push("main", text.encode(), path=case.path)
        sweep(stage)
        assert stage.say(number, "/promote").code == "drifted"
        assert stage.pull(step.number).state == "open"
        stage.say(number, "/rollback")
        stage.notice(step.number, "closed-rollback")


def test_an_item_of_a_list(stage: Stage) -> None:
    path = "apps/all.yaml"
    stage.run.world.commit(stage.repo, "main", {path: IN_A_LIST}, "Add a list", by="mona")
    stage.settle()
    new = IN_A_LIST.replace(b"dumpy-00002", b"dumpy-00003").replace(b"3s", b"5s")
    number = stage.feature(new, name="feature", path=path)
    assert stage.say(number, "/canary 25").code == "applied"
    assert stage.read("feature", path=path) == new.replace(
        b"    - {revisionName: dumpy-00001, percent: 100}   # serves\n",
        b"    - {revisionName: dumpy-00001, percent: 75}   # serves\n"
        b"    - {tag: candidate, revisionName: dumpy-00003, percent: 25}\n",
    )
    stage.merge(number)
    assert b"percent: 50}   # serves" in stage.read(stage.step().head_ref, path=path)
