"""Who may do what, decided in one place for every door; and whose approval counts.

Facts come from outside, read when the command is worked off: a role by GitHub's ``role_name``, membership of the teams
that are named, the owners of the manifest. What could not be looked up allows nothing. Nothing here knows how a
request came in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from bot.core.text import code
from bot.core.usage import USAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CODEOWNERS = "codeowners"
DEFAULT_ORIGIN = "built in"

_LOGIN = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?"
_USER = re.compile(rf"@({_LOGIN})", re.ASCII)
_TEAM = re.compile(rf"@?({_LOGIN}/[A-Za-z0-9_.-]{{1,255}})", re.ASCII)


class Role(IntEnum):
    """A person's role in a repository, in GitHub's order; each may what the lower ones may."""

    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    MAINTAIN = 4
    ADMIN = 5


ROLES = {role.name.lower(): role for role in Role if role is not Role.NONE}


def role_of(role_name: str | None, permission: str | None = None, base: str | None = None) -> Role | None:
    """Give the role that GitHub's answer means, ``None`` where it means none that is known.

    A custom role counts as the role that it is based on; where that is not known, as the old ``permission``, in which
    GitHub rounds triage down to read and maintain down to write. Where two of the answers contradict each other, the
    lower one counts.

    Args:
        role_name: ``role_name`` of the answer: one of GitHub's roles, or a custom one.
        permission: ``permission`` of the same answer: ``admin``, ``write``, ``read`` or ``none``.
        base: ``base_role`` of the custom role, where the organisation's roles could be read.
    """
    known = ROLES | {"none": Role.NONE}
    own = known.get(role_name or "")
    if own is None and role_name:
        own = known.get(base or "")
    old = known.get(permission or "")
    if own is None:
        return old
    # ``permission`` says write for maintain, and read for triage.
    said = {Role.MAINTAIN: Role.WRITE, Role.TRIAGE: Role.READ}.get(own, own)
    return own if old is None or said <= old else old


class Kind(StrEnum):
    """What a need asks for."""

    ROLE = "role"
    USER = "user"
    TEAM = "team"
    CODEOWNERS = "codeowners"


@dataclass(frozen=True, slots=True)
class Need:
    """One of several ways to be allowed: what ``bot.core.rules.Who`` says, with its place.

    ``name`` is the lowest role, a login, ``org/team``, or empty for the owners of the manifest. ``origin`` is where it
    was said, ``file:line``; it plays no part in comparisons.
    """

    kind: Kind
    name: str = ""
    origin: str = field(default=DEFAULT_ORIGIN, compare=False)

    def __str__(self) -> str:
        """Give the need as a configuration writes it."""
        return {Kind.USER: f"@{self.name}", Kind.CODEOWNERS: CODEOWNERS}.get(self.kind, self.name)


@dataclass(frozen=True, slots=True)
class Facts:
    """Who wants something, as it was looked up just now.

    ``role`` is ``None`` where it could not be looked up. ``teams`` says for ``org/team`` whether the person is in it,
    ``None`` where that could not be looked up; a team that is missing was not looked up either. ``owners`` are those of
    the manifest, as CODEOWNERS writes them, ``None`` where the file could not be read.
    """

    id: int
    login: str
    is_bot: bool = False
    role: Role | None = None
    teams: Mapping[str, bool | None] = field(default_factory=dict)
    owners: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is allowed, and what a reply says of it; all words are Markdown.

    ``needed`` is what the rules ask for, ``who_can`` who has it, ``origin`` where the rules stand. ``unknown`` is what
    could not be looked up, where that might have changed the answer. ``has`` is the role that was found, where one is
    needed.
    """

    allowed: bool
    needed: str
    who_can: str
    origin: str
    unknown: tuple[str, ...] = ()
    has: str = ""

    @property
    def is_configured(self) -> bool:
        """Whether a configuration says who may, so that not everybody who may write to the repository may."""
        return self.origin != DEFAULT_ORIGIN


# Verbs of the contract that the table of commands may not have yet.
_ADDED = {"override": "admin", "freeze": "admin", "unfreeze": "admin"}
DEFAULTS: Mapping[str, tuple[Need, ...]] = {
    verb: (Need(Kind.ROLE, role),) for verb, role in (_ADDED | {u.verb: u.who for u in USAGES}).items()
}
"""What each verb needs where nobody says otherwise: the lowest role of the table of commands."""


Overrides = dict[str, tuple[Need, ...]]
"""Needs by verb. An empty tuple means nobody."""


