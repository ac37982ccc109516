"""Teams of organisations."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bot.ports import Role
from bot.sandbox.base import locked
from bot.sandbox.checks import Checks
from bot.sandbox.errors import ApiError, not_found

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import Account

MemberState = Literal["active", "pending"]
_STRANGERS = (
    "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a "
    "collaborator of the {} repository."
)
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?")


@dataclass(slots=True)
class Team:
    """A team of an organisation. ``members`` are people by id; who was invited is ``pending``."""

    id: int
    owner: Account
    slug: str
    members: dict[int, MemberState] = field(default_factory=dict)

    def has(self, who: Account) -> bool:
        """Whether somebody is an active member."""
        return self.members.get(who.id) == "active"


class Teams(Checks):
    """Teams and who is in them. Every team reaches every repository of its organisation."""

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self._teams: dict[str, Team] = {}

    @locked
    def add_team(self, name: str, *members: str) -> Team:
        """Add a team, ``org/slug``, with these people, or people to a team that is there.

        Raises:
            ApiError: 404, no such organisation or person.
            ValueError: The name is none.
        """
        org, _, slug = name.partition("/")
        if not _SLUG.fullmatch(slug):
            raise ValueError(f"not org/slug: {name!r}")
        team = self._teams.get(name.casefold())
        if team is None:
            owner = self.account(org)
            if owner.kind != "Organization":
                raise not_found()
            team = self._teams[name.casefold()] = Team(self.next_id(), owner, slug)
        team.members.update({self.account(login).id: "active" for login in members})
        return team

    @locked
    def set_member(self, team: str, login: str, state: MemberState | None) -> None:
        """Invite somebody (``pending``), take them in (``active``), or out (``None``)."""
        who = self.account(login)
        members = self.team(team).members
        if state is None:
            members.pop(who.id, None)
        else:
            members[who.id] = state

    @locked
    def ask_for_review(
        self, repo: str, number: int, people: Sequence[str], teams: Sequence[str], *, by: str
    ) -> None:
        """Ask people, and teams by slug, to review a pull request (needs write); no webhook tells of it.

        Raises:
            ApiError: 422 for the author, and for who does not reach the repository: then nobody is asked.
        """
        repository, pull, who = self.repository(repo), self.pull(repo, number), self.account(by)
        self.require(repository, who, Role.WRITE)
        logins = [login for login in people if login.casefold() in self._accounts]
        found = [self.account(login) for login in logins]
        named = [self._teams.get(f"{repository.owner.login}/{slug}".casefold()) for slug in teams]
        if pull.author in found:
            raise ApiError(422, "Review cannot be requested from pull request author.")
        reach = all(self.role_of(repo, login) > Role.NONE for login in logins)
        if len(found) < len(people) or None in named or not reach:
            raise ApiError(422, _STRANGERS.format(repository.full_name))
        pull.asked += [one for one in found if one not in pull.asked]
        pull.asked_teams += [team for team in named if team is not None and team not in pull.asked_teams]

    @locked
    def team(self, name: str) -> Team:
        """Find a team by ``org/slug``. Raises ``ApiError`` 404."""
        try:
            return self._teams[name.casefold()]
        except KeyError:
            raise not_found() from None
