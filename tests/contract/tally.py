"""What the referee saw in a run, counted by operation; adds up over the processes of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

REST, WEBHOOKS, GRAPHQL = "REST", "webhooks", "GraphQL"
LANES = {REST: "requests", WEBHOOKS: "payloads", GRAPHQL: "documents"}


@dataclass(slots=True)
class Tally:
    """Counts of one process, or of several.

    ``seen`` counts (lane, operation, status; empty for webhooks), ``violations`` (lane, operation),
    ``needed`` the allowances. ``off`` says why nothing was judged.
    """

    seen: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    violations: Counter[tuple[str, str]] = field(default_factory=Counter)
    needed: Counter[str] = field(default_factory=Counter)
    off: str = ""

    def count(self, lane: str, operation: str, status: str, violations: int) -> None:
        """Count one exchange or payload."""
        self.seen[lane, operation, status] += 1
        self.violations[lane, operation] += violations

    def told(self) -> dict[str, Any]:
        """Give all of it as plain values, for another process."""
        return {
            "seen": [[*key, count] for key, count in self.seen.items()],
            "violations": [[*key, count] for key, count in self.violations.items()],
            "needed": dict(self.needed),
            "off": self.off,
        }

    def add(self, told: dict[str, Any]) -> None:
        """Add what another process told."""
        self.seen.update({(lane, name, status): count for lane, name, status, count in told["seen"]})
        self.violations.update({(lane, name): count for lane, name, count in told["violations"]})
        self.needed.update(told["needed"])
        self.off = self.off or told["off"]

    def lines(self, allowances: Iterable[str] = ()) -> list[str]:
        """Give the table: a line for each operation, and totals; ``allowances`` names all there are."""
        if self.off:
            return [f"OFF: {self.off}"]
        if not self.seen:
            return []
        lines = []
        for lane, things in LANES.items():
            names = sorted({name for a, name, _ in self.seen if a == lane}, key=lambda n: n.split(" ")[::-1])
            for name in names:
                by_status = {s: n for (a, b, s), n in sorted(self.seen.items()) if (a, b) == (lane, name)}
                statuses = " ".join(f"{status}:{count}" for status, count in by_status.items() if status)
                wrong = self.violations[lane, name]
                lines.append(f"{sum(by_status.values()):6} {wrong:4}  {name}  {statuses}".rstrip())
            total = sum(count for (a, _, _), count in self.seen.items() if a == lane)
            wrong = sum(count for (a, _), count in self.violations.items() if a == lane)
            lines.append(f"{lane}: {len(names)} operations, {total} {things}, {wrong} violations")
        known = list(allowances)
        idle = [name for name in known if not self.needed[name]]
        lines.append(
            f"allowances needed: {len(known) - len(idle)} of {len(known)}"
            + (f"; not in this run: {', '.join(idle)}" if idle else "")
        )
        return ["  seen viol  operation, and its statuses", *lines]
