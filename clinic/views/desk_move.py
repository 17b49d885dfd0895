"""Change a visit, after seeing what that does to the later ones: move, cancel, missed, attended on another day; undo.

Nothing is stored before the last press. The address may name a start, a practitioner and a room, as the diary does when
a visit is dropped somewhere: ?start=2026-03-03T14:30&practitioner=7.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from clinic import walltime
from clinic.forms.choices import decode, encode
from clinic.models import Appointment, Resource
from clinic.permissions import staff_required
from clinic.planning import Choice
from clinic.services import course as planned
from clinic.services import ripple, waiting
from clinic.services import undo as undoing
from clinic.services.booking import NotBookable
from clinic.services.course import Proposal
from clinic.services.ripple import Change, Outlook
from clinic.views import typed_time
from clinic.views.ripple_page import RipplePage, name_of
from patients.errors import Refused

OWN = "own"
OFFERED = 5
REASON_LENGTH = Appointment._meta.get_field("cancel_reason").max_length
WORDS = {
    "move": (gettext_lazy("Move this visit"), gettext_lazy("Move it")),
    "cancel": (gettext_lazy("Cancel this visit"), gettext_lazy("Cancel the visit")),
    "missed": (gettext_lazy("The patient did not come"), gettext_lazy("Record the no-show")),
    "attended": (gettext_lazy("Attended on another day"), gettext_lazy("Record it")),
}


@staff_required
def move(request: HttpRequest, pk: int) -> HttpResponse:
    return VisitPage(request, pk, "move").answer()


@staff_required
def change(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    if kind not in WORDS:
        raise Http404
    return VisitPage(request, pk, kind).answer()


@staff_required
@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    appointment = get_object_or_404(Appointment, pk=pk)
    try:
        undoing.undo(appointment=appointment, by=request.user, now=timezone.now())
    except Refused as refusal:
        messages.warning(request, _("Not undone. %s") % refusal)
    else:
        messages.success(request, _("Undone: everything is as it was before."))
    back = request.POST.get("back", "")
    if not (back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)):
        back = reverse("desk:appointment", args=[pk])
    return redirect(back)


@dataclass(frozen=True, slots=True)
class Offer:
    code: str
    starts: datetime
    whom: str
    where: str


class VisitPage(RipplePage):
    """A question about one visit that is booked."""

    template = "desk/move.html"

    def __init__(self, request: HttpRequest, pk: int, kind: str) -> None:
        self.pk, self.kind = pk, kind
        self.own_problem = self.own_note = self.reason_problem = ""
        super().__init__(request)
        self.own = self._own()
        self.pick = self._pick()

    def answer(self) -> HttpResponse:
        if self.kind == "cancel" and "save" in self.posted:
            self.reason_problem = self._reason_problem(self.posted.get("reason", "").strip())
            if self.reason_problem:
                return self.page(self.outlook(), status=422)
        return super().answer()

    def _reason_problem(self, reason: str) -> str:
        if not reason:
            return _("Note why it is cancelled.")
        return _("Say it in %d characters at most.") % REASON_LENGTH if len(reason) > REASON_LENGTH else ""

    def read(self) -> None:
        self.appointment = get_object_or_404(
            Appointment.objects.select_related(
                "patient", "site", "treatment", "practitioner", "room", "maintenance", "session__series__protocol"
            ),
            pk=self.pk,
        )
        self.zone = self.appointment.site.time_zone
        self.scene = ripple.scene_of(self.appointment)
        self.proposal: Proposal | None = None

    # What is asked

    def _own(self) -> dict[str, str]:
        """Date, time, practitioner and room as typed; at first those of the address, or of the visit itself."""
        names = ("own_date", "own_time", "own_practitioner", "own_room")
        if self.posted and "own_date" in self.posted:
            return {name: self.posted.get(name, "").strip() for name in names}
        asked = self.posted or self.request.GET
        starts = self._asked_start(asked) or self.appointment.starts_at.astimezone(self.zone)
        return {
            **dict(zip(("own_date", "own_time"), typed_time.boxes(starts), strict=True)),
            "own_practitioner": asked.get("practitioner", "").strip(),
            "own_room": asked.get("room", "").strip(),
        }

    def _asked_start(self, asked) -> datetime | None:
        try:
            return datetime.fromisoformat(asked.get("start", "")).replace(tzinfo=None)
        except ValueError:
            return None

    def _pick(self) -> str:
        if self.kind == "attended":
            return OWN
        asked = self.posted or self.request.GET
        if self._asked_start(asked) or (not self.posted and ("practitioner" in asked or "room" in asked)):
            return OWN
        # What was typed counts, though its button was not chosen.
        if "own_shown" in self.posted and self.posted["own_shown"] != "|".join(self.own.values()):
            return OWN
        return self.posted.get("pick", "")

    def change(self) -> Change | None:
        if self.kind == "cancel":
            return Change(kind="cancel", reason=self.posted.get("reason", "").strip()[:REASON_LENGTH])
        if self.kind == "missed":
            return Change(kind="no_show", forfeit=self._forfeit())
        choice = self.chosen()
        if choice is None:
            return None
        return Change(kind="move" if self.kind == "move" else "attended", choice=choice)

    @property
    def rule(self) -> str | None:
        """What the series says of a missed session: repeat or forfeit; else it is asked here."""
        series = self.scene.series
        return series.terms.no_show if series is not None else "repeat"

    def _forfeit(self) -> bool:
        if self.rule in ("repeat", "forfeit"):
            return self.rule == "forfeit"
        return self.posted.get("missed") == "forfeit"

    def chosen(self) -> Choice | None:
        if self.pick == OWN:
            try:
                return self._own_choice()
            except Refused as refusal:
                self.own_problem = str(refusal)
                return None
        codes = {code.code for code in self.offers()}
        if self.pick not in codes:
            if self.pick and "save" in self.posted:
                self.problem = _("This time is not free any more. These are free now.")
                self.pick = ""
                return None
            self.pick = next((offer.code for offer in self.offers()), "")
        return decode(self.pick, self.appointment.site)

    def _own_choice(self) -> Choice:
        attended = self.kind == "attended"
        today = walltime.day_of(self.now, self.zone)
        day, clock = typed_time.read(self.own["own_date"], self.own["own_time"], today=today, past=attended)
        self.own_note = typed_time.twice(day, clock, self.zone)
        practitioner, room = _key(self.own["own_practitioner"]), _key(self.own["own_room"])
        if attended:
            self._check_offered(practitioner, "practitioner", _("Choose a practitioner from the list."))
            self._check_offered(room, "room", _("Choose a room from the list."))
            then = ripple.place_then(self.scene, day, clock, practitioner=practitioner, room=room)
            if walltime.from_minutes(then.start) > self.now:
                raise NotBookable(_("That time is still ahead. Enter when the visit really began."))
            return then
        return planned.choice_at(self.options(day), self.scene.number, day, clock, practitioner=practitioner, room=room)

    def _check_offered(self, key: int | None, kind: str, refusal: str) -> None:
        """What took place is not planned, so that no plan refuses who cannot have been there."""
        if key is not None and str(key) not in dict(self._people(kind)):
            raise NotBookable(refusal)

    def options(self, until: date | None = None) -> Proposal:
        if self.proposal is None or (until and self.proposal.request.diary.days[-1].date < until):
            self.proposal = ripple.options(self.scene, now=self.now, until=until)
        return self.proposal

    def offers(self) -> list[Offer]:
        if self.kind not in ("move", "add-ons") or self.scene.appointment is None:
            return []
        proposal, number = self.options(), self.scene.number
        first = dict(iter(proposal))[number].choice
        found = [*([first] if first else []), *proposal.alternatives(number, count=OFFERED)]
        mine = self.scene.course.booked[number]
        people = proposal.resources
        return [
            Offer(
                encode(choice), self.local(choice), name_of(people, choice.practitioner), name_of(people, choice.room)
            )
            for choice in found
            if choice.start != mine.start
        ][:OFFERED]

    # The last press

    def carry_out(self, outlook: Outlook, **shown) -> None:
        ripple.carry_out(appointment=self.appointment, change=outlook.change, released=self.shown_released(), **shown)

    def done(self, outlook: Outlook) -> HttpResponse:
        said = {
            "move": _("Moved."),
            "cancel": _("Cancelled. The time is free again."),
            "no_show": _("%s did not come.") % self.appointment.patient,
            "attended": _("%s: attended.") % self.appointment.patient,
        }[outlook.change.kind]
        messages.success(self.request, said + self.with_it(outlook), extra_tags=f"undo-{self.appointment.pk}")
        if outlook.change.kind == "move":
            self._tell_who_waits()
        return redirect("desk:appointment", self.appointment.pk)

    def _tell_who_waits(self) -> None:
        """The page that follows is that of the new time; who would like the old one stands on the waiting list."""
        before = self.appointment
        could = waiting.could_have(waiting.waiting_list(now=self.now), now=self.now, visit=before)
        if others := sum(one.wish.appointment_id != before.pk for one in could):
            words = ngettext(
                "%d patient on the waiting list would like the time that is free now.",
                "%d patients on the waiting list would like the time that is free now.",
                others,
            )
            link = format_html('<a href="{}">{}</a>', reverse("desk:waiting"), _("Show the waiting list"))
            messages.info(self.request, format_html("{} {}", words % others, link))

    # What is shown

    def words(self) -> tuple[str, str]:
        """What the page and its last button are called."""
        return WORDS[self.kind]

    def context(self, outlook: Outlook | None) -> dict:
        possible = self.possible()
        # Where nothing could be looked for, there is nothing to offer; other add-ons are looked for anew.
        offered = possible and (self.kind == "add-ons" or not self.problem or self.proposal is not None)
        offers = self.offers() if offered else []
        title, button = self.words()
        return {
            "appointment": self.appointment,
            "patient": self.appointment.patient,
            "day": walltime.day_of(self.appointment.starts_at, self.scene.site.time_zone),
            "same_day": True,
            "kind": self.kind,
            "here": self.request.path,
            "back": reverse("desk:appointment", args=[self.appointment.pk]),
            "title": title,
            "button": button,
            "offers": offers,
            "pick": self.pick,
            "own": self.own,
            "own_shown": "|".join(self.own.values()),
            "own_problem": self.own_problem,
            "reason_problem": self.reason_problem,
            "own_note": "" if self.own_problem else self.own_note,
            "people": self._people("practitioner"),
            "rooms": self._people("room"),
            "rule": self.rule if possible else "repeat",
            "missed": self.posted.get("missed", "repeat"),
            "tells": self.kind not in ("missed", "attended") or bool(outlook and (outlook.moved or outlook.released)),
        }

    def possible(self) -> bool:
        status = self.appointment.status
        if self.kind in ("move", "missed"):
            return status == "booked" and self.scene.appointment is not None
        return status in ("booked", "arrived") and self.scene.appointment is not None

    def _people(self, kind: str) -> list[tuple[str, str]]:
        site = self.appointment.site
        found = Resource.objects.in_use().filter(kind=kind)
        if kind == "practitioner":
            found = found.filter(treatments=self.appointment.treatment, working_hours__site=site).distinct()
        else:
            found = found.filter(site=site)
        return [(str(key), name) for key, name in found.order_by("name", "pk").values_list("pk", "name")]


def _key(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None
