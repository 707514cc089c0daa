"""Entry point of `python -m polyrecord.demo`."""

from __future__ import annotations

import sys

from polyrecord.demo.main import main

sys.exit(main())
