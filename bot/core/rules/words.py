"""Shapes of single words that mean something outside of the file: rule sets, zones, people, recurrences, days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from bot.core import promql
from bot.core.problems import Declined
from bot.core.promql import LONGEST as LONGEST_QUERY
from bot.core.recurrence import LONGEST as LONGEST_RULE
from bot.core.rules.shapes import BROKEN, Text, closest, shown, suggestion
from bot.core.rules.values import NAMINGS, ROLES, Who
from bot.core.text import code

if TYPE_CHECKING:
    from bot.core.rules.nodes import Node
    from bot.core.rules.shapes import At, Reading

RULES_PATH = r"(?!/)(?!.*(?:^|/)\.{1,2}/)(?=.*/)[A-Za-z0-9._/-]{1,200}\.ya?ml"
# `.git` and its like; the configuration's own folder is fine.
_GIT = re.compile(r"(?:^|/)\.git(?!hub/)", re.ASCII | re.IGNORECASE)
_ZONE = re.compile(r"UTC|[A-Za-z_]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){1,2}", re.ASCII)
_LOGIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})"
_USER = re.compile(rf"@?({_LOGIN}(?:\[bot\])?)", re.ASCII)
_TEAM = re.compile(rf"@?({_LOGIN}/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,98}})", re.ASCII)
_PLACEHOLDERS = ("service", "sha7", "hash", "tag")


@dataclass(frozen=True, slots=True)
class RulesName:
    """The id of a rule set, or the path of one in the repository."""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        value = node.value
        if isinstance(value, str) and value in reading.known_rules:
            return value
        name = str(value) if node.kind == "scalar" else ""
        is_path = isinstance(value, str) and ("/" in value or value.endswith((".yaml", ".yml")))
        if is_path and re.fullmatch(RULES_PATH, value, re.ASCII) and not _GIT.search(value):
            return value
        if not isinstance(value, str):
            remedy = f"Write one of {', '.join(map(code, reading.known_rules))}."
            reading.faults.add(f"`{at.key}` must name a rule set, not {shown(node)}.", at.place, remedy)
        elif is_path:
            remedy = "Write a path from the root of the repository, like `deploy/rules/careful.yaml`."
            reading.faults.add(f"{code(name)} is no path of a rule set.", at.place, remedy)
        else:
            remedy = suggestion(name, reading.known_rules)
            reading.faults.add(f"There is no rule set {shown(node)}.", at.place, remedy)
        return BROKEN

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:
        """Give it as JSON Schema."""
        return {"anyOf": [{"enum": list(known_rules)}, {"type": "string", "pattern": f"^{RULES_PATH}$"}]}


@lru_cache(maxsize=256)
def is_zone(name: str) -> bool:
    """Whether a name is one of IANA's zones, with a region, or ``UTC``."""
    if _ZONE.fullmatch(name) is None:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of IANA's, with its region, or UTC."""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        value = node.value
        if isinstance(value, str) and is_zone(value):
            return value
        named = [zone for zone in available_timezones() if "/" in zone] if isinstance(value, str) else []
        close = closest(str(value), named)
        remedy = f"Did you mean `{close}`?" if close else "Write `UTC`, or one like `Europe/Berlin`."
        reading.faults.add(f"`{at.key}` must be an IANA zone, not {shown(node)}.", at.place, remedy)
        return BROKEN

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        return {"type": "string", "pattern": f"^(?:{_ZONE.pattern})$", "examples": ["UTC", "Europe/Berlin"]}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may: a GitHub role, ``codeowners``, a team ``org/x``, or a user. ``roles`` may be refused."""

    roles: bool = True

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        value = node.value
        words = (*ROLES, "codeowners") if self.roles else ("codeowners",)
        if isinstance(value, str):
            if value in words:
                return Who("codeowners") if value == "codeowners" else Who("role", value)
            if (team := _TEAM.fullmatch(value)) is not None:
                return Who("team", team[1])
            # Strict: people are called Martin, too.
            close = closest(value.lower(), words, cutoff=0.8)
            if close is not None and not value.startswith("@"):
                other = _USER.fullmatch(value) is not None and value.lower() != close
                hint = f' A user of that name is written `"@{value}"`.' if other else ""
                reading.faults.add(f"{code(value)} is no role.", node.place, f"Did you mean `{close}`?{hint}")
                return BROKEN
            if (user := _USER.fullmatch(value)) is not None and value.lower() not in ROLES:
                return Who("user", user[1])
        roles = f"one of {', '.join(ROLES)}, " if self.roles else ""
        remedy = f"Write {roles}`codeowners`, a team like `acme/sre`, or a user's login."
        reading.faults.add(f"`{at.key}` names nobody: {shown(node)}.", node.place, remedy)
        return BROKEN

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        words = [*ROLES, "codeowners"] if self.roles else ["codeowners"]
        return {
            "anyOf": [
                {"enum": words},
                {"type": "string", "pattern": f"^(?:{_TEAM.pattern}|{_USER.pattern})$"},
            ]
        }


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL with places for values, as ``bot.core.promql`` takes it; its text."""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        text = Text(what="a query", longest=LONGEST_QUERY).read(reading, node, at)
        if text is BROKEN:
            return BROKEN
        try:
            promql.parse(text)
        except Declined as declined:
            for problem in declined.problems:
                remedy = problem.remedy or "Try it in Prometheus, with values in its places."
                reading.faults.add(f"`{at.key}` is no query: {problem.message}", at.place, remedy)
            return BROKEN
        return text

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        return {"type": "string", "minLength": 1, "maxLength": LONGEST_QUERY}


