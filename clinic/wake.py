"""Wake a worker, so that what was just owed leaves within seconds and not with beat's next minute."""

from functools import cache

from celery import current_app
from django.db import transaction
from kombu import Connection
from kombu.pools import producers

# A broker that is down or does not answer holds up a booking no longer than this.
BROKER_SECONDS = 1


def after_commit() -> None:
    """Wake a worker once the caller's transaction is committed.

    Never fails the caller. Without a broker it costs a second at most and a line in the log; what is owed leaves all
    the same, with beat's or cron's next minute.
    """
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    with producers[_broker()].acquire(block=True, timeout=BROKER_SECONDS) as producer:
        # By its name, because the task stands above the services that wake it.
        current_app.send_task(
            "clinic.tasks.remind", kwargs={"woken": True}, producer=producer, retry=False, ignore_result=True
        )


@cache
def _broker() -> Connection:
    """Its own connection, because the worker's may wait for the broker as long as it likes."""
    patience = {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS, "max_retries": 0}
    return current_app.connection_for_write(transport_options=patience)
