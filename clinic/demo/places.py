"""The demo clinic: two sites, who works there and when, rooms and devices."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.easter import easter

from clinic import walltime
from clinic.models import Absence, Closure, OpeningHours, Resource, ResourceKind, Site, WorkingHours
from treatments.models import DeviceKind, Treatment

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
LONDON, BERLIN = "Alderbrook London", "Alderbrook Berlin"
LONDON_TIME = ZoneInfo("Europe/London")
PEN, RF = "Needling pen", "RF needling device"

SITES = [
    {
        "name": LONDON,
        "short_name": "Alderbrook LDN",
        "time_zone": LONDON_TIME,
        "country": "GB",
        "subdivision": "ENG",
        "address": "1 Example Mews\nLondon",
        "phone": "+44 20 7946 0100",
        "email": "london@example.com",
    },
    {
        "name": BERLIN,
        "short_name": "Alderbrook BER",
        "time_zone": ZoneInfo("Europe/Berlin"),
        "country": "DE",
        "subdivision": "BE",
        "address": "Beispielstraße 1\nBerlin",
        "phone": "+49 30 23125 100",
        "email": "berlin@example.com",
    },
]

# Weekdays, opens, closes. Berlin shuts for lunch.
HOURS = {
    LONDON: [([MON, TUE, WED, FRI], "09:00", "18:00"), ([THU], "10:00", "20:00"), ([SAT, SUN], "10:00", "16:00")],
    BERLIN: [
        ([MON, TUE, WED, THU, FRI], "09:00", "13:00"),
        ([MON, TUE, WED, THU, FRI], "14:00", "19:00"),
        ([SAT], "10:00", "14:00"),
    ],
}

NEEDLING, RF_NEEDLING, HYDRAFACIAL, SKIN_CARE, CONSULTATION = (
    "Microneedling",
    "RF microneedling",
    "Hydrafacial",
    "skin care treatment",
    "Consultation",
)
AMARA, MAYA, TOMAS = "Dr Amara Lindqvist", "Maya Thornbury", "Tomás Ferreira"
KATRIN, ELIF, NOOR = "Dr Katrin Vogelsang", "Elif Aksoy", "Noor Haddad"

# What each may give.
GIVES = {
    AMARA: [NEEDLING, RF_NEEDLING, CONSULTATION],
    MAYA: [NEEDLING, HYDRAFACIAL, SKIN_CARE, CONSULTATION],
    TOMAS: [NEEDLING, HYDRAFACIAL, SKIN_CARE, CONSULTATION],
    KATRIN: [NEEDLING, RF_NEEDLING, CONSULTATION],
    ELIF: [NEEDLING, HYDRAFACIAL, SKIN_CARE, CONSULTATION],
    NOOR: [NEEDLING, RF_NEEDLING, HYDRAFACIAL, CONSULTATION],
}

# Site, weekdays, from, to, and between which days from today (None: always).
WORKS: dict[str, list[tuple[str, list[int], str, str, int | None, int | None]]] = {
    AMARA: [(LONDON, [MON], "09:00", "15:00", None, None), (LONDON, [THU], "12:00", "19:30", None, None)],
    MAYA: [
        (LONDON, [TUE, WED], "10:00", "16:00", None, -151),
        (LONDON, [TUE, FRI], "11:00", "18:00", -150, None),
        (LONDON, [SUN], "10:00", "16:00", None, None),
    ],
    TOMAS: [(LONDON, [WED], "11:00", "18:00", None, None), (LONDON, [SAT], "10:00", "16:00", None, None)],
    KATRIN: [(BERLIN, [MON], "09:00", "18:00", None, None), (BERLIN, [THU], "09:00", "13:00", None, None)],
    ELIF: [
        (BERLIN, [TUE], "14:00", "19:00", None, None),
        (BERLIN, [WED, FRI], "09:00", "17:30", None, None),
        (BERLIN, [SAT], "10:00", "14:00", None, 60),
        (BERLIN, [THU], "14:00", "19:00", 61, None),
    ],
    NOOR: [
        (LONDON, [MON], "10:00", "17:00", None, None),
        (LONDON, [TUE], "09:00", "14:00", None, None),
        (BERLIN, [THU], "14:00", "19:00", None, None),
        (BERLIN, [FRI], "09:00", "13:00", None, None),
    ],
}

ROOMS = {
    LONDON: ["Garden room", "Lantern room", "North room"],
    BERLIN: ["Raum Linde", "Raum Spree", "Raum Ahorn"],
}
DEVICES = {LONDON: [("Pen 1", PEN), ("RF 1", RF)], BERLIN: [("Pen 2", PEN), ("RF 2", RF)]}

# Who or what, first and last day from today, why.
AWAY = [
    (AMARA, -290, -277, "Leave"),
    (MAYA, -210, -198, "Leave"),
    (TOMAS, -164, -151, "Leave"),
    (KATRIN, -143, -130, "Leave"),
    (ELIF, -118, -108, "Leave"),
    (NOOR, -95, -82, "Leave"),
    (AMARA, -64, -63, "Training"),
    (KATRIN, -64, -63, "Training"),
    (MAYA, -17, -17, "Ill"),
    (TOMAS, 16, 25, "Leave"),
    (ELIF, 33, 33, "Training"),
    (NOOR, 47, 58, "Leave"),
    (KATRIN, 82, 92, "Leave"),
    ("RF 2", -46, -43, "At the workshop"),
    ("Pen 1", 27, 28, "At the workshop"),
]


def load(*, today: date, users: dict) -> list[Site]:
    """Sites, resources and their hours; the first site is London."""
    sites = Site.objects.bulk_create(Site(**site) for site in SITES)
    by_name = {site.name: site for site in sites}
    OpeningHours.objects.bulk_create(
        OpeningHours(site=by_name[name], weekday=weekday, opens=_clock(opens), closes=_clock(closes))
        for name, rows in HOURS.items()
        for weekdays, opens, closes in rows
        for weekday in weekdays
    )
    Closure.objects.bulk_create(closure for site in sites for closure in _closures(site, today))

    resources = [
        Resource(kind=ResourceKind.PRACTITIONER, name=name, site=by_name[WORKS[name][0][0]], user=users[name])
        for name in GIVES
    ]
    resources += [
        Resource(kind=ResourceKind.ROOM, name=name, site=by_name[site])
        for site, rooms in ROOMS.items()
        for name in rooms
    ]
    kinds = {kind.name: kind for kind in DeviceKind.objects.all()}
    resources += [
        Resource(kind=ResourceKind.DEVICE, name=name, site=by_name[site], device_kind=kinds[kind])
        for site, devices in DEVICES.items()
        for name, kind in devices
    ]
    Resource.objects.bulk_create(resources)
    who = {resource.name: resource for resource in resources}

    given = {treatment.name: treatment for treatment in Treatment.objects.all()}
    for name, treatments in GIVES.items():
        who[name].treatments.set([given[treatment] for treatment in treatments])
    WorkingHours.objects.bulk_create(
        WorkingHours(
            resource=who[name],
            site=by_name[site],
            weekday=weekday,
            starts=_clock(starts),
            ends=_clock(ends),
            valid_from=None if first is None else today + timedelta(days=first),
            valid_until=None if last is None else today + timedelta(days=last),
        )
        for name, rows in WORKS.items()
        for site, weekdays, starts, ends, first, last in rows
        for weekday in weekdays
    )
    Absence.objects.bulk_create(
        Absence(
            resource=who[name],
            starts_at=walltime.midnight(today + timedelta(days=first), who[name].site.time_zone),
            ends_at=walltime.midnight(today + timedelta(days=last + 1), who[name].site.time_zone),
            reason=reason,
        )
        for name, first, last, reason in AWAY
    )
    return sites


def _closures(site: Site, today: date) -> list[Closure]:
    """Public holidays of three years, and an afternoon for the whole team."""
    closures = []
    for year in (today.year - 1, today.year, today.year + 1):
        sunday = easter(year)
        days = {
            date(year, 1, 1): "New Year’s Day",
            sunday - timedelta(days=2): "Good Friday",
            sunday + timedelta(days=1): "Easter Monday",
            date(year, 12, 25): "Christmas Day",
            date(year, 12, 26): "Boxing Day" if site.country == "GB" else "Second Christmas Day",
        }
        if site.country == "GB":
            days[_monday_on_or_before(date(year, 5, 7))] = "Early May bank holiday"
            days[_monday_on_or_before(date(year, 5, 31))] = "Spring bank holiday"
            days[_monday_on_or_before(date(year, 8, 31))] = "Summer bank holiday"
        else:
            days[date(year, 5, 1)] = "Labour Day"
            days[sunday + timedelta(days=39)] = "Ascension Day"
            days[sunday + timedelta(days=50)] = "Whit Monday"
            days[date(year, 10, 3)] = "German Unity Day"
        closures += [_closed(site, day, time(), day + timedelta(days=1), reason) for day, reason in days.items()]
    team_day = _monday_on_or_before(today + timedelta(days=41)) + timedelta(days=2)
    closures.append(_closed(site, team_day, time(14), team_day + timedelta(days=1), "Team afternoon"))
    if site.country == "DE":
        works = _monday_on_or_before(today - timedelta(days=75)) + timedelta(days=1)
        closures.append(_closed(site, works, time(), works + timedelta(days=1), "New floor in all rooms"))
    return closures


def _closed(site: Site, day: date, clock: time, until: date, reason: str) -> Closure:
    starts_at: datetime = walltime.instant(day, clock, site.time_zone)
    return Closure(site=site, starts_at=starts_at, ends_at=walltime.midnight(until, site.time_zone), reason=reason)


def _monday_on_or_before(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _clock(text: str) -> time:
    return time.fromisoformat(text)
