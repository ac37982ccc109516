"""Named checks, or a deployment, of a commit are green; what tested nothing is inconclusive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.gates.github import GitHubGates, GitHubSignals
from bot.adapters.github.client import Client, Wire
from bot.adapters.github.token import GivenToken
from bot.core.gates import GitHubGate, Outcome, Verdict
from tests.adapters.scripted import NOON, Say, Scripted, StillClock

if TYPE_CHECKING:
    from collections.abc import Iterator

SHA = "0123456789abcdef0123456789abcdef01234567"
RUNS = f"/repos/acme/shop/commits/{SHA}/check-runs"
STATUS = f"/repos/acme/shop/commits/{SHA}/status"
DEPLOYMENTS = "/repos/acme/shop/deployments"
PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
E2E = GitHubGate("ci", ("e2e",))
PROD = GitHubGate("live", environment="production")


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted(StillClock()) as server:
        yield server


def run(
    name: str, conclusion: str | None, app: str = "github-actions", status: str = "completed"
) -> dict[str, Any]:
    at = "2026-11-02T11:30:00Z" if conclusion else None
    return {
        "name": name,
        "status": status,
        "conclusion": conclusion,
        "completed_at": at,
        "app": {"slug": app} if app else None,
    }


def tell(server: Scripted, *runs: dict[str, Any], statuses: tuple[tuple[str, str], ...] = ()) -> None:
    server.tell("GET", RUNS, {"total_count": len(runs), "check_runs": list(runs)})
    listed = [{"context": c, "state": s, "updated_at": "2026-11-02T11:45:00Z"} for c, s in statuses]
    server.tell("GET", STATUS, {"state": "pending", "statuses": listed})


def judged(server: Scripted, gate: GitHubGate) -> Verdict:
    client = Client(Wire(server.url, server.clock, sleep=lambda _s: None), GivenToken("ghs_x"))
    try:
        return GitHubGates(GitHubSignals(client, "acme/shop")).judge(gate, SHA, NOON)
    finally:
        client.close()


@pytest.mark.parametrize(
    ("runs", "outcome", "says"),
    [
        pytest.param([run("e2e", "success")], PASS, "All green on `0123456789`.", id="green"),
        pytest.param([run("e2e", "failure")], FAIL, "The check `e2e` says `failure`.", id="red"),
        pytest.param([run("e2e", "timed_out")], FAIL, "`timed_out`", id="timed out"),
        pytest.param([run("e2e", "startup_failure")], FAIL, "`startup_failure`", id="did not start"),
        pytest.param([run("e2e", None, status="in_progress")], INCONCLUSIVE, "not done", id="runs"),
        pytest.param([run("e2e", None, status="queued")], INCONCLUSIVE, "not done (`queued`)", id="queued"),
        pytest.param([run("e2e", "skipped")], INCONCLUSIVE, "tests nothing", id="skipped"),
        pytest.param([run("e2e", "neutral")], INCONCLUSIVE, "tests nothing", id="neutral"),
        pytest.param([run("e2e", "cancelled")], INCONCLUSIVE, "tests nothing", id="cancelled"),
        pytest.param([run("e2e", "action_required")], INCONCLUSIVE, "tests nothing", id="waits for a person"),
        pytest.param([run("e2e", "stale")], INCONCLUSIVE, "tests nothing", id="stale"),
        pytest.param([run("e2e", "new-word")], INCONCLUSIVE, "`new-word`", id="a word of tomorrow"),
        pytest.param([run("lint", "success")], INCONCLUSIVE, "is not there yet", id="another check"),
        pytest.param([], INCONCLUSIVE, "is not there yet", id="no checks"),
        pytest.param(
            [run("e2e", "success"), run("e2e", None, "other", "queued")],
            INCONCLUSIVE,
            "not done",
            id="one of two",
        ),
        pytest.param(
            [run("e2e", "success"), run("e2e", "failure", "other")], FAIL, "`failure`", id="two differ"
        ),
    ],
)
def test_checks(runs: list[dict[str, Any]], outcome: Outcome, says: str, server: Scripted) -> None:
    tell(server, *runs)
    verdict = judged(server, E2E)
    assert verdict.outcome is outcome
    assert says in verdict.reason
    assert verdict.query == f"check e2e on {SHA}"


def test_green_since_the_last_one(server: Scripted) -> None:
    tell(server, run("e2e", "success"), statuses=(("ci/load", "success"),))
    verdict = judged(server, GitHubGate("ci", ("e2e", "ci/load")))
    assert (verdict.outcome, verdict.since) == (PASS, datetime(2026, 11, 2, 11, 45, tzinfo=UTC))
    assert server.asked_for("GET", RUNS)[0].query["filter"] == "latest"


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("success", PASS), ("failure", FAIL), ("error", FAIL), ("pending", INCONCLUSIVE)],
)
def test_statuses(state: str, outcome: Outcome, server: Scripted) -> None:
    tell(server, statuses=(("e2e", state),))
    assert judged(server, E2E).outcome is outcome


def test_a_check_of_the_same_name_by_another_app_does_not_count(server: Scripted) -> None:
    tell(server, run("e2e", "success", "github-actions"), statuses=(("e2e", "success"),))
    gate = GitHubGate("ci", ("e2e",), app="acme-ci")
    assert judged(server, gate).reason == "The check `e2e` of `acme-ci` is not there yet."
    assert judged(server, GitHubGate("ci", ("e2e",), app="github-actions")).outcome is PASS


@pytest.mark.parametrize(
    ("deployments", "statuses", "outcome", "says"),
    [
        pytest.param([{"id": 7}], ["success"], PASS, "All green", id="deployed"),
        pytest.param([{"id": 7}], ["failure"], FAIL, "`failure`", id="failed"),
        pytest.param([{"id": 7}], ["error"], FAIL, "`error`", id="error"),
        pytest.param([{"id": 7}], ["in_progress"], INCONCLUSIVE, "not done", id="runs"),
        pytest.param([{"id": 7}], ["inactive"], INCONCLUSIVE, "`inactive`", id="replaced by another"),
        pytest.param([{"id": 7}], [], INCONCLUSIVE, "not done", id="nothing said yet"),
        pytest.param([], None, INCONCLUSIVE, "is not there yet", id="no deployment"),
    ],
)
def test_deployment(
    deployments: list[Any], statuses: list[str] | None, outcome: Outcome, says: str, server: Scripted
) -> None:
    server.tell("GET", DEPLOYMENTS, deployments)
    if statuses is not None:
        told = [{"state": s, "created_at": "2026-11-02T11:50:00Z"} for s in statuses]
        server.tell("GET", f"{DEPLOYMENTS}/7/statuses", told)
    verdict = judged(server, PROD)
    assert verdict.outcome is outcome
    assert says in verdict.reason
    assert server.asked[0].query == {"sha": SHA, "environment": "production", "per_page": "1"}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(Say(403, {"message": "Resource not accessible"}), "does not let the bot read", id="403"),
        pytest.param(Say(404, {"message": "Not Found"}), "does not let the bot read", id="404"),
        pytest.param(Say(500, {}), "did not answer", id="500"),
        pytest.param(Say(200, {"check_runs": 3}), "did not answer", id="another shape"),
        pytest.param(Say(200, {"check_runs": [{}]}), "did not answer", id="a run without a name"),
        pytest.param(Say(fault="reset"), "did not answer", id="reset"),
    ],
)
def test_no_answer(answer: Say, says: str, server: Scripted) -> None:
    server.tell("GET", RUNS, answer)
    verdict = judged(server, E2E)
    assert verdict.outcome is INCONCLUSIVE
    assert says in verdict.reason
