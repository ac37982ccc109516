"""Settings are checked at the start, all together, in words, and without showing a secret."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr, ValidationError

from bot.entry import settings
from bot.entry.settings import Settings, SettingsUnusable, describe, load

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "0123456789abcdef0123456789abcdef"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


KEY = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("CANARY_") or name in {"PORT", "GITHUB_API_URL"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("CANARY_APP_ID", "4711")
    monkeypatch.setenv("CANARY_PRIVATE_KEY", KEY)
    monkeypatch.setenv("CANARY_WEBHOOK_SECRET", SECRET)
    return monkeypatch


def test_the_least_that_is_needed() -> None:
    found = load()
    assert found.app_id == 4711
    assert found.webhook_secrets == (SECRET.encode(),)
    assert found.private_key.get_secret_value() == KEY.strip()
    assert found.github_api_url == "https://api.github.com"
    assert (found.host, found.port) == ("127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        (
            "GITHUB_API_URL",
            "https://ghe.example.org/api/v3/",
            "github_api_url",
            "https://ghe.example.org/api/v3",
        ),
        ("CANARY_GITHUB_API_URL", "http://127.0.0.1:8123", "github_api_url", "http://127.0.0.1:8123"),
        ("PORT", "9090", "port", 9090),
        ("CANARY_PORT", "9091", "port", 9091),
        ("CANARY_SWEEP_EVERY", "90", "sweep_every", 90),
        ("CANARY_SWEEP_EVERY", "10m", "sweep_every", 600),
        ("CANARY_MAX_COMMAND_AGE", "2h", "max_command_age", 7200),
        ("CANARY_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("CANARY_HOST", "", "host", "127.0.0.1"),
    ],
)
def test_read(
    environment: pytest.MonkeyPatch, name: str, value: str, attribute: str, expected: object
) -> None:
    environment.setenv(name, value)
    assert getattr(load(), attribute) == expected


def test_our_own_name_goes_first(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "1")
    environment.setenv("CANARY_PORT", "2")
    environment.setenv("GITHUB_API_URL", "https://api.github.com")
    environment.setenv("CANARY_GITHUB_API_URL", "https://ghe.example.org/api/v3")
    assert (load().port, load().github_api_url) == (2, "https://ghe.example.org/api/v3")


def test_a_rehearsal_never_meets_the_real_github(environment: pytest.MonkeyPatch) -> None:
    """What a program passes wins over every variable."""
    environment.setenv("GITHUB_API_URL", "https://api.github.com")
    environment.setenv("CANARY_GITHUB_API_URL", "https://api.github.com")
    given = Settings(
        app_id=1,
        private_key=SecretStr(KEY),
        webhook_secret=SecretStr(SECRET),
        github_api_url="http://127.0.0.1:8123",
    )
    assert given.github_api_url == "http://127.0.0.1:8123"


def test_key_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(KEY, "ascii")
    environment.delenv("CANARY_PRIVATE_KEY")
    environment.setenv("CANARY_PRIVATE_KEY_FILE", str(tmp_path / "key.pem"))
    assert load().private_key.get_secret_value() == KEY.strip()


def test_key_on_one_line(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CANARY_PRIVATE_KEY", KEY.strip().replace("\n", "\\n"))
    assert load().private_key.get_secret_value() == KEY.strip()


def test_two_secrets_while_one_replaces_the_other(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CANARY_WEBHOOK_SECRET_PREVIOUS", SECRET[::-1])
    assert load().webhook_secrets == (SECRET.encode(), SECRET[::-1].encode())


def test_a_line_end_is_no_part_of_a_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CANARY_WEBHOOK_SECRET", f"{SECRET}\r\n")
    assert load().webhook_secrets == (SECRET.encode(),)


def test_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(load(), "port", 1)  # noqa: B010 - the type checker would not let it pass


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CANARY_APP_ID", None, "CANARY_APP_ID is missing. The GitHub App's id"),
        ("CANARY_APP_ID", "my-app", "CANARY_APP_ID is wrong: input should be a valid integer"),
        ("CANARY_APP_ID", "0", "CANARY_APP_ID is wrong: input should be greater than 0"),
        ("CANARY_PRIVATE_KEY", None, "CANARY_PRIVATE_KEY is missing, and so is CANARY_PRIVATE_KEY_FILE."),
        (
            "CANARY_PRIVATE_KEY",
            "tagged-secret",
            "CANARY_PRIVATE_KEY is wrong: it is no RSA private key in PEM.",
        ),
        (
            "CANARY_PRIVATE_KEY",
            pem(ec.generate_private_key(ec.SECP256R1())),
            "it is no RSA private key in PEM.",
        ),
        ("CANARY_WEBHOOK_SECRET", None, "CANARY_WEBHOOK_SECRET is missing."),
        ("CANARY_WEBHOOK_SECRET", "", "CANARY_WEBHOOK_SECRET is missing."),
        (
            "CANARY_WEBHOOK_SECRET",
            "tagged-secret",
            "CANARY_WEBHOOK_SECRET is wrong: it has fewer than 32 bytes;",
        ),
        (
            "CANARY_WEBHOOK_SECRET_PREVIOUS",
            "tagged-secret",
            "CANARY_WEBHOOK_SECRET_PREVIOUS is wrong: it has",
        ),
        (
            "GITHUB_API_URL",
            "http://ghe.example.org",
            "CANARY_GITHUB_API_URL or GITHUB_API_URL is wrong: it does",
        ),
        ("GITHUB_API_URL", "https://user:tagged-secret@ghe.example.org", "it is not a plain address"),
        ("GITHUB_API_URL", "ftp://127.0.0.1", "it does not begin with https://"),
        ("PORT", "99999", "CANARY_PORT or PORT is wrong: input should be less than or equal to 65535."),
        (
            "CANARY_SWEEP_EVERY",
            "soon",
            "CANARY_SWEEP_EVERY is wrong: it is not a duration; write 600, 10m or 2h.",
        ),
        (
            "CANARY_SWEEP_EVERY",
            "0",
            "CANARY_SWEEP_EVERY is wrong: input should be greater than or equal to 1.",
        ),
        ("CANARY_SWEEP_EVERY", "nan", "CANARY_SWEEP_EVERY is wrong:"),
        ("CANARY_SWEEP_EVERY", "1e400", "CANARY_SWEEP_EVERY is wrong:"),
        ("CANARY_LOG_LEVEL", "loud", "CANARY_LOG_LEVEL is wrong: it is none of DEBUG, INFO, WARNING, ERROR."),
    ],
)
def test_a_reason_not_to_start(
    environment: pytest.MonkeyPatch, name: str, value: str | None, expected: str
) -> None:
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)
    with pytest.raises(SettingsUnusable) as refusal:
        load()
    [reason] = refusal.value.reasons
    assert expected in reason
    assert "tagged-secret" not in repr(refusal.value) + str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_key_file_that_is_not_there(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("CANARY_PRIVATE_KEY")
    environment.setenv("CANARY_PRIVATE_KEY_FILE", str(tmp_path / "nothing.pem"))
    with pytest.raises(SettingsUnusable, match="the file named by CANARY_PRIVATE_KEY_FILE cannot be read"):
        load()


def test_all_reasons_together(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("CANARY_APP_ID")
    environment.delenv("CANARY_PRIVATE_KEY")
    environment.setenv("CANARY_WEBHOOK_SECRET", "short")
    environment.setenv("PORT", "x")
    with pytest.raises(SettingsUnusable) as refusal:
        load()
    assert [reason.split()[0] for reason in refusal.value.reasons] == [
        "CANARY_APP_ID",
        "CANARY_PRIVATE_KEY",
        "CANARY_WEBHOOK_SECRET",
        "CANARY_PORT",
    ]


def test_secrets_are_not_shown() -> None:
    found = load()
    for shown in (repr(found), str(found), found.model_dump_json()):
        assert SECRET not in shown
        assert KEY.splitlines()[1] not in shown
    assert set(found.secret_values) == {SECRET, KEY.strip()}


def test_every_setting_is_described() -> None:
    rows = describe()
    assert len(rows) == len(Settings.model_fields)
    for row in rows:
        assert row.variable.startswith(settings.PREFIX)
        assert row.meaning
        assert row.meaning.endswith(".")
    assert [row.variable for row in rows if not row.default] == [
        "CANARY_APP_ID",
        "CANARY_PRIVATE_KEY",
        "CANARY_WEBHOOK_SECRET",
    ]
