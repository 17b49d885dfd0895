from decimal import Decimal

import pytest

from treatments import terms
from treatments.models import (
    AddOn,
    AmbiguousOverrides,
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
)
from treatments.models.choices import Anaesthesia, Group

pytestmark = pytest.mark.django_db

ROOM = {"occupies_room": True}
BOTH = {"occupies_room": True, "occupies_practitioner": True}


@pytest.fixture
def treatment():
    return Treatment.objects.create(name="Microneedling")


@pytest.fixture
def protocol(treatment):
    return Protocol.objects.create(
        name="Six",
        treatment=treatment,
        session_kind="range",
        session_min=4,
        session_max=6,
        session_typical=5,
        spacing_min=4,
        spacing_max=6,
        spacing_unit="week",
        anaesthesia="topical",
    )


@pytest.fixture
def scars():
    return Concern.objects.create(name="scars")


@pytest.fixture
def wrinkles():
    return Concern.objects.create(name="wrinkles")


def override(protocol, name, *, concerns=(), **fields):
    made = Override.objects.create(protocol=protocol, name=name, **fields)
    made.concerns.set(concerns)
    return made


def one_session(protocol, name, **conditions):
    return override(
        protocol, name, replaces=["sessions"], session_kind="fixed", session_min=1, session_max=1, **conditions
    )


def sessions(protocol, **case):
    return protocol.terms_for(**case).sessions.max


def test_all_that_a_protocol_says_is_in_its_terms(protocol, treatment):
    hydrafacial = Treatment.objects.create(name="Hydrafacial")
    pen, spinner = (DeviceKind.objects.create(name=name) for name in ("Pen", "Centrifuge"))
    prp = AddOn.objects.create(name="PRP", extra_minutes=15, device_kind=spinner)
    Phase.objects.create(protocol=protocol, name="Needling", minutes=45, position=2, device_kind=pen, **BOTH)
    Phase.objects.create(protocol=protocol, name="Numbing", minutes=30, position=1, numbing=True, **ROOM)
    ProtocolAddOn.objects.create(protocol=protocol, add_on=prp, role="recommended", route="injected")
    MaintenanceRule.objects.create(protocol=protocol, kind="individual", text="by skin type", position=2)
    MaintenanceRule.objects.create(
        protocol=protocol, kind="other_treatment", min=1, max=1, unit="month", treatment=hydrafacial, position=1
    )
    CareInstruction.objects.create(
        protocol=protocol, when="after", action="avoid", text="Sun", offset=72, unit="hour", bound="at_least"
    )
    Milestone.objects.create(protocol=protocol, name="healed", min_days=7, max_days=14)
    ScreeningQuestion.objects.create(protocol=protocol, text="Pregnant?", effect="stop", days_valid=30)
    Protocol.objects.filter(pk=protocol.pk).update(
        depends_on=["depth"], no_show="forfeit", spacing_ideal=5, session_text="or so"
    )
    protocol.refresh_from_db()

    assert protocol.terms_for() == terms.Terms(
        treatment="Microneedling",
        sessions=terms.SessionCount("range", 4, 6, 5, "or so"),
        spacing=terms.Spacing(4, 5, 6, "week"),
        phases=(
            terms.Phase("Numbing", 30, practitioner=False, room=True, numbing=True),
            terms.Phase("Needling", 45, practitioner=True, room=True, device_kind="Pen"),
        ),
        anaesthesia="topical",
        add_ons=(terms.AddOn("PRP", "recommended", "injected", 15, "Centrifuge"),),
        maintenance=(
            terms.MaintenanceRule("other_treatment", 1, 1, "month", treatment="Hydrafacial"),
            terms.MaintenanceRule("individual", text="by skin type"),
        ),
        care=(terms.CareInstruction("after", "avoid", "Sun", 72, "hour", "at_least"),),
        milestones=(terms.Milestone("healed", 7, 14),),
        screening=(terms.ScreeningQuestion("Pregnant?", "stop", 30),),
        depends_on=("depth",),
        no_show="forfeit",
    )


def test_an_empty_protocol_says_nothing(treatment):
    empty = Protocol.objects.create(name="Empty", treatment=treatment)

    assert empty.terms_for() == terms.Terms("Microneedling", terms.SessionCount("unknown"))


def test_terms_hold_plain_words_even_of_a_row_just_made(treatment):
    made = Protocol.objects.create(name="Empty", treatment=treatment, anaesthesia=Anaesthesia.TOPICAL)

    assert type(made.terms_for().anaesthesia) is str
    assert type(made.terms_for().sessions.kind) is str


