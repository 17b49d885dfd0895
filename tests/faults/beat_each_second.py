"""The project's beat with seconds for minutes: python -m tests.faults.beat_each_second"""

from config import processes
from config.celery import app


def main() -> None:
    for entry in app.conf.beat_schedule.values():
        entry["schedule"] /= 60
    app.start(processes.BEAT[2:])


if __name__ == "__main__":
    main()
