"""Who and what a visit needs: practitioners, rooms, devices."""

import pghistory
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from clinic.models.freeing import notes_freed
from clinic.models.place import OnOneDay, Site, Weekday
from treatments.models import DeviceKind, Treatment


class ResourceKind(models.TextChoices):
    PRACTITIONER = "practitioner", _("practitioner")
    ROOM = "room", _("room")
    DEVICE = "device", _("device")


class ResourceQuerySet(models.QuerySet["Resource"]):
    def in_use(self) -> "ResourceQuerySet":
        return self.filter(active=True)

    def practitioners(self) -> "ResourceQuerySet":
        return self.filter(kind=ResourceKind.PRACTITIONER)


class Resource(models.Model):
    """Something that can be in one place at a time. Rooms and devices may be used whenever their site is open."""

    kind = models.CharField(_("kind"), max_length=12, choices=ResourceKind)
    name = models.CharField(_("name"), max_length=100)
    site = models.ForeignKey(Site, models.PROTECT, related_name="resources", verbose_name=_("site"))
    device_kind = models.ForeignKey(
        DeviceKind, models.PROTECT, null=True, blank=True, related_name="devices", verbose_name=_("kind of device")
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="resource",
        verbose_name=_("account"),
    )
    treatments = models.ManyToManyField(
        Treatment,
        blank=True,
        related_name="practitioners",
        verbose_name=_("treatments"),
        help_text=_("What this practitioner may give."),
    )
    active = models.BooleanField(_("active"), default=True)

    objects = ResourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("resource")
        verbose_name_plural = _("resources")
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=ResourceKind.values), name="resource_kind_known"),
            models.CheckConstraint(
                condition=Q(kind="device", device_kind__isnull=False) | ~Q(kind="device") & Q(device_kind=None),
                name="resource_device_kind_for_devices_only",
            ),
            models.CheckConstraint(
                condition=Q(kind="practitioner") | Q(user=None), name="resource_account_for_practitioners_only"
            ),
            models.UniqueConstraint(fields=["site", "kind", "name"], name="resource_name_once_a_site"),
        ]

    def __str__(self) -> str:
        return self.name


class Validity(Func):
    """From one date to another, both included; an empty one is without end."""

    function = "daterange"

    def __init__(self) -> None:
        super().__init__(F("valid_from"), F("valid_until"), Value("[]"))


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class WorkingHours(models.Model):
    """A practitioner works at a site on this weekday, the site's wall clock, from one date to another (included)."""

    resource = models.ForeignKey(Resource, models.CASCADE, related_name="working_hours")
    site = models.ForeignKey(Site, models.CASCADE, related_name="+")
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    starts = models.TimeField(_("starts"))
    ends = models.TimeField(_("ends"))
    valid_from = models.DateField(_("from"), null=True, blank=True, help_text=_("Empty: always was."))
    valid_until = models.DateField(_("until"), null=True, blank=True, help_text=_("Empty: until further notice."))

    class Meta:
        verbose_name = _("working hours")
        verbose_name_plural = _("working hours")
        ordering = ["weekday", "starts"]
        constraints = [
            models.CheckConstraint(condition=Q(starts__lt=F("ends")), name="working_hours_not_empty"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="working_hours_weekday_known"),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_until=None) | Q(valid_from__lte=F("valid_until")),
                name="working_hours_validity_in_order",
            ),
            # At other sites too: nobody is in two places.
            ExclusionConstraint(
                name="working_hours_no_overlap",
                expressions=[
                    ("resource", RangeOperators.EQUAL),
                    ("weekday", RangeOperators.EQUAL),
                    (OnOneDay("starts", "ends"), RangeOperators.OVERLAPS),
                    (Validity(), RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("There are working hours at this time already, here or at another site."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.starts:%H:%M}–{self.ends:%H:%M}"


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Absence(models.Model):
    """A resource is away: leave, illness, a device at the workshop. Two may overlap: the time counts once."""

    resource = models.ForeignKey(Resource, models.CASCADE, related_name="absences")
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("to"))
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("absence")
        verbose_name_plural = _("absences")
        triggers = [notes_freed("resource_id")]
        indexes = [models.Index(fields=["resource", "ends_at"], name="absence_by_resource")]
        constraints = [models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="absence_not_empty")]

    def __str__(self) -> str:
        return self.reason or str(_("absence"))
