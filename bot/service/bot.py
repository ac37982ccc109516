"""One look at one subject: the whole bot, seen from the engine."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.core import commands as c
from bot.core import report
from bot.core.command import OfService
from bot.core.markers import Answer, Proposal
from bot.core.outcome import Outcome, declined
from bot.core.problems import Declined, OutsideFailure, Problem
from bot.core.text import code
from bot.core.usage import BY_VERB
from bot.ports import Exists, Missing, Moved, Reaction, Refused, Role, Subject
from bot.service import answering, ending, proposing, starting, verbs
from bot.service.checks import no_gate, plan_check
from bot.service.converge import converge
from bot.service.desk import Desk
from bot.service.reading import Historian, Service
from bot.service.scene import Kind, Scene
from bot.service.verbs import Case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.ports import Clock, Comment, Forge, Pull, Repository
    from bot.service.desk import Rulebook

log = structlog.get_logger("canary")

MAX_COMMAND_AGE = timedelta(hours=1)
STOPPING_AGE = timedelta(hours=24)  # a day later even a rollback may be the wrong thing to do
OLDEST = timedelta(hours=72)  # as long as GitHub keeps deliveries; older comments are history and get silence
SWEEP_BACK = OLDEST
FRESH = timedelta(hours=2)
REFUSAL_PAUSE = timedelta(hours=1)

_REACTIONS = {
    "done": Reaction.DONE,
    "pending": Reaction.DONE,
    "answered": Reaction.DONE,
    "already": Reaction.ALREADY,
    "declined": Reaction.DECLINED,
    "not-understood": Reaction.NOT_UNDERSTOOD,
    "failed": Reaction.NOT_UNDERSTOOD,
}
# These stop or only read: being late does no harm, and stopping must be easier than going on.
_EVER = (c.Rollback, c.Hold, c.Status, c.Why, c.Help, c.Plan)


class Marks(Protocol):
    """Asks the engine for a look."""

    def __call__(self, subject: Subject, *, at: datetime, why: str) -> None:
        """Ask for a look at ``subject`` at that time."""
        ...


@dataclass(frozen=True, slots=True)
class Bot:
    """The use cases. Holds no state but a cache of what cannot change.

    On a working tree it is a ``rehearsal``, see ``Desk``; ``service`` is then the one that a command without
    a name is for.
    """

    forge: Forge
    clock: Clock
    rulebook: Rulebook
    marks: Marks
    historian: Historian
    max_command_age: timedelta = MAX_COMMAND_AGE
    rehearsal: bool = False
    service: str | None = None

    def look(self, subject: Subject, why: str) -> datetime | None:
        """Look at a subject, do what is missing, and say when to look again.

        Raises:
            OutsideFailure: GitHub did not answer; what was done so far is found by the next look.
        """
        try:
            repo = self.forge.repository(subject.installation, subject.repository)
            desk = Desk(repo, self.clock, self.rulebook, self.historian, rehearsal=self.rehearsal)
            kind, _, rest = subject.what.partition("/")
            if kind == "pull":
                return self._look_at_pull(desk, subject, int(rest), why)
            if kind == "service":
                base, _, key = rest.partition(":")
                service = Service.parse(base, key)
                return converge(desk, service).again if service is not None else None
            self._sweep(repo, subject)
        except Missing:
            log.info("gone", repository=subject.repository, subject=subject.what)
        except Refused as refusal:
            # Not installed any more, or a right is missing: no retry helps before somebody changes that.
            log.warning(
                "refused", repository=subject.repository, subject=subject.what, said=str(refusal)[:200]
            )
        except (Moved, Exists) as race:
            raise OutsideFailure(f"something moved: {type(race).__name__}") from race
        return None

    # --- a pull request -----------------------------------------------------------------------

    def _look_at_pull(self, desk: Desk, subject: Subject, number: int, why: str) -> datetime | None:
        # A webhook of a comment needs no list of reviews; every other look reads both.
        reviews = () if why == "comment" else desk.repo.reviews(number)
        comments = _conversation(desk.repo.comments(number), reviews)
        pull: Pull | None = None
        set_check = False
        stale = False
        waiting = self._waiting(desk, comments)
        if why == "comment" and not waiting:
            return None  # conversation: nothing else can have changed by it
        for comment, parsed in waiting:
            if stale:
                # The next command finds the world as the last one left it, our reply included.
                comments = _conversation(desk.repo.comments(number), reviews)
            pull = desk.repo.pull(number) if pull is None or stale else pull
            scene = Scene.of(pull, comment, comments)
            stale = self._work_off(desk, scene, parsed)
            set_check = stale and scene.kind is Kind.OPEN and why == "comment"
        if set_check:
            return None  # a command on a feature pull request leaves its check as it should be
        pull = desk.repo.pull(number) if pull is None or stale else pull
        return self._follow_up(desk, subject, pull)

    def _follow_up(self, desk: Desk, subject: Subject, pull: Pull) -> datetime | None:
        proposal = Proposal.read(pull.body) if pull.ours else None
        if proposal is not None:
            service = Service.parse(proposal.base, proposal.service)
            again = converge(desk, service).again if service is not None else None
            self._again(subject, service, again)
            if pull.state == "open":
                pull = desk.repo.pull(pull.number)  # the look may have rebuilt, merged or closed it
            if pull.state == "open":
                self._check(desk, pull, proposal)
            return None
        if pull.merged:
            for service in self._services_after_merge(desk, pull):
                self._again(subject, service, converge(desk, service).again)
        elif pull.state == "open":
            self._check(desk, pull)
        return None

    def _again(self, subject: Subject, service: Service | None, again: datetime | None) -> None:
        if service is not None and again is not None:
            where = Subject(subject.installation, subject.repository, service.what)
            self.marks(where, at=again, why="timer")

    def _check(self, desk: Desk, pull: Pull, proposal: Proposal | None = None) -> None:
        check = plan_check(desk, pull)
        if check is not None:
            desk.repo.set_check(pull.head_sha, check)
        if proposal is None or proposal.kind != "step":
            desk.repo.set_check(pull.head_sha, no_gate(proposal))

    def _services_after_merge(self, desk: Desk, pull: Pull) -> tuple[Service, ...]:
        tip = desk.tip(pull.base_ref)
        if tip is None:
            return ()
        keys: dict[str, None] = {}
        for changed in desk.repo.changed_files(pull):
            if changed.path.endswith((".yaml", ".yml", ".json")):
                for record in desk.historian.all_records(desk.repo, changed.path, tip):
                    if record.pull == pull.number:
                        keys[record.service] = None
        return tuple(s for key in keys if (s := Service.parse(pull.base_ref, key)) is not None)

    # --- comments -----------------------------------------------------------------------------

    def _waiting(self, desk: Desk, comments: Sequence[Comment]) -> list[tuple[Comment, c.Parsed]]:
        """Give the comments that hold commands and have no answer of ours, in their order."""
        answers = [a for x in comments if x.ours and (a := Answer.read(x.body)) is not None]
        answered = {key for a in answers for key in (a.to, *a.also)}
        waiting = []
        for comment in comments:
            if comment.ours or comment.author.is_bot or comment.edited:
                continue  # three guards: who wrote it, what kind of account, and no second thoughts
            if f"{comment.kind}/{comment.id}" in answered or desk.now() - comment.created_at > OLDEST:
                continue
            parsed = c.parse_comment(comment.body)
            if not parsed.is_conversation:
                waiting.append((comment, parsed))
        return waiting

    def _work_off(self, desk: Desk, scene: Scene, parsed: c.Parsed) -> bool:
        """Carry out the commands of one comment and answer; ``False`` where silence is the answer."""
        parsed = self._ours(desk, scene, parsed)
        if parsed.is_conversation:
            return False
        desk.repo.react(scene.comment, Reaction.SEEN)
        desk.answering = scene.key
        outcomes = self._outcomes(desk, scene, parsed)
        desk.answering = ""
        author = scene.comment.author.login
        refusal = _same_refusal(scene, outcomes, desk.now())
        if refusal is None:
            desk.repo.reply(scene.pull.number, report.reply(scene.key, author, outcomes))
        else:
            desk.repo.edit_reply(refusal[0].id, refusal[1])
        worst = next((o for o in outcomes if o.decision not in {"done", "pending", "answered"}), outcomes[0])
        desk.repo.react(scene.comment, _REACTIONS[worst.decision])
        log.info(
            "answered",
            repository=desk.repo.name,
            pull=scene.pull.number,
            comment=scene.key,
            outcomes=[f"{o.verb}:{o.decision}:{o.code}" for o in outcomes],
        )
        return True

    def _ours(self, desk: Desk, scene: Scene, parsed: c.Parsed) -> c.Parsed:
        """Leave out short verbs where no rollout is: other bots own those words there."""
        if desk.rehearsal:
            return parsed  # at a prompt nobody else is meant
        long_only = parsed.without_short()
        has_short = len(long_only.lines) < len(parsed.lines)
        return long_only if has_short and scene.touches_nothing(desk) else parsed

    def _outcomes(self, desk: Desk, scene: Scene, parsed: c.Parsed) -> list[Outcome]:
        if parsed.problems:
            problems = _with_known_names(desk, scene, parsed)
            return [Outcome("not-understood", problems[0].code, problems=problems)]
        unbuilt = c.check_built(parsed.commands)
        if unbuilt:
            return [declined(*unbuilt, verb=parsed.commands[0].verb)]
        try:
            early = self._too_late(desk, scene, parsed) or self._not_here(scene, parsed)
            if early is not None:
                return [early]
            lacking = [p for x in parsed.commands if (p := self._lacks(desk, scene, x)) is not None]
            if lacking:
                return [declined(*lacking, verb=parsed.commands[0].verb)]
            planned = [(x, s) for x in parsed.ordered() for s in self._services(desk, scene, x)]
            outcomes = [self._carry_out(desk, scene, x, s) for x, s in planned]
            if parsed.dropped and outcomes:
                notes = "\n\n".join(d.reason for d in parsed.dropped)
                outcomes[-1] = replace(outcomes[-1], text=f"{outcomes[-1].text}\n\n{notes}")
        except Declined as error:
            return [declined(*error.problems)]
        return outcomes

    def _services(self, desk: Desk, scene: Scene, command: c.Command) -> tuple[Service | None, ...]:
        if not isinstance(command, OfService):
            return (None,)
        return scene.chosen(desk, command.service or self.service)

    def _carry_out(self, desk: Desk, scene: Scene, command: c.Command, service: Service | None) -> Outcome:
        name = service.name if service is not None else ""
        try:
            if service is None or isinstance(command, c.Help):
                return _general(command)
            earlier = _superseded(scene, command, service)
            if earlier is not None:
                return declined(earlier, verb=command.verb, service=name)
            outcome = _dispatch(Case(desk, scene, service), command)
        except Declined as error:
            return declined(*error.problems, verb=command.verb, service=name)
        except Missing as gone:
            # Also what is there may be told as missing for a moment; a command never ends without an answer.
            raise OutsideFailure(f"not found: {gone}") from gone
        except (OutsideFailure, Moved, Exists):
            raise
        except Refused as refusal:
            return declined(*proposing.refused(refusal).problems, verb=command.verb, service=name)
        except Exception:
            reference = uuid.uuid4().hex[:12]
            log.exception("bug", reference=reference, repository=desk.repo.name, comment=scene.key)
            text = (
                f"This is a bug of the bot, reference `{reference}`. Look at the state with `/canary status`."
            )
            return Outcome("failed", "internal", text, verb=command.verb, service=name)
        return replace(outcome, verb=command.verb)

    def _too_late(self, desk: Desk, scene: Scene, parsed: c.Parsed) -> Outcome | None:
        age = desk.now() - scene.comment.created_at
        no_harm = age <= STOPPING_AGE and all(isinstance(x, _EVER) for x in parsed.commands)
        if age <= self.max_command_age or no_harm:
            return None
        shown = f"{int(age.total_seconds() // 3600)} h {int(age.total_seconds() // 60) % 60} min"
        text = f"This command arrived too late ({shown}); nothing was done."
        return declined(Problem("too-late", text, "Please repeat it."), verb=parsed.commands[0].verb)

    def _not_here(self, scene: Scene, parsed: c.Parsed) -> Outcome | None:
        if scene.pull.locked and not all(isinstance(x, _EVER) for x in parsed.commands):
            text = "The conversation is locked: only `/rollback`, `/hold` and questions are answered here."
            return declined(Problem("locked", text, "Unlock it."), verb=parsed.commands[0].verb)
        return None

    def _lacks(self, desk: Desk, scene: Scene, command: c.Command) -> Problem | None:
        """The one place where a person's right to a verb is decided; unknown people have none."""
        needed = Role[BY_VERB[command.verb].who.upper()]
        role = scene.role(desk)
        if role >= needed:
            return None
        return Problem(
            "not-allowed",
            f"{code('/' + command.verb)} needs **{needed.name.lower()}** access to this repository; "
            f"{code(scene.comment.author.login)} has {role.name.lower()}.",
            "Ask somebody with that role.",
        )

    # --- the sweep ----------------------------------------------------------------------------

    def _sweep(self, repo: Repository, subject: Subject) -> None:
        """Find what no webhook told: a handful of requests for a whole repository."""
        now = self.clock.now()
        numbers: dict[int, None] = {}
        rolling: dict[int, None] = {}
        unanswered: dict[int, list[Comment]] = {}
        for number, comment in repo.comments_since(now - SWEEP_BACK):
            unanswered.setdefault(number, []).append(comment)
            answer = Answer.read(comment.body) if comment.ours else None
            if answer is not None and answer.rollout:
                rolling[number] = None
        desk = Desk(repo, self.clock, self.rulebook, self.historian)
        numbers.update(dict.fromkeys(n for n, said in unanswered.items() if self._waiting(desk, said)))
        for pull in repo.open_pulls():
            if pull.ours or now - pull.updated_at < FRESH:
                numbers[pull.number] = None
        for pull in repo.pulls_closed_since(now - SWEEP_BACK):
            if pull.ours or pull.number in rolling:
                numbers[pull.number] = None
        for number in numbers:
            where = Subject(subject.installation, subject.repository, f"pull/{number}")
            self.marks(where, at=now, why="sweep")


