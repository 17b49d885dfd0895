"""What contradicts itself is refused in words, at the field, and what was typed is still there."""

import pytest
from django.db.models import CheckConstraint

from tests.treatments.admin_form import ADD, add_on_row, an_editor, concern_keys, device_kind, errors, filled, signed_in
from treatments import forms
from treatments.models import (
    CareInstruction,
    MaintenanceRule,
    Milestone,
    Override,
    Phase,
    Protocol,
    ScreeningQuestion,
    Treatment,
)


@pytest.fixture
def client(db):
    return signed_in(an_editor())


@pytest.fixture
def typed(db):
    """A good protocol of six sessions, four to six weeks apart."""
    return {
        "name": "Six",
        "treatment": Treatment.objects.create(name="Microneedling").pk,
        "session_kind": "fixed",
        "session_min": 6,
        "spacing_min": 4,
        "spacing_ideal": 5,
        "spacing_max": 6,
        "spacing_unit": "week",
    }


def override(name, **fields):
    return {"name": name, "session_kind": "unknown", "replaces": ["spacing"], **fields}


def depth(low, high):
    return {"depth_min_mm": low, "depth_max_mm": high}


def test_the_protocol_that_the_refusals_start_from_is_good(client, typed):
    assert client.post(ADD, filled(**typed)).status_code == 302


