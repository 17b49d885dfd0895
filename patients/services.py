"""Register patients, keep their contact details and their consents, and give them an account."""

import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q, TextField, Value
from django.db.models.functions import Cast, Lower
from django.utils.translation import gettext as _
from django.utils.translation import override

from patients.errors import Refused
from patients.models import Channel, Consent, Fold, Patient, Purpose, RecordView

MOST_DUPLICATES = 5


class PatientError(Refused):
    """What was asked for cannot be done with this patient."""


class AccountNotPossible(PatientError):
    """The patient cannot sign in with this address, or at all."""


def wording(purpose: str, channel: str) -> str:
    """The sentence that a patient says yes or no to, in the language that is active."""
    return {
        (Purpose.SERVICE, Channel.EMAIL): _("You may e-mail me about my booked visits."),
        (Purpose.SERVICE, Channel.SMS): _("You may text me about my booked visits."),
        (Purpose.RECALL, Channel.EMAIL): _("You may e-mail me when my next maintenance is due."),
        (Purpose.RECALL, Channel.SMS): _("You may text me when my next maintenance is due."),
        (Purpose.MARKETING, Channel.EMAIL): _("You may e-mail me news and offers."),
        (Purpose.MARKETING, Channel.SMS): _("You may text me news and offers."),
    }[Purpose(purpose), Channel(channel)]


@transaction.atomic
def register(
    *,
    given_name: str,
    family_name: str = "",
    date_of_birth: date | None = None,
    email: str = "",
    phone: str = "",
    language: str,
    first_channel: str = Channel.EMAIL,
    time_zone: ZoneInfo | None = None,
    notes: str = "",
    consents: Iterable[tuple[str, str]] = (),
    source: str = "desk",
    by: User,
    now: datetime,
) -> Patient:
    """Register a patient with the consents (purpose, channel) given at that.

    Duplicates are not looked for: ask `duplicates_of` before. Raises PatientError as `give_consent` does.
    """
    patient = Patient.objects.create(
        given_name=given_name,
        family_name=family_name,
        date_of_birth=date_of_birth,
        email=email,
        phone=phone,
        language=language,
        first_channel=first_channel,
        time_zone=time_zone,
        notes=notes,
        registered_at=now,
        registered_by=by,
    )
    for purpose, channel in consents:
        give_consent(patient=patient, purpose=purpose, channel=channel, source=source, by=by, now=now)
    return patient


@transaction.atomic
def change_contact(
    *,
    patient: Patient,
    given_name: str,
    family_name: str,
    date_of_birth: date | None,
    email: str,
    phone: str,
    language: str,
    first_channel: str,
    time_zone: ZoneInfo | None,
    notes: str,
) -> Patient:
    """Change who a patient is and how to reach them. The address of their account follows their e-mail.

    Raises AccountNotPossible where the patient signs in, and the new address is empty or another account's.
    """
    patient = _locked(patient)
    if patient.user is not None and email.lower() != patient.email.lower():
        if not email:
            raise AccountNotPossible(_("This patient signs in by e-mail, so the address cannot be left empty."))
        refuse_taken(email, except_for=patient.user)
        User.objects.filter(pk=patient.user.pk).update(email=email.lower())
        use_address(patient.user, email)
    values = {
        "given_name": given_name,
        "family_name": family_name,
        "date_of_birth": date_of_birth,
        "email": email,
        "phone": phone,
        "language": language,
        "first_channel": first_channel,
        "time_zone": time_zone,
        "notes": notes,
    }
    for name, value in values.items():
        setattr(patient, name, value)
    patient.save(update_fields=list(values))
    return patient


def give_consent(
    *, patient: Patient, purpose: str, channel: str, source: str, by: User | None, now: datetime
) -> Consent:
    """Record a yes. `by` is None where the patient said it without anybody. Raises PatientError where it is no use."""
    if channel == Channel.EMAIL and not patient.email:
        raise PatientError(_("Enter an e-mail address first: there is none to write to."))
    if channel == Channel.SMS and not patient.phone:
        raise PatientError(_("Enter a phone number first: there is none to text to."))
    return _say(True, patient=patient, purpose=purpose, channel=channel, source=source, by=by, now=now)


def withdraw_consent(
    *, patient: Patient, purpose: str, channel: str, source: str, by: User | None, now: datetime
) -> Consent:
    """Record a no, from now on."""
    return _say(False, patient=patient, purpose=purpose, channel=channel, source=source, by=by, now=now)


