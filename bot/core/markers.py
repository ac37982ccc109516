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

LONGEST = 40_000  # characters of JSON; GitHub takes 65,536 in a body, and a hundred steps have half of this
# No ``<`` and no ``>`` is written, so that a text full of beginnings is read once and not once for each of them.
_MARKER = re.compile(rf"<!-- canary-bot:([a-z-]+) (\{{[^\r\n<>]{{0,{LONGEST}}}\}}) -->", re.ASCII)


# A reply's stands alone on its last line: what somebody else's program quotes in the middle of a text of its own is
# no reply, also where both programs write under one account.
_LAST = re.compile(rf"(?:\A|\n)(<!-- canary-bot:reply \{{[^\r\n<>]{{0,{LONGEST}}}\}} -->)\s*\Z", re.ASCII)


# What the bot writes, and nothing else: whoever may write to the repository may edit the text around a value, and the
# value. A name of a branch, a line of a commit message and a title are made of some of these.
_LOGIN = r"[A-Za-z0-9_-]{1,100}(\[bot\])?"
_SHA = r"[0-9a-f]{40}|[0-9a-f]{64}"
_KEY = r"(comment|review|button)/[0-9]{1,25}"
_SEEN = rf"{_KEY}|[a-z][a-z-]{{0,60}}"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?[+-][0-9]{2}:[0-9]{2}"
_ROLLOUT = r"[a-z0-9-]{1,300}-[0-9a-f]{8}"
_LINE = r"\x00-\x1f\x7f-\x9f\u2028\u2029"  # what no line holds
_SERVICE = rf"[^{_LINE}]{{1,500}}#[^ #{_LINE}]{{0,400}}/[^ #/{_LINE}]{{1,253}}"
_BRANCH = rf"[^ ~^:?*\[\\{_LINE}]{{1,255}}"  # git check-ref-format
_MOST = 10**9  # of a count
_MOST_ID = 10**19
_ALL = 100  # percent
_LONGEST_NAME = 200  # characters of an author's name in a commit
_LONGEST_REASON = 2000


def _text(value: object, shape: str, *, empty: bool = False) -> str:
    """Give a text of a shape. Raises ``ValueError``."""
    if isinstance(value, str) and (re.fullmatch(shape, value) or (empty and not value)):
        return value
    raise ValueError(shape)


def _time(value: object, *, empty: bool = False) -> str:
    """Give an ISO time with its offset. Raises ``ValueError``."""
    text = _text(value, _TIME, empty=empty)
    if text:
        datetime.fromisoformat(text)
    return text


def _any(value: object, longest: int) -> str:
    """Give a text that is only ever shown in a code span. Raises ``ValueError``."""
    if isinstance(value, str) and len(value) <= longest:
        return value
    raise ValueError(longest)


def _count(value: object, most: int = _MOST) -> int:
    if type(value) is int and 0 <= value <= most:
        return value
    raise ValueError(most)


def _list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise TypeError


def _write(kind: str, value: dict[str, Any]) -> str:
    # ``--`` or ``>`` would end the HTML comment early, so those characters are escaped in the JSON.
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    text = text.replace("--", "\\u002d\\u002d").replace("<", "\\u003c").replace(">", "\\u003e")
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

    @classmethod
    def of(cls, value: dict[str, Any]) -> Hold:
        """Read the value out of a marker. Raises ``TypeError`` or ``ValueError`` where nobody wrote it so."""
        hold = cls(**value)
        _text(hold.by, _LOGIN, empty=True)
        _text(hold.cause, "command|closed|early-merge|read-back|gate")
        _count(hold.comment, _MOST_ID)
        _any(hold.reason, _LONGEST_REASON)
        _time(hold.until, empty=True)
        return hold


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

    @classmethod
    def of(cls, value: dict[str, Any]) -> Wish:
        """Read the value out of a marker. Raises ``TypeError`` or ``ValueError`` where nobody wrote it so."""
        wish = cls(**value)
        _text(wish.by, _LOGIN)
        _text(wish.to, _KEY)
        _count(wish.pull)
        _count(wish.by_id, _MOST_ID)
        return wish

    @property
    def trailers(self) -> str:
        """What the message of a merge says of it. Raises ``ValueError`` for what would be other lines."""
        number = _text(self.to, _KEY).rpartition("/")[2]
        return f"Canary-Promoted-By: {_text(self.by, _LOGIN)}\nCanary-Comment: {number}"


