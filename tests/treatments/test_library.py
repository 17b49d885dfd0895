import json
from decimal import Decimal
from pathlib import Path

import pytest

from treatments import library
from treatments.models import AddOn, Concern, Protocol, Treatment
from treatments.models.choices import ProtocolStatus

FACTS = json.loads((Path(__file__).parent / "protocol_facts.json").read_text(encoding="utf-8"), parse_float=Decimal)
ROWS = FACTS["rows"]
DEFAULTS = {row["template"]: row for row in ROWS if not row["when"]}
TEMPLATES = sorted({row["template"] for row in ROWS})


@pytest.fixture
def loaded(db):
    return {protocol.name: protocol for protocol in library.load()}


def cases(row):
    """The arguments of terms_for under which the row holds: each concern of its list by itself."""
    when = row["when"]
    others = {key: when[key] for key in ("severity", "area", "depth_mm") if key in when}
    assert when.keys() == {"concerns"} & when.keys() | others.keys()
    if "concerns" not in when:
        return [others]
    return [{"concern": Concern.objects.get(name=name), **others} for name in when["concerns"]]


def said(row, key):
    """What the row says of `key`, or its template's default row where it inherits."""
    says = row[key]
    inherits = says == "inherit" or (isinstance(says, dict) and says.get("kind") == "inherit")
    return DEFAULTS[row["template"]][key] if inherits else says


def care_said(row):
    """Care texts and milestones as the terms have them, with null for keys that say nothing."""
    facts = FACTS["care"][row["care"]]
    keys = ["action", "text", "offset", "unit", "bound", "offset_text", "repeat_hours"]
    care = [
        {"when": when} | {key: instruction.get(key) for key in keys}
        for when in ("before", "after")
        for instruction in facts[when]
    ]
    milestones = [
        {key: milestone.get(key) for key in ("name", "min_days", "max_days", "max_months", "kind")}
        for milestone in facts["milestones"]
    ]
    return care, milestones


def test_there_are_24_rows_in_15_templates(loaded):
    assert len(ROWS) == 24
    assert len({row["id"] for row in ROWS}) == 24
    assert len(TEMPLATES) == 15
    assert sorted(loaded) == TEMPLATES
    assert sorted(Protocol.objects.values_list("name", flat=True)) == TEMPLATES


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_template_says_exactly_what_its_row_says(row, loaded):
    protocol = loaded[row["template"]]
    sessions, interval = said(row, "sessions"), said(row, "interval")

    for case in cases(row):
        terms = protocol.terms_for(**case).to_json()

        assert terms["treatment"] == row["treatment"]
        assert terms["sessions"] == sessions | {"typical": None}
        assert terms["spacing"] == (interval and interval | {"ideal": None, "tolerance_days": None})
        assert terms["add_ons"] == [
            add_on | {"extra_minutes": None, "device_kind": None} for add_on in said(row, "add_ons")
        ]
        assert terms["maintenance"] == said(row, "maintenance")
        if "anaesthesia" in row:
            assert terms["anaesthesia"] == row["anaesthesia"]
        if "depends_on" in row:
            assert terms["depends_on"] == row["depends_on"]
        if "care" in row:
            assert (terms["care"], terms["milestones"]) == care_said(row)


def test_templates_say_nothing_that_their_rows_do_not(loaded):
    for row in ROWS:
        rows = [row, DEFAULTS.get(row["template"], row)]
        for case in cases(row):
            terms = loaded[row["template"]].terms_for(**case)

            assert terms.phases == (), row["id"]
            assert terms.screening == (), row["id"]
            assert terms.no_show is None, row["id"]
            assert terms.anaesthesia is None or "anaesthesia" in row, row["id"]
            assert terms.depends_on == () or any("depends_on" in each for each in rows), row["id"]
            assert (terms.care, terms.milestones) == ((), ()) or any("care" in each for each in rows), row["id"]


def test_templates_are_for_what_their_rows_say_they_are_for(loaded):
    for name, protocol in loaded.items():
        rows = [row for row in ROWS if row["template"] == name]
        of_template = {key: value for row in rows for key, value in row.items() if key.endswith("_of_template")}

        assert sorted(protocol.indications.values_list("name", flat=True)) == sorted(
            of_template.get("indications_of_template", [])
        ), name
        assert protocol.areas == of_template.get("areas_of_template", []), name
        assert protocol.severity == of_template.get("severity_of_template", ""), name
        assert protocol.overrides.count() == sum(bool(row["when"]) for row in rows), name


def test_templates_are_published_and_still_to_be_confirmed_by_the_clinician(loaded):
    for name, protocol in loaded.items():
        assert (protocol.status, protocol.version) == (ProtocolStatus.PUBLISHED, 1), name
        assert protocol.evidence == "expert opinion", name
        assert not protocol.confirmed_by_clinician, name
        assert not protocol.off_label, name


def test_each_needle_class_has_its_anaesthesia(loaded):
    protocol = loaded["Needling by needle length"]

    depths = protocol.overrides.order_by("depth_min_mm").values_list("depth_min_mm", "depth_max_mm", "anaesthesia")

    assert list(depths) == [(each["mm"], each["mm"], each["anaesthesia"]) for each in FACTS["needle_classes"]]


def test_no_template_advises_retinoids_after_a_session(loaded):
    assert "retinoids straight after" in FACTS["care"]["medspa"]["withheld"][0]
    for protocol in loaded.values():
        for care in protocol.terms_for().care:
            assert (care.when == "before" and care.action == "avoid") or "retinoid" not in care.text.lower()


def test_the_library_invents_no_minutes_and_no_devices(loaded):
    assert not AddOn.objects.exclude(extra_minutes=None, device_kind=None).exists()
    assert not Treatment.objects.exclude(phases=None).exists()


def test_loading_again_changes_nothing(loaded):
    before = {protocol.pk: protocol.terms_for() for protocol in Protocol.objects.all()}

    assert library.load() == []
    assert {protocol.pk: protocol.terms_for() for protocol in Protocol.objects.all()} == before


def test_a_template_that_the_clinic_changed_stays_as_the_clinic_has_it(loaded):
    ours = loaded["RF microneedling"]
    Protocol.objects.filter(pk=ours.pk).update(
        name="RF, our way", session_kind="fixed", session_min=3, session_max=3, status=ProtocolStatus.RETIRED
    )
    ours.care_instructions.all().delete()
    ours.add_ons.all().delete()

    assert library.load() == []

    ours.refresh_from_db()
    assert (ours.name, ours.session_min, ours.status) == ("RF, our way", 3, ProtocolStatus.RETIRED)
    assert (ours.terms_for().care, ours.terms_for().add_ons) == ((), ())


@pytest.mark.django_db
def test_a_protocol_of_the_same_name_is_left_alone():
    treatment = Treatment.objects.create(name="Peel")
    own = Protocol.objects.create(name="Med-spa series", treatment=treatment)

    library.load()

    assert Protocol.objects.count() == 15
    assert Protocol.objects.get(name="Med-spa series") == own
    assert own.terms_for().treatment == "Peel"


@pytest.mark.django_db
def test_the_library_uses_the_clinics_treatments_and_add_ons():
    Treatment.objects.create(name="Microneedling", description="As we do it.")
    AddOn.objects.create(name="PRP", extra_minutes=20)

    library.load()

    assert Treatment.objects.get(name="Microneedling").description == "As we do it."
    protocol = Protocol.objects.get(name="Continuous microneedling with PRP")
    assert [add_on.extra_minutes for add_on in protocol.terms_for().add_ons] == [20]
