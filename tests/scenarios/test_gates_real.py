"""One rollout by a real Prometheus that scrapes a real small service, which the test makes worse: from the comment to
the rollback that the rules merge."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.adapters.gates.judges import Judges
from bot.core.witness import evidence_of
from bot.entry.rehearsal import rehearsal
from tests.adapters.gates.real import Prometheus, Shop, until
from tests.adapters.gates.standin import outside
from tests.in_memory import in_memory
from tests.scenarios.moves import begin
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = """\
id: watched
summary: Half at once, watched by the second.
why: For a test whose minutes are short, with a service that fails when it is told to; nobody else is to use it.
steps:
  - {weight: 25, gates: [error-rate]}
  - {weight: 100}
gates:
  error-rate:
    query: >-
      sum(rate(http_requests_total{revision="{candidate}",code=~"5.."}[{window}]))
      / sum(rate(http_requests_total{revision="{candidate}"}[{window}]))
    max: 0.05
    samples: sum(increase(http_requests_total{revision="{candidate}"}[{window}]))
    min-requests: 20
    window: 1m
    unit: ratio
on-fail: rollback
"""


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        shop.rate = {"customer-v3": 100, "customer-v4": 100}
        yield shop


@pytest.fixture
def watched(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A repository whose bot asks the Prometheus, each second."""
    monkeypatch.setattr("bot.service.gating.AGAIN", timedelta(seconds=1))
    monkeypatch.setattr("bot.service.gating.WATCH", timedelta(seconds=1))
    with Prometheus(tmp_path, shop) as server, in_memory():
        gates = Judges(outside("prometheus", server.url, timeout=5.0, longest=8.0))
        with rehearsal(gates=gates) as run:
            files = {
                PATH: CUSTOMER,
                ".github/canary.yaml": b"version: 1\nrules: deploy/rules/watched.yaml\n",
                "deploy/rules/watched.yaml": RULES.encode(),
            }
            for login in PEOPLE:
                run.world.add_user(login)
            run.world.create_repository("acme/shop", files, by="ada")
            for login, role in PEOPLE.items():
                run.world.set_role("acme/shop", login, role)
            run.install("acme/shop")
            run.settle()
            yield Stage(run, "acme/shop")


def test_from_green_to_a_rollback_by_the_rules(watched: Stage, shop: Shop) -> None:
    number = begin(watched)
    step = watched.step().number
    until(lambda: watched.check(step, "canary / gate")[0] == "success", "the gate passes")
    assert watched.split() == {"customer-v3": 75, "customer-v4": 25}
    shop.errors["customer-v4"] = 0.5
    until(lambda: watched.split() == {"customer-v3": 100}, "the rollback is merged")
    watched.settle()
    made = next(m for m in watched.log() if "Canary-Cause: gate error-rate" in m and "Canary-Service" in m)
    (kept,) = evidence_of(made)
    assert kept.value is not None
    assert kept.value > 0.05
    assert (kept.samples or 0) >= 20
    assert "the gate `error-rate` failed" in watched.notice(number, "rolled-back").text
    watched.notice(step, "closed-rollback")
