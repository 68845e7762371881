"""`python -m standalone serve | demo`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from distillery.cli.console import Console
from jobs.settings import Settings, SettingsError
from standalone.demo import demo
from standalone.errors import StandaloneError, Stopped
from standalone.serve import serve

# What of the environment may shape a demo; the rest would point it at somebody's real service.
_DEMO_MAY_SEE = ("KD_DEVICE", "KD_THREADS")


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m standalone", description="The whole service on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run until Ctrl-C; KD_PORT, KD_HOME, KD_DATA_DIR and KD_WORKERS shape it")
    demo_parser = commands.add_parser("demo", help="send one real job through a service of its own")
    demo_parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), help="folder for the student's weights"
    )
    arguments = parser.parse_args(given)
    try:
        if arguments.command == "serve":
            os.umask(0o077)  # for all that it and its programs make, wherever a setting puts it
            settings = Settings()
            as_objects = settings.log_format == "json"  # then somebody collects them here
            serve(settings, Console(show_children=as_objects, show_warnings=True))
        else:
            for name in [name for name in os.environ if name.startswith("KD_") and name not in _DEMO_MAY_SEE]:
                del os.environ[name]
            # The demo's networks are so small that a second thread costs more than it brings.
            os.environ.setdefault("KD_THREADS", "1")
            demo(arguments.output)
    except (StandaloneError, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
        return 130 if isinstance(error, Stopped) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
