"""`python -m distillery`: the command where no script is installed, as in a checkout and in the images."""

from __future__ import annotations

import sys

from distillery.cli.app import main

sys.exit(main())
