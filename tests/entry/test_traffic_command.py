"""``canary traffic``: kn's operations on a file, byte for byte, or kn's own words and nothing written."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bot.core.kn.flags import Flags
from bot.entry.traffic_command import Asked, run
from bot.manifests.knative import edit_service
from bot.manifests.source import LARGEST_FILE
from tests.entry.working import CUSTOMER, process

if TYPE_CHECKING:
    from tests.entry.conftest import Prompt

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "conformance" / "kn_cases.json").read_text("utf-8")
)
AT_75 = CUSTOMER.replace("percent: 100", "percent: 75") + (
    "  - revisionName: customer-v4\n    latestRevision: false\n    percent: 25\n"
)
SHIFT = ("--traffic", "current=75", "--traffic", "customer-v4=25")
TWO = (
    CUSTOMER
    + "---\n"
    + CUSTOMER.replace("name: customer\n", "name: basket\n").replace("customer-v", "basket-v")
)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    place = tmp_path / "customer.yaml"
    place.write_bytes(CUSTOMER.encode())
    return place


class TestResult:
    """The edited file is standard output, or with --write the file; no other byte changes."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param(CUSTOMER, AT_75, id="LF"),
            pytest.param(CUSTOMER.replace("\n", "\r\n"), AT_75.replace("\n", "\r\n"), id="CR LF"),
            pytest.param("\ufeff" + CUSTOMER, "\ufeff" + AT_75, id="byte-order mark"),
            pytest.param(CUSTOMER[:-1], AT_75[:-1], id="no last newline"),
            pytest.param("# é\n---\n" + CUSTOMER, "# é\n---\n" + AT_75, id="several documents"),
            pytest.param(CUSTOMER.replace("/v1", "/v1beta1"), AT_75.replace("/v1", "/v1beta1"), id="v1beta1"),
            pytest.param(
                CUSTOMER.replace("/v1", "/v1alpha1"), AT_75.replace("/v1", "/v1alpha1"), id="inline v1alpha1"
            ),
        ],
    )
    def test_bytes(self, before: str, after: str, canary: Prompt, manifest: Path) -> None:
        manifest.write_bytes(before.encode())
        ran = canary("traffic", "customer.yaml", *SHIFT, folder=manifest.parent)

        assert (ran.status, ran.err) == (0, "")
        assert ran.out == after
        assert manifest.read_bytes() == before.encode()
        ran = canary("traffic", "customer.yaml", *SHIFT, "--write", folder=manifest.parent)

        assert (ran.status, ran.out) == (0, "")
        assert ran.err.startswith("Wrote customer.yaml: ")
        assert manifest.read_bytes() == after.encode()

    def test_in_a_process_of_its_own(self, manifest: Path) -> None:
        manifest.write_bytes(CUSTOMER.replace("\n", "\r\n").encode())
        done = process(manifest.parent, "traffic", "customer.yaml", *SHIFT, "--write")

        assert (done.returncode, done.stdout) == (0, "")
        assert manifest.read_bytes() == AT_75.replace("\n", "\r\n").encode()

    @pytest.mark.parametrize(
        ("arguments", "changed"),
        [
            pytest.param(
                ["--untag", "latest", "--tag", "@latest=next"], [("tag: latest", "tag: next")], id="rename"
            ),
            pytest.param(
                ["--untag=current", "--untag=latest", "--tag=@latest=current,customer-v3=latest"],
                [("tag: latest", "tag: x"), ("tag: current", "tag: latest"), ("tag: x", "tag: current")],
                id="swap",
            ),
            pytest.param(
                ["--traffic", "@latest=100"],
                [("percent: 0", "percent: 1000"), ("percent: 100\n", "percent: 0\n"), ("1000", "100")],
                id="promote",
            ),
            pytest.param(
                ["--untag", "latest"], [("  - tag: latest\n    latestRevision: true\n    percent: 0\n", "")]
            ),
        ],
    )
    def test_other_operations(
        self, arguments: list[str], changed: list[tuple[str, str]], canary: Prompt, manifest: Path
    ) -> None:
        wanted = CUSTOMER
        for old, new in changed:
            assert wanted.count(old) == 1
            wanted = wanted.replace(old, new)

        assert canary("traffic", "customer.yaml", *arguments, folder=manifest.parent).out == wanted

    def test_a_block_that_was_not_there(self, canary: Prompt, manifest: Path) -> None:
        bare = CUSTOMER[: CUSTOMER.index("  # Who")]
        manifest.write_text(bare, encoding="utf-8")
        ran = canary("traffic", "customer.yaml", "--tag", "next", folder=manifest.parent)

        assert ran.out == bare + (
            "  traffic:\n  - tag: next\n    latestRevision: true\n    percent: 100\n".replace(
                "\n  - ", "\n    - "
            )
            .replace("\n    latest", "\n      latest")
            .replace("\n    percent", "\n      percent")
        )

    def test_nothing_to_change(self, canary: Prompt, manifest: Path) -> None:
        before = manifest.stat()
        ran = canary("traffic", "customer.yaml", "--traffic=current=100", "--write", folder=manifest.parent)

        assert (ran.status, ran.out, ran.err) == (0, "", "Nothing to change in customer.yaml.\n")
        after = manifest.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_the_mode_is_kept(self, canary: Prompt, manifest: Path) -> None:
        manifest.chmod(0o640)
        canary("traffic", "customer.yaml", *SHIFT, "--write", folder=manifest.parent)

        assert manifest.stat().st_mode & 0o777 == 0o640
        assert [p.name for p in manifest.parent.iterdir()] == ["customer.yaml"]

    def test_an_empty_block_is_told(self, canary: Prompt, manifest: Path) -> None:
        manifest.write_text(
            CUSTOMER[: CUSTOMER.index("  - tag")] + "  - latestRevision: true\n    percent: 100\n"
        )
        ran = canary("traffic", "customer.yaml", "--traffic=", folder=manifest.parent)

        assert ran.status == 0
        assert "traffic:" not in ran.out
        assert ran.err.startswith("Warning: no target is left")

    def test_a_host_name_that_is_too_long_is_told(self, canary: Prompt, manifest: Path) -> None:
        tag = "t" * 60
        ran = canary("traffic", "customer.yaml", "--tag", f"customer-v4={tag}", folder=manifest.parent)

        assert ran.status == 0
        assert f"tag: {tag}" in ran.out
        assert ran.err.startswith("Warning: customer.yaml:15: ")
        assert "has 69 characters, want at most 63" in ran.err


