"""What ``docs/action.md`` shows of the Action and its example workflows: the files themselves.

``python -m tests.contract.action_docs --write`` writes them into it; a test fails when they are stale.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "action.md"
EXAMPLES = ROOT / ".github" / "workflows" / "examples"


def _action() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    return loaded


def inputs() -> str:
    rows = [f"| `{n}` | `{i['default']}` | {i['description']} |" for n, i in _action()["inputs"].items()]
    return "\n".join(["| input | default | meaning |", "|---|---|---|", *rows])


def outputs() -> str:
    rows = [f"| `{n}` | {o['description']} |" for n, o in _action()["outputs"].items()]
    return "\n".join(["| output | meaning |", "|---|---|", *rows])


def parts() -> dict[str, str]:
    """Give the parts of the page by the names of their places."""
    files = {path.name: f"```yaml\n{path.read_text('utf-8')}```" for path in sorted(EXAMPLES.glob("*.yml"))}
    return {"inputs": inputs(), "outputs": outputs()} | files


def filled(text: str) -> str:
    """Give the page with fresh parts in their places."""
    for name, part in parts().items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        found = re.findall(f"{re.escape(begin)}.*?{re.escape(end)}", text, re.DOTALL)
        assert len(found) == 1, f"the page has {len(found)} places for {name}"
        text = text.replace(found[0], f"{begin}{part}\n{end}")
    return text


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("usage: python -m tests.contract.action_docs --write")
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
