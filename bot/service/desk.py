"""What one look has at hand: a repository, the time, the rules.

A look is at one pull request or one service. Everything in it happens in one thread, and
no other look works on the same repository at that time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.core import naming, report, trailers
from bot.core.checks import GATE
from bot.core.markers import Answer, Proposal
from bot.core.problems import Declined, Problem
from bot.core.rollout import ALL, NOTHING, Phase, current, step_above, with_adopted
from bot.core.rules import Config, RuleSet
from bot.core.text import code
from bot.core.trailers import ROLLBACK
from bot.core.validate import is_namespace, is_qualified
from bot.manifests import workload
from bot.ports import Missing
from bot.service import configuring
from bot.service.authority import Known
from bot.service.finding import Index, find_one
from bot.service.gating import Answers, NoGates
from bot.service.journal import Journal, unread
from bot.service.reading import Historian, Service, Standing, read_held, standing, stands

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.core.markers import Wish
    from bot.core.problems import Place
    from bot.core.traffic import Split
    from bot.core.trailers import Pin, Record
    from bot.ports import ChangedFile, Check, Clock, Gates, OrganisationFile, Pull, Repository
    from bot.service.configuring import Configured, Rulebook
    from bot.service.reading import Held


_SHORT = 63  # characters; of so few no name is too long


@dataclass(slots=True)
class Desk:
    """A look's tools.

    ``tips`` remembers a branch for the length of one look, until it is written to. ``answering`` is the comment
    that is being worked off: its reply is not written yet. ``wished`` is the promotion that this look took down
    from it. In a ``rehearsal`` nothing leaves the repository port: texts say what would be done. ``again`` is the
    commit whose checks were asked for again, ``pressed`` the one with the button that was pressed, and ``stamp``
    what its check bears from then on. ``told`` is what checks say since this look, ``afterwards`` what they shall
    say once the answer stands. ``answered`` are rollouts that a reply of ours was seen to name. ``index`` is what
    is known of files from earlier searches. ``elsewhere`` are subjects, see ``bot.ports.Subject``, that a command
    has changed besides its own pull request. ``journal`` hears what is allowed before it is begun, and ``known`` is
    what was looked up about people for the comment that is worked off. ``gates`` asks gates, ``answers`` is what
    they said of late.
    """

    repo: Repository
    clock: Clock
    rulebook: Rulebook
    historian: Historian
    tips: dict[str, str | None] = field(default_factory=dict)
    answering: str = ""
    wished: Wish | None = None
    rehearsal: bool = False
    answered: set[str] = field(default_factory=set)
    again: str = ""
    pressed: str = ""
    stamp: str = ""
    told: dict[tuple[str, str], Check] = field(default_factory=dict)
    afterwards: list[tuple[str, tuple[Check, ...]]] = field(default_factory=list)
    index: Index = field(default_factory=Index)
    gates: Gates = field(default_factory=NoGates)
    answers: Answers = field(default_factory=Answers)
    elsewhere: list[str] = field(default_factory=list)
    _files: dict[int, tuple[str, tuple[ChangedFile, ...]]] = field(default_factory=dict)
    _configured: tuple[str | None, Configured] | None = None
    _organisation: tuple[OrganisationFile | None] | None = None
    _pinned: dict[Pin, Configured] = field(default_factory=dict)
    journal: Journal = unread
    known: Known = field(default_factory=Known)

    def now(self) -> datetime:
        """Give the time."""
        return self.clock.now()

    def tip(self, branch: str) -> str | None:
        """Give the sha of a branch, read once in a look."""
        if branch not in self.tips:
            self.tips[branch] = self.repo.tip(branch)
        return self.tips[branch]

    def forget(self, branch: str) -> None:
        """Read a branch again the next time: it was written to."""
        self.tips.pop(branch, None)

    def tell(self, sha: str, checks: Sequence[Check], *, fresh: bool = False) -> None:
        """Set checks on a commit; what they say since this look anyway is not sent again."""
        stamped = [
            replace(check, stamp=self.stamp) if check.name == GATE and sha == self.pressed else check
            for check in checks
        ]
        new = [check for check in stamped if self.told.get((sha, check.name)) != check]
        if new:
            first = all((sha, check.name) not in self.told for check in new)
            self.repo.set_checks(sha, new, fresh=fresh, again=first and sha == self.again)
            self.told.update({(sha, check.name): check for check in new})

    def tell_the_rest(self) -> None:
        """Set the checks that could wait until somebody had an answer."""
        waiting, self.afterwards = self.afterwards, []
        for sha, checks in waiting:
            self.tell(sha, checks, fresh=True)

    def files_of(self, pull: Pull, *, as_before: bool = False) -> tuple[ChangedFile, ...]:
        """Give the files that a pull request changes, listed once in a look for a head.

        ``as_before`` is for a new head that changes no other file: a commit of our own.
        """
        known = self._files.get(pull.number)
        if known is None or not (as_before or known[0] == pull.head_sha):
            known = self._files[pull.number] = pull.head_sha, self.repo.changed_files(pull)
        return known[1]

    def base(self, branch: str) -> str:
        """Give the sha of a base branch.

        Raises:
            Declined: ``file-missing``, the branch is gone.
        """
        tip = self.tip(branch)
        if tip is None:
            raise Declined(Problem("file-missing", f"The base branch {code(branch)} is gone."))
        return tip

    def standing(self, service: Service) -> Standing:
        """Read a service on its base branch. Raises ``Declined``."""
        found = standing(self.repo, self.historian, service, self.base(service.base))
        if found.held is None:
            found = self._moved(found)
        record = found.rollout.record
        if self.repo.starts_workflows or record is None or self._was_answered(record):
            return self._with_adopted(found)
        return replace(found, rollout=NOTHING, records=())

    def _with_adopted(self, found: Standing) -> Standing:
        """Go on from a hand edit that somebody accepted: the pull request of the step behind it says so."""
        rollout, record = found.rollout, found.rollout.record
        if rollout.phase is not Phase.DRIFTED or record is None or found.lost is not None:
            return found
        branch = naming.step_branch(record.rollout, step_above(record, rollout.weight))
        latest = next((p for p in self.repo.pulls_from(branch) if p.ours), None)
        proposal = Proposal.read(latest.body) if latest is not None and not latest.merged else None
        if proposal is None or proposal.adopted is None or proposal.closed in {"overtaken", "superseded"}:
            return found
        return replace(found, rollout=with_adopted(rollout, found.split, proposal.adopted))

    def _moved(self, found: Standing) -> Standing:
        """Find a manifest that was moved while a rollout runs: by kind, namespace and name."""
        service, tip = found.service, found.tip
        records = self.historian.records(self.repo, service, tip)
        last = current(records)
        if last is None or last.weight == ALL or last.step == ROLLBACK:
            return found
        try:
            hit = find_one(self.repo, tip, service.hit.qualified, index=self.index)
            held = read_held(self.repo, hit.path, service.id, tip)
        except Declined:
            return found  # gone, or there twice
        since = self.historian.all_records(self.repo, hit.path, tip)
        return stands(service, tip, held, (*(r for r in since if r.service == service.key), *records))

    def _was_answered(self, record: Record) -> bool:
        """Whether a reply of ours in this repository names a rollout.

        Every repository's workflows commit under the account that a workflow's own token has, a fork's
        too, so its commits alone prove nothing; comments here are not written from there.
        """
        if record.rollout not in self.answered:
            try:
                answers = [Answer.read(c.body) for c in self.repo.comments(record.pull) if c.ours]
            except Missing:
                return False
            self.answered |= {a.rollout for a in answers if a is not None}
        return record.rollout in self.answered

    def organisation(self) -> OrganisationFile | None:
        """Give the organisation's file, read once in a look. Raises ``Declined``: ``config-unreadable``."""
        if self._organisation is None:
            self._organisation = (configuring.organisation_file(self.repo),)
        return self._organisation[0]

    def configured(self) -> Configured:
        """Read the configuration of the default branch, never of anywhere else, with the organisation's.

        Raises:
            Declined: ``config-invalid``, ``config-unreadable``, ``path-refused``.
        """
        tip = self.tip(self.repo.default_branch)
        if self._configured is None or self._configured[0] != tip:
            found = configuring.present(self.repo, self.rulebook, tip, self.organisation())
            self._configured = tip, found
        return self._configured[1]

    def config(self) -> Config:
        """Give what the configuration says now: who may, when, and what new rollouts follow. Raises ``Declined``."""
        return self.configured().config

    def configured_at(self, record: Record) -> Configured | None:
        """Read the configuration that a rollout follows since it began; ``None`` where there was none then.

        Raises:
            Declined: ``config-unreadable``, ``config-invalid``.
        """
        pin = record.pin
        if pin is None:
            return None
        if self.rehearsal:
            pin = replace(pin, organisation="")  # offline nobody knows it
            if not pin.repository:
                return None
        if pin not in self._pinned:
            self._pinned[pin] = configuring.pinned(self.repo, self.rulebook, pin)
        return self._pinned[pin]

    def config_at(self, record: Record) -> Config:
        """Give what the configuration said when a rollout began: ``four-eyes``, ``overlap``. Raises ``Declined``."""
        found = self.configured_at(record)
        return Config() if found is None else found.config

    def rules_at(self, record: Record) -> RuleSet:
        """Give the rule set that a rollout follows since it began, with what the configuration changed of it then.

        Raises:
            Declined: ``config-unreadable``, ``config-invalid``: nothing goes on, and everything stops.
        """
        found = self.configured_at(record)
        name = record.service.rpartition("/")[2]
        return self.rulebook.get(record.rules) if found is None else found.rules(record.rules, name)

    def rules_of(self, service: Service) -> RuleSet:
        """Give the rule set that a new rollout of a service follows. Raises ``Declined``."""
        found = self.configured()
        return found.rules(found.config.rules_for(service.name), service.name)


