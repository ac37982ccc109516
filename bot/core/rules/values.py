"""What a rule set and a configuration say, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from bot.core.usage import USAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.freezes import Freeze
    from bot.core.problems import Place

CONFIG_PATH = ".github/canary.yaml"
ROLES = ("read", "triage", "write", "maintain", "admin")
LATER_VERBS = {"freeze": "admin", "unfreeze": "admin", "override": "admin"}
DEFAULT_ROLES: Mapping[str, str] = {u.verb: u.who for u in USAGES if u.verb != "help"} | LATER_VERBS
"""The lowest GitHub role for each verb, where nothing else is said."""
STOPPING = ("rollback", "hold", "freeze")
"""The verbs that make things safer: taking them away from people is what loosens."""

OVERLAPS = ("supersede", "queue", "refuse")  # each stricter than the one before
ON_FAIL = ("hold", "rollback")
NAMINGS = ("content-hash", "commit-sha", "image-tag")


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who may: people of a GitHub role or a higher one, a user, a team, the owners of the manifest."""

    kind: Literal["role", "user", "team", "codeowners"]
    name: str = ""

    def __str__(self) -> str:
        """Say it in words."""
        if self.kind == "role":
            return f"everyone with the role {self.name}"
        return {"user": f"@{self.name}", "team": f"team {self.name}"}.get(self.kind, "the code owners")


@dataclass(frozen=True, slots=True)
class GateRule:
    """One gate, as it is written: a query, a URL of the operator's, GitHub's checks, a cluster, or approvals.

    ``max``, ``min`` and ``slack`` have the query's unit; ``window`` is what the query looks at, put in for
    ``{window}``. ``samples`` is a query that counts what the answer rests on; below ``min_requests`` the answer is
    inconclusive. ``server``, ``http`` and ``cluster`` are names of the operator's; ``server`` and ``cluster`` are
    empty for the only one. ``reviewers`` is a number of people. ``origin`` is where the gate is written.
    """

    query: str | None = None
    max: float | None = None
    min: float | None = None
    compare: str = ""
    tolerance: float = 0.0
    slack: float = 0.0
    min_requests: int = 0
    window: timedelta = timedelta(0)
    reviewers: int = 0
    samples: str | None = None
    server: str = ""
    no_data: Literal["wait", "fail", "pass"] = "wait"
    unit: Literal["", "ratio", "s", "ms"] = ""
    http: str = ""
    verdict: str = "/verdict"
    value: str = "/value"
    count: str = ""
    checks: tuple[str, ...] = ()
    app: str = ""
    environment: str = ""
    live: Literal["", "knative", "argocd", "flux"] = ""
    cluster: str = ""
    namespace: str = ""
    object: str = ""
    max_wait: timedelta = timedelta(hours=24)
    origin: Place | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """Say it in words."""
        if self.reviewers:
            return f"{self.reviewers} approval{'s' if self.reviewers != 1 else ''}"
        if self.checks or self.environment:
            by = f" of {self.app}" if self.app else ""
            wanted = [f"{', '.join(self.checks)}{by} green"] if self.checks else []
            wanted += [f"deployed to {self.environment}"] if self.environment else []
            return ", ".join(wanted)
        if self.live:
            at = "/".join(part for part in (self.namespace, self.object) if part)
            return f"live, says {self.live}{f' of {at}' if at else ''}"
        asked = f", {self.min_requests} requests or more" if self.min_requests else ""
        said = f"{self.http} says pass" if self.limit is None else self.limit
        return f"{said}{asked}"

    @property
    def limit(self) -> str | None:
        """The limit in words, ``None`` for a gate without one."""
        if self.compare:
            more = f" and {self.slack:g}" if self.slack else ""
            return f"at most {self.tolerance * 100:g} %{more} more than stable"
        if self.max is not None:
            return f"at most {self.max:g}"
        return None if self.min is None else f"at least {self.min:g}"


