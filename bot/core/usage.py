"""The table of commands: it feeds the parser, ``/canary help`` and the README."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OPTIONS = {
    "service": "the service, like its name in front of the percent",
    "app": "the same",
    "stable": "the revision or destination that serves now, where Git does not know its name",
    "candidate": "the revision or destination that is tried, where it is not the manifest's own",
    "route": "the rule of a VirtualService or a route, by its name or place like `http[1]`",
    "sha": "act only if this is the head commit, 7 to 40 hexadecimal digits",
}
FLAGS = {
    "override": "`--override RULE -- reason` sets `freeze`, `bake`, `gates`, `steps` or `approvals` aside for this "
    "step; a second person has to type the same within 30 minutes.",
    "again": "`--again` tries a revision once more that was rolled back.",
}
VALUED = {"override": True, "again": False}
"""Whether a word belongs behind a flag."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One verb: what can be typed, what it does, and who may, by default.

    ``who`` is the lowest GitHub role. ``short`` says that ``/VERB`` works without
    ``/canary`` before it.
    """

    verb: str
    forms: tuple[str, ...]
    summary: str
    who: Literal["read", "triage", "write", "admin"]
    example: str
    options: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    short: bool = False


_SERVICE = ("service", "app")

USAGES: tuple[Usage, ...] = (
    Usage(
        "canary",
        ("/canary [SERVICE] N", "/canary [SERVICE] A B C …"),
        "Start a rollout at N % (0 is the tag only; a route has no tags and begins with at least 1), or set the "
        "share of one that is not merged yet. "
        "Several numbers are the steps; they rise, and the last one is 100.",
        who="write",
        example="/canary 25",
        options=(*_SERVICE, "stable", "candidate", "route", "sha"),
        flags=("again",),
    ),
    Usage(
        "plan",
        ("/canary plan [SERVICE] [N]",),
        "Show the diff, the split and the calendar of all steps; nothing is written.",
        who="read",
        example="/canary plan 25",
        options=(*_SERVICE, "stable", "candidate", "route"),
    ),
    Usage(
        "promote",
        ("/promote [SERVICE] [next|N|full]", "/promote [SERVICE] [N|full] --override RULE -- reason"),
        "Wish for the next step: it is merged now if all rules pass, else as soon as they do.",
        who="write",
        example="/promote",
        options=_SERVICE,
        flags=("override",),
        short=True,
    ),
    Usage(
        "rollback",
        ("/rollback [SERVICE] [-- reason]",),
        "Give all traffic back to the stable revision.",
        who="triage",
        example="/rollback -- errors on the login page",
        options=_SERVICE,
        short=True,
    ),
    Usage(
        "hold",
        ("/hold [SERVICE] [for 2h] [-- reason]",),
        "Promote nothing until `/resume`, or until the time is over.",
        who="triage",
        example="/hold for 2h -- waiting for the database",
        options=_SERVICE,
        short=True,
    ),
    Usage(
        "resume",
        ("/resume [SERVICE]",),
        "Go on after a hold.",
        who="write",
        example="/resume",
        options=_SERVICE,
        short=True,
    ),
    Usage(
        "traffic",
        ("/traffic REF=N …",),
        "Set the shares of revisions or tags, as `kn service update --traffic` does.",
        who="write",
        example="/traffic checkout-00042=25 checkout-00041=75",
        short=True,
    ),
    Usage(
        "tag",
        ("/tag REF=TAG …",),
        "Give revisions a tag, as `kn service update --tag` does.",
        who="write",
        example="/tag checkout-00042=candidate",
        short=True,
    ),
    Usage(
        "untag",
        ("/untag TAG …",),
        "Take tags away, as `kn service update --untag` does.",
        who="write",
        example="/untag candidate",
        short=True,
    ),
    Usage(
        "status",
        ("/canary status [SERVICE]",),
        "Show the state of the rollout.",
        who="read",
        example="/canary status",
        options=_SERVICE,
    ),
    Usage(
        "why",
        ("/canary why [SERVICE]",),
        "Show every rule with its verdict, value, threshold and origin.",
        who="read",
        example="/canary why",
        options=_SERVICE,
    ),
    Usage(
        "help",
        ("/canary help [VERB]",),
        "Show what can be typed.",
        who="read",
        example="/canary help promote",
    ),
    Usage(
        "cancel",
        ("/canary cancel [SERVICE]",),
        "End the rollout and leave the traffic as it is.",
        who="write",
        example="/canary cancel",
        options=_SERVICE,
    ),
    Usage(
        "adopt",
        ("/canary adopt [SERVICE]",),
        "Accept a hand edit of the traffic block as the new starting point.",
        who="write",
        example="/canary adopt",
        options=_SERVICE,
    ),
    Usage(
        "retry",
        ("/canary retry [SERVICE]",),
        "Judge again, and rebuild the step from the base branch.",
        who="write",
        example="/canary retry",
        options=_SERVICE,
    ),
    Usage(
        "freeze",
        ("/canary freeze [SERVICE] [for 2h] [-- reason]",),
        "Promote and start nothing until `/canary unfreeze`, or until the time is over; rollback and hold go on. "
        "Here no name means the whole repository, as `all` does.",
        who="admin",
        example="/canary freeze for 2h -- incident in the data centre",
        options=_SERVICE,
    ),
    Usage(
        "unfreeze",
        ("/canary unfreeze [SERVICE]",),
        "End the freeze of a service; without a name that of the whole repository. "
        "What was asked for meanwhile goes on.",
        who="admin",
        example="/canary unfreeze",
        options=_SERVICE,
    ),
)

BY_VERB = {usage.verb: usage for usage in USAGES}
VERBS = tuple(verb for verb in BY_VERB if verb != "canary")
READING = frozenset(usage.verb for usage in USAGES if usage.who == "read")
"""The verbs that write nothing but their answer."""
SHORT = frozenset(usage.verb for usage in USAGES if usage.short)


def usage_table() -> str:
    """Give all commands as a Markdown table, for the README and ``/canary help``."""
    rows = [
        f"| {'<br>'.join(_in_cell(form) for form in usage.forms)} | {usage.summary} | {usage.who} |"
        for usage in USAGES
    ]
    return "\n".join(["| command | what it does | who (default) |", "|---|---|---|", *rows])


def help_text(verb: str | None = None) -> str:
    """Give the answer to ``/canary help``, as Markdown.

    Args:
        verb: One of the table's verbs (``canary`` for the command without a verb), or ``None`` for all.

    Raises:
        KeyError: There is no such verb.
    """
    if verb is None:
        return (
            f"{usage_table()}\n\n"
            "With several services in a pull request, name one, or `all`. "
            f"{_short_forms()} work without `/canary` before them, and with it. "
            "`/canary help VERB` shows one of them."
        )
    usage = BY_VERB[verb]
    lines = [usage.summary, "", "```text", *usage.forms]
    if usage.short:
        lines += [form.replace("/", "/canary ", 1) for form in usage.forms]
    lines += ["```", "", f"For example `{usage.example}`. Needs the role *{usage.who}* by default."]
    if usage.options:
        lines += ["", *(f"- `{option}=…`: {OPTIONS[option]}" for option in usage.options)]
    if usage.flags:
        lines += ["", *(f"- {FLAGS[flag]}" for flag in usage.flags)]
    return "\n".join(lines)


def _in_cell(form: str) -> str:
    # GitHub parts a table's cells before it looks for code spans.
    return "`" + form.replace("|", "\\|") + "`"


def _short_forms() -> str:
    names = [f"`/{usage.verb}`" for usage in USAGES if usage.short]
    return f"{', '.join(names[:-1])} and {names[-1]}"
