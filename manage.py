#!/usr/bin/env python
"""Run one of Bucky's commands: `python manage.py help` lists them."""

import os
import select
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
        sys.stdout.flush()
    except config.ConfigError as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(2)
    except BrokenPipeError:
        _end_if_nobody_reads()
        raise
    except KeyboardInterrupt:  # Ctrl-C is no mistake: no traceback, and the code that a shell expects
        sys.exit(130)


def _end_if_nobody_reads() -> None:
    """End as a shell's own commands do when whoever reads has enough, for example `head`."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    if any(event & select.POLLERR for _file, event in output.poll(0)):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the end of the process flushes once more
        sys.exit(141)


if __name__ == "__main__":
    main()
