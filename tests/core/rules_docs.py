"""The published schemas, and the tables of ``docs/rules.md``, from the table of keys.

``python -m tests.core.rules_docs --write`` writes them; tests fail when they are stale.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from bot.adapters.rulebook import built_in
from bot.core.rules.composite import ListOf, MapOf, Record
from bot.core.rules.keys import CONFIG_FIELDS, FREEZE, GATES, LOCKED, PERMISSIONS, SERVICE
from bot.core.rules.schema import schemas

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "rules.md"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _keys(record: Record, name: str) -> str:
    lines = [f"| {name} | what it says | the service follows it |", "|---|---|---|"]
    for one in record.fields:
        inner = one.shape.item if isinstance(one.shape, ListOf | MapOf) else one.shape
        below = " (below)" if isinstance(inner, Record) else ""
        lines.append(f"| `{one.key}` | {_cell(one.doc)}{below} | {'yes' if one.followed else 'not yet'} |")
    return "\n".join(lines)


def _plain(record: Record, name: str) -> str:
    lines = [f"| {name} | what it says |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{one.key}` | {_cell(one.doc)} |" for one in record.fields)])


def _looser() -> str:
    lines = ["| locked key | what counts as looser, and is refused |", "|---|---|"]
    return "\n".join(
        [*lines, *(f"| `{one.key}` | {_cell(one.looser)} |" for one in CONFIG_FIELDS if one.looser)]
    )


def _sets() -> str:
    lines = ["| rule set | steps | what it is |", "|---|---|---|"]
    for rules in built_in().sets.values():
        steps = ", ".join(str(step.weight) for step in rules.steps)
        lines.append(f"| [`{rules.id}`](../rules/{rules.id}.yaml) | {steps} % | {_cell(rules.summary)} |")
    return "\n".join(lines)


def _gate() -> Record:
    assert isinstance(GATES.item, Record)
    return GATES.item


TABLES = {
    "sets": _sets,
    "config": lambda: _keys(Record("", (*CONFIG_FIELDS, LOCKED)), "key"),
    "services": lambda: _keys(SERVICE, "key of a service"),
    "freezes": lambda: _plain(FREEZE, "key of a freeze"),
    "gates": lambda: _plain(_gate(), "key of a gate"),
    "verbs": lambda: _plain(PERMISSIONS, "verb"),
    "looser": _looser,
}


def filled(text: str) -> str:
    """Give the document with fresh tables between their markers."""
    for name, table in TABLES.items():
        mark = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        assert mark.search(text), f"the document has no place for the table {name!r}"
        text = mark.sub(lambda found, table=table: f"{found[1]}{table()}\n{found[2]}", text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("usage: python -m tests.core.rules_docs --write")
    DOCUMENT.write_text(filled(DOCUMENT.read_text("utf-8")), "utf-8")
    for name, text in schemas(tuple(built_in().sets)).items():
        (ROOT / "rules" / name).write_text(text, "utf-8")
