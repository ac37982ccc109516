"""Markdown as tight lines for a terminal: no empty lines, no boxes, no HTML.

A page has room for air, a terminal that shows twenty replies has not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from rich.cells import cell_len
from rich.text import Text

from bot.core.text import LONGEST_LINE, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Show = Literal["all", "brief", "words"]
WHOLE = 3  # lines of context, as git and the bot give them
_PARSER = MarkdownIt("commonmark").enable("table")


def rendered(source: str, *, show: Show = "all") -> Iterator[Text]:
    """Give the lines of a comment; HTML in it is left out.

    ``brief`` leaves out tables, most of a diff's context, and what follows the diff; ``words`` leaves
    out all blocks.
    """
    for node in SyntaxTreeNode(_PARSER.parse(source)).children:
        is_diff = node.type == "fence" and node.info == "diff"
        if (show != "all" and node.type == "table") or (show == "words" and node.type == "fence"):
            continue
        yield from _block(node, context=1 if show == "brief" else WHOLE)
        if show == "brief" and is_diff:
            yield Text("…", "dim")
            return


def _block(node: SyntaxTreeNode, *, context: int) -> Iterator[Text]:
    match node.type:
        case "paragraph" | "heading":
            yield from _inline(node.children[0].children)
        case "bullet_list" | "ordered_list" | "list_item" | "blockquote":
            mark = "• " if node.type == "list_item" else ""
            for child in node.children:
                for line in _block(child, context=context):
                    yield Text.assemble(mark, line, no_wrap=bool(line.no_wrap))
                    mark = " " * len(mark)
        case "fence" | "code_block":
            lines = node.content.rstrip("\n").split("\n")
            yield from diff(lines, context=context) if node.info == "diff" else map(_plain, lines)
        case "table":
            yield from _table([row.children for part in node.children for row in part.children])
        case "hr":
            yield Text("────", "dim")
        case _:
            return


def _inline(children: Sequence[SyntaxTreeNode], style: str = "") -> list[Text]:
    """Give the lines of a paragraph."""
    lines = [Text()]
    for child in children:
        match child.type:
            case "softbreak" | "hardbreak":
                lines.append(Text())
            case "code_inline":
                lines[-1].append(printable(child.content), f"cyan {style}".strip())
            case "strong" | "em" | "link":
                more = {"strong": "bold", "em": "italic"}.get(child.type, "")
                first, *rest = _inline(child.children, f"{style} {more}".strip())
                lines[-1].append_text(first)
                lines += rest
            case "text":
                lines[-1].append(child.content, style)
            case _:
                continue
    return lines


def _table(rows: list[list[SyntaxTreeNode]]) -> Iterator[Text]:
    cells = [[_inline(cell.children[0].children)[0] for cell in row] for row in rows]
    widths = [max(cell_len(cell.plain) for cell in column) for column in zip(*cells, strict=True)]
    for i, row in enumerate(cells):
        line = Text()
        for cell, width, node in zip(row, widths, rows[i], strict=True):
            pad = " " * (width - cell_len(cell.plain))
            is_right = "right" in str(node.attrs.get("style", ""))
            line = Text.assemble(line, *((pad, cell) if is_right else (cell, pad)), "   ")
        line.rstrip()
        if i == 0:
            line.stylize("dim")
        yield line


def _plain(line: str) -> Text:
    shown = Text(f"  {line}", no_wrap=True)
    for pattern, style in ((r"█+", "bright_blue"), (r"░+", "dim"), (r"\^+", "bold red")):
        shown.highlight_regex(pattern, style)
    return shown


def diff(lines: Iterable[str], *, context: int = WHOLE) -> Iterator[Text]:
    """Give the lines of a unified diff, without the names of the files.

    With less context than it has, a line ``@@`` parts the hunks; their numbers would not be true any more.
    """
    kept = [line for line in lines if not line.startswith(("--- ", "+++ "))]
    changed = [i for i, line in enumerate(kept) if line[:1] in {"+", "-"}]
    is_whole = context >= WHOLE
    for i, line in enumerate(kept):
        if line.startswith("@@"):
            if is_whole or i:
                yield Text("@@" + line.split("@@")[1] * is_whole + "@@" * is_whole, "cyan dim")
        elif any(abs(i - at) <= context for at in changed):
            shown = printable(line.rstrip("\r"), longest=LONGEST_LINE)
            yield Text(shown, {"+": "green", "-": "red"}.get(line[:1], ""), no_wrap=True)
