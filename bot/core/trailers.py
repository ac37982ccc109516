"""A rollout's memory in Git: the trailers of the bot's commits.

A message may hold several records, because a squash merge strings the messages of
a pull request's commits together; a record begins at each ``Canary-Service`` line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bot.core.naming import HASH_LENGTH
from bot.core.overrides import RULES

ROLLBACK: Literal["rollback"] = "rollback"
CANCEL: Literal["cancel"] = "cancel"
TRAFFIC = "traffic"
Step = int | Literal["rollback", "cancel"]
_TRAILER = re.compile(r"[ \t*>-]*(Canary-[A-Za-z]+(?:-[A-Za-z]+)*): ?([^\r\n]{0,500})", re.ASCII)
_ROLLOUT = re.compile(rf"[a-z0-9-]+-[0-9a-f]{{{HASH_LENGTH}}}", re.ASCII)
# A revision, or a destination of a route: ``namespace/host:port/subset``.
_NAME = re.compile(r"@latest|[A-Za-z0-9._:/-]{1,400}", re.ASCII)
_ROUTE = re.compile(r"([A-Za-z0-9._-]{1,63}(\[[0-9]{1,4}\])?(~[0-9a-f]{8})?)?", re.ASCII)
_DIGEST = re.compile(rf"([0-9a-f]{{{HASH_LENGTH}}})?", re.ASCII)
# Commits, of the repository and of the organisation's `.github`; `-` where there is no file.
_CONFIG = re.compile(r"((?:[0-9a-f]{40}|[0-9a-f]{64})|-)(?: ([0-9a-f]{40}|[0-9a-f]{64}))?", re.ASCII)
_OVERRIDE = re.compile(
    rf"[ \t*>-]*Canary-Override: ({'|'.join(RULES)}) by ([A-Za-z0-9_-]{{1,100}}) and ([A-Za-z0-9_-]{{1,100}})",
    re.ASCII,
)
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\+00:00)?", re.ASCII)
_CAUSE = re.compile(r"(gate [a-z0-9-]{1,63})?", re.ASCII)
_LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}(\[bot\])?", re.ASCII)
_ADOPTED = re.compile(rf"[0-9a-f]{{40,64}} by {_LOGIN.pattern}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pin:
    """Where a rollout's configuration was read when it began: full shas of commits.

    ``repository`` is a commit of the default branch, ``organisation`` one of the organisation's ``.github``; each is
    empty where there was no file.
    """

    repository: str = ""
    organisation: str = ""

    def __str__(self) -> str:
        """Give it as the trailer has it, empty where there was no file at all."""
        if not self.organisation:
            return self.repository
        return f"{self.repository or '-'} {self.organisation}"

    @classmethod
    def read(cls, text: str) -> Pin | None:
        """Read a trailer, ``None`` where it is none of ours."""
        found = _CONFIG.fullmatch(text)
        if found is None or text == "-":
            return None
        return cls(found[1].removeprefix("-"), found[2] or "")


@dataclass(frozen=True, slots=True)
class Record:
    """One step of a rollout, as a commit says it.

    ``service`` is ``path#namespace/name``; ``weight`` is the candidate's share after the commit,
    whole percent; ``steps`` are all weights of the rollout, rising to 100. ``pull`` is the pull
    request the rollout began on. ``step`` is the step's place counted from 1, or ``rollback``,
    or ``cancel`` (an unmerged rollout was taken back). ``route`` is the rule of a mesh or gateway object,
    empty for all else: its name or place, and behind ``~`` what tells it from others should that change.
    ``rules`` is the id of a rule set, or its path in the repository. ``config`` is what ``Pin`` writes: the commits
    whose configuration the rollout follows, empty where there was none. ``template`` is the digest of the template that
    the bot made the candidate's name for, empty where the name itself says so, or is a person's.
    ``adopted`` is ``<sha> by <login>`` where the step goes on from a hand edit that somebody accepted, else empty.
    ``cause`` is the rule that asked for a rollback that no person asked for, ``gate NAME``, empty for all else.
    ``again`` says that the candidate was rolled back before, and that somebody wanted it all the same.
    """

    service: str
    rollout: str
    step: Step
    weight: int
    steps: tuple[int, ...]
    stable: str
    candidate: str
    pull: int
    rules: str
    requested_by: str
    comment: int
    route: str = ""
    config: str = ""
    template: str = ""
    adopted: str = ""
    cause: str = ""
    again: bool = False

    @property
    def pin(self) -> Pin | None:
        """The commits whose configuration the rollout follows, ``None`` where there was none."""
        return Pin.read(self.config) if self.config else None

    def trailers(self) -> str:
        """Give the lines that stand at the end of the commit's message.

        Raises:
            ValueError: They would not say the same when they are read again.
        """
        step = f"{self.step}/{len(self.steps)}" if isinstance(self.step, int) else self.step
        lines = {
            "Service": self.service,
            "Rollout": self.rollout,
            "Step": step,
            "Weight": self.weight,
            "Steps": " ".join(str(w) for w in self.steps),
            "Stable": self.stable,
            "Candidate": self.candidate,
            "Pull": self.pull,
            "Rules": self.rules,
            "Requested-By": self.requested_by,
            "Comment": self.comment,
        }
        if self.route:
            lines["Route"] = self.route
        if self.config:
            lines["Config"] = self.config
        if self.template:
            lines["Template"] = self.template
        if self.adopted:
            lines["Adopted"] = self.adopted
        if self.cause:
            lines["Cause"] = self.cause
        if self.again:
            lines["Again"] = "yes"
        text = "\n".join(f"Canary-{key}: {value}" for key, value in lines.items())
        found = records(text)
        said = [(one.service, one.config, one.adopted) for one in found]
        if said != [(self.service, self.config, self.adopted)]:
            raise ValueError(f"no trailers: {self}")
        return text


@dataclass(frozen=True, slots=True)
class Edit:
    """A traffic block that was set by ``/traffic`` and the like, as a commit says it: no step of any rollout.

    ``service`` is ``path#namespace/name``; ``comment`` is the id of the comment or the review.
    """

    service: str
    requested_by: str
    comment: int

    def trailers(self) -> str:
        """Give the lines that stand at the end of the commit's message.

        Raises:
            ValueError: They would not say the same when they are read again.
        """
        lines = {
            "Service": self.service,
            "Edit": TRAFFIC,
            "Requested-By": self.requested_by,
            "Comment": self.comment,
        }
        text = "\n".join(f"Canary-{key}: {value}" for key, value in lines.items())
        if edits(text) != (self,):
            raise ValueError(f"no trailers: {self}")
        return text


@dataclass(frozen=True, slots=True)
class FreezeChange:
    """A freeze that began or was lifted, as a commit on the bot's own branch says it.

    ``service`` is ``path#namespace/name`` or ``all``; ``until`` is an ISO time or empty; ``requested_by`` is a login,
    or ``rules`` where the bot itself has put it; ``comment`` is the id of the comment or the review, or 0.
    """

    on: bool
    service: str
    requested_by: str
    comment: int
    until: str = ""

    def trailers(self) -> str:
        """Give the lines that stand at the end of the commit's message.

        Raises:
            ValueError: They would not say the same when they are read again.
        """
        lines = {
            "Service": self.service,
            "Freeze": "on" if self.on else "off",
            "Until": self.until,
            "Requested-By": self.requested_by,
            "Comment": self.comment,
        }
        text = "\n".join(f"Canary-{key}: {value}" for key, value in lines.items() if value != "")
        if freezes(text) != (self,):
            raise ValueError(f"no trailers: {self}")
        return text


def freezes(message: str) -> tuple[FreezeChange, ...]:
    """Give the freezes of a commit message, in its order; what is not whole is left out."""
    return tuple(
        FreezeChange(
            group["Freeze"] == "on", group["Service"], group["Requested-By"], comment, group.get("Until", "")
        )
        for group in _groups(message)
        if group.get("Freeze") in {"on", "off"}
        and (group["Service"] == "all" or "#" in group["Service"])
        and _LOGIN.fullmatch(group.get("Requested-By", ""))
        and _TIME.fullmatch(group.get("Until", ""))
        and (comment := _number(group.get("Comment", ""))) is not None
    )


def overrides(message: str) -> tuple[tuple[str, str, str], ...]:
    """Give (rule, login, login) of the rules that two people have set aside for a merge, in the message's order."""
    lines = message.replace("\r\n", "\n").split("\n")
    return tuple((f[1], f[2], f[3]) for line in lines if (f := _OVERRIDE.fullmatch(line)))


