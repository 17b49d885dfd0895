"""Which add-ons a session has, beyond those that its series includes in each."""

from collections.abc import Collection, Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from patients.errors import Refused
from treatments.models import Series, Session, SessionState
from treatments.terms import Terms


class AddOnNotOffered(Refused):
    """The terms of the series do not offer this add-on, or the session cannot be changed any more."""


def chosen(terms: Terms, names: Collection[str]) -> tuple[str, ...]:
    """`names`, each once, in the order of the terms. What is included need not be named, and is not kept.

    Raises AddOnNotOffered for what is not among the terms.
    """
    offered = [add_on.name for add_on in terms.choosable]
    for name in names:
        if name not in offered and name not in terms.included:
            raise AddOnNotOffered(_("“%s” is not among the add-ons of this course.") % name)
    return tuple(name for name in offered if name in names)


@transaction.atomic
def choose(*, series: Series, add_ons: Mapping[int, Collection[str]]) -> None:
    """Keep for each session, by number, its add-ons. Raises AddOnNotOffered, also for one that is recorded already."""
    series = Series.objects.select_for_update(no_key=True).get(pk=series.pk)
    sessions = {session.number: session for session in series.sessions.filter(number__in=list(add_ons))}
    changed = []
    for number, names in add_ons.items():
        wanted, session = list(chosen(series.terms, names)), sessions.get(number)
        if session is None or session.add_ons == wanted:
            continue
        if session.state != SessionState.PLANNED:
            raise AddOnNotOffered(_("Session %d is recorded already; its add-ons stay as they were.") % number)
        session.add_ons = wanted
        changed.append(session)
    Session.objects.bulk_update(changed, ["add_ons"])


@transaction.atomic
def forget_unknown(*, series: Series, but: Collection[int] = ()) -> None:
    """Give up what the terms of `series` offer no more, of planned sessions except those with the numbers in `but`."""
    offered = {add_on.name for add_on in series.terms.choosable}
    planned = series.sessions.filter(state=SessionState.PLANNED).exclude(number__in=list(but))
    changed = []
    for session in planned:
        kept = [name for name in session.add_ons if name in offered]
        if kept != session.add_ons:
            session.add_ons = kept
            changed.append(session)
    Session.objects.bulk_update(changed, ["add_ons"])
