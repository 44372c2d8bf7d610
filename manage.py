#!/usr/bin/env python
"""Run one of Bucky's commands: `python manage.py help` lists them."""

import os
import sys


def main() -> None:
    """Check the settings first, so that a wrong one is one line and not a traceback; then call Django."""
    from ris import config, running

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ris.settings")
    try:
        if sys.argv[1:2] != ["serve"]:
            running.adopt()
        config.load()
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except config.ConfigError as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(2)
    except KeyboardInterrupt:  # Ctrl-C is no mistake: no traceback, and the code that a shell expects
        sys.exit(130)


if __name__ == "__main__":
    main()
