"""Where: the clinic's sites and when they are open."""

import pghistory
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _
from timezone_field import TimeZoneField

from clinic.models.freeing import notes_freed


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class OnOneDay(Func):
    """From one clock time to another as a half-open range: there is no range of times, so they stand on one day."""

    function = "tsrange"
    template = "%(function)s(date '2000-01-01' + %(expressions)s)"
    arg_joiner = ", date '2000-01-01' + "

    def __init__(self, starts: str, ends: str) -> None:
        super().__init__(F(starts), F(ends))


class Site(models.Model):
    name = models.CharField(_("name"), max_length=100, unique=True)
    short_name = models.CharField(_("short name"), max_length=20, help_text=_("As it stands in text messages."))
    time_zone = TimeZoneField(_("time zone"))
    country = models.CharField(_("country"), max_length=2, blank=True, help_text=_("ISO 3166 code, for holidays."))
    subdivision = models.CharField(
        _("part of the country"),
        max_length=3,
        blank=True,
        help_text=_("ISO 3166-2 code without the country, such as ENG or BY, where it has holidays of its own."),
    )
    address = models.TextField(_("address"), blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    change_cut_off_hours = models.PositiveSmallIntegerField(
        _("changes by patients until (hours before)"),
        default=24,
        help_text=_("Later than this before the visit, patients call instead of moving or cancelling it themselves."),
    )
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        permissions = [
            ("change_rota", _("Can change the rota: opening hours, closures and working hours")),
            ("note_absence", _("Can note who or what is away")),
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class OpeningHours(models.Model):
    """Open on this weekday from `opens` to `closes`, the site's wall clock. A midday break is two rows."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="opening_hours")
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    opens = models.TimeField(_("opens"))
    closes = models.TimeField(_("closes"))

    class Meta:
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        ordering = ["weekday", "opens"]
        constraints = [
            models.CheckConstraint(condition=Q(opens__lt=F("closes")), name="opening_hours_not_empty"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="opening_hours_weekday_known"),
            ExclusionConstraint(
                name="opening_hours_no_overlap",
                expressions=[
                    ("site", RangeOperators.EQUAL),
                    ("weekday", RangeOperators.EQUAL),
                    (OnOneDay("opens", "closes"), RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("The site is open at this time already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens:%H:%M}–{self.closes:%H:%M}"


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Closure(models.Model):
    """The site is shut from `starts_at` to `ends_at`, a public holiday or works. Two may overlap: time counts once."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="closures")
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("to"))
    reason = models.CharField(_("reason"), max_length=200)

    class Meta:
        verbose_name = _("closure")
        verbose_name_plural = _("closures")
        triggers = [notes_freed("site_id")]
        indexes = [models.Index(fields=["site", "ends_at"], name="closure_by_site")]
        constraints = [models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="closure_not_empty")]

    def __str__(self) -> str:
        return self.reason