REFUSED = [
    pytest.param({"session_min": 0}, "session_min", "at least one session", id="no session"),
    pytest.param(
        {"session_kind": "range", "session_min": 0, "session_max": 3},
        "session_min",
        "at least one session",
        id="from no session",
    ),
    pytest.param({"session_min": None}, "session_min", "same minimum and maximum", id="fixed, no number"),
    pytest.param({"session_min": 61}, "session_max", "between 1 and 60", id="sixty-one sessions"),
    pytest.param({"session_max": 7}, "session_min", "same minimum and maximum", id="fixed, two numbers"),
    pytest.param(
        {"session_kind": "range", "session_min": 6, "session_max": 4},
        "session_min",
        "The minimum is above the maximum",
        id="sessions downwards",
    ),
    pytest.param(
        {"session_kind": "range", "session_min": 4, "session_max": 4},
        "session_max",
        "minimum below its maximum",
        id="a range of one number",
    ),
    pytest.param(
        {"session_kind": "range", "session_min": 4, "session_max": 6, "session_typical": 7},
        "session_typical",
        "between minimum and maximum",
        id="typical outside",
    ),
    pytest.param({"session_kind": "words", "session_min": None}, "session_text", "in words", id="words, none"),
    pytest.param(
        {"session_kind": "unknown"}, "session_kind", "Only a fixed number or a range", id="not said, and a number"
    ),
    pytest.param(
        {"session_kind": "open_ended"}, "session_kind", "Only a fixed number or a range", id="open-ended, and a number"
    ),
    pytest.param({"spacing_min": 7}, "spacing_min", "The minimum is above the maximum", id="minimum above maximum"),
    pytest.param(
        {"spacing_min": 5, "spacing_ideal": 4},
        "spacing_min",
        "The minimum is above the ideal",
        id="minimum above ideal",
    ),
    pytest.param({"spacing_ideal": 7}, "spacing_ideal", "The ideal is above the maximum", id="ideal above maximum"),
    pytest.param({"spacing_min": 0}, "spacing_min", "at least one day", id="no time between"),
    pytest.param(
        {"spacing_max": None, "spacing_ideal": None},
        "spacing_unit",
        "minimum, maximum and unit",
        id="spacing without maximum",
    ),
    pytest.param({"spacing_unit": ""}, "spacing_unit", "minimum, maximum and unit", id="spacing without unit"),
    pytest.param(
        {"session_min": 12, "spacing_max": 6},
        "spacing_max",
        "12 sessions so far apart take 462 days, and only 400",
        id="longer than is planned ahead",
    ),
    pytest.param(
        {"session_min": 15, "spacing_min": 1, "spacing_ideal": None, "spacing_max": 1, "spacing_unit": "month"},
        "spacing_max",
        "15 sessions so far apart",
        id="fifteen months",
    ),
    pytest.param(
        {"other_treatments_days": 0},
        "other_treatments_days",
        "greater than or equal to 1",
        id="other treatments at once",
    ),
    pytest.param({"areas": "x" * 61}, "areas", "at most 60", id="a long area"),
    pytest.param({"name": ""}, "name", "required", id="no name"),
    pytest.param(
        {"phases": [{"name": "Needling", "minutes": 45}]},
        "phases-0-occupies_practitioner",
        "a practitioner, a room or a device",
        id="a phase that nobody and nothing attends",
    ),
    pytest.param(
        {"phases": [{"name": "Needling", "minutes": 0, "occupies_room": "on"}]},
        "phases-0-minutes",
        "greater than or equal to 1",
        id="a phase of no time",
    ),
    pytest.param(
        {"phases": [{"name": "Needling", "minutes": 42, "occupies_room": "on"}]},
        "phases-0-minutes",
        "steps of 5 minutes",
        id="a phase that the diary cannot hold",
    ),
    pytest.param(
        {"phases": [{"name": "Needling", "minutes": 45, "occupies_room": "on", "only_for": "Scars"}]},
        "phases-0-only_for",
        "no override of this name",
        id="a row for an unknown override",
    ),
    pytest.param(
        {"maintenance_rules": [{"kind": "per_year"}]},
        "maintenance_rules-0-times_per_year",
        "how many times a year",
        id="so many times a year, how many",
    ),
    pytest.param(
        {"maintenance_rules": [{"kind": "per_year", "times_per_year": 0}]},
        "maintenance_rules-0-times_per_year",
        "greater than or equal to 1",
        id="no times a year",
    ),
    pytest.param(
        {"maintenance_rules": [{"kind": "every", "min": 6}]},
        "maintenance_rules-0-unit",
        "days, weeks or months",
        id="every six what",
    ),
    pytest.param(
        {"maintenance_rules": [{"kind": "every", "min": 12, "max": 6, "unit": "month"}]},
        "maintenance_rules-0-min",
        "The minimum is above the maximum",
        id="upkeep downwards",
    ),
    pytest.param(
        {"maintenance_rules": [{"kind": "every", "max": 6, "unit": "month"}]},
        "maintenance_rules-0-max",
        "needs a minimum",
        id="upkeep without beginning",
    ),
    pytest.param(
        {"maintenance_rules": [{"kind": "every", "min": 0, "unit": "month"}]},
        "maintenance_rules-0-min",
        "at least one day, week or month",
        id="every no months",
    ),
    pytest.param(
        {"maintenance_rules": [{"kind": "individual", "min": 6, "unit": "month"}]},
        "maintenance_rules-0-kind",
        "has no numbers",
        id="the clinician decides, and a number",
    ),
    pytest.param(
        {"care_instructions": [{"when": "after", "action": "avoid", "text": "Sun", "offset": 3}]},
        "care_instructions-0-unit",
        "a number and its unit",
        id="three what",
    ),
    pytest.param(
        {"care_instructions": [{"when": "after", "action": "avoid", "text": "Sun", "bound": "at_least"}]},
        "care_instructions-0-bound",
        "how long",
        id="at least nothing",
    ),
    pytest.param(
        {"care_instructions": [{"when": "after", "action": "do", "text": "Cream", "repeat_hours": 0}]},
        "care_instructions-0-repeat_hours",
        "greater than or equal to 1",
        id="again after no hours",
    ),
    pytest.param(
        {"milestones": [{"name": "healed", "min_days": 14, "max_days": 7}]},
        "milestones-0-min_days",
        "not after the last",
        id="healed before it began",
    ),
    pytest.param(
        {"screening_questions": [{"text": "Pregnant?", "effect": "stop", "days_valid": 0}]},
        "screening_questions-0-days_valid",
        "greater than or equal to 1",
        id="good for no day",
    ),
    pytest.param(
        {"overrides": [override("Mild")]}, "overrides-0-concerns", "Say for whom", id="an override for nobody"
    ),
    pytest.param(
        {"overrides": [override("Mild", severity="mild", session_kind="fixed", session_min=3)]},
        "overrides-0-replaces",
        "only fills in what it replaces",
        id="an override says more than it replaces",
    ),
    pytest.param(
        {"overrides": [override("Deep", **depth("2", "1"))]},
        "overrides-0-depth_min_mm",
        "from the smaller to the larger",
        id="depth backwards",
    ),
    pytest.param(
        {"overrides": [override("Deep", **depth("0", "1"))]},
        "overrides-0-depth_min_mm",
        "above zero",
        id="depth of nothing",
    ),
    pytest.param(
        {"overrides": [override("Deep", severity="mild"), override("Deep", severity="severe")]},
        "overrides-1-name",
        "Another override",
        id="two of one name",
    ),
    pytest.param(
        {
            "overrides": [
                override(
                    "Slow", severity="mild", session_kind="unknown", spacing_min=14, spacing_max=14, spacing_unit="week"
                )
            ]
        },
        "overrides-0-spacing_max",
        "6 sessions so far apart take 490 days",
        id="an override longer than is planned ahead",
    ),
    pytest.param(
        {"overrides": [override("Many", severity="mild", session_kind="fixed", session_min=20, replaces=["sessions"])]},
        "overrides-0-session_max",
        "20 sessions so far apart",
        id="an override's sessions at the template's spacing",
    ),
]


