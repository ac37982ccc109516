"""How a rollout begins: which revision or destination is stable, which is tried, and what the manifest shall hold.

Nothing is guessed: what does not follow from Git is asked for. Every function here is pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core import naming
from bot.core.legacy import LATEST
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase, Rollout, Version, moved, names_of
from bot.core.text import code
from bot.core.traffic import Shape, Split
from bot.core.trailers import Record

if TYPE_CHECKING:
    from bot.core.rules import RuleSet


@dataclass(frozen=True, slots=True)
class Started:
    """The plan of ``/canary``: the block and the candidate's name that the manifest shall hold."""

    split: Split
    template_name: str | None  # to be written, ``None`` when it stands there already
    record: Record


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What ``/canary`` is decided on.

    ``key`` is ``path#namespace/name``. ``before`` is the manifest without the change (the base
    branch, or, after the merge, the commit before it); ``target`` is the file that will be
    written; ``running`` is the state on the base branch.
    """

    key: str
    before: Version | None
    target: Version
    base_split: Split
    running: Rollout
    rules: RuleSet
    pull: int
    comment: int
    requested_by: str
    weights: tuple[int, ...]
    stable: str | None = None
    candidate: str | None = None
    route: str = ""
    named: str = ""  # the rule set's path in the repository, where it has one
    config: str = ""  # the commits whose configuration the rollout follows, as the trailer has them
    way: str = naming.CONTENT_HASH  # in which a candidate without a name gets one: ``naming``
    commit: str = ""  # the commit that brings the template, for a way that names it
    earlier: tuple[Record, ...] = ()  # of the service's other rollouts
    armed: Record | None = None  # the record of an unmerged rollout on the same pull request
    merged: bool = False  # the pull request is merged: the target is the base branch's file

    @property
    def service(self) -> str:
        """The service's name."""
        return self.key.rpartition("/")[2]

    @property
    def example(self) -> str:
        """The command without its names, for a remedy."""
        return f"/canary {' '.join(map(str, self.weights))}"


def candidate_name(facts: StartFacts) -> tuple[str, bool]:
    """Give the candidate's revision name, and whether it must be written into the manifest.

    The template's own name, if it is new; else a name made in the configured way. A made name that no longer fits
    its template is made again.

    Raises:
        Declined: ``no-new-revision``, ``unknown-candidate``, ``name-too-long``, ``naming-impossible``,
            ``name-unchanged``.
    """
    own = facts.target.template_name
    if facts.candidate is not None and facts.candidate != own:
        said = f"not {code(facts.candidate)} but {code(own)}" if own else "not set"
        raise Declined(
            Problem(
                "unknown-candidate",
                f"The template's revision name is {said}.",
                "Leave `candidate=` out: the candidate is what this pull request brings.",
            )
        )
    before = facts.before
    if before is not None and before.template == facts.target.template and before.template_name == own:
        raise Declined(
            Problem(
                "no-new-revision",
                f"The template of {code(facts.service)} is what it was before: nothing new to try.",
                "Change the image or anything else under `spec.template`.",
            )
        )
    is_new = own is not None and (before is None or before.template_name != own)
    # Before the merge, a name that the base's block knows belongs to a revision that exists already
    # and cannot take another template.
    is_taken = not facts.merged and any(t.revision == own for t in facts.base_split.targets)
    template = facts.target.template
    if own is not None and is_new and not is_taken:
        digest = _made_for(facts, own)
        if digest is None or naming.belongs(own, facts.service, template, digest):
            return own, False
    made = naming.revision_name(facts.service, template, facts.way, commit=facts.commit)
    if facts.way != naming.CONTENT_HASH:
        _check_free(facts, made)
    return made, own != made


def _made_for(facts: StartFacts, own: str) -> str | None:
    """Tell which template the bot made a name for: its digest, or empty where the name says so.

    ``None`` is a name that a person gave.
    """
    armed = facts.armed
    if armed is not None and armed.template and armed.candidate == own:
        return armed.template
    return "" if naming.is_generated(own, facts.service) else None


