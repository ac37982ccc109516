"""canary-bot: moves canary percentages by pull request."""
