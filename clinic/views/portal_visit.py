"""One visit in the portal: what it is, what to do before and after, and moving or cancelling it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from clinic import walltime
from clinic.forms.portal import LAST_MINUTE, CancelForm, MoveForm
from clinic.models import LIVE, Appointment
from clinic.ripple import Effect
from clinic.services import cautions, course_view, portal, screening
from clinic.services.booking import NotBookable, NotChangeable
from clinic.services.caring import course_of
from clinic.services.cautions import Cautions
from clinic.services.portal import MoveOptions, Time
from clinic.services.ripple import Outlook
from clinic.views import portal_care, portal_waiting
from clinic.views.portal_page import own_visit, patient_required, phone_link
from patients.errors import Refused
from patients.models import Patient


@dataclass(frozen=True, slots=True)
class Later:
    """One later session: how it stands now, and how it would stand."""

    label: str
    text: str
    changes: bool


@patient_required
@require_GET
def visit(request: HttpRequest, patient: Patient, pk: int) -> HttpResponse:
    appointment = own_visit(patient, pk)
    now = timezone.now()
    context = described(appointment, now=now) | portal_waiting.about(appointment, now=now)
    return render(request, "portal/visit.html", context)


def described(appointment: Appointment, *, now: datetime) -> dict:
    """What every page about one visit shows."""
    asked = screening.before(appointment, now=now) if appointment.status in LIVE else []
    return {
        "visit": appointment,
        "zone": appointment.site.time_zone,
        "site": appointment.site,
        "phone_link": phone_link(appointment.site),
        "number": number(appointment),
        "screening": screening.state(asked),
        "asked": asked,
        "care": portal_care.of_visit(appointment, now=now) if appointment.status in LIVE else None,
        "ahead": appointment.status in LIVE and appointment.ends_at > now,
        "why_not": why_not(appointment, now=now),
        "closes_at": portal.closes_at(appointment),
    }


def number(visit: Appointment) -> str:
    if visit.session is not None:
        return _("session %d") % visit.session.number
    return _("maintenance") if visit.maintenance_id is not None else ""


def why_not(appointment: Appointment, *, now: datetime) -> str:
    """Why the patient cannot change the visit; empty where it can be changed."""
    try:
        portal.check_changeable(appointment, now=now)
    except NotChangeable as refusal:
        return str(refusal)
    return ""


# --- Move ---------------------------------------------------------------------------------------


@patient_required
def move(request: HttpRequest, patient: Patient, pk: int) -> HttpResponse:
    """The free days and times; with one of them in the address, what it comes to; by POST it is done."""
    appointment = own_visit(patient, pk)
    now = timezone.now()
    try:
        if request.method == "POST":
            return _moved(request, appointment, now=now)
        options = portal.move_options(appointment, now=now)
        chosen = options.time(_minutes(request.GET.get("to", "")))
        if chosen is not None:
            return _confirm_move(request, appointment, options, chosen, now=now)
        if "to" in request.GET:
            messages.warning(request, _("This time is not free any more. Please choose another one."))
    except NotChangeable as refusal:
        messages.warning(request, str(refusal))
        return redirect("portal:visit", pk=pk)
    except Refused as refusal:
        messages.warning(request, str(refusal))
        if request.method == "POST" or "to" in request.GET:
            return redirect("portal:visit-move", pk=pk)
        return redirect("portal:visit", pk=pk)
    context = described(appointment, now=now)
    context |= {
        "options": options,
        "days": options.days,
        "others_follow": any(day.others_follow for day in options.days),
        "please_call": portal.please_call(appointment.site),
    }
    return render(request, "portal/visit_move.html", context)


def _minutes(text: str) -> int:
    """A start in the address; -1, at which nothing is ever free, where it is none."""
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= LAST_MINUTE:
        return int(text)
    return -1


def _confirm_move(
    request: HttpRequest, appointment: Appointment, options: MoveOptions, chosen: Time, *, now: datetime
) -> HttpResponse:
    outlook = portal.foresee(options, chosen, now=now)
    form = MoveForm(initial={"key": uuid4(), "sequence": appointment.sequence, "to": chosen.choice.start})
    context = described(appointment, now=now)
    asks = _cautions(appointment, chosen, now=now)
    context |= {
        "cautions": asks,
        "said": portal_care.said(asks.begun),
        "chosen": chosen,
        "form": form,
        "later": _later(outlook),
        "upkeep": _upkeep(appointment, outlook),
    }
    return render(request, "portal/visit_move_confirm.html", context)


def _cautions(appointment: Appointment, chosen: Time, *, now: datetime) -> Cautions:
    course = appointment.session.series if appointment.session else None
    if course is None and appointment.maintenance is not None:
        course = appointment.maintenance.series
    found = cautions.of_time(
        patient=appointment.patient,
        follows=course_of(appointment),
        own=course,
        site=appointment.site,
        starts_at=chosen.starts_at,
        now=now,
    )
    # A later time asks for nothing that the visit as it stands does not ask for sooner.
    return found if chosen.starts_at < appointment.starts_at else replace(found, begun=())


def _moved(request: HttpRequest, appointment: Appointment, *, now: datetime) -> HttpResponse:
    form = MoveForm(request.POST)
    if not form.is_valid():
        raise NotBookable(_("This page is out of date. Please choose again."))
    portal.move(
        appointment=appointment,
        minutes=form.cleaned_data["to"],
        sequence=form.cleaned_data["sequence"],
        by=request.user,
        now=now,
        key=form.cleaned_data["key"],
    )
    appointment.refresh_from_db()
    messages.success(request, _("Your visit is now on %s.") % course_view.at(appointment))
    return redirect("portal:visit", pk=appointment.pk)


def _later(outlook: Outlook) -> list[Later]:
    """The later sessions: where each stays or goes, and what is still to be booked."""
    zone = outlook.scene.site.time_zone
    lines = []
    for effect in outlook.later:
        booked = outlook.after.booked.get(effect.number)
        if booked is None:
            lines.append(_unbooked(effect))
            continue
        at = date_format(walltime.from_minutes(booked.start).astimezone(zone), "DATETIME_FORMAT")
        moves = effect.number in outlook.moved
        text = _("moves along to %s") % at if moves else _("stays on %s") % at
        lines.append(Later(_("Session %d") % effect.number, text, moves))
    return lines


def _unbooked(effect: Effect) -> Later:
    window = effect.after.window if effect.after else None
    was = effect.before.window if effect.before else None
    text = _("still to be booked")
    if window is not None:
        text = _("still to be booked, best between %(first)s and %(last)s") % {
            "first": course_view.in_words(window.earliest),
            "last": course_view.in_words(window.latest),
        }
    return Later(_("Session %d") % effect.number, text, was != window)


def _upkeep(appointment: Appointment, outlook: Outlook) -> str:
    """From when maintenance would be due, where the last session moves."""
    if outlook.scene.series is None:
        return ""
    last = max(outlook.after.numbers)
    day: date | None = outlook.after.booked[last].day if last in outlook.after.booked else None
    if day is None or last not in outlook.moved:
        return ""
    due = portal.maintenance_day(day, outlook.scene.series.terms.maintenance)
    if due is None:
        return ""
    return _("Maintenance is counted from your last session: it would be due about %s.") % date_format(
        due, "YEAR_MONTH_FORMAT"
    )


# --- Cancel -------------------------------------------------------------------------------------


@patient_required
def cancel(request: HttpRequest, patient: Patient, pk: int) -> HttpResponse:
    """What cancelling does to the later sessions; by POST it is done."""
    appointment = own_visit(patient, pk)
    now = timezone.now()
    form = CancelForm(request.POST or None, initial={"key": uuid4(), "sequence": appointment.sequence, "reason": ""})
    try:
        if request.method == "POST" and form.is_valid():
            portal.cancel(appointment=appointment, by=request.user, now=now, **form.cleaned_data)
            messages.success(request, _cancelled(appointment))
            return redirect("portal:course")
        effects = portal.foresee_cancelled(appointment, now=now)
    except Refused as refusal:
        messages.warning(request, str(refusal))
        return redirect("portal:visit", pk=pk)
    context = described(appointment, now=now)
    context |= {"form": form, "later": _when_cancelled(effects, appointment)}
    return render(request, "portal/visit_cancel.html", context)


def _cancelled(appointment: Appointment) -> str:
    said = _("Your visit is cancelled.")
    if appointment.session_id is not None:
        return said + " " + _("The clinic will find another day for this session with you.")
    if appointment.maintenance_id is not None:
        return said + " " + _("The maintenance is due as before: you can book it again at any time.")
    return said


def _when_cancelled(effects: Sequence[Effect], appointment: Appointment) -> list[Later]:
    lines = []
    for effect in effects:
        label = _("Session %d") % effect.number
        if effect.after is None or effect.after.day is None:
            lines.append(Later(label, _("still to be booked"), False))
        elif effect.change in ("early", "late"):
            words = _("stays on %s for now; the clinic may have to move it") % course_view.in_words(effect.after.day)
            lines.append(Later(label, words, True))
        else:
            lines.append(Later(label, _("stays on %s") % course_view.in_words(effect.after.day), False))
    return lines
