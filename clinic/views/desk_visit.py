"""Book one visit: a consultation, any treatment, or a maintenance cycle; and what is decided of a cycle."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.dates_in_words import written
from clinic.forms.choices import decode, encode
from clinic.forms.series import as_asked
from clinic.forms.visit import DecideForm, DeclineForm, DeferForm, VisitForm
from clinic.models import Appointment, Site
from clinic.permissions import staff_required
from clinic.services import course_view, visits
from clinic.services.booking import TimeTaken
from clinic.services.visits import FreeTime
from clinic.views import looking, typed_time
from clinic.views.at_site import default_site, home_site, remember
from clinic.views.desk_series import request_key
from clinic.views.merged import to_the_kept
from patients.errors import Refused
from patients.models import Patient
from treatments.models import Maintenance, MaintenanceState, Treatment
from treatments.services import maintenance as cycles

OWN = "own"
KEY = re.compile(r"\d{1,18}", re.ASCII)


@staff_required
def new(request: HttpRequest, pk: int) -> HttpResponse:
    """Book one visit for a patient. The address may name the treatment or the cycle, the site, a start, somebody."""
    patient = get_object_or_404(Patient, pk=pk)
    if patient.merged_into_id is not None:
        return to_the_kept(request, patient)
    asked = (request.POST or request.GET).get("maintenance", "")
    cycle = None
    if KEY.fullmatch(asked):
        cycle = get_object_or_404(
            Maintenance.objects.select_related("treatment", "series__protocol"), pk=asked, series__patient=patient
        )
        if request.method != "POST":
            if cycle.state == MaintenanceState.WAITING:
                messages.info(request, _("The clinician decides first when this maintenance is due."))
                return redirect("desk:maintenance-decide", cycle.pk)
            if cycle.state not in (MaintenanceState.SCHEDULED, MaintenanceState.DEFERRED):
                messages.info(request, _("This maintenance is %s.") % cycle.get_state_display())
                return redirect("desk:patient", patient.pk)
    return _Page(request, patient, cycle).answer()


@dataclass(frozen=True, slots=True)
class Offer:
    """One free time as the page shows it; times are the site's wall clock."""

    code: str
    starts: datetime
    ends: datetime
    where: str