@pytest.mark.parametrize(
    ("conditions", "case", "applies"),
    [
        pytest.param({"severity": "mild"}, {"severity": "mild"}, True, id="severity"),
        pytest.param({"severity": "mild"}, {"severity": "severe"}, False, id="another severity"),
        pytest.param({"severity": "mild"}, {}, False, id="severity not given"),
        pytest.param({"area": "neck"}, {"area": "neck"}, True, id="area"),
        pytest.param({"area": "neck"}, {"area": "face"}, False, id="another area"),
        pytest.param({"severity": "mild", "area": "neck"}, {"area": "neck"}, False, id="one condition of two"),
        pytest.param({}, {"severity": "mild", "area": "neck"}, False, id="without a condition it never applies"),
    ],
)
def test_an_override_applies_where_all_its_conditions_hold(protocol, conditions, case, applies):
    one_session(protocol, "One", **conditions)

    assert sessions(protocol, **case) == (1 if applies else 6)


def test_an_override_applies_to_any_of_its_concerns(protocol, scars, wrinkles):
    one_session(protocol, "One", concerns=[scars, wrinkles])

    assert sessions(protocol, concern=scars) == 1
    assert sessions(protocol, concern=wrinkles) == 1
    assert sessions(protocol, concern=Concern.objects.create(name="pores")) == 6
    assert sessions(protocol) == 6


@pytest.mark.parametrize(
    ("least", "most", "depth", "applies"),
    [
        pytest.param("1.0", "1.0", "1.0", True, id="exactly"),
        pytest.param("1.0", "1.0", "1.01", False, id="a hundredth too deep"),
        pytest.param("1.0", "1.0", "0.99", False, id="a hundredth too shallow"),
        pytest.param("0.25", "1.5", "0.25", True, id="the lower end"),
        pytest.param("0.25", "1.5", "1.5", True, id="the upper end"),
        pytest.param("0.25", None, "3.0", True, id="no upper end"),
        pytest.param("0.25", None, "0.2", False, id="no upper end, too shallow"),
        pytest.param(None, "1.5", "0.1", True, id="no lower end"),
        pytest.param(None, "1.5", "1.6", False, id="no lower end, too deep"),
        pytest.param("0.25", "1.5", None, False, id="depth not given"),
    ],
)
def test_both_ends_of_the_depth_are_included(protocol, least, most, depth, applies):
    one_session(protocol, "One", depth_min_mm=least, depth_max_mm=most)

    assert sessions(protocol, depth_mm=depth and Decimal(depth)) == (1 if applies else 6)


def test_a_depth_as_a_float_is_refused(protocol):
    with pytest.raises(TypeError, match=r"0\.1 is not the tenth"):
        protocol.terms_for(depth_mm=0.1)


def test_the_override_that_names_most_conditions_applies(protocol, scars):
    one_session(protocol, "One", concerns=[scars])
    override(
        protocol,
        "Two for mild scars",
        concerns=[scars],
        severity="mild",
        replaces=["sessions"],
        session_kind="fixed",
        session_min=2,
        session_max=2,
    )

    assert sessions(protocol, concern=scars, severity="mild") == 2
    assert sessions(protocol, concern=scars, severity="severe") == 1


def test_two_that_fit_equally_well_are_refused_by_name(protocol, scars):
    first = one_session(protocol, "For scars", concerns=[scars])
    second = one_session(protocol, "For the neck", area="neck")
    one_session(protocol, "For the face", area="face")

    with pytest.raises(AmbiguousOverrides, match=r"For scars \| For the neck$") as refused:
        protocol.terms_for(concern=scars, area="neck")
    assert refused.value.overrides == [first, second]


def test_two_are_not_ambiguous_where_a_third_fits_better(protocol, scars):
    one_session(protocol, "For scars", concerns=[scars])
    one_session(protocol, "For the neck", area="neck")
    override(protocol, "As ever", concerns=[scars], area="neck")

    assert sessions(protocol, concern=scars, area="neck") == 6


def rows_of_every_group(protocol, of=None, *, n):
    """A row in each group that has rows, told apart by `n`."""
    kind = DeviceKind.objects.create(name=f"Device {n}")
    add_on = AddOn.objects.create(name=f"Add-on {n}", device_kind=kind)
    ProtocolAddOn.objects.create(protocol=protocol, override=of, add_on=add_on, role="optional")
    MaintenanceRule.objects.create(
        protocol=protocol, override=of, kind="every", min=n, max=n, unit="month", treatment=protocol.treatment
    )
    Phase.objects.create(protocol=protocol, override=of, name=f"Phase {n}", minutes=n, device_kind=kind)


