#!/usr/bin/env python
import os
import secrets
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["demo"]:
        # It hands a key of its own to what it starts, and must itself run where nobody has set one.
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe())
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
