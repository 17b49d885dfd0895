"""What a protocol said, version by version, and which of the library's texts the clinic has seen."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from treatments.models.protocol import Protocol


class Origin(models.TextChoices):
    EDITED = "edited", _("edited")
    IMPORTED = "imported", _("imported")
    LIBRARY = "library", _("from the library")


@pgtrigger.register(pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete))
class ProtocolVersion(models.Model):
    """What a protocol said from one change to the next. Never changed.

    `document` is the JSON of treatments.documents.Document. The first is kept when the protocol is published.
    """

    protocol = models.ForeignKey(Protocol, models.PROTECT, related_name="versions", verbose_name=_("protocol"))
    version = models.PositiveIntegerField(_("version"))
    document = models.JSONField(_("content"))
    origin = models.CharField(_("origin"), max_length=10, choices=Origin, default=Origin.EDITED)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
        help_text=_("Empty: the program itself, as when it loads its library."),
    )

    class Meta:
        ordering = ["protocol_id", "-version"]
        verbose_name = _("version of a protocol")
        verbose_name_plural = _("versions of protocols")
        permissions = [("move_series_version", _("Can move a series to the current version of its protocol"))]
        constraints = [
            models.UniqueConstraint(fields=["protocol", "version"], name="protocol_version_once"),
            models.CheckConstraint(condition=Q(version__gte=1), name="protocolversion_starts_at_one"),
            models.CheckConstraint(condition=Q(origin__in=Origin.values), name="protocolversion_origin_known"),
        ]

    def __str__(self) -> str:
        return f"{self.protocol_id}, {self.version}"


@pgtrigger.register(pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete))
class LibraryText(models.Model):
    """A text of the library that was loaded, taken over or passed over for a protocol. The latest counts.

    Never changed. While the library still ships this text there is nothing to offer.
    """

    protocol = models.ForeignKey(Protocol, models.PROTECT, related_name="library_texts", verbose_name=_("protocol"))
    document = models.JSONField(_("content"))
    taken = models.BooleanField(_("taken over"))
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("text of the library")
        verbose_name_plural = _("texts of the library")

    def __str__(self) -> str:
        return f"{self.protocol_id}, {self.at:%Y-%m-%d}"