PARTS = {
    Group.SESSIONS: "sessions",
    Group.SPACING: "spacing",
    Group.ANAESTHESIA: "anaesthesia",
    Group.ADD_ONS: "add_ons",
    Group.MAINTENANCE: "maintenance",
    Group.PHASES: "phases",
}


@pytest.mark.parametrize("group", list(Group))
def test_an_override_replaces_the_groups_it_names_and_inherits_the_rest(protocol, group):
    rows_of_every_group(protocol, n=1)
    default = protocol.terms_for()
    fields = {
        Group.SESSIONS: {"session_kind": "fixed", "session_min": 1, "session_max": 1},
        Group.SPACING: {"spacing_min": 1, "spacing_max": 2, "spacing_unit": "month"},
        Group.ANAESTHESIA: {"anaesthesia": Anaesthesia.REGIONAL},
    }.get(group, {})
    different = override(protocol, "Different", area="neck", replaces=[group], **fields)
    rows_of_every_group(protocol, different, n=2)

    replaced = protocol.terms_for(area="neck")

    changed = {name for name, value in replaced.to_json().items() if value != default.to_json()[name]}
    assert changed == {PARTS[group]}
    assert protocol.terms_for() == default


@pytest.mark.parametrize("group", [group for group in Group if group != Group.PHASES])
def test_an_override_can_replace_a_group_by_nothing(protocol, group):
    rows_of_every_group(protocol, n=1)
    override(protocol, "Nothing", area="neck", replaces=[group])

    replaced = protocol.terms_for(area="neck")

    nothing = {Group.SESSIONS: terms.SessionCount("unknown"), Group.SPACING: None, Group.ANAESTHESIA: None}
    assert getattr(replaced, PARTS[group]) == nothing.get(group, ())


def test_without_phases_of_its_own_a_protocol_has_those_of_its_treatment(protocol, treatment):
    Phase.objects.create(treatment=treatment, name="Needling", minutes=45, **BOTH)

    assert [phase.name for phase in protocol.terms_for().phases] == ["Needling"]

    Phase.objects.create(protocol=protocol, name="Needling, longer", minutes=60, **BOTH)

    assert [phase.name for phase in protocol.terms_for().phases] == ["Needling, longer"]


def test_phases_replaced_by_nothing_are_those_of_the_treatment(protocol, treatment):
    Phase.objects.create(treatment=treatment, name="Needling", minutes=45, **BOTH)
    Phase.objects.create(protocol=protocol, name="Needling, longer", minutes=60, **BOTH)
    override(protocol, "As usual", area="neck", replaces=["phases"])

    assert [phase.name for phase in protocol.terms_for(area="neck").phases] == ["Needling"]


def test_terms_follow_a_change_on_the_same_instance(protocol):
    assert protocol.terms_for().add_ons == ()

    rows_of_every_group(protocol, n=1)
    protocol.session_max = 8

    assert len(protocol.terms_for().add_ons) == 1
    assert sessions(protocol) == 8


def test_terms_cost_the_same_queries_however_much_is_said(protocol, scars, django_assert_num_queries):
    def fill(*numbers):
        for n in numbers:
            rows_of_every_group(protocol, one_session(protocol, f"Override {n}", concerns=[scars], area=f"{n}"), n=n)
            rows_of_every_group(protocol, n=100 + n)
            Phase.objects.create(treatment=protocol.treatment, name=f"{n}", minutes=n, **BOTH)

    # The protocol, its treatment and that one's phases; overrides and their concerns; phases, rules and add-ons, and
    # what these point to; care, milestones, questions.
    fill(1)
    with django_assert_num_queries(15):
        Protocol.objects.get(pk=protocol.pk).terms_for()

    fill(*range(2, 6))
    with django_assert_num_queries(15):
        Protocol.objects.get(pk=protocol.pk).terms_for()


def test_terms_of_many_protocols_read_together_cost_no_more_queries(protocol, treatment, django_assert_num_queries):
    for n in range(1, 4):
        rows_of_every_group(Protocol.objects.create(name=f"{n}", treatment=treatment), n=n)

    protocols = list(Protocol.objects.with_parts())

    with django_assert_num_queries(0):
        for each in protocols:
            each.terms_for()
