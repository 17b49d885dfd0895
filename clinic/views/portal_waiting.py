"""In the portal: "tell me if something earlier is free", and the answer to what was offered."""

from datetime import datetime
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.forms.waiting import EarlierOnAPhoneForm
from clinic.models import Appointment, AppointmentStatus, WishClosed
from clinic.services import course_view, offers, waiting, waiting_rows
from clinic.views.portal_page import own_visit, patient_required
from patients.errors import Refused
from patients.models import Patient


def about(visit: Appointment, *, now: datetime) -> dict:
    """What the page of a visit says of it: the wish, and what is offered just now."""
    if visit.status != AppointmentStatus.BOOKED or visit.starts_at <= now:
        return {}
    wish = waiting.wish_for(visit, now=now)
    if wish is None:
        return {"may_wait": True}
    offered = offers.open_for(visit, now=now)
    return {"may_wait": True, "wish": wish, "wants": waiting_rows.wants(wish), "offered": offered, "press": uuid4()}


@patient_required
def wish(request: HttpRequest, patient: Patient, pk: int) -> HttpResponse:
    """Note, change or withdraw the wish for an earlier time."""
    visit, now = own_visit(patient, pk), timezone.now()
    if request.method == "POST" and "withdraw" in request.POST:
        waiting.withdraw(appointment=visit, by=request.user, now=now, reason=WishClosed.BY_PATIENT)
        messages.success(request, _("We do not look for an earlier time any more. Your visit stays as it is."))
        return redirect("portal:visit", pk=pk)
    noted = waiting.wish_for(visit, now=now)
    form = EarlierOnAPhoneForm(request.POST or None, visit=visit, wish=noted)
    if request.method == "POST" and form.is_valid():
        try:
            waiting.note(appointment=visit, by=request.user, now=now, **form.cleaned_data)
        except Refused:
            messages.warning(request, _("This visit cannot be changed any more."))
        else:
            messages.success(request, _("We tell you when an earlier time becomes free. Your visit stays until then."))
        return redirect("portal:visit", pk=pk)
    if visit.status != AppointmentStatus.BOOKED or visit.starts_at <= now:
        return redirect("portal:visit", pk=pk)
    context = {"visit": visit, "form": form, "wish": noted, "when": course_view.at(visit)}
    return render(request, "portal/visit_earlier.html", context, status=422 if form.errors else 200)


@patient_required
def answer(request: HttpRequest, patient: Patient, pk: int) -> HttpResponse:
    """Take what is offered, or decline it. By GET, as after a sign-in in between, show the visit."""
    visit, now = own_visit(patient, pk), timezone.now()
    opened = offers.open_for(visit, now=now) if request.method == "POST" else None
    if request.method == "POST" and opened is None:
        messages.warning(request, _("This time is not free any more. Your visit stays as it is."))
    elif opened is not None and "decline" in request.POST:
        offers.decline(opened, now=now)
        messages.success(request, _("Your visit stays as it is. We tell you when another time becomes free."))
    elif opened is not None:
        try:
            moved = offers.take(opened, by=request.user, key=_key(request), now=now)
        except Refused:
            messages.warning(request, _("This could not be done just now. Your visit stays as it is."))
        else:
            messages.success(request, _("Your visit is now on %s.") % course_view.at(moved))
    return redirect("portal:visit", pk=pk)


def _key(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        return uuid4()