class _Page:
    def __init__(self, request: HttpRequest, patient: Patient, cycle: Maintenance | None) -> None:
        self.request, self.patient, self.cycle = request, patient, cycle
        self.now = timezone.now()
        self.problem = self.own_problem = self.own_note = ""
        posted = request.POST
        # A time typed since the page was shown counts, whichever button was pressed: the press then only shows it.
        self.own = (posted.get("own_date", "").strip(), posted.get("own_time", "").strip())
        self.due: Maintenance | None = None
        self.own_is_new = any(self.own) and "T".join(self.own) != posted.get("own_shown", "T")
        self.pick = OWN if self.own_is_new or "take_own" in posted else posted.get("pick", "")

    def answer(self) -> HttpResponse:
        self.form = self._form()
        if not self.form.is_bound or not self.form.is_valid():
            return self._page()
        if self.cycle is None:
            self.due = cycles.due_of(patient=self.patient, treatment=self.form.cleaned_data["treatment"])
        if "book" in self.request.POST and not self.own_is_new:
            if self.request.POST.get("asked", as_asked(self.form)) == as_asked(self.form):
                return self._booked()
            self.problem = _("What is asked for has changed since these times were shown. Look, and press once more.")
        return self._page()

    # What was asked for

    def _form(self) -> VisitForm:
        posted = self.request.POST
        site = self._asked_site() or home_site(self.patient) or default_site(self.request)
        today = walltime.day_of(self.now, site.time_zone)
        treatment = self._treatment(posted or self.request.GET)
        kwargs = {"today": today, "treatment": treatment, "maintenance": self.cycle}
        if posted:
            return VisitForm(posted, **kwargs)
        first = today
        if self.cycle is not None and self.cycle.due_from:
            first = max(today, self.cycle.due_from)
        if start := self._asked_start():
            first = max(today, start.date())
            self.own, self.pick = typed_time.boxes(start), OWN
        asked = {
            "site": site.pk,
            "first_day": written(first),
            "only": "on",
            "treatment": treatment.pk if treatment else "",
            "practitioner": self._asked_key("practitioner"),
        }
        # Shown with its times at once where nothing is left to ask.
        return VisitForm(asked, **kwargs) if treatment else VisitForm(initial=asked, **kwargs)

    def _asked_key(self, name: str) -> str:
        asked = self.request.GET.get(name, "")
        return asked if KEY.fullmatch(asked) else ""

    def _asked_site(self) -> Site | None:
        key = self._asked_key("site")
        return Site.objects.filter(active=True, pk=key).first() if key else None

    def _asked_start(self) -> datetime | None:
        """The site's wall clock, as the diary's empty times name it."""
        try:
            return datetime.fromisoformat(self.request.GET.get("start", "")).replace(tzinfo=None)
        except ValueError:
            return None

    def _treatment(self, asked) -> Treatment | None:
        if self.cycle is not None:
            return self.cycle.treatment
        key = asked.get("treatment", "")
        return Treatment.objects.filter(active=True, pk=key).first() if KEY.fullmatch(key) else None

    def _due_was_shown(self) -> bool:
        return self.request.POST.get("due_shown", "") == (str(self.due.pk) if self.due else "")

    def _as_due(self) -> bool:
        """Whether the visit is the maintenance that is due; it is, unless somebody said on the page that it is not."""
        return self.due is not None and (not self._due_was_shown() or "as_due" in self.request.POST)

    def _visit(self) -> dict:
        """What every service about this visit is told."""
        return {
            "patient": self.patient,
            "treatment": self.cycle.treatment if self.cycle else self.form.cleaned_data["treatment"],
            "site": self.form.cleaned_data["site"],
            "maintenance": self.due if self._as_due() else self.cycle,
            "now": self.now,
        }

    # The times

    def _offers(self) -> list[FreeTime]:
        try:
            found = visits.free_times(
                **self._visit(), first_day=self.form.cleaned_data["first_day"], wishes=self.form.wishes()
            )
        except Refused as refusal:
            self.problem = self.problem or str(refusal)
            return []
        if not found:
            self.problem = self.problem or _("Nothing is free as far as the diary goes. Change what is asked above.")
        return found

    def _named_time(self) -> FreeTime:
        """The time typed in. Raises Refused."""
        zone = self.form.cleaned_data["site"].time_zone
        day, clock = typed_time.read(*self.own, today=walltime.day_of(self.now, zone))
        self.own_note = typed_time.twice(day, clock, zone)
        return visits.time_at(**self._visit(), day=day, clock=clock, wishes=self.form.wishes())

    # The last press

    def _booked(self) -> HttpResponse:
        visit, key = self._visit(), request_key(self.request)
        try:
            if appointment := visits.answered(key=key, by=self.request.user, patient=self.patient):
                return redirect("desk:appointment", appointment.pk)
            if not self._due_was_shown():
                # Nothing is booked with a maintenance, or without one, but what the page has shown.
                return self._page()
            if self.pick == OWN:
                choice = self._named_time().choice
            elif (choice := decode(self.pick, visit["site"])) is None:
                self.problem = _("Choose one of the times.")
                return self._page(status=422)
            appointment = visits.book(**visit, choice=choice, by=self.request.user, key=key)
        except TimeTaken as refusal:
            self.problem = _("%s These are free now; choose one and book once more.") % refusal
            return self._page(status=409)
        except Refused as refusal:
            self.problem = str(refusal)
            return self._page(status=422)
        remember(self.request, visit["site"])
        messages.success(self.request, _("Booked: %s.") % course_view.at(_at_its_site(appointment)))
        return redirect("desk:appointment", appointment.pk)

    # What is shown

    def _page(self, *, status: int = 200) -> HttpResponse:
        offers, own, zone = [], None, None
        if self.form.is_bound and self.form.is_valid():
            zone = self.form.cleaned_data["site"].time_zone
            offers = [_offer(found, zone) for found in self._offers()]
            if any(self.own) and not self.problem:
                try:
                    own = _offer(self._named_time(), zone)
                except Refused as refusal:
                    self.own_problem = str(refusal)
        codes = [offer.code for offer in offers]
        pick = self.pick if self.pick in codes or (self.pick == OWN and own) else ""
        # Where the time that was meant cannot be had, no other is taken unseen.
        refused = self.own_problem or (self.pick and "book" in self.request.POST)
        context = {
            "patient": self.patient,
            "cycle": self.cycle,
            "due": _due(self.cycle) if self.cycle else "",
            "may_be": self.due,
            "may_be_due": _due(self.due) if self.due else "",
            "as_due": self._as_due(),
            "form": self.form,
            "offers": offers,
            "own": own,
            "own_date": self.own[0],
            "own_time": self.own[1],
            "own_shown": "T".join(self.own),
            "own_problem": self.own_problem,
            "own_note": "" if self.own_problem else self.own_note,
            "pick": pick or ("" if refused else next(iter(codes), OWN if own else "")),
            "asked": as_asked(self.form),
            "problem": self.problem,
            "key": self.request.POST.get("key") or uuid4(),
            "zone": zone,
        }
        looking.note(self.request, self.patient)
        return render(self.request, "desk/visit_new.html", context, status=status)


