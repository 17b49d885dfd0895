"""Wake a worker, so that what was just owed leaves within seconds and not with beat's next minute."""

from celery import current_app
from django.db import transaction

# A broker that is down or does not answer holds up a booking no longer than this.
BROKER_SECONDS = 1


def after_commit() -> None:
    """Wake a worker once the caller's transaction is committed. Never fails the caller: without a broker the cost is
    a second and a line in the log, and beat or cron send a minute later."""
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    patience = {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS, "max_retries": 0}
    with current_app.connection_for_write(transport_options=patience) as connection:
        # By its name, because the task stands above the services that wake it.
        current_app.send_task("clinic.tasks.remind", connection=connection, retry=False, ignore_result=True)
