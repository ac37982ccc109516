"""The environment, read once into one frozen value.

A setting that is missing or wrong is a reason not to start, told in words: which variable,
what is wrong with it, what to do. The value of a secret is never part of the words.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import pytimeparse2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from bot.adapters.gates.hosts import Outside

PREFIX = "CANARY_"
SHORTEST_WEBHOOK_SECRET = 32  # bytes

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SettingsUnusable(Exception):  # noqa: N818 - a reason not to start
    """Settings are missing or wrong. ``reasons`` holds one sentence or two for each, in words."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


class Described(NamedTuple):
    """A row of the settings table. ``default`` is empty when the variable is required."""

    variable: str
    default: str
    meaning: str


def _seconds(value: object) -> object:
    if not isinstance(value, str) or value.strip().isdecimal():
        return value
    parsed = pytimeparse2.parse(value)
    if not isinstance(parsed, int | float):
        raise ValueError("it is not a duration; write 600, 10m or 2h")  # noqa: TRY004 - pydantic's protocol
    return parsed


Seconds = Annotated[float, BeforeValidator(_seconds)]


class Settings(BaseSettings):
    """What the service needs to know, checked."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    app_id: int = Field(gt=0, description="The GitHub App's id, a number on its settings page.")
    private_key_file: Path | None = Field(default=None, description="A file that holds the private key, PEM.")
    private_key: SecretStr = Field(
        default=SecretStr(""),
        validate_default=True,
        description="The App's private key, PEM, instead of the file. One of the two is needed.",
    )
    webhook_secret: SecretStr = Field(
        description="The App's webhook secret, at least 32 bytes; without it the service does not start."
    )
    webhook_secret_previous: SecretStr | None = Field(
        default=None, description="The secret before, accepted as well while it is replaced."
    )
    github_api_url: str = Field(
        default="https://api.github.com",
        validation_alias=AliasChoices("CANARY_GITHUB_API_URL", "GITHUB_API_URL"),
        description="GitHub's REST API; `https://HOST/api/v3` for GitHub Enterprise Server.",
    )
    database: Path = Field(
        default=Path("canary.sqlite3"),
        description="The SQLite file; made if missing. Not on a network file system.",
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on; `0.0.0.0` in a container.")
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("CANARY_PORT", "PORT"),
        description="The port to listen on. Knative and Cloud Run set the second.",
    )
    sweep_every: Seconds = Field(
        default=600,
        ge=1,
        description="Time between two looks at every repository, for what no webhook told; seconds, or `10m`.",
    )
    max_command_age: Seconds = Field(
        default=3600,
        ge=1,
        description=(
            "A command that is older when it is first seen is not carried out, unless it stops or only asks; "
            "seconds, or `2h`."
        ),
    )
    threads: int = Field(
        default=4, ge=1, le=64, description="Repositories worked on at the same time, one look in each."
    )
    endpoints_file: Path | None = Field(
        default=None, description="A YAML file that names what gates may ask, see `docs/gates.md`."
    )
    endpoints: SecretStr = Field(
        default=SecretStr(""),
        validate_default=True,
        description="The text of that file, instead of it. Without one no gate asks anything but GitHub.",
    )
    log_level: str = Field(default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")

    @field_validator("webhook_secret", "webhook_secret_previous")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        # A secret made of a file often brings the file's last line end; GitHub's form does not take one.
        text = value.get_secret_value().rstrip("\r\n")
        if len(text.encode()) < SHORTEST_WEBHOOK_SECRET:
            raise ValueError(
                f"it has fewer than {SHORTEST_WEBHOOK_SECRET} bytes; make one with `openssl rand -hex 32` and "
                "write it into the App's settings as well"
            )
        return SecretStr(text)

    @field_validator("github_api_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        return plain_address(value)

    @field_validator("log_level", mode="before")
    @classmethod
    def _known_level(cls, value: object) -> object:
        level = str(value).strip().upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("it is none of DEBUG, INFO, WARNING, ERROR")
        return level

    @field_validator("private_key")
    @classmethod
    def _usable_key(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        text, path = value.get_secret_value().strip(), info.data.get("private_key_file")
        if not text and path is not None:
            try:
                text = path.read_text(encoding="ascii").strip()
            except (OSError, ValueError):
                raise ValueError("the file named by CANARY_PRIVATE_KEY_FILE cannot be read") from None
        if not text:
            raise ValueError(
                "missing, and so is CANARY_PRIVATE_KEY_FILE. Make a private key on the App's settings "
                "page and give the file's path, or its text"
            )
        if "\n" not in text:
            text = text.replace("\\n", "\n")  # as some tools write a text of several lines
        try:
            is_rsa = isinstance(load_pem_private_key(text.encode(), password=None), RSAPrivateKey)
        except (ValueError, TypeError):
            is_rsa = False
        if not is_rsa:
            raise ValueError("it is no RSA private key in PEM. Use the .pem file that GitHub gave, unchanged")
        return SecretStr(text)

    @field_validator("endpoints")
    @classmethod
    def _usable_endpoints(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        text, path = value.get_secret_value(), info.data.get("endpoints_file")
        if text.strip() and path is not None:
            raise ValueError("CANARY_ENDPOINTS_FILE is given as well; keep one of the two")
        if path is not None:
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, ValueError):
                raise ValueError("the file named by CANARY_ENDPOINTS_FILE cannot be read") from None
        if text.strip():
            from bot.entry.endpoints import read_endpoints  # noqa: PLC0415 - few have endpoints

            read_endpoints(text)
        return SecretStr(text)

    @property
    def outside(self) -> Outside:
        """What gates may ask."""
        from bot.adapters.gates.hosts import Outside as Nothing  # noqa: PLC0415 - as above
        from bot.entry.endpoints import read_endpoints  # noqa: PLC0415 - as above

        text = self.endpoints.get_secret_value()
        return read_endpoints(text) if text.strip() else Nothing()

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """The accepted webhook secrets, the present one first."""
        both = (self.webhook_secret, self.webhook_secret_previous)
        return tuple(secret.get_secret_value().encode() for secret in both if secret is not None)

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Everything that must never be shown, for the log's redactor."""
        tokens = (endpoint.token for endpoint in self.outside.endpoints if endpoint.token)
        return (
            self.private_key.get_secret_value(),
            *(secret.decode() for secret in self.webhook_secrets),
            *tokens,
        )


