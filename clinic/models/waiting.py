"""Who would like to come sooner, what has become free, and what was offered."""

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Least
from django.utils.translation import gettext_lazy as _

from clinic.models.diary import Appointment, AppointmentStatus
from clinic.models.outbox import Message
from clinic.models.place import Site, Weekday
from clinic.models.resource import Resource

# Two weeks, in hours: who needs more notice than that waits for nothing that is cancelled.
LONGEST_NOTICE = 14 * 24


class WishClosed(models.TextChoices):
    BY_PATIENT = "patient", _("withdrawn by the patient")
    BY_DESK = "desk", _("withdrawn at the desk")
    CHANGED = "changed", _("changed")


class EarlierWishQuerySet(models.QuerySet["EarlierWish"]):
    def waiting(self, *, now) -> "EarlierWishQuerySet":
        """Nobody withdrew it, and the visit is ahead and no sooner than it was. Who waits longest comes first."""
        return self.filter(
            closed_at=None,
            appointment__status=AppointmentStatus.BOOKED,
            appointment__starts_at__gt=now,
            appointment__starts_at__gte=F("sooner_than"),
        ).order_by("waiting_since", "pk")


class EarlierWish(models.Model):
    """A patient would like one visit to be sooner, if it can be.

    Written once; all that is changed later is that it is closed. That the visit was moved before `sooner_than`,
    cancelled or attended ends it too, and is read from the visit: what is undone there lets it wait again.
    """

    appointment = models.ForeignKey(Appointment, models.PROTECT, related_name="earlier_wishes")
    sooner_than = models.DateTimeField(help_text=_("When the visit was to be as this was noted."))
    practitioner = models.ForeignKey(
        Resource, models.PROTECT, null=True, blank=True, related_name="+", help_text=_("With nobody else.")
    )
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(choices=Weekday), default=list, blank=True, help_text=_("Empty: any day.")
    )
    earliest_time = models.TimeField(null=True, blank=True, help_text=_("The site's wall clock."))
    latest_time = models.TimeField(null=True, blank=True, help_text=_("To start by, the site's wall clock."))
    notice_hours = models.PositiveSmallIntegerField(help_text=_("Nothing that begins sooner than this is offered."))
    waiting_since = models.DateTimeField(help_text=_("The patient's place in the queue; a changed wish keeps it."))
    noted_at = models.DateTimeField()
    noted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    closed_reason = models.CharField(max_length=10, choices=WishClosed, blank=True)

    objects = EarlierWishQuerySet.as_manager()

    class Meta:
        verbose_name = _("wish for an earlier time")
        verbose_name_plural = _("wishes for an earlier time")
        constraints = [
            models.UniqueConstraint(
                fields=["appointment"], condition=Q(closed_at=None), name="earlier_wish_one_open_a_visit"
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_by=None, closed_reason="")
                | Q(closed_at__isnull=False, closed_by__isnull=False, closed_reason__in=WishClosed.values),
                name="earlier_wish_closing_recorded",
            ),
            models.CheckConstraint(
                condition=Q(weekdays__contained_by=Weekday.values), name="earlier_wish_weekdays_known"
            ),
            models.CheckConstraint(
                condition=Q(earliest_time=None) | Q(latest_time=None) | Q(earliest_time__lte=F("latest_time")),
                name="earlier_wish_times_in_order",
            ),
            models.CheckConstraint(condition=Q(notice_hours__lte=LONGEST_NOTICE), name="earlier_wish_notice_possible"),
            models.CheckConstraint(
                condition=Q(waiting_since__lte=F("noted_at")), name="earlier_wish_waits_since_it_was_noted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class EarlierOfferQuerySet(models.QuerySet["EarlierOffer"]):
    def open(self, *, now) -> "EarlierOfferQuerySet":
        """Those that can still be answered."""
        return self.filter(declined_at=None, expires_at__gt=now)


class WhileOpen(Func):
    """From the moment an offer is made until it is declined or expires, as a half-open range."""

    function = "tstzrange"

    def __init__(self) -> None:
        super().__init__(F("made_at"), Least("declined_at", "expires_at"), Value("[)"))


class EarlierOffer(models.Model):
    """One time, offered to one patient until it expires. It holds no time: whoever books first has it.

    A wish has one open offer at a time. A person with two wishes has one too, as `clinic.services.offers` sees to.

    That it was taken is read from the visit, which starts then.
    """

    wish = models.ForeignKey(EarlierWish, models.PROTECT, related_name="offers")
    starts_at = models.DateTimeField()
    practitioner = models.ForeignKey(Resource, models.PROTECT, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Empty: made by itself."),
    )
    expires_at = models.DateTimeField()
    declined_at = models.DateTimeField(null=True, blank=True)
    message = models.OneToOneField(Message, models.PROTECT, related_name="earlier_offer")

    objects = EarlierOfferQuerySet.as_manager()

    class Meta:
        verbose_name = _("offer of an earlier time")
        verbose_name_plural = _("offers of an earlier time")
        constraints = [
            models.UniqueConstraint(fields=["wish", "starts_at"], name="earlier_offer_same_time_once"),
            ExclusionConstraint(
                name="earlier_offer_one_open_a_wish",
                expressions=[("wish", RangeOperators.EQUAL), (WhileOpen(), RangeOperators.OVERLAPS)],
            ),
            models.CheckConstraint(
                condition=Q(made_at__lt=F("expires_at"), expires_at__lte=F("starts_at")),
                name="earlier_offer_ends_before_its_time",
            ),
            models.CheckConstraint(
                condition=Q(declined_at=None) | Q(declined_at__gte=F("made_at")),
                name="earlier_offer_declined_after_it_was_made",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class FreedTime(models.Model):
    """Time that became free: a claim or an absence of a resource that went, or a closure of a site.

    Written by triggers of the database, so that no path is forgotten. It may have been taken again since; whoever
    reads it looks into the diary. Without constraints to other tables: a resource that is deleted frees its time too.
    """

    resource = models.ForeignKey(Resource, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    site = models.ForeignKey(Site, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        verbose_name = _("freed time")
        verbose_name_plural = _("freed times")
        constraints = [
            models.CheckConstraint(
                condition=Q(resource=None, site__isnull=False) | Q(resource__isnull=False, site=None),
                name="freed_time_of_a_resource_or_a_site",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
