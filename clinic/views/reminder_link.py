"""From the reminder to a booking: one tap chooses, one confirms. Without signing in, cookies or JavaScript.

The secret in the address is what a form's token is elsewhere: who does not know it can send no form, so these pages
need neither session nor token. Nothing changes by GET, because mail scanners open links.
"""

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps

import pghistory
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from clinic import walltime
from clinic.models import Appointment, Site
from clinic.models.outbox import MessageKind
from clinic.services import cautions, links
from clinic.services.booking import BookingError
from clinic.services.course import NoVisitLength
from clinic.services.links import LinkClosed, Opened
from clinic.views.portal_page import phone_link
from patients.models import Patient

# Times in addresses and forms.
FORMAT = "%Y-%m-%dT%H:%MZ"
View = Callable[..., HttpResponse]


def without_signing_in(view: View) -> View:
    """Open to whoever has the link. The secret is kept out of the history, and the page out of every cache."""

    @login_not_required
    @csrf_exempt
    @wraps(view)
    def opened(request: HttpRequest, secret: str) -> HttpResponse:
        with pghistory.context(url=links.SOURCE):
            response = view(request, secret)
        add_never_cache_headers(response)
        # Not even the clinic's own pages are told where their reader came from.
        response["Referrer-Policy"] = "no-referrer"
        return response

    return opened


def asked_by_post(view: View) -> View:
    """Only a press of the button does something. Who opens the address, or loads it again, sees what is due."""

    @wraps(view)
    def pressed(request: HttpRequest, secret: str) -> HttpResponse:
        return view(request, secret) if request.method == "POST" else redirect("link:due", secret)

    return require_http_methods(["GET", "HEAD", "POST"])(pressed)


def page(request: HttpRequest, template: str, secret: str, patient: Patient | None = None, **context) -> HttpResponse:
    """The page in the patient's language, with no more of the patient than the first name."""
    # No form token: it would set a cookie.
    context |= {"secret": secret, "csrf_token": "", "name": patient.given_name if patient else ""}
    # Where the page is not about a site it is the same for every link, so that it does not tell whose it was.
    call = context.get("site") or Site.objects.filter(active=True).exclude(phone="").order_by("pk").first()
    context |= {"whom_to_call": call, "phone_link": phone_link(call)}
    if patient is None:
        return render(request, template, context)
    with translation.override(patient.language):
        return render(request, template, context)


@without_signing_in
@require_safe
def due(request: HttpRequest, secret: str) -> HttpResponse:
    """ "You are due", with free times."""
    return _due(request, secret)


def _due(request: HttpRequest, secret: str, refused: str = "") -> HttpResponse:
    now = timezone.now()
    try:
        opened = links.open_(secret, now=now)
    except LinkClosed:
        return _closed(request, secret)
    if opened.message.kind == MessageKind.EARLIER:
        # The address in a text message is short, and the same for all kinds.
        return redirect("link:earlier", secret)
    context = _about(opened) | {"refused": refused, "said": links.said(opened, now=now)}
    if not opened.open:
        return page(request, "portal/due_settled.html", secret, opened.patient, **context)
    place, cycle = opened.open[0]
    with suppress(LinkClosed, NoVisitLength):
        times = links.times(opened, place, now=now)
        context |= {
            "times": [(time.starts_at.astimezone(UTC).strftime(FORMAT), time) for time in times],
            "after_window": bool(times) and times[0].choice.day > links.window(cycle, opened.site, now=now)[1],
        }
    context |= {"place": place, "further": len(opened.open) - 1, "weeks": links.LATER_WEEKS}
    context["has_phone"] = bool(opened.patient.phone)
    return page(request, "portal/due.html", secret, opened.patient, **context)


