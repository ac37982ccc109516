"""Rare layouts of routes: whole rollouts through the one door, each edit right or refused, never wrong.

The operators are those of ``weighted_examples``; the documents are of the kinds that have few in the corpus.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bot.core.problems import Declined
from bot.manifests.workload import find
from tests.contract.lane import FIGURES
from tests.manifests.crds import Watch
from tests.manifests.every_rollout import Walk, pair_of, rules_of
from tests.manifests.test_schemas import TEXTS
from tests.manifests.weighted_examples import REFUSED, RIGHT

if TYPE_CHECKING:
    from collections.abc import Callable

TCP = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db, namespace: shop}
spec:
    hosts:
        - db.shop.svc.cluster.local
    SECTION:
        - match:
              - port: 443
                sniHosts: [a.example.com]
          route:
              - weight: 1000
                destination:
                    host: db.shop.svc.cluster.local
                    port:
                        number: 5432
              - destination:
                    host: db.shop.svc.cluster.local
                    port:
                        number: 5433
"""
DOCUMENTS = {
    "VirtualService tls": TCP.replace("SECTION", "tls"),
    "VirtualService tcp": TCP.replace("SECTION", "tcp").replace(
        "                sniHosts: [a.example.com]\n", ""
    ),
    **{
        kind: next(text for (_, own), text in TEXTS.items() if own == kind)
        for kind in ("GRPCRoute", "TCPRoute", "TLSRoute")
    },
}
# The operators that write a weight as null: the platform counts it as absent, so another split is read.
OTHER_SPLIT = {"null", "nothing behind the key"}
EVERY = pytest.mark.parametrize("kind", DOCUMENTS)


@EVERY
def test_right_or_refused(kind: str, record_property: Callable[[str, object], None]) -> None:
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    watch = Watch()
    (original,) = find(DOCUMENTS[kind].encode(), "a.yaml").workloads
    for name, operator in RIGHT.items():
        mutated = operator(DOCUMENTS[kind])
        if mutated is None or (mutated == DOCUMENTS[kind] and name != "nothing"):
            counts["not applicable"] += 1
            continue
        content = mutated.encode()
        found = find(content, "a.yaml")
        assert not found.problems, name
        ((one,),) = (list(rules_of(workload)) for workload in found.workloads)
        assert name in OTHER_SPLIT or one.split == original.split, name
        first = Walk(content, one, pair_of(one), watch)
        if one.rule is None or one.rule.weights.refusal:
            counts["refused by the platform before"] += 1
            continue
        try:
            first.start(5).to(50).to(100).back()
            counts["right"] += 1
        except Declined as declined:
            wrong.append(f"{name}: {declined}")
        except AssertionError as error:
            wrong.append(f"{name}: {str(error)[:300]}")
    for name, (codes, operator) in REFUSED.items():
        mutated = operator(DOCUMENTS[kind])
        if mutated is None or mutated == DOCUMENTS[kind]:
            counts["not applicable"] += 1
            continue
        problems = find(mutated.encode(), "a.yaml").problems
        assert problems, name
        assert {problem.code for problem in problems} <= codes, name
        assert all(problem.place and problem.place.line for problem in problems), name
        counts["refused"] += 1
    counts["wrong"] = len(wrong)
    record_property(
        FIGURES, f"mutations, {kind}: " + ", ".join(f"{k} {v}" for k, v in sorted(counts.items()))
    )
    assert not wrong, "\n".join(wrong)
    assert watch.wrong == []
    assert counts["right"] >= 30
    assert counts["refused"] >= 12
