"""Who may do what: one function decides for every door.

A comment, a review, a button, a wish that was remembered, an Action, an automatic merge: all of them ask here, when
the work is done and not when it was asked for. What was looked up is asked for role by role and team by team, and only
as far as the rules name it. A lookup that GitHub refuses allows nothing; one that it does not answer is tried again
later by the whole look, and nothing is done before.

Rules come from the default branch, CODEOWNERS included: who may push to another branch gives no rights by that.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from bot.core import codeowners
from bot.core.permissions import (
    DEFAULT_ORIGIN,
    DEFAULTS,
    Facts,
    Kind,
    Need,
    Role,
    Verdict,
    has_one,
    may,
    teams_of,
)
from bot.core.problems import Declined, Problem
from bot.core.rules.values import DEFAULT_ROLES, STOPPING
from bot.core.text import code
from bot.core.usage import READING
from bot.ports import Refused
from bot.service.finding import find_one
from bot.service.journal import Authorised
from bot.service.reading import read_held

if TYPE_CHECKING:
    from bot.core.markers import Wish
    from bot.core.problems import Place
    from bot.core.rules import Config
    from bot.ports import Actor, Comment, Holder
    from bot.service.approving import Judged
    from bot.service.desk import Desk
    from bot.service.reading import Service

log = structlog.get_logger("canary")

BY_RULES = "rules"
"""Who did what happens by itself; no account is called so in the journal, which also holds ids."""

_PASSING = frozenset({*STOPPING, *READING})
"""What a broken configuration does not stop."""


@dataclass(slots=True)
class Known:
    """What was looked up for one decision, or for all decisions on one comment. Never kept longer."""

    holders: dict[str, Holder | None] = field(default_factory=dict)
    teams: dict[tuple[str, str], bool | None] = field(default_factory=dict)
    owners: codeowners.CodeOwners | None = None
    has_owners: bool = False
    said: dict[int, tuple[Comment, ...]] = field(default_factory=dict)
    approvals: dict[tuple[int, str, str, Wish | None], Judged] = field(default_factory=dict)


def allowed(desk: Desk, verb: str, who: Actor, service: Service | None) -> Verdict:
    """Decide whether somebody may use a verb on a service now; nothing is recorded.

    Args:
        desk: The look's tools.
        verb: Of the table of commands, or ``override``, ``freeze``, ``unfreeze``.
        who: The account that asks, by its id: a login that has gone over to somebody else gives no rights.
        service: The service, ``None`` where it is about none.

    Raises:
        Declined: ``config-invalid``, for everything that goes on.
        OutsideFailure: GitHub did not answer.
    """
    if desk.rehearsal:
        # At a prompt whoever can write the files decides; on GitHub everybody is looked up.
        return Verdict(True, "", "", DEFAULT_ORIGIN)
    needs = needs_for(desk, verb, service)
    return may(verb, facts_of(desk, who, needs, service), needs)


def require(desk: Desk, verb: str, who: Actor, service: Service | None) -> Verdict:
    """See that somebody may use a verb on a service, and record that before anything is written.

    Raises:
        Declined: ``not-allowed``, ``config-invalid``.
        OutsideFailure: GitHub did not answer.
    """
    verdict = allowed(desk, verb, who, service)
    if not verdict.allowed:
        raise Declined(refusal(verb, who, service, verdict))
    record(desk, verb, who, service, verdict)
    return verdict


def record(desk: Desk, verb: str, who: Actor, service: Service | None, verdict: Verdict) -> None:
    """Record that somebody may do something that writes; called before it is begun."""
    if verb not in READING:
        key = service.key if service is not None else ""
        _tell(desk, Authorised(verb, key, who.login, who.id, verdict.needed, verdict.origin))


def record_rule(desk: Desk, verb: str, service: Service, needed: str, origin: str) -> None:
    """Record that the rules let something happen by itself; called before it is begun.

    Args:
        desk: The look's tools.
        verb: What happens, like ``promote`` or ``rollback``.
        service: The service.
        needed: What the rules ask for, in Markdown.
        origin: Where they say so.
    """
    _tell(desk, Authorised(verb, service.key, BY_RULES, 0, needed, origin))


def _tell(desk: Desk, entry: Authorised) -> None:
    log.info(
        "authorised",
        repository=desk.repo.name,
        verb=entry.verb,
        service=entry.service,
        by=entry.by,
        by_id=entry.by_id,
        needed=entry.needed,
        origin=entry.origin,
    )
    desk.journal(entry)


# --- what is needed ---------------------------------------------------------------------------


def needs_for(desk: Desk, verb: str, service: Service | None) -> tuple[Need, ...]:
    """Give what a verb needs on a service, by the configuration of the default branch.

    With a configuration that cannot be read, stopping and reading need what they need by default.

    Raises:
        Declined: ``config-invalid``, for everything that goes on.
    """
    if verb not in DEFAULT_ROLES:
        return DEFAULTS.get(verb, ())
    try:
        config = desk.config()
    except Declined:
        if verb not in _PASSING:
            raise
        return DEFAULTS[verb]
    return _configured(config, verb, service.name if service is not None else None)


def _configured(config: Config, verb: str, name: str | None) -> tuple[Need, ...]:
    own = f"services.{name}.permissions.{verb}"
    said = name is not None and bool(config.of(name).permissions.get(verb))
    place = config.origins.get(own if said else f"permissions.{verb}")
    origin = DEFAULT_ORIGIN if place is None else _line(place)
    return tuple(Need(Kind(who.kind), who.name, origin) for who in config.may(verb, name))


def _line(place: Place) -> str:
    return place.path if place.line is None else f"{place.path}:{place.line}"


def is_the_same_for_all(desk: Desk, verb: str) -> bool:
    """Whether the services do not matter: then who may not is told so before they are looked for."""
    if verb not in DEFAULT_ROLES:
        return True
    try:
        config = desk.config()
    except Declined:
        return True
    if any(verb in said.permissions for said in config.services.values()):
        return False
    return all(who.kind != "codeowners" for who in config.may(verb))


# --- what is looked up ------------------------------------------------------------------------


def facts_of(desk: Desk, who: Actor, needs: tuple[Need, ...], service: Service | None) -> Facts:
    """Look up what the needs ask about a person; what cannot be looked up is unknown.

    Raises:
        OutsideFailure: GitHub did not answer.
    """
    holder = holder_of(desk, who.login)
    if holder is None:
        return Facts(who.id, "", who.is_bot)  # whether the login is still this account's is not known either
    if holder.id != who.id:
        # Nobody here is called so any more, or somebody else is: the login is empty, so that no need means it.
        return Facts(who.id, "", who.is_bot, Role.NONE, dict.fromkeys(teams_of(needs, ()), False), ())
    facts = Facts(who.id, who.login, who.is_bot, holder.role)
    if has_one(facts, needs):
        return facts
    if any(need.kind is Kind.CODEOWNERS for need in needs):
        facts = replace(facts, owners=_owners(desk, service))
    teams: dict[str, bool | None] = {}
    for team in teams_of(needs, facts.owners or ()):
        if has_one(facts, needs):
            break
        teams[team] = _in_team(desk, team, who.login)
        facts = replace(facts, teams=dict(teams))
    return facts


def holder_of(desk: Desk, login: str) -> Holder | None:
    """Give who has a login now and with which role, ``None`` where GitHub does not let that be looked up."""
    known = desk.known
    if login not in known.holders:
        try:
            known.holders[login] = desk.repo.role_of(login)
        except Refused as refusal:
            log.warning("not looked up", what="role", said=str(refusal)[:200])
            known.holders[login] = None
    return known.holders[login]


def _in_team(desk: Desk, team: str, login: str) -> bool | None:
    known = desk.known
    if (team, login) not in known.teams:
        known.teams[team, login] = desk.repo.in_team(team, login)
    return known.teams[team, login]


def owners_of(desk: Desk, service: Service, needs: tuple[Need, ...]) -> tuple[str, ...] | None:
    """Give the owners of a manifest where the needs ask for them, else nobody."""
    return _owners(desk, service) if any(need.kind is Kind.CODEOWNERS for need in needs) else ()


def _owners(desk: Desk, service: Service | None) -> tuple[str, ...] | None:
    """Give the owners of a service's manifest, ``None`` where the file cannot be read."""
    known = desk.known
    if service is None or not service.path:
        return ()
    if not known.has_owners:
        known.has_owners = True
        known.owners = read_owners(desk)
    if known.owners is None:
        return None
    path = _path_on_base(desk, service)
    return None if path is None else known.owners.owners_of(path)


