"""``python -m speechbrain_semamba`` is ``semamba``."""

import sys

from speechbrain_semamba.cli import main

sys.exit(main())
