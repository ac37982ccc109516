"""The server's texts that the recorded cases leave out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.admission import Facts, refusal
from bot.core.go import duration, integer, quoted
from bot.core.problems import Place
from bot.core.traffic import Split, Target
from bot.core.validate import is_label, is_qualified, problems_of

ALL = (Target(None, 100, None, latest=True),)
DURATION = "metadata.annotations.serving.knative.dev/rollout-duration"


def of_traffic(*targets: Target) -> str | None:
    return refusal(Facts("shop", targets))


class TestOrder:
    """Violations of the same words are one line; lines and paths are sorted as text."""

    def test_paths_are_sorted_as_text(self) -> None:
        targets = tuple(Target("shop-v1", 200 if i in {2, 10} else 0) for i in range(11))
        assert of_traffic(*targets) == (
            "Traffic targets sum to 400, want 100: spec.traffic\n"
            "expected 0 <= 200 <= 100: spec.traffic[10].percent, spec.traffic[2].percent"
        )

    def test_all_of_them_at_once(self) -> None:
        text = refusal(
            Facts(
                "Shop",
                (Target("a b", 101, "x", latest=True), Target(None, -1, "x", latest=False)),
                urls=frozenset({1}),
                configurations=frozenset({1}),
            )
        )
        assert text is not None
        lines = [line for line in text.split("\n") if not line.startswith("name part")]
        assert [line.split(":")[0] for line in lines] == [
            'Multiple definitions for "x"',
            "expected 0 <= -1 <= 100",
            "expected 0 <= 101 <= 100",
            'invalid key name "a b"',
            'may not set revisionName "" when latestRevision is false',
            'may not set revisionName "a b" when latestRevision is true',
            "must not set the field(s)",
            "not a DNS 1035 label",
        ]
        assert "must not set the field(s): spec.traffic[1].configurationName, spec.traffic[1].url" in lines


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("a/b/c", "a qualified name must consist of", id="two slashes"),
        pytest.param("A/b", "prefix part a lowercase RFC 1123 subdomain must consist of", id="prefix"),
        pytest.param("a/", "name part must be non-empty, name part must consist of", id="no name"),
        pytest.param("x" * 64, "name part must be no more than 63 characters", id="long"),
        pytest.param("x." * 127 + "x/a", "prefix part must be no more than 253 characters", id="long prefix"),
    ],
)
def test_revision_names(name: str, reason: str) -> None:
    text = of_traffic(Target(name, 100))
    assert text is not None
    first, second = text.split("\n")
    assert first == f"invalid key name {quoted(name)}: spec.traffic[0].revisionName"
    assert second.startswith(reason)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("0", None, id="nought"),
        pytest.param("1m30s", None, id="whole seconds"),
        pytest.param("1.5s", f"rollout-duration=1.5s is not at second precision: {DURATION}", id="half"),
        pytest.param("0.5m", None, id="half a minute"),
        pytest.param("-1h", f"rollout-duration=-1h must be positive: {DURATION}", id="negative"),
        pytest.param("10", f"invalid value: 10: {DURATION}", id="no unit"),
        pytest.param("1d", f"invalid value: 1d: {DURATION}", id="days"),
        pytest.param("soon", f"invalid value: soon: {DURATION}", id="a word"),
    ],
)
def test_rollout_duration(value: str, text: str | None) -> None:
    annotations = {"serving.knative.dev/rollout-duration": value}
    assert refusal(Facts("shop", ALL, annotations=annotations)) == text


def test_the_older_spelling_of_rollout_duration() -> None:
    text = refusal(Facts("shop", ALL, annotations={"serving.knative.dev/rolloutDuration": "x"}))
    assert text == "invalid value: x: metadata.annotations.serving.knative.dev/rolloutDuration"


class TestGo:
    """What Go's library makes of text."""

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            pytest.param('a"\\\n\t\x1b\x7f', r'"a\"\\\n\t\x1b\x7f"', id="escapes"),
            pytest.param("é日", '"é日"', id="printable"),
            pytest.param("\u200b\xa0\U000e0001", r'"\u200b\u00a0\U000e0001"', id="invisible"),
            pytest.param("\udc80", r'"\x80"', id="a byte that is no UTF-8"),
        ],
    )
    def test_quoted(self, text: str, shown: str) -> None:
        assert quoted(text) == shown

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("+7", 7),
            ("-0", 0),
            ("007", 7),
            ("9223372036854775807", 2**63 - 1),
            ("-9223372036854775808", -(2**63)),
            ("9223372036854775808", None),
            ("", None),
            ("+", None),
            ("1_0", None),
            ("\uff11", None),
            ("1\n", None),
        ],
    )
    def test_integer(self, text: str, number: int | None) -> None:
        assert integer(text) == number

    @pytest.mark.parametrize(
        ("text", "nanoseconds"),
        [
            ("1h2m3.5s", 3_723_500_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("1µs", 1000),
            ("-1ms", -1_000_000),
            (".s", None),
            ("", None),
            ("-", None),
            ("s", None),
            ("1s ", None),
            ("9999999999h", None),
            ("1" * 5000 + "s", None),
        ],
    )
    def test_duration(self, text: str, nanoseconds: int | None) -> None:
        assert duration(text) == nanoseconds


names = st.text(alphabet="ab-_./A1é ", min_size=1, max_size=8) | st.integers(60, 66).map("x".__mul__)


class TestBothVoices:
    """The server's words and our own refuse the same."""

    @given(tag=st.none() | names, revision=st.none() | names, percent=st.integers(-1, 101), template=names)
    def test_any_target(self, tag: str | None, revision: str | None, percent: int, template: str) -> None:
        targets = (Target(revision, percent, tag), Target(None, 100 - percent, None, latest=True))
        ours = problems_of(Split(targets), service="a", template_name=template, place=Place())
        # Host names show later, and only we tell them.
        ours = tuple(p for p in ours if "characters, want at most 63" not in p.message)
        assert bool(ours) == (refusal(Facts("a", targets, template_name=template)) is not None)

    @given(name=names)
    def test_any_name(self, name: str) -> None:
        assert is_label(name) == (refusal(Facts(name, ALL)) is None)
        assert is_qualified(name) == (of_traffic(Target(name, 100)) is None)


class TestRoute:
    """In a Route: exactly one of ``revisionName`` and ``configurationName``, and no default for an empty block."""

    @pytest.mark.parametrize(
        ("target", "text"),
        [
            pytest.param(Target(None, 100, configuration="shop"), None, id="a configuration"),
            pytest.param(Target("shop-v1", 100), None, id="a revision"),
            pytest.param(
                Target(None, 100),
                "expected exactly one, got neither: "
                "spec.traffic[0].configurationName, spec.traffic[0].revisionName",
                id="neither",
            ),
            pytest.param(
                Target("a b", 100, configuration="c d"),
                "expected exactly one, got both: spec.traffic[0].configurationName, spec.traffic[0].revisionName",
                id="both, whatever their names",
            ),
            pytest.param(
                Target("shop-v1", 100, latest=True, configuration="shop"),
                "expected exactly one, got both: spec.traffic[0].configurationName, spec.traffic[0].revisionName\n"
                'may not set revisionName "shop-v1" when latestRevision is true: spec.traffic[0].latestRevision',
                id="both, and the latest",
            ),
            pytest.param(
                Target(None, 100, latest=False, configuration="shop"),
                'may not set revisionName "" when latestRevision is false: spec.traffic[0].latestRevision',
                id="a configuration and not its latest",
            ),
        ],
    )
    def test_targets(self, target: Target, text: str | None) -> None:
        assert refusal(Facts("shop", (target,), kind="Route")) == text

    def test_names_of_configurations(self) -> None:
        text = refusal(Facts("shop", (Target(None, 100, configuration="a/"),), kind="Route"))
        assert text is not None
        assert text.startswith(
            'invalid key name "a/": spec.traffic[0].configurationName\nname part must be non-empty'
        )

    def test_no_targets(self) -> None:
        assert refusal(Facts("shop", (), kind="Route")) == "Traffic targets sum to 0, want 100: spec.traffic"

    def test_a_service_sets_none(self) -> None:
        text = "must not set the field(s): spec.traffic[0].configurationName"
        assert refusal(Facts("shop", (Target(None, 100, configuration="a b"),))) == text
        assert refusal(Facts("shop", ALL, configurations=frozenset({0}))) == text

    @given(name=names)
    def test_any_name(self, name: str) -> None:
        target = Target(None, 100, configuration=name)
        assert is_qualified(name) == (refusal(Facts("shop", (target,), kind="Route")) is None)
