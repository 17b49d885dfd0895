"""One visit at the desk: what it is, what became of it, and what can be done with it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from clinic import walltime
from clinic.models import LIVE, Appointment, AppointmentStatus, Resource
from clinic.permissions import staff_required
from clinic.services import booking, late, missing, ripple, screening, undo
from clinic.services.late import Late
from clinic.services.screening import Asked
from clinic.views import desk_waiting, looking
from clinic.views.desk_day import possible_actions, visits
from patients.errors import Refused
from treatments.models import Maintenance, MaintenanceState, Series, SeriesState


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a visit's history, in words. `by` is empty where nobody is known to have done it."""

    at: datetime
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A phase of the visit, from when to when, and who or what is needed during it."""

    name: str
    starts_at: datetime
    ends_at: datetime
    needs: str


@staff_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    now = timezone.now()
    appointment = _get(pk)
    looking.note(request, appointment.patient)
    context = _described(appointment, now=now) | desk_waiting.about(appointment, now=now)
    return render(request, "desk/appointment.html", context)


def _get(pk: int) -> Appointment:
    return get_object_or_404(
        Appointment.objects.select_related(
            "patient",
            "site",
            "treatment",
            "practitioner",
            "room",
            "status_by",
            "outside_window_by",
            "session__series__protocol",
            "maintenance__series__protocol",
        ).annotate(sessions=Count("session__series__sessions")),
        pk=pk,
    )


def _described(appointment: Appointment, *, now: datetime) -> dict:
    zone, starts_at = appointment.site.time_zone, appointment.starts_at
    ended = appointment.status not in LIVE
    session = appointment.session
    undoes = undo.possible(appointment)
    asked = [] if ended else screening.before(appointment, now=now)
    return {
        "appointment": appointment,
        "zone": zone,
        "patients_zone": _differing(appointment.patient.time_zone, zone, starts_at),
        "day": walltime.day_of(starts_at, zone),
        "same_day": walltime.day_of(appointment.ends_at - timedelta(microseconds=1), zone)
        == walltime.day_of(starts_at, zone),
        "stages": list(_stages(appointment)),
        "devices": _devices(appointment),
        "add_ons": session.add_ons if session is not None else [],
        "offered": session.series.terms.choosable if session is not None else (),
        "included": session.series.terms.included if session is not None else (),
        "status_by": _name(appointment.status_by),
        "actions": [
            *possible_actions(appointment.status, starts_at=starts_at, zone=zone, now=now),
            *(["attended"] if appointment.status in (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED) else []),
            *(["undo"] if undoes else []),
        ],
        "undoes": undoes,
        "ended": ended,
        "screening": asked,
        "answerable": any(not one.open_from for one in asked),
        "screened": _screened(asked, appointment, now=now),
        "late": _late(appointment, now=now),
        "rebook_series": session.series_id if ended and session is not None and _open_again(appointment) else None,
        "booked_again": _booked_again(appointment) if ended else None,
        "history": list(reversed(list(_history(appointment)))),
        "back": reverse("desk:appointment", args=[appointment.pk]),
    }


def _screened(asked: list[Asked], appointment: Appointment, *, now: datetime) -> tuple[str, ...]:
    zone = appointment.site.time_zone
    return missing.screening_words(
        screening.state(asked),
        day=walltime.day_of(appointment.starts_at, zone),
        today=walltime.day_of(now, zone),
    )


def _late(appointment: Appointment, *, now: datetime) -> Late | None:
    a = appointment
    minutes = late.minutes(starts_at=a.starts_at, ends_at=a.ends_at, status=a.status, status_at=a.status_at, now=now)
    return late.told({a.pk: minutes}, zone=a.site.time_zone).get(a.pk)


def _differing(other: ZoneInfo | None, zone: ZoneInfo, moment: datetime) -> ZoneInfo | None:
    """The patient's own zone, where its clocks show something else at that moment."""
    if other is None or walltime.offset_minutes(moment, other) == walltime.offset_minutes(moment, zone):
        return None
    return other


