"""The organisation's file over a repository's: locked keys cannot be loosened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.rulebook import built_in
from bot.core.rules import Config, Who, adjusted, check
from bot.core.rules.keys import LOCKABLE
from bot.core.rules.strictness import LOOSER, looser_rules, merge

if TYPE_CHECKING:
    from bot.core.problems import Problem

SETS = built_in().sets
WEEKENDS = '{name: weekends, deny: "FREQ=WEEKLY;BYDAY=SA,SU", for: 24h}'
OFFICE = '{name: office, allow: "FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=9", for: 7h}'


def config(text: str, *, organisation: bool = False) -> Config:
    path = "org.yaml" if organisation else "repo.yaml"
    checked = check(f"version: 1\n{text}", SETS, path=path, organisation=organisation)
    assert checked.problems == ()
    assert checked.config is not None
    return checked.config


def merged(theirs: str, ours: str) -> Config | tuple[Problem, ...]:
    return merge(config(theirs, organisation=True), config(ours), SETS)


CASES = [
    ("rules: cautious", "rules: cautious", "rules: standard", "it does not ask the gate `error-rate`"),
    (
        "rules: cautious",
        "services: {shop: {file: a.yaml}}",
        "services: {shop: {rules: fast}}",
        "bakes shorter",
    ),
    ("rules: cautious", "on-fail: rollback", "on-fail: hold", "does not turn back"),
    ("rules: cautious", "auto: false", "auto: true", "merges by itself"),
    (
        "rules: cautious",
        'gates: {other: {query: "up", max: 1}}',
        'gates: {error-rate: {query: "down", max: 1}}',
        "its gate `error-rate` asks another query",
    ),
    ("rules: standard", "rules: cautious", "rules: blue-green", "it goes from 0 % to 100 %, and not to 5 %"),
    ("timezone: Europe/Berlin", "timezone: Europe/Berlin", "timezone: UTC", "the zone is `Europe/Berlin`"),
    (
        "permissions: {promote: [maintain]}",
        "permissions: {promote: [admin]}",
        "permissions: {promote: [write]}",
        "role",
    ),
    (
        "permissions: {promote: [write]}",
        "permissions: {promote: [maintain]}",
        "permissions: {promote: [mona]}",
        "@mona",
    ),
    (
        "permissions: {promote: [acme/sre]}",
        "permissions: {promote: [acme/sre]}",
        "services: {shop: {permissions: {promote: [acme/sre, acme/all]}}}",
        "team acme/all",
    ),
    (
        "permissions: {rollback: [triage]}",
        "permissions: {rollback: [read]}",
        "permissions: {rollback: [maintain], promote: [maintain], canary: [maintain], resume: [maintain]}",
        "would lose it",
    ),
    (
        f"freezes: [{WEEKENDS}]",
        'freezes: [{name: night, deny: "FREQ=DAILY;BYHOUR=22", for: 8h}]',
        'freezes: [{name: weekends, deny: "FREQ=WEEKLY;BYDAY=SU", for: 24h}]',
        "is the organisation's",
    ),
    (
        f"freezes: [{OFFICE}]",
        f"freezes: [{WEEKENDS}]",
        'freezes: [{name: more, allow: "FREQ=WEEKLY;BYDAY=FR", for: 24h}]',
        "adds to what the organisation allows",
    ),
    (
        "gates: {errors: {query: up, max: 0.01, samples: count(up), min-requests: 100}}",
        "gates: {errors: {query: up, max: 0.001, samples: count(up), min-requests: 200}}",
        "gates: {errors: {query: up, max: 0.1, samples: count(up), min-requests: 10}}",
        "has the limit 0.1 instead of 0.01",
    ),
    (
        "gates: {two: {reviewers: 2}}",
        "gates: {two: {reviewers: 3}}",
        "gates: {two: {reviewers: 1}}",
        "1 reviewers",
    ),
    (
        "gates: {a: {query: 'up{r=\"{revision}\"}', compare: stable, tolerance: 0.2}}",
        "gates: {a: {query: 'up{r=\"{revision}\"}', compare: stable, tolerance: 0.1}}",
        "gates: {a: {query: 'up{r=\"{revision}\"}', compare: stable, tolerance: 0.2, slack: 1}}",
        "at most 20 % and 1 more than stable",
    ),
    (
        "gates: {a: {query: up, min: 2}}",
        "gates: {a: {query: up, min: 3}}",
        "gates: {a: {query: up, min: 1}}",
        "the limit 1 instead of 2",
    ),
    (
        "gates: {a: {query: up, max: 2}}",
        "gates: {a: {query: up, max: 2, no-data: fail}}",
        "gates: {a: {query: up, max: 2, no-data: pass}}",
        "`pass` where there is no data",
    ),
    (
        "gates: {a: {query: up, max: 2}}",
        "gates: {a: {query: up, max: 1}}",
        "gates: {a: {http: slo, max: 2}}",
        "answered by `http`",
    ),
    (
        "gates: {a: {http: slo}}",
        "gates: {a: {http: slo, min-requests: 5, count: /n}}",
        "gates: {a: {http: other}}",
        "another endpoint",
    ),
    (
        "gates: {a: {checks: [e2e], app: our-ci}}",
        "gates: {a: {checks: [e2e, load], app: our-ci}}",
        "gates: {a: {checks: [e2e]}}",
        "of others than `our-ci`",
    ),
    (
        "gates: {a: {live: knative}}",
        "gates: {a: {live: knative, max-wait: 1h}}",
        "gates: {a: {live: knative, object: other}}",
        "another object",
    ),
    ("four-eyes: true", "four-eyes: true", "four-eyes: false", "second person"),
    (
        "four-eyes: true",
        "services: {shop: {four-eyes: true}}",
        "services: {shop: {four-eyes: false}}",
        "second person",
    ),
    ("auto: false", "auto: false", "auto: true", "a person merges"),
    ("on-fail: rollback", "on-fail: rollback", "on-fail: hold", "turns the rollout back"),
    ("overlap: queue", "overlap: refuse", "overlap: supersede", "looser than `queue`"),
    ("naming: commit-sha", "naming: commit-sha", "naming: image-tag", "`commit-sha`"),
    ("labels: [canary]", "labels: [canary, shop]", "labels: [shop]", "`canary` would be missing"),
    ("reviewers: [acme/sre]", "reviewers: [acme/sre, mona]", "reviewers: [mona]", "would not be asked"),
]


@pytest.mark.parametrize(("theirs", "stricter", "looser", "why"), CASES)
class TestLocked:
    """`locked:` keys cannot be loosened by repositories; stricter is fine."""

    def locked(self, theirs: str) -> str:
        return f"{theirs}\nlocked: [{theirs.partition(':')[0]}]\n"

    def test_looser_is_refused_with_the_place(
        self, theirs: str, stricter: str, looser: str, why: str
    ) -> None:
        del stricter
        found = merged(self.locked(theirs), looser)
        assert isinstance(found, tuple)
        assert any(why in problem.message for problem in found)
        for problem in found:
            assert "`org.yaml:2:1`" in problem.message
            assert problem.place is not None
            assert (problem.place.path, problem.place.line) == ("repo.yaml", 2)

    def test_stricter_is_taken(self, theirs: str, stricter: str, looser: str, why: str) -> None:
        del looser, why
        assert isinstance(merged(self.locked(theirs), stricter), Config)

    def test_without_a_lock_the_repository_decides(
        self,
        theirs: str,
        stricter: str,
        looser: str,
        why: str,
    ) -> None:
        del stricter, why
        assert isinstance(merged(theirs, looser), Config)

    def test_what_the_repository_does_not_say_is_the_organisations(
        self, theirs: str, stricter: str, looser: str, why: str
    ) -> None:
        del stricter, looser, why
        found = merged(self.locked(theirs), "")
        assert isinstance(found, Config)
        key = theirs.partition(":")[0].replace("-", "_")
        assert getattr(found, key) == getattr(config(theirs, organisation=True), key)


class TestDefinition:
    """With a definition of "looser" for each key."""

    def test_every_key_that_can_be_locked_has_one_and_a_case(self) -> None:
        assert set(LOOSER) == set(LOCKABLE)
        assert {theirs.partition(":")[0] for theirs, *_ in CASES} == set(LOCKABLE)

    @pytest.mark.parametrize("rules_id", list(SETS))
    def test_nothing_is_looser_than_itself(self, rules_id: str) -> None:
        assert looser_rules(SETS[rules_id], SETS[rules_id]) == ()

    def test_all_loosened_keys_in_one_reply(self) -> None:
        theirs = "rules: cautious\nfour-eyes: true\noverlap: refuse\nlocked: [rules, four-eyes, overlap]\n"
        found = merged(theirs, "rules: fast\nfour-eyes: false\noverlap: queue\n")
        assert isinstance(found, tuple)
        assert [problem.place.line for problem in found if problem.place] == [2, 3, 4]

    def test_an_organisations_file_has_no_services_and_no_paths(self) -> None:
        text = "version: 1\nrules: a/b.yaml\nservices: {}\nlocked: [auto]\n"
        said = [p.message for p in check(text, SETS, organisation=True).problems]
        assert len(said) == 3
        assert any("no `services`" in one for one in said)

    def test_freezes_and_permissions_add_up(self) -> None:
        found = merged(
            f"freezes: [{WEEKENDS}]\npermissions: {{promote: [admin]}}\n",
            'freezes: [{name: night, deny: "FREQ=DAILY;BYHOUR=22", for: 8h}]\npermissions: {cancel: [admin]}\n',
        )
        assert isinstance(found, Config)
        assert [freeze.name for freeze in found.freezes] == ["weekends", "night"]
        assert found.may("promote") == found.may("cancel") == (Who("role", "admin"),)
        assert found.origins["permissions.cancel"].path == "repo.yaml"
        assert found.origins["permissions.promote"].path == "org.yaml"


LINES = {
    "rules": ["rules: standard", "rules: cautious", "rules: fast", "rules: manual", "rules: blue-green"],
    "auto": ["auto: true", "auto: false"],
    "on-fail": ["on-fail: hold", "on-fail: rollback"],
    "four-eyes": ["four-eyes: true", "four-eyes: false"],
    "gates": ["gates: {error-rate: {query: up, max: 9}}", "gates: {error-rate: {query: up, max: 1}}"],
    "services": [
        "services: {shop: {rules: fast}}",
        "services: {shop: {four-eyes: false, gates: [error-rate]}}",
    ],
}


def files(*, organisation: bool) -> st.SearchStrategy[str]:
    keys = [key for key in LINES if key != "services" or not organisation]
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(LINES[key]) for key in keys}).map(
        lambda chosen: "".join(f"{line}\n" for line in chosen.values())
    )


class TestNoWayAround:
    """Whatever a repository writes beside it: where the merge is taken, what is locked is not looser."""

    @given(
        files(organisation=True),
        files(organisation=False),
        st.sampled_from(["standard", "cautious", "manual"]),
    )
    def test_rules(self, theirs: str, ours: str, rules_id: str) -> None:
        lines = [line for line in theirs.splitlines() if not line.startswith("rules:")]
        org = config("\n".join([*lines, f"rules: {rules_id}", "locked: [rules]", ""]), organisation=True)
        read = check(f"version: 1\n{ours}", SETS)
        if read.config is None:
            return
        found = merge(org, read.config, SETS)
        if not isinstance(found, Config):
            return
        want = adjusted(SETS[rules_id], org, "")
        for service in ("shop", "other"):
            assert looser_rules(want, adjusted(SETS[found.rules_for(service)], found, service)) == ()

    @given(files(organisation=True), files(organisation=False))
    def test_four_eyes(self, theirs: str, ours: str) -> None:
        lines = [line for line in theirs.splitlines() if not line.startswith("four-eyes:")]
        org = config("\n".join([*lines, "four-eyes: true", "locked: [four-eyes]", ""]), organisation=True)
        read = check(f"version: 1\n{ours}", SETS)
        found = merge(org, read.config, SETS) if read.config is not None else ()
        if isinstance(found, Config):
            assert found.four_eyes_for("shop")
            assert found.four_eyes_for("other")
