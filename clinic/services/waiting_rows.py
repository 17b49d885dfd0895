"""The waiting list in words: one row a wish."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import walltime
from clinic.models import Appointment, EarlierOffer, EarlierWish, Resource, Weekday
from clinic.services import course_view
from clinic.services.offers import can_be_made
from clinic.services.waiting import Could
from clinic.waiting import Opening

DAY_HOURS = 24
# More times of one wish than that are no help on a page.
MOST_TIMES = 3


@dataclass(frozen=True, slots=True)
class Time:
    """A time that the patient could have: as the page says it, and as a form sends it."""

    text: str
    start: int
    practitioner: int | None


@dataclass(frozen=True, slots=True)
class Row:
    wish: EarlierWish
    what: str
    now: str
    wants: tuple[str, ...]
    since: str
    times: tuple[Time, ...]
    offers: tuple[str, ...]
    offer_open: bool
    # Whether an offer could reach the patient; asked only where there is one to make.
    writable: bool
    # Of one press of a button in this row.
    press: UUID = field(default_factory=uuid4)

    @property
    def visit(self) -> Appointment:
        return self.wish.appointment


def rows(wishes: Iterable[EarlierWish], could: Iterable[Could], *, now: datetime) -> list[Row]:
    """`wishes` come as services.waiting gives them, `could` what was found for them."""
    openings = {one.wish.pk: one.openings for one in could}
    keys = {one.choice.practitioner for found in openings.values() for one in found}
    people = Resource.objects.in_bulk({key for key in keys if key is not None})
    return [_row(wish, openings.get(wish.pk, ()), people, now=now) for wish in wishes]


def _row(wish: EarlierWish, openings: Collection[Opening], people: dict[int, Resource], *, now: datetime) -> Row:
    visit = wish.appointment
    zone = visit.site.time_zone
    what = str(visit.treatment)
    if visit.session is not None:
        what = _("%(treatment)s, session %(n)d") % {"treatment": what, "n": visit.session.number}
    elif visit.maintenance is not None:
        what = _("%s, maintenance") % what
    offers = sorted(wish.offers.all(), key=lambda offer: offer.made_at, reverse=True)
    times = tuple(_time(one, people, visit) for one in _spread(openings))
    return Row(
        wish=wish,
        what=what,
        now=course_view.at(visit),
        wants=tuple(wants(wish)),
        since=date_format(wish.waiting_since.astimezone(zone), "D j M Y"),
        times=times,
        offers=tuple(_offered(offer, visit, now=now) for offer in offers),
        offer_open=any(is_open(offer, now=now) for offer in offers),
        writable=bool(times) and can_be_made(visit.patient),
    )


def _spread(openings: Collection[Opening]) -> list[Opening]:
    """The soonest time with each practitioner of a day, and of these the first few."""
    first: dict[object, Opening] = {}
    for one in openings:
        first.setdefault((one.choice.day, one.choice.practitioner), one)
    return list(first.values())[:MOST_TIMES]


def _time(one: Opening, people: dict[int, Resource], visit: Appointment) -> Time:
    text = moment(walltime.from_minutes(one.start), visit)
    person = people.get(one.choice.practitioner)
    if person is not None:
        text = _("%(when)s with %(who)s") % {"when": text, "who": person}
    return Time(text, one.start, one.choice.practitioner)


def wants(wish: EarlierWish) -> list[str]:
    """What the wish is limited to, in words."""
    said = []
    if wish.weekdays:
        said.append(", ".join(str(Weekday(day).label) for day in sorted(wish.weekdays)))
    earliest, latest = wish.earliest_time, wish.latest_time
    if earliest and latest:
        said.append(_("starting between %(first)s and %(last)s") % {"first": _clock(earliest), "last": _clock(latest)})
    elif earliest:
        said.append(_("starting at %s or later") % _clock(earliest))
    elif latest:
        said.append(_("starting by %s") % _clock(latest))
    if wish.practitioner is not None:
        said.append(_("only with %s") % wish.practitioner)
    return [*(said or [_("any time")]), notice(wish.notice_hours)]


def _clock(clock) -> str:
    return date_format(clock, "TIME_FORMAT")


def notice(hours: int) -> str:
    days, rest = divmod(hours, DAY_HOURS)
    if days and not rest:
        return ngettext("told %d day before", "told %d days before", days) % days
    return ngettext("told %d hour before", "told %d hours before", hours) % hours


def is_open(offer: EarlierOffer, *, now: datetime) -> bool:
    return offer.declined_at is None and offer.expires_at > now


def _offered(offer: EarlierOffer, visit: Appointment, *, now: datetime) -> str:
    when = moment(offer.starts_at, visit)
    if offer.declined_at is not None:
        return _("Offered %s: declined") % when
    if offer.expires_at <= now:
        return _("Offered %s: no answer") % when
    return _("Offered %(when)s: may answer until %(until)s") % {
        "when": when,
        "until": moment(offer.expires_at, visit),
    }


def moment(at: datetime, visit: Appointment) -> str:
    return date_format(at.astimezone(visit.site.time_zone), "D j M Y, H:i")
