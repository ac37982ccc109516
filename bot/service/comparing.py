"""What a pull request does to weights by itself: its own changes, not those of a base branch that went on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bot.core.problems import Declined
from bot.service.reading import read_held

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from fractions import Fraction

    from bot.core.traffic import Split
    from bot.manifests.weighted import Route
    from bot.manifests.workload import Workload
    from bot.ports import Pull, Repository
    from bot.service.reading import Held


def origin_of(repo: Repository, pull: Pull) -> str:
    """Give the commit of the base branch that a pull request's own changes count from, its merge base.

    ``pull.base_sha`` is the branch's tip at some time, and may know more than the pull request does: it is
    given only where the commits lead to nothing.
    """
    own = {commit.sha: commit for commit in repo.commits_of(pull.number)}
    at = own.get(pull.head_sha)
    while at is not None:
        # What is no commit of the pull request is on the base branch: where it began, or was merged in last.
        outside = [sha for sha in at.parents if sha not in own]
        if outside:
            return outside[-1]
        at = own.get(at.parents[0]) if at.parents else None
    return pull.base_sha


def held_at_origin(repo: Repository, pull: Pull, held: Held) -> Held | None:
    """Give a manifest as it was where a pull request began, ``None`` where it was not there or cannot be read."""
    try:
        return read_held(repo, held.file.path, held.manifest.id, origin_of(repo, pull))
    except Declined:
        return None


def moves(old: Workload, new: Workload, route: str) -> bool:
    """Whether any weight differs between two versions of an object, in whatever rule.

    A rule with another name, place or condition is still the same rule. A new one, and one that goes, moves
    nothing; but ``route`` is the rule of a rollout, and that one may not go.
    """
    if not old.rules and not new.rules:
        return _percents(old.split) != _percents(new.split)
    rolled = _rule_at(old, route)
    pairs, gone, came = paired(old.rules, new.rules)
    if rolled is not None and rolled in gone:
        return True
    pairs += list(zip(gone, came, strict=False))
    return any(
        _shares(one) != _shares(other) and (one == rolled or is_split(one) or is_split(other))
        for one, other in pairs
    )


def keeps_others(repo: Repository, pull: Pull, base: Held, head: Held, route: str) -> bool:
    """Whether all rules but the rollout's have the weights of the base branch, or those the pull request began with.

    Args:
        repo: The repository.
        pull: A pull request of the bot; a person may have committed to it.
        base: The object on the base branch.
        head: The object in the pull request.
        route: The rollout's rule.
    """
    if not head.manifest.rules:
        return True
    has = _others(head.manifest, route)
    if has == _others(base.manifest, route):
        return True
    origin = held_at_origin(repo, pull, base)
    return origin is not None and has == _others(origin.manifest, route)


def _others(manifest: Workload, route: str) -> list[dict[str, Fraction]]:
    rolled = _rule_at(manifest, route)
    return [_shares(rule) for rule in manifest.rules if rule != rolled]


def _rule_at(manifest: Workload, route: str) -> Route | None:
    try:
        return manifest.at(route or None).rule
    except Declined:
        return None


def _percents(split: Split) -> dict[str, int]:
    return {
        t.shown: split.percent_of(t.shown) for t in split.targets if not t.floats and t.effective_percent
    } | {"": split.floating_percent}


def _shares(rule: Route) -> dict[str, Fraction]:
    """Give percents by destination, without those that get nothing."""
    weights = rule.weights
    return {d.name: share for d, share in zip(weights.destinations, weights.shares, strict=True) if share}


def is_split(rule: Route) -> bool:
    """Whether a rule has several destinations."""
    return len(rule.weights.destinations) > 1


def paired(
    old: tuple[Route, ...], new: tuple[Route, ...]
) -> tuple[list[tuple[Route, Route]], list[Route], list[Route]]:
    """Give the rules that are the same in both versions, and those of either that have no other."""
    pairs: list[tuple[Route, Route]] = []
    gone, came = list(old), list(new)
    for key in _KEYS:
        counts = Counter(map(key, gone)), Counter(map(key, came))
        again = {key(rule): rule for rule in came}
        for rule in tuple(gone):
            mark = key(rule)
            if mark is not None and all(count[mark] == 1 for count in counts):
                pairs.append((rule, again[mark]))
                gone.remove(rule)
                came.remove(again[mark])
    for rule in tuple(gone):
        like = next((other for other in came if _shares(other) == _shares(rule)), None)
        if like is not None:
            pairs.append((rule, like))
            gone.remove(rule)
            came.remove(like)
    return pairs, gone, came


def _destinations(rule: Route) -> tuple[str, ...]:
    return tuple(sorted(d.name for d in rule.weights.destinations))


# What tells a rule from its neighbours, the surest sign first; ``None`` tells nothing.
_KEYS: tuple[Callable[[Route], Hashable], ...] = (
    lambda rule: None if rule.rule is None else (rule.section, rule.rule),
    lambda rule: (rule.section, rule.matches, _destinations(rule)),
    lambda rule: (rule.section, _destinations(rule)) if is_split(rule) else None,
    lambda rule: (rule.section, rule.matches),
)
