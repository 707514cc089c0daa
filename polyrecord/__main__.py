"""`python -m polyrecord` is `polyrecord`."""

from polyrecord.cli.app import main

raise SystemExit(main())