def _dispatch(case: Case, command: c.Command) -> Outcome:
    match command:
        case c.Canary():
            return starting.canary(case, command)
        case c.Plan():
            return starting.plan(case, command)
        case c.Cancel():
            return ending.cancel(case, command)
        case c.Promote():
            return verbs.promote(case, command)
        case c.Rollback():
            return verbs.rollback(case, command)
        case c.Hold():
            return verbs.hold(case, command)
        case c.Resume():
            return verbs.resume(case, command)
        case c.Status():
            return answering.status(case, command)
        case c.Why():
            return answering.why(case, command)
        case _:  # pragma: no cover - ``check_built`` stands before
            raise ValueError(command)


def _same_refusal(scene: Scene, outcomes: Sequence[Outcome], now: datetime) -> tuple[Comment, str] | None:
    """Find an earlier reply that told the same person the same lack of a right, to be extended in place.

    Who may not command could otherwise make the bot write as often as they like: one reply an hour.
    """
    if any(o.code != "not-allowed" for o in outcomes):
        return None
    authors = {f"{x.kind}/{x.id}": x.author.id for x in scene.comments}
    for reply in scene.comments:
        answer = Answer.read(reply.body) if reply.ours and now - reply.created_at < REFUSAL_PAUSE else None
        if (
            answer is None
            or answer.code != "not-allowed"
            or authors.get(answer.to) != scene.comment.author.id
        ):
            continue
        if answer.verbs != tuple(o.verb for o in outcomes):
            continue
        extended = replace(answer, also=(*answer.also[-49:], scene.key))
        return reply, reply.body.replace(answer.marker(), extended.marker())
    return None


