"""What the operator lets gates ask: a YAML file, or its text in a variable.

    endpoints:
      - {kind: prometheus, name: main, url: "https://prometheus.example.org", token-file: /run/secrets/prometheus}
      - {kind: http, name: slo, url: "https://slo.example.org/v1/{service}?revision={candidate}"}
      - {kind: kubernetes, name: production, url: "https://kubernetes.default.svc", token-file: …, ca-file: …}
    hosts:
      - {host: prometheus.example.org}
      - {host: slo.example.org, port: 443}
      - {host: kubernetes.default.svc, internal: true}
    limits: {timeout: 5, longest: 10, largest: 1048576}

An endpoint whose host is not among ``hosts`` is a fault, and so is everything else that would make a gate silent; all
faults are told together, never the value of a token.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - a model's field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.adapters.gates.hosts import Allowed, Endpoint, Outside

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST = 64 * 1024  # characters
_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"


class EndpointsUnusable(ValueError):  # noqa: N818 - a reason not to start
    """The text is wrong; ``reasons`` holds a sentence for each fault."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(" ".join(self.reasons).rstrip("."))


def _key(name: str) -> str:
    return name.replace("_", "-")


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=False, alias_generator=_key, hide_input_in_errors=True
    )


class _Endpoint(_Strict):
    kind: Literal["prometheus", "http", "kubernetes"]
    name: Annotated[str, Field(pattern=_NAME)]
    url: str
    token: SecretStr = SecretStr("")
    token_file: Path | None = None
    ca_file: Path | None = None


class _Host(_Strict):
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(gt=0, le=65535)] | None = None
    internal: bool = False


class _Limits(_Strict):
    timeout: Annotated[float, Field(gt=0, le=60)] = 5.0
    longest: Annotated[float, Field(gt=0, le=120)] = 10.0
    largest: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = 1024 * 1024


class _Endpoints(_Strict):
    endpoints: Annotated[list[_Endpoint], Field(max_length=100)] = []
    hosts: Annotated[list[_Host], Field(max_length=200)] = []
    limits: _Limits = _Limits()


def read_endpoints(text: str) -> Outside:
    """Read the operator's endpoints from YAML.

    Raises:
        EndpointsUnusable: With all faults together; in words without any credential.
    """
    data = _plain(text)
    try:
        said = _Endpoints.model_validate(data)
    except ValidationError as error:
        # From None: the original holds what was given.
        raise EndpointsUnusable(_in_words(one) for one in error.errors(include_input=False)) from None
    outside = Outside(
        tuple(
            Endpoint(one.kind, one.name, one.url, one.token.get_secret_value(), one.token_file, one.ca_file)
            for one in said.endpoints
        ),
        tuple(Allowed(one.host.lower(), one.port, one.internal) for one in said.hosts),
        said.limits.timeout,
        said.limits.longest,
        said.limits.largest,
    )
    files = [
        f"The file {what} of endpoint `{one.name}` cannot be read."
        for one in outside.endpoints
        for what, path in (("token-file", one.token_file), ("ca-file", one.ca_file))
        if path is not None and not path.is_file()
    ]
    both = [
        f"Endpoint `{o.name}` has a token and a token-file."
        for o in outside.endpoints
        if o.token and o.token_file
    ]
    faults = (*outside.faults(), *files, *both)
    if faults:
        raise EndpointsUnusable(faults)
    return outside


def _plain(text: str) -> Any:
    if len(text) > LARGEST:
        raise EndpointsUnusable([f"It has more than {LARGEST} characters."])
    try:
        data = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError):
        raise EndpointsUnusable(["It is no YAML."]) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise EndpointsUnusable(["It is no mapping; it begins with `endpoints:`."])
    return data


def _in_words(entry: Any) -> str:
    where = ".".join(str(part) for part in entry["loc"])
    return f"`{where}`: {str(entry['msg'])[:1].lower()}{str(entry['msg'])[1:]}."
