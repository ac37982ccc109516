"""What a repository forbids: rulesets and classic branch protection.

Source: GitHub's "About rulesets", "Available rules for rulesets" and "Troubleshooting required status
checks". Classic protection counts together with all rulesets. Told but not enforced: code owners,
resolved threads, branches that must be up to date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bot.ports import Role
from bot.sandbox.base import locked
from bot.sandbox.errors import ApiError
from bot.sandbox.teams import Teams

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import Account, MergeMethod, Pull, Repository

Rule = dict[str, Any]
Move = Literal["creation", "update", "deletion", "non_fast_forward"]
Enforcement = Literal["active", "evaluate", "disabled"]
GOOD = frozenset({"success", "neutral", "skipped"})
RULE_TYPES = frozenset(
    {
        *("creation", "update", "deletion", "non_fast_forward", "required_signatures"),
        *("required_status_checks", "pull_request", "merge_queue", "required_linear_history"),
    }
)
_TOLD: dict[str, str] = {
    "creation": "Cannot create ref due to creations being restricted.",
    "update": "Cannot update this protected ref.",
    "deletion": "Cannot delete this protected ref.",
    "non_fast_forward": "Cannot force-push to this branch",
}


def required_checks(*contexts: str, source: int | None = None, strict: bool = False) -> Rule:
    """Give the rule that asks for checks of these names, of the App ``source`` only if given."""
    pinned = {} if source is None else {"integration_id": source}
    parameters = {
        "required_status_checks": [{"context": context, **pinned} for context in contexts],
        "strict_required_status_checks_policy": strict,
        "do_not_enforce_on_create": False,
    }
    return {"type": "required_status_checks", "parameters": parameters}


def pull_request(
    approvals: int = 0, *, dismiss_stale: bool = False, code_owners: bool = False, last_push: bool = False
) -> Rule:
    """Give the rule that asks for a pull request, approved by so many."""
    parameters = {
        "allowed_merge_methods": ["merge", "squash", "rebase"],
        "dismiss_stale_reviews_on_push": dismiss_stale,
        "require_code_owner_review": code_owners,
        "require_last_push_approval": last_push,
        "required_approving_review_count": approvals,
        "required_review_thread_resolution": False,
    }
    return {"type": "pull_request", "parameters": parameters}


def merge_queue(method: str = "MERGE") -> Rule:
    """Give the rule that merges go through a queue, each pull request checked on what is before it."""
    parameters = {
        "check_response_timeout_minutes": 60,
        "grouping_strategy": "ALLGREEN",
        "max_entries_to_build": 5,
        "max_entries_to_merge": 5,
        "merge_method": method,
        "min_entries_to_merge": 1,
        "min_entries_to_merge_wait_minutes": 5,
    }
    return {"type": "merge_queue", "parameters": parameters}


@dataclass(frozen=True, slots=True)
class Protection:
    """Classic protection of one branch: these checks good on the head, so many approvals.

    With ``pulls_only`` nobody writes to it directly. ``sources`` pins checks to Apps by id.
    """

    checks: tuple[str, ...] = ()
    approvals: int = 0
    pulls_only: bool = False
    sources: Mapping[str, int] = field(default_factory=dict)
    dismiss_stale: bool = False
    code_owners: bool = False
    last_push: bool = False
    strict: bool = False

    @property
    def is_any(self) -> bool:
        """Whether it asks for anything."""
        return bool(self.checks or self.approvals or self.pulls_only)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Rules for branches whose whole ref matches ``include``; ``bypass`` holds ids of Apps."""

    id: int
    name: str
    include: tuple[str, ...]
    rules: tuple[Rule, ...]
    bypass: tuple[int, ...]
    enforcement: Enforcement
    created_at: Any