@dataclass(frozen=True, slots=True)
class Step:
    """One weight of a rule set, whole percent, and the bake time and gates before the next."""

    weight: int
    bake: timedelta = timedelta(0)
    gates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """How a rollout goes on.

    ``auto`` merges a step as soon as its gate passes. ``hold_on_early_merge`` stops the rollout
    when a person merges a step before its bake time is over. ``keep_previous`` leaves the old stable revision in the
    block at the end, at 0 %. ``origins`` are the places of the keys in the file, or
    in the configuration that changed them.
    """

    id: str
    summary: str
    why: str
    steps: tuple[Step, ...]
    auto: bool = False
    hold_on_early_merge: bool = True
    keep_previous: bool = False
    examples: tuple[Mapping[str, Any], ...] = ()
    gates: Mapping[str, GateRule] = field(default_factory=dict)
    on_fail: Literal["hold", "rollback"] = "hold"
    origins: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)

    def steps_from(self, weight: int) -> tuple[int, ...]:
        """Give the weights of a rollout that begins at ``weight``; they rise to 100."""
        return (weight, *(s.weight for s in self.steps if s.weight > weight))

    def bake_at(self, weight: int) -> timedelta:
        """Give how long a weight must hold: that of the nearest step of the set not above it.

        At 0 % there is nothing to learn from waiting: a person looks at the preview and promotes.
        """
        return timedelta(0) if weight == 0 else self._step_at(weight).bake

    def gates_at(self, weight: int) -> tuple[str, ...]:
        """Give the gates before the step after ``weight``: those of the nearest step of the set not above it.

        At 0 % no request meets the candidate, so that no gate could answer.
        """
        return () if weight == 0 else self._step_at(weight).gates

    def _step_at(self, weight: int) -> Step:
        below = [s for s in self.steps if s.weight <= weight]
        return below[-1] if below else self.steps[0]

    def origin_at(self, weight: int, key: str) -> Place | None:
        """Give the place of a key, ``bake`` or ``gates``, of the step that a weight is judged by; or of that step."""
        at = f"steps.{self.steps.index(self._step_at(weight))}"
        return self.origins.get(f"{at}.{key}") or self.origins.get(f"{at}.weight")


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """What ``services.NAME`` says. ``route`` is a rule's name or place, for a mesh or gateway object."""

    file: str | None = None
    rules: str | None = None
    route: str | None = None
    gates: tuple[str, ...] = ()
    permissions: Mapping[str, tuple[Who, ...]] = field(default_factory=dict)
    four_eyes: bool | None = None
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """``.github/canary.yaml`` of a repository; all of it has a default.

    ``None`` is what nobody said: the rule set decides. ``origins`` are the places of the keys, by their path like
    ``services.checkout.rules``. ``locked`` are the keys that an organisation's file does not let repositories loosen.
    """

    rules: str = "standard"
    services: Mapping[str, ServiceConfig] = field(default_factory=dict)
    timezone: str = "UTC"
    permissions: Mapping[str, tuple[Who, ...]] = field(default_factory=dict)
    freezes: tuple[Freeze, ...] = ()
    gates: Mapping[str, GateRule] = field(default_factory=dict)
    four_eyes: bool = False
    auto: bool | None = None
    on_fail: Literal["hold", "rollback"] | None = None
    overlap: Literal["supersede", "queue", "refuse"] = "supersede"
    naming: str = "content-hash"
    keep_previous: bool = False
    domain: str = ""
    labels: tuple[str, ...] = ()
    reviewers: tuple[Who, ...] = ()
    locked: tuple[str, ...] = ()
    origins: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)

    def of(self, service: str) -> ServiceConfig:
        """Give what is said of one service, or nothing."""
        return self.services.get(service, ServiceConfig())

    def domain_for(self, service: str) -> str:
        """Give the domain behind a service's name in its URLs, empty where nobody said."""
        return self.of(service).domain or self.domain

    def rules_for(self, service: str) -> str:
        """Give the id of the rule set that a service follows, or its path in the repository."""
        return self.of(service).rules or self.rules

    def may(self, verb: str, service: str | None = None) -> tuple[Who, ...]:
        """Give who may use a verb: on a service, or on one that nothing is said of."""
        own = self.of(service).permissions if service is not None else {}
        said = own.get(verb) or self.permissions.get(verb)
        return said or (Who("role", DEFAULT_ROLES[verb]),)

    def four_eyes_for(self, service: str) -> bool:
        """Whether a step of a service needs somebody besides the one who asked for it."""
        own = self.of(service).four_eyes
        return self.four_eyes if own is None else own
