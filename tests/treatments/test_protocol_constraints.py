"""What contradicts itself cannot be stored, by whatever path it comes."""

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction

from treatments import terms
from treatments.models import (
    AddOn,
    CareInstruction,
    Concern,
    DeviceKind,
    MaintenanceRule,
    Milestone,
    Override,
    Phase,
    Protocol,
    ProtocolAddOn,
    ScreeningQuestion,
    Treatment,
    choices,
)

pytestmark = pytest.mark.django_db

OURS = [Protocol, Override, Phase, MaintenanceRule, ProtocolAddOn, CareInstruction, Milestone, ScreeningQuestion]


def make(model, **fields):
    """A row of `model` that would be good but for `fields`."""
    if model is Protocol:
        treatment = Treatment.objects.get_or_create(name="Microneedling")[0]
        return Protocol.objects.create(**{"name": "Another", "treatment": treatment} | fields)
    protocol = Protocol.objects.filter(name="Six").first() or make(Protocol, name="Six")
    good = {
        Override: {"name": "For scars", "replaces": choices.Group.values},
        Phase: {"name": "Needling", "minutes": 45, "occupies_room": True},
        MaintenanceRule: {"kind": "every"},
        ProtocolAddOn: {"role": "optional"},
        CareInstruction: {"when": "before", "action": "do", "text": "Drink water"},
        Milestone: {"name": "healed"},
        ScreeningQuestion: {"text": "Pregnant?", "effect": "stop"},
    }[model]
    if model is ProtocolAddOn:
        good = good | {"add_on": AddOn.objects.get_or_create(name="PRP")[0]}
    return model.objects.create(**{"protocol": protocol} | good | fields)


def spaced(least, ideal, most, unit="week", tolerance=None):
    return {
        "spacing_min": least,
        "spacing_ideal": ideal,
        "spacing_max": most,
        "spacing_unit": unit,
        "tolerance_days": tolerance,
    }


def counted(kind, least=None, most=None, typical=None, text=""):
    return {
        "session_kind": kind,
        "session_min": least,
        "session_max": most,
        "session_typical": typical,
        "session_text": text,
    }


# Of protocols and overrides alike.
COUNTS_AND_SPACINGS = [
    ("session_kind_is_known", counted("some"), "an unknown kind of count"),
    ("has_at_least_one_session", counted("fixed", 0, 0), "no session"),
    ("has_at_least_one_session", counted("range", 0, 3), "from no session"),
    ("fixed_count_is_one_number", counted("fixed", 3, 4), "fixed, two numbers"),
    ("fixed_count_is_one_number", counted("fixed", 3), "fixed, no maximum"),
    ("fixed_count_is_one_number", counted("fixed", None, 3), "fixed, no minimum"),
    ("fixed_count_is_one_number", counted("fixed"), "fixed, no number"),
    ("range_runs_upwards", counted("range", 6, 4), "a range downwards"),
    ("range_runs_upwards", counted("range", 4, 4), "a range of one number"),
    ("range_runs_upwards", counted("range", 4), "a range without end"),
    ("range_runs_upwards", counted("range", None, 6), "a range without beginning"),
    ("count_in_words_has_words", counted("words"), "in words, no words"),
    ("numbers_only_where_counted", counted("words", 3, 3, text="a few"), "in words, with numbers"),
    ("numbers_only_where_counted", counted("words", typical=3, text="a few"), "in words, with a typical number"),
    ("numbers_only_where_counted", counted("open_ended", 3), "open-ended, with a minimum"),
    ("numbers_only_where_counted", counted("unknown", None, 3), "not said, with a maximum"),
    ("typical_count_in_range", counted("range", 4, 6, 3), "typical below the range"),
    ("typical_count_in_range", counted("range", 4, 6, 7), "typical above the range"),
    ("spacing_unit_is_known", spaced(4, None, 6, "year"), "an unknown unit"),
    ("spacing_whole_or_empty", spaced(4, None, 6, ""), "spacing without unit"),
    ("spacing_whole_or_empty", spaced(4, None, None), "spacing without maximum"),
    ("spacing_whole_or_empty", spaced(None, None, 6), "spacing without minimum"),
    ("spacing_whole_or_empty", spaced(None, 5, None, ""), "an ideal alone"),
    ("spacing_whole_or_empty", spaced(None, None, None, "week"), "a unit alone"),
    ("spacing_whole_or_empty", spaced(None, None, None, "", 3), "a tolerance alone"),
    ("sessions_on_different_days", spaced(0, None, 6), "two sessions on one day"),
    ("spacing_in_order", spaced(6, None, 4), "minimum above maximum"),
    ("spacing_in_order", spaced(4, 3, 6), "ideal below minimum"),
    ("spacing_in_order", spaced(4, 7, 6), "ideal above maximum"),
]

