"""What GitHub says of a repository and of the App, for ``bot.core.doctor``; only GET, and one token.

Who may read what (docs.github.com, REST reference): ``/app`` and ``/installation`` are the App's own;
rulesets and the rules of a branch need ``metadata: read``, their bypass lists administration; merge
settings of a repository are shown to who may write; classic protection needs ``administration: read``,
but a branch shows its required checks to all who read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from bot.adapters.github.client import Client, Wire
from bot.adapters.github.credentials import AppKey, Installation, Tokens
from bot.adapters.github.token import GivenToken
from bot.adapters.github.values import understood
from bot.core.doctor.forge import Facts, Installed, Registered, Unseen
from bot.core.doctor.protection import Bypass, Required, Reviews, Rules, Seen
from bot.core.text import code
from bot.ports import Missing, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
STEP_BRANCH = "canary/service/rollout/50"  # of the form of a step's branch; it need not exist
LOOKED_AT = 5  # heads of pull requests
_LATEST = 30  # pull requests that are listed to find them
_MOST_RUNS = 300  # check runs of a commit
_RANKS = {"read": 1, "write": 2, "admin": 3}
# What the doctor may ask a token for. It sends nothing but GET; merge settings are shown to writers only.
_WANTED = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "read",
    "checks": "read",
    "statuses": "read",
    "administration": "read",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who looks: the App with its key, or the holder of a token. ``app_id`` is the bot's, where it is known."""

    wire: Wire
    app_id: int | None = None
    private_key: str = ""
    token: str = ""


def inspect(access: Access, name: str, *, checks: tuple[str, ...], merging: tuple[str, ...]) -> Facts:
    """Read everything that the doctor wants to know.

    Args:
        access: The credentials.
        name: ``owner/name``.
        checks: The names of the bot's checks that should be required.
        merging: The ids of the rule sets in use that merge by themselves.

    Raises:
        Missing: There is no such repository for these credentials.
        Refused: GitHub refuses even to show the repository.
        OutsideFailure: GitHub did not answer.
    """
    unseen: list[Unseen] = []
    app = installed = None
    if access.private_key:
        as_app = Client(access.wire, AppKey(access.app_id or 0, access.private_key, access.wire.clock))
        try:
            app = _registered(as_app.get("/app"))
            found = _or_none(lambda: as_app.get(f"/repos/{name}/installation"))
            installed = None if found is None else _installed(found)
            number = 0 if found is None else int(found["id"])
        finally:
            as_app.close()
        if installed is None or installed.suspended:
            needs = "needs an installation of the App that is not suspended."
            unseen.append(Unseen("the repository", needs))
            return Facts(name, "", app=app, installed=installed, unseen=tuple(unseen))
        client = _as_installation(access, installed.permissions, number, name)
    else:
        client = Client(access.wire, GivenToken(access.token))
        needs = "needs the App's own credentials: `CANARY_APP_ID` and `CANARY_PRIVATE_KEY_FILE`."
        unseen.append(Unseen("the App's permissions, events and installation", needs))
    try:
        return _Repository(client, name, access, checks, unseen).read(app, installed, merging)
    except (Missing, Refused) as failure:
        if app is None:
            raise
        unseen.append(Unseen("the repository", f"GitHub says {code(str(failure) or 'nothing')}."))
        return Facts(name, "", app=app, installed=installed, unseen=tuple(unseen))
    finally:
        client.close()


def _as_installation(access: Access, granted: Mapping[str, str], number: int, name: str) -> Client:
    permissions = {
        key: level
        for key, wanted in _WANTED.items()
        if (level := min(wanted, granted.get(key, ""), key=lambda one: _RANKS.get(one, 0)))
    }

    def as_app() -> Client:
        return Client(
            access.wire,
            AppKey(access.app_id or 0, access.private_key, access.wire.clock),
            renew=("GET", "POST"),
        )

    tokens = Tokens(as_app, access.wire.clock, access.wire.redact, permissions)
    return Client(access.wire, Installation(tokens, number, name.partition("/")[2]))


def _registered(data: Any) -> Registered:
    with understood("the App"):
        slug = data.get("slug") or data["name"]
        return Registered(int(data["id"]), str(slug), _levels(data), _names(data["events"]))


def _installed(data: Any) -> Installed:
    with understood("the installation"):
        int(data["id"])
        return Installed(_levels(data), _names(data["events"]), suspended=bool(data.get("suspended_at")))


def _levels(data: Any) -> dict[str, str]:
    return {str(key): str(level) for key, level in data["permissions"].items()}