def _path_on_base(desk: Desk, service: Service) -> str | None:
    """Give where a manifest is on its base branch: where a pull request moves it to is for its author to choose.

    The path of the pull request for a manifest that the base branch does not have; ``None`` where nobody can say
    which of several it is.
    """
    tip = desk.tip(service.base)
    if tip is None:
        return service.path
    with suppress(Declined):
        if read_held(desk.repo, service.path, service.id, tip) is not None:
            return service.path
    try:
        hit = find_one(desk.repo, tip, service.hit.qualified, index=desk.index)
    except Declined as declined:
        first, *unread = declined.problems
        is_new = first.code == "unknown-service"
        # A document elsewhere that cannot be read may be the one.
        here = all(one.place is not None and one.place.path == service.path for one in unread)
        return service.path if is_new and here else None
    return hit.path


def read_owners(desk: Desk) -> codeowners.CodeOwners | None:
    """Read CODEOWNERS of the default branch, from the first place that GitHub looks at; ``None`` where it cannot be."""
    tip = desk.tip(desk.repo.default_branch)
    if tip is None:
        return None
    try:
        for path in codeowners.LOCATIONS:
            file = desk.repo.file(path, tip)
            if file is not None:
                return codeowners.parse(file.content)
    except Refused as refusal:
        log.warning("not looked up", what="CODEOWNERS", said=str(refusal)[:200])
        return None
    return codeowners.CodeOwners(())


