"""``python -m bot`` is ``canary``."""

import sys

from bot.entry.cli import main

sys.exit(main())
