import dataclasses
import json
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treatments import terms as module
from treatments.terms import (
    AddOn,
    CareInstruction,
    MaintenanceRule,
    Milestone,
    Phase,
    ScreeningQuestion,
    SessionCount,
    Spacing,
    Terms,
    TermsError,
)

NUMBING = Phase("Numbing", 30, practitioner=False, room=True, numbing=True)
NEEDLING = Phase("Microneedling", 45, practitioner=True, room=True, device_kind="Needling pen")

FULL = Terms(
    treatment="Microneedling",
    sessions=SessionCount("range", 4, 6, 5, "by skin type"),
    spacing=Spacing(4, 5, 6, "week", 3),
    phases=(NUMBING, NEEDLING),
    anaesthesia="topical",
    add_ons=(AddOn("PRP", "recommended", "injected", 15, "Centrifuge"),),
    maintenance=(MaintenanceRule("every", 6, 12, "month", 2, True, "Microneedling", "or so"),),
    care=(CareInstruction("after", "avoid", "Sun", 72, "hour", "at_least", "three days", 2),),
    milestones=(Milestone("final result", 1, 3, 2, "result"),),
    screening=(ScreeningQuestion("Pregnant?", "stop", 30),),
    depends_on=("skin type",),
    no_show="repeat",
    other_treatments_days=14,
)
BARE = Terms(treatment="Microneedling", sessions=SessionCount("unknown"))


def values_of(kind):
    """Any value of an annotation; hypothesis knows the types, the annotations know the rest."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(kind)})
    if typing.get_origin(kind) is tuple:
        return st.lists(values_of(typing.get_args(kind)[0]), max_size=3).map(tuple)
    return st.from_type(kind)


@given(values_of(Terms))
def test_terms_come_back_from_json_exactly(terms):
    assert Terms.from_json(json.loads(json.dumps(terms.to_json()))) == terms


@pytest.mark.parametrize("terms", [pytest.param(FULL, id="everything said"), pytest.param(BARE, id="nothing said")])
def test_json_names_every_field_and_is_plain(terms):
    data = terms.to_json()

    assert json.loads(json.dumps(data)) == data
    assert list(data) == [field.name for field in dataclasses.fields(Terms)]


def test_what_nobody_said_stays_null_in_json():
    assert BARE.to_json() == {
        "treatment": "Microneedling",
        "sessions": {"kind": "unknown", "min": None, "max": None, "typical": None, "text": None},
        "spacing": None,
        "phases": [],
        "anaesthesia": None,
        "add_ons": [],
        "maintenance": [],
        "care": [],
        "milestones": [],
        "screening": [],
        "depends_on": [],
        "no_show": None,
        "other_treatments_days": None,
    }


def with_(path, value):
    """FULL as JSON, with one place changed."""
    data = FULL.to_json()
    *way, last = path
    place = data
    for step in way:
        place = place[step]
    place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        pytest.param(["colour"], "red", "Terms does not know colour", id="unknown key"),
        pytest.param(["sessions", "sum"], 4, "Terms.sessions does not know sum", id="unknown key inside"),
        pytest.param(["treatment"], None, "Terms.treatment must be text, not None", id="null where something must be"),
        pytest.param(["sessions"], None, "Terms.sessions must be an object", id="null for an object"),
        pytest.param(["sessions"], [], "Terms.sessions must be an object", id="a list for an object"),
        pytest.param(
            ["sessions", "min"], "4", "Terms.sessions.min must be a whole number, not '4'", id="text for a number"
        ),
        pytest.param(["sessions", "min"], 4.0, "Terms.sessions.min must be a whole number, not 4.0", id="a fraction"),
        pytest.param(["sessions", "min"], True, "Terms.sessions.min must be a whole number", id="true for a number"),
        pytest.param(
            ["phases", 0, "room"], 1, r"Terms.phases\[0\].room must be true or false, not 1", id="one for true"
        ),
        pytest.param(["phases"], {}, "Terms.phases must be a list", id="an object for a list"),
        pytest.param(["depends_on"], "depth", "Terms.depends_on must be a list", id="text for a list"),
        pytest.param(["depends_on"], [None], r"Terms.depends_on\[0\] must be text", id="null in a list"),
        pytest.param(["spacing", "unit"], "year", "must be one of day, week, month, not 'year'", id="unknown word"),
        pytest.param(["spacing", "unit"], None, "must be one of day, week, month, not None", id="no unit"),
        pytest.param(["anaesthesia"], "", "must be one of none, topical, regional, not ''", id="empty is not a word"),
        pytest.param(["anaesthesia"], ["none"], "Terms.anaesthesia must be one of", id="a list for a word"),
    ],
)
def test_what_is_not_terms_is_refused_in_words(path, value, words):
    with pytest.raises(TermsError, match=words):
        Terms.from_json(with_(path, value))


def test_a_missing_key_says_nothing():
    assert Terms.from_json({"treatment": "Microneedling", "sessions": {"kind": "unknown"}}) == BARE


def test_a_missing_key_that_cannot_be_empty_is_refused():
    with pytest.raises(TermsError, match="Spacing needs max, unit"):
        Spacing.from_json({"min": 4, "ideal": None})


@pytest.mark.parametrize(
    ("anaesthesia", "visit"),
    [
        pytest.param("none", (NEEDLING,), id="none: no numbing"),
        pytest.param("topical", (NUMBING, NEEDLING), id="topical"),
        pytest.param("regional", (NUMBING, NEEDLING), id="regional"),
        pytest.param(None, (NUMBING, NEEDLING), id="nobody said"),
    ],
)
def test_a_visit_leaves_numbing_out_only_without_anaesthesia(anaesthesia, visit):
    assert dataclasses.replace(FULL, anaesthesia=anaesthesia).visit == visit


def test_the_spacing_decided_at_the_desk_changes_nothing_else():
    decided = BARE.with_spacing(Spacing(2, None, 3, "week"))

    assert decided.spacing == Spacing(2, None, 3, "week")
    assert decided.with_spacing(None) == BARE


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, module.Value) and kind is not module.Value
    ],
    ids=lambda kind: kind.__name__,
)
def test_values_cannot_be_changed(kind):
    assert kind.__dataclass_params__.frozen
    assert "__dict__" not in dir(kind)
    assert not any(typing.get_origin(hint) is list for hint in typing.get_type_hints(kind).values())
