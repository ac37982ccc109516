"""Teams of organisations over HTTP. Reading only."""

from __future__ import annotations

from urllib.parse import quote

from bot.sandbox.base import FORBIDDEN
from bot.sandbox.errors import ApiError, not_found
from bot.sandbox.model import Account
from bot.sandbox.people import Grant
from bot.sandbox.rest import Call, Reply, Table

table = Table()


@table.add("GET", "/orgs/{org}/teams/{slug}/memberships/{login}")
def get_membership(call: Call) -> Reply:
    """Get a person's membership: ``active`` or ``pending``, 404 for none. A token needs ``members``."""
    team = call.world.team(f"{call.path['org']}/{call.path['slug']}")
    caller = call.caller
    if isinstance(caller, Grant):
        if caller.installation.account is not team.owner:
            raise not_found()
        if "members" not in caller.permissions:
            raise ApiError(403, FORBIDDEN, headers={"X-Accepted-GitHub-Permissions": "members=read"})
    elif not isinstance(caller, Account):
        raise ApiError(401, "Requires authentication")
    elif caller.id not in team.members:
        raise not_found()
    who = call.world.account(call.path["login"])
    state = team.members.get(who.id)
    if state is None:
        raise not_found()
    url = f"{call.urls.api}/organizations/{team.owner.id}/team/{team.id}/memberships/{quote(who.login)}"
    return Reply({"url": url, "role": "member", "state": state})
