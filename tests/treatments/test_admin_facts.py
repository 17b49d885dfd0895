"""Each row of the collected facts is typed into the admin's own form, and read back exactly."""

from itertools import groupby

import pytest

from tests.treatments.admin_form import ADD, an_editor, change_url, errors, filled, shown, signed_in, template
from tests.treatments.test_library import DEFAULTS, FACTS, ROWS, care_said, cases, said
from treatments.models import Protocol

TEMPLATES = {
    name: list(rows)
    for name, rows in groupby(sorted(ROWS, key=lambda row: row["template"]), key=lambda row: row["template"])
}


@pytest.fixture
def client(db):
    return signed_in(an_editor())


def reads_back(row, protocol) -> None:
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
        assert terms["anaesthesia"] == row.get("anaesthesia")
        assert terms["depends_on"] == DEFAULTS.get(row["template"], row).get("depends_on", [])
        if "care" in row:
            assert (terms["care"], terms["milestones"]) == care_said(row)
        assert terms["phases"] == terms["screening"] == []
        assert terms["no_show"] is terms["other_treatments_days"] is None
    of_template = {key: value for each in TEMPLATES[row["template"]] for key, value in each.items()}
    assert sorted(protocol.indications.values_list("name", flat=True)) == sorted(
        of_template.get("indications_of_template", [])
    )
    assert protocol.areas == of_template.get("areas_of_template", [])
    assert protocol.severity == of_template.get("severity_of_template", "")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_row_typed_into_the_form_is_read_back_exactly(row, client):
    response = client.post(ADD, filled(**template(TEMPLATES[row["template"]], FACTS["care"])))

    assert response.status_code == 302, errors(response)
    reads_back(row, Protocol.objects.get(name=row["template"]))


@pytest.mark.parametrize("name", TEMPLATES)
def test_saving_a_form_unchanged_changes_nothing(name, client):
    client.post(ADD, filled(**template(TEMPLATES[name], FACTS["care"])))
    protocol = Protocol.objects.get(name=name)
    everything = [protocol.terms_for(**case) for row in TEMPLATES[name] for case in cases(row)]
    typed_again = shown(client.get(change_url(protocol)))

    response = client.post(change_url(protocol), typed_again)

    assert response.status_code == 302, errors(response)
    protocol = Protocol.objects.get(name=name)
    assert [protocol.terms_for(**case) for row in TEMPLATES[name] for case in cases(row)] == everything
