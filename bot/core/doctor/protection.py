"""The rules of the base branch and of the steps' branches, and the checks that they require.

Sources: docs.github.com, "Available rules for rulesets", "About protected branches", "Troubleshooting
required status checks"; ``reference/reliability.md`` 5.3, 5.4, T19.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.checks import APPROVALS
from bot.core.doctor.catalogue import Finding, could_not_look
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STEPS = "`canary/**/*`"
_RESTRICTIONS = {"Restrict creations": "creation", "Restrict updates": "update"}
_CLOSING = frozenset({*_RESTRICTIONS.values(), "pull_request"})  # each keeps out who may not bypass it
ALWAYS = frozenset({"always", "exempt"})


@dataclass(frozen=True, slots=True)
class Required:
    """A check that must be green. ``source`` is the id of the App it must come from, ``None`` for any.

    ``where`` names the ruleset or the protection, in Markdown made inert.
    """

    context: str
    source: int | None
    where: str


@dataclass(frozen=True, slots=True)
class Reviews:
    """What pull requests need. The laxest reading: the strictest of all rules counts for each value."""

    approvals: int = 0
    dismisses_stale: bool = False
    last_push: bool = False


@dataclass(frozen=True, slots=True)
class Bypass:
    """Who may pass a ruleset by; ``types`` are those of its rules.

    ``ours`` is how the bot may: ``always``, ``pull_request``, ``exempt``, ``never``, or ``None`` when that
    cannot be seen. ``others`` says whether anybody else may, ``None`` when that cannot be seen.
    """

    where: str
    ours: str | None
    others: bool | None
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """What reported on recent commits: the Apps' ids by check name, ``None`` for a status without one.

    ``commits`` is how many were looked at. ``readable`` says whether check runs could be read, ``whole``
    whether statuses could be, too.
    """

    names: Mapping[str, frozenset[int | None]]
    commits: int
    whole: bool
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the base branch and for the steps' branches.

    ``ours`` are the names of the bot's checks that should be required; ``app`` is the bot's id where it is
    known. ``reviews`` is ``None`` where no pull request is required. ``classic_hidden``: the branch has
    classic protection whose details may not be read. ``merge_methods`` are those that the rulesets allow,
    ``None`` for all. ``base_bypass`` and ``step_bypass`` hold each ruleset once.
    """

    ours: tuple[str, ...]
    app: int | None
    required: tuple[Required, ...]
    seen: Seen
    reviews: Reviews | None
    classic_hidden: bool = False
    signatures: bool = False
    linear: bool = False
    merge_queue: bool = False
    merge_methods: frozenset[str] | None = None
    base_bypass: tuple[Bypass, ...] = ()
    step_bypass: tuple[Bypass, ...] = ()


def judge(rules: Rules, base: str, merge_methods: frozenset[str] | None) -> Iterator[Finding]:
    """Give what the rules lack.

    Args:
        rules: The rules.
        base: The base branch.
        merge_methods: What the repository's settings allow, ``None`` where that cannot be seen.
    """
    where = code(base)
    yield from _ours(rules, where)
    for one in rules.required:
        yield from _reporting(rules, one)
    yield from _reviews(rules, where)
    if rules.merge_queue:
        yield Finding("merge-queue", f"{where} is merged through a queue.", where)
    yield from _signatures(rules, where, merge_methods)
    for bypass in rules.base_bypass:
        if bypass.ours is None:
            needs = "needs the App's own credentials, or an administrator's token and `CANARY_APP_ID`."
            yield could_not_look(f"whether the App may bypass {bypass.where}", needs, bypass.where)
        elif bypass.ours != "never":
            yield Finding(
                "bot-may-bypass", f"The App is in the bypass list ({code(bypass.ours)}).", bypass.where
            )
    yield from _steps(rules)


def _ours(rules: Rules, where: str) -> Iterator[Finding]:
    for name in rules.ours:
        held = [one for one in rules.required if one.context == name]
        if not held:
            kind = "four-eyes-not-required" if name == APPROVALS else "check-not-required"
            yield Finding(kind, f"{code(name)} is not required on {where}.", where)
        # One pinned entry is enough: all entries have to be green.
        elif all(one.source is None for one in held):
            yield Finding("check-source-open", f"{code(name)} is accepted from any source.", held[0].where)
        for one in held:
            if rules.app is not None and one.source not in {None, rules.app}:
                message = f"{code(name)} is required from App {one.source}; the bot is App {rules.app}."
                yield Finding("check-source-other", message, one.where)


