"""What the API server says against a Service or a Route, word for word.

All violations are collected, those with the same words merged, and the lines sorted, as the server does.
``bot.core.validate`` says the same in our own words, and what only shows later.
Source: Knative Serving v1.22, ``pkg/apis/serving/v1`` (Service, Route and their validation), ``knative.dev/pkg/apis``
(``FieldError``), Kubernetes ``apimachinery/pkg/util/validation``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.core.go import SECOND, duration, encoded, quoted
from bot.core.validate import LONGEST_LABEL, LONGEST_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.core.traffic import Target

_DNS_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_DNS_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_DNS_1123}(\.{_DNS_1123})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

_NOT_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character,"
    " and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is"
    f" '{_DNS_1035}')"
)
_NOT_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    f" end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_NOT_QUALIFIED = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    f" (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_AUTOSCALING = "autoscaling.knative.dev"
_AUTOSCALING_BELONGS = (
    'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'
)
_ROLLOUT_DURATION = ("serving.knative.dev/rollout-duration", "serving.knative.dev/rolloutDuration")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server looks at.

    ``targets`` are as the server has them, with its defaults (``bot.core.traffic.defaulted`` for none; a ``Route``'s
    empty block has no default); a field that is ``None`` is absent. ``urls`` are the places in ``targets`` that set
    ``url``, and ``configurations`` further ones that set ``configurationName``, which a Service may not. An empty
    name is none; a ``Route`` has no template.
    """

    name: str
    targets: tuple[Target, ...]
    generate_name: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    template_name: str = ""
    template_generate_name: str = ""
    urls: frozenset[int] = frozenset()
    configurations: frozenset[int] = frozenset()
    kind: str = "Service"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that the server refuses: its words, the fields, and what a second line explains."""

    message: str
    paths: tuple[str, ...]
    details: str = ""


def refusal(facts: Facts) -> str | None:
    """Give the server's text, one violation a line (some go on in a second one), or ``None`` where it accepts."""
    lines = [
        f"{found.message}: {', '.join(found.paths)}" + (f"\n{found.details}" if found.details else "")
        for found in violations(facts)
    ]
    return "\n".join(lines) or None


def violations(facts: Facts) -> tuple[Violation, ...]:
    """Give what the server refuses, merged and in its order."""
    merged: dict[tuple[str, str], set[str]] = {}
    for found in (*_of_metadata(facts), *_of_template(facts), *_of_traffic(facts)):
        merged.setdefault((found.message, found.details), set()).update(found.paths)
    ordered = sorted(merged.items(), key=lambda item: [encoded(part) for part in item[0]])
    # The server sorts paths as text: [10] comes before [2].
    return tuple(Violation(message, tuple(sorted(paths)), details) for (message, details), paths in ordered)


def _of_label(name: str) -> list[str]:
    reasons = []
    if len(encoded(name)) > LONGEST_LABEL:
        reasons.append(f"must be no more than {LONGEST_LABEL} characters")
    if not _is(_DNS_1035, name):
        reasons.append(_NOT_1035)
    return reasons