def _names(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def _or_none(get: Callable[[], T]) -> T | None:
    try:
        return get()
    except Missing:
        return None


class _Repository:
    """Reads one repository; collects what it may not read."""

    def __init__(
        self, client: Client, name: str, access: Access, checks: tuple[str, ...], unseen: list[Unseen]
    ) -> None:
        self._client = client
        self._name = name
        self._path = f"/repos/{name}"
        self._app_id = access.app_id
        self._is_app = bool(access.private_key)
        self._checks = checks
        self._unseen = unseen
        self._rulesets: dict[int, Bypass] = {}

    def read(self, app: Registered | None, installed: Installed | None, merging: tuple[str, ...]) -> Facts:
        data = self._client.get(self._path)
        with understood("the repository"):
            base = str(data["default_branch"])
            archived = bool(data.get("archived"))
            automatic = data.get("allow_auto_merge")
            methods = _methods(data)
        rules = self._try(lambda: self._rules(base), f"the rules of {code(base)}", "needs `contents: read`.")
        return Facts(
            name=self._name,
            base=base,
            archived=archived,
            app=app,
            installed=installed,
            auto_merge=automatic if isinstance(automatic, bool) else None,
            merge_methods=methods,
            merging=merging,
            rules=rules,
            unseen=tuple(self._unseen),
        )

    def _try(self, get: Callable[[], T], what: str, needs: str) -> T | None:
        try:
            return get()
        except (Missing, Refused):
            self._unseen.append(Unseen(what, needs))
            return None

    # rules ------------------------------------------------------------------------------------------

    def _rules(self, base: str) -> Rules:
        listed = list(self._client.pages(f"{self._path}/rules/branches/{quote(base, safe='')}"))
        for_steps = list(self._client.pages(f"{self._path}/rules/branches/{quote(STEP_BRANCH, safe='')}"))
        branch = self._client.get(f"{self._path}/branches/{quote(base, safe='')}")
        with understood("the rules of a branch"):
            bypass = self._bypasses(listed)
            step_bypass = self._bypasses(for_steps)
            classic = branch.get("protection") or {}
            has_classic = bool(classic.get("enabled", branch.get("protected")))
        details = self._classic(base) if has_classic else {}
        with understood("the protection of a branch"):
            by_type = {
                kind: [r.get("parameters") or {} for r in listed if r["type"] == kind] for kind in _READ
            }
            required = [*self._required(listed), *_classic_required(details or classic)]
            pulls = by_type["pull_request"]
            methods = [frozenset(p["allowed_merge_methods"]) for p in pulls if "allowed_merge_methods" in p]
            return Rules(
                ours=self._checks,
                app=self._app_id,
                required=tuple(required),
                seen=self._seen(str(branch["commit"]["sha"]), base),
                reviews=_reviews(pulls, (details or {}).get("required_pull_request_reviews")),
                classic_hidden=has_classic and details is None,
                signatures=bool(by_type["required_signatures"]) or _enabled(details, "required_signatures"),
                linear=bool(by_type["required_linear_history"])
                or _enabled(details, "required_linear_history"),
                merge_queue=bool(by_type["merge_queue"]),
                merge_methods=frozenset.intersection(*methods) if methods else None,
                base_bypass=bypass,
                step_bypass=step_bypass,
            )

    def _classic(self, base: str) -> dict[str, Any] | None:
        """Give classic protection, empty where there is none, ``None`` where it may not be read."""
        try:
            data = self._client.get(f"{self._path}/branches/{quote(base, safe='')}/protection")
        except (Missing, Refused):
            # "Branch not protected" is a 404 too, but the branch itself says that it is protected.
            return None
        return data if isinstance(data, dict) else None

    def _required(self, listed: list[Any]) -> list[Required]:
        return [
            Required(str(check["context"]), _number(check.get("integration_id")), self._ruleset(rule).where)
            for rule in listed
            if rule["type"] == "required_status_checks"
            for check in rule["parameters"]["required_status_checks"]
        ]

    def _bypasses(self, listed: list[Any]) -> tuple[Bypass, ...]:
        types: dict[int, set[str]] = {}
        for rule in listed:
            types.setdefault(int(rule["ruleset_id"]), set()).add(str(rule["type"]))
        found = []
        for rule in {int(rule["ruleset_id"]): rule for rule in listed}.values():
            seen = self._ruleset(rule)
            found.append(
                Bypass(seen.where, seen.ours, seen.others, frozenset(types[int(rule["ruleset_id"])]))
            )
        return tuple(found)

    def _ruleset(self, rule: Any) -> Bypass:
        number = int(rule["ruleset_id"])
        if number not in self._rulesets:
            data = _readable(lambda: self._client.get(f"{self._path}/rulesets/{number}"))
            self._rulesets[number] = self._bypass(data or {}, number)
        return self._rulesets[number]

    def _bypass(self, data: Any, number: int) -> Bypass:
        with understood("a ruleset"):
            where = f"ruleset {code(str(data.get('name') or number))}"
            actors = data.get("bypass_actors")
            ours = data.get("current_user_can_bypass") if self._is_app else None
            if ours == "pull_requests_only":
                ours = "pull_request"
            if actors is None:
                return Bypass(where, ours, others=None)
            apps = [one for one in actors if one["actor_type"] == "Integration"]
            mine = [one for one in apps if _number(one.get("actor_id")) == self._app_id]
            if self._app_id is not None or not apps:
                ours = str(mine[0].get("bypass_mode") or "always") if mine else "never"
                return Bypass(where, ours, others=len(actors) > len(mine))
            # One App that may be the bot's or another's.
            return Bypass(where, ours, others=True if len(actors) > 1 else None)

    # reports ----------------------------------------------------------------------------------------

    def _seen(self, tip: str, base: str) -> Seen:
        latest: dict[str, str | int] = {
            "state": "all",
            "sort": "updated",
            "direction": "desc",
            "per_page": _LATEST,
            "base": base,
        }
        pulls = _readable(lambda: self._client.get(f"{self._path}/pulls", latest)) or []
        heads = [str(p["head"]["sha"]) for p in pulls if p["state"] == "open" or p.get("merged_at")]
        names: dict[str, set[int | None]] = {}
        whole = readable = True
        commits = list(dict.fromkeys(heads[:LOOKED_AT]))
        for sha in [*commits, tip] if commits else []:
            runs = _readable(lambda sha=sha: self._runs(sha))  # type: ignore[misc]
            readable = readable and runs is not None
            for run in runs or []:
                names.setdefault(str(run["name"]), set()).add(_number((run.get("app") or {}).get("id")))
            statuses = _readable(lambda sha=sha: self._statuses(sha)) if whole else None  # type: ignore[misc]
            whole = whole and statuses is not None
            for status in statuses or []:
                names.setdefault(str(status["context"]), set()).add(None)
        frozen = {name: frozenset(apps) for name, apps in names.items()}
        return Seen(frozen, len(commits), whole, readable)

    def _runs(self, sha: str) -> list[Any]:
        return list(
            islice(self._client.pages(f"{self._path}/commits/{sha}/check-runs", key="check_runs"), _MOST_RUNS)
        )

    def _statuses(self, sha: str) -> list[Any]:
        return list(self._client.pages(f"{self._path}/commits/{sha}/status", key="statuses"))


_READ = ("pull_request", "required_signatures", "required_linear_history", "merge_queue")


def _readable(get: Callable[[], T]) -> T | None:
    try:
        return get()
    except (Missing, Refused):
        return None


def _number(value: Any) -> int | None:
    # -1 is how classic protection writes "any source".
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _methods(data: Any) -> frozenset[str] | None:
    keys = {"merge": "allow_merge_commit", "squash": "allow_squash_merge", "rebase": "allow_rebase_merge"}
    if not all(isinstance(data.get(key), bool) for key in keys.values()):
        return None
    return frozenset(method for method, key in keys.items() if data[key])


def _enabled(details: Any, key: str) -> bool:
    return bool(((details or {}).get(key) or {}).get("enabled"))


def _classic_required(protection: Any) -> list[Required]:
    held = protection.get("required_status_checks") or {}
    checks = held.get("checks")
    if checks is None:
        checks = [{"context": context} for context in held.get("contexts", [])]
    return [Required(str(c["context"]), _number(c.get("app_id")), "branch protection") for c in checks]


def _reviews(rules: list[Any], classic: Any) -> Reviews | None:
    if not rules and not classic:
        return None
    held = classic or {}
    return Reviews(
        approvals=max(
            [int(held.get("required_approving_review_count") or 0)]
            + [int(p["required_approving_review_count"]) for p in rules]
        ),
        dismisses_stale=bool(held.get("dismiss_stale_reviews"))
        or any(p["dismiss_stale_reviews_on_push"] for p in rules),
        last_push=bool(held.get("require_last_push_approval"))
        or any(p["require_last_push_approval"] for p in rules),
    )
