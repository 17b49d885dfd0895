from django.core.management.base import BaseCommand
from django.utils import timezone

from clinic.demo import load


class Command(BaseCommand):
    help = "Load the built-in protocols and a lifelike clinic, once. Everybody in it is invented."

    def handle(self, **options: object) -> None:
        load(now=timezone.now(), write=self.stdout.write)