REFUSED = [
    *(
        (model, f"{model.__name__.lower()}_{name}", fields, id_)
        for model in (Protocol, Override)
        for name, fields, id_ in COUNTS_AND_SPACINGS
    ),
    (Protocol, "protocol_status_is_known", {"status": "deleted"}, "an unknown status"),
    (Protocol, "protocol_anaesthesia_is_known", {"anaesthesia": "general"}, "an unknown anaesthesia"),
    (Protocol, "protocol_no_show_is_known", {"no_show": "charge"}, "an unknown no-show rule"),
    (Protocol, "protocol_severity_is_known", {"severity": "bad"}, "an unknown severity"),
    (Protocol, "protocol_versions_start_at_one", {"version": 0}, "version zero"),
    (
        Protocol,
        "protocol_other_treatments_on_different_days",
        {"other_treatments_days": 0},
        "another treatment on the same day",
    ),
    (Override, "override_severity_is_known", {"severity": "bad"}, "an unknown severity"),
    (Override, "override_anaesthesia_is_known", {"anaesthesia": "general"}, "an unknown anaesthesia"),
    (Override, "override_depth_in_order", {"depth_min_mm": 2, "depth_max_mm": 1}, "depth backwards"),
    (Override, "override_depth_above_zero", {"depth_min_mm": 0}, "no depth at all"),
    (Override, "override_depth_above_zero", {"depth_max_mm": 0}, "up to no depth"),
    (Override, "override_replaces_known_groups", {"replaces": ["price"]}, "replaces what there is not"),
    (Override, "override_says_only_what_it_replaces", counted("fixed", 3, 3) | {"replaces": []}, "a count unasked"),
    (Override, "override_says_only_what_it_replaces", counted("unknown", text="?") | {"replaces": []}, "words unasked"),
    (
        Override,
        "override_says_only_what_it_replaces",
        spaced(4, None, 6) | {"replaces": ["sessions"]},
        "spacing unasked",
    ),
    (
        Override,
        "override_says_only_what_it_replaces",
        {"anaesthesia": "none", "replaces": ["spacing"]},
        "anaesthesia unasked",
    ),
    (Phase, "phase_of_a_treatment_or_of_a_protocol", {"protocol": None}, "of nothing"),
    (Phase, "phase_takes_time", {"minutes": 0}, "no minutes"),
    (Phase, "phase_occupies_something", {"occupies_room": False}, "attended by nobody and nothing"),
    (MaintenanceRule, "maintenancerule_kind_is_known", {"kind": "sometimes"}, "an unknown kind"),
    (MaintenanceRule, "maintenancerule_unit_is_known", {"unit": "year"}, "an unknown unit"),
    (MaintenanceRule, "maintenancerule_at_least_one_unit", {"min": 0, "unit": "month"}, "every no months"),
    (MaintenanceRule, "maintenancerule_numbers_in_order", {"min": 12, "max": 6, "unit": "month"}, "numbers backwards"),
    (MaintenanceRule, "maintenancerule_numbers_in_order", {"max": 6, "unit": "month"}, "a maximum alone"),
    (MaintenanceRule, "maintenancerule_number_has_a_unit", {"min": 6}, "a number of what"),
    (MaintenanceRule, "maintenancerule_per_year_says_how_often", {"kind": "per_year"}, "a year, how often"),
    (MaintenanceRule, "maintenancerule_at_most_daily", {"kind": "per_year", "times_per_year": 0}, "never a year"),
    (MaintenanceRule, "maintenancerule_at_most_daily", {"kind": "per_year", "times_per_year": 366}, "twice on a day"),
    *(
        (MaintenanceRule, "maintenancerule_numbers_only_where_counted", {"kind": kind} | fields, f"{kind} with {id_}")
        for kind in ("home_care", "individual", "none", "unspecified")
        for fields, id_ in (
            ({"min": 6, "unit": "month"}, "a number"),
            ({"unit": "month"}, "a unit"),
            ({"times_per_year": 2}, "times a year"),
        )
    ),
    (ProtocolAddOn, "protocoladdon_role_is_known", {"role": "forbidden"}, "an unknown role"),
    (CareInstruction, "careinstruction_when_is_known", {"when": "during"}, "an unknown when"),
    (CareInstruction, "careinstruction_action_is_known", {"action": "maybe"}, "an unknown action"),
    (CareInstruction, "careinstruction_unit_is_known", {"offset": 1, "unit": "year"}, "an unknown unit"),
    (
        CareInstruction,
        "careinstruction_bound_is_known",
        {"offset": 1, "unit": "day", "bound": "about"},
        "an unknown bound",
    ),
    (CareInstruction, "careinstruction_offset_has_a_unit", {"offset": 72}, "a number of what"),
    (CareInstruction, "careinstruction_offset_has_a_unit", {"unit": "hour"}, "a unit alone"),
    (CareInstruction, "careinstruction_bound_has_something_to_bind", {"bound": "at_least"}, "at least what"),
    (CareInstruction, "careinstruction_repeats_hourly_at_most", {"repeat_hours": 0}, "repeated without pause"),
    (Milestone, "milestone_kind_is_known", {"kind": "party"}, "an unknown kind"),
    (Milestone, "milestone_days_in_order", {"min_days": 14, "max_days": 7}, "days backwards"),
    (ScreeningQuestion, "screeningquestion_effect_is_known", {"effect": "shrug"}, "an unknown effect"),
    (ScreeningQuestion, "screeningquestion_answer_lasts_a_day", {"days_valid": 0}, "good for no day"),
]


