"""``python -m bot`` is ``canary``."""

import sys

from bot.entry.start import main

sys.exit(main())
