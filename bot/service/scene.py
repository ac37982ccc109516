"""Where a command was typed: the pull request, its kind, and the services it is about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.core import discovery, trailers
from bot.core.markers import Proposal
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.manifests import workload
from bot.service.finding import find_one
from bot.service.reading import Service, Touched, read_file, read_held, touched

if TYPE_CHECKING:
    from bot.core.checks import Press
    from bot.manifests.workload import Workload
    from bot.ports import Comment, Pull, Role
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
    _role: Role | None = field(default=None, init=False)

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

    def role(self, desk: Desk) -> Role:
        """Give the commenter's role, asked for now, once for a comment."""
        if self._role is None:
            self._role = desk.repo.role_of(self.comment.author.login)
        return self._role

    def touched(self, desk: Desk) -> tuple[Touched, ...]:
        """Give the services that the pull request changes. Raises ``Declined``."""
        if self._touched is None:
            tip = desk.base(self.base)
            if self.kind is Kind.MERGED:
                self._touched = touched(desk.repo, self.pull, before=self.pull.base_sha, target=tip)
            else:
                self._touched = touched(desk.repo, self.pull, before=tip, target=self.pull.head_sha)
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
        if not found and self.kind is Kind.MERGED:
            found = self._recorded(desk)
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
        """Find what an interrupted try of this comment edited: nothing may differ from the base branch since."""
        own = (commit for commit in desk.repo.commits_of(self.pull.number) if commit.ours)
        edits = (edit for commit in own for edit in trailers.edits(commit.message))
        keys = dict.fromkeys(edit.service for edit in edits if edit.comment == self.comment.id)
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

    def chosen(self, desk: Desk, name: str | None, *, by_name: bool = True) -> tuple[Service, ...]:
        """Give the services that a command is for; ``by_name`` says whether it can name one.

        Raises:
            Declined: ``no-service``, ``which-service``, ``unknown-service``: nothing is guessed.
        """
        services = self.services(desk)
        names = ", ".join(code(s.name) for s in services)
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
            example = code(f"/canary {services[0].name} 25")
            remedy = (
                f"Name one, or `all`: {example} or `/canary all 25`."
                if by_name
                else "Traffic operations name no service: use a pull request that changes one only."
            )
            raise Declined(
                Problem(
                    "which-service",
                    f"This pull request touches {names}.",
                    remedy,
                )
            )
        return services

    def _elsewhere(self, desk: Desk, name: str, services: tuple[Service, ...]) -> Service:
        """Find a service of that name that the pull request does not touch.

        Raises:
            Declined: ``unknown-service``, ``which-service``.
        """
        known = [s.name for s in services]
        close = get_close_matches(name, known, n=1)
        if close or self.kind not in {Kind.OPEN, Kind.MERGED}:
            remedy = f"Did you mean {code(close[0])}?" if close else ""
            names = ", ".join(map(code, known))
            raise Declined(
                Problem("unknown-service", f"Unknown service {code(name)}; known: {names}.", remedy)
            )
        near = [changed.path for changed in desk.repo.changed_files(self.pull)]
        file = desk.config().of(discovery.name_of(name)).file
        try:
            hit = find_one(desk.repo, self._sha(desk), name, near=near, file=file, index=desk.index)
        except Declined as declined:
            first, *others = declined.problems
            if first.code != "unknown-service" or not known:
                raise
            here = f"Unknown service {code(name)}; known: {', '.join(map(code, known))}."
            raise Declined(replace(first, message=f"{here} {first.message}"), *others) from None
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
