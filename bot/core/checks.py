"""What the checks are called, the buttons that they show, and what a press of one comes as.

Only the body of a delivery is signed, and nothing in the body of a press is its own: who sends it again
under another delivery id sends the same press. So a press is known by its body; see ``Press.id``.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PLAN = "canary / plan"
GATE = "canary / gate"
APPROVALS = "canary / approvals"
NAMES = (PLAN, GATE, APPROVALS)
"""Required checks of other people's branch rules: these names never change."""

MOST_BUTTONS = 3
LONGEST_LABEL, LONGEST_DESCRIPTION, LONGEST_IDENTIFIER = 20, 40, 20  # characters

_WHAT = re.compile(
    r"button/([1-9][0-9]{0,9})/([a-z]{1,20})/([0-9a-f]{40,64})/([1-9][0-9]{17})/([0-9]{1,12})/([1-9][0-9]{0,18})"
    r"/([A-Za-z0-9][A-Za-z0-9_-]{0,99})",  # managed users have an underscore
    re.ASCII,
)
_REFERENCE = re.compile(r"pull/([1-9][0-9]{0,9})/", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
# Eighteen digits, as many as a trailer holds; a comment's id has ten or eleven, so none is ever the same.
_FIRST_ID, _IDS = 10**17, 9 * 10**17


@dataclass(frozen=True, slots=True)
class Button:
    """A button of a check. Source of the limits: GitHub's OpenAPI, ``checks/create``, ``actions``."""

    label: str
    description: str
    identifier: str

    def __post_init__(self) -> None:
        """Refuse what GitHub would not take.

        Raises:
            ValueError: A text is empty or too long.
        """
        limits = (
            (self.label, LONGEST_LABEL),
            (self.description, LONGEST_DESCRIPTION),
            (self.identifier, LONGEST_IDENTIFIER),
        )
        if any(not 0 < len(text) <= longest for text, longest in limits):
            raise ValueError(self)


PROMOTE = Button("Promote", "Merge this step when the rules pass", "promote")
HOLD = Button("Hold", "Promote nothing until it is resumed", "hold")
RESUME = Button("Resume", "Go on after the hold", "resume")
ROLL_BACK = Button("Roll back", "Give all traffic back to stable", "rollback")
BUTTONS = {button.identifier: button for button in (PROMOTE, HOLD, RESUME, ROLL_BACK)}
"""All buttons by identifier, which is the verb that they stand for."""


@dataclass(frozen=True, slots=True)
class Press:
    """A press of a button.

    ``pull`` is the pull request whose check it was, ``sha`` the commit of the check, ``user`` and ``login``
    who pressed. ``at`` is when its delivery came, in seconds since 1970, or 0 where nobody knows.
    """

    pull: int
    verb: str
    sha: str
    id: int
    at: int
    user: int
    login: str

    @property
    def what(self) -> str:
        """Give the subject to look at, see ``bot.core.subject``."""
        parts = (self.pull, self.verb, self.sha, self.id, self.at, self.user, self.login)
        return "/".join(("button", *map(str, parts)))

    @property
    def command(self) -> str:
        """Give the comment that would say the same."""
        return f"/canary {self.verb}"

    @property
    def label(self) -> str:
        """Give what stands on the button."""
        return BUTTONS[self.verb].label

    @classmethod
    def parse(cls, what: str) -> Self | None:
        """Read a subject; ``None`` when it is no press of a button that there is."""
        found = _WHAT.fullmatch(what)
        if found is None or found[2] not in BUTTONS:
            return None
        return cls(int(found[1]), found[2], found[3], int(found[4]), int(found[5]), int(found[6]), found[7])


def press_id(payload: Mapping[str, Any]) -> int:
    """Give the number of a press: the same for the same body, whatever its delivery is called.

    It stands where a comment's id stands, and is larger than any of those.
    """
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return _FIRST_ID + int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big") % _IDS


def stamp_of(pressed: Iterable[str]) -> str:
    """Give what a check bears after these presses, as names in markers.

    GitHub's payload of a press has no time and no number. Since the check changes with each press that was
    answered, the next one has another body, also where nothing else has changed.
    """
    return hashlib.sha256("|".join(sorted(set(pressed))).encode()).hexdigest()[:8]


def reference(pull: int, state: str) -> str:
    """Give the external id of a check that leads back to its pull request, also when that is closed."""
    return f"pull/{pull}/{state}"


def pull_of(external_id: str) -> int | None:
    """Give the pull request that the external id of one of our checks names."""
    found = _REFERENCE.match(external_id)
    return None if found is None else int(found[1])


def is_sha(text: str) -> bool:
    """Say whether a text is the full name of a commit."""
    return _SHA.fullmatch(text) is not None
