"""Of two who change one record at once, the second waits and decides by what the first left."""

import pytest
from django.db import transaction

from patients import merging, services
from tests.clinic.test_locks import beside
from tests.world import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_is_given_access_in_that_moment_signs_in_by_the_address_that_holds(world):
    patient = world.patient
    contact = {
        name: getattr(patient, name)
        for name in (
            "given_name",
            "family_name",
            "date_of_birth",
            "phone",
            "language",
            "first_channel",
            "notes",
            "time_zone",
        )
    }

    beside(
        lambda: services.create_account(patient=patient, by=world.desk, now=NOW),
        lambda: services.change_contact(patient=patient, email="new@example.com", **contact),
    )

    patient.refresh_from_db()
    assert (patient.email, patient.user.email) == ("new@example.com", "new@example.com")


@pytest.mark.parametrize("which", ["kept", "other"])
def test_access_given_in_that_moment_comes_along_with_a_merge(world, which):
    kept, other = world.patient, world.a_patient()

    def merge():
        with transaction.atomic():
            both = merging.lock(kept=kept, other=other)
            merging.merge(**dict(zip(("kept", "other"), both, strict=True)), take={}, by=world.desk, now=NOW)

    beside(
        lambda: services.create_account(patient={"kept": kept, "other": other}[which], by=world.desk, now=NOW), merge
    )

    kept.refresh_from_db()
    other.refresh_from_db()
    assert kept.user is not None
    assert (kept.user.email, other.user) == (kept.email, None)