def reviewers_of(desk: Desk, service: Service) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give who is asked to review the bot's pull requests for a service: people by login, teams by slug.

    Nobody where the configuration cannot be read: being asked decides nothing.
    """
    try:
        wanted = desk.config().reviewers
    except Declined:
        return (), ()
    if not wanted:
        return (), ()
    owners = (_owners(desk, service) or ()) if any(who.kind == "codeowners" for who in wanted) else ()
    named = [who.name for who in wanted if who.kind in {"user", "team"}]
    every = dict.fromkeys([*named, *(one[1:] for one in owners if one.startswith("@"))])
    home = desk.repo.name.partition("/")[0].casefold()
    teams = [
        one.partition("/")[2] for one in every if one.partition("/")[0].casefold() == home and "/" in one
    ]
    return tuple(one for one in every if "/" not in one), tuple(teams)


# --- what a reply says ------------------------------------------------------------------------


def refusal(verb: str, who: Actor, service: Service | None, verdict: Verdict) -> Problem:
    """Say who asked, what is needed and where that is said, who can, and what could not be looked up."""
    about = f" on {code(service.name)}" if service is not None else ""
    said = f" ({code(verdict.origin)})" if verdict.is_configured else ""
    has = verdict.has or "none of that"
    message = f"{code('/' + verb)}{about} needs {verdict.needed}{said}; {code(who.login)} has {has}."
    if verdict.unknown:
        message += f" GitHub did not let me look up {' and '.join(verdict.unknown)}, so it is not allowed."
    return Problem("not-allowed", message, f"Ask {verdict.who_can}." if verdict.needed != "nobody" else "")
