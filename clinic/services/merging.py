"""Merge two records of one patient without losing anything: what any app keeps of them goes to the one that stays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.models import Appointment, CalendarFeed, CallRequest, Message, MessageState, WorklistNote
from clinic.services.transactions import whole
from patients import merging
from patients.merging import NotMergeable
from patients.models import Patient
from treatments.models import Series

# Every relation to a patient stands in one of these three; a test walks the models, so that none is forgotten.
# What is carried as it is. Sessions, maintenance and answers before visits hang on the series.
CARRIED = [Series, Appointment, Message, WorklistNote]
# What there can be one of; see `_one_of_each`.
SETTLED = [CallRequest, CalendarFeed]
# Who agreed to what and who looked, each under the record it was said of or looked at: neither is ever changed. The
# words that hold for both are said anew by patients.merging. Nor is history changed.
STAYS = ["patients.Consent.patient", "patients.RecordView.patient", "patients.Patient.merged_into"]


@dataclass(slots=True)
class Preview:
    """What merging would do, in sentences; `refusals` say why it cannot be done yet."""

    moves: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


@whole
def merge(*, kept: Patient, other: Patient, take: Mapping[str, str], by: User, now: datetime) -> Patient:
    """Carry all of `other` to `kept`; `other` is kept as it was, and leads there.

    `take` names what `other` has right, as patients.merging.CHOSEN has it. Raises NotMergeable, or AccountNotPossible.
    """
    kept, other = merging.lock(kept=kept, other=other)
    if clashes := _visits_at_once(kept, other):
        raise NotMergeable(" ".join(clashes))
    _one_of_each(kept, other, by=by, now=now)
    try:
        with transaction.atomic():
            for model in CARRIED:
                model._default_manager.filter(patient=other).update(patient=kept)
    except IntegrityError as error:
        # A visit moved meanwhile by somebody who locks the visit and not the patient.
        if error.__cause__.diag.constraint_name != "appointment_patient_in_one_place":
            raise
        raise NotMergeable(_("Both have a visit at the same time. Cancel or move one of them first.")) from error
    merging.merge(kept=kept, other=other, take=take, by=by, now=now)
    return kept


def _one_of_each(kept: Patient, other: Patient, *, by: User, now: datetime) -> None:
    """One call is waited for, the one asked for first; one private calendar, that of `kept` if there is one."""
    waiting = CallRequest.objects.filter(patient__in=[kept, other]).waiting()
    if len(requests := list(waiting)) > 1:
        first, second = requests
        said = "\n".join(filter(None, [first.said, second.said]))
        CallRequest.objects.filter(pk=first.pk).update(said=said)
        CallRequest.objects.filter(pk=second.pk).update(done_at=now, done_by=by)
    CallRequest.objects.filter(patient=other).update(patient=kept)
    if not CalendarFeed.objects.filter(patient=kept).exists():
        # Otherwise it stays, and its address answers nothing: a merged record has no calendar.
        CalendarFeed.objects.filter(patient=other).update(patient=kept)


def preview(*, kept: Patient, other: Patient) -> Preview:
    """What `merge` would do to these two as they are now."""
    return Preview(moves=_moves(other), notices=_notices(kept, other), refusals=_visits_at_once(kept, other))


def _moves(other: Patient) -> list[str]:
    counts = [
        (n := other.series.count(), ngettext("%d course with its maintenance", "%d courses with their maintenance", n)),
        (n := other.appointments.count(), ngettext("%d visit", "%d visits", n)),
        (n := other.messages.count(), ngettext("%d message", "%d messages", n)),
        (n := other.worklist_notes.count(), ngettext("%d note of the worklist", "%d notes of the worklist", n)),
        (n := other.call_requests.count(), ngettext("%d request to call", "%d requests to call", n)),
        (n := other.merged.count(), ngettext("%d record merged before", "%d records merged before", n)),
    ]
    return [words % count for count, words in counts if count]


def _notices(kept: Patient, other: Patient) -> list[str]:
    said = []
    if kept.user_id and other.user_id:
        said.append(_("Both sign in. One account stays, with the e-mail address you choose; the other is shut."))
    elif other.user_id:
        said.append(_("The account to sign in with comes along, with the e-mail address you choose."))
    for word in merging.to_record(kept, other):
        answer = _("yes") if word.granted else _("no")
        words = {"wording": word.wording, "channel": word.get_channel_display(), "answer": answer}
        said.append(_("“%(wording)s” (%(channel)s): %(answer)s, as was said there.") % words)
    twice = set(_under_way(kept)) & set(_under_way(other))
    said += [
        _("Both are in a course of “%s”. Both go on after this: stop the one that is there by mistake.") % name
        for name in sorted(twice)
    ]
    if CallRequest.objects.filter(patient__in=[kept, other]).waiting().count() > 1:
        said.append(_("Both asked to be called. One request stays, the earlier."))
    if CalendarFeed.objects.filter(patient__in=[kept, other]).count() > 1:
        said.append(_("Both have a private calendar. The address of the record that goes will show nothing any more."))
    if waiting := other.messages.filter(state=MessageState.PENDING).count():
        said.append(
            ngettext(
                "%d message that is still to be sent goes to the address you choose, once.",
                "%d messages that are still to be sent go to the address you choose, once each.",
                waiting,
            )
            % waiting
        )
    if other.notes.strip() not in kept.notes:
        said.append(_("The notes of the other are added to those of the record that stays."))
    return said


def _under_way(patient: Patient) -> list[str]:
    return list(patient.series.under_way().values_list("protocol__name", flat=True))


def _visits_at_once(kept: Patient, other: Patient) -> list[str]:
    """A sentence for each visit of `other` during one of `kept`: nobody is in two places."""
    mine = list(kept.appointments.live().values_list("starts_at", "ends_at"))
    theirs = other.appointments.live().select_related("site").order_by("starts_at", "pk")
    return [
        _("Both have a visit on %s. Cancel or move one of them first.")
        % date_format(visit.starts_at.astimezone(visit.site.time_zone), "D j M Y, H:i")
        for visit in theirs
        if any(start < visit.ends_at and visit.starts_at < end for start, end in mine)
    ]
