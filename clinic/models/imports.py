"""A file that waits to be imported."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ImportKind(models.TextChoices):
    PATIENTS = "patients", _("Patients")
    COURSES = "courses", _("Courses under way")


class ImportFile(models.Model):
    """What somebody uploaded, from the dry run to the press, and not an hour longer. One file a person.

    It is kept here, because it is full of patients: not in an address, not in the browser, not in a file of the
    machine, and without a history.
    """

    uploaded_by = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=ImportKind)
    name = models.CharField(max_length=100)
    content = models.BinaryField()
    uploaded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("file to import")
        verbose_name_plural = _("files to import")
        permissions = [("import_patients", _("Can import patients and courses from a file"))]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=ImportKind.values), name="import_file_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.uploaded_at:%Y-%m-%d %H:%M}"