def broken(error):
    return error.value.__cause__.diag.constraint_name


@pytest.mark.parametrize(
    ("model", "constraint", "fields"),
    [pytest.param(model, name, fields, id=f"{model.__name__}: {id_}") for model, name, fields, id_ in REFUSED],
)
def test_the_database_refuses(model, constraint, fields):
    with pytest.raises(IntegrityError) as error:
        make(model, **fields)

    assert broken(error) == constraint


def test_every_check_is_tried_here():
    # Tried below, each with what it needs.
    apart = {"phase_of_an_override_is_of_its_protocol"}
    checks = {
        constraint.name
        for model in OURS
        for constraint in model._meta.constraints
        if isinstance(constraint, models.CheckConstraint)
    }

    assert checks == {name for _, name, _, _ in REFUSED} | apart
    assert set(OURS) <= set(apps.get_app_config("treatments").get_models())


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        *(
            pytest.param(model, fields, id=f"{model.__name__}: {id_}")
            for model in (Protocol, Override)
            for fields, id_ in [
                (counted("fixed", 1, 1), "one session"),
                (counted("fixed", 5, 5, text="consecutive"), "a fixed number with words"),
                (counted("range", 4, 6), "a range"),
                (counted("range", 4, 6, 4), "typical at its lower end"),
                (counted("range", 4, 6, 6), "typical at its upper end"),
                (counted("words", text="a few"), "words"),
                (counted("open_ended"), "open-ended"),
                (counted("unknown"), "not said"),
                (spaced(1, None, 1, "month", 3), "monthly, give or take"),
                (spaced(4, 4, 6), "ideal at the minimum"),
                (spaced(4, 6, 6), "ideal at the maximum"),
            ]
        ),
        pytest.param(Override, {"depth_min_mm": "0.25", "depth_max_mm": "0.25"}, id="one depth"),
        pytest.param(Override, {"depth_min_mm": "0.25"}, id="from a depth"),
        pytest.param(Override, {"replaces": []}, id="nothing replaced, nothing said"),
        pytest.param(MaintenanceRule, {"unit": "month", "text": "every few months"}, id="months, nobody said how many"),
        pytest.param(MaintenanceRule, {"min": 6, "max": 6, "unit": "month", "times_per_year": 2}, id="both ways"),
        pytest.param(MaintenanceRule, {"min": 6, "unit": "month"}, id="no maximum"),
        pytest.param(MaintenanceRule, {"kind": "per_year", "times_per_year": 365}, id="daily"),
        pytest.param(MaintenanceRule, {"kind": "other_treatment", "text": "other procedures"}, id="no treatment named"),
        pytest.param(CareInstruction, {"bound": "range", "offset_text": "weeks to months"}, id="how long, in words"),
        pytest.param(Milestone, {"max_months": 2}, id="months only"),
        pytest.param(Milestone, {"min_days": 7, "max_days": 7}, id="on one day"),
    ],
)
def test_the_database_takes_all_that_can_be_said(model, fields):
    row = make(model, **fields)

    row.refresh_from_db()
    row.validate_constraints()


