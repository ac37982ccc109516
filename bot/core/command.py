"""The commands, as values.

A percent is a whole number from 0 to 100. Text that a person typed freely (``source``,
``reason``, ``items``) is untrusted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from datetime import timedelta

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What all commands have: where they stand, as typed, and whether the short form was used.

    None of it plays a part in comparisons. ``source`` is untrusted.
    """

    verb: ClassVar[str] = ""
    line: int = field(default=0, compare=False)
    source: str = field(default="", compare=False)
    short: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class OfService(Command):
    """A command for one service: its name, ``all``, or ``None`` for the only one there is."""

    service: str | None = None


@dataclass(frozen=True, slots=True)
class Canary(OfService):
    """``/canary 25``. ``weights`` are whole percents, one or more; the first is where it starts.

    ``again`` says that the candidate is meant although it was rolled back.

    ``stable`` and ``candidate`` are revisions or destinations; ``route`` is a rule's name or place.
    """

    verb: ClassVar[str] = "canary"
    weights: tuple[int, ...] = ()
    stable: str | None = None
    candidate: str | None = None
    route: str | None = None
    sha: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Plan(OfService):
    """``/canary plan 25``; the other fields are those of ``Canary``."""

    verb: ClassVar[str] = "plan"
    weight: int | None = None
    stable: str | None = None
    candidate: str | None = None
    route: str | None = None


@dataclass(frozen=True, slots=True)
class Promote(OfService):
    """``/promote``. ``to`` is a whole percent, ``next`` or ``full``.

    ``overrides`` are keys of ``bot.core.overrides.RULES``; with them there is a ``reason``, which is untrusted.
    """

    verb: ClassVar[str] = "promote"
    to: Literal["next", "full"] | int = "next"
    overrides: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rollback(OfService):
    """``/rollback``. ``reason`` is untrusted."""

    verb: ClassVar[str] = "rollback"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Hold(OfService):
    """``/hold``. Without ``duration`` it holds until ``/resume``. ``reason`` is untrusted."""

    verb: ClassVar[str] = "hold"
    duration: timedelta | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Resume(OfService):
    """``/resume``."""

    verb: ClassVar[str] = "resume"


@dataclass(frozen=True, slots=True)
class Freeze(OfService):
    """``/canary freeze``. No name means the whole repository, as ``all`` does. ``reason`` is untrusted.

    Without ``duration`` it freezes until ``/canary unfreeze``.
    """

    verb: ClassVar[str] = "freeze"
    duration: timedelta | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Unfreeze(OfService):
    """``/canary unfreeze``. No name means the freeze of the whole repository, as ``all`` does."""

    verb: ClassVar[str] = "unfreeze"


@dataclass(frozen=True, slots=True)
class Status(OfService):
    """``/canary status``."""

    verb: ClassVar[str] = "status"


@dataclass(frozen=True, slots=True)
class Why(OfService):
    """``/canary why``."""

    verb: ClassVar[str] = "why"


@dataclass(frozen=True, slots=True)
class Cancel(OfService):
    """``/canary cancel``."""

    verb: ClassVar[str] = "cancel"


@dataclass(frozen=True, slots=True)
class Adopt(OfService):
    """``/canary adopt``."""

    verb: ClassVar[str] = "adopt"


@dataclass(frozen=True, slots=True)
class Retry(OfService):
    """``/canary retry``."""

    verb: ClassVar[str] = "retry"


@dataclass(frozen=True, slots=True)
class Help(Command):
    """``/canary help``. ``about`` is one of the table's verbs, or ``None`` for all."""

    verb: ClassVar[str] = "help"
    about: str | None = None


@dataclass(frozen=True, slots=True)
class WithItems(Command):
    """A traffic operation. ``items`` are its words as typed: kn's own grammar comes later."""

    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Traffic(WithItems):
    """``/traffic REF=N …``."""

    verb: ClassVar[str] = "traffic"


@dataclass(frozen=True, slots=True)
class Tag(WithItems):
    """``/tag REF=TAG …``."""

    verb: ClassVar[str] = "tag"


@dataclass(frozen=True, slots=True)
class Untag(WithItems):
    """``/untag TAG …``."""

    verb: ClassVar[str] = "untag"


@dataclass(frozen=True, slots=True)
class Retarget(OfService):
    """All traffic operations of a comment: one edit. Each item is one occurrence of kn's flag of that name."""

    verb: ClassVar[str] = "traffic"
    untag: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    traffic: tuple[str, ...] = ()
