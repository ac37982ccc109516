"""Bad inputs and the expected reply: the rows that a comment's text decides."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.core.commands import Canary, Parsed, Rollback, parse_comment
from bot.core.comment import LONGEST_COMMENT
from bot.core.report import problem_text

WHOLE = "Use a whole number from 0 to 100."


def one(comment: str) -> tuple[str, str, str]:
    """Give code, message and what the caret marks, of the only problem."""
    parsed = parse_comment(comment, known=("payments",))
    assert parsed.commands == ()
    (problem,) = parsed.problems
    marked = ""
    if problem.source is not None and problem.caret is not None:
        start, length = problem.caret
        marked = problem.source[start : start + length]
    return problem.code, problem.message, marked


class TestRefused:
    """A bad input gets a clear reply and writes nothing."""

    @pytest.mark.parametrize(
        ("comment", "code", "says", "marks"),
        [
            pytest.param("/canary 101", "weight-out-of-range", "101 is outside 0–100.", "101", id="1"),
            pytest.param("/canary -1", "weight-not-a-number", WHOLE, "-1", id="2 negative"),
            pytest.param("/canary 25.5", "weight-not-a-number", WHOLE, "25.5", id="3 fraction"),
            pytest.param(
                "/canary 025",
                "weight-leading-zero",
                "Leading zeros are not accepted. Did you mean 25?",
                "025",
                id="4 leading zero",
            ),
            pytest.param("/canary +25", "weight-not-a-number", WHOLE, "+25", id="5 plus"),
            pytest.param("/canary 2_5", "weight-not-a-number", WHOLE, "2_5", id="6 underscore"),
            pytest.param(
                "/canary ２５",
                "weight-not-a-number",
                "Only ASCII digits (got U+FF12 U+FF15).",
                "２５",
                id="7",
            ),
            pytest.param(
                "/canary ٢٥", "weight-not-a-number", "Only ASCII digits (got U+0662 U+0665).", "٢٥", id="8"
            ),
            pytest.param("/canary 1e2", "weight-not-a-number", WHOLE, "1e2", id="9 exponent"),
            pytest.param("/canary 0x19", "weight-not-a-number", WHOLE, "0x19", id="9 hexadecimal"),
            pytest.param("/canary NaN", "weight-not-a-number", WHOLE, "NaN", id="9 NaN"),
            pytest.param("/canary nan", "weight-not-a-number", WHOLE, "nan", id="9 small nan"),
            pytest.param("/canary inf", "weight-not-a-number", WHOLE, "inf", id="9 inf"),
            pytest.param("/canary 9999999999", "number-too-long", "Number too long.", "9999999999", id="10"),
            pytest.param(
                "/canary " + "9" * 5000,
                "number-too-long",
                "Number too long.",
                "/canary " + "9" * 112 + "…",
                id="10 five thousand digits",
            ),
            pytest.param("/canary", "weight-missing", "takes a percent or a verb", "/canary", id="11 alone"),
            pytest.param("/canary 25 50", "steps-not-rising", "One weight, or steps", "25 50", id="12"),
            pytest.param(
                "/canary 25\n/canary 50",
                "conflicting-commands",
                "Two commands in one comment",
                "/canary 50",
                id="13",
            ),
            pytest.param(
                "/canary 25\n/rollback",
                "conflicting-commands",
                "Two commands in one comment",
                "/rollback",
                id="14",
            ),
            pytest.param(
                "/canary 25\u2028/rollback",
                "hidden-character",
                "Control or separator characters are not accepted (U+2028).",
                "\u2028",
                id="15",
            ),
            pytest.param("/canary 25\n" * 5900, "too-many-commands", "got 5900", "", id="16"),
            pytest.param("／canary 25", "unknown-verb", "U+FF0F", "／canary", id="21 full-width slash"),
            pytest.param("\ufeff/canary 25", "hidden-character", "(U+FEFF)", "\ufeff", id="22 BOM"),
            pytest.param("/canary\u00a025", "plain-space-needed", "Use a plain space.", "\u00a0", id="23"),
            pytest.param("/canary\t25", "plain-space-needed", "Use a plain space.", "\t", id="23 tab"),
            pytest.param(
                "/canary \u202e25",
                "hidden-character",
                "Hidden direction characters (U+202E) refused.",
                "\u202e",
                id="24",
            ),
            pytest.param("/canary 2\u200b5", "hidden-character", "(U+200B)", "\u200b", id="24 zero width"),
            pytest.param("/canary 25\ufe0f", "hidden-character", "(U+FE0F)", "\ufe0f", id="24 selector"),
            pytest.param("/canary 25\u3164", "hidden-character", "(U+3164)", "\u3164", id="24 filler"),
            pytest.param("/canary 25 \u00ad", "hidden-character", "(U+00AD)", "\u00ad", id="24 soft hyphen"),
            pytest.param(
                "/canary 25 app=p\u0430yments",
                "unknown-service",
                "Unknown app `p\u0430yments` (got U+0430); known: payments.",
                "p\u0430yments",
                id="25 Cyrillic letter",
            ),
            pytest.param("/canary 25\0", "hidden-character", "(U+0000)", "\0", id="26 NUL"),
            pytest.param(
                "/canary 25\ud800", "hidden-character", "(U+D800)", "\ud800", id="26 lone surrogate"
            ),
            pytest.param(
                "/rollback -- " + "x" * 300 + "\ud800",
                "hidden-character",
                "(U+D800)",
                "\ud800",
                id="26 surrogate at the end of a long line",
            ),
            pytest.param("/canary 25\r/rollback", "hidden-character", "(U+000D)", "\r", id="26 lone CR"),
            pytest.param(
                "/canary 25; id", "unexpected-text", "Unexpected text after the weight.", ";", id="27"
            ),
            pytest.param(
                "/canary 25 $(id)", "unexpected-text", "Unexpected text after the weight.", "$(id)", id="28"
            ),
            pytest.param(
                "/canary 25 -- -var-file=/etc/passwd", "unknown-option", "Unknown option", "--", id="29"
            ),
            pytest.param(
                "/canary 25 -var-file=/etc/passwd",
                "unknown-option",
                "Unknown option",
                "-var-file=/etc/passwd",
                id="29 one hyphen",
            ),
            pytest.param(
                "/canary 25 app=../../etc/passwd",
                "bad-name",
                "App names use a–z, 0–9 and '-'.",
                "../../etc/passwd",
                id="30",
            ),
            pytest.param(
                "/canary ${{ secrets.GITHUB_TOKEN }}",
                "weight-not-a-number",
                WHOLE,
                "${{ secrets.GITHUB_TOKEN }}",
                id="31",
            ),
            pytest.param("/canary {{ 7*7 }}", "weight-not-a-number", WHOLE, "{{ 7*7 }}", id="32"),
            pytest.param("/canary {0.__class__}", "weight-not-a-number", WHOLE, "{0.__class__}", id="33"),
            pytest.param("/canary \x1b[31m25", "hidden-character", "(U+001B)", "\x1b", id="34 escape"),
            pytest.param(
                "/canary @everyone @acme/all", "weight-not-a-number", WHOLE, "@everyone @acme/all", id="35"
            ),
            pytest.param("/canary &#64;octocat", "weight-not-a-number", WHOLE, "&#64;octocat", id="36"),
            pytest.param(
                "/canary fixes #1", "unknown-verb", "I don't know `/canary fixes`", "fixes", id="37"
            ),
            pytest.param(
                "/canary ![p](https://attacker.invalid/p.png)",
                "weight-not-a-number",
                WHOLE,
                "![p](https://attacker.invalid/p.png)",
                id="38 image",
            ),
            pytest.param("/canary ``` @x", "weight-not-a-number", WHOLE, "``` @x", id="39 fence breakout"),
            pytest.param("/canary a lot", "weight-not-a-number", "one whole percent", "a lot", id="in words"),
            pytest.param("/canary 25%", "weight-not-a-number", WHOLE, "25%", id="with its sign"),
            pytest.param(
                "/canary promte", "unknown-verb", "I don't know `/canary promte`", "promte", id="typo"
            ),
            pytest.param("/Canary 25", "unknown-verb", "small letters", "/Canary", id="capital letter"),
            pytest.param("/ROLLBACK", "unknown-verb", "small letters", "/ROLLBACK", id="all capitals"),
            pytest.param(
                "/rollback -- " + "x" * 1024, "line-too-long", "1024 bytes", "", id="line over 1 kB"
            ),
            pytest.param(
                "/rollback -- " + "é" * 510, "line-too-long", "1024 bytes", "", id="1 kB counts bytes"
            ),
        ],
    )
    def test_row(self, comment: str, code: str, says: str, marks: str) -> None:
        got, message, marked = one(comment)
        assert got == code
        assert says in message
        if marks:
            assert marked == marks

    def test_nothing_runs_when_one_line_is_wrong(self) -> None:
        parsed = parse_comment("/rollback\n/canary 101\n/hold for ever\n/promote -- soon")
        assert parsed.commands == ()
        assert [p.code for p in parsed.problems] == ["weight-out-of-range", "bad-duration", "unknown-option"]
        assert [str(p.place) for p in parsed.problems] == ["2:9", "3:11", "4:10"]

    def test_ten_commands_are_read(self) -> None:
        assert len(parse_comment("/canary status\n" * 10).lines) == 10
        assert parse_comment("/canary status\n" * 10).problems == ()
        assert [p.code for p in parse_comment("/canary status\n" * 11).problems] == ["too-many-commands"]

    def test_lines_of_others_do_not_count(self) -> None:
        parsed = parse_comment("/lgtm\n" * 50 + "/canary 25")
        assert [c.line for c in parsed.commands] == [51]

    def test_one_kilobyte_is_read(self) -> None:
        line = "/rollback -- " + "x" * (1024 - 13)
        assert parse_comment(line).commands == (Rollback(reason="x" * 1011),)

    @pytest.mark.parametrize(
        ("comment", "remedy"),
        [
            pytest.param("/canary 25 50", "Try `/canary 25 50 100`.", id="last step missing"),
            pytest.param("/canary 50 25 100", "Try `/canary 25 50 100`.", id="not rising"),
            pytest.param("/canary 25 25 100", "Try `/canary 25 100`.", id="twice the same"),
            pytest.param("/canary promte", "Did you mean `/canary promote`?", id="verb"),
            pytest.param("/canary 25 stabel=x", "Did you mean `stable=`?", id="option"),
            pytest.param("/canary Checkout 25", "Did you mean `checkout`?", id="capital in a name"),
            pytest.param("/canary 25%", "Write `25` without the sign.", id="percent sign"),
            pytest.param("/canary all", "Try `/canary all 25`.", id="service without a percent"),
            pytest.param("/hold 2h", "Try `/hold for 2h`.", id="duration without for"),
            pytest.param("/rollback — broke", "Write `-- reason`.", id="a phone's dash"),
            pytest.param("/canary help promte", "Did you mean `/canary help promote`?", id="help"),
            pytest.param("/Rollback", "Did you mean `/rollback`?", id="capital letter"),
        ],
    )
    def test_remedy(self, comment: str, remedy: str) -> None:
        (problem,) = parse_comment(comment).problems
        assert problem.remedy == remedy


class TestSilence:
    """An unknown word after ``/`` belongs to somebody else and gets silence."""

    @pytest.mark.parametrize(
        "comment",
        [
            pytest.param("> /canary 25", id="17"),
            pytest.param("```\n/canary 25\n```", id="18 fenced"),
            pytest.param("    /canary 25", id="18 indented"),
            pytest.param("`/canary 25`", id="18 inline"),
            pytest.param("<!-- /canary 25 -->", id="19"),
            pytest.param("please run /canary 25", id="20"),
            pytest.param("/lgtm", id="another bot's word"),
            pytest.param("/status", id="a verb that has no short form"),
            pytest.param("/canary-bot 25", id="a longer word"),
            pytest.param("/canary25", id="no space"),
            pytest.param("/canary/customer/1/50 is the branch", id="a path"),
            pytest.param("/canary: look", id="a colon"),
            pytest.param("/", id="a slash"),
            pytest.param("//canary 25", id="two slashes"),
            pytest.param("/ canary 25", id="space behind the slash"),
            pytest.param("/ca\u200bnary 25", id="hidden inside of the word"),
            pytest.param("/c\u0430nary 25", id="Cyrillic inside of the word"),
            pytest.param("/\u212aanary", id="a letter whose small form is ASCII"),
            pytest.param("", id="empty"),
        ],
    )
    def test_conversation(self, comment: str) -> None:
        assert parse_comment(comment) == Parsed()
        assert parse_comment(comment).is_conversation


COMMAND_LIKE = st.lists(
    st.sampled_from(
        [
            *[
                "/canary",
                "/promote",
                "/rollback",
                "/hold",
                "/tag",
                "/traffic",
                "plan",
                "status",
                "help",
                "for",
            ],
            *[
                "25",
                "0",
                "100",
                "101",
                "025",
                "2h",
                "1d12h",
                "next",
                "full",
                "all",
                "checkout",
                "--",
                "-",
                "=",
            ],
            *["app=x", "sha=abcdef1", "stable=", "candidate=b", " ", "\n", "\n\n", "\u202e", "\u00a0", "２"],
            *["`", "@x", "\x00", "\ud800", "é", "—", "-1", "-x", "%", ";", "\r", "\t", "/canary 25\n", "/"],
        ]
    ),
    max_size=14,
).flatmap(lambda words: st.sampled_from([" ".join(words), "".join(words)]))


class TestAnyText:
    """A hostile input gets a clear reply, never an error and never an effect."""

    @given(st.one_of(st.text(max_size=200), COMMAND_LIKE, st.text(max_size=60).map("/canary ".__add__)))
    @example("/canary \ud800")
    @example("/canary 25 app=")
    @example("/canary 25 sha=")
    def test_answer_or_silence(self, text: str) -> None:
        parsed = parse_comment(text)
        assert not (parsed.commands and parsed.problems)
        lines = text.split("\n")
        for command in parsed.commands:
            assert lines[command.line - 1].removesuffix("\r") == command.source
            assert command.source.lstrip(" ").isascii() or " -- " in command.source
        for problem in parsed.problems:
            assert problem.message
            assert problem.place is not None
            if problem.source is not None and problem.caret is not None:
                start, length = problem.caret
                assert 0 <= start < start + length <= len(problem.source)
            assert "\ud800" not in problem_text(problem, with_code=True)

    @given(st.integers(0, 100), st.text(st.characters(exclude_characters="\n"), min_size=1, max_size=6))
    def test_only_the_plain_spelling_of_a_percent(self, weight: int, tail: str) -> None:
        digits = [int(tail)] if tail.isascii() and tail.isdigit() else []
        for command in parse_comment(f"/canary {weight}{tail}").commands:
            assert isinstance(command, Canary)
            joined = [int(f"{weight}{d}") for d in digits if str(d) == tail]
            assert command.weights in {(weight,), *((j,) for j in joined)} or " " in tail
            assert command.weights != (weight,) or not tail.strip(" ") or "=" in tail

    @pytest.mark.timeout(20)
    @pytest.mark.parametrize(
        "unit", ["9", "a ", "-", "- ", "a=", "/canary ", "1 ", "é", "\u202e", "=", "w", "1w"]
    )
    def test_long_lines_end_soon(self, unit: str) -> None:
        for verb in ("/canary ", "/hold for ", "/rollback -- ", "/traffic ", "/canary a ", "/canary 25 app="):
            text = verb + unit * ((LONGEST_COMMENT - 40) // len(unit))
            (problem,) = parse_comment(text).problems
            assert problem.code in {"line-too-long", "number-too-long"}
            assert problem.source is not None
            assert len(problem.source) < 200
