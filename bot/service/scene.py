"""Where a command was typed: the pull request, its kind, and the services it is about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.core import commands, discovery, naming, trailers
from bot.core.command import Canary
from bot.core.markers import Answer, Proposal
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.core.trailers import CANCEL
from bot.manifests import workload
from bot.service import proposing
from bot.service.finding import find_one
from bot.service.reading import Service, Touched, read_file, read_held, touched

if TYPE_CHECKING:
    from bot.core.checks import Press
    from bot.manifests.workload import Workload
    from bot.ports import Comment, Pull
    from bot.service.desk import Desk


class Kind(StrEnum):
    """The kinds of pull requests that commands are typed on."""

    OPEN = "open"  # a feature pull request
    MERGED = "merged"
    CLOSED = "closed"
    STEP = "step"  # of the bot: a step or a start
    ROLLBACK = "rollback"  # of the bot


@dataclass(slots=True)
class Scene:
    """A comment and its surroundings. ``comments`` is the whole conversation, ours included.

    ``press`` is set where the comment is a button pressed.
    """

    pull: Pull
    comment: Comment
    comments: tuple[Comment, ...]
    proposal: Proposal | None
    kind: Kind
    press: Press | None = None
    _touched: tuple[Touched, ...] | None = field(default=None, init=False)
    _begun: tuple[Service, ...] | None = field(default=None, init=False)

    @classmethod
    def of(
        cls, pull: Pull, comment: Comment, comments: tuple[Comment, ...], press: Press | None = None
    ) -> Scene:
        """Read the kind of a pull request."""
        proposal = Proposal.read(pull.body) if pull.ours else None
        if proposal is not None:
            kind = Kind.ROLLBACK if proposal.kind == "rollback" else Kind.STEP
        elif pull.merged:
            kind = Kind.MERGED
        else:
            kind = Kind.OPEN if pull.state == "open" else Kind.CLOSED
        return cls(pull, comment, comments, proposal, kind, press)

    @property
    def key(self) -> str:
        """The name of the comment in markers: ``comment/<id>``, ``review/<id>`` or ``button/<id>``."""
        return f"{self.comment.kind}/{self.comment.id}"

    @property
    def base(self) -> str:
        """The base branch that the services live on."""
        return self.pull.base_ref

    def touched(self, desk: Desk) -> tuple[Touched, ...]:
        """Give the services that the pull request changes. Raises ``Declined``."""
        if self._touched is None:
            tip = desk.base(self.base)
            files = desk.files_of(self.pull)
            if self.kind is Kind.MERGED:
                self._touched = touched(desk.repo, self.pull, files, before=self.pull.base_sha, target=tip)
            else:
                self._touched = touched(desk.repo, self.pull, files, before=tip, target=self.pull.head_sha)
        return self._touched

    def forget(self) -> None:
        """Look at the services again: the pull request's head has moved."""
        self._touched = None

    def moved(self, sha: str, services: tuple[Touched, ...]) -> None:
        """Take note of a commit of our own: the new head, and the services as they are in it."""
        self.pull = replace(self.pull, head_sha=sha)
        self._touched = services

    def manifest(self, desk: Desk, service: Service) -> Workload:
        """Give a service's manifest at the head. Raises ``Declined``."""
        held = self.touched_one(desk, service).target
        if held is None:
            raise Declined(
                Problem("no-service", f"{code(service.name)} is not in this pull request any more.")
            )
        return held.manifest

    def touches_nothing(self, desk: Desk) -> bool:
        """Whether no rollout and no service has to do with this pull request: short verbs stay silent."""
        if self.proposal is not None:
            return False
        try:
            return not self.services(desk)
        except Declined:
            return False

    def services(self, desk: Desk) -> tuple[Service, ...]:
        """Give the services in question, in the order of the files. Raises ``Declined``."""
        if self.proposal is not None:
            one = Service.parse(self.proposal.base, self.proposal.service)
            return (one,) if one is not None else ()
        found = tuple(t.service for t in self.touched(desk))
        if self.kind is Kind.MERGED:
            found = found or self._recorded(desk)
            found = tuple(dict.fromkeys((*found, *self._begun_after(desk, found))))
        if not found and self.kind is Kind.OPEN:
            found = self._edited(desk) or self._named(desk)
        return found

    def _named(self, desk: Desk) -> tuple[Service, ...]:
        """Give what the files hold that were named at a prompt: there need not be a change of them."""
        if not desk.rehearsal:
            return ()
        files = (
            read_file(desk.repo, changed.path, self.pull.head_sha)
            for changed in desk.repo.changed_files(self.pull)
        )
        return tuple(
            Service(self.base, file.path, found.id)
            for file in files
            if file is not None
            for found in workload.find(file.content, file.path).workloads
        )

    def _edited(self, desk: Desk) -> tuple[Service, ...]:
        """Find what our commits here are about where the files do not show it.

        An interrupted try of this comment may have left nothing that differs from the base branch; of a rollout
        that begins with this pull request somebody may have taken the destinations away.
        """
        own = [commit for commit in desk.repo.commits_of(self.pull.number) if commit.ours]
        edits = (edit for commit in own for edit in trailers.edits(commit.message))
        keys = dict.fromkeys(edit.service for edit in edits if edit.comment == self.comment.id)
        if not self.pull.from_fork:  # the bot commits to no fork; a workflow there may look like it
            last = {r.service: r for commit in own for r in trailers.records(commit.message)}
            keys |= dict.fromkeys(key for key, record in last.items() if record.step != CANCEL)
        return tuple(s for key in keys if (s := Service.parse(self.base, key)) is not None)

    def _recorded(self, desk: Desk) -> tuple[Service, ...]:
        """Find the services by the bot's records: their files may look as before the pull request again."""
        tip = desk.base(self.base)
        keys: dict[str, None] = {}
        for changed in desk.repo.changed_files(self.pull):
            if changed.path.endswith((".yaml", ".yml", ".json")):
                probe = Service(self.base, changed.path, "/")
                for commit_records in desk.historian.all_records(desk.repo, probe.path, tip):
                    if commit_records.pull == self.pull.number:
                        keys[commit_records.service] = None
        return tuple(s for key in keys if (s := Service.parse(self.base, key)) is not None)

    def _begun_after(self, desk: Desk, known: tuple[Service, ...]) -> tuple[Service, ...]:
        """Find the services whose rollouts began here after the merge, with files that are not of this pull request.

        Our answers here name rollout and service, notices the whole key. Where there is only the name, the start
        pull request is asked for: one request for each rollout of a service that is not ``known``.
        """
        if self._begun is None:
            said = [Answer.read(comment.body) for comment in self.comments if comment.ours]
            answers = [answer for answer in said if answer is not None and answer.rollout]
            # Rollout -> key, as far as that is known.
            keys = {a.rollout: a.service for a in answers if "#" in a.service}
            names = {service.name for service in known}
            for answer in answers:
                begins = "canary" in answer.verbs and answer.decision == "done"
                if begins and answer.service not in names and answer.rollout not in keys:
                    keys[answer.rollout] = self._started(desk, answer)
            found = (Service.parse(self.base, key) for key in dict.fromkeys(keys.values()))
            self._begun = tuple(service for service in found if service is not None)
        return self._begun

    def _started(self, desk: Desk, answer: Answer) -> str:
        """Give the key of the service of a start pull request that an answer tells of; empty where there is none."""
        asked = next((x for x in self.comments if f"{x.kind}/{x.id}" in answer.answers), None)
        said = commands.parse_comment(asked.body).commands if asked is not None else ()
        weight = next((x.weights[0] for x in said if isinstance(x, Canary) and x.weights), None)
        if weight is None:
            # The comment is gone or edited: what follows the start may still be open.
            pulls = [p for p in desk.repo.open_pulls() if p.ours]
            proposals = [Proposal.read(pull.body) for pull in pulls]
        else:
            branch = naming.step_branch(answer.rollout, weight)
            proposals = [ours.proposal for ours in proposing.from_branch(desk, branch)]
        for proposal in proposals:
            if proposal is not None and (proposal.pull, proposal.rollout, proposal.base) == (
                self.pull.number,
                answer.rollout,
                self.base,
            ):
                return proposal.service
        return ""

    def chosen(self, desk: Desk, name: str | None, *, by_name: bool = True) -> tuple[Service, ...]:
        """Give the services that a command is for; ``by_name`` says whether it can name one.

        Raises:
            Declined: ``no-service``, ``which-service``, ``unknown-service``: nothing is guessed.
        """
        services = self.services(desk)
        if not services and (name is None or name == "all"):
            raise Declined(
                Problem(
                    "no-service",
                    "This pull request changes no service or route that the bot can roll out.",
                    "Name one of the repository, like `/canary NAME 25`, or comment where its manifest is changed.",
                )
            )
        if name == "all":
            return services
        if name is not None:
            hits = tuple(s for s in services if discovery.matches(s.hit, name))
            if not hits:
                return (self._elsewhere(desk, name, services),)
            if len(hits) > 1:
                where = ", ".join(code(s.path) for s in hits)
                forms = [discovery.unambiguous(s.hit, [h.hit for h in hits]) for s in hits]
                own = (
                    f"Name one: {', '.join(code(f) for f in forms if f)}; or write" if all(forms) else "Write"
                )
                raise Declined(
                    Problem(
                        "which-service",
                        f"{len(hits)} services here are called {code(name)}: {where}.",
                        f"{own} `all`, or change them in pull requests of their own.",
                    )
                )
            return hits
        if len(services) > 1:
            raise Declined(_which(services, by_name=by_name))
        return services

    def _elsewhere(self, desk: Desk, name: str, services: tuple[Service, ...]) -> Service:
        """Find a service of that name that the pull request does not touch.

        Raises:
            Declined: ``unknown-service``, ``which-service``.
        """
        known = list(dict.fromkeys(s.name for s in services))
        close = get_close_matches(name, known, n=1)
        guess = f"Did you mean {code(close[0])}?" if close else ""
        here = f"Unknown service {code(name)}; known: {', '.join(map(code, known))}."
        if self.kind not in {Kind.OPEN, Kind.MERGED}:
            raise Declined(Problem("unknown-service", here, guess))
        near = [changed.path for changed in desk.repo.changed_files(self.pull)]
        file = desk.config().of(discovery.name_of(name)).file
        try:
            hit = find_one(desk.repo, self._sha(desk), name, near=near, file=file, index=desk.index)
        except Declined as declined:
            first, *others = declined.problems
            if first.code != "unknown-service" or not known:
                raise
            remedy = f"{guess} {first.remedy}".strip()
            raise Declined(
                replace(first, message=f"{here} {first.message}", remedy=remedy), *others
            ) from None
        return Service(self.base, hit.path, hit.id)

    def _sha(self, desk: Desk) -> str:
        return desk.base(self.base) if self.kind is Kind.MERGED else self.pull.head_sha

    def touched_one(self, desk: Desk, service: Service) -> Touched:
        """Give both sides of one service; of one that the pull request does not touch they are the same."""
        hit = next((t for t in self.touched(desk) if t.service == service), None)
        if hit is not None or self.kind not in {Kind.OPEN, Kind.MERGED}:
            return hit if hit is not None else Touched(service, None, None)
        before, target = (
            read_held(desk.repo, service.path, service.id, sha)
            for sha in (desk.base(self.base), self._sha(desk))
        )
        return Touched(service, before, target)


def _which(services: tuple[Service, ...], *, by_name: bool) -> Problem:
    """Ask for one of several services, each by a name that means no other of them."""
    hits = [service.hit for service in services]
    forms = [discovery.unambiguous(hit, hits) for hit in hits]
    names = ", ".join(code(form or hit.qualified) for form, hit in zip(forms, hits, strict=True))
    example = next((f"{code(f'/canary {form} 25')} or " for form in forms if form), "")
    if not by_name:
        remedy = "Traffic operations name no service: use a pull request that changes one only."
    else:
        remedy = f"{'Name one, or' if example else 'Write'} `all`: {example}`/canary all 25`."
    return Problem("which-service", f"This pull request touches {names}.", remedy)
