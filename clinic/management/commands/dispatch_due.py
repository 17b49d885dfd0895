from django.core.management.base import BaseCommand
from django.utils import timezone

from clinic.services import imports, offers, outbox


class Command(BaseCommand):
    help = "Send the messages that are due. All that the worker does by the clock: for cron, where no beat runs."

    def handle(self, *args, **options):
        now = timezone.now()
        imports.forget_old(now=now)
        offers.make_due(now=now)
        outcomes = outbox.run(now=now)
        self.stdout.write(", ".join(f"{count} {what}" for what, count in sorted(outcomes.items())) or "Nothing is due.")
