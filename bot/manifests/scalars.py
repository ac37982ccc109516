"""Plain scalars: what YAML 1.1 and YAML 1.2 read them as, and how to write new ones.

Kubernetes reads YAML 1.1, ruamel.yaml 1.2. Sources: YAML 1.1 type repository (bool, int,
float, null, timestamp, merge, value), YAML 1.2.2 10.3 (core schema).
"""

from __future__ import annotations

import math
import re
from typing import Any

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_BOOL_1_1 = re.compile(r"y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
# With what Go's parser takes beyond the specification: 0o17, and underscores anywhere, also behind a sign.
_INT_1_1 = re.compile(
    r"[-+]?(0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(:[0-5]?[0-9])+)|[-+][0-9_]+"
)
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_FLOAT_1_1 = re.compile(
    r"[-+]?([0-9][0-9_]*)?\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_TIME_1_1 = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]).*|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")

_CANONICAL_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_PERCENT = re.compile(r"0|[1-9][0-9]{0,8}")
_NAME = re.compile(r"[a-z]([-a-z0-9.]*[a-z0-9])?")


def is_text(plain: str) -> bool:
    """Whether every YAML reader takes a plain scalar for text."""
    tests = (_NULL, _BOOL_1_1, _INT, _INT_1_1, _FLOAT, _FLOAT_1_1, _TIME_1_1)
    return plain not in {"=", "<<"} and not any(test.fullmatch(plain) for test in tests)


def is_ambiguous(plain: str) -> bool:
    """Whether a plain scalar is something else in YAML 1.1 than in YAML 1.2."""
    if is_text(plain) or _NULL.fullmatch(plain) or _BOOL.fullmatch(plain) or _CANONICAL_INT.fullmatch(plain):
        return False
    return not (_FLOAT.fullmatch(plain) and re.fullmatch(r"-?(0|[1-9][0-9]*)\.[0-9]+", plain))


def plain_value(plain: str) -> Any:
    """Give the value of an untagged plain scalar; ``{"!plain": text}`` where readers differ."""
    if _NULL.fullmatch(plain):
        return None
    if _BOOL.fullmatch(plain):
        return plain.lower() == "true"
    if _CANONICAL_INT.fullmatch(plain):
        return int(plain)
    if is_text(plain):
        return plain
    if not is_ambiguous(plain) and math.isfinite(number := float(plain)):
        return number
    return {"!plain": plain}


def percent(plain: str) -> int | None:
    """Give the number of a percent in its one accepted spelling, else ``None``."""
    return int(plain) if _PERCENT.fullmatch(plain) else None


def written(value: str | int, style: str = "") -> str:  # a bool is an int, and checked first
    """Write a value as a scalar that every YAML reader reads the same.

    Args:
        value: Text, a number or a boolean. Text holds no line break.
        style: The quote of the scalar that is replaced or copied, or ``""``.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if not style and _NAME.fullmatch(value) and is_text(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