def _stages(appointment: Appointment) -> Iterator[Stage]:
    """The phases as they were booked, one after the other."""
    at = appointment.starts_at
    for phase in appointment.phases:
        end = at + timedelta(minutes=phase["minutes"])
        needs = [
            _("practitioner") if phase.get("practitioner") else "",
            _("room") if phase.get("room") else "",
            phase.get("device_kind") or "",
            *phase.get("also", []),
        ]
        yield Stage(phase["name"], at, end, ", ".join(need for need in needs if need))
        at = end


def _devices(appointment: Appointment) -> str:
    names = Resource.objects.filter(claims__appointment=appointment, kind="device").distinct()
    return ", ".join(names.values_list("name", flat=True))


def _open_again(appointment: Appointment) -> bool:
    session = appointment.session
    return (
        session.state == "planned"
        and session.series.state == SeriesState.ACTIVE
        and not session.appointments.live().exists()
    )


def _booked_again(appointment: Appointment) -> Appointment | None:
    """The visit that took the place of one that was cancelled or missed."""
    if appointment.session_id is None and appointment.maintenance_id is None:
        return None
    same = Q(session=appointment.session_id, maintenance=appointment.maintenance_id)
    return Appointment.objects.live().filter(same).exclude(pk=appointment.pk).select_related("site").first()


# --- What happened, in words ------------------------------------------------------------------


def _history(appointment: Appointment) -> Iterator[Happening]:
    """From the first event to the last. A visit that was there before its history began starts with its booking."""
    zone = appointment.site.time_zone
    events = list(appointment.events.order_by("pgh_id").select_related("pgh_context"))
    people = _people(events)
    places = Resource.objects.in_bulk({key for e in events for key in (e.practitioner_id, e.room_id) if key})
    previous = None
    for event in events:
        if previous is None:
            yield Happening(
                event.booked_at,
                _("Booked for %s") % _moment(event.starts_at, zone),
                people.get(event.booked_by_id, ""),
            )
            changes = []
        else:
            changes = list(_changes(previous, event, places, zone))
        who = people.get(_user_of(event), "")
        yield from (Happening(event.pgh_created_at, text, who) for text in changes)
        if event.status != (previous.status if previous else AppointmentStatus.BOOKED):
            yield Happening(event.status_at, _status_words(event), people.get(event.status_by_id, ""))
        previous = event


def _changes(before, after, places: dict[int, Resource], zone: ZoneInfo) -> Iterator[str]:
    if before.starts_at != after.starts_at:
        yield _("Moved from %(before)s to %(after)s") % {
            "before": _moment(before.starts_at, zone),
            "after": _moment(after.starts_at, zone),
        }
    elif before.ends_at != after.ends_at:
        yield _("Now ends at %s") % _moment(after.ends_at, zone)
    for field, words in (
        ("practitioner_id", _("Practitioner: %(after)s instead of %(before)s")),
        ("room_id", _("Room: %(after)s instead of %(before)s")),
    ):
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield words % {"before": places.get(old) or _("none"), "after": places.get(new) or _("none")}
    if before.site_id != after.site_id:
        yield _("Moved to another site")
    if after.outside_window_reason and before.outside_window_reason != after.outside_window_reason:
        yield _("Outside its window: %s") % after.outside_window_reason


def _status_words(event) -> str:
    words = {
        AppointmentStatus.BOOKED: _("Taken back: booked again"),
        AppointmentStatus.ARRIVED: _("Arrived"),
        AppointmentStatus.FULFILLED: _("Attended"),
        AppointmentStatus.CANCELLED: _("Cancelled: %s") % event.cancel_reason,
        AppointmentStatus.NO_SHOW: _("Did not come"),
    }
    return words[AppointmentStatus(event.status)]


def _user_of(event) -> int | None:
    context = event.pgh_context
    return context.metadata.get("user") if context else None


def _people(events) -> dict[int, str]:
    keys = {key for e in events for key in (e.booked_by_id, e.status_by_id, _user_of(e)) if key}
    return {key: _name(user) for key, user in User.objects.in_bulk(keys).items()}