@dataclass(frozen=True, slots=True)
class Said:
    """A comment that may hold an override, ``comment/<id>`` on ``pull``: where to look, no more.

    ``about`` are the marks of the freezes and gates that held the step when the bot read it: others it is not about.
    """

    to: str
    pull: int
    about: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: dict[str, Any]) -> Said:
        """Read the value out of a marker. Raises ``TypeError`` or ``ValueError`` where nobody wrote it so."""
        about = tuple(_text(one, "[0-9a-f]{12}") for one in _list(value.get("about", [])))
        return cls(_text(value["to"], _KEY), _count(value["pull"]), about)


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

    @classmethod
    def of(cls, value: dict[str, Any]) -> Past:
        """Read the value out of a marker. Raises ``TypeError`` or ``ValueError`` where nobody wrote it so."""
        past = cls(**value)
        _count(past.weight, _ALL)
        _time(past.when)
        _any(past.by, _LONGEST_NAME)
        _count(past.pull)
        _text(past.asked, _LOGIN, empty=True)
        return past


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
            _time(value["since"])
            _count(value["weight"], _ALL)
            _count(value["comment"], _MOST_ID)
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
    ``handed`` is the head that the bot gave to GitHub's merge queue or auto-merge, empty if it did not;
    ``asked <head>`` while it does not know whether GitHub took it, ``out <head> <ISO time>`` where it was taken out of
    the queue.
    ``unmet`` are the kinds of rules, ``approvals`` and ``freeze``, that did not let the step pass when it was judged
    last: who merges it then merges early.
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
    unmet: tuple[str, ...] = ()

    def marker(self) -> str:
        """Give the text that stands in the pull request's body: of too many steps the oldest are left out."""
        value = asdict(self)
        text = _write("pull", value)
        while len(text) > LONGEST and value["past"]:
            value["past"] = value["past"][1:]
            text = _write("pull", value)
        return text

    def put(self, body: str) -> str:
        """Give a body with this value in the place of the one that it holds, however that was written."""
        return _MARKER.sub(lambda found: self.marker() if found[1] == "pull" else found[0], body)

    def saw(self, comment: str) -> Self:
        """Remember that a command was worked into this value."""
        return self if comment in self.seen else replace(self, seen=(*self.seen[-19:], comment))

    @classmethod
    def read(cls, body: str) -> Proposal | None:
        """Read the value from a body of ours; ``None`` when there is none, or it is not what the bot writes."""
        value = _read("pull", body)
        if value is None:
            return None
        try:
            held = {f.name: value[f.name] for f in fields(cls) if f.name in value}
            held["hold"] = Hold.of(held["hold"]) if held.get("hold") else None
            held["wish"] = Wish.of(held["wish"]) if held.get("wish") else None
            held["seen"] = tuple(_text(s, _SEEN) for s in _list(held.get("seen", [])))
            held["unmet"] = tuple(_text(s, "approvals|freeze") for s in _list(held.get("unmet", [])))
            held["past"] = tuple(Past.of(one) for one in _list(held.get("past", [])))
            held["adopted"] = Adopted.of(held.get("adopted"))
            held["overrides"] = tuple(Said.of(one) for one in _list(held.get("overrides", [])))
            proposal = cls(**held)
            proposal.check()
        except (TypeError, ValueError, AttributeError, KeyError):
            return None
        return proposal

    def check(self) -> None:
        """See that every field is something that the bot writes. Raises ``ValueError``."""
        _text(self.kind, "start|step|rollback")
        _text(self.service, _SERVICE)
        _text(self.base, _BRANCH)
        _text(self.rollout, _ROLLOUT)
        _count(self.weight, _ALL)
        _count(self.before, _ALL)
        _count(self.pull)
        _count(self.failed)
        _time(self.since, empty=True)
        _time(self.live, empty=True)
        _text(self.closed, "[a-z-]{1,40}", empty=True)
        _text(self.state, "[0-9a-f]{16}", empty=True)
        _text(self.commit, _SHA, empty=True)
        _text(self.handed, rf"(asked )?({_SHA})|out ({_SHA}) ({_TIME})", empty=True)
        _text(self.cause, "gate [a-z0-9-]{1,63}", empty=True)


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
            held["hold"] = Hold.of(held["hold"]) if held.get("hold") else None
            held["verbs"] = tuple(str(v) for v in held.get("verbs", ()))
            held["also"] = tuple(str(v) for v in held.get("also", ()))
            return cls(**held)
        except (TypeError, ValueError, AttributeError):
            return None
