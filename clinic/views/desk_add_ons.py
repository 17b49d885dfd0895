"""Other add-ons for a session that is booked: the visit keeps its time where it can, else free times are offered."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.permissions import staff_required
from clinic.services import ripple
from clinic.services.course import Proposal
from clinic.services.ripple import Change, Outlook
from clinic.views.desk_move import VisitPage
from patients.errors import Refused
from treatments.services.add_ons import chosen

STAY = "stay"


@staff_required
def change(request: HttpRequest, pk: int) -> HttpResponse:
    return _Page(request, pk, "add-ons").answer()


class _Page(VisitPage):
    template = "desk/add_ons.html"

    def read(self) -> None:
        super().read()
        if self.appointment.session is None:
            raise Http404
        self.terms = self.appointment.session.series.terms

    def _pick(self) -> str:
        return self.posted.get("pick", STAY)

    def possible(self) -> bool:
        return self.appointment.status in ("booked", "arrived") and self.scene.appointment is not None

    @property
    def names(self) -> tuple[str, ...]:
        """What is ticked; at first what the session has. Raises AddOnNotOffered."""
        asked = self.posted.getlist("add_ons") if self.posted else self.appointment.session.add_ons
        return chosen(self.terms, asked)

    @property
    def _same(self) -> bool:
        return list(self.names) == self.appointment.session.add_ons

    def change(self) -> Change | None:
        if self.pick == STAY and self._same:
            return None
        choice = ripple.stay_with(self.scene, self.names, now=self.now) if self.pick == STAY else self.chosen()
        return Change(kind="add_ons", choice=choice, add_ons=self.names) if choice else None

    def options(self, until=None) -> Proposal:
        if self.proposal is None:
            self.proposal = ripple.options(self.scene, now=self.now, add_ons=self.names)
        return self.proposal

    def must_be_seen(self, outlook: Outlook) -> bool:
        return super().must_be_seen(outlook) and self._elsewhere(outlook)

    def _elsewhere(self, outlook: Outlook) -> bool:
        return outlook.starts_elsewhere(self.scene.number)

    def done(self, outlook: Outlook) -> HttpResponse:
        ends = walltime.from_minutes(outlook.change.choice.start + self._minutes(outlook.after))
        said = _("The add-ons are changed. The visit ends at %s now.") % f"{ends.astimezone(self.zone):%H:%M}"
        # Where nothing in the diary has changed, there is nothing there to be taken back.
        tags = f"undo-{self.appointment.pk}" if outlook.moved else ""
        messages.success(self.request, said + self.with_it(outlook), extra_tags=tags)
        return redirect("desk:appointment", self.appointment.pk)

    def _minutes(self, course) -> int:
        return sum(phase.minutes for phase in course.visit(self.scene.number))

    def words(self) -> tuple[str, str]:
        return _("Add-ons of this visit"), _("Change the add-ons")

    def context(self, outlook: Outlook | None) -> dict:
        possible = self.possible()
        had = self.scene.course.booked.get(self.scene.number)
        return super().context(outlook) | {
            "stay": STAY,
            "starts": self.local(had) if had else None,
            "terms": self.terms,
            "names": self.posted.getlist("add_ons") if self.posted else self.appointment.session.add_ons,
            "minutes": self._minutes(self.scene.course) if possible else 0,
            "then_minutes": self._minutes(outlook.after) if outlook else None,
            "tells": bool(outlook and (self._elsewhere(outlook) or outlook.released or outlook.placed)),
        }

    def offers(self):
        """Offered where the visit cannot stay, or is to move anyway."""
        if not self.posted or (self.pick == STAY and not self.problem):
            return []
        try:
            return super().offers()
        except Refused as refusal:
            self.problem = str(refusal)
            return []
