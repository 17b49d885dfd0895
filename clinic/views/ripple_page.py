"""What a change does to the later sessions, shown before it is done: the part that all such pages share.

Nothing is stored before the last press, and what is pressed is what was seen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import walltime
from clinic.forms.choices import decode, encode
from clinic.models import Resource
from clinic.planning import Choice
from clinic.services import other_treatments, reaching, ripple
from clinic.services.booking import TimeTaken
from clinic.services.course import OVERRIDE, OutsideWindow
from clinic.services.ripple import Change, Following, NotPossible, Outlook, Scene
from clinic.views import looking
from patients.errors import Refused

FOLLOWING: dict[Following, str] = {
    "only": gettext_lazy("Leave the later sessions where they are"),
    "shift": gettext_lazy("Shift the later sessions by the same number of days"),
    "shift_unbook": gettext_lazy("Shift the others, and leave to book what is not free: session %s"),
    "shift_replan": gettext_lazy("Shift the others, and plan again what is not free: session %s"),
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
    near: str
    lost: bool


class RipplePage:
    """One question about a course. Each page says what the change is, and how it is done."""

    template = ""
    changes = CHANGES
    scene: Scene

    def __init__(self, request: HttpRequest) -> None:
        self.request, self.now, self.posted = request, timezone.now(), request.POST
        self.problem = self.default = ""
        self.lost: tuple[int, ...] = ()
        self.read()

    # What each page says for itself

    def read(self) -> None:
        """The course as it is now, into `scene`; again where somebody else was faster."""
        raise NotImplementedError

    def change(self) -> Change | None:
        """What is asked for; None as long as that is not complete. Raises Refused."""
        raise NotImplementedError

    def carry_out(self, outlook: Outlook, **shown) -> None:
        """Do it. Raises Refused."""
        raise NotImplementedError

    def done(self, outlook: Outlook) -> HttpResponse:
        """Say that it is done, and where to go from here."""
        raise NotImplementedError

    def possible(self) -> bool:
        return True

    def context(self, outlook: Outlook | None) -> dict:
        """What the template shows besides what the change does."""
        raise NotImplementedError

    # Asked and answered

    def answer(self) -> HttpResponse:
        if self.request.method != "POST":
            return self.page()
        outlook = self.outlook()
        if "save" not in self.posted or outlook is None:
            return self.page(outlook, status=422 if "save" in self.posted else 200)
        if self.must_be_seen(outlook) and self.posted.get("seen") != self._seen(outlook):
            self.problem = _("This is what it comes to. Look at it, and press once more.")
            return self.page(outlook, status=422)
        return self._saved(outlook)

    def must_be_seen(self, outlook: Outlook) -> bool:
        return bool(outlook.later)

    def outlook(self, *, fresh: bool = False) -> Outlook | None:
        try:
            change = self.change()
            if change is None:
                return None
            if not fresh and "following" in self.posted and self.posted["following"] != self.posted.get("default"):
                following = self.posted["following"]
                if following in change.offers:
                    self.default = self.posted.get("default", "")
                    return self._look(change, following)
            best = self.best(change)
            self.default = best.following
            # Asked for with a tick, what was still to book is planned with the others.
            return self._look(change, best.following) if best.following == "replan" and self._open_too else best
        except Refused as refusal:
            self.problem = self.problem or str(refusal)
            return None

    @property
    def _open_too(self) -> bool:
        return "open_too" in self.posted

    def _look(self, change: Change, following: Following) -> Outlook:
        return ripple.look(self.scene, change, following, now=self.now, open_too=self._open_too)

    def best(self, change: Change) -> Outlook:
        """With the choice that changes least and breaks nothing."""
        only = ripple.look(self.scene, change, "only", now=self.now)
        if not only.breaks:
            return only
        if "shift" in change.offers:
            shifted = ripple.look(self.scene, change, "shift", now=self.now)
            if not shifted.impossible and not shifted.breaks:
                return shifted
        return ripple.look(self.scene, change, "replan", now=self.now)

    # The last press

    def _saved(self, outlook: Outlook) -> HttpResponse:
        picks: Mapping[int, Choice] | None = None
        if outlook.following not in ("only", "unbook") and not outlook.impossible:
            picks = self.shown_picks()
        try:
            self.carry_out(
                outlook,
                following=outlook.following,
                picks=picks,
                outside_reason=self.posted.get("outside_reason", "").strip()[:200],
                tell="tell" in self.posted,
                by=self.request.user,
                now=self.now,
                key=_uuid(self.posted.get("key", "")),
            )
        except TimeTaken as refusal:
            self.lost = refusal.lost
            self.problem = _("%s Nothing was changed. Look at what is free now, and press once more.") % refusal
            self.read()
            return self.page(self.outlook(fresh=True), status=409)
        except Refused as refusal:
            self.problem = str(refusal)
            self.read()
            blocked = isinstance(refusal, OutsideWindow | NotPossible) or "reason" in self.posted
            return self.page(outlook if blocked else self.outlook(), status=422)
        return self.done(outlook)

    def shown_picks(self) -> dict[int, Choice]:
        found = {
            int(name[5:]): decode(value, self.scene.site)
            for name, value in self.posted.items()
            if re.fullmatch(r"then-\d{1,3}", name, re.ASCII)
        }
        return {number: choice for number, choice in found.items() if choice}

    def shown_released(self) -> list[int]:
        return [int(n) for n in self.posted.getlist("released") if re.fullmatch(r"\d{1,3}", n, re.ASCII)]

    def with_it(self, outlook: Outlook) -> str:
        """What became of the later sessions, in words."""
        said = ""
        later = [n for n in (*outlook.moved, *outlook.placed) if n > self.scene.number]
        if later:
            said += " " + _("With it: session %s.") % ", ".join(map(str, later))
        if outlook.released:
            said += " " + _("To be booked again: session %s.") % ", ".join(map(str, outlook.released))
        return said

    # What is shown

    def page(self, outlook: Outlook | None = None, *, status: int = 200) -> HttpResponse:
        possible = self.possible()
        if possible and outlook is None and status == 200:
            outlook = self.outlook()
        context = {
            "possible": possible,
            "zone": self.scene.site.time_zone,
            "is_course": self.scene.series is not None,
            "reason": self.posted.get("reason", ""),
            "outlook": outlook,
            "rows": self._rows(outlook) if outlook else [],
            "choices": self.choices(outlook) if outlook else [],
            "chosen": outlook.following if outlook else "",
            "default": self.default,
            "open_too": self._open_too,
            "asks_open_too": bool(outlook and outlook.following == "replan" and self._still_open(outlook)),
            "seen": self._seen(outlook) if outlook else "",
            "then": self._then(outlook) if outlook else [],
            "outside": outlook.outside if outlook else (),
            "may_override": self.request.user.has_perm(OVERRIDE),
            "outside_reason": self.posted.get("outside_reason", ""),
            "tell": not self.posted or "tell" in self.posted or "telling" not in self.posted,
            "unwritable": reaching.told_otherwise(self.scene.course.patient),
            "key": self.posted.get("key") or uuid4(),
        } | self.context(outlook)
        # Only now: looking for what is offered may have found that it cannot be.
        context["problem"] = self.problem
        looking.note(self.request, self.scene.course.patient)
        return render(self.request, self.template, context, status=status)

    def _still_open(self, outlook: Outlook) -> list[int]:
        """Later sessions that are to book before and, unless it is ticked, after."""
        booked = self.scene.course.booked
        return [n for n in outlook.after.numbers if n > self.scene.number and n not in booked]

    def _rows(self, outlook: Outlook) -> list[Row]:
        was, is_ = outlook.scene.course.booked, outlook.after.booked
        keys = {choice.practitioner for choice in (*was.values(), *is_.values()) if choice.practitioner}
        names = Resource.objects.in_bulk(keys)
        near = other_treatments.warnings(outlook.after, {n: choice.day for n, choice in is_.items()})

        def row(effect) -> Row:
            number, change = effect.number, effect.change
            before, after = was.get(number), is_.get(number)
            if change == "unchanged" and before != after:
                change = "inside"
            stand = effect.after
            window = stand.window if stand else None
            return Row(
                number=number,
                before=self.local(before) if before else None,
                after=self.local(after) if after and stand else None,
                whom=name_of(names, after.practitioner) if after and stand else "",
                change=change,
                words=str(self.changes[change]),
                window=""
                if window is None
                else _("between %(from)s and %(to)s")
                % {"from": date_format(window.earliest, "D j M"), "to": date_format(window.latest, "D j M Y")},
                near=near.get(number, ""),
                lost=number in self.lost or number in outlook.impossible,
            )

        return [row(effect) for effect in outlook.effects]

    def choices(self, outlook: Outlook) -> list[tuple[str, str]]:
        if not outlook.later:
            return []
        stuck = ", ".join(map(str, outlook.stuck))
        offered = [key for key in FOLLOWING if key in outlook.change.offers and (stuck or not key.startswith("shift_"))]
        return [(key, FOLLOWING[key] % stuck if key.startswith("shift_") else str(FOLLOWING[key])) for key in offered]

    def _then(self, outlook: Outlook) -> list[tuple[int, str]]:
        if outlook.following in ("only", "unbook"):
            return []
        numbers = [n for n in outlook.after.booked if n in outlook.placed or n > outlook.scene.number]
        return [(n, encode(outlook.after.booked[n])) for n in numbers]

    def _seen(self, outlook: Outlook) -> str:
        """Which question the shown consequences answer."""
        change = outlook.change
        where = encode(change.choice) if change.choice else f"{change.kind}{change.forfeit}"
        where += "+".join(change.add_ons)
        return f"{where}:{outlook.following}{self._open_too}"

    def local(self, choice: Choice) -> datetime:
        """Without a zone: a template would turn it into another zone's otherwise."""
        return walltime.from_minutes(choice.start).astimezone(self.scene.site.time_zone).replace(tzinfo=None)


def name_of(resources: Mapping[int, Resource], key) -> str:
    resource = resources.get(key)
    return resource.name if resource else ""


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return uuid4()