def _say(granted: bool, *, patient: Patient, purpose: str, channel: str, source: str, by, now: datetime) -> Consent:
    with override(patient.language):
        sentence = wording(purpose, channel)
    return Consent.objects.create(
        patient=patient,
        purpose=purpose,
        channel=channel,
        granted=granted,
        wording=sentence,
        source=source,
        given_at=now,
        recorded_by=by,
    )


def consent_in_force(patient: Patient, purpose: str, channel: str) -> Consent | None:
    """The latest word of `patient` on this, yes or no; None where nothing was ever said."""
    return patient.consents.filter(purpose=purpose, channel=channel).in_force().first()


@transaction.atomic
def account_at_first_sign_in(*, email: str, now: datetime) -> User | None:
    """The account, made now, of the one patient who has this address; for somebody who asks for a code to sign in.

    None where no patient has it or several do, which is for the desk to settle; where the patient has an account, be it
    closed; and where the address is that of another account, as of somebody who works here.
    """
    # Locked, so that it is this patient's address until the account is made.
    found = list(
        Patient.objects.current()
        .alias(email_lower=Lower("email"))
        .filter(email_lower=email.lower())
        .exclude(email="")
        .order_by("pk")
        .select_for_update(no_key=True, of=["self"])[:2]
    )
    if len(found) != 1:
        return None
    with suppress(AccountNotPossible):
        return create_account(patient=found[0], by=None, now=now)
    return None


@transaction.atomic
def create_account(*, patient: Patient, by: User | None, now: datetime) -> User:
    """Let `patient` sign in, by a code sent to their e-mail address. `by` is None where nobody of the clinic did it.

    Raises AccountNotPossible where the patient has an account, was merged into another or has no e-mail address, or
    where another account has this address.
    """
    patient = _locked(patient)
    if patient.merged_into_id is not None:
        raise AccountNotPossible(_("This record was merged into another. Give access there."))
    if patient.user is not None:
        raise AccountNotPossible(_("This patient has access already."))
    if not patient.email:
        raise AccountNotPossible(_("Enter an e-mail address first: the code to sign in is sent to it."))
    refuse_taken(patient.email)
    # The name is never typed and shows in logs, so it says nothing about the person.
    user = User(username=f"p-{secrets.token_hex(8)}", email=patient.email.lower())
    user.set_unusable_password()
    user.save()
    use_address(user, patient.email)
    patient.user = user
    patient.save(update_fields=["user"])
    return user


def refuse_taken(email: str, *, except_for: User | None = None) -> None:
    """Raises AccountNotPossible where another account signs in with `email`."""
    users = User.objects.filter(Q(email__iexact=email) | Q(emailaddress__email__iexact=email))
    if except_for is not None:
        users = users.exclude(pk=except_for.pk)
    if users.exists():
        raise AccountNotPossible(_("Another account signs in with this e-mail address. Each needs its own."))


def use_address(user: User, email: str) -> None:
    """The only address `user` signs in with. It counts as verified because the clinic vouches for it.

    Raises AccountNotPossible where another account took it in this moment.
    """
    EmailAddress.objects.filter(user=user).delete()
    try:
        # A savepoint, so that a refused row leaves the caller's transaction usable.
        with transaction.atomic():
            EmailAddress.objects.create(user=user, email=email.lower(), verified=True, primary=True)
    except IntegrityError as error:
        raise AccountNotPossible(_("Another account signs in with this e-mail address. Each needs its own.")) from error


def duplicates_of(
    *, given_name: str, family_name: str, date_of_birth: date | None, phone: str, email: str
) -> list[Patient]:
    """Patients who are probably the same person, by name then key.

    The same phone or e-mail; a name alike and the same day of birth; the same name in either order, unless both days
    of birth are known and differ.
    """
    name = Fold(Value(f"{given_name} {family_name}"))
    swapped = Fold(Value(f"{family_name} {given_name}"))
    same = Q(name_folded__in=[name, swapped])
    if date_of_birth is not None:
        same &= Q(date_of_birth=date_of_birth) | Q(date_of_birth=None)
        same |= Q(date_of_birth=date_of_birth, name_folded__trigram_similar=name)
    if phone:
        same |= Q(phone_text=str(phone))
    if email:
        same |= Q(email_lower=email.lower()) & ~Q(email="")
    return list(
        Patient.objects.current()
        .alias(email_lower=Lower("email"), phone_text=Cast("phone", TextField()))
        .filter(same)
        .order_by("name_folded", "pk")[:MOST_DUPLICATES]
    )


def record_view(*, patient: Patient, page: str, by: User, now: datetime) -> None:
    """Keep that `by` looked at the record of `patient`."""
    RecordView.objects.create(patient=patient, user=by, at=now, page=page)


def _locked(patient: Patient) -> Patient:
    return Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
