"""Values go into a query through the quoter only, and change one literal, never the query's tree."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.problems import Declined
from bot.core.promql import NAMES, Values, duration, literal, parse, pattern

WINDOW = timedelta(minutes=15)
VALUES = Values("checkout", "checkout-v2", "checkout-v1", "shop")
RATE = 'sum(rate(http_requests_total{revision="{revision}",code=~"5.."}[{window}]))'


def fill(text: str, values: Values = VALUES, revision: str = "checkout-v2") -> str:
    return parse(text).fill(values, revision=revision, window=WINDOW)


def newest(text: str) -> str:
    return parse(text).newest(VALUES, revision="checkout-v2", window=WINDOW)


@pytest.mark.parametrize(
    ("template", "query"),
    [
        pytest.param(
            RATE, RATE.replace("{revision}", "checkout-v2").replace("{window}", "15m"), id="example"
        ),
        pytest.param(
            'a{x="{candidate}"} / a{x="{stable}"}', 'a{x="checkout-v2"} / a{x="checkout-v1"}', id="two"
        ),
        pytest.param(
            "a{x='{service}',y!=\"{namespace}\"}", "a{x='checkout',y!=\"shop\"}", id="both kinds of quotes"
        ),
        pytest.param(
            "a{x=`{service}\\d`}", 'a{x="checkout\\\\d"}', id="a raw string becomes an ordinary one"
        ),
        pytest.param(
            'a{x=~"{service}-.*"}',
            'a{x=~"checkout-.*"}',
            id="the template's own expression stays in a pattern",
        ),
        pytest.param('a{x="pre-{service}-post"}', 'a{x="pre-checkout-post"}', id="in the middle of a string"),
        pytest.param('a{x=~"5[0-9]{2}"}', 'a{x=~"5[0-9]{2}"}', id="a count of an expression is no value"),
        pytest.param('a{x=~"\\\\d+"}', 'a{x=~"\\\\d+"}', id="escapes of the template stay"),
        pytest.param("max_over_time(a[{window}:30s])", "max_over_time(a[15m:30s])", id="subquery"),
        pytest.param(
            "max_over_time(a[1h:{window}])", "max_over_time(a[1h:15m])", id="resolution of a subquery"
        ),
        pytest.param("a offset {window}", "a offset 15m", id="offset"),
        pytest.param("a offset -{window}", "a offset -15m", id="negative offset"),
        pytest.param('a{window="{window}"}', 'a{window="15m"}', id="a window as a label's value"),
        pytest.param("a # twice a day\n+ b", "a   + b", id="a comment goes"),
        pytest.param("a\n  + b", "a + b", id="line ends become spaces"),
        pytest.param('"it\'s" == a', '"it\'s" == a', id="a quote of the other kind"),
    ],
)
def test_fill(template: str, query: str) -> None:
    assert fill(template) == query


@pytest.mark.parametrize(
    ("template", "says"),
    [
        pytest.param("{service}:errors:ratio5m", "outside a string", id="in a name"),
        pytest.param("errors{{service}}", "PromQL has no such|outside a string", id="in a selector"),
        pytest.param("errors{window}", "is a duration", id="a window for a selector"),
        pytest.param("errors[5{window}]", "is a duration", id="a window behind digits"),
        pytest.param("rate(errors[{window}m])", "is a duration", id="a window before letters"),
        pytest.param("a offset{window}", "is a duration", id="a window that would become a part of a word"),
        pytest.param("a - {window}", "is a duration", id="a window as an operand"),
        pytest.param(
            'label_replace(a, "x", "{service}", "", "")', "label matcher", id="an argument of a function"
        ),
        pytest.param('a{x="{sevice}"}', "no value", id="a misspelt name"),
        pytest.param('a{x="\\{service}"}', "no escape", id="an escape that would reach into the value"),
        pytest.param('a{x="\\x{service}"}', "no escape", id="an escape that would read digits of the value"),
        pytest.param('a{x="\\u00{service}"}', "no escape", id="half an escape"),
        pytest.param("a{x='\\\"{service}'}", "no escape", id="an escaped quote of the other kind"),
        pytest.param("a # {service}\n", "comment", id="in a comment"),
        pytest.param('a{x="{service}', "no end", id="a string without end"),
        pytest.param('a{x="b\n{service}"}', "no end", id="a string over two lines"),
        pytest.param("a; b", "no such character", id="a character that PromQL does not have"),
        pytest.param("1 > 2", "no metric", id="a query that reads nothing"),
        pytest.param("vector(1)", "no metric", id="a query of constants"),
        pytest.param("", "no metric", id="nothing"),
        pytest.param("a" * 2001, "2001 characters", id="too long"),
    ],
)
def test_refused(template: str, says: str) -> None:
    with pytest.raises(Declined, match=says) as declined:
        parse(template)
    (problem,) = declined.value.problems
    assert problem.code == "config-invalid"
    assert problem.source == template
    assert problem.caret is not None


def test_the_caret_stands_under_the_name() -> None:
    with pytest.raises(Declined) as declined:
        parse('a{x="{sevice}"}')
    (problem,) = declined.value.problems
    assert problem.caret == (5, 8)
    assert problem.remedy == "Did you mean `{service}`?"


@pytest.mark.parametrize("name", ["stable", "namespace"])
def test_a_value_that_is_not_known_is_no_empty_matcher(name: str) -> None:
    with pytest.raises(Declined, match="not known"):
        fill(f'a{{x="{{{name}}}"}}', Values("checkout", "checkout-v2"))


@pytest.mark.parametrize(
    ("template", "selectors"),
    [
        pytest.param(RATE, ['http_requests_total{revision="checkout-v2",code=~"5.."}'], id="one"),
        pytest.param("a{} / b", ["a{}", "b"], id="with braces and without"),
        pytest.param("sum by (code, job) (a) / on (job) group_left (x) b", ["a", "b"], id="lists of labels"),
        pytest.param("sum(a) by (code) > bool 1 or vector(0)", ["a"], id="list behind, words and functions"),
        pytest.param('{__name__="a"} offset 5m', ['{__name__="a"}'], id="without a name"),
        pytest.param("job:errors:rate5m[5m:1m]", ["job:errors:rate5m"], id="a recorded series"),
        pytest.param("topk(1, a) and a unless NaN", ["a"], id="the same twice"),
        pytest.param("a @ end() + a @ 1609746000", ["a"], id="at a time"),
    ],
)
def test_newest_asks_for_the_time_of_every_series(template: str, selectors: list[str]) -> None:
    assert newest(template) == " or ".join(
        f'label_replace(max(timestamp({one})), "selector", "{n}", "", "")' for n, one in enumerate(selectors)
    )


@pytest.mark.parametrize(
    ("length", "text"),
    [
        pytest.param(timedelta(seconds=1), "1s", id="least"),
        pytest.param(timedelta(seconds=90), "1m30s", id="minutes and seconds"),
        pytest.param(timedelta(days=1, hours=12), "36h", id="hours above a day"),
        pytest.param(timedelta(hours=1, seconds=5.9), "1h5s", id="whole seconds"),
    ],
)
def test_duration(length: timedelta, text: str) -> None:
    assert duration(length) == text


@pytest.mark.parametrize("seconds", [0, 0.9, -60, 366 * 86400])
def test_no_duration(seconds: float) -> None:
    with pytest.raises(Declined, match="window"):
        duration(timedelta(seconds=seconds))


# A reader of literals of its own, written from lexEscape and strutil.Unquote, to read back what was written.
ESCAPES = re.compile(r"\\(?:\\|u([0-9a-f]{4})|U([0-9a-f]{8}))")


def meaning(quoted: str) -> str:
    return ESCAPES.sub(lambda m: "\\" if m[0] == "\\\\" else chr(int(m[1] or m[2], 16)), quoted[1:-1])


NASTY = st.text(
    st.one_of(
        st.sampled_from("\"'`\\\n\r\t\0{}[]()=~!,#|.*+?$^u0x1nU "),
        st.characters(exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=30,
)
ANY = st.builds(Values, NASTY, NASTY, NASTY, NASTY)
TEMPLATES = [
    RATE,
    "a{x='{candidate}'} / a{x=\"{stable}\"}",
    "a{x=`{service}`,y=~`{candidate}.*`}",
    'a{x!~"{stable}|b", y="\\"{namespace}\\\\"}',
]
TOKENS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`[^`]*`|[^"\'`]+')


def tree(query: str) -> list[str]:
    """The query with every literal's content taken out; that all of it is read is checked as well."""
    found = TOKENS.findall(query)
    assert "".join(found) == query
    return [t if t[0] not in "\"'`" else t[0] + t[-1] for t in found]


