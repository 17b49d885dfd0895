"""What is missing before a visit, in the words that stand on its card."""

from collections.abc import Sequence
from datetime import date, timedelta

from django.utils.translation import gettext as _

from clinic.services import screening

# Answers are asked for in the week before a visit; further ahead their want is no news.
ANSWERS_MISSED_FROM = timedelta(days=7)


def screening_words(found: screening.State | None, *, day: date, today: date) -> tuple[str, ...]:
    """What is known of the screening before a visit on `day`: what was answered always, want of answers late enough."""
    if found is None:
        return ()
    wanted = found.open and day - today <= ANSWERS_MISSED_FROM
    said = (screening.flag_words(found.flag), _("screening missing") if wanted else "")
    return tuple(filter(None, said))


def words(
    *, reachable: bool, practitioner: str | None, room: str | None, phases: Sequence[dict], screened: Sequence[str]
) -> tuple[str, ...]:
    """`phases` as they were booked; `screened` by screening_words."""
    needs_somebody = any(phase.get("practitioner") for phase in phases)
    needs_a_room = any(phase.get("room") for phase in phases)
    said = (
        _("no phone or e-mail") if not reachable else "",
        _("no practitioner") if needs_somebody and not practitioner else "",
        _("no room") if needs_a_room and not room else "",
        *screened,
    )
    return tuple(filter(None, said))
