"""The referee: is an exchange one that GitHub documents?

Its only sources are GitHub's OpenAPI descriptions (``description``). What GitHub does and does not
document is in ``allowed``, each with its reason; there is no other tolerance.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind

from tests.contract import description
from tests.contract.allowed import ALLOWED
from tests.contract.exchange import GRAPHQL_PATH, NO_ANSWER, Exchange, Violation
from tests.contract.graphql_referee import faults, name_of
from tests.contract.routing import Router
from tests.contract.schemas import alone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.contract.allowed import Allowance

__all__ = ["GRAPHQL_PATH", "Exchange", "Referee", "Violation", "event_of", "referee"]

Json = dict[str, Any]
_JSON = "application/json"
_LONGEST = 200  # characters of a sentence of the validator
_NUMBER = re.compile(r"-?\d+")


@cache
def referee() -> Referee:
    """Give the one referee of a process. Raises ``Unavailable`` where the descriptions cannot be had."""
    return Referee(description.rest(), description.webhooks())


class Referee:
    """Judges exchanges and webhook payloads.

    Args:
        rest: What ``description.rest`` gives.
        webhooks: What ``description.webhooks`` gives.
        allowed: The reasoned exceptions. ``needed`` counts how often each was.
    """

    def __init__(self, rest: Json, webhooks: Json, allowed: Sequence[Allowance] = ALLOWED) -> None:
        self._rest = rest
        self._webhooks = webhooks
        self._allowed = allowed
        self._router = Router(rest["operations"])
        self.needed: Counter[str] = Counter()
        self._compiled: dict[str, Draft202012Validator] = {}

    def operation(self, exchange: Exchange) -> str:
        """Name the operation of a request, the request itself when it has none."""
        if exchange.path == GRAPHQL_PATH:
            return name_of(exchange.request_body)
        found = self._router.find(exchange.path)
        return f"{exchange.method} {found[0] if found else exchange.path}"

    def judge(self, exchange: Exchange) -> tuple[Violation, ...]:
        """Give all that GitHub does not document about an exchange."""
        return tuple(found for found in self._judge(exchange) if not self._may(exchange, found))

    def judge_webhook(self, event: str, payload: bytes) -> tuple[Violation, ...]:
        """Give all that GitHub does not document about the payload of an event."""
        name, body = event_of(event, payload), _parsed(payload)
        schema = self._webhooks["events"].get(name)
        if schema is None:
            return (Violation("webhook", name, "no such event is documented"),)
        validator = self._validator(f"webhook {name}", schema, self._webhooks["defined"])
        return tuple(
            Violation("extra" if extra else "webhook", name, said) for extra, said in _faults(validator, body)
        )

    def _may(self, exchange: Exchange, violation: Violation) -> bool:
        for allowance in self._allowed:
            if allowance.covers is not None and allowance.covers(exchange, violation):
                self.needed[allowance.name] += 1
                return True
        return False

    def _judge(self, exchange: Exchange) -> Iterator[Violation]:
        asked = f"{exchange.method} {exchange.path}"
        if exchange.path == GRAPHQL_PATH:
            for sentence in faults(exchange):
                yield Violation("graphql", name_of(exchange.request_body), sentence, exchange.status)
            return
        found = self._router.find(exchange.path)
        if found is None:
            yield Violation("path", asked, "no such path is documented", exchange.status)
            return
        template, parameters = found
        told = self._rest["operations"][template].get(exchange.method)
        if told is None:
            yield Violation("method", asked, f"{template} has no such method", exchange.status)
            return
        name = f"{exchange.method} {template}"
        for kind, sentence in self._request(name, told, parameters, exchange):
            yield Violation(kind, name, sentence, exchange.status)
        if exchange.status != NO_ANSWER:
            for kind, sentence in self._answer(name, told, exchange):
                yield Violation(kind, name, sentence, exchange.status)

    # requests -------------------------------------------------------------------------------------

    def _request(
        self, name: str, told: Json, parameters: Mapping[str, str], exchange: Exchange
    ) -> Iterator[tuple[str, str]]:
        for key, schema in told["in_path"].items():
            validator = self._validator(f"{name} path {key}", schema, self._rest["defined"])
            for _, said in _faults(validator, _typed(schema, parameters.get(key, ""))):
                yield "parameter", f"{key}: {said}"
        query = dict(parse_qsl(exchange.query, keep_blank_values=True))
        for key in told["needed"]:
            if key not in query:
                yield "query", f"{key} is required"
        for key, value in query.items():
            schema = told["query"].get(key)
            if schema is None:
                yield "query", f"{key} is not documented"
                continue
            validator = self._validator(f"{name} query {key}", schema, self._rest["defined"])
            for _, said in _faults(validator, _typed(schema, value)):
                yield "query", f"{key}: {said}"
        yield from self._sent(name, told, exchange.request_body)

    def _sent(self, name: str, told: Json, body: bytes) -> Iterator[tuple[str, str]]:
        if not body:
            if told["sent_needed"]:
                yield "request", "a body is required"
            return
        schema = told["sent"].get(_JSON)
        if schema is None:
            yield "request", "no JSON body is documented"
            return
        try:
            value = json.loads(body)
        except ValueError:
            yield "request", "the body is not JSON"
            return
        validator = self._validator(f"{name} sent", schema, self._rest["defined"])
        for _, said in _faults(validator, value):
            yield "request", said

    # answers --------------------------------------------------------------------------------------

    def _answer(self, name: str, told: Json, exchange: Exchange) -> Iterator[tuple[str, str]]:
        status, body = str(exchange.status), exchange.response_body
        bodies = told["answers"].get(status)
        if bodies is None:
            yield "status", f"{status} is not documented"
            return
        media = exchange.content_type.partition(";")[0].strip()
        if not bodies:
            if body:
                yield "response", f"{status} has no documented body"
            return
        if not body:
            yield "response", f"{status} must have a body"
            return
        if media not in bodies:
            yield "media", f"{status} as {media or 'nothing'}, documented: {', '.join(sorted(bodies))}"
            return
        if not media.endswith("json"):
            return
        try:
            value = json.loads(body)
        except ValueError:
            yield "response", f"{status}: the body is not JSON"
            return
        kind = f"{name} {status}" if media == _JSON else f"{name} {status} {media}"
        validator = self._validator(kind, bodies[media], self._rest["defined"])
        for extra, said in _faults(validator, value):
            yield "extra" if extra else "response", f"{status}: {said}"

    def _validator(self, key: str, schema: Json, defined: Mapping[str, Json]) -> Draft202012Validator:
        found = self._compiled.get(key)
        if found is None:
            whole = copy.deepcopy(alone(schema, defined))
            for allowance in self._allowed:
                if allowance.mend is not None and allowance.mend(key, whole):
                    self.needed[allowance.name] += 1
            found = self._compiled[key] = Draft202012Validator(whole, validate_formats=True)
        return found


def event_of(event: str, payload: bytes) -> str:
    """Name a webhook: ``push``, ``issue_comment/created``."""
    body = _parsed(payload)
    action = body.get("action") if isinstance(body, dict) else None
    return f"{event}/{action}" if action else event


def _faults(validator: Draft202012Validator, value: Any) -> Iterator[tuple[bool, str]]:
    """Give what is wrong with a value in words, and whether it is only that something is not documented."""
    if validator.is_valid(value):
        return
    found = (inner for error in validator.iter_errors(value) for inner in _within(error))
    errors = [(list(error.instance_path), error) for error in found]
    for path, error in errors:
        # A branch that fails inside makes all properties that it names look unknown: that is no news.
        if _is_extra(error) and any(
            other[: len(path)] == path and (len(other) > len(path) or _is_alternative(reason))
            for other, reason in errors
            if reason is not error
        ):
            continue
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        said = error.message.replace("Unevaluated", "Undocumented")
        yield (
            _is_extra(error),
            f"{place or '.'}: {said if len(said) <= _LONGEST else '… ' + said[-_LONGEST:]}",
        )


def _within(error: ValidationError) -> Iterator[ValidationError]:
    """Give the errors of the one alternative that is not null, so that they have a place; else the error."""
    if isinstance(error.kind, ValidationErrorKind.AnyOf):
        branches = [branch for branch in error.kind.context if not any(map(_wants_null, branch))]
        if len(branches) == 1:
            for inner in branches[0]:
                yield from _within(inner)
            return
    yield error


def _wants_null(error: ValidationError) -> bool:
    return isinstance(error.kind, ValidationErrorKind.Type) and error.message.endswith('of type "null"')


def _is_extra(error: ValidationError) -> bool:
    return isinstance(error.kind, ValidationErrorKind.UnevaluatedProperties)


def _is_alternative(error: ValidationError) -> bool:
    return isinstance(
        error.kind,
        ValidationErrorKind.AnyOf
        | ValidationErrorKind.OneOfNotValid
        | ValidationErrorKind.OneOfMultipleValid,
    )


def _typed(schema: Json, text: str) -> Any:
    """Read the text of a parameter as the type that its schema wants, where it can be read so."""
    kind = schema.get("type")
    if kind == "integer" and _NUMBER.fullmatch(text):
        return int(text)
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    if kind == "array":
        return text.split(",")
    return text


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
