"""Celery's entry points, one call each. The clock is read here."""

from celery import shared_task
from django.utils import timezone

from clinic.services import imports, offers, outbox


@shared_task(ignore_result=True)
def remind(*, woken: bool = False) -> None:
    """Run every minute by beat (see CELERY_BEAT_SCHEDULE), and whenever something is owed (see clinic.wake)."""
    outbox.run(now=timezone.now(), on_the_clock=not woken)


@shared_task(ignore_result=True)
def forget_import_files() -> None:
    """Run every ten minutes by beat: what somebody uploaded and did not import is not kept."""
    imports.forget_old(now=timezone.now())


@shared_task(ignore_result=True)
def offer_earlier_times() -> None:
    """Run every minute by beat: what became free is offered to those who wait for it."""
    offers.make_due(now=timezone.now())