class TestStandardInput:
    """``-`` is standard input."""

    def test_it_is_read(self, canary: Prompt, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CUSTOMER.encode())))
        ran = canary("traffic", "-", *SHIFT, folder=manifest.parent)

        assert (ran.status, ran.out, ran.err) == (0, AT_75, "")

    def test_it_cannot_be_written(self, canary: Prompt, manifest: Path) -> None:
        ran = canary("traffic", "-", *SHIFT, "--write", folder=manifest.parent)

        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("Error: --write needs a file")

    def test_problems_name_it(self, canary: Prompt, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        broken = CUSTOMER.replace("percent: 100", "percent: '100'")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(broken.encode())))
        ran = canary("traffic", "-", *SHIFT, folder=manifest.parent)

        assert (ran.status, ran.out) == (1, "")
        assert ran.err.startswith("Error: <stdin>:18:14: ")

    def test_a_pipe_is_read(self, canary: Prompt, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(CUSTOMER.encode(),))
        writer.start()
        ran = canary("traffic", "pipe", *SHIFT, folder=tmp_path)
        writer.join(10)

        assert (ran.status, ran.out) == (0, AT_75)


class TestServices:
    """Of several services one is named; none is guessed."""

    def test_several(self, canary: Prompt, manifest: Path) -> None:
        manifest.write_text(TWO, encoding="utf-8")
        ran = canary("traffic", "customer.yaml", "--untag", "latest", folder=manifest.parent)

        assert (ran.status, ran.out) == (1, "")
        assert "`shop/customer`, `shop/basket`" in ran.err
        assert "--service NAME" in ran.err

    @pytest.mark.parametrize("name", ["basket", "shop/basket"])
    def test_named(self, name: str, canary: Prompt, manifest: Path) -> None:
        manifest.write_text(TWO, encoding="utf-8")
        ran = canary(
            "traffic", "customer.yaml", "--service", name, "--untag", "latest", folder=manifest.parent
        )
        whole = TWO.removesuffix("  - tag: latest\n    latestRevision: true\n    percent: 0\n")

        assert (ran.status, ran.out) == (0, whole)

    def test_unknown(self, canary: Prompt, manifest: Path) -> None:
        ran = canary(
            "traffic", "customer.yaml", "--service", "basket", "--untag=latest", folder=manifest.parent
        )

        assert (ran.status, ran.out) == (1, "")
        assert "(unknown-service)" in ran.err
        assert "It holds `shop/customer`." in ran.err

    def test_one_name_in_two_namespaces(self, canary: Prompt, manifest: Path) -> None:
        manifest.write_text(CUSTOMER + "---\n" + CUSTOMER.replace(": shop\n", ": test\n"), encoding="utf-8")
        ran = canary(
            "traffic", "customer.yaml", "--service", "customer", "--untag=latest", folder=manifest.parent
        )

        assert (ran.status, ran.out) == (1, "")
        assert "`shop/customer`, `test/customer`" in ran.err

    def test_the_same_service_twice(self, canary: Prompt, manifest: Path) -> None:
        manifest.write_text(CUSTOMER + "---\n" + CUSTOMER, encoding="utf-8")
        ran = canary("traffic", "customer.yaml", "--untag=latest", folder=manifest.parent)

        assert (ran.status, ran.out) == (1, "")
        assert "(ambiguous-document)" in ran.err

    def test_a_broken_document_beside_it(self, canary: Prompt, manifest: Path) -> None:
        broken = CUSTOMER.replace("percent: 100", "percent: *x").replace("name: customer\n", "name: basket\n")
        manifest.write_text(CUSTOMER + "---\n" + broken, encoding="utf-8")
        ran = canary("traffic", "customer.yaml", *SHIFT, folder=manifest.parent)
        named = canary("traffic", "customer.yaml", *SHIFT, "--service=customer", folder=manifest.parent)

        assert (ran.status, ran.out) == (1, "")
        assert "Error: customer.yaml:40:14: " in ran.err
        assert (named.status, named.out) == (0, AT_75 + "---\n" + broken)