def plain_address(value: str) -> str:
    """Give the address of an API that a token may be sent to, without a slash at its end.

    Raises:
        ValueError: It is not plain, or the token would travel in the open; in words.
    """
    url = value.rstrip("/")
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
        raise ValueError("it is not a plain address like https://api.github.com")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("it does not begin with https://; the token would travel in the open")
    return url


def load(**given: str) -> Settings:
    """Read the environment; what is ``given`` wins over it.

    Raises:
        SettingsUnusable: With all reasons together.
    """
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        # From None: the original holds what was given.
        raise SettingsUnusable(
            tuple(_in_words(entry) for entry in error.errors(include_input=False))
        ) from None


def _in_words(entry: Any) -> str:
    words = str(entry["msg"]).removeprefix("Value error, ")
    place = str(entry["loc"][0]) if entry["loc"] else ""
    # pydantic names a field by its alias where it has one.
    known = [name for name in Settings.model_fields if place in {name, *_variables(name)}]
    if not known:
        return f"{words}."
    variable = " or ".join(_variables(known[0]))
    if entry["type"] == "missing":
        return f"{variable} is missing. {Settings.model_fields[known[0]].description}"
    if words.startswith("missing"):
        return f"{variable} is {words}."
    return f"{variable} is wrong: {words[:1].lower()}{words[1:]}."


def _variables(name: str) -> list[str]:
    alias = Settings.model_fields[name].validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [PREFIX + name.upper()]
    return [str(choice) for choice in choices]


def describe() -> list[Described]:
    """Give the settings table: (variable, default, meaning) in the order of the class."""
    rows: list[Described] = []
    for name, field in Settings.model_fields.items():
        variable, *others = _variables(name)
        is_needed = field.is_required() or name == "private_key"
        also = "".join(f" `{other}` is read as well." for other in others)
        rows.append(
            Described(variable, "" if is_needed else _shown(field.default), f"{field.description}{also}")
        )
    return rows


def _shown(default: object) -> str:
    return "none" if default is None or str(default) == "" else str(default)
