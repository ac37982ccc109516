"""GitHub behind ``bot.ports.Forge`` and ``bot.ports.Repository``, through PyGithub."""

from bot.adapters.github.forge import GitHubForge
from bot.adapters.github.redaction import Redactor

__all__ = ["GitHubForge", "Redactor"]