def edits(message: str) -> tuple[Edit, ...]:
    """Give the traffic operations of a commit message, in its order; what is not whole is left out."""
    return tuple(
        Edit(group["Service"], group["Requested-By"], comment)
        for group in _groups(message)
        if group.get("Edit") == TRAFFIC
        and "#" in group["Service"]
        and _LOGIN.fullmatch(group.get("Requested-By", ""))
        and (comment := _number(group.get("Comment", ""))) is not None
    )


def records(message: str) -> tuple[Record, ...]:
    """Give the records of a commit message, in its order; what is not whole is left out."""
    return tuple(record for group in _groups(message) if (record := _record(group)) is not None)


def _groups(message: str) -> list[dict[str, str]]:
    groups: list[dict[str, str]] = []
    for line in message.replace("\r\n", "\n").split("\n"):
        found = _TRAILER.fullmatch(line)
        if found is None:
            continue
        key, value = found[1].removeprefix("Canary-"), found[2].strip()
        if key == "Service":
            groups.append({})
        if groups:
            groups[-1].setdefault(key, value)
    return groups


def _record(group: dict[str, str]) -> Record | None:
    weight, pull, comment = (_number(group.get(k, "")) for k in ("Weight", "Pull", "Comment"))
    steps = tuple(n for word in group.get("Steps", "").split(" ") if (n := _number(word)) is not None)
    step = _step(group.get("Step", ""))
    names = [group.get(k, "") for k in ("Stable", "Candidate")]
    rollout = group.get("Rollout", "")
    requested_by = group.get("Requested-By", "")
    if (
        weight is None
        or pull is None
        or comment is None
        or step is None
        or weight > 100  # noqa: PLR2004 - percents
        or not steps
        or list(steps) != sorted(set(steps))
        or not _ROLLOUT.fullmatch(rollout)
        or not all(_NAME.fullmatch(n) for n in names)
        or not _LOGIN.fullmatch(requested_by)
        or not _ROUTE.fullmatch(group.get("Route", ""))
        or not _DIGEST.fullmatch(group.get("Template", ""))
        or ("Config" in group and Pin.read(group["Config"]) is None)
        or not _CAUSE.fullmatch(group.get("Cause", ""))
        or "#" not in group["Service"]
    ):
        return None
    return Record(
        service=group["Service"],
        rollout=rollout,
        step=step,
        weight=weight,
        steps=steps,
        stable=names[0],
        candidate=names[1],
        pull=pull,
        rules=group.get("Rules", "standard"),
        requested_by=requested_by,
        comment=comment,
        route=group.get("Route", ""),
        config=group.get("Config", ""),
        template=group.get("Template", ""),
        adopted=adopted if _ADOPTED.fullmatch(adopted := group.get("Adopted", "")) else "",
        cause=group.get("Cause", ""),
        again=group.get("Again") == "yes",
    )


def _step(word: str) -> Step | None:
    if word == ROLLBACK:
        return ROLLBACK
    return CANCEL if word == CANCEL else _number(word.partition("/")[0])


def _number(word: str) -> int | None:
    return int(word) if re.fullmatch(r"[0-9]{1,18}", word, re.ASCII) else None
