"""A session more or less in a course that is under way, after seeing what that does to the others."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.forms.choices import decode, encode
from clinic.permissions import staff_required
from clinic.planning import Choice
from clinic.services import ripple, sessions
from clinic.services.ripple import Change, Outlook
from clinic.views.ripple_page import CHANGES, name_of
from clinic.views.series_page import SeriesPage
from patients.errors import Refused
from treatments.models import Series, SeriesState, Session, SessionState
from treatments.services import series as courses
from treatments.services.series import SeriesNotPossible

OFFERED = 5
# A session that gets no time yet.
LATER = "later"


@staff_required
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a session at the end of a course."""
    return _AddPage(request, pk).answer()


@staff_required
def drop(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave out a session that is planned."""
    return _DropPage(request, pk).answer()


@dataclass(frozen=True, slots=True)
class Offer:
    code: str
    starts: datetime
    whom: str
    where: str


class _AddPage(SeriesPage):
    template = "desk/session_add.html"
    title, button = gettext_lazy("Add a session"), gettext_lazy("Add the session")

    def __init__(self, request: HttpRequest, pk: int) -> None:
        self.pk = pk
        self.note_problem = ""
        super().__init__(request)

    def read(self) -> None:
        found = Series.objects.select_related("patient", "protocol__treatment")
        self.series = get_object_or_404(found, pk=self.pk)
        self.scene = sessions.with_one_more(self.series, site=self.site())
        self.first_to_book = sessions.first_to_book(self.scene)
        self.found: list[Offer] | None = None

    def possible(self) -> bool:
        return self.series.state == SeriesState.ACTIVE and self.scene.number <= courses.MOST_SESSIONS

    def change(self) -> Change:
        return Change(kind="add")

    def offers(self) -> list[Offer]:
        """Free times inside its window, the best first; none as long as an earlier session has none."""
        if self.found is None:
            self.found = [] if self.first_to_book is not None else self._look_for()
        return self.found

    def _look_for(self) -> list[Offer]:
        try:
            proposal = ripple.look(self.scene, self.change(), "replan", now=self.now).proposal
        except Refused as refusal:
            self.problem = self.problem or str(refusal)
            return []
        assert proposal is not None, "A session without a time is looked for."
        number, people = self.scene.number, proposal.resources
        best = dict(iter(proposal))[number].choice
        choices = [*([best] if best else []), *proposal.alternatives(number, count=OFFERED)][:OFFERED]
        return [
            Offer(encode(c), self.local(c), name_of(people, c.practitioner), name_of(people, c.room)) for c in choices
        ]

    def pick(self, *, fresh: bool = False) -> str:
        asked = self.posted.get("pick", "")
        # At the last press it counts as it was shown, and is refused there if it is not free any more.
        if asked and not fresh and (asked == LATER or "save" in self.posted):
            return asked
        if not fresh and asked in [offer.code for offer in self.offers()]:
            return asked
        return next((offer.code for offer in self.offers()), LATER)

    def outlook(self, *, fresh: bool = False) -> Outlook | None:
        self.chosen = self.pick(fresh=fresh)
        choice = decode(self.chosen, self.scene.site)
        picks = {self.scene.number: choice} if choice else None
        return ripple.look(self.scene, self.change(), "replan" if choice else "only", now=self.now, picks=picks)

    def shown_picks(self) -> dict[int, Choice]:
        choice = decode(self.chosen, self.scene.site)
        return {self._shown_number: choice} if choice else {}

    @property
    def _shown_number(self) -> int:
        shown = self.posted.get("number", "")
        return int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 4 else 0

    def carry_out(self, outlook: Outlook, **shown) -> None:
        try:
            sessions.add(
                series=self.series,
                number=self._shown_number,
                site=self.scene.site,
                decision_note=self.posted.get("decision_note", "").strip(),
                **shown,
            )
        except SeriesNotPossible as refusal:
            self.note_problem = str(refusal) if refusal.field == "decision_note" else ""
            raise

    def done(self, outlook: Outlook) -> HttpResponse:
        number = self._shown_number
        if outlook.placed:
            when = date_format(self.local(outlook.after.booked[outlook.placed[0]]), "DATETIME_FORMAT")
            said = _("Session %(number)d is added and booked: %(when)s.") % {"number": number, "when": when}
        else:
            said = _("Session %d is added, and stays to be booked.") % number
        messages.success(self.request, said)
        return redirect("desk:patient", self.series.patient_id)

    def context(self, outlook: Outlook | None) -> dict:
        offers = self.offers() if self.possible() else []
        if self.note_problem:
            self.problem = ""
        return super().context(outlook) | {
            "number": self.scene.number,
            "offers": offers,
            "pick": getattr(self, "chosen", LATER),
            "later": LATER,
            "first_to_book": self.first_to_book,
            "needs_decision": courses.needs_decision(self.series.terms, self.scene.number),
            "decision_note": self.posted.get("decision_note", ""),
            "note_problem": self.note_problem,
            "tells": bool(outlook and outlook.news),
        }


class _DropPage(SeriesPage):
    template = "desk/session_drop.html"
    changes = CHANGES | {"dropped": gettext_lazy("Left out")}

    def __init__(self, request: HttpRequest, pk: int) -> None:
        self.pk = pk
        self.reason_problem = ""
        super().__init__(request)
        self.title = _("Leave out session %d") % self.session.number
        self.button = _("Leave out session %d") % self.session.number

    def read(self) -> None:
        found = Session.objects.select_related("series__patient", "series__protocol__treatment")
        self.session = get_object_or_404(found, pk=self.pk)
        self.series = self.session.series
        self.scene = ripple.scene_of_session(self.session, site=self.site())

    def possible(self) -> bool:
        return self.session.state == SessionState.PLANNED and self.series.state == SeriesState.ACTIVE and not self.begun

    @property
    def begun(self) -> bool:
        """Whether the patient is here for it, or was to be here."""
        visit = self.scene.appointment
        return visit is not None and (visit.status != "booked" or visit.starts_at <= self.now)

    def change(self) -> Change:
        return Change(kind="drop", reason=self.posted.get("reason", "").strip()[:200])

    def carry_out(self, outlook: Outlook, **shown) -> None:
        if not outlook.change.reason:
            self.reason_problem = _("Note why the session is left out.")
        sessions.drop(
            session=self.session,
            reason=outlook.change.reason,
            site=self.scene.site,
            released=self.shown_released(),
            **shown,
        )

    def done(self, outlook: Outlook) -> HttpResponse:
        said = _("Session %d is left out.") % self.session.number
        visit = self.scene.appointment
        messages.success(self.request, said + self.with_it(outlook), extra_tags=f"undo-{visit.pk}" if visit else "")
        return redirect("desk:patient", self.series.patient_id)

    def context(self, outlook: Outlook | None) -> dict:
        if self.reason_problem:
            self.problem = ""
        return super().context(outlook) | {
            "session": self.session,
            "kind": "drop",
            "begun": self.begun,
            "visit": self.scene.appointment,
            "completes": self.possible() and sessions.is_last_open(self.session),
            "reason_problem": self.reason_problem,
            "tells": bool(self.scene.appointment or (outlook and outlook.news)),
        }