def after(desk: Desk, record: Record, weight: int) -> str:
    """Say what follows a weight of a rollout; what was done already is told whatever the rules are now."""
    try:
        return report.after(record, desk.rules_at(record), weight)
    except Declined as declined:
        return declined.problems[0].message


def edited(held: Held, split: Split, template_name: str | None = None) -> bytes:
    """Give the file with another split, and with a revision name where one is to be written.

    Raises:
        Declined: The platform would refuse the split, or the file cannot be edited exactly.
    """
    problems = workload.problems_with(held.manifest, split, template_name)
    problems += no_namespace(held) + no_name(held)
    if problems:
        raise Declined(*problems)
    return workload.edit(held.file.content, held.manifest, split, template_name=template_name)


def no_namespace(held: Held) -> tuple[Problem, ...]:
    """Give a problem where a service's namespace is none.

    It goes into the trailers of a commit, where a line feed would begin another one.
    """
    namespace = held.manifest.namespace
    if namespace is None or is_namespace(namespace):
        return ()
    return (Problem("split-invalid", f"{code(namespace)} is no namespace.", place=held.place),)


def no_name(held: Held) -> tuple[Problem, ...]:
    """Give a problem where the name of a mesh or gateway object is none: it stands in titles and trailers.

    The names of Services and Routes of Knative are the business of ``bot.core.validate``.
    """
    name = held.manifest.name
    # The prefix of a qualified name is a DNS-1123 subdomain, as the names of these objects are.
    if not held.manifest.rules or is_qualified(f"{name}/x"):
        return ()
    return (
        Problem(
            "split-invalid",
            f"{code(name)} is no name of a {held.manifest.kind}.",
            "Names are lower case letters, digits, `-` and `.`, 253 characters at most.",
            held.place,
        ),
    )