class Rules(Teams):
    """Rules of repositories, and their enforcement at pushes and merges."""

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self._protections: dict[tuple[int, str], Protection] = {}
        self._rulesets: dict[int, list[Ruleset]] = {}

    # making rules -----------------------------------------------------------------------------------

    @locked
    def protect(
        self,
        repo: str,
        branch: str,
        *,
        checks: tuple[str, ...] = (),
        approvals: int = 0,
        pulls_only: bool = False,
        sources: Mapping[str, int] | None = None,
        dismiss_stale: bool = False,
        code_owners: bool = False,
        last_push: bool = False,
        strict: bool = False,
    ) -> None:
        """Put classic protection on a branch, in place of that there; without arguments there is none.

        Args:
            repo: ``owner/name``.
            branch: Its name.
            checks: Names of checks or statuses that must be good.
            approvals: So many reviews of people with write.
            pulls_only: Nobody writes to it directly.
            sources: The App, by id, that a check must come from.
            dismiss_stale: A push makes approvals void.
            code_owners: Owners of the files must approve (told, not enforced).
            last_push: Who pushed last does not count among those who approve.
            strict: The branch must be up to date (told, not enforced).
        """
        self._protections[self.repository(repo).id, branch] = Protection(
            checks, approvals, pulls_only, dict(sources or {}), dismiss_stale, code_owners, last_push, strict
        )

    @locked
    def add_ruleset(
        self,
        repo: str,
        name: str,
        *,
        target: str = "branch",
        include: Sequence[str] = ("~DEFAULT_BRANCH",),
        rules: Sequence[Rule | str] = (),
        bypass: Sequence[int] = (),
        enforcement: Enforcement = "active",
    ) -> Ruleset:
        """Add a ruleset.

        Args:
            repo: ``owner/name``.
            name: Of the ruleset.
            target: Branches; the sandbox has no other.
            include: Patterns of whole refs (``refs/heads/canary/**/*``), or ``~DEFAULT_BRANCH``, ``~ALL``.
                ``*`` and a last ``**`` stop at a slash, as Ruby's ``File.fnmatch`` with ``FNM_PATHNAME``.
            rules: In GitHub's shape (``required_checks``, ``pull_request``), a bare type where it has
                no parameters.
            bypass: Ids of Apps that no rule of it binds.
            enforcement: Only ``active`` rules forbid.

        Raises:
            ValueError: A rule, target or pattern that the sandbox does not know.
        """
        made = tuple({"type": rule} if isinstance(rule, str) else rule for rule in rules)
        for rule in made:
            if rule.get("type") not in RULE_TYPES:
                raise ValueError(f"not a rule that the sandbox knows: {rule.get('type')}")
        if target != "branch" or any(not one.startswith(("refs/heads/", "~")) for one in include):
            raise ValueError("a pattern names a whole ref, such as refs/heads/canary/**/*")
        ruleset = Ruleset(
            self.next_id(),
            name,
            tuple(include),
            tuple(map(_whole, made)),
            tuple(bypass),
            enforcement,
            self.now(),
        )
        self._rulesets.setdefault(self.repository(repo).id, []).append(ruleset)
        return ruleset

    @locked
    def remove_ruleset(self, repo: str, ruleset_id: int) -> None:
        """Remove a ruleset; one that is not there is no matter."""
        number = self.repository(repo).id
        self._rulesets[number] = [one for one in self._rulesets.get(number, []) if one.id != ruleset_id]

    # reading rules ----------------------------------------------------------------------------------

    @locked
    def rulesets(self, repo: str) -> list[Ruleset]:
        """Give the rulesets of a repository, oldest first."""
        return list(self._rulesets.get(self.repository(repo).id, []))

    @locked
    def protection(self, repo: str, branch: str) -> Protection | None:
        """Give a branch's classic protection, ``None`` where there is none."""
        found = self._protections.get((self.repository(repo).id, branch))
        return found if found is not None and found.is_any else None

    @locked
    def rules_of(self, repo: str, branch: str) -> list[tuple[Ruleset, Rule]]:
        """Give the active rules for a branch of this name, which need not exist."""
        repository = self.repository(repo)
        return [
            (ruleset, rule)
            for ruleset in self.rulesets(repo)
            if ruleset.enforcement == "active" and matches(ruleset.include, branch, repository.default_branch)
            for rule in ruleset.rules
        ]

    def _binding(self, repository: Repository, branch: str, who: Account | None) -> Iterator[Rule]:
        app_id = who.app_id if who is not None else None
        for ruleset, rule in self.rules_of(repository.full_name, branch):
            if app_id is None or app_id not in ruleset.bypass:
                yield rule

    # enforcing them ---------------------------------------------------------------------------------

    def check_push(
        self, repository: Repository, branch: str, status: int, who: Account | None, move: Move = "update"
    ) -> None:
        """Refuse a direct write to a protected branch. Raises ``ApiError``."""
        if who is None:
            return
        classic = self.protection(repository.full_name, branch)
        sentences = []
        if classic is not None and classic.pulls_only and move != "creation":
            sentences.append("Changes must be made through a pull request.")
        kinds = {move, "update"} if move == "non_fast_forward" else {move}
        for rule in self._binding(repository, branch, who):
            if rule["type"] in kinds:
                sentences.append(_TOLD[rule["type"]])
            elif rule["type"] == "pull_request" and move in {"update", "non_fast_forward"}:
                sentences.append("Changes must be made through a pull request.")
        if sentences:
            raise ApiError(status, _violations(sentences))

    def check_protection(
        self, repository: Repository, pull: Pull, who: Account | None = None, method: MergeMethod = "merge"
    ) -> None:
        """Refuse what the base branch's rules forbid. Raises ``ApiError`` 405."""
        self.check_rules(repository, pull, who, method)

    def check_rules(
        self,
        repository: Repository,
        pull: Pull,
        who: Account | None,
        method: MergeMethod,
        *,
        queued: bool = False,
    ) -> None:
        """Refuse what the base branch's rules forbid; ``queued`` leaves out that there is a queue. ``ApiError`` 405."""
        classic = self.protection(repository.full_name, pull.base_ref)
        if classic is not None:
            wanted = [(name, classic.sources.get(name)) for name in classic.checks]
            sentence = self._checks_missing(repository, pull, wanted) or self._approvals_missing(
                repository,
                pull,
                classic.approvals,
                dismiss_stale=classic.dismiss_stale,
                last_push=classic.last_push,
            )
            if sentence:
                raise ApiError(405, sentence)
        broken = [
            sentence
            for rule in self._binding(repository, pull.base_ref, who)
            if not (queued and rule["type"] == "merge_queue")
            and (sentence := self._broken(rule, repository, pull, method))
        ]
        if broken:
            raise ApiError(405, _violations(broken))

    def _broken(self, rule: Rule, repository: Repository, pull: Pull, method: MergeMethod) -> str:
        """Say what a merge breaks of a rule, nothing when it is kept."""
        told = rule.get("parameters", {})
        match rule["type"]:
            case "update":
                return _TOLD["update"]
            case "merge_queue":
                return "Changes must be made through the merge queue"
            case "required_linear_history" if method == "merge":
                return "Merge commits are not allowed on this branch."
            case "required_status_checks":
                wanted = [
                    (one["context"], one.get("integration_id")) for one in told["required_status_checks"]
                ]
                return self._checks_missing(repository, pull, wanted)
            case "pull_request":
                if method not in told["allowed_merge_methods"]:
                    return f"The merge method {method} is not allowed."
                return self._approvals_missing(
                    repository,
                    pull,
                    told["required_approving_review_count"],
                    dismiss_stale=told["dismiss_stale_reviews_on_push"],
                    last_push=told["require_last_push_approval"],
                )
            case "required_signatures" if method == "rebase":
                return "Base branch requires signed commits. Rebase merges cannot be automatically signed by GitHub"
            case "required_signatures" if method == "merge":
                commits = self.commits_of(repository.full_name, pull.number)
                return (
                    "" if all(one.verified for one in commits) else "Commits must have verified signatures."
                )
        return ""

    def _checks_missing(
        self, repository: Repository, pull: Pull, wanted: Sequence[tuple[str, int | None]]
    ) -> str:
        states = {name: self._state_of(repository, pull.head_sha, name, source) for name, source in wanted}
        missing = {name: state for name, state in states.items() if state != "good"}
        if len(missing) > 1:
            verb = "are expected" if set(missing.values()) == {"expected"} else "have not succeeded"
            return f"{len(missing)} of {len(wanted)} required status checks {verb}."
        return "".join(f'Required status check "{name}" is {state}.' for name, state in missing.items())

    def _state_of(self, repository: Repository, sha: str, name: str, source: int | None) -> str:
        """Say how a required check stands. A check and a status of one name are both required."""
        repo = repository.full_name
        runs = [run for run in self.checks(repo, sha) if run.name == name and source in {None, run.app.id}]
        states = [
            one.state
            for one in self.statuses(repo, sha)
            if one.context == name and source in {None, one.creator.app_id}
        ]
        if not runs and not states:
            return "expected"
        if runs and not any(run.conclusion in GOOD for run in runs):
            return "failing" if any(run.conclusion for run in runs) else "in progress"
        if states and states != ["success"]:
            return "pending" if states == ["pending"] else "failing"
        return "good"

    def _approvals_missing(
        self, repository: Repository, pull: Pull, wanted: int, *, dismiss_stale: bool, last_push: bool
    ) -> str:
        latest = {review.author.id: review for review in pull.reviews if review.state != "COMMENTED"}
        approved = [
            review.author
            for review in latest.values()
            if review.state == "APPROVED"
            and (review.sha == pull.head_sha or not dismiss_stale)
            and (
                review.author.app_id is not None
                or self.role_of(repository.full_name, review.author.login) >= Role.WRITE
            )
        ]
        if len(approved) < wanted:
            return f"At least {wanted} approving review is required by reviewers with write access."
        pushed = self.pusher_of(pull.head_repository or repository, pull.head_sha)
        if last_push and wanted and all(who is pushed for who in approved):
            return "New changes require approval from someone other than the last pusher."
        return ""


def _whole(rule: Rule) -> Rule:
    if rule["type"] == "update" and "parameters" not in rule:
        return {**rule, "parameters": {"update_allows_fetch_and_merge": False}}
    return rule


def _violations(sentences: Sequence[str]) -> str:
    return "Repository rule violations found\n\n" + "".join(f"{one}\n\n" for one in sentences)


def matches(include: Sequence[str], branch: str, default: str) -> bool:
    """Tell whether a branch is meant by one of the patterns of a ruleset."""
    ref = f"refs/heads/{branch}"
    return any(
        one == "~ALL"
        or (one == "~DEFAULT_BRANCH" and branch == default)
        or bool(_pattern(one).fullmatch(ref))
        for one in include
    )


def _pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*+|\?)", glob)
    meant = {"**/": "(?:[^/]+/)*", "?": "[^/]"}
    return re.compile(
        "".join(meant.get(part, "[^/]*" if part.startswith("*") else re.escape(part)) for part in parts)
    )
