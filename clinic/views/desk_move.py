"""Change a visit, after seeing what that does to the later ones: move, cancel, missed, attended on another day; undo.

Nothing is stored before the last press. The address may name a start, a practitioner and a room, as the diary does when
a visit is dropped somewhere: ?start=2026-03-03T14:30&practitioner=7.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_time
from django.utils.formats import date_format
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from clinic import walltime
from clinic.forms.choices import decode, encode
from clinic.models import Appointment, Resource
from clinic.permissions import staff_required
from clinic.planning import Choice
from clinic.services import course as planned
from clinic.services import ripple
from clinic.services import undo as undoing
from clinic.services.booking import NotBookable, TimeTaken
from clinic.services.course import OVERRIDE, OutsideWindow, Proposal
from clinic.services.ripple import Change, Following, NotPossible, Outlook
from patients.errors import Refused

OWN = "own"
OFFERED = 5
WORDS = {
    "move": (gettext_lazy("Move this visit"), gettext_lazy("Move it")),
    "cancel": (gettext_lazy("Cancel this visit"), gettext_lazy("Cancel the visit")),
    "missed": (gettext_lazy("The patient did not come"), gettext_lazy("Record the no-show")),
    "attended": (gettext_lazy("Attended on another day"), gettext_lazy("Record it")),
}
FOLLOWING: dict[Following, str] = {
    "only": gettext_lazy("Leave the later sessions where they are"),
    "shift": gettext_lazy("Shift the later sessions by the same number of days"),
    "replan": gettext_lazy("Plan the later sessions again"),
    "unbook": gettext_lazy("Give up the later sessions that no longer fit, to be booked later"),
}
CHANGES = {
    "unchanged": gettext_lazy("Unchanged"),
    "inside": gettext_lazy("Inside its window"),
    "early": gettext_lazy("Too early"),
    "late": gettext_lazy("Too late"),
    "unplaced": gettext_lazy("To book"),
    "dropped": gettext_lazy("Not repeated"),
}


@staff_required
def move(request: HttpRequest, pk: int) -> HttpResponse:
    return _Page(request, pk, "move").answer()


@staff_required
def change(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    if kind not in WORDS:
        raise Http404
    return _Page(request, pk, kind).answer()


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
class Row:
    """One session before and after, in the site's wall clock."""

    number: int
    before: datetime | None
    after: datetime | None
    whom: str
    change: str
    words: str
    window: str
    lost: bool


@dataclass(frozen=True, slots=True)
class Offer:
    code: str
    starts: datetime
    whom: str
    where: str


