"""The use cases: gather facts, decide, carry out, report."""

from bot.service.bot import Bot
from bot.service.reading import Historian

__all__ = ["Bot", "Historian"]