def needs_of(
    verb: str,
    service: str = "",
    *,
    repository: Mapping[str, tuple[Need, ...]] | None = None,
    services: Mapping[str, Mapping[str, tuple[Need, ...]]] | None = None,
) -> tuple[Need, ...]:
    """Give what a verb needs on a service: as said for the service, else for the repository, else the default.

    What is said nearer replaces what is said further away. A verb that nobody knows needs what nobody has.
    """
    own = (services or {}).get(service, {})
    for said in (own, repository or {}, DEFAULTS):
        if verb in said:
            return said[verb]
    return ()


def may(verb: str, who: Facts, needs: tuple[Need, ...]) -> Verdict:
    """Decide whether somebody may do something: one of the needs is enough.

    Bots may nothing, a verb that nobody knows is nobody's, and no needs mean nobody.

    Args:
        verb: Of the table of commands.
        who: The person, looked up now.
        needs: As ``needs_of`` gives them.
    """
    needed = _any_of([_needed(need) for need in needs])
    who_can = _any_of([_holders(need, who) for need in needs])
    origin = ", ".join(dict.fromkeys(need.origin for need in needs)) or DEFAULT_ORIGIN
    if verb not in DEFAULTS or who.is_bot:
        return Verdict(False, needed, who_can, origin)
    answers = [_has(who, need) for need in needs]
    allowed = any(answer is True for answer in answers)
    unknown = tuple(
        _unknown(need) for need, answer in zip(needs, answers, strict=True) if answer is None and not allowed
    )
    has = ""
    if not allowed and who.role is not None and any(need.kind is Kind.ROLE for need in needs):
        has = f"the role {code(who.role.name.lower())}"
    return Verdict(allowed, needed, who_can, origin, tuple(dict.fromkeys(unknown)), has)


def has_one(who: Facts, needs: tuple[Need, ...]) -> bool:
    """Whether somebody is known to have one of the needs: then no more has to be looked up."""
    return any(_has(who, need) is True for need in needs)


def teams_of(needs: tuple[Need, ...], owners: Iterable[str]) -> tuple[str, ...]:
    """Give the teams, ``org/slug``, that are to be asked about: those of the needs, and those among the owners."""
    named = [need.name for need in needs if need.kind is Kind.TEAM]
    owning = [team[1] for owner in owners if (team := _TEAM.fullmatch(owner))]
    return tuple(dict.fromkeys([*named, *owning]))


def _has(who: Facts, need: Need) -> bool | None:
    """Whether somebody has what is needed, ``None`` where that is not known."""
    match need.kind:
        case Kind.ROLE:
            least = ROLES.get(need.name)
            return None if who.role is None or least is None else who.role >= least
        case Kind.USER:
            return need.name.casefold() == who.login.casefold()
        case Kind.TEAM:
            return _in_team(who, need.name)
        case Kind.CODEOWNERS:
            return _owns(who)


def _in_team(who: Facts, team: str) -> bool | None:
    said = [value for name, value in who.teams.items() if name.casefold() == team.casefold()]
    return said[0] if len(said) == 1 else None


def _owns(who: Facts) -> bool | None:
    """Whether somebody owns the manifest; GitHub counts no owner without write access (its "About code owners")."""
    if who.role is not None and who.role < Role.WRITE:
        return False
    if who.owners is None or who.role is None:
        return None
    answers: list[bool | None] = []
    for owner in who.owners:
        if team := _TEAM.fullmatch(owner):
            answers.append(_in_team(who, team[1]))
        elif user := _USER.fullmatch(owner):
            answers.append(user[1].casefold() == who.login.casefold())
        else:
            answers.append(None)  # an address: whose it is, nobody here can tell
    return True if True in answers else None if None in answers else False


def _needed(need: Need) -> str:
    match need.kind:
        case Kind.ROLE:
            return f"the role {code(need.name)}"
        case Kind.USER:
            return f"to be {code(need.name)}"
        case Kind.TEAM:
            return f"the team {code(need.name)}"
        case Kind.CODEOWNERS:
            return "to be a code owner of the manifest with the role `write` or more"


def _holders(need: Need, who: Facts) -> str:
    match need.kind:
        case Kind.ROLE:
            more = "" if need.name == "admin" else " or more"
            return f"people with the role {code(need.name)}{more}"
        case Kind.USER:
            return code(need.name)
        case Kind.TEAM:
            return f"members of {code(need.name)}"
        case Kind.CODEOWNERS:
            if who.owners is None:
                return "the code owners of the manifest"
            names = ", ".join(code(owner.removeprefix("@")) for owner in who.owners)
            return f"the code owners of the manifest ({names or 'it has none'})"


