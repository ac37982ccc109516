"""The published JSON Schemas: what ``keys`` checks, for editors. Draft 7, which every editor's YAML support reads."""

from __future__ import annotations

import json
from typing import Any

from bot.core.rules.composite import Record
from bot.core.rules.keys import CONFIG_FIELDS, LOCKED, RULES_FIELDS

CONFIG_SCHEMA, RULES_SCHEMA = "canary.schema.json", "rules.schema.json"
_DRAFT = "http://json-schema.org/draft-07/schema#"


def schemas(known_rules: tuple[str, ...]) -> dict[str, str]:
    """Give the text of each schema by its file's name.

    Args:
        known_rules: The ids of the rule sets that come with the bot.
    """
    config = Record("", (*CONFIG_FIELDS, LOCKED)).schema(known_rules)
    rules = Record("", RULES_FIELDS).schema(known_rules)
    return {
        CONFIG_SCHEMA: _text("canary-bot: .github/canary.yaml", config),
        RULES_SCHEMA: _text("canary-bot: a rule set", rules),
    }


def _text(title: str, schema: dict[str, Any]) -> str:
    whole = {"$schema": _DRAFT, "title": title} | schema
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