def _name(user: User) -> str:
    return user.get_full_name() or user.email or user.get_username()


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    return date_format(moment.astimezone(zone), "D j M Y, H:i")


# --- What can be done ---------------------------------------------------------------------------


@staff_required
def arrive(request: HttpRequest, pk: int) -> HttpResponse:
    return _record(request, pk, booking.arrive, _arrived)


@staff_required
def attend(request: HttpRequest, pk: int) -> HttpResponse:
    return _record(request, pk, booking.attend, _attended)


@staff_required
def no_show(request: HttpRequest, pk: int) -> HttpResponse:
    """By the terms of the series; where they leave it open, or later visits would not fit, the desk is asked."""
    return _record(request, pk, ripple.missed, _missed)


def _record(
    request: HttpRequest, pk: int, service: Callable[..., Appointment], words: Callable[[Appointment], str]
) -> HttpResponse:
    """Do it and come back to where the button was. By GET, as after a sign-in that came in between, show the visit."""
    appointment = get_object_or_404(Appointment, pk=pk)
    if request.method != "POST":
        return redirect("desk:appointment", pk=pk)
    now = timezone.now()
    try:
        done = service(appointment=appointment, by=request.user, now=now)
    except ripple.NeedsAnAnswer:
        question = reverse("desk:appointment-change", args=[pk, "missed"])
        return HttpResponseClientRedirect(question) if request.htmx else redirect(question)
    except Refused as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, words(done), extra_tags=f"undo-{pk}")
    if request.htmx:
        return _fresh_row(request, appointment, now=now)
    return redirect(f"{_back(request, appointment)}#visit-{pk}")


def _fresh_row(request: HttpRequest, appointment: Appointment, *, now: datetime) -> HttpResponse:
    (row,) = visits(Q(pk=appointment.pk), zone=appointment.site.time_zone, now=now)
    return render(
        request,
        "desk/appointment_answer.html",
        {"row": row, "fresh": True, "back": _back(request, appointment)},
    )


def _back(request: HttpRequest, appointment: Appointment) -> str:
    """Where the form says that it was, if that is a page of this program."""
    back = request.POST.get("back", "")
    if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return back
    return reverse("desk:appointment", args=[appointment.pk])


def _arrived(done: Appointment) -> str:
    """That the patient is here; where late, how late and who may have to wait for it."""
    found = _late(done, now=done.status_at)
    if found is None:
        return _("%s is here.") % done.patient
    said = _("%(patient)s is here, %(minutes)d min late.") % {"patient": done.patient, "minutes": found.minutes}
    return " ".join((said, *found.waits))


def _attended(done: Appointment) -> str:
    """That it was recorded, and what follows from it."""
    said = _("%s: attended.") % done.patient
    if done.session_id is not None and Series.objects.filter(sessions=done.session_id, state="completed").exists():
        said += " " + _("The series is complete.")
        return f"{said} {_next_maintenance(Maintenance.objects.filter(series=done.session.series_id))}".strip()
    if done.maintenance is not None:
        cycle = done.maintenance
        following = Maintenance.objects.filter(series=cycle.series_id, rule=cycle.rule, cycle=cycle.cycle + 1)
        return f"{said} {_next_maintenance(following)}".strip()
    return said


def _next_maintenance(cycles) -> str:
    cycle = cycles.filter(state__in=[MaintenanceState.SCHEDULED, MaintenanceState.WAITING]).order_by("due_from").first()
    if cycle is None:
        return ""
    if cycle.due_from is None:
        return _("The clinician decides when maintenance is due.")
    return _("Maintenance is due from %s.") % date_format(cycle.due_from, "D j M Y")


def _missed(done: Appointment) -> str:
    said = _("%s did not come.") % done.patient
    if done.session is not None and done.session.state == "skipped":
        return f"{said} {_('By the terms of the course the session is not repeated.')}"
    if done.session_id is not None:
        return f"{said} {_('The session is to be booked again.')}"
    if done.maintenance_id is not None:
        return f"{said} {_('The maintenance is due as before.')}"
    return said