@pytest.mark.parametrize(("changes", "field", "words"), REFUSED)
def test_what_contradicts_itself_is_refused_at_the_field(changes, field, words, client, typed):
    response = client.post(ADD, filled(**{**typed, **changes}))

    assert response.status_code == 200
    found = errors(response)
    assert any(words in said for said in found.get(field, [])), found
    assert not found.get(""), "Every refusal stands at a field."
    assert not Protocol.objects.exists()
    if changes.get("name", "Six"):
        assert b'value="Six"' in response.content


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        pytest.param({"severity": "mild"}, {"severity": "mild"}, "severity", id="the same severity"),
        pytest.param({"area": "face"}, {"area": "face"}, "area", id="the same area"),
        pytest.param(
            {"concerns": ["scars", "pores"]}, {"concerns": ["lines", "scars"]}, "concerns", id="a concern in common"
        ),
        pytest.param(depth("0.5", "1"), depth("1", "2"), "depth_min_mm", id="depths that touch"),
        pytest.param(depth(None, "1"), depth("0.5", None), "depth_min_mm", id="depths without end"),
        pytest.param(
            {"concerns": ["scars"], "area": "face"},
            {"concerns": ["scars"], "area": "face"},
            "concerns",
            id="two conditions, both the same",
        ),
    ],
)
def test_two_overrides_for_the_same_case_are_refused_with_both_names(one, other, field, client, typed):
    both = [
        override(name, **of | {"concerns": concern_keys(of.get("concerns", []))})
        for name, of in (("First", one), ("Second", other))
    ]

    found = errors(client.post(ADD, filled(**typed, overrides=both)))

    assert list(found) == [f"overrides-1-{field}"]
    assert "“First” and “Second” fit the same case equally well" in found[f"overrides-1-{field}"][0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"severity": "mild"}, {"severity": "severe"}, id="other severities"),
        pytest.param({"concerns": ["scars"]}, {"concerns": ["lines"]}, id="other concerns"),
        pytest.param(depth("0.5", "1"), depth("1.01", "2"), id="depths apart"),
        pytest.param({"severity": "mild"}, {"severity": "mild", "area": "face"}, id="one names more"),
        pytest.param(
            {"severity": "mild", "area": "face"}, {"severity": "mild", "area": "neck"}, id="one condition the same"
        ),
    ],
)
def test_overrides_that_never_meet_are_kept(one, other, client, typed):
    both = [
        override(name, **of | {"concerns": concern_keys(of.get("concerns", []))})
        for name, of in (("First", one), ("Second", other))
    ]

    assert client.post(ADD, filled(**typed, overrides=both)).status_code == 302