REFUSED = [
    pytest.param([], "flag(s) not set", id="no flag"),
    pytest.param(["--traffic", ""], "Traffic targets sum to 0, want 100: spec.traffic", id="given and empty"),
    pytest.param(
        ["--traffic", "-5"],
        "invalid value for traffic percent -5, expected 0 <= percent <= 100",
        id="a value like an option",
    ),
    pytest.param(
        ["--untag", "no\x1b[31m"],
        "tag(s) no\\u{1b}[31m not present for any revisions of service customer",
        id="an escape",
    ),
    pytest.param(
        ["--tag", "customer-v4=a b", "--tag", "customer-v5=A"],
        "invalid value: not a DNS 1035 label: [a DNS-1035 label must consist of lower case alphanumeric characters or"
        " '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or"
        " 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')]: spec.traffic.tag[2],"
        " spec.traffic.tag[3]",
        id="the server's long text, whole",
    ),
]

BAD_FILES = [
    pytest.param(None, "file-missing", "", id="no such file"),
    pytest.param("kind: ConfigMap\n", "no-service", "", id="no service"),
    pytest.param(CUSTOMER.replace("kind: Service", "kind: Route"), "no-service", "", id="a Route"),
    pytest.param("", "no-service", "", id="empty"),
    pytest.param(CUSTOMER + "#" * LARGEST_FILE, "file-too-large", "", id="huge"),
    pytest.param(
        CUSTOMER.replace("percent: 100", "percent: {{ .Values.x }}"), "template-language", ":18:14", id="Helm"
    ),
    pytest.param(CUSTOMER.replace("percent: 100", "percent: &a 100"), "alias-in-block", ":18:", id="anchor"),
    pytest.param(
        CUSTOMER.replace("  traffic:\n", "  traffic:\n  - name: x\n    percent: 0\n"),
        "split-invalid",
        ":16:5",
        id="the former spelling of a tag",
    ),
    pytest.param(
        CUSTOMER.replace("percent: 100", "percent: 100\n    percent: 100"),
        "duplicate-key",
        ":19:5",
        id="a key twice",
    ),
]