def need_record(record: Record, place: Place) -> None:
    """See that a commit message can hold a rollout's first record, before anything is written.

    Raises:
        Declined: ``split-invalid`` for a destination that has no plain name, ``name-too-long``, ``path-refused``.
    """
    for name in (record.stable, record.candidate):
        plain = replace(record, service="x.yaml#/x", route="", stable=name, candidate=name)
        # No host begins so, and in a commit it would call somebody.
        calls = bool(record.route) and name.startswith("@")
        if _is_kept(plain) and not calls:
            continue
        short = name[:_SHORT]
        too_long = not calls and _is_kept(replace(plain, stable=short, candidate=short))
        raise Declined(
            Problem(
                "name-too-long" if too_long else "split-invalid",
                f"{code(name)} is no name that a rollout can be recorded with.",
                f"{'A shorter one is needed' if too_long else 'Use letters, digits, `.`, `-` and `_`'}.",
                place,
            )
        )
    if not _is_kept(record):
        raise Declined(
            Problem(
                "path-refused",
                f"The commit message of a rollout cannot hold {code(record.service)}.",
                "Give the file a shorter path, without control characters.",
            )
        )


def _is_kept(record: Record) -> bool:
    try:
        return trailers.records(record.trailers()) == (record,)
    except ValueError:
        return False
