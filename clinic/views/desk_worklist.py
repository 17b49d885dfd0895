"""The worklist: what needs a person, in nine lists; one row of it; and the same as a file."""

from datetime import datetime
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import walltime
from clinic.forms.worklist import (
    CallForm,
    DeclineRowForm,
    FilterForm,
    ReopenForm,
    RetryForm,
    SeenForm,
    SettleForm,
    SnoozeForm,
)
from clinic.models import Appointment, AppointmentStatus, Message, Outcome, Sending, WorklistNote
from clinic.models.worklist import SUBJECTS
from clinic.permissions import staff_required
from clinic.services import course_view, links, rota_fit, worklist, worklist_rows
from clinic.services.dispatch import HAND_OVERS
from clinic.services.worklist import Subject
from clinic.services.worklist_rows import TABS, Filters, Row, Tab
from clinic.views import looking
from clinic.views.at_site import default_site, usual_site
from patients import tables
from patients.errors import Refused
from patients.models import Channel
from treatments.models import SessionState
from treatments.services import maintenance as cycles

MOST_EXPORTED = 5000
MOST_NOTES = 20


@staff_required
def show(request: HttpRequest) -> HttpResponse:
    now, site = timezone.now(), usual_site(request)
    if site is None:
        return render(request, "desk/worklist.html", {"tab": _tab(request)})
    zone = site.time_zone
    tab, form = _tab(request), FilterForm(request.GET)
    filters = form.filters()
    unfit = rota_fit.misfits(now=now)
    counts = worklist_rows.counts(filters, zone=zone, now=now, unfit=unfit)
    page = worklist_rows.page(
        tab, filters, by=request.user, zone=zone, now=now, unfit=unfit, after=request.GET.get("after", "")
    )
    context = {
        "tab": tab,
        "tabs": [(other, _counted(counts[other.name]), _query(other, filters)) for other in TABS.values()],
        "form": form,
        "rows": page.rows,
        "more": _query(tab, filters, after=page.after) if page.after else "",
        "first": _query(tab, filters) if request.GET.get("after") else "",
        "query": _query(tab, filters),
        "today": walltime.day_of(now, zone),
        "key": uuid4(),
    }
    return render(request, "desk/worklist.html", context)


def _zone(request: HttpRequest) -> ZoneInfo:
    return default_site(request).time_zone


def _tab(request: HttpRequest) -> Tab:
    """The list that the address names; the first one where it names none."""
    return TABS.get(request.GET.get("tab", ""), TABS["to-book"])


def _query(tab: Tab, filters: Filters, **more: str) -> str:
    """The address of a list. Keys and days only: nobody's name stands in it."""
    site = {"site": filters.site.pk} if filters.site else {}
    return urlencode({"tab": tab.name, "days": filters.days, **site, **more})


def _counted(count: int) -> str:
    return f"{count - 1}+" if count == worklist_rows.MOST_COUNTED else str(count)


# --- One row ----------------------------------------------------------------------------------------