def test_a_contradiction_is_told_in_words_before_it_reaches_the_database():
    protocol = make(Protocol)
    protocol.session_kind, protocol.session_min, protocol.session_max = "range", 6, 4

    with pytest.raises(ValidationError, match="A range of sessions needs a minimum below its maximum"):
        protocol.validate_constraints()


# --- whose a row is


def test_a_phase_of_a_treatment_and_of_a_protocol_is_refused():
    with pytest.raises(IntegrityError) as error:
        make(Phase, treatment=Treatment.objects.create(name="Peel"))

    assert broken(error) == "phase_of_a_treatment_or_of_a_protocol"


def test_a_phase_of_an_override_is_of_a_protocol():
    override = make(Override)

    with pytest.raises(IntegrityError) as error:
        make(Phase, protocol=None, treatment=override.protocol.treatment, override=override)

    assert broken(error) == "phase_of_an_override_is_of_its_protocol"


@pytest.mark.parametrize("model", [Phase, MaintenanceRule, ProtocolAddOn], ids=lambda model: model.__name__)
def test_a_row_of_an_override_belongs_to_the_protocol_of_that_override(model):
    override = make(Override)
    other = make(Protocol, name="Other")

    make_and_check(model, override=override)

    with pytest.raises(IntegrityError) as error:
        make_and_check(model, override=override, protocol=other)
    assert broken(error) == f"{model.__name__.lower()}_override_of_same_protocol"


@transaction.atomic
def make_and_check(model, **fields):
    make(model, **fields)
    check_now()


def check_now():
    """Foreign keys are checked at the end of the transaction, which a test does not reach."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def test_a_protocol_goes_with_all_its_rows():
    override = make(Override)
    for model in (Phase, MaintenanceRule, ProtocolAddOn):
        make(model)
        make(model, override=override)
    for model in (CareInstruction, Milestone, ScreeningQuestion):
        make(model)

    override.protocol.delete()

    check_now()
    assert not any(model.objects.exists() for model in OURS)


# --- names


@pytest.mark.parametrize("model", [Treatment, DeviceKind, Concern, AddOn], ids=lambda model: model.__name__)
def test_a_name_in_the_catalogue_is_unique(model):
    model.objects.create(name="Twice")

    with pytest.raises(IntegrityError, match="_name_"):
        model.objects.create(name="Twice")


def test_the_name_of_a_protocol_is_unique():
    make(Protocol, name="Twice")

    with pytest.raises(IntegrityError, match="treatments_protocol_name_"):
        make(Protocol, name="Twice")


def test_a_library_key_is_unique_where_there_is_one():
    make(Protocol, name="Ours")
    make(Protocol, name="Ours, too")
    make(Protocol, name="Built in", library_key="series")

    with pytest.raises(IntegrityError, match="treatments_protocol_library_key_"):
        make(Protocol, name="Built in again", library_key="series")


def test_the_name_of_an_override_is_unique_in_its_protocol():
    make(Override, name="For scars")
    make(Override, name="For scars", protocol=make(Protocol, name="Other"))

    with pytest.raises(IntegrityError) as error:
        make(Override, name="For scars")
    assert broken(error) == "override_name_unique_in_protocol"


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(lambda: make(Protocol).treatment, id="treatment of a protocol"),
        pytest.param(lambda: make(ProtocolAddOn).add_on, id="add-on of a protocol"),
        pytest.param(
            lambda: make(MaintenanceRule, treatment=Treatment.objects.create(name="Peel")).treatment,
            id="treatment of a maintenance rule",
        ),
        pytest.param(
            lambda: make(Phase, device_kind=DeviceKind.objects.create(name="Pen")).device_kind, id="device of a phase"
        ),
    ],
)
def test_what_a_protocol_names_cannot_be_deleted(point):
    with pytest.raises(models.ProtectedError):
        point().delete()


# --- one language


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        (choices.CountKind, terms.CountKind),
        (choices.Unit, terms.Unit),
        (choices.CareUnit, terms.CareUnit),
        (choices.Anaesthesia, terms.Anaesthesia),
        (choices.NoShow, terms.NoShow),
        (choices.Role, terms.Role),
        (choices.RuleKind, terms.RuleKind),
        (choices.When, terms.When),
        (choices.Action, terms.Action),
        (choices.Bound, terms.Bound),
        (choices.Effect, terms.Effect),
        (choices.MilestoneKind, terms.MilestoneKind),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_the_words_that_are_stored_are_those_of_the_terms(stored, value):
    assert set(stored.values) == set(value.__args__)
