"""One look at one subject: the whole bot, seen from the engine."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.core import commands as c
from bot.core import discovery, report
from bot.core.checks import Press
from bot.core.command import OfService
from bot.core.frozen import EVERYTHING
from bot.core.markers import Answer, Proposal
from bot.core.outcome import Outcome, declined
from bot.core.problems import Declined, OutsideFailure, Problem
from bot.ports import Exists, Missing, Moved, Reaction, Refused, Subject
from bot.service import (
    adopting,
    answering,
    authority,
    earlier,
    ending,
    freezing,
    overlapping,
    pressing,
    proposing,
    queueing,
    readback,
    retargeting,
    retrying,
    starting,
    verbs,
)
from bot.service.checks import plan_check, quiet_checks
from bot.service.converge import converge
from bot.service.desk import Desk
from bot.service.finding import Index
from bot.service.gating import Answers, NoGates
from bot.service.journal import Answered, Followed, Journal, Stuck, unread
from bot.service.reading import Historian, Service
from bot.service.scene import Kind, Scene
from bot.service.verbs import Case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.ports import Check, Clock, Comment, Forge, Gates, Pull, Repository
    from bot.service.configuring import Rulebook

log = structlog.get_logger("canary")

MAX_COMMAND_AGE = timedelta(hours=1)
STOPPING_AGE = timedelta(hours=24)  # a day later even a rollback may be the wrong thing to do
OLDEST = timedelta(hours=72)  # as long as GitHub keeps deliveries; older comments are history and get silence
SWEEP_BACK = OLDEST
FRESH = timedelta(hours=2)
MOST_OF_ONE = 10  # comments of one person in one look; nobody shall use up what all others need
PAUSE = timedelta(minutes=1)
LEFT_BEHIND = "repository/ours"
"""A sweep for comments without an answer and for the bot's own pull requests, and nothing else."""


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
_EVER = (c.Rollback, c.Hold, c.Freeze, c.Status, c.Why, c.Help, c.Plan)


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
    journal: Journal = unread
    rehearsal: bool = False
    service: str | None = None
    index: Index = field(default_factory=Index)
    gates: Gates = field(default_factory=NoGates)
    answers: Answers = field(default_factory=Answers)

    def look(self, subject: Subject, why: str) -> datetime | None:
        """Look at a subject, do what is missing, and say when to look again.

        Raises:
            OutsideFailure: GitHub did not answer; what was done so far is found by the next look.
        """
        try:
            repo = self.forge.repository(subject.installation, subject.repository)
            desk = self._desk(repo)
            kind, _, rest = subject.what.partition("/")
            if kind == "pull":
                return self._look_at_pull(desk, subject, int(rest), why)
            if kind == "button":
                return self._look_at_button(desk, subject)
            if kind == "checks":
                return self._look_again(desk, subject, rest)
            if kind == "group":
                return queueing.look(desk, rest)
            if kind == "service":
                base, _, key = rest.partition(":")
                service = Service.parse(base, key)
                return self._converge(desk, service) if service is not None else None
            self._sweep(repo, subject, everybodys=subject.what != LEFT_BEHIND)
        except Missing:
            log.info("gone", repository=subject.repository, subject=subject.what)
        except Refused as refusal:
            # Not installed any more, or a right is missing: no retry helps before somebody changes that.
            log.warning(
                "refused", repository=subject.repository, subject=subject.what, said=str(refusal)[:200]
            )
            self.journal(Stuck(subject.what, str(refusal)[:200]))
        except (Moved, Exists) as race:
            raise OutsideFailure(f"something moved: {type(race).__name__}") from race
        return None

    def judge(self, subject: Subject, sha: str) -> Check | None:
        """Judge the manifests of a pull request at its head ``sha``, and write nothing.

        ``None`` when the pull request or its base branch is gone.

        Raises:
            Moved: The head is another commit by now, and what is said must not be said of this one.
            OutsideFailure: GitHub did not answer.
            Refused: The token may not read what is needed.
        """
        repo = self.forge.repository(subject.installation, subject.repository)
        desk = self._desk(repo)
        try:
            pull = repo.pull(int(subject.what.partition("/")[2]))
            if pull.head_sha != sha:
                raise Moved("The pull request has a newer commit.")
            return plan_check(desk, pull)
        except Missing:
            return None

    def _desk(self, repo: Repository) -> Desk:
        return Desk(
            repo,
            self.clock,
            self.rulebook,
            self.historian,
            rehearsal=self.rehearsal,
            index=self.index,
            journal=self.journal,
            gates=self.gates,
            answers=self.answers,
        )

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
        counts: Counter[int] = Counter()
        for comment, parsed in waiting:
            counts[comment.author.id] += 1
            if counts[comment.author.id] > MOST_OF_ONE:
                continue
            if stale:
                # The next command finds the world as the last one left it, our reply included.
                comments = _conversation(desk.repo.comments(number), reviews)
            pull = desk.repo.pull(number) if pull is None or stale else pull
            scene = Scene.of(pull, comment, comments)
            stale = self._work_off(desk, scene, parsed)
            self._look_elsewhere(desk, subject)
            set_check = stale and scene.kind is Kind.OPEN and why == "comment"
        desk.tell_the_rest()
        if any(count > MOST_OF_ONE for count in counts.values()):
            self.marks(subject, at=desk.now() + PAUSE, why="sweep")
        if set_check:
            return None  # a command on a feature pull request leaves its check as it should be
        pull = desk.repo.pull(number) if pull is None or stale else pull
        return self._follow_up(desk, subject, pull)

    def _look_at_button(self, desk: Desk, subject: Subject) -> datetime | None:
        """Work off a press as the comment that would say the same; a press that has its answer stays answered."""
        press = Press.parse(subject.what)
        if press is None:
            return None
        pull = desk.repo.pull(press.pull)
        scene = pressing.scene_of(desk, press, pull, desk.repo.comments(press.pull))
        if pressing.take_up(desk, scene, press) and desk.now() - scene.comment.created_at <= OLDEST:
            self._work_off(desk, scene, c.parse_comment(scene.comment.body))
            desk.tell_the_rest()
            pull = desk.repo.pull(press.pull)
        self._follow_up(desk, subject, pull)
        pressing.put_away(desk, press)
        return None

    def _look_again(self, desk: Desk, subject: Subject, rest: str) -> datetime | None:
        """Judge all checks of a commit anew: somebody asked for it, and GitHub lets them wait until then."""
        desk.again, _, named = rest.partition("/")
        numbers = (int(named),) if named else pressing.pulls_of(desk, desk.again)
        if not numbers:
            queueing.look(desk, desk.again)
        for number in numbers:
            self._look_at_pull(desk, subject, number, "check")
        pressing.end_the_rest(desk, desk.again, next(iter(numbers), None))
        return None

    def _follow_up(self, desk: Desk, subject: Subject, pull: Pull) -> datetime | None:
        proposal = Proposal.read(pull.body) if pull.ours else None
        if proposal is not None:
            service = Service.parse(proposal.base, proposal.service)
            if pull.merged and service is not None:
                readback.look(desk, pull, proposal, service)
            again = self._converge(desk, service) if service is not None else None
            self._again(subject, service, again)
            if pull.state == "open":
                pull = desk.repo.pull(pull.number)  # the look may have rebuilt, merged or closed it
            if pull.state == "open":
                self._check(desk, pull, proposal)
            return None
        if pull.merged:
            for service in self._services_after_merge(desk, pull):
                self._again(subject, service, self._converge(desk, service))
        elif pull.state == "open":
            self._check(desk, pull)
        return None

    def _converge(self, desk: Desk, service: Service) -> datetime | None:
        progress = converge(desk, service)
        self.journal(Followed(service, progress))
        return progress.again

    def _again(self, subject: Subject, service: Service | None, again: datetime | None) -> None:
        if service is not None and again is not None:
            where = Subject(subject.installation, subject.repository, service.what)
            self.marks(where, at=again, why="timer")

    def _look_elsewhere(self, desk: Desk, subject: Subject) -> None:
        """Ask for looks at what a command has changed besides its own pull request; a sweep would find it too."""
        for what in dict.fromkeys(desk.elsewhere):
            where = Subject(subject.installation, subject.repository, what)
            self.marks(where, at=desk.now(), why="timer")
        desk.elsewhere.clear()

    def _check(self, desk: Desk, pull: Pull, proposal: Proposal | None = None) -> None:
        check = plan_check(desk, pull)
        judged = proposal is not None and proposal.kind == "step"  # by ``converge``
        if judged:
            quiet: tuple[Check, ...] = ()
        elif check is None or check.conclusion == "neutral":
            quiet = quiet_checks(desk, pull.number, proposal)  # no rollout begins here
        else:
            quiet = overlapping.quiet(desk, pull, proposal)
        desk.tell(pull.head_sha, quiet if check is None else (check, *quiet))

    def _services_after_merge(self, desk: Desk, pull: Pull) -> tuple[Service, ...]:
        # Also services whose rollout began on another pull request: the branch may have been merged by this one.
        tip = desk.tip(pull.base_ref)
        if tip is None:
            return ()
        keys: dict[str, None] = {}
        for changed in desk.repo.changed_files(pull):
            if changed.path.endswith((".yaml", ".yml", ".json")):
                records = desk.historian.all_records(desk.repo, changed.path, tip)
                keys.update(dict.fromkeys(record.service for record in records))
        return tuple(s for key in keys if (s := Service.parse(pull.base_ref, key)) is not None)

    # --- comments -----------------------------------------------------------------------------

    def _waiting(self, desk: Desk, comments: Sequence[Comment]) -> list[tuple[Comment, c.Parsed]]:
        """Give the comments that hold commands and have no answer of ours, in their order."""
        answered = earlier.answered(comments)
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
        desk.known = authority.Known()  # whoever asks is looked up now, for each comment anew
        outcomes = self._outcomes(desk, scene, parsed)
        desk.answering = ""
        if scene.press is not None:
            outcomes = [replace(o, verb=o.verb or scene.press.verb) for o in outcomes]
        author = scene.comment.author.login
        refusal = earlier.same_refusal(scene, outcomes, desk.now())
        if refusal is None:
            desk.repo.reply(scene.pull.number, report.reply(scene.key, author, outcomes))
        else:
            desk.repo.edit_reply(refusal[0].id, refusal[1])
        worst = next((o for o in outcomes if o.decision not in {"done", "pending", "answered"}), outcomes[0])
        desk.repo.react(scene.comment, _REACTIONS[worst.decision])
        self.journal(Answered(scene.pull.number, scene.key, tuple(outcomes)))
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
        try:
            early = self._too_late(desk, scene, parsed) or self._not_here(scene, parsed)
            if early is not None:
                return [early]
            early = self._refused(desk, scene, [(x, None) for x in parsed.commands], early=True)
            if early is not None:
                return [early]
            outdated = pressing.outdated(desk, scene)
            if outdated is not None:
                return [outdated]
            planned = [(x, s) for x in parsed.jobs() for s in self._services(desk, scene, x)]
            refused = self._refused(desk, scene, planned)
            if refused is not None:
                return [refused]
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
        if isinstance(command, c.Freeze):
            return (freezing.scope_of(desk, scene, command.service),)
        if isinstance(command, c.Unfreeze):
            # The service may be in no file any more; who may end its freeze follows from its name.
            name = None if command.service in {None, EVERYTHING} else command.service
            return (Service(scene.base, "", f"/{discovery.name_of(name)}") if name else None,)
        by_name = not isinstance(command, c.Retarget)
        return scene.chosen(desk, command.service or self.service, by_name=by_name)

    def _carry_out(self, desk: Desk, scene: Scene, command: c.Command, service: Service | None) -> Outcome:
        name = service.name if service is not None else ""
        try:
            if isinstance(command, c.Freeze | c.Unfreeze):
                authority.require(desk, command.verb, scene.comment.author, service)
                return replace(self._freeze(desk, scene, command, service), verb=command.verb)
            if service is None or isinstance(command, c.Help):
                return _general(command)
            late = earlier.superseded(scene, command, service)
            if late is not None:
                return declined(late, verb=command.verb, service=name)
            authority.require(desk, command.verb, scene.comment.author, service)
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

    @staticmethod
    def _freeze(desk: Desk, scene: Scene, command: c.Freeze | c.Unfreeze, service: Service | None) -> Outcome:
        """Freeze or unfreeze, and have every open step looked at: what its check says has changed."""
        if isinstance(command, c.Freeze):
            outcome = freezing.freeze(desk, scene, command, service)
        else:
            outcome = freezing.unfreeze(desk, scene, command)
        for pull in desk.repo.open_pulls() if outcome.decision == "done" else ():
            proposal = Proposal.read(pull.body) if pull.ours else None
            where = Service.parse(proposal.base, proposal.service) if proposal is not None else None
            if where is not None:
                desk.elsewhere.append(where.what)
            if proposal is not None and proposal.kind == "start":
                desk.elsewhere.append(f"pull/{pull.number}")
        return outcome

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

    def _refused(
        self,
        desk: Desk,
        scene: Scene,
        planned: Sequence[tuple[c.Command, Service | None]],
        *,
        early: bool = False,
    ) -> Outcome | None:
        """Decline a comment as a whole where one command on one service is not allowed.

        ``early`` are commands whose services are not known yet: it is asked as far as the services do not matter,
        so that who may nothing does not make the bot look for them.
        """
        lacking: list[Problem] = []
        for command, service in planned:
            if early and not authority.is_the_same_for_all(desk, command.verb):
                continue
            try:
                verdict = authority.allowed(desk, command.verb, scene.comment.author, service)
            except Declined as error:
                lacking += error.problems
                continue
            if not verdict.allowed:
                lacking.append(authority.refusal(command.verb, scene.comment.author, service, verdict))
        if not lacking:
            return None
        return declined(*dict.fromkeys(lacking), verb=planned[0][0].verb)

    # --- the sweep ----------------------------------------------------------------------------

    def _sweep(self, repo: Repository, subject: Subject, *, everybodys: bool) -> None:
        """Find what no webhook told: a handful of requests for a whole repository.

        Only the checks of ``everybodys`` pull requests are left out where somebody else looks after them.
        """
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
        waiting = repo.open_pulls()
        for pull in waiting:
            if pull.ours or (everybodys and now - pull.updated_at < FRESH):
                numbers[pull.number] = None
        for pull in repo.pulls_closed_since(now - SWEEP_BACK):
            # What was merged of late may begin a rollout whose command is older than the comments looked at.
            late = pull.merged_at is not None and now - pull.merged_at < FRESH
            if pull.ours or late or pull.number in rolling:
                numbers[pull.number] = None
        subjects = [f"pull/{number}" for number in numbers]
        if waiting:  # a queue holds open pull requests
            subjects += [f"group/{branch.sha}" for branch in repo.queue_branches()]
        for what in subjects:
            self.marks(Subject(subject.installation, subject.repository, what), at=now, why="sweep")


def _dispatch(case: Case, command: c.Command) -> Outcome:  # noqa: C901, PLR0912 - a line for each verb
    match command:
        case c.Canary():
            return starting.canary(case, command)
        case c.Plan():
            return starting.plan(case, command)
        case c.Retarget():
            return retargeting.retarget(case, command)
        case c.Cancel():
            return ending.cancel(case, command)
        case c.Adopt():
            return adopting.adopt(case, command)
        case c.Retry():
            return retrying.retry(case, command)
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
        case _:  # pragma: no cover - every verb has its line
            raise ValueError(command)


def _general(command: c.Command) -> Outcome:
    """Answer a command that is about no service."""
    if isinstance(command, c.Help):
        return answering.helping(command)
    raise ValueError(command)  # pragma: no cover - no other verb is about no service


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