def _check_free(facts: StartFacts, made: str) -> None:
    """Refuse a name that another template has: the platform takes no other template under it.

    Raises:
        Declined: ``name-unchanged``.
    """
    before, armed, digest = facts.before, facts.armed, naming.template_digest(facts.target.template)
    others = {record.candidate for record in facts.earlier if record.template != digest}
    if before is not None and before.template_name and before.template != facts.target.template:
        others.add(before.template_name)
    if armed is not None and armed.template not in {"", digest}:
        others.add(armed.candidate)
    if not facts.merged:
        others |= names_of(facts.base_split) - {r.candidate for r in facts.earlier if r.template == digest}
    if made in others:
        raise Declined(
            Problem(
                "name-unchanged",
                f"`naming: {facts.way}` names this template {code(made)}, which is the name of another one.",
                "Change the image's tag, set a new `spec.template.metadata.name` by hand, or put `{hash}` into "
                "`naming`.",
            )
        )


def _digest_of(facts: StartFacts, candidate: str, *, written: bool) -> str:
    """Give the digest that the record keeps of a name that the bot made and that does not say its template itself."""
    armed = facts.armed
    kept = armed is not None and bool(armed.template) and armed.candidate == candidate
    made = facts.way != naming.CONTENT_HASH if written else kept
    return naming.template_digest(facts.target.template) if made else ""


def _unfinished(facts: StartFacts) -> Record | None:
    """Give the rollout that a new one supersedes.

    Also one whose block was changed by hand, if stable is still there: who has most then proves nothing.
    """
    running = facts.running
    if running.phase is Phase.DRIFTED and running.record is not None:
        return running.record if running.record.stable in names_of(facts.base_split) else None
    return running.record if running.phase is Phase.ROLLING else None


def stable_name(facts: StartFacts, candidate: str) -> str:
    """Give the revision that serves now.

    Raises:
        Declined: ``unknown-stable``; the name is asked for, never guessed.
    """
    if facts.stable is not None:
        return facts.stable
    unfinished = _unfinished(facts)
    if unfinished is not None:
        # The last completed revision stays stable; an unfinished candidate is superseded.
        return unfinished.stable
    heaviest = facts.base_split.heaviest
    if heaviest is not None and not heaviest.floats and heaviest.revision and heaviest.revision != candidate:
        return heaviest.revision
    if facts.before is not None and facts.before.template_name and facts.before.template_name != candidate:
        return facts.before.template_name
    raise Declined(
        Problem(
            "unknown-stable",
            f"Traffic of {code(facts.service)} follows the latest revision, and the base branch gives that "
            "revision no name.",
            f"Name it: `/canary {' '.join(map(str, facts.weights))} stable=REVISION` "
            f"(`kn revision list -s {facts.service}` shows it).",
        )
    )


def pair_of(facts: StartFacts) -> tuple[str, str]:
    """Give stable and candidate where no template brings a revision: of the split itself, or as named.

    Raises:
        Declined: ``unknown-stable``, ``unknown-candidate``, ``which-destination``; nothing is guessed.
    """
    split, base = facts.target.split, facts.base_split
    stable, candidate = facts.stable, facts.candidate
    if split.shape is Shape.WEIGHTS:
        stable, candidate = (_picked(split, name) for name in (stable, candidate))
    named = [t.revision for t in split.targets if t.revision and not t.floats and t.revision != LATEST]
    if facts.armed is not None:
        # Another share of what is about to begin; its names hold until others are typed.
        # Traffic that floats belies no name: only who typed it knows.
        serves = base.percent_of(facts.armed.stable) or not base.total or base.floating_percent
        stable = stable or (facts.armed.stable if serves else None)
        candidate = candidate or facts.armed.candidate
    unfinished = _unfinished(facts)
    if stable is None and unfinished is not None:
        stable = unfinished.stable
    if stable is None:
        heaviest = base.heaviest
        alone = heaviest is not None and _leads(base) and heaviest.revision not in {None, LATEST}
        stable = heaviest.revision if alone and heaviest is not None else None
    own, before = facts.target.template_name, facts.before
    if stable is None and before is not None:
        stable = before.template_name
    if stable is None or stable == LATEST:
        raise Declined(_unknown_stable(facts))
    if candidate is None and own is not None and before is not None and own != before.template_name:
        candidate = own
    if candidate is None:
        others = [name for name in dict.fromkeys(named) if name != stable]
        new = [name for name in others if name not in names_of(base)]
        candidate = next((found[0] for found in (new, others) if len(found) == 1), None)
    if candidate is None:
        raise Declined(_unknown_candidate(facts, named, stable))
    return stable, candidate


