"""``canary audit``: on what a move rests, gates and accepted edits included."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.entry.test_audit_command import AT_0, AT_50, HALF, START, Shop, message, objects
from tests.entry.working import AT_25, NEXT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.conftest import Prompt

PASSED = "Canary-Evidence: error-rate pass 0.002 <= 0.01 over 15m, 812 samples, at 2026-03-02T12:00:00Z"
FAILED = "Canary-Evidence: error-rate fail 0.2 > 0.01 over 15m, 812 samples, at 2026-03-02T13:00:00Z"
PIN = "0123456789abcdef0123456789abcdef01234567"


def test_gates_and_adopted_edits_are_told(tmp_path: Path, canary: Prompt) -> None:
    shop = Shop(tmp_path / "shop")
    shop.pull(("New image", NEXT), (message(replace(START, config=PIN)), AT_25))
    shop.merge("Merge pull request #7 from shop/v4")
    adopted = replace(HALF, config=PIN, adopted=f"{PIN} by mona")
    shop.pull((message(adopted), AT_50))
    shop.merge(f"customer: 25 % → 50 % (#8)\n\nPassed.\n\nCanary-Promoted-By: kim\n{PASSED}")
    back = replace(START, step="rollback", weight=0, requested_by="rules", comment=0, cause="gate error-rate")
    shop.commit(f"{message(back).rstrip()}\n{FAILED}\n", AT_0)

    first, second, third = objects(shop.audit(canary, "--json"))

    assert (first["config"], first["gates"], first["cause"], first["adopted"]) == (PIN, [], None, None)
    assert second["adopted"] == f"{PIN} by mona"
    assert second["gates"] == [
        {
            "gate": "error-rate",
            "outcome": "pass",
            "value": 0.002,
            "limit": 0.01,
            "side": "most",
            "window": 900.0,
            "samples": 812,
            "at": "2026-03-02T12:00:00Z",
        }
    ]
    assert (third["cause"], third["gates"][0]["outcome"], third["asked_by"]) == (
        "gate error-rate",
        "fail",
        "rules",
    )

    table = " ".join(shop.audit(canary).out.split())
    assert "Gate error-rate pass 0.002 <= 0.01 over 15m, 812 samples, at 2026-03-02T12:00:00Z." in table
    assert f"Adopted {PIN} by mona." in table
