"""Questions before a visit: which are open, what was answered, and what the practitioner has to know of it.

The questions are those of the course's own terms. An answer is the person's: it counts before every visit that asks
the same question, of whichever course, up to its day; the latest of those counts.
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

# What a yes means for the visit; "" where it means nothing, or nobody said yes.
Flag = Literal["stop", "ask", ""]


class NotAnswerable(Refused):
    """There is nothing to answer, or an answer is missing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question before a visit, and the latest answer to it that is good on the day of the visit.

    `open`: to be answered now. `open_from`: to be answered from that day on, because an answer is not good for so long
    that it could be given earlier.
    """

    question: ScreeningQuestion
    answer: ScreeningAnswer | None
    open: bool
    open_from: date | None

    @property
    def flag(self) -> Flag:
        """The graver of what a yes means here, and of what it meant where it was said."""
        if self.answer is None or not self.answer.yes:
            return ""
        effects = (self.question.effect, self.answer.effect)
        return "stop" if "stop" in effects else "ask" if "ask" in effects else ""


@dataclass(frozen=True, slots=True)
class State:
    """What is known before a visit that asks something: the gravest answer, and what is still to be answered.

    `open` now; `open_from`, the first day on which another question can be answered. `answered`: some are.
    """

    flag: Flag = ""
    open: bool = False
    open_from: date | None = None
    answered: bool = False


def series_of(visit: Appointment) -> Series | None:
    """The course whose questions are asked before `visit`."""
    if visit.session is not None:
        return visit.session.series
    if visit.maintenance is not None and visit.treatment_id == visit.maintenance.series.protocol.treatment_id:
        return visit.maintenance.series
    return None


def before(visit: Appointment, *, now: datetime) -> list[Asked]:
    """The questions before `visit`, in the order of the terms."""
    series = series_of(visit)
    questions = series.terms.screening if series else ()
    if not questions:
        return []
    zone = visit.site.time_zone
    answers = ScreeningAnswer.objects.filter(series__patient=visit.patient_id)
    return _asked(questions, answers, day=walltime.day_of(visit.starts_at, zone), today=walltime.day_of(now, zone))


def _same(question: str) -> str:
    """A question is known by its words, and protocols are typed by people."""
    return " ".join(question.casefold().split())


def _asked(
    questions: Sequence[ScreeningQuestion], answers: Iterable[ScreeningAnswer], *, day: date, today: date
) -> list[Asked]:
    good = {
        _same(answer.question): answer
        for answer in sorted(answers, key=lambda answer: (answer.answered_at, answer.pk))
        if answer.answered_on <= day and (answer.good_until is None or day <= answer.good_until)
    }
    return [_one(question, good.get(_same(question.text)), day, today) for question in questions]


def _one(question: ScreeningQuestion, answer: ScreeningAnswer | None, day: date, today: date) -> Asked:
    first = day - timedelta(days=question.days_valid) if question.days_valid else None
    # Where it was answered an answer may last longer than here: what it flags still does, and it is asked again.
    lasts = answer is not None and (first is None or answer.answered_on >= first)
    early = first is not None and today < first
    return Asked(question, answer, open=not lasts and not early, open_from=first if early and not lasts else None)


def state(asked: Sequence[Asked]) -> State | None:
    """What the practitioner has to know, and what the patient has to do; None where nothing is asked."""
    if not asked:
        return None
    flags = {one.flag for one in asked}
    return State(
        flag="stop" if "stop" in flags else "ask" if "ask" in flags else "",
        open=any(one.open for one in asked),
        open_from=min((one.open_from for one in asked if one.open_from), default=None),
        answered=any(not one.open and one.open_from is None for one in asked),
    )


def states(visits: Iterable[int], *, now: datetime) -> dict[int, State]:
    """The state of each of these visits (by key) that asks something. Two queries, however many they are."""
    rows = (
        Appointment.objects.filter(pk__in=list(visits), status__in=LIVE)
        .order_by()
        .annotate(
            asked=Coalesce("session__series__terms_json__screening", "maintenance__series__terms_json__screening"),
            # Another treatment than the course's has none of its questions.
            other=~Q(maintenance__series__protocol__treatment=F("treatment")) & Q(maintenance__isnull=False),
        )
        .values_list("pk", "patient_id", "starts_at", "site__time_zone", "asked", "other")
    )
    asking = [
        (pk, patient, [ScreeningQuestion.from_json(question) for question in asked], starts_at, zone)
        for pk, patient, starts_at, zone, asked, other in rows
        if asked and not other
    ]
    if not asking:
        return {}
    answers: dict[int, list[ScreeningAnswer]] = defaultdict(list)
    patients = {patient for _pk, patient, *_rest in asking}
    for answer in ScreeningAnswer.objects.filter(series__patient__in=patients).annotate(patient=F("series__patient")):
        answers[answer.patient].append(answer)
    found = {}
    for pk, patient, questions, starts_at, zone in asking:
        day, today = walltime.day_of(starts_at, zone), walltime.day_of(now, zone)
        if known := state(_asked(questions, answers[patient], day=day, today=today)):
            found[pk] = known
    return found


def open_now(visits: Iterable[int], *, now: datetime) -> set[int]:
    """Those of these visits before which there is something to answer now."""
    keys = set(visits)
    return {pk for pk, known in states(keys, now=now).items() if known.open} if keys else set()


def flag_words(flag: Flag) -> str:
    """What stands on the card of a visit; empty where there is nothing to say."""
    return {"stop": _("screening: stop"), "ask": _("screening: ask")}.get(flag, "")


@transaction.atomic
def answer(*, visit: Appointment, said: Mapping[str, tuple[bool, str]], by: User, now: datetime) -> State:
    """Keep answers before `visit`: by question, yes or no and a note. Returns what they come to.

    Raises NotAnswerable where nothing is asked, or one that is open is left out. What cannot be answered yet is not
    kept: the answer would not be good any more on the day of the visit.
    """
    series, asked = series_of(visit), before(visit, now=now)
    if series is None or not asked:
        raise NotAnswerable(_("There are no questions before this visit."))
    if any(one.open and one.question.text not in said for one in asked):
        raise NotAnswerable(_("Please answer every question."))
    today = walltime.day_of(now, visit.site.time_zone)
    questions = [one.question for one in asked if one.open_from is None and one.question.text in said]
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
    return state(before(visit, now=now)) or State()
