"""One line of a comment to one command; the grammar stands in ``commands.py``."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, NoReturn

from bot.core import grammar
from bot.core.command import (
    ALL,
    Adopt,
    Canary,
    Cancel,
    Command,
    Freeze,
    Help,
    Hold,
    OfService,
    Plan,
    Promote,
    Resume,
    Retry,
    Rollback,
    Status,
    Tag,
    Traffic,
    Unfreeze,
    Untag,
    Why,
    WithItems,
)
from bot.core.grammar import Arguments, Word, decline, decline_word
from bot.core.overrides import RULES
from bot.core.text import code
from bot.core.usage import BY_VERB, SHORT, VALUED, VERBS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bot.core.comment import Line

_SHORTEST_VERB = 3  # letters that a mistyped verb has at least
_FIRST_WORD = re.compile(r" {0,3}/([A-Za-z]+)", re.ASCII)
_VERB_LIKE = re.compile(r"/?([a-z][a-z-]*)", re.ASCII)
_NO_NUMBERS = frozenset({"nan", "inf", "infinity"})
_WITH_REASON = frozenset({"rollback", "hold", "freeze"})
_WITH_ITEMS = frozenset({"traffic", "tag", "untag"})


def addressed(text: str) -> str | None:
    """Give the word of ours that a line begins with, in lower case; ``None`` when it is somebody else's."""
    first = _FIRST_WORD.match(text)
    if first is None:
        # ``command_lines`` lets only look-alikes of ``/canary`` begin with something else than a slash.
        return None if text.lstrip(" ").startswith("/") else "canary"
    behind = text[first.end() : first.end() + 1]
    if behind and behind != " " and not grammar.is_unseen(behind):
        return None
    word = first[1].lower()
    return word if word == "canary" or word in SHORT else None


def read_line(line: Line, known: Collection[str] = ()) -> Command:
    """Read a line that is addressed to us.

    Raises:
        Declined: With the first problem of the line.
    """
    grammar.check_length(line)
    first = _FIRST_WORD.match(line.text)
    words = grammar.split(line.text)
    dashes = next((w.start for w in words if w.text == "--"), len(line.text))
    grammar.check_characters(line, command_end=dashes)
    if first is None:
        typed = line.text.strip(" ")[0]
        message = f"The line begins with {grammar.code_points(typed)}, which is no slash."
        decline(line, "unknown-verb", message, "Did you mean `/canary`?", at=(words[0].start, words[0].end))
    head, *rest = words
    verb = first[1].lower()
    if first[1] != verb:
        message = f"I don't know {code(head.text)}: commands are written in small letters."
        decline_word(line, head, "unknown-verb", message, f"Did you mean `/{verb}`?")
    is_short = verb != "canary"
    if not is_short and rest and rest[0].text in VERBS:
        verb = rest.pop(0).text
    usage = BY_VERB[verb]
    if verb in _WITH_ITEMS:
        given = Arguments(line, tuple(rest), {})
    else:
        given = grammar.arguments(
            line,
            tuple(rest),
            verb=f"/canary {verb}" if verb != "canary" else "/canary",
            options=usage.options,
            takes_reason=verb in _WITH_REASON or (verb == "promote" and _overrides(rest)),
            flags={flag: VALUED[flag] for flag in usage.flags},
        )
    return replace(_READERS[verb](given, known), line=line.number, source=line.text, short=is_short)


def _overrides(words: list[Word]) -> bool:
    """Whether a rule is set aside: only then ``/promote`` takes a reason."""
    texts = [word.text for word in words]
    return "--override" in texts[: texts.index("--") if "--" in texts else None]


def _service(
    given: Arguments, known: Collection[str], is_argument: Callable[[str], bool]
) -> tuple[str | None, tuple[Word, ...]]:
    """Take the service from the first word or from an option; give it and the other words."""
    line, words = given.line, given.words
    named = [
        (given.options[key], what)
        for key, what in (("service", "Service"), ("app", "App"))
        if key in given.options
    ]
    if words and not is_argument(words[0].text):
        named.insert(0, (words[0], "Service"))
        words = words[1:]
    names = [(grammar.name(line, word, what=what, known=known), word) for word, what in named]
    for name, word in names[1:]:
        if name != names[0][0]:
            decline_word(
                line, word, "unexpected-text", "The command names two services.", "One command for each."
            )
    return (names[0][0] if names else None), words


def _nothing_more(line: Line, words: tuple[Word, ...], behind: str, remedy: str = "Remove it.") -> None:
    """Decline words that are left over."""
    if words:
        message = f"Unexpected text {behind}."
        decline(line, "unexpected-text", message, remedy, at=(words[0].start, words[-1].end))


