"""What two records of one patient come to: the answers that hold, and what the database refuses."""

from itertools import product

import pytest
from django.db import IntegrityError, transaction

from patients import merging
from patients.models import Patient
from tests.world import merged_into

WORDS = [None, False, True]


@pytest.mark.parametrize(("mine", "theirs"), list(product(WORDS, WORDS)))
def test_the_stricter_of_two_answers_holds(mine, theirs):
    """Told differently: sort the answers given, no before yes, and the first is what holds afterwards."""
    asked = ("recall", "email")
    had = {} if mine is None else {asked: mine}
    said = {} if theirs is None else {asked: theirs}

    new = merging.stricter(had, said)

    given = sorted(word for word in (mine, theirs) if word is not None)
    assert (had | new).get(asked) == (given[0] if given else None)
    # What holds already is not said again.
    assert new == {} or new[asked] != mine


def test_every_field_of_a_patient_is_chosen_joined_or_stays():
    chosen = [name for names in merging.CHOSEN.values() for name in names]
    fields = {field.name for field in Patient._meta.concrete_fields if not field.generated and not field.primary_key}

    assert sorted(fields) == sorted([*chosen, *merging.JOINED, *merging.STAYS])


@pytest.mark.parametrize("first", ["the record it was merged into", "the record that was merged"])
def test_no_record_leads_to_one_that_leads_on(world, first):
    a, b, c = world.patient, world.a_patient(), world.a_patient()
    steps = {"the record it was merged into": [(a, b), (b, c)], "the record that was merged": [(b, c), (a, b)]}[first]
    (one, into), (two, then) = steps
    Patient.objects.filter(pk=one.pk).update(**merged_into(into))

    with pytest.raises(IntegrityError, match="merged into a current one"), transaction.atomic():
        Patient.objects.filter(pk=two.pk).update(**merged_into(then))


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        pytest.param(lambda w: merged_into(w.patient), "patient_not_merged_into_itself", id="into itself"),
        pytest.param(lambda w: merged_into(w.a_patient()) | {"merged_by": None}, "patient_merge_recorded", id="nobody"),
        pytest.param(lambda w: {"merged_at": w.patient.registered_at}, "patient_merge_recorded", id="no record"),
    ],
)
def test_the_database_refuses_what_is_no_merge(world, values, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Patient.objects.filter(pk=world.patient.pk).update(**values(world))
