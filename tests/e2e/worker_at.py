"""Run the project's Celery worker at another time: `python -m tests.e2e.worker_at 2026-09-01T10:00:00+00:00`."""

import sys
from datetime import datetime

import time_machine


def main() -> None:
    with time_machine.travel(datetime.fromisoformat(sys.argv[1]), tick=True):
        from config.celery import app

        # In this process, because children that were forked would have the machine's time again.
        app.worker_main(["worker", "--pool", "solo", "--loglevel", "INFO", "--without-gossip", "--without-mingle"])


if __name__ == "__main__":
    main()
