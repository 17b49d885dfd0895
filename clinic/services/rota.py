"""Changing the rota: opening hours, closures, working hours, absences; with what it does to booked visits shown first.

Nothing booked is cancelled or moved by it. What does not fit afterwards is on the worklist, because it is found there
from the state and not from the change (see rota_fit).
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import blake2b

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import walltime
from clinic.models import Absence, Appointment, Closure, OpeningHours, Site, WorkingHours
from clinic.services import course_view, rota_fit
from clinic.services.rota_fit import Misfits
from clinic.services.transactions import whole
from patients.errors import Refused

DAY = timedelta(days=1)


class RotaError(Refused):
    """The base of what cannot be stored of a rota. `field` is what it is about: "starts", "change_from" or nothing."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Overlap(RotaError):
    """These hours, this closure or this absence meets another of the same kind."""


class GoneMeanwhile(RotaError):
    """Somebody else has removed it since the page was shown."""


class Unseen(Refused):
    """Booked visits would no longer fit, and nobody has seen which. Nothing was stored."""

    def __init__(self, consequences: "Consequences") -> None:
        super().__init__(_("Look at what no longer fits, and press once more."))
        self.consequences = consequences


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Rows to be stored, new ones or changed ones, and rows to be removed; all of it or nothing."""

    save: tuple[Model, ...] = ()
    remove: tuple[Model, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A booked visit that would no longer fit."""

    appointment: int
    patient_pk: int
    patient: str
    when: str
    what: str
    whom: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What a change does to booked visits: those that no longer fit, soonest first, and how many fit again."""

    lines: tuple[Line, ...] = ()
    again: int = 0

    @property
    def seen(self) -> str:
        """What a page posts back to say that it has shown exactly these visits; nothing where there are none."""
        if not self.lines:
            return ""
        said = " ".join(f"{line.appointment} {line.when}" for line in self.lines)
        return blake2b(said.encode(), digest_size=12).hexdigest()


def look(change: Change, *, now: datetime) -> Consequences:
    """What `change` would come to; stores nothing. Raises RotaError."""
    with transaction.atomic():
        found = _apply(change, now)
        transaction.set_rollback(True)
    return found


@whole
def carry_out(change: Change, *, seen: str, now: datetime) -> Consequences:
    """Store `change`. `seen` is what the page had shown of its consequences. Raises Unseen where they are others now,
    and RotaError; then nothing is stored."""
    found = _apply(change, now)
    if found.lines and found.seen != seen:
        raise Unseen(found)
    return found


def _apply(change: Change, now: datetime) -> Consequences:
    before = rota_fit.misfits(now=now)
    # Copies: what is rolled back or tried again leaves the caller's rows as they were.
    for row in map(copy, change.remove):
        _held(row)
        row.delete()
    for row in map(copy, change.save):
        if row.pk is not None:
            _held(row)
        _check_alone(row)
        _store(row)
    after = rota_fit.misfits(now=now)
    lines = _lines({key: whys for key, whys in after.items() if key not in before})
    return Consequences(lines=lines, again=len(before.keys() - after.keys()))


def _held(row: Model) -> None:
    if not type(row)._default_manager.select_for_update(of=["self"]).filter(pk=row.pk).exists():
        raise GoneMeanwhile(_("Somebody has removed this meanwhile."))


# --- What meets another -----------------------------------------------------------------------------

OVERLAPS = {
    "opening_hours_no_overlap": gettext_lazy("The site is open at this time already: %s. Change that instead."),
    "working_hours_no_overlap": gettext_lazy("There are working hours at this time already: %s. Change those instead."),
}


def _store(row: Model) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        message = OVERLAPS.get(getattr(getattr(error.__cause__, "diag", None), "constraint_name", None))
        if message is None:
            raise
        raise Overlap(message % _the_other(row), "starts") from error


def _the_other(row: Model) -> str:
    """The hours that are met, in words."""
    if isinstance(row, OpeningHours):
        others = OpeningHours.objects.filter(site=row.site, weekday=row.weekday)
        return str(others.filter(opens__lt=row.closes, closes__gt=row.opens).exclude(pk=row.pk).first())
    assert isinstance(row, WorkingHours)
    others = WorkingHours.objects.filter(resource=row.resource, weekday=row.weekday).select_related("site")
    met = others.filter(starts__lt=row.ends, ends__gt=row.starts).exclude(pk=row.pk)
    found = next(
        other
        for other in met
        if (row.valid_until is None or other.valid_from is None or other.valid_from <= row.valid_until)
        and (row.valid_from is None or other.valid_until is None or row.valid_from <= other.valid_until)
    )
    return f"{found}, {found.site}"


def _check_alone(row: Model) -> None:
    """Time away that meets other time away is refused, so that an end that is corrected later is the only one.

    A help to whoever types, and not a promise: the database takes it, as from two people at once, and does no harm with
    it, because such time counts once.
    """
    if isinstance(row, Absence):
        others, zone = Absence.objects.filter(resource=row.resource), row.resource.site.time_zone
        words = _("%(name)s is away then already: %(what)s. Change that instead.")
        name = row.resource.name
    elif isinstance(row, Closure):
        others, zone = Closure.objects.filter(site=row.site), row.site.time_zone
        words = _("%(name)s is closed then already: %(what)s. Change that instead.")
        name = row.site.name
    else:
        return
    met = others.filter(starts_at__lt=row.ends_at, ends_at__gt=row.starts_at).exclude(pk=row.pk)
    if other := met.order_by("starts_at", "pk").first():
        what = ", ".join(filter(None, [other.reason, time_away(other, zone)]))
        raise Overlap(words % {"name": name, "what": what}, "first_day")


def time_away(row: Absence | Closure, zone) -> str:
    """From when to when in words, as whole days where it is whole days."""
    starts, ends = row.starts_at.astimezone(zone), row.ends_at.astimezone(zone)
    first, last = starts.date(), ends.date()
    if whole_days(row, zone):
        return course_view.span(first, last - DAY)
    if row.ends_at == walltime.midnight(first + DAY, zone):
        return _("%s to the end of the day") % date_format(starts, "D j M Y, H:i")
    if first == last:
        return f"{course_view.in_words(first)}, {starts:%H:%M}–{ends:%H:%M}"
    if row.ends_at == walltime.midnight(last, zone):
        until = _("the end of %s") % course_view.in_words(last - DAY)
    else:
        until = date_format(ends, "D j M Y, H:i")
    return f"{date_format(starts, 'D j M Y, H:i')} – {until}"


def whole_days(row: Absence | Closure, zone) -> bool:
    return all(
        moment == walltime.midnight(walltime.day_of(moment, zone), zone) for moment in (row.starts_at, row.ends_at)
    )


# --- What is changed from a day on ------------------------------------------------------------------


def from_a_day_on(*, old: WorkingHours, new: WorkingHours, day: date) -> Change:
    """The old hours to the day before, the new ones from `day` on. Raises RotaError where they had ended, or begin."""
    if old.valid_until is not None and old.valid_until < day:
        raise RotaError(_("These hours have ended by then. Choose an earlier day."), "change_from")
    if old.valid_from is not None and day <= old.valid_from:
        raise RotaError(_("These hours begin then or later. Leave this empty to change all of them."), "change_from")
    ended, begun = copy(old), copy(new)
    ended.valid_until = day - DAY
    begun.pk, begun.valid_from = None, day
    begun._state.adding = True
    if begun.valid_until is not None and begun.valid_until < day:
        raise RotaError(_("The new hours would end before they begin."), "change_from")
    return Change(save=(ended, begun))


# --- Public holidays --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """A public holiday. `closed`: the site is shut all that day already."""

    day: date
    name: str
    closed: bool = False


def public_holidays(site: Site, year: int, language: str = "en") -> list[Holiday]:
    """Those of the site's country in a year, in order, in `language` where they are known in it.

    Raises RotaError where no country is noted, or none is known by that code.
    """
    import holidays  # slow to load, and needed on one page

    if not site.country:
        raise RotaError(_("Note the country of the site first."))
    known: Mapping[str, Sequence[str]] = holidays.list_supported_countries()
    country, part = site.country.upper(), site.subdivision.upper() or None
    if country not in known:
        raise RotaError(_("No holidays are known of the country “%s”. Enter the closures by hand.") % site.country)
    if part is not None and part not in known[country]:
        raise RotaError(_("“%s” is not a part of this country that holidays are known of.") % site.subdivision)
    languages = holidays.country_holidays(country).supported_languages
    spoken = next((one for one in languages if one.split("_")[0] == language.split("-")[0]), None)
    found = holidays.country_holidays(country, subdiv=part, years=year, language=spoken)
    return _marked(site, [Holiday(day=day, name=name) for day, name in sorted(found.items()) if day.year == year])


def _marked(site: Site, days: list[Holiday]) -> list[Holiday]:
    if not days:
        return []
    zone = site.time_zone
    closures = list(
        site.closures.filter(
            ends_at__gt=walltime.midnight(days[0].day, zone), starts_at__lt=walltime.midnight(days[-1].day + DAY, zone)
        )
    )

    def closed(day: date) -> bool:
        start, end = walltime.midnight(day, zone), walltime.midnight(day + DAY, zone)
        return any(row.starts_at <= start and end <= row.ends_at for row in closures)

    return [replace(one, closed=closed(one.day)) for one in days]


def closed_on(site: Site, days: Sequence[Holiday]) -> Change:
    """The site shut on these days, each under its own name."""
    zone = site.time_zone
    return Change(
        save=tuple(
            Closure(
                site=site,
                starts_at=walltime.midnight(one.day, zone),
                ends_at=walltime.midnight(one.day + DAY, zone),
                reason=one.name[:200],
            )
            for one in days
        )
    )


# --- Who ---------------------------------------------------------------------------------------------


def last_change(row: Model) -> str:
    """Who last changed a part of the rota, and when by the site's clock, in words. Empty where nothing is known."""
    event = row.events.select_related("pgh_context").order_by("-pgh_id").first()
    if event is None:
        return ""
    site = row.resource.site if isinstance(row, Absence) else row.site
    when = date_format(event.pgh_created_at.astimezone(site.time_zone), "D j M Y, H:i")
    key = event.pgh_context.metadata.get("user") if event.pgh_context else None
    user = User.objects.filter(pk=key).first() if key else None
    if user is None:
        return _("Last changed on %(when)s.") % {"when": when}
    return _("Last changed by %(who)s, %(when)s.") % {"who": user.get_full_name() or user.email, "when": when}


# --- In words ---------------------------------------------------------------------------------------


def _lines(misfits: Misfits) -> tuple[Line, ...]:
    rows = (
        Appointment.objects.filter(pk__in=list(misfits))
        .select_related("patient", "site", "treatment", "practitioner")
        .order_by("starts_at", "pk")
    )
    return tuple(
        Line(
            appointment=row.pk,
            patient_pk=row.patient_id,
            patient=str(row.patient),
            when=date_format(row.starts_at.astimezone(row.site.time_zone), "D j M Y, H:i"),
            what=row.treatment.name,
            whom=row.practitioner.name if row.practitioner else "",
            why=rota_fit.in_words(misfits[row.pk]),
        )
        for row in rows
    )
