from django.apps import AppConfig
from django.db.models.signals import post_migrate

from clinic import roles


class ClinicConfig(AppConfig):
    name = "clinic"

    def ready(self) -> None:
        # The one thing that Django offers no other place for: see roles.keep.
        post_migrate.connect(roles.keep, sender=self)
