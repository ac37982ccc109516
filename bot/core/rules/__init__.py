"""Rule sets and the repository's configuration, as checked values.

A rule set says which weights a rollout passes, and how long each must have held before the next. All problems of a
file are reported together, each with its line. Durations are written with their unit (``30m``, ``2h``). The table of
all keys is in ``keys``; ``docs/rules.md`` shows them.
"""

from bot.core.rules.nodes import LARGEST_FILE
from bot.core.rules.reading import Checked, adjusted, check, named_files, read_config, read_rules
from bot.core.rules.strictness import looser_rules, merge
from bot.core.rules.telling import changes, explain
from bot.core.rules.values import CONFIG_PATH, Config, GateRule, RuleSet, ServiceConfig, Step, Who

__all__ = [
    "CONFIG_PATH",
    "LARGEST_FILE",
    "Checked",
    "Config",
    "GateRule",
    "RuleSet",
    "ServiceConfig",
    "Step",
    "Who",
    "adjusted",
    "changes",
    "check",
    "explain",
    "looser_rules",
    "merge",
    "named_files",
    "read_config",
    "read_rules",
]