def _unknown(need: Need) -> str:
    match need.kind:
        case Kind.ROLE:
            return "the role"
        case Kind.TEAM:
            return f"membership of {code(need.name)}"
        case Kind.USER | Kind.CODEOWNERS:
            return "the code owners of the manifest"


def _any_of(words: list[str]) -> str:
    if not words:
        return "nobody"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


# --- four eyes --------------------------------------------------------------------------------


class State(StrEnum):
    """What a review says, by GitHub's names."""

    APPROVED = "APPROVED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    COMMENTED = "COMMENTED"
    DISMISSED = "DISMISSED"
    PENDING = "PENDING"


@dataclass(frozen=True, slots=True)
class Review:
    """One submitted review; ``head`` is the commit that it was given for. Later ones have higher ids."""

    id: int
    by: int
    state: State
    head: str


@dataclass(frozen=True, slots=True)
class Involved:
    """Who has a hand in a step, by the ids of their accounts.

    ``asked`` started the rollout or asked for the step, ``promoted`` wished for its merge, ``committed`` wrote,
    committed or pushed on its branch. ``unknown`` are names on commits that no account could be found for.
    """

    asked: frozenset[int] = frozenset()
    promoted: frozenset[int] = frozenset()
    committed: frozenset[int] = frozenset()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Approvals:
    """Whose approval counts.

    ``counted`` and ``against`` (who asks for changes) are people by login, ``passed_over`` gives for the others that
    approved the reason why it does not count, in Markdown; ``would`` are those of the known people whose approval would
    count. ``missing`` is how many more are needed.
    """

    counted: tuple[str, ...]
    passed_over: tuple[tuple[str, str], ...]
    against: tuple[str, ...]
    would: tuple[str, ...]
    missing: int

    @property
    def suffice(self) -> bool:
        """Whether enough people approved, and nobody who may asks for changes."""
        return self.missing == 0 and not self.against


def approvals(
    reviews: Iterable[Review],
    people: Iterable[Facts],
    *,
    head: str,
    involved: Involved,
    needs: tuple[Need, ...],
    wanted: int = 1,
) -> Approvals:
    """Say whose approval of a step counts, and whose would.

    A person's last review that is no mere comment counts, if it is an approval of this very head by somebody who may
    approve and has no hand in the step. A bot's never does. Where it is not known who committed, nobody's does, because
    it might be one of them.

    Args:
        reviews: Of the step's pull request, in any order.
        people: Everybody who reviewed, and whoever else could, looked up now.
        head: The commit that would be merged.
        involved: Who has a hand in the step.
        needs: What approving needs, as ``needs_of("promote", …)`` gives it.
        wanted: How many approvals are needed.
    """
    known = {person.id: person for person in people}
    last: dict[int, Review] = {}
    for review in sorted(reviews, key=lambda r: r.id):
        if review.state not in {State.COMMENTED, State.PENDING}:
            last[review.by] = review
    counted: list[str] = []
    passed_over: list[tuple[str, str]] = []
    against: list[str] = []
    for by, review in last.items():
        person = known.get(by)
        login = person.login if person is not None and person.login else f"#{by}"
        why = _why_not(person, by, involved, needs)
        if review.state is State.CHANGES_REQUESTED:
            if person is not None and may("promote", person, needs).allowed:
                against.append(login)
        elif review.state is State.APPROVED and review.head != head:
            passed_over.append(
                (login, f"is for {code(review.head[:7])}, and the head is {code(head[:7])} now")
            )
        elif review.state is State.APPROVED and why:
            passed_over.append((login, why))
        elif review.state is State.APPROVED:
            counted.append(login)
    would = [
        p.login for p in known.values() if p.login not in counted and not _why_not(p, p.id, involved, needs)
    ]
    return Approvals(
        tuple(counted),
        tuple(passed_over),
        tuple(against),
        tuple(sorted(would)),
        max(0, wanted - len(counted)),
    )


def _why_not(person: Facts | None, by: int, involved: Involved, needs: tuple[Need, ...]) -> str:
    """Say why a person's approval does not count, empty where it does."""
    if person is None:
        return "comes from somebody who could not be looked up"
    if person.is_bot:
        return "is a bot's"
    if by in involved.asked:
        return "comes from who asked for the step"
    if by in involved.promoted:
        return "comes from who promoted the step"
    if by in involved.committed:
        return "comes from somebody who committed to the step"
    if involved.unknown:
        names = ", ".join(map(code, involved.unknown))
        return f"may come from who committed to the step: nobody knows the account of {names}"
    verdict = may("promote", person, needs)
    return "" if verdict.allowed else f"needs {verdict.needed}"
