"""What a clinic can do, whatever the protocol: treatments, kinds of device, concerns, add-ons."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Treatment(models.Model):
    """Its `phases` are a visit as the clinic gives it; a protocol may describe its own."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    description = models.TextField(_("description"), blank=True)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("treatment")
        verbose_name_plural = _("treatments")

    def __str__(self) -> str:
        return self.name


class DeviceKind(models.Model):
    """What a phase or an add-on needs; which devices of the kind stand where is the diary's affair."""

    name = models.CharField(_("name"), max_length=120, unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("kind of device")
        verbose_name_plural = _("kinds of device")

    def __str__(self) -> str:
        return self.name


class Concern(models.Model):
    name = models.CharField(_("name"), max_length=120, unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("concern")
        verbose_name_plural = _("concerns")

    def __str__(self) -> str:
        return self.name


class AddOn(models.Model):
    name = models.CharField(_("name"), max_length=120, unique=True)
    extra_minutes = models.PositiveSmallIntegerField(
        _("extra minutes"), null=True, blank=True, help_text=_("Empty: nobody said that the visit takes longer.")
    )
    device_kind = models.ForeignKey(
        DeviceKind, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("kind of device")
    )

    class Meta:
        ordering = ["name"]
        verbose_name = _("add-on")
        verbose_name_plural = _("add-ons")

    def __str__(self) -> str:
        return self.name
