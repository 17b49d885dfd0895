from django.core.management.base import BaseCommand
from django.utils import timezone

from clinic.services import outbox


class Command(BaseCommand):
    help = "Send the messages that are due. The same as the worker does each minute: for cron, where no beat runs."

    def handle(self, *args, **options):
        outcomes = outbox.run(now=timezone.now())
        self.stdout.write(", ".join(f"{count} {what}" for what, count in sorted(outcomes.items())) or "Nothing is due.")
