"""The sessions of a proposal as the page shows them: where each could be, where it is, and what else is free."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic import walltime
from clinic.forms.choices import encode
from clinic.planning import Choice, PlannedSession
from clinic.services import other_treatments, why
from clinic.services.course import Proposal

REASONS = {
    "beyond": gettext_lazy("beyond the days that are planned so far"),
    "past": gettext_lazy("the window has passed"),
    "full": gettext_lazy("nothing is free in this window"),
    "wishes": gettext_lazy("free only when the patient cannot come"),
    "later": gettext_lazy("free, but a later session would lose its place"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One session of the proposal, as the page shows it."""

    number: int
    session: PlannedSession
    when: datetime | None
    with_whom: str
    where: str
    encoded: str
    pinned: bool
    booked: bool
    reason: str
    window_text: str
    alternatives: list[tuple[str, datetime, str]]
    earliest: float
    ideal: float
    latest: float
    chosen: float | None
    label: str
    changed: bool
    just_chosen: bool
    minutes: int
    add_ons: tuple[str, ...]
    why: str
    near: str
    boxes: tuple[str, str]

    @property
    def shown(self) -> str:
        return "T".join(self.boxes)


def rows(
    proposal: Proposal,
    *,
    pinned: Collection[int],
    just_chosen: int | None,
    lost: Collection[int],
    boxes: Callable[[int, datetime | None], tuple[str, str]],
) -> list[Row]:
    """The sessions of a proposal, in order.

    `pinned` are those that the desk has settled, `lost` those whose time somebody else took; `boxes` gives the date and
    time that stand beside a session.
    """
    zone = proposal.order.site.time_zone
    sessions = [session for _number, session in proposal]
    first = min(min(session.window.earliest, _day(session)) for session in sessions).toordinal()
    last = max(max(session.window.latest, _day(session)) for session in sessions).toordinal()
    near = other_treatments.warnings(proposal.course, {n: s.choice.day for n, s in proposal if s.choice})

    def place(day: date) -> float:
        return round(2 + 96 * (day.toordinal() - first) / max(last - first, 1), 2)

    def row(number: int, session: PlannedSession) -> Row:
        choice, booked = session.choice, number in proposal.course.booked
        others = [] if booked else proposal.alternatives(number)
        return Row(
            number=number,
            session=session,
            when=moment(choice, zone) if choice else None,
            with_whom=_named(proposal, choice and choice.practitioner),
            where=", ".join(name for name in [_named(proposal, key) for key in (choice.room, *choice.devices)] if name)
            if choice
            else "",
            encoded=encode(choice) if choice else "",
            pinned=number in pinned and not booked,
            booked=booked,
            reason=str(REASONS.get(session.reason, "")),
            window_text=_window_text(session),
            alternatives=[
                (encode(other), moment(other, zone), _named(proposal, other.practitioner)) for other in others
            ],
            earliest=place(session.window.earliest),
            ideal=place(session.window.ideal),
            latest=place(session.window.latest),
            chosen=place(choice.day) if choice else None,
            label=_label(session, is_first=number == 1),
            changed=number in lost,
            just_chosen=number == just_chosen,
            boxes=boxes(number, moment(choice, zone) if choice else None),
            minutes=sum(phase.minutes for phase in proposal.course.visit(number)),
            add_ons=proposal.course.add_ons.get(number, ()),
            why="" if booked or number in pinned or number == 1 else why.words(proposal, number),
            near=near.get(number, ""),
        )

    return [row(number, session) for number, session in proposal]


def _day(session: PlannedSession) -> date:
    return session.choice.day if session.choice else session.window.ideal


def moment(choice: Choice, zone) -> datetime:
    """The site's wall clock, without a zone: a template would turn it into another zone's otherwise."""
    return walltime.from_minutes(choice.start).astimezone(zone).replace(tzinfo=None)


def _label(session: PlannedSession, *, is_first: bool) -> str:
    """How the day stands to the ideal one, in words; the first session of a course has no ideal day."""
    if session.choice is None or is_first:
        return ""
    days = (session.choice.day - session.window.ideal).days
    if days == 0:
        return _("Ideal")
    if days < 0:
        words = ngettext("%d day early", "%d days early", -days)
    else:
        words = ngettext("%d day late", "%d days late", days)
    return words % abs(days)


def _named(proposal: Proposal, key) -> str:
    resource = proposal.resources.get(key)
    return resource.name if resource else ""


def _window_text(session: PlannedSession) -> str:
    window = session.window
    return _("between %(from)s and %(to)s") % {
        "from": date_format(window.earliest, "D j M"),
        "to": date_format(window.latest, "D j M Y"),
    }
