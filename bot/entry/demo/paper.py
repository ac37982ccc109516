"""How the demo looks: short lines with a margin, colours where the terminal has them.

Everything is readable without colour.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bot.core.markers import strip
from bot.core.text import LONGEST_LINE, printable
from bot.entry.demo import light_markdown

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

WIDTH = 100  # columns at most, and where nobody tells how wide it is
SHARE_WIDTH = 30  # cells of a bar; fewer where the terminal is narrow
REACTIONS = {"eyes": "👀", "rocket": "🚀", "+1": "👍", "-1": "👎", "confused": "😕"}
_JOINT = "\ue000"  # a space that no line is broken at; of private use, as wide as one
_FILLS = "█▒░▓"  # the shares of a bar, told apart without colour
_COLORS = ("bright_blue", "yellow", "magenta", "cyan")
_PEOPLE = {"mona": "green", "ana": "cyan", "kim": "magenta", "rita": "yellow"}
_MARKS = {"success": ("✓", "green"), "failure": ("✗", "red"), None: ("○", "yellow")}
# What a terminal shows that knows ASCII only.
_PLAIN = str.maketrans(
    {
        "█": "#",
        "▒": "=",
        "░": ".",
        "▓": "%",
        "│": "|",
        "─": "-",
        "→": "->",
        "✓": "+",
        "✗": "x",
        "○": "o",
        "·": "-",
        "›": "*",
        "…": "~",
        "•": "*",
        "–": "-",
    }
)


class Paper:
    """What the demo prints on.

    Args:
        color: Whether colours are wanted; they are used on a terminal only, and never with ``NO_COLOR``.
    """

    def __init__(self, *, color: bool) -> None:
        is_plain = not color or bool(os.environ.get("NO_COLOR"))
        self.console = Console(
            file=sys.stdout,
            color_system=None if is_plain else "auto",
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=False,
        )
        if not self.console.is_terminal or self.console.width > WIDTH:
            self.console.width = WIDTH
        self._printed = 0
        self._is_narrow = not (sys.stdout.encoding or "ascii").lower().startswith("utf")

    # lines --------------------------------------------------------------------------------------

    def line(self, text: Text | str = "", *, margin: str = "") -> None:
        """Print one paragraph, wrapped behind its margin; a line of a file is not wrapped (``no_wrap``)."""
        body = Text(text) if isinstance(text, str) else text.copy()
        if body.no_wrap:
            self._put(Text.assemble((margin, "dim"), body))
            return
        # A number stays with its percent sign.
        body.plain = body.plain.replace(" %", f"{_JOINT}%")
        for part in body.wrap(self.console, max(20, self.console.width - cell_len(margin))) or [Text()]:
            part.rstrip()
            part.plain = part.plain.replace(_JOINT, " ")
            self._put(Text.assemble((margin, "dim"), part))

    def _put(self, line: Text) -> None:
        if self._is_narrow:
            line = Text(line.plain.translate(_PLAIN), line.style)
        self.console.print(line, soft_wrap=True)
        self._printed += 1

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self.line()
        rule = Rule(
            Text(title, "bold"), align="left", characters="-" if self._is_narrow else "─", style="dim"
        )
        self.console.print(rule)

    def act(self, who: str, did: str, what: str = "", *, note: str = "") -> None:
        """Say what somebody did."""
        self.line(_text(name(who), f" {did} ", (what, "bold"), (f"  {note}" if note else "", "dim")))

    def said(self, who: str, number: int, command: str, reactions: Sequence[str]) -> None:
        """Show a comment, one line, with the bot's reactions to it."""
        shown = " ".join(each if self._is_narrow else REACTIONS.get(each, each) for each in reactions)
        self.line()
        self.line(_text(name(who), f" on #{number}:  ", (printable(command), "bold"), f"   {shown}"))

    def note(self, text: str, *, margin: str = "  ") -> None:
        """Say something less important."""
        self.line(Text(printable(text, longest=LONGEST_LINE), "dim"), margin=margin)

    def checks(self, states: Iterable[tuple[str, str | None, str]], *, on: int | None = None) -> None:
        """Show the state of checks on one line: (name, conclusion, title; of a good one none is needed)."""
        line = Text()
        for check, conclusion, title in states:
            mark, color = _MARKS.get(conclusion, ("–", "dim"))
            shown = f": {printable(title)}" if title else ""
            line.append_text(_text("  " if line else "", (mark, color), f" {check}", (shown, color)))
        self.line(line if on is None else _text(line, (f" (#{on})", "dim")), margin="  ")

    def moment(self, text: str) -> None:
        """Say that time passes."""
        self.line()
        self.line(Text(f"… {text}", "italic"))

    @property
    def printed(self) -> int:
        """How many lines there are so far."""
        return self._printed

    def missed(self, text: str) -> None:
        """Show an expectation that was not met."""
        shown = printable(text, longest=LONGEST_LINE)
        self.line(_text(("✗ not as expected: ", "bold red"), (shown, "red")), margin="  ")

    # blocks -------------------------------------------------------------------------------------

    def share(self, label: str, shares: Iterable[tuple[str, int]]) -> None:
        """Show a split as one bar; revisions with no weight are left out."""
        weighted = [(revision, percent) for revision, percent in shares if percent]
        words = Text(", ").join(
            Text(f"{revision} {percent} %", _COLORS[i % len(_COLORS)])
            for i, (revision, percent) in enumerate(weighted)
        )
        room = self.console.width - len("  " * 3) - cell_len(label) - cell_len(words.plain)
        width = max(SHARE_WIDTH // 3, min(SHARE_WIDTH, room))
        bar = Text()
        done = 0
        for i, (_, percent) in enumerate(weighted):
            done += percent
            cells = round(done * width / 100) - len(bar)
            bar.append(_FILLS[i % len(_FILLS)] * cells, _COLORS[i % len(_COLORS)])
        self.line(_text((label, "bold"), "  ", bar, "  ", words), margin="  ")

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Show rows of cells side by side; a cell may have several lines, and only the last column is wrapped."""
        margin = "  "
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for place, head in enumerate(heads, 1):
            table.add_column(Text(head, "dim"), no_wrap=place < len(heads))
        for row in rows:
            cells = ["\n".join(map(printable, cell.split("\n"))).replace(" %", f"{_JOINT}%") for cell in row]
            if self._is_narrow:
                cells = [cell.translate(_PLAIN) for cell in cells]  # now, for some become wider
            table.add_row(Text(cells[0], "bold"), *cells[1:])
        room = self.console.options.update(width=self.console.width - len(margin))
        room.encoding = "utf-8"  # else rich draws lines between the columns
        for segments in self.console.render_lines(table, room, pad=False):
            line = Text.assemble(margin, *((part.text, part.style or "") for part in segments), no_wrap=True)
            line.plain = line.plain.replace(_JOINT, " ")
            line.rstrip()
            self._put(line)

    def diff(self, lines: Iterable[str]) -> None:
        """Show lines of a unified diff."""
        for line in light_markdown.diff(lines, context=1):
            self.line(line, margin="  ")

    def listing(self, lines: Sequence[str], *, first: int = 1, marked: Container[int] = ()) -> None:
        """Show lines of a file with their numbers; the marked ones stand out."""
        for number, line in enumerate(lines, first):
            is_marked = number in marked
            text = Text(printable(line, longest=LONGEST_LINE), "green" if is_marked else "", no_wrap=True)
            self.line(text, margin=f"{number:>5} {'›' if is_marked else ' '} ")

    def markdown(self, source: str, *, show: light_markdown.Show = "all") -> None:
        """Show a comment of the bot, or as much of it as ``light_markdown.rendered`` says."""
        for line in light_markdown.rendered(strip(source), show=show):
            self.line(line, margin="  │ ")


def name(who: str) -> Text:
    """Give a login in its colour."""
    return Text(who, f"bold {_PEOPLE.get(who, 'bright_blue')}")


def _text(*parts: str | Text | tuple[str, str]) -> Text:
    return Text.assemble(*parts)
