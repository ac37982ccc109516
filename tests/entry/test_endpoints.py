"""What the operator lets gates ask: read whole, or not at all; and the examples of ``docs/gates.md``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.adapters.gates.hosts import Outside
from bot.adapters.rulebook import built_in
from bot.core.gates import GitHubGate, HttpGate, LiveGate, MetricGate
from bot.core.rules import check
from bot.core.rules.gate_rules import gate_from
from bot.entry.endpoints import EndpointsUnusable, read_endpoints
from bot.entry.settings import SettingsUnusable, load
from tests.entry.test_settings import environment

__all__ = ["environment"]

DOCUMENT = (Path(__file__).parents[2] / "docs" / "gates.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
GOOD = """\
endpoints:
  - {kind: prometheus, name: main, url: "https://prometheus.example.org", token: hush-hush}
hosts:
  - {host: Prometheus.example.org, port: 443}
"""


class TestDocument:
    """Every example is read as its reader would."""

    @pytest.mark.parametrize("text", [e for e in EXAMPLES if e.startswith("gates:")])
    def test_gates(self, text: str) -> None:
        checked = check(f"version: 1\n{text}", built_in().sets, for_service=True)
        assert checked.problems == ()
        assert checked.config is not None
        for name, rule in checked.config.gates.items():
            assert gate_from(name, rule, service="checkout", namespace="shop") is not None

    def test_all_kinds_are_shown(self) -> None:
        text = "".join(e.partition("gates:\n")[2] for e in EXAMPLES if e.startswith("gates:"))
        checked = check(f"version: 1\ngates:\n{text}", built_in().sets)
        assert checked.config is not None
        made = [gate_from(n, r, service="s", namespace="n") for n, r in checked.config.gates.items()]
        assert {type(gate) for gate in made} == {MetricGate, HttpGate, GitHubGate, LiveGate}
        assert {gate.kind for gate in made if isinstance(gate, LiveGate)} == {"knative", "argocd", "flux"}

    def test_endpoints(self) -> None:
        (text,) = (e for e in EXAMPLES if e.startswith("endpoints:"))
        outside = read_endpoints(text)
        assert [(e.kind, e.name) for e in outside.endpoints] == [
            ("prometheus", "main"),
            ("http", "slo"),
            ("kubernetes", "production"),
        ]
        assert (outside.timeout, outside.longest, outside.largest) == (5, 10, 1024 * 1024)


def test_nothing_is_named_by_default() -> None:
    assert read_endpoints("") == Outside()
    assert load().outside == Outside()


def test_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "endpoints.yaml"
    path.write_text(GOOD)
    environment.setenv("CANARY_ENDPOINTS_FILE", str(path))
    settings = load()
    (endpoint,) = settings.outside.endpoints
    assert endpoint.url == "https://prometheus.example.org"
    assert "hush-hush" in settings.secret_values
    assert "hush-hush" not in repr(settings)
    assert "hush-hush" not in repr(settings.outside)


def test_inline(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CANARY_ENDPOINTS", GOOD)
    assert load().outside.endpoint("prometheus", "").name == "main"


BROKEN = """\
endpoints:
  - {kind: prometheus, name: main, url: "http://127.1:9090", token: hush-hush}
  - {kind: prometheus, name: main, url: "https://elsewhere.example.org"}
  - {kind: http, name: slo, url: "http://slo.example.org", token: hush-hush}
  - {kind: kubernetes, name: one, url: "https://slo.example.org", ca-file: /nowhere/ca.pem, token-file: /nowhere/t}
hosts:
  - {host: slo.example.org}
"""


def test_all_faults_are_told_together_and_no_token(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CANARY_ENDPOINTS", BROKEN)
    with pytest.raises(SettingsUnusable) as refused:
        load()
    said = str(refused.value)
    for words in (
        "he URL of endpoint `main` is not plain",
        "he host of endpoint `main` is not on the operator's list",
        "Endpoint `slo` has a token, which is only sent over `https`",
        "Two prometheus endpoints have the name `main`",
        "The file token-file of endpoint `one` cannot be read",
        "The file ca-file of endpoint `one` cannot be read",
    ):
        assert words in said
    assert "hush-hush" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("endpoints: [", "no YAML", id="not YAML"),
        pytest.param("- a", "no mapping", id="a list"),
        pytest.param("endpoint: []", "`endpoint`: extra inputs", id="a misspelt key"),
        pytest.param(
            "endpoints: [{kind: smtp, name: a, url: 'https://a.example'}]", "endpoints.0.kind", id="a kind"
        ),
        pytest.param(
            "endpoints: [{kind: http, name: A B, url: 'https://a.example'}]", "endpoints.0.name", id="a name"
        ),
        pytest.param("hosts: [{host: a, port: 70000}]", "hosts.0.port", id="a port"),
        pytest.param("limits: {timeout: 0}", "limits.timeout", id="no time"),
        pytest.param("#" * 70_000, "more than 65536 characters", id="too long"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(EndpointsUnusable) as refused:
        read_endpoints(text)
    assert words in str(refused.value)


def test_both_ways_at_once_are_one_too_many(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("CANARY_ENDPOINTS", GOOD)
    environment.setenv("CANARY_ENDPOINTS_FILE", str(tmp_path / "x"))
    with pytest.raises(SettingsUnusable, match="keep one of the two"):
        load()


def test_a_file_that_is_not_there(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("CANARY_ENDPOINTS_FILE", str(tmp_path / "x"))
    with pytest.raises(SettingsUnusable, match="cannot be read"):
        load()


def test_nothing_of_http_is_loaded_where_nothing_is_named() -> None:
    told = (
        "import sys\n"
        "from bot.adapters.gates.judges import Judges\n"
        "from bot.adapters.gates.hosts import Outside\n"
        "Judges(Outside())\n"
        "sys.exit('httpx' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0
