"""What the machine's stories are about, in words of their own: the manifest, plans, commands, freezes.

Nothing here asks the bot: tables and readers are written again, from the product's contract.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import yaml

from bot.ports import Role

if TYPE_CHECKING:
    from bot.core.markers import Answer

PATH = "apps/customer.yaml"
REPO = "acme/shop"
FREEZES = "freezes.json"
MANIFEST = b"""\
# Storefront customer service. Owners: team-shop.
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: customer
  namespace: shop
spec:
  template:
    metadata:
      name: customer-v3   # bump with every change of the template
    spec:
      containers:
        - image: quay.io/shop/customer:3.0.0
  # Who gets what. Every tag is a URL of its own.
  traffic:
  - tag: current
    revisionName: customer-v3
    percent: 100
---
apiVersion: v1
kind: ConfigMap
metadata: {name: customer-settings, namespace: shop}
data: {level: "0"}
"""
NEEDED = {
    "canary": Role.WRITE,
    "promote": Role.WRITE,
    "resume": Role.WRITE,
    "cancel": Role.WRITE,
    "adopt": Role.WRITE,
    "retry": Role.WRITE,
    "traffic": Role.WRITE,
    "tag": Role.WRITE,
    "untag": Role.WRITE,
    "freeze": Role.ADMIN,
    "unfreeze": Role.ADMIN,
    "rollback": Role.TRIAGE,
    "hold": Role.TRIAGE,
}
BAKES = {  # minutes that a share has to hold: from the table of each rule set
    "standard": {5: 30, 25: 30, 50: 30},
    "fast": {25: 5, 50: 5},
    "cautious": {5: 30, 25: 30, 50: 60},
    "manual": {},
}
AUTOMATIC = {"fast"}
HOLDS_EARLY = {"standard", "cautious"}
GATED = {"cautious"}
BY_PEOPLE = {("cautious", 50)}
BRANCH = re.compile(r"canary/customer/([0-9a-f]{8})/([0-9]+|rollback)")
TRAILER = re.compile(r"^Canary-([A-Za-z-]+): (.*)$", re.MULTILINE)
_NAME = re.compile(rb"(?m)^(      name: )\S+")

Shares = dict[str, int]


class Wrong(AssertionError):  # noqa: N818 - what a witness says
    """Something happened that must never happen."""


@cache
def _shares(content: bytes) -> tuple[tuple[str, int], ...]:
    document = next(yaml.load_all(content, yaml.CSafeLoader))
    found: Shares = {}
    for target in document["spec"]["traffic"]:
        name = "@latest" if target.get("latestRevision") else target["revisionName"]
        found[name] = found.get(name, 0) + int(target.get("percent") or 0)
    return tuple(sorted((k, v) for k, v in found.items() if v))


def shares(content: bytes) -> Shares:
    """Give the shares by revision; what has none is left out."""
    return dict(_shares(content))


def block(content: bytes) -> bytes:
    """Give the lines of the traffic block."""
    return content[content.index(b"  traffic:\n") : content.index(b"---\n")]


def outside(content: bytes) -> bytes:
    """Give what no commit of the bot may change: all but the block and the revision's name."""
    return _NAME.sub(rb"\1X", content.replace(block(content), b""))


@dataclass(frozen=True, slots=True)
class Plan:
    """A rollout as its first commit recorded it."""

    rollout: str
    stable: str
    candidate: str
    steps: tuple[int, ...]
    rules: str

    def split(self, weight: int) -> Shares:
        """Give the shares in which the candidate has a weight."""
        return {k: v for k, v in ((self.stable, 100 - weight), (self.candidate, weight)) if v}

    def after(self, weight: int) -> int | None:
        """Give the step behind a weight."""
        return next((w for w in self.steps if w > weight), None)

    def bake(self, weight: int) -> timedelta:
        """Give how long a weight has to hold."""
        table = BAKES[self.rules]
        below = [w for w in table if w <= weight]
        nearest = max(below) if below else min(table, default=0)
        return timedelta(minutes=0 if weight == 0 else table.get(nearest, 0))


@dataclass(slots=True)
class Said:
    """A comment or a press with a command."""

    key: str
    number: int
    by: str
    verbs: tuple[str, ...]
    at: datetime
    hours: int | None = None
    long: bool = True
    answer: Answer | None = None


@dataclass(slots=True)
class Configured:
    """What the configuration on the base branch freezes: windows, or, where it cannot be read, everything."""

    frozen: tuple[tuple[datetime, datetime], ...] = ()
    broken: bool = False

    def freezes(self, now: datetime) -> bool:
        """Tell whether nothing may be promoted now."""
        return self.broken or any(start <= now < end for start, end in self.frozen)
