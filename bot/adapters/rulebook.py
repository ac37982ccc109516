"""The rule sets that come with the bot, read once from its own files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bot.core.rules import RuleSet, read_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "standard"


def folder() -> Path:
    """Give the folder of the rule sets: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "rules"
    return inside if inside.is_dir() else package.parent / "rules"


@cache
def built_in() -> BuiltIn:
    """Give the rule sets of this installation."""
    return BuiltIn(
        {
            path.stem: read_rules(path.read_text("utf-8"), f"rules/{path.name}")
            for path in sorted(folder().glob("*.yaml"))
        }
    )


class BuiltIn:
    """The rule sets by id."""

    def __init__(self, sets: dict[str, RuleSet]) -> None:
        self._sets = {DEFAULT: sets[DEFAULT]} | sets

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all of them, the default first."""
        return tuple(self._sets)

    @property
    def sets(self) -> Mapping[str, RuleSet]:
        """All of them by id, the default first."""
        return dict(self._sets)

    def get(self, rules_id: str) -> RuleSet:
        """Give a rule set; one that is no longer there is the default."""
        return self._sets.get(rules_id, self._sets[DEFAULT])