class TestRefusals:
    """A refusal is one text on standard error, exit status 1, and nothing is written."""

    @pytest.mark.parametrize(("arguments", "text"), REFUSED)
    @pytest.mark.parametrize("write", [(), ("--write",)], ids=["", "write"])
    def test_texts(
        self, arguments: list[str], text: str, write: tuple[str, ...], canary: Prompt, manifest: Path
    ) -> None:
        ran = canary("traffic", "customer.yaml", *arguments, *write, folder=manifest.parent)

        assert (ran.status, ran.out, ran.err) == (1, "", f"Error: {text}\n")
        assert manifest.read_text("utf-8") == CUSTOMER

    @pytest.mark.parametrize(("content", "code", "where"), BAD_FILES)
    def test_files(self, content: str | None, code: str, where: str, canary: Prompt, manifest: Path) -> None:
        manifest.unlink()
        if content is not None:
            manifest.write_text(content, encoding="utf-8")
        ran = canary("traffic", "customer.yaml", *SHIFT, "--write", folder=manifest.parent)

        assert (ran.status, ran.out) == (1, "")
        assert ran.err.startswith(f"Error: customer.yaml{where}" if where else "Error: ")
        assert f"({code})" in ran.err
        assert content is None or manifest.read_text("utf-8") == content

    def test_the_server_refuses_for_another_reason(self, canary: Prompt, manifest: Path) -> None:
        note = "  annotations: {serving.knative.dev/rollout-duration: 1.5s}\n"
        manifest.write_text(CUSTOMER.replace("spec:\n", note + "spec:\n", 1), encoding="utf-8")
        ran = canary("traffic", "customer.yaml", *SHIFT, folder=manifest.parent)

        assert ran.err == (
            "Error: rollout-duration=1.5s is not at second precision:"
            " metadata.annotations.serving.knative.dev/rollout-duration\n"
        )

    def test_a_url_that_stays(self, canary: Prompt, manifest: Path) -> None:
        manifest.write_text(CUSTOMER + "    url: https://x.example\n", encoding="utf-8")
        kept = canary("traffic", "customer.yaml", *SHIFT, folder=manifest.parent)
        gone = canary("traffic", "customer.yaml", "--untag=latest", folder=manifest.parent)

        assert kept.err == "Error: must not set the field(s): spec.traffic[1].url\n"
        assert gone.status == 0

    def test_a_link_is_read_and_not_written(self, canary: Prompt, manifest: Path) -> None:
        (manifest.parent / "link.yaml").symlink_to("customer.yaml")
        ran = canary("traffic", "link.yaml", *SHIFT, "--write", folder=manifest.parent)

        assert (ran.status, "(path-refused)" in ran.err) == (1, True)
        assert canary("traffic", "link.yaml", *SHIFT, folder=manifest.parent).out == AT_75

    @pytest.mark.parametrize("name", [".", "a\0b", "customer.yaml/x", "x" * 5000])
    def test_paths(self, name: str, canary: Prompt, manifest: Path) -> None:
        ran = canary("traffic", name, *SHIFT, folder=manifest.parent)

        assert (ran.status, ran.out) == (1, "")
        assert ran.err.startswith("Error: ")

    def test_a_file_that_changes_meanwhile(
        self, canary: Prompt, manifest: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def slow(*arguments: Any, **more: Any) -> bytes:
            manifest.write_text(CUSTOMER + "# mine\n", encoding="utf-8")
            return edit_service(*arguments, **more)

        monkeypatch.setattr("bot.entry.traffic_command.edit_service", slow)
        ran = canary("traffic", "customer.yaml", *SHIFT, "--write", folder=manifest.parent)

        assert (ran.status, "(head-moved)" in ran.err) == (1, True)
        assert manifest.read_text("utf-8") == CUSTOMER + "# mine\n"

    def test_a_folder_that_cannot_be_written(
        self, canary: Prompt, manifest: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("bot.entry.one_file.replace_file", full)
        ran = canary("traffic", "customer.yaml", *SHIFT, "--write", folder=manifest.parent)

        assert (
            ran.err == "Error: `customer.yaml` cannot be written: No space left on device. (path-refused)\n"
        )


ON_FILES = [
    case
    for case in CASES
    if not case.keys() & {"raw", "cmd", "status", "mutation"}
    # The reader says itself, with the line, that a Service's target has no configurationName.
    and not any("configurationName" in entry for entry in case["initial"])
]


def written(case: dict[str, Any]) -> bytes:
    spec: dict[str, Any] = {
        "template": {"spec": {"containers": [{"image": "a"}]}},
        "traffic": case["initial"],
    }
    service = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": case["svc"]}}
    return yaml.safe_dump({**service, "spec": spec}, sort_keys=False).encode()


def normal(block: list[dict[str, Any]] | None) -> list[tuple[object, ...]]:
    """Give a block as the server has it, with its defaults."""
    return [
        (
            entry.get("tag") or "",
            entry.get("revisionName") or "",
            entry.get("latestRevision", not entry.get("revisionName")),
            entry.get("percent") or 0,
        )
        for entry in block or [{"latestRevision": True, "percent": 100}]
    ]


def test_most_cases_are_about_files() -> None:
    assert len(ON_FILES) > 400


@pytest.mark.parametrize("case", ON_FILES, ids=lambda c: f"{c['id']} {c['rule']}")
def test_agrees_with_kn_on_a_file(
    case: dict[str, Any], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    place = tmp_path / "service.yaml"
    place.write_bytes(written(case))
    flags = Flags(tuple(case["untag"]), tuple(case["tag"]), tuple(case["traffic"]))
    status = run(Asked(str(place), flags))
    said = capfdbinary.readouterr()
    refused = case.get("error") or case.get("webhook")
    if refused:
        assert (status, said.out, said.err.decode()) == (1, b"", f"Error: {refused}\n")
        return
    assert status == 0
    assert normal(yaml.safe_load(said.out)["spec"].get("traffic")) == normal(case["result"])
    before, after = yaml.safe_load(written(case)), yaml.safe_load(said.out)
    for document in (before, after):
        document["spec"].pop("traffic", None)
    assert before == after
    again = tmp_path / "again.yaml"
    again.write_bytes(written(case))
    assert run(Asked(str(again), flags, write=True)) == 0
    assert again.read_bytes() == said.out