class _Page:
    def __init__(self, request: HttpRequest, pk: int, kind: str) -> None:
        self.request, self.kind, self.now = request, kind, timezone.now()
        self._read(pk)
        self.posted = request.POST
        self.problem = self.own_problem = self.default = ""
        self.lost: tuple[int, ...] = ()
        self.own = self._own()
        self.pick = self._pick()

    def _read(self, pk: int) -> None:
        """The visit and its course, as they are now."""
        self.appointment = get_object_or_404(
            Appointment.objects.select_related(
                "patient", "site", "treatment", "practitioner", "room", "maintenance", "session__series__protocol"
            ),
            pk=pk,
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
            "own_date": f"{starts:%Y-%m-%d}",
            "own_time": f"{starts:%H:%M}",
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

    def answer(self) -> HttpResponse:
        if self.request.method != "POST":
            return self._page()
        outlook = self._outlook()
        if "save" not in self.posted or outlook is None:
            return self._page(outlook, status=422 if "save" in self.posted else 200)
        if outlook.later and self.posted.get("seen") != self._seen(outlook):
            self.problem = _("This is what it comes to. Look at it, and press once more.")
            return self._page(outlook, status=422)
        return self._saved(outlook)

    def _outlook(self, *, fresh: bool = False) -> Outlook | None:
        try:
            change = self._change()
            if change is None:
                return None
            if not fresh and "following" in self.posted and self.posted["following"] != self.posted.get("default"):
                following = self.posted["following"]
                if following in change.offers:
                    self.default = self.posted.get("default", "")
                    return ripple.look(self.scene, change, following, now=self.now)
            return self._best(change)
        except Refused as refusal:
            self.problem = self.problem or str(refusal)
            return None

    def _best(self, change: Change) -> Outlook:
        """With the choice that changes least and breaks nothing."""
        outlook = self._least(change)
        self.default = outlook.following
        return outlook

    def _least(self, change: Change) -> Outlook:
        only = ripple.look(self.scene, change, "only", now=self.now)
        if not only.breaks:
            return only
        if "shift" in change.offers:
            shifted = ripple.look(self.scene, change, "shift", now=self.now)
            if not shifted.impossible and not shifted.breaks:
                return shifted
        return ripple.look(self.scene, change, "replan", now=self.now)

    def _change(self) -> Change | None:
        if self.kind == "cancel":
            return Change(kind="cancel", reason=self.posted.get("reason", "").strip()[:200])
        if self.kind == "missed":
            return Change(kind="no_show", forfeit=self._forfeit())
        choice = self._chosen()
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

    def _chosen(self) -> Choice | None:
        if self.pick == OWN:
            try:
                return self._own_choice()
            except Refused as refusal:
                self.own_problem = str(refusal)
                return None
        codes = {code.code for code in self._offers()}
        if self.pick not in codes:
            if self.pick and "save" in self.posted:
                self.problem = _("This time is not free any more. These are free now.")
                self.pick = ""
                return None
            self.pick = next((offer.code for offer in self._offers()), "")
        return decode(self.pick, self.appointment.site)

    def _own_choice(self) -> Choice:
        try:
            day, clock = parse_date(self.own["own_date"]), parse_time(self.own["own_time"])
        except ValueError:
            day = clock = None
        if day is None or clock is None or not 2000 <= day.year <= 2100:
            raise NotBookable(_("Enter a date and a time that exist."))
        clock = clock.replace(second=0, microsecond=0, tzinfo=None)
        practitioner, room = _key(self.own["own_practitioner"]), _key(self.own["own_room"])
        if self.kind == "attended":
            return ripple.place_then(self.scene, day, clock, practitioner=practitioner, room=room)
        return planned.choice_at(
            self._options(day), self.scene.number, day, clock, practitioner=practitioner, room=room
        )

    def _options(self, until: date | None = None) -> Proposal:
        if self.proposal is None or (until and self.proposal.request.diary.days[-1].date < until):
            self.proposal = ripple.options(self.scene, now=self.now, until=until)
        return self.proposal

    def _offers(self) -> list[Offer]:
        if self.kind != "move" or self.scene.appointment is None:
            return []
        proposal, number = self._options(), self.scene.number
        first = dict(iter(proposal))[number].choice
        found = [*([first] if first else []), *proposal.alternatives(number, count=OFFERED)]
        mine = self.scene.course.booked[number]
        people = proposal.resources
        return [
            Offer(encode(choice), self._local(choice), _name(people, choice.practitioner), _name(people, choice.room))
            for choice in found
            if choice.start != mine.start
        ][:OFFERED]

    # The last press

    def _saved(self, outlook: Outlook) -> HttpResponse:
        picks: Mapping[int, Choice] | None = None
        if outlook.following in ("shift", "replan") and not outlook.impossible:
            picks = self._shown_picks()
        try:
            ripple.carry_out(
                appointment=self.appointment,
                change=outlook.change,
                following=outlook.following,
                picks=picks,
                released=self._shown_released(),
                outside_reason=self.posted.get("outside_reason", "").strip()[:200],
                tell="tell" in self.posted,
                by=self.request.user,
                now=self.now,
                key=_uuid(self.posted.get("key", "")),
            )
        except TimeTaken as refusal:
            self.lost = refusal.lost
            self.problem = _("%s Nothing was changed. Look at what is free now, and press once more.") % refusal
            self._read(self.appointment.pk)
            return self._page(self._outlook(fresh=True), status=409)
        except Refused as refusal:
            self.problem = str(refusal)
            self._read(self.appointment.pk)
            blocked = isinstance(refusal, OutsideWindow | NotPossible) or "reason" in self.posted
            return self._page(outlook if blocked else self._outlook(), status=422)
        messages.success(self.request, self._done(outlook), extra_tags=f"undo-{self.appointment.pk}")
        return redirect("desk:appointment", self.appointment.pk)

    def _shown_picks(self) -> dict[int, Choice]:
        found = {
            int(name[5:]): decode(value, self.appointment.site)
            for name, value in self.posted.items()
            if re.fullmatch(r"then-\d{1,3}", name, re.ASCII)
        }
        return {number: choice for number, choice in found.items() if choice}

    def _shown_released(self) -> list[int]:
        return [int(n) for n in self.posted.getlist("released") if re.fullmatch(r"\d{1,3}", n, re.ASCII)]

    def _done(self, outlook: Outlook) -> str:
        said = {
            "move": _("Moved."),
            "cancel": _("Cancelled. The time is free again."),
            "no_show": _("%s did not come.") % self.appointment.patient,
            "attended": _("%s: attended.") % self.appointment.patient,
        }[outlook.change.kind]
        later = [n for n in (*outlook.moved, *outlook.placed) if n > self.scene.number]
        if later:
            said += " " + _("With it: session %s.") % ", ".join(map(str, later))
        if outlook.released:
            said += " " + _("To be booked again: session %s.") % ", ".join(map(str, outlook.released))
        return said

    # What is shown

    def _page(self, outlook: Outlook | None = None, *, status: int = 200) -> HttpResponse:
        movable = self._possible()
        if movable and outlook is None and status == 200:
            outlook = self._outlook()
        offers = self._offers() if movable and not (self.problem and self.proposal is None) else []
        title, button = WORDS[self.kind]
        context = {
            "appointment": self.appointment,
            "patient": self.appointment.patient,
            "day": walltime.day_of(self.appointment.starts_at, self.zone),
            "zone": self.zone,
            "same_day": True,
            "kind": self.kind,
            "title": title,
            "button": button,
            "possible": movable,
            "offers": offers,
            "pick": self.pick,
            "own": self.own,
            "own_shown": "|".join(self.own.values()),
            "own_problem": self.own_problem,
            "people": self._people("practitioner"),
            "rooms": self._people("room"),
            "rule": self.rule if movable else "repeat",
            "missed": self.posted.get("missed", "repeat"),
            "reason": self.posted.get("reason", ""),
            "problem": self.problem,
            "outlook": outlook,
            "rows": self._rows(outlook) if outlook else [],
            "choices": self._choices(outlook) if outlook else [],
            "chosen": outlook.following if outlook else "",
            "default": self.default,
            "seen": self._seen(outlook) if outlook else "",
            "then": self._then(outlook) if outlook else [],
            "outside": outlook.outside if outlook else (),
            "may_override": self.request.user.has_perm(OVERRIDE),
            "outside_reason": self.posted.get("outside_reason", ""),
            "tell": not self.posted or "tell" in self.posted or "telling" not in self.posted,
            "tells": self.kind not in ("missed", "attended") or bool(outlook and (outlook.moved or outlook.released)),
            "key": self.posted.get("key") or uuid4(),
        }
        return render(self.request, "desk/move.html", context, status=status)

    def _possible(self) -> bool:
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

    def _rows(self, outlook: Outlook) -> list[Row]:
        was, is_ = outlook.scene.course.booked, outlook.after.booked
        keys = {choice.practitioner for choice in (*was.values(), *is_.values()) if choice.practitioner}
        names = Resource.objects.in_bulk(keys)

        def row(effect) -> Row:
            number, change = effect.number, effect.change
            before, after = was.get(number), is_.get(number)
            if change == "unchanged" and before != after:
                change = "inside"
            stand = effect.after
            window = stand.window if stand else None
            return Row(
                number=number,
                before=self._local(before) if before else None,
                after=self._local(after) if after and stand else None,
                whom=_name(names, after.practitioner) if after and stand else "",
                change=change,
                words=str(CHANGES[change]),
                window=""
                if window is None
                else _("between %(from)s and %(to)s")
                % {"from": date_format(window.earliest, "D j M"), "to": date_format(window.latest, "D j M Y")},
                lost=number in self.lost or number in outlook.impossible,
            )

        return [row(effect) for effect in outlook.effects]

    def _choices(self, outlook: Outlook) -> list[tuple[str, str]]:
        if not outlook.later:
            return []
        return [(key, str(words)) for key, words in FOLLOWING.items() if key in outlook.change.offers]

    def _then(self, outlook: Outlook) -> list[tuple[int, str]]:
        if outlook.following not in ("shift", "replan"):
            return []
        numbers = [n for n in outlook.after.booked if n in outlook.placed or n > outlook.scene.number]
        return [(n, encode(outlook.after.booked[n])) for n in numbers]

    def _seen(self, outlook: Outlook) -> str:
        """Which question the shown consequences answer."""
        change = outlook.change
        where = encode(change.choice) if change.choice else f"{change.kind}{change.forfeit}"
        return f"{where}:{outlook.following}"

    def _local(self, choice: Choice) -> datetime:
        """Without a zone: a template would turn it into another zone's otherwise."""
        return walltime.from_minutes(choice.start).astimezone(self.zone).replace(tzinfo=None)


def _name(resources: Mapping[int, Resource], key) -> str:
    resource = resources.get(key)
    return resource.name if resource else ""


def _key(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return uuid4()
