"""Questions before a visit: which are open, what was answered, and what the practitioner has to know of it.

The questions are those of the course's own terms. An answer is good for the visits up to its day; the latest counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.models import LIVE, Appointment, ScreeningAnswer
from patients.errors import Refused
from treatments.models import Series
from treatments.terms import ScreeningQuestion

# From what stops a visit to what is fine; "" where nothing is asked.
State = Literal["stop", "ask", "missing", "clear", ""]


class NotAnswerable(Refused):
    """There is nothing to answer, or an answer is missing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and its answer where there is one that is good on the day of the visit."""

    question: ScreeningQuestion
    answer: ScreeningAnswer | None

    @property
    def flagged(self) -> bool:
        return self.answer is not None and self.answer.yes and self.answer.effect in ("stop", "ask")


def series_of(visit: Appointment) -> Series | None:
    """The course whose questions are asked before `visit`."""
    if visit.session is not None:
        return visit.session.series
    if visit.maintenance is not None and visit.treatment_id == visit.maintenance.series.protocol.treatment_id:
        return visit.maintenance.series
    return None


def before(visit: Appointment) -> list[Asked]:
    """The questions before `visit`, in the order of the terms."""
    series = series_of(visit)
    questions = series.terms.screening if series else ()
    if series is None or not questions:
        return []
    day = walltime.day_of(visit.starts_at, visit.site.time_zone)
    return _asked(questions, _latest(series.screening_answers.all()), day)


def _latest(answers: Iterable[ScreeningAnswer]) -> dict[str, ScreeningAnswer]:
    return {a.question: a for a in sorted(answers, key=lambda a: (a.answered_at, a.pk))}


def _asked(questions: Sequence[ScreeningQuestion], answers: Mapping[str, ScreeningAnswer], day: date) -> list[Asked]:
    def good(answer: ScreeningAnswer | None) -> ScreeningAnswer | None:
        return answer if answer and (answer.good_until is None or day <= answer.good_until) else None

    return [Asked(question, good(answers.get(question.text))) for question in questions]


def state(asked: Sequence[Asked]) -> State:
    """What the practitioner has to know: the gravest answer first, then that answers are missing."""
    if not asked:
        return ""
    flags = {one.answer.effect for one in asked if one.answer and one.flagged}
    if "stop" in flags:
        return "stop"
    if "ask" in flags:
        return "ask"
    return "missing" if any(one.answer is None for one in asked) else "clear"


def states(visits: Iterable[int]) -> dict[int, State]:
    """The state of each of these visits (by key) that asks something. Two queries, however many they are."""
    rows = (
        Appointment.objects.filter(pk__in=list(visits), status__in=LIVE)
        .order_by()
        .annotate(
            course=Coalesce("session__series", "maintenance__series"),
            asked=Coalesce("session__series__terms_json__screening", "maintenance__series__terms_json__screening"),
            # Another treatment than the course's has none of its questions.
            other=~Q(maintenance__series__protocol__treatment=F("treatment")) & Q(maintenance__isnull=False),
        )
        .values_list("pk", "starts_at", "site__time_zone", "course", "asked", "other")
    )
    asking = {
        pk: (course, [ScreeningQuestion.from_json(question) for question in asked], walltime.day_of(starts_at, zone))
        for pk, starts_at, zone, course, asked, other in rows
        if asked and not other
    }
    if not asking:
        return {}
    answers: dict[int, list[ScreeningAnswer]] = defaultdict(list)
    for answer in ScreeningAnswer.objects.filter(series__in={course for course, _questions, _day in asking.values()}):
        answers[answer.series_id].append(answer)
    return {
        pk: state(_asked(questions, _latest(answers[course]), day)) for pk, (course, questions, day) in asking.items()
    }


def flag_words(found: State | None) -> str:
    """What stands on the card of a visit; empty where there is nothing to say."""
    return {
        "stop": _("screening: stop"),
        "ask": _("screening: ask"),
        "missing": _("screening missing"),
    }.get(found or "", "")


@transaction.atomic
def answer(*, visit: Appointment, said: Mapping[str, tuple[bool, str]], by: User, now: datetime) -> State:
    """Keep the answers to all questions before `visit`: by question, yes or no and a note. Returns what they come to.

    Raises NotAnswerable where nothing is asked or a question is left out.
    """
    series = series_of(visit)
    questions = series.terms.screening if series else ()
    if series is None or not questions:
        raise NotAnswerable(_("There are no questions before this visit."))
    if any(question.text not in said for question in questions):
        raise NotAnswerable(_("Please answer every question."))
    today = walltime.day_of(now, visit.site.time_zone)
    ScreeningAnswer.objects.bulk_create(
        ScreeningAnswer(
            series=series,
            question=question.text,
            effect=question.effect,
            yes=said[question.text][0],
            note=said[question.text][1],
            answered_on=today,
            good_until=today + timedelta(days=question.days_valid) if question.days_valid else None,
            answered_at=now,
            answered_by=by,
        )
        for question in questions
    )
    return state(before(visit))
