"""Visits that no longer fit, planned again: one with a suggestion and one press, or all of a list with one press."""

import re
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clinic import walltime
from clinic.forms.choices import decode, encode
from clinic.models import Appointment
from clinic.permissions import staff_required
from clinic.planning import Choice
from clinic.services import reaching, replanning, ripple, rota_fit
from clinic.views import looking
from clinic.views.desk_series import request_key
from patients.errors import Refused

# As many as one page of the worklist has.
MOST = 50


def _list() -> str:
    return f"{reverse('desk:worklist')}?{urlencode({'tab': 'unfit'})}"


def _when(moment: datetime, zone: ZoneInfo) -> str:
    return date_format(moment.astimezone(zone), "D j M Y, H:i")


@staff_required
def visit(request: HttpRequest, pk: int) -> HttpResponse:
    """Why a visit does not fit, and where it could go; by POST it goes there. With ?part=1 the suggestion alone."""
    appointment = get_object_or_404(
        Appointment.objects.select_related(
            "patient", "site", "treatment", "practitioner", "room", "maintenance", "session__series__protocol"
        ),
        pk=pk,
    )
    now = timezone.now()
    if request.method == "POST":
        return _moved(request, appointment, now)
    whys = rota_fit.misfits(now=now, only=[pk]).get(pk, ())
    suggestion, problem = None, ""
    if whys:
        try:
            suggestion = replanning.suggest(appointment, now=now)
        except Refused as refusal:
            problem = str(refusal)
    zone = appointment.site.time_zone
    context = {
        "appointment": appointment,
        "patient": appointment.patient,
        "was": _when(appointment.starts_at, zone),
        "why": rota_fit.in_words(whys),
        "suggestion": suggestion,
        "when": _when(suggestion.starts_at, zone) if suggestion else "",
        "pick": encode(suggestion.choice) if suggestion else "",
        "problem": problem,
        "unwritable": reaching.told_otherwise(appointment.patient) if suggestion else "",
        "key": uuid4(),
        "back": _list(),
    }
    if "part" in request.GET:
        return render(request, "desk/_rota_suggestion.html", context)
    looking.note(request, appointment.patient)
    return render(request, "desk/rota_visit.html", context)


def _moved(request: HttpRequest, appointment: Appointment, now: datetime) -> HttpResponse:
    choice = decode(request.POST.get("pick", ""), appointment.site)
    if choice is None:
        messages.warning(request, _("Look at what is free now, and press once more."))
        return redirect("desk:rota-visit", appointment.pk)
    scene = ripple.scene_of(appointment)
    try:
        if scene.appointment is not None and replanning.breaks(scene, choice, now=now):
            # A later session would be outside its window: the page that shows that asks first.
            return redirect(_move_page(appointment, choice))
        moved = replanning.move(
            appointment=appointment, choice=choice, by=request.user, now=now, key=request_key(request)
        )
    except Refused as refusal:
        messages.warning(request, _("Not moved. %s") % refusal)
        return redirect("desk:rota-visit", appointment.pk)
    call = reaching.told_otherwise(moved.patient) if moved.starts_at != appointment.starts_at else ""
    said = {"patient": moved.patient, "when": _when(moved.starts_at, moved.site.time_zone), "whom": _whom(moved)}
    words = _("Moved: %(patient)s, now %(when)s, %(whom)s.") % said
    messages.success(request, f"{words} {call}".strip(), extra_tags=f"undo-{moved.pk}")
    return redirect(_list())


def _whom(appointment: Appointment) -> str:
    return ", ".join(one.name for one in (appointment.practitioner, appointment.room) if one)


def _move_page(appointment: Appointment, choice: Choice) -> str:
    local = walltime.from_minutes(choice.start).astimezone(appointment.site.time_zone)
    asked = {"start": f"{local:%Y-%m-%dT%H:%M}", "practitioner": choice.practitioner or "", "room": choice.room or ""}
    return f"{reverse('desk:appointment-move', args=[appointment.pk])}?{urlencode(asked)}"


@staff_required
@require_POST
def replan(request: HttpRequest) -> HttpResponse:
    """Plan again each visit that the list has shown and that has a suggestion; say which were left, and why."""
    now = timezone.now()
    keys = [int(key) for key in request.POST.getlist("visit") if re.fullmatch(r"\d{1,18}", key, re.ASCII)][:MOST]
    done = replanning.replan(keys=keys, by=request.user, now=now, key=request_key(request))
    context = {
        "moved": [
            (
                one.appointment,
                _when(one.was, one.appointment.site.time_zone) if one.was else "",
                _when(one.appointment.starts_at, one.appointment.site.time_zone),
                _whom(one.appointment),
                reaching.told_otherwise(one.appointment.patient)
                if one.was not in (None, one.appointment.starts_at)
                else "",
            )
            for one in done.moved
        ],
        "left": [
            (one.appointment, _when(one.appointment.starts_at, one.appointment.site.time_zone), one.why)
            for one in done.left
        ],
        "back": _list(),
    }
    return render(request, "desk/rota_replanned.html", context)