def _reporting(rules: Rules, one: Required) -> Iterator[Finding]:
    seen = rules.seen
    what = f"whether anything reports {code(one.context)}"
    if not seen.readable:
        yield could_not_look(what, "needs `checks: read`.", one.where)
        return
    hint = _hint(one, rules)
    if not seen.commits:
        yield could_not_look(what, f"needs a pull request to look at. {hint}".rstrip(), one.where)
        return
    apps = seen.names.get(one.context)
    if apps is None and not seen.whole:
        needs = f"no check run does; for statuses it needs `statuses: read`. {hint}".rstrip()
        yield could_not_look(what, needs, one.where)
    elif apps is None:
        message = f"{code(one.context)} is required, and no pull request looked at ({seen.commits}) has it."
        yield Finding("check-never-reports", message, one.where, hint)
    elif one.source is not None and not apps & {one.source, None}:
        if one.context in rules.ours and rules.app is not None and one.source != rules.app:
            return  # told already, and better
        shown = ", ".join(str(app) for app in sorted(app for app in apps if app is not None))
        message = f"{code(one.context)} is required from App {one.source}, and reported by App {shown} only."
        yield Finding(
            "check-never-reports", message, one.where, "In the ruleset choose the source that reports it."
        )


def _hint(one: Required, rules: Rules) -> str:
    known = {*rules.seen.names, *rules.ours} - {one.context}
    if one.context in rules.ours:
        return "The bot reports it on every open pull request: see whether it is installed and running."
    plain = {_plain(name): name for name in sorted(known)}
    close = plain.get(_plain(one.context))
    if close is None:
        near = difflib.get_close_matches(one.context, sorted(known), n=1)
        close = near[0] if near else None
    return "" if close is None else f"Did you mean {code(close)}? Names must agree to the letter."


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _reviews(rules: Rules, where: str) -> Iterator[Finding]:
    reviews = rules.reviews
    if rules.classic_hidden and (reviews is None or not reviews.approvals):
        needs = "needs `administration: read`, or an administrator's token."
        yield could_not_look(f"the classic branch protection of {where}", needs, where)
        return
    if reviews is None:
        yield Finding("pull-request-not-required", f"{where} takes pushes without a pull request.", where)
    elif not reviews.approvals:
        yield Finding("approvals-not-required", f"Pull requests to {where} need no approval.", where)
    else:
        if not reviews.dismisses_stale:
            yield Finding("stale-approvals-kept", "A push leaves earlier approvals as they are.", where)
        if not reviews.last_push:
            yield Finding("last-push-unapproved", "Whoever pushed last may approve.", where)


def _signatures(rules: Rules, where: str, methods: frozenset[str] | None) -> Iterator[Finding]:
    if not rules.signatures:
        return
    reasons = []
    if rules.linear:
        reasons.append("a linear history is required")
    if rules.merge_methods is not None and "merge" not in rules.merge_methods:
        reasons.append("the ruleset allows no merge commits")
    if methods is not None and "merge" not in methods:
        reasons.append("the repository's settings allow no merge commits")
    if reasons:
        message = f"Commits on {where} must be signed, and {' and '.join(reasons)}."
        yield Finding("signatures-need-merge-commits", message, where)
    elif methods is None and rules.merge_methods is None:
        yield could_not_look("which merge methods are allowed", "GitHub shows them to who may write.", where)


def _steps(rules: Rules) -> Iterator[Finding]:
    types = {kind for bypass in rules.step_bypass for kind in bypass.types}
    lacks = [f"*{word}*" for word, kind in _RESTRICTIONS.items() if kind not in types]
    if lacks:
        yield Finding("step-branches-open", f"{STEPS} lacks {' and '.join(lacks)}.", STEPS)
    for bypass in rules.step_bypass:
        if not bypass.types & _CLOSING:
            continue
        if bypass.ours is None:
            needs = "needs the App's own credentials, or an administrator's token and `CANARY_APP_ID`."
            yield could_not_look(f"whether the App may work on {STEPS}", needs, bypass.where)
        elif bypass.ours not in ALWAYS:
            yield Finding("step-branches-closed", f"The App may not bypass {bypass.where}.", bypass.where)
        if not bypass.types & set(_RESTRICTIONS.values()):
            continue
        if bypass.others is None:
            needs = "needs an administrator's token and `CANARY_APP_ID`."
            yield could_not_look(f"who else may bypass {bypass.where}", needs, bypass.where)
        elif bypass.others:
            message = f"{bypass.where} has others than the App in its bypass list."
            yield Finding("step-branches-shared", message, bypass.where)