def _canary(given: Arguments, known: Collection[str]) -> Command:
    line, words = given.line, given.words
    if words and not grammar.looks_like_number(words[0].text):
        names_service = words[0].text[0].isalnum() and len(words) > 1
        if not (names_service and grammar.looks_like_number(words[1].text)):
            _decline_no_number(line, words)
    service, words = _service(given, known, grammar.looks_like_number)
    if not words:
        decline(line, "weight-missing", "`/canary` takes a percent or a verb.", _usage_line())
    weights = [grammar.percent(line, words[0])]
    for i, word in enumerate(words[1:], 1):
        if not grammar.looks_like_number(word.text):
            _nothing_more(line, words[i:], "after the weight")
        weights.append(grammar.percent(line, word))
    _check_steps(line, words, weights)
    options = given.options
    stable, candidate, route = _names(given)
    sha = grammar.sha(line, options["sha"]) if "sha" in options else None
    return Canary(
        service=service,
        weights=tuple(weights),
        stable=stable,
        candidate=candidate,
        route=route,
        sha=sha,
        again=any(name == "again" for name, _ in given.flags),
    )


def _names(given: Arguments) -> tuple[str | None, str | None, str | None]:
    """Read ``stable=``, ``candidate=`` and ``route=``."""
    line, options = given.line, given.options
    stable = grammar.reference(line, options["stable"]) if "stable" in options else None
    candidate = grammar.reference(line, options["candidate"]) if "candidate" in options else None
    return stable, candidate, grammar.route(line, options["route"]) if "route" in options else None


def _usage_line() -> str:
    forms = ", ".join(f"`{form}`" for form in BY_VERB["canary"].forms)
    return f"Usage: {forms}; `/canary help` shows the verbs."


def _decline_no_number(line: Line, words: tuple[Word, ...]) -> NoReturn:
    first = words[0]
    verb_like = _VERB_LIKE.fullmatch(first.text)
    if verb_like and len(verb_like[1]) >= _SHORTEST_VERB and verb_like[1] not in _NO_NUMBERS:
        close = get_close_matches(verb_like[1], VERBS, n=1)
        if not close and len(words) == 1 and first.text == ALL:
            decline_word(
                line, first, "weight-missing", "A percent belongs behind `all`.", "Try `/canary all 25`."
            )
        remedy = (
            f"Did you mean `/canary {close[0]}`?"
            if close
            else "Write a percent (`/canary 25`), a service and a percent, or one of "
            f"{', '.join(f'`{v}`' for v in VERBS)}."
        )
        decline_word(line, first, "unknown-verb", f"I don't know {code(f'/canary {first.text}')}.", remedy)
    if grammar.is_name(first.text) and len(words) == 1 and any(c.isdigit() for c in first.text):
        message = "A percent belongs behind the service."
        decline_word(line, first, "weight-missing", message, f"Try `/canary {first.text} 25`.")
    message = f"`/canary` takes one whole percent. {grammar.WHOLE_NUMBER}"
    decline(line, "weight-not-a-number", message, "Try `/canary 25`.", at=(first.start, words[-1].end))


def _check_steps(line: Line, words: tuple[Word, ...], weights: list[int]) -> None:
    if len(weights) == 1:
        return
    rising = sorted({*weights, 100})
    if rising == weights:
        return
    decline(
        line,
        "steps-not-rising",
        "One weight, or steps that rise and end at 100.",
        f"Try `/canary {' '.join(map(str, rising))}`.",
        at=(words[0].start, words[-1].end),
    )


def _plan(given: Arguments, known: Collection[str]) -> Command:
    service, words = _service(given, known, grammar.looks_like_number)
    weight = grammar.percent(given.line, words[0]) if words else None
    _nothing_more(given.line, words[1:], "after the weight", "`plan` takes one percent.")
    stable, candidate, route = _names(given)
    return Plan(service=service, weight=weight, stable=stable, candidate=candidate, route=route)


def _promote(given: Arguments, known: Collection[str]) -> Command:
    def is_target(text: str) -> bool:
        return text in {"next", "full"} or grammar.looks_like_number(text)

    service, words = _service(given, known, is_target)
    _nothing_more(given.line, words[1:], "after the target", "`/promote` takes one target.")
    if words and not is_target(words[0].text):
        _nothing_more(given.line, words, "after the service", "A target is `next`, `full` or a percent.")
    to: Literal["next", "full"] | int = "next"
    if words and words[0].text != "next":
        to = "full" if words[0].text == "full" else grammar.percent(given.line, words[0])
    rules = tuple(_rule(given.line, word) for name, word in given.flags if name == "override")
    if rules and given.reason is None:
        word = given.flags[0][1]
        message = "An override takes a reason."
        remedy = f"Write it behind two hyphens: `/promote --override {rules[0]} -- reason`."
        decline(given.line, "reason-missing", message, remedy, at=(word.end, word.end + 1))
    return Promote(service=service, to=to, overrides=rules, reason=given.reason)