def _at_its_site(appointment: Appointment) -> Appointment:
    return Appointment.objects.select_related("site").get(pk=appointment.pk)


def _offer(found: FreeTime, zone) -> Offer:
    def local(moment: datetime) -> datetime:
        # Without a zone: a template would turn it into another zone's otherwise.
        return moment.astimezone(zone).replace(tzinfo=None)

    return Offer(
        code=encode(found.choice),
        starts=local(found.starts_at),
        ends=local(found.ends_at),
        where=", ".join(resource.name for resource in (found.practitioner, found.room) if resource),
    )


def _due(cycle: Maintenance) -> str:
    if cycle.due_from is None:
        return ""
    return course_view.span(cycle.due_from, cycle.due_by or cycle.due_from)


# --- What is decided of a cycle ----------------------------------------------------------------


@staff_required
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """A day that the clinician decided, peace until a day, or no maintenance at all."""
    cycle = get_object_or_404(
        Maintenance.objects.select_related("treatment", "series__protocol", "series__patient", "overridden_by"), pk=pk
    )
    now = timezone.now()
    today = walltime.day_of(now, default_site(request).time_zone)
    forms = {form.action: form for form in (DecideForm, DeferForm, DeclineForm)}
    action = request.POST.get("action", "")
    shown = {name: form(request.POST if name == action else None, today=today) for name, form in forms.items()}
    form = shown.get(action)
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            done = _decide(action, form.cleaned_data, cycle=cycle, request=request, now=now)
        except Refused as refusal:
            # It was booked or settled meanwhile: the page shows what it is now.
            messages.warning(request, str(refusal))
            return redirect("desk:maintenance-decide", cycle.pk)
        messages.success(request, done)
        return redirect("desk:patient", cycle.series.patient_id)
    looking.note(request, cycle.series.patient)
    context = {
        "cycle": cycle,
        "patient": cycle.series.patient,
        "due": _due(cycle),
        "decide": shown["decide"],
        "defer": shown["defer"],
        "decline": shown["decline"],
        "open": cycle.state in cycles.OPEN,
        "ended": cycle.state in cycles.ENDED,
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "desk/visit_maintenance.html", context, status=status)


def _decide(action: str, said: dict, *, cycle: Maintenance, request: HttpRequest, now: datetime) -> str:
    if action == "decide":
        cycles.override(cycle=cycle, by=request.user, now=now, **said)
        return _("Kept: due on %s.") % date_format(said["due_on"], "D j M Y")
    if action == "defer":
        cycles.defer(cycle=cycle, **said)
        return _("Kept: put off until %s.") % date_format(said["until"], "D j M Y")
    cycles.decline(cycle=cycle, by=request.user, now=now, **said)
    return _("Kept: the patient does not want it.")
