"""What is written for the runner is read by it as it was meant, and as nothing else."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.entry.action.files import (
    LARGEST_SUMMARY,
    OUTPUTS,
    annotation,
    harmless,
    no_commands,
    write_outputs,
    write_summary,
)
from tests.action.protocol import Command, read_file, read_log

if TYPE_CHECKING:
    from pathlib import Path

WORDS = st.text() | st.lists(
    st.sampled_from(
        [
            "::",
            "%0A",
            "%25",
            "\n",
            "\r",
            ",",
            "=",
            "##[error]",
            "::error::",
            "a",
            " ",
            "<<",
            "]",
            ";",
            "\u2028",
        ]
    )
).map("".join)


class TestHarmless:
    """Whoever puts an output into a shell afterwards is safe."""

    @given(WORDS)
    def test_only_such_characters(self, text: str) -> None:
        shown = harmless(text)
        assert re.fullmatch(r"[A-Za-z0-9 .,:/#%()_+-]{0,300}", shown, re.ASCII)
        assert shown == shown.strip()
        assert harmless(shown) == shown

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Merged #2: 25 % (step 1/3)", "Merged #2: 25 % (step 1/3)"),
            ("a\nb\r\n c\u2028d", "a b c d"),
            ("$(id) `id` ${x} ; & | < > \" ' \\ ! * ? ~", "(id) id x"),
            ("x<<EOF", "xEOF"),
            ("é\ud800\0", ""),
        ],
    )
    def test_what_is_left(self, text: str, shown: str) -> None:
        assert harmless(text) == shown


class TestOutputs:
    @given(st.fixed_dictionaries(dict.fromkeys(OUTPUTS, WORDS)))
    def test_one_line_each(self, values: dict[str, str]) -> None:
        import tempfile

        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
            write_outputs({"GITHUB_OUTPUT": file.name}, values)
            text = file.read()
        assert text.count("\n") == len(OUTPUTS)
        assert read_file(text) == {name: harmless(value) for name, value in values.items()}

    def test_behind_what_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "output"
        path.write_text("work=true\n")
        write_outputs({"GITHUB_OUTPUT": str(path)}, {"decision": "done"})
        assert read_file(path.read_text()) == {"work": "true", "decision": "done"}

    def test_nobody_to_tell(self) -> None:
        write_outputs({}, {"decision": "done"})
        write_summary({"GITHUB_STEP_SUMMARY": ""}, "text")

    def test_a_summary_is_cut_between_characters(self, tmp_path: Path) -> None:
        path = tmp_path / "summary"
        write_summary({"GITHUB_STEP_SUMMARY": str(path)}, "é→" * LARGEST_SUMMARY)
        raw = path.read_bytes()
        assert LARGEST_SUMMARY - 4 < len(raw) <= LARGEST_SUMMARY + 1
        assert raw.decode().startswith("é→é→")


class TestAnnotation:
    """The runner unescapes exactly what was said, in one command."""

    @given(message=WORDS, title=WORDS, path=WORDS, line=st.integers(0, 10_000))
    def test_back_again(self, message: str, title: str, path: str, line: int) -> None:
        said = annotation("error", message, title=title, path=path, line=line)
        assert "\n" not in said
        assert "\r" not in said
        (command,) = read_log(said).commands
        # The runner trims the list of properties: a space at its very end is nobody's loss.
        assert (command.name, command.data) == ("error", message)
        assert command.properties.get("title", "").strip() == title.strip() or title.startswith("=")
        assert command.properties.get("line", "0") == str(line)

    @pytest.mark.parametrize(
        ("said", "meant"),
        [
            (annotation("notice", "100 %"), Command("notice", "100 %", {})),
            (annotation("error", "%0A"), Command("error", "%0A", {})),
            (
                annotation("warning", "a\nb", title="x:y,z", path="apps/a,line=9.yaml", line=3, end_line=4),
                Command(
                    "warning",
                    "a\nb",
                    {"file": "apps/a,line=9.yaml", "line": "3", "endline": "4", "title": "x:y,z"},
                ),
            ),
        ],
    )
    def test_examples(self, said: str, meant: Command) -> None:
        assert read_log(said).commands == (meant,)


class TestNoCommands:
    @given(st.lists(WORDS))
    def test_nothing_takes_effect_meanwhile(self, lines: list[str]) -> None:
        stream = io.StringIO()
        with no_commands(stream):
            stream.writelines(f"{line}\n" for line in lines)
        print("::error::ours", file=stream)
        log = read_log(stream.getvalue())
        assert log.commands == (Command("error", "ours", {}),)
        assert log.unguarded == ("::error::ours", "")
        assert not log.ends_stopped

    def test_also_after_an_interrupt(self) -> None:
        stream = io.StringIO()
        with pytest.raises(KeyboardInterrupt), no_commands(stream):
            raise KeyboardInterrupt
        assert not read_log(stream.getvalue()).ends_stopped

    def test_another_token_each_time(self) -> None:
        streams = [io.StringIO() for _ in range(2)]
        for stream in streams:
            with no_commands(stream):
                pass
        assert streams[0].getvalue() != streams[1].getvalue()


class TestProtocol:
    """The stand-in takes for a command what the runner takes for one."""

    @pytest.mark.parametrize(
        ("line", "names"),
        [
            ("::set-output name=a::b", ["set-output"]),
            ("  ::ERROR file=x::b", ["error"]),
            ("words ##[add-path]/x", ["add-path"]),
            ("words ::error::x", []),
            ("::unknown::x", []),
            ("::error", []),
            ("##[error", []),
            ("a\r::error::x", ["error"]),
            ("::group::a ##[error]b", ["group"]),
        ],
    )
    def test_lines(self, line: str, names: list[str]) -> None:
        assert [c.name for c in read_log(line).commands] == names

    def test_stopping_and_going_on(self) -> None:
        log = read_log("::stop-commands::t0\n::error::a\n::t1::\n::t0::\n::error::b\n::stop-commands::x")
        assert [c.data for c in log.commands] == ["b"]
        assert log.ends_stopped

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("a=b=c\n", {"a": "b=c"}),
            ("a=x<<y\n", {"a": "x<<y"}),
            ("a<<E\n1\n2\nE\nb=2\n", {"a": "1\n2", "b": "2"}),
            ("a<<E\nE\n", {"a": ""}),
            ("", {}),
        ],
    )
    def test_files(self, text: str, found: dict[str, str]) -> None:
        assert read_file(text) == found

    @pytest.mark.parametrize("text", ["a\n", "a<<E\n1\n", "<<E\nE\n"])
    def test_files_that_fail_a_step(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"format|not found|no name"):
            read_file(text)
