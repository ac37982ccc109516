"""The README's tables, from the values that the program itself uses.

``python -m tests.docs_tables --write`` writes them; a test fails when they are stale.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from bot.core.commands import usage_table
from bot.core.problems import CODES
from bot.entry.settings import describe

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def settings_table() -> str:
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for variable, default, meaning in describe():
        lines.append(f"| `{variable}` | {f'`{default}`' if default else '*needed*'} | {meaning} |")
    return "\n".join(lines)


def codes_table() -> str:
    lines = ["| code | meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{code}` | {meaning} |" for code, meaning in CODES.items())])


TABLES = {"commands": usage_table, "settings": settings_table, "codes": codes_table}


def filled(text: str) -> str:
    """Give the README with fresh tables between their markers."""
    for name, table in TABLES.items():
        mark = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        assert mark.search(text), f"the README has no place for the table {name!r}"
        text = mark.sub(lambda found, table=table: f"{found[1]}{table().strip()}\n{found[2]}", text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("usage: python -m tests.docs_tables --write")
    README.write_text(filled(README.read_text("utf-8")), "utf-8")