def test_overrides_for_different_kinds_of_case_are_kept_with_a_warning(client, typed):
    both = [override("Scars", concerns=concern_keys(["scars"])), override("Neck", area="neck")]

    page = client.post(ADD, filled(**typed, overrides=both), follow=True)

    (said,) = [str(message) for message in page.context["messages"] if "neither goes first" in str(message)]
    assert "“Scars” and “Neck” both fit scars, neck" in said


def test_a_third_override_settles_what_two_leave_open(client, typed):
    scars = concern_keys(["scars"])
    three = [
        override("Scars", concerns=scars),
        override("Neck", area="neck"),
        override("Both", concerns=scars, area="neck"),
    ]

    page = client.post(ADD, filled(**typed, overrides=three), follow=True)

    assert not [message for message in page.context["messages"] if "neither goes first" in str(message)]


def test_a_row_for_an_override_that_does_not_replace_such_rows_is_refused(client, typed):
    rows = {
        "overrides": [override("Mild", severity="mild")],
        "add_ons": [add_on_row({"name": "PRP", "role": "optional"}, "Mild")],
    }

    found = errors(client.post(ADD, filled(**typed, **rows)))

    assert found == {"add_ons-0-only_for": ["“Mild” does not replace this: tick “Add-ons” there."]}


def test_a_treatment_that_nobody_may_give_is_a_warning(client, typed):
    page = client.post(ADD, filled(**typed), follow=True)

    assert Protocol.objects.exists()
    assert [m for m in map(str, page.context["messages"]) if "No practitioner may give “Microneedling”" in m]


def test_every_so_many_without_a_number_is_kept_and_says_that_it_is_a_to_do(client, typed):
    page = client.post(ADD, filled(**typed, maintenance_rules=[{"kind": "every", "unit": "month"}]), follow=True)

    assert Protocol.objects.get().terms_for().maintenance[0].min is None
    assert [m for m in map(str, page.context["messages"]) if "a to-do for the desk" in m]


@pytest.mark.parametrize(
    ("form", "model"),
    [
        (forms.ProtocolForm, Protocol),
        (forms.OverrideForm, Override),
        (forms.ProtocolPhaseForm, Phase),
        (forms.MaintenanceRuleForm, MaintenanceRule),
        (forms.CareForm, CareInstruction),
        (forms.MilestoneForm, Milestone),
        (forms.ScreeningForm, ScreeningQuestion),
    ],
    ids=lambda each: each.__name__,
)
def test_every_check_of_the_database_has_its_place_in_the_form(form, model):
    of_words = {f"{model.__name__.lower()}_{field.name}_is_known" for field in model._meta.fields}
    # What no form can break: it sets them itself.
    structural = {
        "protocol_versions_start_at_one",
        "phase_of_a_treatment_or_of_a_protocol",
        "phase_of_an_override_is_of_its_protocol",
    }
    checks = (
        {each.name for each in model._meta.constraints if isinstance(each, CheckConstraint)} - of_words - structural
    )

    assert {name.partition("_")[2] for name in checks} == set(form.places)
    for place in form.places.values():
        assert place in form.declared_fields or model._meta.get_field(place)


def test_a_device_alone_can_attend_a_phase(client, typed):
    rows = [{"name": "Light", "minutes": 20, "device_kind": device_kind("Lamp")}]

    assert client.post(ADD, filled(**typed, phases=rows)).status_code == 302
