"""Book a series: four steps on one page. Nothing is stored before the last press."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, time
from uuid import UUID, uuid4

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import walltime
from clinic.dates_in_words import written
from clinic.forms.add_ons import Chosen
from clinic.forms.choices import decode
from clinic.forms.series import CaseForm, WishesForm, as_asked
from clinic.models import Site
from clinic.permissions import staff_required
from clinic.planning import Choice
from clinic.services import course as courses
from clinic.services.booking import BookingError, TimeTaken
from clinic.services.course import Course, Order, OutsideWindow, Proposal
from clinic.views import looking, typed_time
from clinic.views.at_site import default_site, home_site, remember
from clinic.views.desk_series_rows import Row, moment
from clinic.views.desk_series_rows import rows as rows_of
from clinic.views.merged import to_the_kept
from patients.errors import Refused
from patients.models import Patient
from treatments.models import Series, SeriesState, SessionState

AddOns = Mapping[int, tuple[str, ...]]


@staff_required
def new(request: HttpRequest, pk: int) -> HttpResponse:
    """Book a new series for a patient."""
    patient = get_object_or_404(Patient, pk=pk)
    if patient.merged_into_id is not None:
        return to_the_kept(request, patient)
    case = CaseForm(request.POST or None)

    def course() -> Course | None:
        return courses.new_course(patient=patient, choice=case.choice()) if case.is_valid() else None

    def book(order: Order, add_ons: AddOns, **kwargs) -> Series:
        choice = replace(case.choice(), add_ons=add_ons)
        return courses.book_new(patient=patient, choice=choice, order=order, **kwargs)

    return _Page(request, patient, case=case, course=course, book=book).answer()


@staff_required
def rest(request: HttpRequest, pk: int) -> HttpResponse:
    """Book what is left of a running series."""
    series = get_object_or_404(Series.objects.select_related("patient", "protocol__treatment"), pk=pk)
    try:
        left = courses.rest_of(series)
    except BookingError as refusal:
        messages.info(request, str(refusal))
        return redirect("desk:patient", series.patient_id)

    def book(order: Order, add_ons: AddOns, **kwargs) -> Series:
        return courses.book_rest(series=series, order=order, add_ons=add_ons, **kwargs)

    return _Page(request, series.patient, series=series, course=lambda: left, book=book).answer()


def request_key(request: HttpRequest) -> UUID:
    """The key of this press of a button, as the page was given it."""
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        return uuid4()


class _Page:
    def __init__(
        self,
        request: HttpRequest,
        patient: Patient,
        *,
        course: Callable[[], Course | None],
        book: Callable[..., Series],
        case: CaseForm | None = None,
        series: Series | None = None,
    ) -> None:
        self.request, self.patient, self.series = request, patient, series
        self.case, self.course, self.book = case, course, book
        self.now = timezone.now()
        # A time typed in beside a session counts, whichever button was pressed: the press then only shows it.
        self.settled_now = self._chosen() or self._typed()
        self.booking = "book" in request.POST and self.settled_now is None
        self.add_ons: Chosen | None = None
        self.lost: tuple[int, ...] = ()
        self.problem = self.note = ""
        # The session beside which a time was typed that cannot be had: it stays in its boxes.
        self.refused: int | None = None

    def answer(self) -> HttpResponse:
        posted = self.request.POST
        course = self.course() if posted or self.series else None
        if course:
            self.add_ons = Chosen.of(course, posted)
            course = self.add_ons.applied(course)
            # A press that follows another choice only shows what that comes to.
            self.booking = self.booking and not self.add_ons.changed
        treatment = course.treatment if course else self._treatment()
        site = home_site(self.patient) or default_site(self.request)
        today = walltime.day_of(self.now, site.time_zone)
        initial = {"site": site, "first_day": today, "only": True}
        self.wishes = WishesForm(posted or None, initial=initial, treatment=treatment, today=today)
        if not posted and self.series:
            first = {"site": site.pk, "first_day": written(today), "only": "on"}
            self.wishes = WishesForm(first, treatment=treatment, today=today)
        self.asked = as_asked(self.case, self.wishes)
        proposal = None
        if course and self.wishes.is_valid():
            proposal = self._propose(course)
            if self.booking and proposal:
                return self._booked(proposal)
        return self._page(proposal)

    def _treatment(self):
        protocol = getattr(self.case, "cleaned_data", {}).get("protocol") if self.case and self.case.is_bound else None
        return protocol.treatment if protocol else None

    # The proposal

    def _propose(self, course: Course) -> Proposal | None:
        order = Order(
            site=self.wishes.cleaned_data["site"],
            first_day=self.wishes.cleaned_data["first_day"],
            wishes=self.wishes.wishes(),
        )
        try:
            if not self.booking:
                return self._follow(course, order)
            if self.request.POST.get("asked", self.asked) == self.asked:
                shown = replace(order, pinned=self._picks(order.site))
                return courses.propose(course=course, order=shown, now=self.now)
            return self._asked_anew(course, order)
        except Refused as refusal:
            self.problem = str(refusal)
            return None

    def _asked_anew(self, course: Course, order: Order) -> Proposal:
        """What other wishes come to than the page was shown for: booked where the dates stay, else shown first."""
        proposal = self._follow(course, order)
        anew = courses.settled(proposal)
        if anew.pinned == self._picks(order.site):
            return courses.propose(course=course, order=anew, now=self.now)
        self.booking = False
        self.problem = _("What is asked for has changed since these dates were shown. Look, and press once more.")
        return proposal

    def _follow(self, course: Course, order: Order) -> Proposal:
        """Plan around what the desk has settled; what comes before the session just chosen stays where it was."""
        picks = self._picks(order.site)
        pinned = {number: picks[number] for number in self._pinned() if number in picks}
        pinned = self._with_new_add_ons(course, order, pinned)
        if self.settled_now is None:
            return courses.propose(course=course, order=replace(order, pinned=pinned), now=self.now)
        number, wanted = self.settled_now
        pinned |= {earlier: choice for earlier, choice in picks.items() if earlier < number}
        pinned.pop(number, None)
        if wanted == "own":
            proposal = courses.propose(course=course, order=replace(order, pinned=pinned), now=self.now)
            try:
                pinned[number] = courses.choice_at(proposal, number, *self._own_time(number, order.site))
            except Refused as refusal:
                self.note, self.refused = "", number
                self.problem = _("Session %(number)d: %(why)s") % {"number": number, "why": refusal}
                return proposal
        elif choice := decode(wanted, order.site):
            pinned[number] = choice
        return courses.propose(course=course, order=replace(order, pinned=pinned), now=self.now)

    def _with_new_add_ons(self, course: Course, order: Order, pinned: dict[int, Choice]) -> dict[int, Choice]:
        """What was settled for a session whose visit is another now: at the same time, or free to be planned again."""
        again = {n: pinned[n] for n in (self.add_ons.changed if self.add_ons else ()) if n in pinned}
        if not again:
            return pinned
        kept = {n: choice for n, choice in pinned.items() if n not in again}
        proposal = courses.propose(course=course, order=replace(order, pinned=kept), now=self.now)
        for number, had in again.items():
            clock = moment(had, order.site.time_zone).time()
            try:
                kept[number] = courses.choice_at(proposal, number, had.day, clock, practitioner=had.practitioner)
            except Refused:
                self.problem = (
                    _("Session %d does not fit there any more with its add-ons, and is planned again.") % number
                )
        return kept

    def _own_boxes(self, number: int) -> tuple[str, str]:
        posted = self.request.POST
        return posted.get(f"date-{number}", "").strip(), posted.get(f"time-{number}", "").strip()

    def _own_time(self, number: int, site: Site) -> tuple[date, time]:
        today = walltime.day_of(self.now, site.time_zone)
        day, clock = typed_time.read(*self._own_boxes(number), today=today)
        self.note = typed_time.twice(day, clock, site.time_zone)
        return day, clock

    def _picks(self, site: Site) -> dict[int, Choice]:
        """What the page showed, by session number."""
        posted = {
            int(name[5:]): decode(value, site)
            for name, value in self.request.POST.items()
            if re.fullmatch(r"pick-\d{1,3}", name, re.ASCII)
        }
        return {number: choice for number, choice in posted.items() if choice}

    def _pinned(self) -> set[int]:
        numbers = self.request.POST.getlist("pinned")
        return {int(number) for number in numbers if re.fullmatch(r"\d{1,3}", number, re.ASCII)}

    def _chosen(self) -> tuple[int, str] | None:
        """Which session a "choose" button was pressed for, and what for: a start, "own" for the typed time, or ""."""
        number, _colon, wanted = self.request.POST.get("choose", "").partition(":")
        return (int(number), wanted) if re.fullmatch(r"\d{1,3}", number, re.ASCII) else None

    def _typed(self) -> tuple[int, str] | None:
        """The first session beside which another date or time was typed than the page had put there."""
        posted = self.request.POST
        for name, shown in posted.items():
            if found := re.fullmatch(r"shown-(\d{1,3})", name, re.ASCII):
                number = found[1]
                typed = "T".join(self._own_boxes(int(number)))
                if typed not in (shown, "T"):
                    return int(number), "own"
        return None

    # The last press

    def _booked(self, proposal: Proposal) -> HttpResponse:
        try:
            series = self.book(
                proposal.order,
                by=self.request.user,
                now=self.now,
                key=request_key(self.request),
                add_ons=self.add_ons.by_number if self.add_ons else {},
                outside_reason=self.request.POST.get("outside_reason", "").strip()[:200],
            )
        except TimeTaken as refusal:
            self.lost = refusal.lost
            self.problem = _("%s Only what was lost has been planned again; look at it and book once more.") % refusal
            kept = courses.settled(proposal, without=self.lost)
            return self._page(courses.propose(course=proposal.course, order=kept, now=self.now), status=409)
        except OutsideWindow as refusal:
            self.problem = str(refusal)
            return self._page(proposal, status=422)
        except Refused as refusal:
            self.problem = str(refusal)
            return self._page(proposal, status=422)
        booked = len(proposal.order.pinned)
        left = len(proposal.course.numbers) - booked - len(proposal.course.booked)
        said = ngettext("%d session is booked.", "%d sessions are booked.", booked) % booked
        if left:
            said += " " + ngettext("%d stays to be booked.", "%d stay to be booked.", left) % left
        messages.success(self.request, said)
        remember(self.request, proposal.order.site)
        return redirect("desk:patient", series.patient_id)

    # What is shown

    def _page(self, proposal: Proposal | None, *, status: int = 200) -> HttpResponse:
        rows = self._rows(proposal) if proposal else []
        placed = [row for row in rows if row.session.choice and not row.booked]
        outside = proposal.outside() if proposal else []
        context = {
            "patient": self.patient,
            "series": self.series,
            "case": self.case,
            "wishes": self.wishes,
            "proposal": proposal,
            "rows": rows,
            "placed": placed,
            "unplaced": [row for row in rows if not row.session.choice],
            "outside": [row for row in placed if row.number in outside],
            "may_override": self.request.user.has_perm(courses.OVERRIDE),
            "outside_reason": self.request.POST.get("outside_reason", ""),
            "problem": self.problem,
            "note": self.note,
            "key": self.request.POST.get("key") or uuid4(),
            "asked": self.asked,
            "zone": proposal.order.site.time_zone if proposal else None,
            "minutes": _minutes(proposal) if proposal else "",
            "add_ons": self.add_ons,
            "under_way": self._under_way() if self.case else [],
        }
        looking.note(self.request, self.patient)
        return render(self.request, "desk/series_book.html", context, status=status)

    def _under_way(self) -> list[Series]:
        """Courses of the same treatment that the patient is in the middle of: a second one may be a slip."""
        treatment = self._treatment()
        if treatment is None:
            return []
        running = Series.objects.filter(patient=self.patient, state=SeriesState.ACTIVE, protocol__treatment=treatment)
        attended = Count("sessions", filter=Q(sessions__state=SessionState.ATTENDED))
        counted = Count("sessions", filter=~Q(sessions__state=SessionState.SKIPPED))
        found = running.select_related("protocol__treatment").annotate(attended=attended, counted=counted)
        return list(found.order_by("pk"))

    def _rows(self, proposal: Proposal) -> list[Row]:
        pinned = self._pinned()
        just_chosen = self.settled_now[0] if self.settled_now else None
        if just_chosen in proposal.order.pinned:
            pinned.add(just_chosen)
        elif just_chosen is not None:
            pinned.discard(just_chosen)
        return rows_of(proposal, pinned=pinned, just_chosen=just_chosen, lost=self.lost, boxes=self._boxes)

    def _boxes(self, number: int, when: datetime | None) -> tuple[str, str]:
        """What stands in the boxes beside a session."""
        if number == self.refused:
            return self._own_boxes(number)
        return typed_time.boxes(when) if when else ("", "")


def _minutes(proposal: Proposal) -> str:
    """How long the visits take: one number, or from which to which."""
    found = {sum(phase.minutes for phase in proposal.course.visit(number)) for number in proposal.course.numbers}
    return "–".join(map(str, sorted({min(found), max(found)})))
