"""What the bot writes for itself into its own comments and pull requests.

A marker is one HTML comment with JSON. It is believed only where this App wrote the text
that holds it (the adapter's ``ours``), and it holds nothing that could not be said again.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal, Self

_MARKER = re.compile(r"<!-- canary-bot:([a-z-]+) (\{[^\r\n]{0,8000}\}) -->", re.ASCII)


# A reply's stands alone on its last line: what somebody else's program quotes in the middle of a text of its own is
# no reply, also where both programs write under one account.
_LAST = re.compile(r"(?:\A|\n)(<!-- canary-bot:reply \{[^\r\n]{0,8000}\} -->)\s*\Z", re.ASCII)


_LOGIN = r"[A-Za-z0-9_-]{1,100}(\[bot\])?"


def _write(kind: str, value: dict[str, Any]) -> str:
    # ``--`` or ``>`` would end the HTML comment early, so those characters are escaped in the JSON.
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    text = text.replace("-", "\\u002d").replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<!-- canary-bot:{kind} {text} -->"


def _read(kind: str, body: str) -> dict[str, Any] | None:
    for found in _MARKER.finditer(body):
        if found[1] == kind:
            try:
                value = json.loads(found[2])
            except (ValueError, RecursionError):
                return None
            return value if isinstance(value, dict) else None
    return None


def strip(body: str) -> str:
    """Give a text without its markers."""
    return _MARKER.sub("", body).rstrip()


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold on a rollout. ``until`` is an ISO time or empty; ``comment`` is the command's id or 0.

    ``reason`` is the merge commit where ``cause`` is ``read-back``.
    """

    by: str
    cause: Literal["command", "closed", "early-merge", "read-back", "gate"]
    comment: int = 0
    reason: str = ""
    until: str = ""

    @property
    def expires(self) -> datetime | None:
        """When the hold ends by itself."""
        return datetime.fromisoformat(self.until) if self.until else None

    def joined(self, asked: Hold) -> Hold:
        """Give what holds when another hold is asked for while this one is there: it never ends sooner.

        What only ``/resume`` ends has no end with a person's word in it either; of a read-back nothing is taken away.
        """
        if self.cause == "read-back":
            return self
        if self.cause != "command":
            return replace(asked, until="")
        ends, later = self.expires, asked.expires
        return asked if ends is not None and (later is None or later > ends) else self


@dataclass(frozen=True, slots=True)
class Wish:
    """A promotion that somebody asked for.

    ``to`` is ``comment/<id>``, ``review/<id>`` or ``button/<id>`` on ``pull``. ``by_id`` is the account's id: a login
    may go over to somebody else before the wish is done.
    """

    by: str
    to: str
    pull: int
    by_id: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """A comment that may hold an override, ``comment/<id>`` on ``pull``: where to look, no more.

    ``about`` are the marks of the freezes and gates that held the step when the bot read it: others it is not about.
    """

    to: str
    pull: int
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """A step that was merged: the candidate's share from then on, when, by whom, and in which pull request.

    ``when`` is an ISO time; ``pull`` is 0 where it was no pull request. ``asked`` promoted it, where somebody did.
    """

    weight: int
    when: str
    by: str
    pull: int
    asked: str = ""

    @property
    def at(self) -> datetime:
        """When it was merged."""
        return datetime.fromisoformat(self.when)