def _is(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _label(what: str, reasons: list[str]) -> str:
    return f"not a DNS 1035 {what}: [{' '.join(reasons)}]"


def _of_prefix(name: str) -> list[str]:
    """Judge a ``generateName``: the server puts a letter in the place of a dash at its end."""
    return _of_label(name[:-2] + "a" if len(name) > 1 and name.endswith("-") else name)


def _of_metadata(facts: Facts) -> Iterator[Violation]:
    if facts.generate_name and (reasons := _of_prefix(facts.generate_name)):
        yield Violation(_label("label prefix", reasons), ("metadata.generateName",))
    if facts.name and (reasons := _of_label(facts.name)):
        yield Violation(_label("label", reasons), ("metadata.name",))
    if not facts.name and not facts.generate_name:
        yield Violation("name or generateName is required", ("metadata.name",))
    for key in facts.annotations:
        if key.startswith(_AUTOSCALING):
            yield Violation(
                f"invalid key name {quoted(key)}", ("metadata.annotations",), _AUTOSCALING_BELONGS
            )
    key = next((key for key in _ROLLOUT_DURATION if key in facts.annotations), "")
    value = facts.annotations.get(key, "")
    if value and (reason := _of_duration(value)):
        yield Violation(reason, (f"metadata.annotations.{key}",))


def _of_duration(value: str) -> str | None:
    nanoseconds = duration(value)
    if nanoseconds is None:
        return f"invalid value: {value}"
    if nanoseconds % SECOND:
        return f"rollout-duration={value} is not at second precision"
    return f"rollout-duration={value} must be positive" if nanoseconds < 0 else None


def _of_template(facts: Facts) -> Iterator[Violation]:
    """Judge the revision's own name; the first failure only."""
    metadata = "spec.template.metadata"
    name = facts.template_name
    if facts.template_generate_name and (reasons := _of_prefix(facts.template_generate_name)):
        reason = _label("label prefix", reasons)
        yield Violation(f"invalid value: {reason}", (f"{metadata}.generateName",))
    elif not name:
        return
    elif reasons := _of_label(name):
        yield Violation(f"invalid value: {_label('label', reasons)}", (f"{metadata}.name",))
    elif not facts.name and facts.generate_name:
        yield Violation("must not set the field(s)", (f"{metadata}.name",))
    elif not name.startswith(f"{facts.name}-"):
        prefix = quoted(f"{facts.name}-")
        yield Violation(f"invalid value: {quoted(name)} must have prefix {prefix}", (f"{metadata}.name",))


def _of_traffic(facts: Facts) -> Iterator[Violation]:
    first: dict[str, int] = {}
    for i, target in enumerate(facts.targets):
        yield from _of_target(facts, target, i)
        if not target.tag:
            continue
        if reasons := _of_label(target.tag):
            yield Violation(f"invalid value: {_label('label', reasons)}", (f"spec.traffic.tag[{i}]",))
        if target.tag in first:
            paths = (f"spec.traffic[{i}].tag", f"spec.traffic[{first[target.tag]}].tag")
            yield Violation(f"Multiple definitions for {quoted(target.tag)}", paths)
        else:
            first[target.tag] = i
    total = sum(t.effective_percent for t in facts.targets)
    if total != 100:  # noqa: PLR2004 - percents
        yield Violation(f"Traffic targets sum to {total}, want 100", ("spec.traffic",))


def _of_target(facts: Facts, target: Target, i: int) -> Iterator[Violation]:
    path = f"spec.traffic[{i}]"
    name = target.revision or ""
    yield from _of_naming(facts, target, i)
    if target.latest is not None and target.latest == bool(name):
        shown = "true" if target.latest else "false"
        message = f"may not set revisionName {quoted(name)} when latestRevision is {shown}"
        yield Violation(message, (f"{path}.latestRevision",))
    if not 0 <= target.effective_percent <= 100:  # noqa: PLR2004 - percents
        yield Violation(f"expected 0 <= {target.percent} <= 100", (f"{path}.percent",))
    if i in facts.urls:
        yield Violation("must not set the field(s)", (f"{path}.url",))


def _of_naming(facts: Facts, target: Target, i: int) -> Iterator[Violation]:
    """Judge what a target leads to; the first failure only."""
    path = f"spec.traffic[{i}]"
    both = (f"{path}.configurationName", f"{path}.revisionName")
    name, configuration = target.revision or "", target.configuration or ""
    if facts.kind != "Route":
        if configuration or i in facts.configurations:
            yield Violation("must not set the field(s)", both[:1])
            return
    elif bool(name) == bool(configuration):
        yield Violation(f"expected exactly one, got {'both' if name else 'neither'}", both)
        return
    for field_path, value in zip(both, (configuration, name), strict=True):
        if value and (reasons := _of_revision(value)):
            yield Violation(f"invalid key name {quoted(value)}", (field_path,), ", ".join(reasons))


def _of_revision(name: str) -> list[str]:
    """Judge a *qualified name*."""
    parts = name.split("/")
    if len(parts) > 2:  # noqa: PLR2004 - a prefix and a name
        return [
            f"a qualified name {_NOT_QUALIFIED} with an optional DNS subdomain prefix and '/'"
            " (e.g. 'example.com/MyName')"
        ]
    reasons = []
    if len(parts) > 1:
        prefix = parts[0]
        if not prefix:
            reasons.append("prefix part must be non-empty")
        else:
            if len(encoded(prefix)) > LONGEST_PREFIX:
                reasons.append(f"prefix part must be no more than {LONGEST_PREFIX} characters")
            if not _is(_SUBDOMAIN, prefix):
                reasons.append(f"prefix part {_NOT_SUBDOMAIN}")
    last = parts[-1]
    if not last:
        reasons.append("name part must be non-empty")
    elif len(encoded(last)) > LONGEST_LABEL:
        reasons.append(f"name part must be no more than {LONGEST_LABEL} characters")
    if not _is(_QUALIFIED, last):
        reasons.append(f"name part {_NOT_QUALIFIED}")
    return reasons