@staff_required
def row(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """What is known of a row, and what can be done about it."""
    subject = _subject(kind, pk)
    now, zone = timezone.now(), _zone(request)
    forms = _forms(subject)
    action = request.POST.get("action", "")
    today = walltime.day_of(now, zone)
    shown = {name: form(request.POST if name == action else None, today=today) for name, form in forms.items()}
    form = shown.get(action)
    status = 200
    if request.method == "POST" and form is not None:
        if form.is_valid():
            try:
                done = _act(action, form.cleaned_data, subject=subject, request=request, now=now, zone=zone)
            except Refused as refusal:
                form.add_error(None, str(refusal))
                subject = _subject(kind, pk)
            else:
                messages.success(request, done)
                return redirect(_list_of(request))
        status = 422
    looking.note(request, subject.patient)
    return render(request, "desk/worklist_row.html", _described(subject, shown, request, now, zone), status=status)


def _subject(kind: str, pk: int) -> Subject:
    found = worklist.subject(kind, pk) if kind in SUBJECTS and pk < 2**63 else None
    if found is None:
        raise Http404
    return found


def _forms(subject: Subject) -> dict:
    forms = [CallForm, SnoozeForm]
    if worklist.was_missed(subject):
        forms += [SeenForm]
    elif subject.kind == "message":
        forms += [RetryForm, SettleForm]
    elif worklist.has_ended(subject):
        forms += [ReopenForm, SeenForm]
    elif subject.kind != "call" and not _is_booked(subject.kind, subject.row):
        forms += [DeclineRowForm]
    return {form.action: form for form in forms}


def _is_booked(kind: str, thing) -> bool:
    """A booked visit that no longer fits: it is moved or cancelled, and nobody declines it here."""
    return kind == "appointment" and thing.status == AppointmentStatus.BOOKED


def _act(action: str, said: dict, *, subject: Subject, request: HttpRequest, now: datetime, zone: ZoneInfo) -> str:
    """Do it; say what was done."""
    common = {"subject": subject, "by": request.user, "now": now}
    if action == "retry":
        note = worklist.retry(**common, **said)
        return _retried(note.message, now=now, zone=zone)
    if action == "settle":
        worklist.settle(**common, **said)
        return _("Kept. The message has left the list.")
    if action == "see":
        worklist.see(**common, **said)
        return _("Kept. The row has left the list.")
    if action == "reopen":
        worklist.reopen(**common, zone=zone, **said)
        return _("Opened again. It is due as before; what passed meanwhile is not reminded of.")
    outcome = {"snooze": Outcome.SNOOZED, "decline": Outcome.DECLINED}.get(action) or Outcome(said.pop("outcome"))
    note = worklist.note(**common, outcome=outcome, zone=zone, **said)
    if outcome == Outcome.DECLINED:
        if subject.kind == "session":
            return _("%s does not want it: the course is stopped.") % subject.patient
        return _("Kept: %s does not want it.") % subject.patient
    if subject.kind == "call" and outcome == Outcome.REACHED:
        return _("Kept. The patient was called, and the row has left the list.")
    assert note.hidden_until is not None
    return _("Kept. It comes back on %s, unless something happens before.") % course_view.in_words(
        walltime.day_of(note.hidden_until, zone)
    )


def _retried(message: Message, *, now: datetime, zone: ZoneInfo) -> str:
    """What becomes of a message that waits again. It is looked at once more before it leaves."""
    message.refresh_from_db()
    if Sending.is_paused():
        return _("It waits: sending is paused. It goes once that is resumed, if it still applies then.")
    if message.not_before > now:
        at = date_format(message.not_before.astimezone(zone), "D j M Y, H:i")
        return _("It waits until %s, and is sent then if it still applies.") % at
    return _("It is on its way. What becomes of it stands on the patient's page, and here again if it fails.")


def _list_of(request: HttpRequest) -> str:
    """The list that somebody came from."""
    return f"{reverse('desk:worklist')}?{_query(_tab(request), FilterForm(request.GET).filters())}"


def _described(subject: Subject, forms: dict, request: HttpRequest, now: datetime, zone: ZoneInfo) -> dict:
    notes = list(
        WorklistNote.objects.filter(patient=subject.patient)
        .select_related("noted_by")
        .order_by("-noted_at", "-pk")[:20]
    )
    seen = max((note.pk for note in notes), default=0)
    for form in forms.values():
        form.fields["seen"].initial = seen
    hold = worklist_rows.holding([subject.row_id], now=now).first()
    return {
        "subject": subject,
        "patient": subject.patient,
        **_said_of(subject, now, zone),
        **forms,
        "notes": [(worklist_rows.contact_words(note, zone), note) for note in notes],
        "held_by": worklist_rows.name_of(hold.held_by) if hold and hold.held_by_id != request.user.pk else "",
        "held_by_me": hold is not None and hold.held_by_id == request.user.pk,
        "held_until": hold and hold.until.astimezone(zone).replace(tzinfo=None),
        "query": request.GET.urlencode(),
        "back": _list_of(request),
        "stops": _what_it_stops(subject),
        "unfit": _is_booked(subject.kind, subject.row),
        "book": _book_url(subject.kind, subject.row, subject.patient.pk),
    }


def _what_it_stops(subject: Subject) -> str:
    """What declining a session comes to: the whole course ends, and not this session alone."""
    if subject.kind != "session":
        return ""
    left = subject.row.series.sessions.filter(state=SessionState.PLANNED).count()
    words = ngettext(
        "Stop the course: %d session will not be booked.", "Stop the course: %d sessions will not be booked.", left
    )
    return words % left


def _said_of(subject: Subject, now: datetime, zone: ZoneInfo) -> dict:
    """What it is, when, and what more there is to say."""
    thing = subject.row
    if subject.kind == "message":
        may = thing.handed_over < HAND_OVERS[Channel(thing.channel)] and thing.not_after > now
        what = _("%(kind)s, by %(channel)s") % {
            "kind": thing.get_kind_display().capitalize(),
            "channel": thing.get_channel_display(),
        }
        return {"what": what, "when": thing.get_state_display(), "detail": thing.reason, "may_retry": may}
    if subject.kind == "call":
        asked = date_format(thing.asked_at.astimezone(zone), "D j M Y, H:i")
        cycles = [cycle.treatment.name for cycle in links.spoken_of(thing.message)] if thing.message else []
        about = _("The reminder was about: %s.") % ", ".join(cycles) if cycles else ""
        what = _("Answered a text message") if thing.said else _("Asks to be called")
        return {"what": what, "when": _("asked on %s") % asked, "detail": about, "said": thing.said}
    if subject.kind == "appointment":
        visit = Appointment.objects.select_related("treatment", "site").get(pk=thing.pk)
        detail = visit.cancel_reason
        if _is_booked("appointment", visit):
            detail = rota_fit.in_words(rota_fit.misfits(now=now, only=[visit.pk]).get(visit.pk, ()))
        return {"what": str(visit.treatment), "when": course_view.at(visit), "detail": detail}
    series = thing.series
    appointments = list(
        subject.patient.appointments.filter(session__series=series).select_related("site", "practitioner", "room")
    ) + list(
        subject.patient.appointments.filter(maintenance__series=series).select_related("site", "practitioner", "room")
    )
    steps = course_view.course_steps(series, appointments=appointments, today=walltime.day_of(now, zone))
    step = next((step for step in steps if getattr(step, subject.kind) == thing.pk), None)
    what = f"{series.protocol.name}: {step.label}" if step else str(series.protocol.name)
    return {"what": what, "when": step.when if step else "", "detail": step.detail if step else ""}


def _book_url(kind: str, thing, patient: int) -> str:
    visit = reverse("desk:visit-new", args=[patient])
    if kind == "session":
        return reverse("desk:series-book", args=[thing.series_id])
    if kind == "maintenance":
        if thing.state not in cycles.OPEN:
            return ""
        if thing.due_from is None:
            return reverse("desk:maintenance-decide", args=[thing.pk])
        return f"{visit}?maintenance={thing.pk}"
    if kind == "call":
        cycle = thing.message and thing.message.maintenance
        return _book_url("maintenance", cycle, patient) if cycle and links.is_open(cycle) else ""
    if _is_booked(kind, thing):
        return reverse("desk:rota-visit", args=[thing.pk])
    if kind == "appointment":
        return f"{visit}?treatment={thing.treatment_id}"
    return ""


@staff_required
def take(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Be at a row, and go on to it, or to where it is booked. By GET, as after a sign-in in between, only go on."""
    subject = _subject(kind, pk)
    here = f"{reverse('desk:worklist-row', args=[kind, pk])}?{request.GET.urlencode()}"
    if request.method != "POST":
        return redirect(here)
    if "leave" in request.POST:
        worklist.leave(subject=subject, by=request.user)
        return redirect(_list_of(request))
    try:
        worklist.take(subject=subject, by=request.user, now=timezone.now(), over="over" in request.POST)
    except Refused as refusal:
        messages.warning(request, str(refusal))
        return redirect(here)
    book = _book_url(kind, subject.row, subject.patient.pk) if "book" in request.POST else ""
    return redirect(book or here)


# --- As a file --------------------------------------------------------------------------------------


@staff_required
def export(request: HttpRequest) -> HttpResponse:
    """The list as a table for a spreadsheet, its first thousands of rows."""
    now, zone = timezone.now(), _zone(request)
    tab, filters = _tab(request), FilterForm(request.GET).filters()
    unfit = rota_fit.misfits(now=now)
    page = worklist_rows.page(tab, filters, by=request.user, zone=zone, now=now, unfit=unfit, limit=MOST_EXPORTED)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="worklist-{tab.name}-{now.astimezone(zone):%Y-%m-%d}.csv"'
    titles = [
        _("Patient"),
        _("Phone"),
        _("E-mail"),
        _("What"),
        _("When"),
        _("Days"),
        _("Detail"),
        _("Last contact"),
        _("Next automatic step"),
    ]
    response.write(tables.written([titles, *map(_cells, page.rows)]))
    return response


def _cells(row: Row) -> list[str]:
    return [
        row.patient,
        row.phone,
        row.email,
        row.what,
        row.when,
        row.left,
        row.detail,
        row.last_contact,
        row.next_step,
    ]
