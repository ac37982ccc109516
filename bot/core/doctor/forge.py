"""What a repository on GitHub lacks: its App, its rules, its required checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.core.doctor import protection
from bot.core.doctor.catalogue import Finding, could_not_look, in_order
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.core.doctor.protection import Rules

# reference/reliability.md 5.1: "never".
DANGEROUS = frozenset(
    {
        "actions",
        "administration",
        "codespaces",
        "codespaces_secrets",
        "dependabot_secrets",
        "deployments",
        "environments",
        "repository_hooks",
        "secrets",
        "workflows",
    }
)
# What a repository may have reasons for, and this doctor is helped by.
TOLERATED = {
    "administration": "read",
    "members": "read",
    "statuses": "write",
    "issues": "write",
    "deployments": "read",  # for gates that ask for one
}
_RANKS = {"read": 1, "write": 2, "admin": 3}
_WORDS = {"read": "read-only", "write": "read and write", "admin": "admin"}


@dataclass(frozen=True, slots=True)
class Unseen:
    """A fact that could not be read: what it is, and what it would take, both in Markdown of our own."""

    what: str
    needs: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the bot asks for: permissions and events. The first ones are needed for its tokens."""

    permissions: Mapping[str, str]
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Registered:
    """The App itself, as ``GET /app`` shows it. Names are GitHub's and untrusted."""

    id: int
    slug: str
    permissions: Mapping[str, str]
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Installed:
    """The App's installation on the repository's owner."""

    permissions: Mapping[str, str]
    events: tuple[str, ...]
    suspended: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What could be read. ``None`` stands for what was not asked; what could not be read is in ``unseen``.

    ``installed`` is ``None`` with ``app`` given: the App is not installed there. ``auto_merge`` and
    ``merge_methods`` are ``None`` where GitHub does not show them. ``merging`` are the ids of the rule sets in
    use that merge by themselves.
    """

    name: str
    base: str
    archived: bool = False
    app: Registered | None = None
    installed: Installed | None = None
    auto_merge: bool | None = None
    merge_methods: frozenset[str] | None = None
    merging: tuple[str, ...] = ()
    rules: Rules | None = None
    unseen: tuple[Unseen, ...] = field(default=())


def judge(facts: Facts, asked: Asked) -> tuple[Finding, ...]:
    """Give everything that the repository lacks on GitHub, the worst first."""
    return in_order(_all(facts, asked))


def _all(facts: Facts, asked: Asked) -> Iterator[Finding]:
    if facts.archived:
        yield Finding("repository-archived", f"{code(facts.name)} is archived.", code(facts.name))
    if facts.app is not None:
        yield from _app(facts.app, facts.installed, facts.name, asked)
    yield from _merging(facts)
    if facts.rules is not None:
        yield from protection.judge(facts.rules, facts.base, facts.merge_methods)
    for unseen in facts.unseen:
        yield could_not_look(unseen.what, unseen.needs, code(facts.name))


def _app(app: Registered, installed: Installed | None, name: str, asked: Asked) -> Iterator[Finding]:
    where = f"App {code(app.slug)}"
    yield from _permissions(app.permissions, asked.permissions, where)
    yield from _events(app.events, asked.events, where)
    if installed is None:
        yield Finding("app-not-installed", f"{where} is not installed on {code(name)}.", where)
        return
    if installed.suspended:
        yield Finding("app-suspended", f"The installation of {where} is suspended.", where)
    # What the App asks for and the owner has not accepted yet; the rest was told above.
    for key, level in asked.permissions.items():
        held, wanted = installed.permissions.get(key, ""), app.permissions.get(key, "")
        if _RANKS.get(wanted, 0) >= _RANKS[level] > _RANKS.get(held, 0):
            message = f"The owner has not accepted {code(key)}, {_WORDS[level]}, for this installation."
            remedy = "Accept the request: *Settings → GitHub Apps → Configure → Review request*."
            yield Finding("app-permission-missing", message, where, remedy)
    wider = {
        key: level
        for key, level in installed.permissions.items()
        if _RANKS.get(level, 9) > _RANKS.get(app.permissions.get(key, ""), 0)
    }
    yield from _too_much(wider, asked.permissions, f"installation of {where}")


def _permissions(held: Mapping[str, str], wanted: Mapping[str, str], where: str) -> Iterator[Finding]:
    for key, level in wanted.items():
        has = held.get(key, "")
        if _RANKS.get(has, 0) < _RANKS[level]:
            shown = f"has only {_WORDS[has]}" if has in _RANKS else "has no access"
            message = f"{where} needs {code(key)}, {_WORDS[level]}, and {shown}."
            yield Finding("app-permission-missing", message, where)
    yield from _too_much(held, wanted, where)


def _too_much(held: Mapping[str, str], wanted: Mapping[str, str], where: str) -> Iterator[Finding]:
    for key, level in held.items():
        allowed = max(_RANKS.get(wanted.get(key, ""), 0), _RANKS.get(TOLERATED.get(key, ""), 0))
        if _RANKS.get(level, 9) <= allowed:
            continue
        kind = (
            "app-permission-dangerous"
            if key in DANGEROUS or (key.startswith("organization_") and level != "read")
            else "app-permission-wide"
        )
        yield Finding(kind, f"{where} has {code(key)}, {_WORDS.get(level, code(level))}.", where)


def _events(held: tuple[str, ...], wanted: tuple[str, ...], where: str) -> Iterator[Finding]:
    for event in wanted:
        if event not in held:
            yield Finding("app-event-missing", f"{where} does not subscribe to {code(event)}.", where)
    for event in held:
        if event not in wanted:
            yield Finding("app-event-extra", f"{where} subscribes to {code(event)}.", where)


def _merging(facts: Facts) -> Iterator[Finding]:
    if not facts.merging:
        return
    named = ", ".join(code(name) for name in facts.merging)
    if facts.auto_merge is None:
        yield could_not_look("*Allow auto-merge*", "GitHub shows it to who may write.", code(facts.name))
    elif not facts.auto_merge:
        yield Finding("auto-merge-off", f"Rules that merge by themselves: {named}.", code(facts.name))