def _general(command: c.Command) -> Outcome:
    """Answer a command that is about no service."""
    if isinstance(command, c.Help):
        return answering.helping(command)
    raise ValueError(command)  # pragma: no cover - ``check_built`` stands before


def _conversation(comments: Sequence[Comment], reviews: Sequence[Comment]) -> tuple[Comment, ...]:
    return tuple(sorted((*comments, *reviews), key=lambda x: (x.created_at, x.id)))


def _with_known_names(desk: Desk, scene: Scene, parsed: c.Parsed) -> tuple[Problem, ...]:
    """Say which services there are where a name was not understood."""
    if not any(p.code in {"bad-name", "unknown-service"} for p in parsed.problems):
        return parsed.problems
    try:
        names = [s.name for s in scene.services(desk)]
    except Declined:
        return parsed.problems
    return c.parse_comment(scene.comment.body, known=names).problems or parsed.problems


def _superseded(scene: Scene, command: c.Command, service: Service) -> Problem | None:
    """Find somebody else's share of the same service that this comment was written without knowing.

    Ids of comments rise: who wrote before our answer stood there did not see it. Lower id wins.
    """
    if not isinstance(command, c.Canary) or scene.comment.kind != "comment":
        return None
    for reply in scene.comments:
        answer = Answer.read(reply.body) if reply.ours else None
        if answer is None or answer.decision != "done" or "canary" not in answer.verbs:
            continue
        first = next((x for x in scene.comments if f"{x.kind}/{x.id}" == answer.to), None)
        if first is None or first.author.id == scene.comment.author.id or answer.service != service.name:
            continue
        if first.id < scene.comment.id < reply.id:
            return Problem(
                "superseded",
                f"Superseded by {code(first.author.login)}, whose command on {code(service.name)} came first.",
                f"Look at the answer to it, and repeat yours if you still want it: {first.url}".rstrip(": "),
            )
    return None