def _leads(split: Split) -> bool:
    """Whether one target has more than any other."""
    shares = sorted((t.effective_percent for t in split.targets), reverse=True)
    return bool(shares) and shares[0] > 0 and (len(shares) == 1 or shares[0] > shares[1])


def _picked(split: Split, name: str | None) -> str | None:
    """Give the destination that a person means: all of its name, or its last part where only one has that."""
    names = [t.revision for t in split.targets if t.revision]
    if name is None or name in names:
        return name
    short = [n for n in names if name in {n.rpartition("/")[2], n.partition(":")[0]}]
    if len(short) == 1:
        return short[0]
    raise Declined(
        Problem(
            "which-destination",
            f"{'Several destinations are' if short else 'No destination of the rule is'} {code(name)}.",
            f"The rule has {', '.join(map(code, names))}.",
        )
    )


def _unknown_stable(facts: StartFacts) -> Problem:
    names = ", ".join(code(t.shown) for t in facts.target.split.targets)
    if facts.target.split.shape is Shape.WEIGHTS:
        return Problem(
            "which-destination",
            f"The rule does not say which destination is stable and which the candidate: {names}.",
            f"Name them: `{facts.example} stable=NAME candidate=NAME`.",
        )
    return Problem(
        "unknown-stable",
        f"Git does not say which revision of {code(facts.service)} serves now: it gives all traffic to {names}.",
        f"Name it: `{facts.example} stable=REVISION candidate=REVISION`.",
    )


def _unknown_candidate(facts: StartFacts, named: list[str], stable: str) -> Problem:
    if facts.target.split.shape is Shape.WEIGHTS and len(named) == 1:
        return Problem(
            "unknown-candidate",
            f"The rule has one destination only, {code(stable)}.",
            "Add the candidate's destination to the rule, with the weight 0.",
        )
    others = ", ".join(code(name) for name in named if name != stable)
    return Problem(
        "unknown-candidate" if facts.target.split.shape is not Shape.WEIGHTS else "which-destination",
        f"Nothing says which {facts.target.split.shape.noun} is to be tried"
        + (f": {others}." if others else f" beside {code(stable)}."),
        f"Name it: `{facts.example} candidate=NAME`.",
    )


def _without(split: Split, unfinished: Record) -> Split:
    """Give the split in which a superseded candidate has nothing; what it had is stable's."""
    share = split.percent_of(unfinished.candidate)
    if not {unfinished.stable, unfinished.candidate} <= names_of(split):
        return split
    gain = {unfinished.stable: share, unfinished.candidate: -share}
    targets = (replace(t, percent=t.effective_percent + gain.get(t.revision or "", 0)) for t in split.targets)
    return replace(split, targets=tuple(targets))


def start(facts: StartFacts) -> Started:
    """Plan the first step of a rollout.

    Raises:
        Declined: As ``candidate_name``, ``stable_name``, ``pair_of`` and ``moving.to_weight``.
    """
    if facts.target.names_revisions:
        candidate, write_name = candidate_name(facts)
        stable = stable_name(facts, candidate)
    else:
        (stable, candidate), write_name = pair_of(facts), False
    first = facts.weights[0]
    steps = facts.weights if len(facts.weights) > 1 else facts.rules.steps_from(first)
    armed = facts.armed
    target = facts.target.split
    unfinished = _unfinished(facts)
    if (
        target.shape is Shape.WEIGHTS
        and unfinished is not None
        and unfinished.candidate not in {stable, candidate}
    ):
        target = _without(target, unfinished)
    keeps_id = armed is not None and armed.stable == stable and armed.candidate == candidate
    rollout = (
        armed.rollout
        if armed is not None and keeps_id
        else naming.rollout_id(
            facts.key, stable=stable, candidate=candidate, pull=facts.pull, comment=facts.comment
        )
    )
    record = Record(
        service=facts.key,
        rollout=rollout,
        step=1,
        weight=first,
        steps=steps,
        stable=stable,
        candidate=candidate,
        pull=facts.pull,
        rules=facts.named or facts.rules.id,
        config=facts.config,
        requested_by=facts.requested_by,
        comment=facts.comment,
        route=facts.route,
        template=_digest_of(facts, candidate, written=write_name),
    )
    split = moved(target, record, first, keep_previous=facts.rules.keep_previous)
    return Started(split, candidate if write_name else None, record)