def _rule(line: Line, word: Word) -> str:
    if word.text not in RULES:
        _decline_rule(line, word)
    return word.text


def _decline_rule(line: Line, word: Word) -> NoReturn:
    close = get_close_matches(word.text.lower(), sorted(RULES), n=1)
    if word.text == "hold":
        remedy = "`/resume` ends a hold; no second person is needed for that."
    elif close:
        remedy = f"Did you mean `--override {close[0]}`?"
    else:
        remedy = f"Rules are {', '.join(f'`{rule}`' for rule in RULES)}."
    decline_word(line, word, "unknown-rule", f"There is no rule {code(word.text)} to override.", remedy)


_REASON = "A reason stands behind two hyphens: `{} -- reason`."


def _rollback(given: Arguments, known: Collection[str]) -> Command:
    # Words too many are asked about before the first is taken for a service: people give reasons.
    _no_long_dash(given)
    _nothing_more(given.line, given.words[1:], "after the service", _REASON.format("/rollback"))
    service, words = _service(given, known, _never)
    _nothing_more(given.line, words, "after the service", _REASON.format("/rollback"))
    return Rollback(service=service, reason=given.reason)


def _stop(kind: type[Hold | Freeze], typed: str) -> Callable[[Arguments, Collection[str]], Command]:
    """Read ``[SERVICE] [for DURATION] [-- reason]``."""

    def read(given: Arguments, known: Collection[str]) -> Command:
        line, example = given.line, f"Try `{typed} for 2h`."
        _no_long_dash(given)
        if given.words and given.words[0].text[:1].isdigit():
            message = "A duration stands behind `for`."
            decline_word(line, given.words[0], "unexpected-text", message, example)
        service, words = _service(given, known, lambda text: text == "for")
        if not words:
            return kind(service=service, reason=given.reason)
        if words[0].text != "for":
            _nothing_more(line, words, "after the service", _REASON.format(typed))
        if len(words) == 1:
            message = "A duration belongs behind `for`."
            decline_word(line, words[0], "bad-duration", message, example)
        duration = grammar.duration(line, words[1])
        _nothing_more(line, words[2:], "after the duration", _REASON.format(typed))
        return kind(service=service, duration=duration, reason=given.reason)

    return read


def _no_long_dash(given: Arguments) -> None:
    for word in given.words:
        if word.text in grammar.LONG_DASHES:
            message = f"Two hyphens part the reason (got {grammar.code_points(word.text)})."
            decline_word(given.line, word, "unexpected-text", message, "Write `-- reason`.")


def _never(_text: str) -> bool:
    return False


def _only_service(kind: type[OfService]) -> Callable[[Arguments, Collection[str]], Command]:
    def read(given: Arguments, known: Collection[str]) -> Command:
        _nothing_more(given.line, given.words[1:], "after the service")
        service, words = _service(given, known, _never)
        _nothing_more(given.line, words, "after the service")
        return kind(service=service)

    return read


def _help(given: Arguments, _known: Collection[str]) -> Command:
    words = given.words
    _nothing_more(given.line, words[1:], "after the verb")
    if not words:
        return Help()
    verb = words[0].text.removeprefix("/")
    if verb not in BY_VERB:
        close = get_close_matches(verb, list(BY_VERB), n=1)
        remedy = f"Did you mean `/canary help {close[0]}`?" if close else "`/canary help` lists all."
        message = f"There is no verb {code(verb)}."
        decline_word(given.line, words[0], "unknown-verb", message, remedy)
    return Help(about=verb)


def _items(kind: type[WithItems]) -> Callable[[Arguments, Collection[str]], Command]:
    def read(given: Arguments, _known: Collection[str]) -> Command:
        usage = BY_VERB[kind.verb]
        if not given.words:
            message = f"`/{usage.verb}` takes an argument."
            decline(given.line, "argument-missing", message, f"Try `{usage.example}`.")
        for word in given.words:
            foreign = [c for c in word.text if not c.isascii()]
            if foreign:
                message = f"Names and tags are ASCII (got {grammar.code_points(foreign)})."
                decline_word(given.line, word, "bad-name", message)
        return kind(items=tuple(word.text for word in given.words))

    return read


_READERS: dict[str, Callable[[Arguments, Collection[str]], Command]] = {
    "canary": _canary,
    "plan": _plan,
    "promote": _promote,
    "rollback": _rollback,
    "hold": _stop(Hold, "/hold"),
    "freeze": _stop(Freeze, "/canary freeze"),
    "help": _help,
    **{kind.verb: _only_service(kind) for kind in (Resume, Unfreeze, Status, Why, Cancel, Adopt, Retry)},
    **{kind.verb: _items(kind) for kind in (Traffic, Tag, Untag)},
}
