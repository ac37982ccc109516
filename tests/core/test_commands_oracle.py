"""A second, independent reading of the grammar: which lines run, and with which percents."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.core.commands import Canary, Plan, Promote, parse_comment

NAME = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
WEIGHT = r"(?:0|[1-9][0-9]?|100)"
KEY = {
    "service": NAME,
    "app": NAME,
    "stable": NAME,
    "candidate": NAME,
    "sha": "[0-9a-fA-F]{7,40}",
}
DURATION = r"(?=[0-9])(?:[0-9]{1,4}w)?(?:[0-9]{1,4}d)?(?:[0-9]{1,4}h)?(?:[0-9]{1,5}m)?(?:[0-9]{1,6}s)?"
REASON = r"(?: --(?: .*)?)?"
ONE = {
    "canary": rf"(?:{NAME} )?{WEIGHT}(?: {WEIGHT})*",
    "plan": rf"(?:{NAME}(?: {WEIGHT})?|{WEIGHT})?",
    "promote": rf"(?:(?!(?:next|full)(?: |$)){NAME}(?: (?:next|full|{WEIGHT}))?|next|full|{WEIGHT})?",
    "rollback": rf"(?:{NAME})?",
    "hold": rf"(?:(?!for(?: |$)){NAME})?(?:(?:^|(?<! ) )for {DURATION})?",
    "freeze": rf"(?:(?!for(?: |$)){NAME})?(?:(?:^|(?<! ) )for {DURATION})?",
    "help": "(?:/?(?:canary|plan|promote|rollback|hold|resume|freeze|unfreeze|traffic|tag|untag"
    "|status|why|help|cancel|adopt|retry))?",
    **dict.fromkeys(("resume", "unfreeze", "status", "why", "cancel", "adopt", "retry"), rf"(?:{NAME})?"),
}
OPTION = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)=(.*)")
RULES = {"freeze", "bake", "gates", "steps", "approvals"}
RESERVED = {"promote": ("next", "full"), "hold": ("for",), "freeze": ("for",)}
ITEMS = ("traffic", "tag", "untag")
SHORT = ("promote", "rollback", "hold", "resume", *ITEMS)


def runs(line: str) -> bool:
    """Whether a line is a whole command: by one regular expression for each verb."""
    words = line.split()
    if not re.fullmatch(r"[ -~]*", line) or len(line) > 1024 or not words or not words[0].startswith("/"):
        return False
    verb, rest = words[0][1:], words[1:]
    if verb == "canary" and rest and (rest[0] in ONE or rest[0] in ITEMS) and rest[0] != "canary":
        verb, rest = rest[0], rest[1:]
    elif verb != "canary" and verb not in SHORT:
        return False
    if verb in ITEMS:
        return bool(rest)
    if verb in ("rollback", "hold", "freeze") and "--" in rest:
        rest = rest[: rest.index("--")]
    if verb == "promote":
        behind = rest.index("--") if "--" in rest else None
        said, reason = rest[:behind], rest[len(rest[:behind]) + 1 :]
        rules = [b for a, b in pairwise(said) if a == "--override"]
        if rules:
            if (
                not reason
                or said[-1] == "--override"
                or not set(rules) <= RULES
                or len(set(rules)) < len(rules)
            ):
                return False
            rest = [w for i, w in enumerate(said) if "--override" not in (w, said[i - 1] if i else "")]
    if verb == "canary" and rest.count("--again") == 1:
        rest = [w for w in rest if w != "--again"]
    options = [(m[1], m[2]) for w in rest if (m := OPTION.fullmatch(w))]
    plain = [w for w in rest if not OPTION.fullmatch(w)]
    return (
        options_are_right(verb, options)
        and re.fullmatch(ONE[verb], " ".join(plain)) is not None
        and names_one_service(verb, options, plain)
        and numbers_are_right(verb, plain)
    )


def options_are_right(verb: str, options: list[tuple[str, str]]) -> bool:
    keys = [k for k, _ in options]
    allowed = set() if verb == "help" else set(KEY) if verb == "canary" else {"service", "app"}
    return (
        len(set(keys)) == len(keys)
        and set(keys) <= allowed
        and all(re.fullmatch(KEY[k], v) for k, v in options)
    )


def names_one_service(verb: str, options: list[tuple[str, str]], plain: list[str]) -> bool:
    services = {v for k, v in options if k in ("service", "app")}
    if verb != "help" and plain and re.fullmatch(NAME, plain[0]) and plain[0] not in RESERVED.get(verb, ()):
        services.add(plain[0])
    return len(services) <= 1


def numbers_are_right(verb: str, plain: list[str]) -> bool:
    numbers = [int(w) for w in plain if w.isdigit()]
    if verb == "canary" and len(numbers) > 1:
        return numbers[-1] == 100 and all(a < b for a, b in pairwise(numbers))
    if verb in ("hold", "freeze") and len(plain) > 1:
        found = re.findall(r"([0-9]+)([wdhms])", plain[-1])
        seconds = sum(int(n) * {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}[u] for n, u in found)
        return 0 < seconds <= 365 * 86400
    return True


WORDS = st.sampled_from(
    [
        *["canary", "plan", "promote", "rollback", "hold", "resume", "status", "help", "tag", "retry", "for"],
        *[
            "25",
            "5",
            "0",
            "100",
            "101",
            "025",
            "50",
            "25;",
            "1e2",
            "-1",
            "next",
            "full",
            "all",
            "a",
            "v2-x",
            "x-",
        ],
        *[
            "2h",
            "0m",
            "1d12h",
            "9w",
            "60w",
            "h",
            "3m2h",
            "--",
            "-x",
            "--5",
            "--again",
            "--override",
            "--override",
            "freeze",
            "bake",
            "-- x",
            "app=a",
            "service=a",
            "app=b",
            "app=",
        ],
        *[
            "stable=a-1",
            "candidate=B",
            "sha=abcdef1",
            "sha=g",
            "x=y",
            "A=b",
            "=",
            "a=b",
            "@x",
            "/hold",
            "`",
            "%",
        ],
    ]
)
LINES = st.builds(
    lambda head, words, gap: gap.join([head, *words]),
    st.sampled_from(
        [
            *["/canary"] * 3,
            *[
                "/canary plan",
                "/canary hold",
                "/canary freeze",
                "/canary unfreeze",
                "/canary status",
                "/canary help",
                "/canary traffic",
                "/promote",
            ],
            *["/rollback", "/hold", "/hold for", "/resume", "/untag", "/plan", "/status"],
        ]
    ),
    st.lists(WORDS, max_size=5),
    st.sampled_from([" ", " ", "  "]),
)


class TestAgrees:
    """The grammar is ASCII, linear, matched whole."""

    @given(LINES)
    def test_what_runs(self, line: str) -> None:
        parsed = parse_comment(line)
        assert bool(parsed.commands) == runs(line)
        for command in parsed.commands:
            numbers = tuple(int(w) for w in line.split(" -- ", maxsplit=1)[0].split() if w.isdigit())
            match command:
                case Canary(weights=weights):
                    assert weights == numbers
                case Plan(weight=weight):
                    assert (weight,) == (numbers or (None,))
                case Promote(to=int(to)):
                    assert (to,) == numbers

    @given(LINES, st.integers(0, 40), st.characters(exclude_categories=["Cs"]))
    def test_one_foreign_character(self, line: str, at: int, character: str) -> None:
        spoilt = line[:at] + character + line[at:]
        if "\n" not in spoilt and not character.isascii() and " -- " not in f"{line[:at]} ":
            assert parse_comment(spoilt).commands == ()
