"""Accounts of the people who work here."""

import secrets

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils.translation import gettext as _

from patients.errors import Refused
from patients.services import refuse_taken, use_address


class StaffError(Refused):
    """What was asked for cannot be done with this account."""


def check(*, person: User, email: str, role: Group | None, active: bool, by: User) -> None:
    """Raises AccountNotPossible where another account signs in with `email`, and StaffError where the role is missing
    or somebody would change their own or shut themselves out."""
    refuse_taken(email, except_for=person if person.pk else None)
    if role is None and not person.is_superuser:
        raise StaffError(_("Choose what this person does here."))
    if person.pk == by.pk and (not active or role != person.groups.first()):
        raise StaffError(_("Your own role, and whether you may sign in, is for somebody else to change."))


@transaction.atomic
def keep(*, person: User, role: Group | None) -> User:
    """Store `person` as one of the staff, with one role; none is for superusers. What they do is checked before.

    Their e-mail address is what they sign in with, at first by a code sent to it.
    """
    person.email = person.email.lower()
    person.is_staff = True
    if person.pk is None:
        # Nobody types it, and the address may change.
        person.username = f"s-{secrets.token_hex(8)}"
        person.set_unusable_password()
    person.save()
    person.groups.set([role] if role else [])
    if not person.emailaddress_set.filter(email=person.email, verified=True, primary=True).exists():
        use_address(person, person.email)
    return person


def take_second_factor(*, person: User) -> None:
    """For a phone that is lost: `person` signs in without, until they set up a new one."""
    Authenticator.objects.filter(user=person).delete()
