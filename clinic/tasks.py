"""Celery's entry points, one call each. The clock is read here."""

from celery import current_app, shared_task
from django.db import transaction
from django.utils import timezone

from clinic.services import outbox

# A broker that does not answer may hold up a booking no longer than this.
BROKER_SECONDS = 1


@shared_task(ignore_result=True)
def remind() -> None:
    """Run every minute by beat, and after each booking: see `wake`."""
    outbox.run(now=timezone.now())


def wake() -> None:
    """Have a worker send what is owed as soon as the caller's transaction is committed.

    Costs a booking at most a moment, and never fails it: without a broker, beat's next minute does the same.
    """
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    seconds = {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS, "max_retries": 0}
    with current_app.connection_for_write(transport_options=seconds) as connection:
        remind.apply_async(connection=connection, retry=False)
