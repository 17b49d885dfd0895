"""The waiting list at the desk: who would like to come sooner, what they could have, and one press to give it."""

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.forms.portal import LARGEST, LAST_MINUTE
from clinic.forms.waiting import EarlierForm
from clinic.models import Appointment, AppointmentStatus, EarlierWish, WishClosed
from clinic.permissions import staff_required
from clinic.services import course_view, offers, reaching, waiting, waiting_rows
from clinic.views import looking
from clinic.views.desk_series import request_key
from patients.errors import Refused

ENDED = (AppointmentStatus.CANCELLED, AppointmentStatus.NO_SHOW)


@staff_required
def show(request: HttpRequest) -> HttpResponse:
    """Everybody who waits, whoever waits longest first."""
    now = timezone.now()
    wishes = waiting.waiting_list(now=now)
    rows = waiting_rows.rows(wishes, waiting.could_have(wishes, now=now), now=now)
    context = {"rows": rows, "ready": sum(bool(row.times) for row in rows)}
    return render(request, "desk/waiting.html", context | {"back": reverse("desk:waiting")})


def about(appointment: Appointment, *, now: datetime) -> dict:
    """What the page of a visit shows of the waiting list: its own wish, or who would like the time that it left."""
    if appointment.status == AppointmentStatus.BOOKED and appointment.starts_at > now:
        wish = waiting.wish_for(appointment, now=now)
        return {"may_wait": True, "wish": wish, "wants": waiting_rows.wants(wish) if wish else ()}
    if appointment.status in ENDED and appointment.ends_at > now:
        could = waiting.could_have(waiting.waiting_list(now=now), now=now, visit=appointment)
        return {"waiting": waiting_rows.rows([one.wish for one in could], could, now=now)}
    return {}


@staff_required
def wish(request: HttpRequest, pk: int) -> HttpResponse:
    """Note, change or withdraw the wish for an earlier time of one visit."""
    now = timezone.now()
    visit = get_object_or_404(Appointment.objects.select_related("patient", "site", "treatment", "session"), pk=pk)
    noted = waiting.wish_for(visit, now=now)
    if request.method == "POST" and "withdraw" in request.POST:
        waiting.withdraw(appointment=visit, by=request.user, now=now, reason=WishClosed.BY_DESK)
        messages.success(request, _("%s does not wait for an earlier time any more.") % visit.patient)
        return redirect(_back(request, reverse("desk:appointment", args=[pk])))
    form = EarlierForm(request.POST or None, visit=visit, wish=noted)
    if request.method == "POST" and form.is_valid():
        try:
            waiting.note(appointment=visit, by=request.user, now=now, **form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is on the waiting list for an earlier time.") % visit.patient)
            return redirect("desk:appointment", pk)
    looking.note(request, visit.patient)
    context = {"visit": visit, "when": course_view.at(visit), "form": form, "wish": noted}
    return render(request, "desk/waiting_wish.html", context, status=422 if form.errors else 200)


@staff_required
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """Move the visit to an earlier time, or offer that time to the patient. By GET, go to the list."""
    now = timezone.now()
    found = get_object_or_404(EarlierWish.objects.select_related("appointment__patient", "appointment__site"), pk=pk)
    if request.method != "POST":
        return redirect("desk:waiting")
    start = _number(request.POST.get("start", ""), LAST_MINUTE)
    if start is None:
        messages.warning(request, _("Choose one of the times."))
        return redirect(_back(request, reverse("desk:waiting")))
    time = {
        "wish": found,
        "start": walltime.from_minutes(start),
        "practitioner": _number(request.POST.get("practitioner", ""), LARGEST),
    }
    try:
        if request.POST.get("action") == "offer":
            offer = offers.make(**time, by=request.user, now=now)
            until = waiting_rows.moment(offer.expires_at, found.appointment)
            said = _("Offered to %(patient)s, who may answer until %(until)s.")
            messages.success(request, said % {"patient": found.appointment.patient, "until": until})
        else:
            moved = waiting.move(**time, by=request.user, now=now, key=request_key(request))
            comes = {"patient": moved.patient, "when": course_view.at(moved)}
            said = _("%(patient)s comes on %(when)s now, and will be told.") % comes
            if call := reaching.told_otherwise(moved.patient):
                said = _("%(patient)s comes on %(when)s now.") % comes + f" {call}"
            messages.success(request, said, extra_tags=f"undo-{moved.pk}")
    except Refused as refusal:
        messages.warning(request, str(refusal))
    return redirect(_back(request, reverse("desk:waiting")))


def _number(text: str, largest: int) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= len(str(largest)) and int(text) <= largest:
        return int(text)
    return None


def _back(request: HttpRequest, otherwise: str) -> str:
    """Where the form says that it was, if that is a page of this program."""
    back = request.POST.get("back", "")
    if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return back
    return otherwise
