"""``canary demo``: a whole rollout, played on real git repositories on this machine.

shop.py    the repository that everything happens in: files and people
story.py   who says and merges what, and what is expected then
abreast.py the part of it with three kinds side by side
stage.py   carries it out over the sandbox, and compares
paper.py   how it looks
audit.py   what the bot's commits changed, counted twice
plain.py   the second reader: a split as plain values
play.py    the command: begin, play, count, serve
"""

from bot.entry.demo.play import run as run