class TestQuoter:
    """A value is written into the literal that stands there, and changes nothing else."""

    @given(NASTY)
    def test_a_literal_means_the_value(self, value: str) -> None:
        quoted = literal(value)
        assert meaning(quoted) == value
        assert quoted.isascii()
        assert TOKENS.fullmatch(quoted)

    @given(NASTY)
    def test_a_pattern_matches_the_value_and_nothing_else(self, value: str) -> None:
        expression = re.compile(meaning(pattern(value)))
        assert expression.fullmatch(value)
        assert not expression.fullmatch(value + value)

    @pytest.mark.parametrize("template", TEMPLATES)
    @given(values=ANY)
    def test_no_value_changes_the_structure(self, template: str, values: Values) -> None:
        query = parse(template).fill(values, revision=values.candidate, window=WINDOW)
        assert tree(query) == tree(fill(template))

    @given(values=ANY)
    def test_a_filled_query_is_a_template_without_values(self, values: Values) -> None:
        """Reading a filled query again finds no place for a value, unless the value itself spelled one."""
        query = parse(RATE).fill(values, revision="x-" + values.candidate, window=WINDOW)
        if not any(f"{{{name}}}" in values.candidate for name in NAMES) and not re.search(
            r"\{[a-z_-]+\}", values.candidate
        ):
            assert not parse(query).names

    @given(st.text(st.sampled_from("\"'`\\\n{}[]()=~!,#ab:5[{window}] "), max_size=40))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            parse(text)
        except Declined:
            return

    def test_half_a_character_is_refused(self) -> None:
        with pytest.raises(Declined, match="half"):
            literal("a\ud800")
