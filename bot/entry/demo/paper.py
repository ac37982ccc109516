"""How the demo looks: short lines with a margin, colours where the terminal has them.

Everything is readable without colour.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from bot.core.markers import strip
from bot.core.text import LONGEST_LINE, printable
from bot.entry.demo import light_markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH = 100  # columns at most, and where nobody tells how wide it is
SHARE_WIDTH = 40
REACTIONS = {"eyes": "👀", "rocket": "🚀", "+1": "👍", "-1": "👎", "confused": "😕"}
_JOINT = "\ue000"  # a space that no line is broken at; of private use, as wide as one
_FILLS = "█▒░▓"  # the shares of a bar, told apart without colour
_COLORS = ("blue", "yellow", "magenta", "cyan")
_PEOPLE = {"mona": "green", "ana": "cyan", "kim": "magenta", "rita": "yellow"}
_MARKS = {"success": ("✓", "green"), "failure": ("✗", "red"), None: ("○", "yellow")}
_PLAIN = str.maketrans(
    {
        "█": "#",
        "▒": "=",
        "░": ".",
        "▓": "%",
        "│": "|",
        "─": "-",
        "→": ">",
        "✓": "+",
        "✗": "x",
        "○": "o",
        "·": "-",
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
        self._is_narrow = not (sys.stdout.encoding or "ascii").lower().startswith("utf")

    # lines --------------------------------------------------------------------------------------

    def line(self, text: Text | str = "", *, margin: str = "") -> None:
        """Print one paragraph, wrapped behind its margin."""
        body = Text(text) if isinstance(text, str) else text.copy()
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
        shown = " ".join(REACTIONS.get(each, each) for each in reactions)
        self.line()
        self.line(_text(name(who), f" on #{number}:  ", (printable(command), "bold reverse"), f"   {shown}"))

    def check(self, check: str, conclusion: str | None, title: str, *, on: int | None = None) -> None:
        """Show the state of a check."""
        mark, color = _MARKS.get(conclusion, ("–", "dim"))
        where = f" on #{on}" if on is not None else ""
        self.line(_text("  ", (mark, color), f" {check}{where}: ", (printable(title), color)))

    def moment(self, text: str) -> None:
        """Say that time passes."""
        self.line()
        self.line(Text(f"… {text}", "italic"))

    def missed(self, text: str) -> None:
        """Show an expectation that was not met."""
        self.line(
            _text(("  ✗ not as expected: ", "bold red"), (printable(text, longest=LONGEST_LINE), "red"))
        )

    # blocks -------------------------------------------------------------------------------------

    def share(self, label: str, shares: Iterable[tuple[str, int]]) -> None:
        """Show a split as one bar; revisions with no weight are left out."""
        weighted = [(revision, percent) for revision, percent in shares if percent]
        line = _text("  ", (label, "bold"), "  ")
        done = begun = 0
        for i, (_, percent) in enumerate(weighted):
            done += percent
            until = round(done * SHARE_WIDTH / 100)
            line.append(_FILLS[i % len(_FILLS)] * (until - begun), _COLORS[i % len(_COLORS)])
            begun = until
        line.append("  ")
        for i, (revision, percent) in enumerate(weighted):
            line.append(", " if i else "")
            line.append(f"{revision} {percent} %", _COLORS[i % len(_COLORS)])
        self.line(line)

    def diff(self, lines: Iterable[str]) -> None:
        """Show lines of a unified diff."""
        for line in light_markdown.diff(lines):
            self.line(line, margin="  ")

    def listing(self, text: str, *, first: int = 1, marked: Iterable[int] = ()) -> None:
        """Show lines of a file with their numbers; the marked ones stand out."""
        bright = set(marked)
        for number, line in enumerate(text.splitlines(), first):
            style = "bold" if number in bright else "dim"
            self.line(Text(printable(line, longest=LONGEST_LINE), style), margin=f"{number:>5}  ")

    def markdown(self, source: str, *, brief: bool = False) -> None:
        """Show a comment of the bot; its markers are left out.

        Args:
            source: As posted.
            brief: Leave out tables (the bars behind them say the same) and most of a diff's context.
        """
        lines = light_markdown.rendered(strip(source), tables=not brief, context=1 if brief else 3)
        for line in lines:
            self.line(line, margin="  │ ")


def name(who: str) -> Text:
    """Give a login in its colour."""
    return Text(who, f"bold {_PEOPLE.get(who, 'blue')}")


def _text(*parts: str | Text | tuple[str, str]) -> Text:
    return Text.assemble(*parts)
