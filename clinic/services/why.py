"""Why a session of a proposal is not on its ideal day, or not as it was wished, in words."""

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.services.course import Proposal
from clinic.why_not import Why, why_not


def words(proposal: Proposal, number: int) -> str:
    """Empty where it is as it should be. Asks the diary that the proposal was made from, and the database nothing."""
    place = proposal.course.numbers.index(number)
    session, request = proposal.plan.sessions[place], proposal.request
    if session.choice is None:
        return ""
    ideal = session.window.ideal
    if session.choice.day != ideal:
        found = why_not(request.diary, request.visits[place], request.wishes, ideal, step=request.step)
        return _("%(day)s: %(why)s") % {"day": date_format(ideal, "D j M"), "why": _why(found, proposal)}
    day = request.diary.day(ideal.toordinal())
    wished = request.wishes
    if wished.practitioner is not None and session.choice.practitioner not in (None, wished.practitioner):
        return _why(why_not(request.diary, request.visits[place], wished, ideal, step=request.step), proposal)
    if day is not None and not wished.at_time(day.clock(session.choice.start)):
        return _("nothing is free at the wished time")
    return ""


def _why(why: Why, proposal: Proposal) -> str:
    who = proposal.resources.get(why.who).name if why.who in proposal.resources else ""
    if who:
        said = {
            "off": _("%s does not work that day"),
            "away": _("%s is away"),
            "full": _("%s is fully booked"),
            "time": _("%s has nothing free at the wished time"),
        }
        if why.cause in said:
            return said[why.cause] % who
    return {
        "past": _("before the first day asked for"),
        "beyond": _("beyond the days that are planned so far"),
        "weekday": _("not one of the wished weekdays"),
        "closure": _("closed, %s") % why.what,
        "shut": _("the clinic is closed that day"),
        "off": _("nobody who gives this treatment works that day"),
        "away": _("everybody who gives this treatment is away"),
        "patient": _("the patient has another visit then"),
        "no_device": _("the clinic has no %s") % why.what,
        "device": _("no %s is free") % why.what,
        "room": _("no room is free"),
        "full": _("fully booked"),
        "time": _("nothing is free at the wished time"),
        "series": _("another day suits the wishes and the other sessions better"),
    }[why.cause]
