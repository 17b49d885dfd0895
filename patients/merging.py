"""Two records of one patient become one: who it is, how to reach them, what they agreed to, how they sign in.

What other apps keep about a patient is carried by them, in the same transaction; see what is built on this.
"""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from patients.models import Channel, Consent, Patient
from patients.services import PatientError, refuse_taken, use_address

# Where the two differ, whoever merges says which of them holds. A name is one thing.
CHOSEN = {
    "name": ["given_name", "family_name"],
    "date_of_birth": ["date_of_birth"],
    "email": ["email"],
    "phone": ["phone"],
    "language": ["language"],
    "time_zone": ["time_zone"],
}
# The notes are joined. These stay with their record, which is kept; an account goes to the record that stays.
JOINED = ["notes"]
STAYS = [
    "reference",
    "first_channel",
    "registered_at",
    "registered_by",
    "merged_into",
    "merged_at",
    "merged_by",
    "user",
]
SOURCE = "merge"
Asked = tuple[str, str]


class NotMergeable(PatientError):
    """These two records cannot become one, or not yet."""


def lock(*, kept: Patient, other: Patient) -> tuple[Patient, Patient]:
    """Both as they are now, locked by key until the transaction ends, so that rivals wait instead of deadlocking.

    Raises NotMergeable where they are one record, or one was merged already.
    """
    rows = Patient.objects.select_for_update(no_key=True).order_by("pk")
    locked = {patient.pk: patient for patient in rows.filter(pk__in=[kept.pk, other.pk])}
    if len(locked) < 2:
        raise NotMergeable(_("This is the same record twice. Choose another."))
    if any(patient.merged_into_id for patient in locked.values()):
        raise NotMergeable(_("One of the two was merged a moment ago. Look for the patient once more."))
    return locked[kept.pk], locked[other.pk]


def merge(*, kept: Patient, other: Patient, take: Mapping[str, str], by: User, now: datetime) -> None:
    """Make `kept` the record of both, in the caller's transaction, which has locked them.

    `take` says "other" for each of CHOSEN that `other` has right; the rest stays as `kept` has it. `other` keeps all
    that it said, and from now on leads to `kept`. Raises NotMergeable, or AccountNotPossible for an address to sign in
    with that cannot be used.
    """
    values = after(kept, other, take)
    _one_account(kept, other, email=values["email"])
    _agree(kept, other, values=values, by=by, now=now)
    Patient.objects.filter(merged_into=other).update(merged_into=kept)
    other.merged_into, other.merged_at, other.merged_by = kept, now, by
    other.save(update_fields=["merged_into", "merged_at", "merged_by", "user"])
    for name, value in values.items():
        setattr(kept, name, value)
    kept.save(update_fields=[*values, "user"])


def after(kept: Patient, other: Patient, take: Mapping[str, str]) -> dict:
    """What the record that stays will say."""
    values = {
        name: getattr(other if take.get(choice) == "other" else kept, name)
        for choice, names in CHOSEN.items()
        for name in names
    }
    mine, theirs = kept.notes.strip(), other.notes.strip()
    return values | {"notes": mine if theirs in mine else f"{mine}\n{theirs}".strip()}


def stricter(mine: Mapping[Asked, bool], theirs: Mapping[Asked, bool]) -> dict[Asked, bool]:
    """What has to be recorded of `mine` so that the stricter of both answers holds; nothing where it does already.

    A question that only one record was asked has that answer.
    """
    return {asked: said for asked, said in theirs.items() if asked not in mine or (mine[asked] and not said)}


def to_record(kept: Patient, other: Patient) -> list[Consent]:
    """The words of `other` that will hold for both."""
    theirs = {_asked(word): word for word in _words(other)}
    new = stricter({_asked(word): word.granted for word in _words(kept)}, {a: w.granted for a, w in theirs.items()})
    return [theirs[asked] for asked in sorted(new)]


def _agree(kept: Patient, other: Patient, *, values: dict, by: User, now: datetime) -> None:
    reachable = {Channel.EMAIL: values["email"], Channel.SMS: values["phone"]}
    Consent.objects.bulk_create(
        Consent(
            patient=kept,
            purpose=word.purpose,
            channel=word.channel,
            granted=word.granted,
            wording=word.wording,
            source=SOURCE,
            given_at=now,
            recorded_by=by,
        )
        for word in to_record(kept, other)
        if not word.granted or reachable[Channel(word.channel)]
    )


def _words(patient: Patient) -> QuerySet[Consent]:
    return patient.consents.in_force()


def _asked(word: Consent) -> Asked:
    return word.purpose, word.channel


def _one_account(kept: Patient, other: Patient, *, email: str) -> None:
    """The account of `kept` stays, else that of `other`; a second one is shut. It signs in with `email`."""
    account = kept.user or other.user
    if account is None:
        return
    if not email:
        raise NotMergeable(_("This patient signs in by e-mail: choose the record that has an address."))
    if kept.user is not None and other.user is not None:
        _shut(other.user)
    elif kept.user is None:
        # An account belongs to one record at a time, so it leaves the one before it comes to the other.
        other.user = None
        other.save(update_fields=["user"])
        kept.user = account
    if not account.emailaddress_set.filter(email=email.lower(), verified=True).exists():
        refuse_taken(email, except_for=account)
        User.objects.filter(pk=account.pk).update(email=email.lower())
        use_address(account, email)


def _shut(account: User) -> None:
    """Nobody signs in with it any more, and its address is free. What was done with it keeps its name."""
    if account.is_staff:
        raise NotMergeable(_("The record that would go signs in with an account of the staff. Keep that record."))
    account.emailaddress_set.all().delete()
    account.is_active, account.email = False, ""
    account.save(update_fields=["is_active", "email"])