@dataclass(frozen=True, slots=True)
class Adopted:
    """A split that people set by hand and that the rollout goes on from, see ``/canary adopt``.

    ``weight`` is the candidate's share in it, ``sha`` the commit that brought it, ``since`` the ISO time of its merge.
    ``by`` and ``comment`` are whose word it was.
    """

    sha: str
    weight: int
    since: str
    by: str
    comment: int

    @property
    def trailer(self) -> str:
        """What a commit message says of it."""
        return f"{self.sha} by {self.by}"

    @classmethod
    def of(cls, value: object) -> Adopted | None:
        """Read the value out of a marker; ``None`` where it is not what this class writes."""
        if not isinstance(value, dict) or set(value) != {f.name for f in fields(cls)}:
            return None
        texts = (value["sha"], value["by"], value["since"])
        numbers = (value["weight"], value["comment"])
        if not all(isinstance(x, str) for x in texts) or not all(type(x) is int for x in numbers):
            return None
        # Both stand in a commit message later.
        if not re.fullmatch(r"[0-9a-f]{40,64}", value["sha"]) or not re.fullmatch(
            _LOGIN, value["by"], re.ASCII
        ):
            return None
        try:
            datetime.fromisoformat(value["since"])
        except ValueError:
            return None
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one of the bot's pull requests is for; stands in its body.

    ``since`` is the ISO time of the merge that the bake time counts from, ``commit`` the sha of what was merged
    then, ``live`` the ISO time since when a cluster has it, where one was asked. ``closed`` says why the bot
    closed the pull request, empty if it did not. ``seen`` are ids of commands that changed this value. ``past``
    are the steps merged before, oldest first; ``state`` tells whether the text around this value is still right.
    ``adopted`` is the hand edit that the step goes on from, if it does.
    ``failed`` counts how often a gate has held the step. ``cause`` says which rule asked for a rollback, empty
    where a person did.
    ``overrides`` are comments that want rules set aside for this step.
    ``handed`` is the head that the bot gave to GitHub's merge queue or auto-merge, empty if it did not.
    """

    kind: Literal["start", "step", "rollback"]
    service: str
    rollout: str
    weight: int
    before: int
    pull: int
    base: str
    since: str = ""
    closed: str = ""
    hold: Hold | None = None
    wish: Wish | None = None
    seen: tuple[str, ...] = ()
    past: tuple[Past, ...] = ()
    state: str = ""
    adopted: Adopted | None = None
    commit: str = ""
    live: str = ""
    failed: int = 0
    cause: str = ""
    overrides: tuple[Said, ...] = ()
    handed: str = ""

    def marker(self) -> str:
        """Give the text that stands in the pull request's body."""
        return _write("pull", asdict(self))

    def put(self, body: str) -> str:
        """Give a body with this value in the place of the one that it holds, however that was written."""
        return _MARKER.sub(lambda found: self.marker() if found[1] == "pull" else found[0], body)

    def saw(self, comment: str) -> Self:
        """Remember that a command was worked into this value."""
        return self if comment in self.seen else replace(self, seen=(*self.seen[-19:], comment))

    @classmethod
    def read(cls, body: str) -> Proposal | None:
        """Read the value from a body of ours; ``None`` when there is none or it is damaged."""
        value = _read("pull", body)
        if value is None:
            return None
        try:
            held = {f.name: value[f.name] for f in fields(cls) if f.name in value}
            held["hold"] = Hold(**held["hold"]) if held.get("hold") else None
            held["wish"] = Wish(**held["wish"]) if held.get("wish") else None
            held["seen"] = tuple(str(s) for s in held.get("seen", ()))
            held["past"] = tuple(Past(**one) for one in held.get("past", ()))
            held["adopted"] = Adopted.of(held.get("adopted"))
            held["overrides"] = tuple(
                Said(str(x["to"]), int(x["pull"]), tuple(map(str, x.get("about", ()))))
                for x in held.get("overrides", ())
            )
            proposal = cls(**held)
            for written in filter(None, (proposal.since, proposal.live)):
                datetime.fromisoformat(written)
            if proposal.hold is not None and proposal.hold.until:
                datetime.fromisoformat(proposal.hold.until)
            for one in proposal.past:
                datetime.fromisoformat(one.when)
        except (TypeError, ValueError, AttributeError, KeyError):
            return None
        return proposal


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a comment for machines; stands in the reply.

    ``to`` is ``comment/<id>``, ``review/<id>`` or ``button/<id>``, or the name of a notice; ``also`` are
    further ones that this reply answers. ``by`` is who pressed the button: of a press there is no comment
    to look that up.
    """

    to: str
    decision: str
    code: str
    service: str = ""
    rollout: str = ""
    step: str = ""
    verbs: tuple[str, ...] = ()
    hold: Hold | None = None
    also: tuple[str, ...] = ()
    by: str = ""

    @property
    def answers(self) -> tuple[str, ...]:
        """Everything that this reply answers."""
        return (self.to, *self.also)

    def marker(self) -> str:
        """Give the text that stands in the reply."""
        return _write("reply", asdict(self))

    @classmethod
    def read(cls, body: str) -> Answer | None:
        """Read the value from a comment of ours; ``None`` when there is none or it is damaged."""
        last = _LAST.search(body)
        value = _read("reply", last[1]) if last else None
        if value is None:
            return None
        try:
            held = {f.name: value[f.name] for f in fields(cls) if f.name in value}
            held["hold"] = Hold(**held["hold"]) if held.get("hold") else None
            held["verbs"] = tuple(str(v) for v in held.get("verbs", ()))
            held["also"] = tuple(str(v) for v in held.get("also", ()))
            return cls(**held)
        except (TypeError, ValueError, AttributeError):
            return None
