"""A process that sends what is due and ends: python -m tests.faults.dispatcher <now>"""

import sys
from datetime import datetime

import django


def main(now: str) -> None:
    django.setup()
    from clinic.services import outbox

    print(dict(outbox.run(now=datetime.fromisoformat(now))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
