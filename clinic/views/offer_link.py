"""From the message to an earlier time: one press takes it, one declines. Without signing in, as from a reminder.

Nothing changes by GET, because mail scanners open links.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import wraps
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from clinic.models import WishClosed
from clinic.services import links, offers, waiting
from clinic.services.links import LinkClosed
from clinic.services.offers import OfferClosed, Opened
from clinic.views.reminder_link import page, without_signing_in
from patients.errors import Refused


@without_signing_in
@require_safe
def show(request: HttpRequest, secret: str) -> HttpResponse:
    """The time that is offered, beside the visit as it stands; or why it is gone."""
    return _show(request, secret)


def _show(request: HttpRequest, secret: str, said: str = "") -> HttpResponse:
    try:
        opened = offers.open_(secret, now=timezone.now())
    except LinkClosed:
        # The page of every link that opens nothing: nobody learns which one it was.
        return page(request, "portal/due_expired.html", secret)
    template = "portal/earlier_closed.html" if opened.taken or opened.closed else "portal/earlier.html"
    return page(request, template, secret, opened.visit.patient, **_about(opened), said=said, key=uuid4())


def _about(opened: Opened) -> dict[str, object]:
    site = opened.visit.site
    return {"opened": opened, "visit": opened.visit, "site": site}


def asked_by_post(answer: Callable[..., HttpResponse | None]) -> Callable[..., HttpResponse]:
    """Only a press of a button does something; then, and by GET, the page shows how the offer stands."""

    @without_signing_in
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(answer)
    def pressed(request: HttpRequest, secret: str) -> HttpResponse:
        response = None
        if request.method == "POST":
            now = timezone.now()
            # What opens nothing is said by the page.
            with suppress(LinkClosed):
                response = answer(request, secret, offers.open_(secret, now=now), now)
        return response or redirect("link:earlier", secret)

    return pressed


@asked_by_post
def take(request: HttpRequest, secret: str, opened: Opened, now: datetime) -> HttpResponse | None:
    try:
        key = UUID(request.POST.get("key", ""))
    except ValueError:
        return None
    try:
        offers.take(opened, by=links.author(opened.visit.patient), key=key, now=now)
    except OfferClosed:
        # The page says itself what became of it.
        return None
    except Refused:
        return _show(request, secret, said=_("This could not be done just now. Your visit stays as it is."))
    return None


@asked_by_post
def decline(request: HttpRequest, secret: str, opened: Opened, now: datetime) -> None:
    offers.decline(opened, now=now)


@asked_by_post
def withdraw(request: HttpRequest, secret: str, opened: Opened, now: datetime) -> None:
    visit = opened.visit
    waiting.withdraw(appointment=visit, by=links.author(visit.patient), now=now, reason=WishClosed.BY_PATIENT)
