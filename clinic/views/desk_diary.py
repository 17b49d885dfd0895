"""The diary: a day or a week of a site, by practitioner or by room, kept fresh while it is looked at."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.http import urlencode

from clinic import walltime
from clinic.dates_in_words import written
from clinic.models import AppointmentStatus, ResourceKind, Site
from clinic.permissions import staff_required
from clinic.services import diary_view
from clinic.services.diary_view import Column, DiaryView, Shade, Visit
from clinic.views.at_site import chosen_site
from clinic.views.desk_day import chosen_day, notes_of

VIEWS = ("day", "week")
COLUMNS = (ResourceKind.PRACTITIONER, ResourceKind.ROOM)
REMEMBERED_VIEW, REMEMBERED_COLUMNS = "diary_view", "diary_by"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the address asks for. `only` is the one column to be shown, or None for all."""

    site: Site
    day: date
    complaint: str
    view: str
    by: str
    only: int | None
    today: date

    @property
    def first(self) -> date:
        return self.day - timedelta(days=self.day.weekday()) if self.view == "week" else self.day

    @property
    def last(self) -> date:
        return self.first + timedelta(days=6) if self.view == "week" else self.day

    def link(self, **changes) -> str:
        """The query of the same diary with `changes`; today is left out, so that it stays today tomorrow."""
        day = changes.get("day", self.day)
        wanted = {"site": self.site.pk, "view": self.view, "by": self.by, "only": self.only} | changes
        wanted["day"] = None if day == self.today else day.isoformat()
        return "?" + urlencode({name: value for name, value in wanted.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Listed:
    """One column of one day, as the list has it."""

    column: Column
    visits: list[Visit]
    shades: list[Shade]


@staff_required
def diary(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    sites = list(Site.objects.filter(active=True))
    site = chosen_site(request, sites)
    if site is None:
        return render(request, "desk/diary.html", {"sites": sites})
    wanted = _wanted(request, site, now)
    token, shown = _read(wanted, now)
    step = timedelta(days=7 if wanted.view == "week" else 1)
    here = reverse("desk:diary")
    switches = {
        "sites": [(other, here + wanted.link(site=other.pk, only=None)) for other in sites],
        "views": [(view, here + wanted.link(view=view)) for view in VIEWS],
        "columns": [(by, here + wanted.link(by=by, only=None)) for by in COLUMNS],
    }
    context = {
        "wanted": wanted,
        "day_box": request.GET.get("day", "").strip() if wanted.complaint else written(wanted.day),
        "is_now": wanted.first <= wanted.today <= wanted.last,
        "switches": switches,
        "zones_differ": len({str(other.time_zone) for other in sites}) > 1,
        "previous": here + wanted.link(day=wanted.day - step),
        "today": here + wanted.link(day=wanted.today),
        "next": here + wanted.link(day=wanted.day + step),
        "all_columns": here + wanted.link(only=None),
        "only": next((column for column in shown.columns if column.id == wanted.only), None),
        "notes": notes_of(site, wanted.day) if wanted.view == "day" else [],
        "diary": _as_json(wanted, token, shown, now) | _addresses(wanted),
        **_list(wanted, shown),
    }
    return render(request, "desk/diary.html", context)


@staff_required
def feed(request: HttpRequest) -> HttpResponse:
    """What the diary shows now; 204 and nothing else while it is what the caller already has."""
    now = timezone.now()
    site = chosen_site(request, list(Site.objects.filter(active=True)))
    if site is None:
        raise Http404
    wanted = _wanted(request, site, now)
    held = request.GET.get("token")
    if held and held == diary_view.fingerprint(site=site, first=wanted.first, last=wanted.last):
        return HttpResponse(status=204)
    token, shown = _read(wanted, now)
    listed = render_to_string("desk/_diary_list.html", _list(wanted, shown), request)
    return JsonResponse(_as_json(wanted, token, shown, now) | {"list": listed})


def _wanted(request: HttpRequest, site: Site, now: datetime) -> Wanted:
    today = walltime.day_of(now, site.time_zone)
    day, complaint = chosen_day(request.GET.get("day", "").strip(), today)
    only = request.GET.get("only", "")
    return Wanted(
        site=site,
        day=day,
        complaint=complaint,
        view=_chosen(request, "view", VIEWS, REMEMBERED_VIEW),
        by=_chosen(request, "by", COLUMNS, REMEMBERED_COLUMNS),
        only=int(only) if only.isascii() and only.isdigit() else None,
        today=today,
    )


def _chosen(request: HttpRequest, name: str, choices: tuple[str, ...], remembered: str) -> str:
    """What is asked for, the last that was, or the first. The session is written only where it changes."""
    asked, last = request.GET.get(name), request.session.get(remembered, choices[0])
    if asked not in choices:
        return last
    if asked != last:
        request.session[remembered] = str(asked)
    return str(asked)


def _read(wanted: Wanted, now: datetime) -> tuple[str, DiaryView]:
    # The fingerprint first: a change that comes in between is then noticed the next time, and never missed.
    token = diary_view.fingerprint(site=wanted.site, first=wanted.first, last=wanted.last)
    shown = diary_view.read(site=wanted.site, first=wanted.first, last=wanted.last, by=wanted.by, now=now)
    return token, shown


def _as_json(wanted: Wanted, token: str, shown: DiaryView, now: datetime) -> dict:
    clock = now.astimezone(wanted.site.time_zone).replace(tzinfo=None, microsecond=0)
    return {"token": token, "now": clock, "today": wanted.today, **shown.as_json()}


def _addresses(wanted: Wanted) -> dict:
    """Where the grid's links lead. A page that is not there is left out, and with it what would open it."""
    query = wanted.link(day=wanted.day) if wanted.day != wanted.today else f"{wanted.link()}&day={wanted.day}"
    return {
        "view": wanted.view,
        "day": wanted.day,
        "site": wanted.site.pk,
        "by": wanted.by,
        "only": wanted.only,
        "feed": reverse("desk:diary-feed") + query,
        "diary": reverse("desk:diary"),
        "visit": reverse("desk:appointment", args=[0]),
        "move": _if_there("desk:appointment-move", 0),
        "new": _if_there("desk:visit-new", 0),
    }


def _if_there(name: str, *args: int) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


# --- The same as a list: without scripts, on a small screen, on paper ------------------------------


def _list(wanted: Wanted, shown: DiaryView) -> dict:
    columns = [column for column in shown.columns if wanted.only in (None, column.id)]
    visits = [visit for visit in shown.visits if wanted.only in (None, visit.column)]
    by_place = {place: list(found) for place, found in groupby(sorted(visits, key=_place), key=_place)}
    shades = [shade for shade in shown.shades if shade.kind != "off"]
    days = []
    for day in shown.days:
        here = [shade for shade in shades if shade.start.date() == day]
        listed = [
            Listed(column, by_place.get((day, column.id), []), [shade for shade in here if shade.column == column.id])
            for column in columns
        ]
        days.append((day, [entry for entry in listed if entry.visits or entry.shades]))
    return {
        "wanted": wanted,
        "days": days,
        "by_room": wanted.by == ResourceKind.ROOM,
        "count": len(visits),
        "here": _count(visits, AppointmentStatus.ARRIVED),
        "coming": _count(visits, AppointmentStatus.BOOKED),
    }


def _place(visit: Visit) -> tuple[date, int]:
    return visit.start.date(), visit.column


def _count(visits: Iterable[Visit], status: str) -> int:
    return sum(visit.status == status for visit in visits)
