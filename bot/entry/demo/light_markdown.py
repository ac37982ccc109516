"""Markdown as tight lines for a terminal: no empty lines, no boxes, no HTML.

A page has room for air, a terminal that shows twenty replies has not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from rich.cells import cell_len
from rich.text import Text

from bot.core.text import LONGEST_LINE, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PARSER = MarkdownIt("commonmark").enable("table")


def rendered(source: str, *, tables: bool = True, context: int = 3) -> Iterator[Text]:
    """Give the lines of a comment.

    Args:
        source: Markdown; HTML in it is left out.
        tables: Whether tables are shown.
        context: Lines that a diff shows around a change, at most.
    """
    for node in SyntaxTreeNode(_PARSER.parse(source)).children:
        yield from _block(node, tables=tables, context=context)


def _block(node: SyntaxTreeNode, *, tables: bool, context: int) -> Iterator[Text]:
    match node.type:
        case "paragraph" | "heading":
            yield from _inline(node.children[0].children)
        case "bullet_list" | "ordered_list" | "list_item" | "blockquote":
            mark = "• " if node.type == "list_item" else ""
            for child in node.children:
                for line in _block(child, tables=tables, context=context):
                    yield Text.assemble(mark, line)
                    mark = " " * len(mark)
        case "fence" | "code_block":
            lines = node.content.rstrip("\n").split("\n")
            yield from diff(lines, context=context) if node.info == "diff" else map(_plain, lines)
        case "table" if tables:
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
    shown = Text(f"  {line}")
    for pattern, style in ((r"█+", "blue"), (r"░+", "dim"), (r"\^+", "bold red")):
        shown.highlight_regex(pattern, style)
    return shown


def diff(lines: Iterable[str], *, context: int = 3) -> Iterator[Text]:
    """Give the lines of a unified diff, without the names of the files; ``context`` lines around a change."""
    kept = [line for line in lines if not line.startswith(("--- ", "+++ "))]
    changed = [i for i, line in enumerate(kept) if line[:1] in {"+", "-"}]
    for i, line in enumerate(kept):
        if line.startswith("@@"):
            found = re.match(r"@@ [^@]+ @@", line)
            yield Text(found[0] if found else line, "cyan dim")
        elif any(abs(i - at) <= context for at in changed):
            shown = printable(line.rstrip("\r"), longest=LONGEST_LINE)
            yield Text(shown, {"+": "green", "-": "red"}.get(line[:1], ""))
