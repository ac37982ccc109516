"""The checks and deployments of a commit, of all Apps.

``bot.ports.Repository.checks`` gives this App's own checks only, as it should; a gate is about those of others, and
``GitHubSignals`` reads them with the client of the adapter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from bot.adapters.github.values import moment, understood
from bot.core.gates import GitHubGate, Outcome, Verdict
from bot.core.problems import OutsideFailure
from bot.core.signals import Signal, judge_signals
from bot.ports import Missing, Moved, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from bot.ports import Signals

_MOST = 500  # checks, statuses or deployments that are looked at


class Reader(Protocol):
    """The part of ``bot.adapters.github.client.Client`` that is used."""

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Give the JSON of a GET."""
        ...

    def pages(
        self, path: str, params: Mapping[str, str | int] | None = None, *, key: str | None = None
    ) -> Iterator[Any]:
        """Give the entries of a list."""
        ...


class GitHubSignals:
    """``Signals`` of one repository. Not to be shared between threads, as its client.

    Args:
        client: The client of the installation; needs ``checks``, ``statuses`` and ``deployments`` to read.
        name: ``owner/name``.
    """

    def __init__(self, client: Reader, name: str) -> None:
        self._client = client
        self._path = f"/repos/{name}"

    def checks_of(self, sha: str, *, statuses: bool = True) -> tuple[Signal, ...]:
        """Give check runs, and with ``statuses`` statuses; a request each where there are few."""
        at = f"{self._path}/commits/{quote(sha, safe='')}"
        found: list[Signal] = []
        with understood("checks"):
            for run in self._some(f"{at}/check-runs", {"filter": "latest"}, "check_runs"):
                state = run["conclusion"] if run["status"] == "completed" else run["status"]
                app = (run.get("app") or {}).get("slug") or ""
                found.append(Signal("check", run["name"], str(state), app, _time(run.get("completed_at"))))
        if not statuses:
            return tuple(found)
        with understood("statuses"):
            # This list has the newest of each context only.
            found += [
                Signal("status", one["context"], one["state"], "", _time(one.get("updated_at")))
                for one in self._some(f"{at}/status", {}, "statuses")
            ]
        return tuple(found)

    def deployment_of(self, sha: str, environment: str) -> Signal | None:
        """Give the state of the newest deployment; two requests."""
        with understood("deployments"):
            wanted: dict[str, str | int] = {"sha": sha, "environment": environment, "per_page": 1}
            newest = self._client.get(f"{self._path}/deployments", wanted)
            if not newest:
                return None
            number = int(newest[0]["id"])
            latest = self._client.get(f"{self._path}/deployments/{number}/statuses", {"per_page": 1})
            if not latest:
                return Signal("deployment", environment, "queued")
            return Signal("deployment", environment, latest[0]["state"], "", _time(latest[0]["created_at"]))

    def _some(self, path: str, params: Mapping[str, str | int], key: str) -> Iterator[Any]:
        for number, entry in enumerate(self._client.pages(path, params, key=key)):
            if number >= _MOST:
                raise OutsideFailure(f"GET {path}: more than {_MOST} entries.")
            yield entry


class GitHubGates:
    """Judges GitHub gates of one repository."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def judge(self, gate: GitHubGate, sha: str, at: datetime) -> Verdict:
        """Judge a gate on a commit; every trouble is an inconclusive verdict, none an exception."""
        found: list[Signal] = []
        try:
            if gate.checks:
                # Nobody made a status as an App; where one is named, the right to read statuses is not needed.
                found += self._signals.checks_of(sha, statuses=not gate.app)
            if gate.environment:
                deployment = self._signals.deployment_of(sha, gate.environment)
                found += [deployment] if deployment is not None else []
        except (Missing, Refused, Moved):
            reason = "GitHub does not let the bot read checks, statuses or deployments of this commit."
            return Verdict(gate.name, Outcome.INCONCLUSIVE, reason, at)
        except OutsideFailure:
            return Verdict(gate.name, Outcome.INCONCLUSIVE, "GitHub did not answer.", at)
        return judge_signals(gate, sha, found, at)


def _time(text: str | None) -> datetime | None:
    return moment(text) if text else None