@dataclass(frozen=True, slots=True)
class RuleText:
    """A recurrence, as its text and place: it is worked out together with the freeze's other keys."""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        remedy = "Write it like `FREQ=WEEKLY;BYDAY=SA,SU`."
        text = Text(what="a recurrence", remedy=remedy, longest=LONGEST_RULE).read(reading, node, at)
        return text if text is BROKEN else (text, at)

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        return {
            "type": "string",
            "maxLength": LONGEST_RULE,
            "pattern": "^\\s*(?:[Rr][Rr][Uu][Ll][Ee]:)?[A-Za-z]+=[^;]+(?:;[A-Za-z]+=[^;]+)*\\s*$",
            "examples": ["FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=20"],
        }


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar."""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        value = node.value
        if isinstance(value, str) and re.fullmatch(r"(?:19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}", value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        said = f"`{at.key}` must be a day, not {shown(node)}."
        reading.faults.add(said, at.place, "Write it like `2026-12-24`.")
        return BROKEN

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        return {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}


@dataclass(frozen=True, slots=True)
class Naming:
    """How a candidate without a name of its own is called."""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        value = node.value
        if isinstance(value, str) and value in NAMINGS:
            return value
        if isinstance(value, str) and "{" in value and len(value) <= 63:  # noqa: PLR2004 - a label's length
            return self._template(reading, value, at)
        close = closest(str(value), NAMINGS)
        ways = ", ".join(f"`{one}`" for one in NAMINGS)
        remedy = f"Did you mean `{close}`?" if close else 'Or a name of your own, like `"{service}-{sha7}"`.'
        reading.faults.add(f"`{at.key}` must be one of {ways}, not {shown(node)}.", at.place, remedy)
        return BROKEN

    def _template(self, reading: Reading, value: str, at: At) -> Any:
        names = re.findall(r"\{([^{}]*)\}", value)
        rest = re.sub(r"\{[^{}]*\}", "", value)
        wrong = [name for name in names if name not in _PLACEHOLDERS]
        if wrong:
            said = f"`{at.key}` knows no {code('{' + wrong[0] + '}')}."
            reading.faults.add(said, at.place, suggestion(wrong[0], _PLACEHOLDERS))
        elif not value.startswith("{service}-") or re.fullmatch("[a-z0-9-]*", rest, re.ASCII) is None:
            said = f"`{at.key}` must begin with `{{service}}-`, and hold letters, digits and `-` only."
            reading.faults.add(said, at.place, 'Write it like `"{service}-{sha7}"`.')
        elif len(names) == 1:
            said = f"`{at.key}` gives every candidate the same name."
            reading.faults.add(said, at.place, 'Write it like `"{service}-{sha7}"`.')
        else:
            return value
        return BROKEN

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        holder = f"(?:[a-z0-9-]|\\{{(?:{'|'.join(_PLACEHOLDERS)})\\}})*"
        return {
            "anyOf": [{"enum": list(NAMINGS)}, {"type": "string", "pattern": f"^\\{{service\\}}-{holder}$"}]
        }