@without_signing_in
@require_safe
def time(request: HttpRequest, secret: str) -> HttpResponse:
    """The time that was chosen, to be confirmed."""
    now = timezone.now()
    place, start = _chosen(request.GET)
    try:
        opened = links.open_(secret, now=now)
        if start is None:
            return redirect("link:due", secret)
        free = links.time_at(opened, place, start, now=now)
    except LinkClosed:
        return _due(request, secret)
    except BookingError:
        return _due(request, secret, refused=_("This time has just been taken. These are free:"))
    asks = cautions.of_cycle(opened.cycles[place], site=opened.site, starts_at=free.starts_at, now=now)
    context = _about(opened) | {"time": free, "start": start.strftime(FORMAT), "place": place, "key": uuid.uuid4()}
    context["cautions"] = asks
    return page(request, "portal/due_confirm.html", secret, opened.patient, **context)


@without_signing_in
@asked_by_post
def book(request: HttpRequest, secret: str) -> HttpResponse:
    place, start = _chosen(request.POST)
    key = _key(request.POST.get("key", ""))
    if start is None or key is None:
        return redirect("link:due", secret)
    try:
        links.book(secret, place=place, start=start, key=key, now=timezone.now())
    except LinkClosed:
        return _due(request, secret)
    except BookingError:
        return _due(request, secret, refused=_("Somebody was a moment faster, and this time is taken. These are free:"))
    return redirect("link:due", secret)


@without_signing_in
@asked_by_post
def later(request: HttpRequest, secret: str) -> HttpResponse:
    weeks = {str(number): number for number in links.LATER_WEEKS}.get(request.POST.get("weeks", ""))
    if weeks is None:
        return redirect("link:due", secret)
    now = timezone.now()
    try:
        until = links.later(secret, weeks=weeks, now=now)
        opened = links.open_(secret, now=now)
    except LinkClosed:
        return _due(request, secret)
    return page(request, "portal/due_later.html", secret, opened.patient, **_about(opened), until=until)


@without_signing_in
@asked_by_post
def call(request: HttpRequest, secret: str) -> HttpResponse:
    now = timezone.now()
    try:
        links.call_me(secret, now=now)
        opened = links.open_(secret, now=now)
    except LinkClosed:
        return _due(request, secret)
    context = _about(opened) | {"has_phone": bool(opened.patient.phone)}
    return page(request, "portal/due_call.html", secret, opened.patient, **context)


@without_signing_in
@asked_by_post
def fresh(request: HttpRequest, secret: str) -> HttpResponse:
    """Send a fresh link, if this ever was one. The answer is the same if it was not."""
    links.send_fresh(secret, now=timezone.now())
    return page(request, "portal/due_fresh.html", secret)


def _closed(request: HttpRequest, secret: str) -> HttpResponse:
    """Of a link that expired, and of what never was one: the same page, so that nobody learns which."""
    # Not an error's status: the address with its secret would be written to the log.
    return page(request, "portal/due_expired.html", secret)


def _about(opened: Opened) -> dict[str, object]:
    site = opened.site
    return {
        "site": site,
        "booked": [(visit, _own_zone(opened.patient, visit.site, visit)) for visit in opened.booked],
    }


def _own_zone(patient: Patient, site: Site, visit: Appointment):
    """The patient's zone, where its clocks show another time than the site's at the visit."""
    if patient.time_zone is None:
        return None
    at = visit.starts_at
    same = walltime.offset_minutes(at, patient.time_zone) == walltime.offset_minutes(at, site.time_zone)
    return None if same else patient.time_zone


def _chosen(data) -> tuple[int, datetime | None]:
    """Which of the visits that are due, and when; None where no such time was offered."""
    place = data.get("visit", "")
    try:
        start = datetime.strptime(data.get("at", ""), FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return 0, None
    # Local days at the ends of the calendar do not exist.
    if not 2000 <= start.year < 9000:
        return 0, None
    if not place.isascii() or not place.isdigit() or len(place) > 2:
        return 0, None
    return int(place), start


def _key(text: str) -> uuid.UUID | None:
    with suppress(ValueError):
        return uuid.UUID(text)
    return None
