"""Each trigger of the database does what it is there for, whatever path a change takes."""

from datetime import time

import pghistory.models
import pgtrigger
import pytest
from django.apps import apps
from django.db import DatabaseError, transaction

from clinic.models import (
    Absence,
    Appointment,
    Closure,
    FreedTime,
    OpeningHours,
    WorkingHours,
)
from patients.models import Patient
from tests.rows import HOUR, make
from tests.test_guards import RAISED
from tests.treatments import test_protocol_constraints as protocols
from treatments.models import (
    CareInstruction,
    Maintenance,
    MaintenanceRule,
    Milestone,
    Override,
    Phase,
    Protocol,
    ProtocolAddOn,
    ScreeningQuestion,
    Series,
    Session,
)

pytestmark = pytest.mark.django_db

OURS = {"patients", "treatments", "clinic"}
TRIGGERS = [(model, trigger) for model, trigger in pgtrigger.registered() if model._meta.app_label in OURS]


def of_kind(said: str) -> list:
    return [
        pytest.param(model, id=model.__name__) for model in dict.fromkeys(m for m, t in TRIGGERS if said in kind(t))
    ]


def kind(trigger) -> str:
    if isinstance(trigger, pgtrigger.Protect):
        return "append only"
    if trigger.name in ("insert_insert", "update_update", "delete_delete"):
        return "history"
    return "constraint" if RAISED.search(str(trigger.func)) else trigger.name


def test_every_trigger_is_of_a_kind_that_is_tried_here():
    assert {kind(trigger) for _model, trigger in TRIGGERS} == {"append only", "history", "constraint", "notes_freed"}


@pytest.mark.parametrize("model", of_kind("append only"))
def test_what_is_never_changed_cannot_be_changed_nor_deleted(world, model):
    if issubclass(model, pghistory.models.Event):
        a_row(model.pgh_tracked_model, world)
        row = model.objects.order_by("-pk").first()
    else:
        row = a_row(model, world)
    rows = model.objects.filter(pk=row.pk)
    field = next(field for field in model._meta.concrete_fields if not field.primary_key).attname

    for change in (lambda: rows.update(**{field: getattr(row, field)}), lambda: rows._raw_delete(rows.db)):
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            change()


def a_row(model, world):
    return protocols.make(model) if model in protocols.OURS else make(model, world)


CHANGES = {
    Patient: {"notes": "Allergic"},
    Series: {"area": "face"},
    Session: {"number": 2},
    Maintenance: {"reason": "asked"},
    Appointment: {"sequence": 1},
    OpeningHours: {"closes": time(13)},
    Closure: {"reason": "holiday"},
    WorkingHours: {"ends": time(13)},
    Absence: {"reason": "ill"},
    Protocol: {"name": "Better"},
    Override: {"name": "For deep scars"},
    Phase: {"minutes": 50},
    MaintenanceRule: {"text": "yearly"},
    ProtocolAddOn: {"position": 9},
    CareInstruction: {"text": "Drink tea"},
    Milestone: {"name": "well"},
    ScreeningQuestion: {"text": "Ill?"},
}


@pytest.mark.parametrize("model", of_kind("history"))
def test_each_change_is_kept_whatever_path_it_takes(world, model):
    rows = model.objects.filter(pk=a_row(model, world).pk)
    [key] = rows.values_list("pk", flat=True)
    rows.update(**CHANGES[model])
    rows._raw_delete(rows.db)

    [events] = [event for event in apps.get_models() if getattr(event, "pgh_tracked_model", None) is model]
    assert list(events.objects.filter(pgh_obj_id=key).order_by("pk").values_list("pgh_label", flat=True)) == [
        "insert",
        "update",
        "delete",
    ]


@pytest.mark.parametrize("model", of_kind("notes_freed"))
def test_what_takes_time_frees_it_when_it_changes_and_when_it_goes(world, model):
    rows = model.objects.filter(pk=make(model, world).pk)
    [(start, end)] = rows.values_list("starts_at", "ends_at")
    rows.update(ends_at=end - HOUR / 2)
    rows._raw_delete(rows.db)

    freed = FreedTime.objects.order_by("pk").values_list("starts_at", "ends_at")
    assert list(freed) == [(start, end), (start, end - HOUR / 2)]
