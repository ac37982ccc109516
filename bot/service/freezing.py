"""Freezes that people type: read, put and lifted on a branch that only the bot writes.

``canary/freezes`` holds one small file, one commit of the bot for each change. Nothing else is believed: where the
last commit there is not the bot's, everything is frozen until somebody has mended that. A branch that is not there
freezes nothing, and costs one request a look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core import discovery, trailers
from bot.core.frozen import BRANCH, EVERYTHING, FILE, State, Typed
from bot.core.outcome import Outcome
from bot.core.problems import Declined, OutsideFailure, Problem
from bot.core.rollout import clock
from bot.core.text import code
from bot.core.trailers import FreezeChange
from bot.ports import Exists, File, Missing, Moved, Refused
from bot.service import proposing
from bot.service.finding import find_one
from bot.service.reading import Service
from bot.service.scene import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core import commands as c
    from bot.service.desk import Desk
    from bot.service.scene import Scene

_TRIES = 3  # writes that another one came before


def state(desk: Desk) -> State:
    """Read all freezes that were typed.

    Raises:
        Declined: ``freezes-not-believed``.
    """
    return _read(desk)[0]


def active(desk: Desk, service: Service) -> tuple[Typed, ...]:
    """Give the freezes that people typed, or the bot put, and that hold for a service now, wherever its file is.

    Those of the configuration are not among them, see ``bot.service.conditions``.

    Raises:
        Declined: ``freezes-not-believed``.
    """
    return state(desk).active(service.key, desk.now())


def put(desk: Desk, one: Typed) -> bool:
    """Freeze a service or everything; ``False`` where that freeze stands already, or was lifted since.

    For the bot's own: ``by`` is empty and ``to`` a name that follows from the cause, so that a second try changes
    nothing.

    Raises:
        Declined: ``freezes-not-believed``; GitHub refuses the write; a key that no commit message can hold.
        OutsideFailure: Others write all the time; look again later.
    """
    change = FreezeChange(True, one.scope, one.by or "rules", one.comment, one.until)
    return _write(desk, one.to, change, lambda old: old.put(one, desk.now()))


def lift(desk: Desk, scope: str, *, by: str, to: str, comment: int) -> bool:
    """End what freezes exactly this scope, ``all`` or a key; ``False`` where this command did so before.

    Raises:
        Declined, OutsideFailure: As ``put``.
    """
    change = FreezeChange(False, scope, by, comment)
    return _write(desk, to, change, lambda old: old.lift(scope, to, desk.now()))


def words(desk: Desk, one: Typed) -> str:
    """Say in Markdown what freezes, by whom, until when, and where that was typed."""
    what = "The whole repository is frozen" if one.scope == EVERYTHING else "Frozen"
    who = f" by {code(one.by)}" if one.by else " by the bot"
    link = link_of(desk, one)
    why = f", because {code(one.reason)}" if one.reason else ""
    until = f" until {clock(one.ends)}" if one.ends else ""
    return f"{what}{who}{until}{f' ({link})' if link else ''}{why}"


def link_of(desk: Desk, one: Typed) -> str:
    """Give the comment of a freeze as a link, empty where there is none."""
    if not one.pull:
        return ""
    fragment = {"comment": "#issuecomment-", "review": "#pullrequestreview-"}.get(one.to.partition("/")[0])
    end = f"{fragment}{one.comment}" if fragment and one.comment else ""
    return f"[#{one.pull}]({desk.repo.web_url}/pull/{one.pull}{end})"


# --- the branch -------------------------------------------------------------------------------


def _read(desk: Desk) -> tuple[State, File | None]:
    tip = desk.tip(BRANCH)
    if tip is None:
        return State(), None
    try:
        last = next(iter(desk.repo.history(FILE, tip, limit=1)), None)
        file = desk.repo.file(FILE, tip)
    except (Missing, Refused):
        raise _not_believed(desk) from None
    # A branch that was moved to any other commit, the bot's own included, shows by its last commit.
    if file is None or last is None or last.sha != tip or not last.ours or not trailers.freezes(last.message):
        raise _not_believed(desk)
    try:
        return State.read(file.content), file
    except ValueError:
        raise _not_believed(desk) from None


def _not_believed(desk: Desk) -> Declined:
    return Declined(
        Problem(
            "freezes-not-believed",
            f"The last commit of [`{BRANCH}`]({desk.repo.web_url}/commits/{BRANCH}) is not one of the bot's, so nobody "
            "knows what is frozen: nothing is promoted or started.",
            f"Delete the branch `{BRANCH}`; what is to be frozen is typed again then.",
        )
    )


def _write(desk: Desk, to: str, change: FreezeChange, edit: Callable[[State], State]) -> bool:
    """Work a command into the file, once."""
    try:
        said = change.trailers()
    except ValueError:
        message = f"The commit message of a freeze cannot hold {code(change.service)}."
        remedy = "Give the file a shorter path, without control characters."
        raise Declined(Problem("path-refused", message, remedy)) from None
    name = "everything" if change.service == EVERYTHING else change.service.rpartition("/")[2]
    message = f"{'Freeze' if change.on else 'Unfreeze'} {name}\n\n{said}\n"
    for _ in range(_TRIES):
        old, file = _read(desk)
        if to in old.seen:
            return False
        content = edit(old).content()
        try:
            if file is None:
                desk.repo.create_branch(BRANCH, desk.repo.commit_on(None, FILE, content, message))
            else:
                desk.repo.commit_file(BRANCH, file, content, message)
        except (Moved, Exists):
            continue
        except Refused as refusal:
            raise proposing.refused(refusal) from None
        finally:
            desk.forget(BRANCH)
        return True
    raise OutsideFailure(f"the branch {BRANCH} moves all the time")


# --- the commands -----------------------------------------------------------------------------


def scope_of(desk: Desk, scene: Scene, name: str | None) -> Service | None:
    """Give the service that ``/canary freeze`` names, ``None`` for the whole repository.

    Raises:
        Declined: ``unknown-service``, ``which-service``.
    """
    if name is None or name == EVERYTHING:
        return None
    if scene.kind in {Kind.OPEN, Kind.MERGED}:
        return scene.chosen(desk, name)[0]
    try:
        file = desk.config().of(discovery.name_of(name)).file
    except Declined:
        file = None  # a freeze passes a broken configuration, as a hold does: who is found by the name alone is meant
    hit = find_one(desk.repo, desk.base(scene.base), name, file=file, index=desk.index)
    return Service(scene.base, hit.path, hit.id)


def freeze(desk: Desk, scene: Scene, command: c.Freeze, service: Service | None) -> Outcome:
    """Stop promotions and starts of a service, or of the whole repository."""
    now = desk.now().replace(microsecond=0)
    until = "" if command.duration is None else (now + command.duration).isoformat()
    one = Typed(
        scope=EVERYTHING if service is None else service.key,
        by=scene.comment.author.login,
        to=scene.key,
        pull=scene.pull.number,
        since=now.isoformat(),
        until=until,
        reason=(command.reason or "")[:200],
    )
    name = service.name if service is not None else ""
    if not put(desk, one):
        earlier = next((x for x in state(desk).freezes if x.to == one.to), None)
        if earlier is None:
            return Outcome("already", "already", "This comment froze it; it was lifted since.", service=name)
        one = earlier
    what = f"of {code(name)} " if name else ""
    where = "" if name else " in this repository"
    ends = f" until {clock(one.ends)}" if one.ends else ""
    lifting = f"`/canary unfreeze{f' {name}' if name else ''}`"
    text = (
        f"**Frozen**{ends}: nothing {what}is promoted or started{where}. `/rollback` and `/hold` work as ever. "
        f"{lifting} ends it{' earlier' if one.ends else ''}; promotions that are asked for meanwhile are done then."
    )
    return Outcome("done", "applied", text, service=name)


def unfreeze(desk: Desk, scene: Scene, command: c.Unfreeze) -> Outcome:
    """End a freeze of a service, or that of the whole repository; the other ones hold on.

    Raises:
        Declined: ``which-service``.
    """
    before = state(desk)
    scopes = tuple(dict.fromkeys(x.scope for x in before.freezes if x.holds(desk.now())))
    name = None if command.service in {None, EVERYTHING} else command.service
    scope = EVERYTHING if name is None else _named(scopes, name, scene)
    if scene.key not in before.seen:
        if scope not in scopes:
            return Outcome("already", "already", _not_frozen(name, scopes), service=name or "")
        lift(desk, scope, by=scene.comment.author.login, to=scene.key, comment=scene.comment.id)
    left = [x for x in scopes if x != scope and (name is None or x == EVERYTHING)]
    what = f"The freeze of {code(name)}" if name else "The freeze of the whole repository"
    text = f"{what} is over; promotions that were asked for go on as soon as all rules pass.{_others(left)}"
    return Outcome("done", "applied", text, service=name or "")


def _named(scopes: tuple[str, ...], name: str, scene: Scene) -> str:
    """Find the frozen service that is meant; it need not be in any file any more."""
    services = [s for scope in scopes if (s := Service.parse(scene.base, scope)) is not None]
    hits = list({s.id: s for s in services if discovery.matches(s.hit, name)}.values())
    if len(hits) > 1:
        names = ", ".join(code(discovery.unambiguous(s.hit, [h.hit for h in hits]) or s.key) for s in hits)
        raise Declined(
            Problem(
                "which-service", f"Several frozen services are called {code(name)}.", f"Name one: {names}."
            )
        )
    return hits[0].key if hits else ""


def _not_frozen(name: str | None, scopes: tuple[str, ...]) -> str:
    what = f"No freeze of {code(name)} itself" if name else "No freeze of the whole repository"
    left = [x for x in scopes if name is None or x == EVERYTHING]
    return f"{what} was typed; those of `.github/canary.yaml` end there.{_others(left)}"


def _others(scopes: list[str]) -> str:
    if not scopes:
        return ""
    said = ", ".join(
        "the whole repository (`/canary unfreeze`)"
        if scope == EVERYTHING
        else f"{code(name := scope.rpartition('/')[2])} ({code(f'/canary unfreeze {name}')})"
        for scope in scopes
    )
    return f" Still frozen: {said}."


def refuse_start(desk: Desk, service: Service) -> None:
    """See that a start pull request may be opened: no freeze of any kind holds.

    Raises:
        Declined: ``frozen``, with what freezes and until when; ``config-invalid``, ``freezes-not-believed``.
    """
    from bot.service.conditions import freezes_on  # noqa: PLC0415 - ``conditions`` builds on this layer

    holding = freezes_on(desk, service)
    if not holding:
        return
    raise Declined(
        Problem(
            "frozen",
            f"Nothing is started now. {' '.join(f'{one.words}.' for one in holding)}",
            "Repeat the command then; on an open pull request `/canary` still works, and people merge that.",
        )
    )
