"""Protocols in the admin: entering, looking ahead, who may, and the list."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.models import OpeningHours, WorkingHours
from clinic.services import course
from clinic.services.course import Order
from tests.treatments.admin_form import (
    ADD,
    add_on_row,
    an_editor,
    change_url,
    concern_keys,
    errors,
    filled,
    page_text,
    shown,
    signed_in,
)
from tests.world import NOW
from treatments.models import AddOn, Concern, DeviceKind, Phase, Protocol, Treatment
from treatments.rules import Due, Window
from treatments.services import series as courses
from treatments.terms import MaintenanceRule, SessionCount, Spacing

START = date(2026, 3, 2)
LOOK = {"_preview": "1", "look-date": START.isoformat()}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(db):
    return signed_in(an_editor())


@pytest.fixture
def needling(db):
    treatment = Treatment.objects.create(name="Microneedling")
    Phase.objects.create(treatment=treatment, name="Numbing", minutes=30, occupies_room=True, numbing=True)
    Phase.objects.create(
        treatment=treatment, name="Needling", minutes=45, occupies_room=True, occupies_practitioner=True
    )
    return treatment


def look(client, url=ADD, **typed):
    """What the page answers to what is typed, without storing it."""
    before = Protocol.objects.count()
    response = client.post(url, filled(**typed) | LOOK, headers=HTMX)
    assert response.status_code == 200
    assert Protocol.objects.count() == before
    return response.context["look"]


# --- three protocols that no file has


def test_weekly_for_twelve_weeks_at_point_six_millimetres(client, needling):
    """Twelve sessions a week apart; what is said of 0.6 mm is said for 0.6 mm alone."""
    typed = {
        "name": "Weekly at 0.6 mm",
        "treatment": needling.pk,
        "overrides": [
            {
                "name": "0.6 mm",
                "depth_min_mm": "0.6",
                "depth_max_mm": "0.6",
                "replaces": ["sessions", "spacing", "anaesthesia"],
                "session_kind": "fixed",
                "session_min": 12,
                "spacing_min": 1,
                "spacing_max": 1,
                "spacing_unit": "week",
                "anaesthesia": "none",
            }
        ],
    }
    seen = look(client, **typed, **{"look-depth_mm": "0.6"}).what
    assert [window.ideal for window in seen.windows] == [START + timedelta(weeks=n) for n in range(12)]
    assert seen.minutes == 45

    assert client.post(ADD, filled(**typed)).status_code == 302

    protocol = Protocol.objects.get()
    terms = protocol.terms_for(depth_mm=protocol.overrides.get().depth_min_mm)
    assert terms.sessions == SessionCount("fixed", 12, 12)
    assert terms.spacing == Spacing(1, None, 1, "week")
    assert protocol.terms_for().sessions == SessionCount("unknown")


def test_six_sessions_every_two_weeks(client, needling):
    typed = {
        "name": "Six, every two weeks",
        "treatment": needling.pk,
        "session_kind": "fixed",
        "session_min": 6,
        "spacing_min": 2,
        "spacing_max": 2,
        "spacing_unit": "week",
        "tolerance_days": 2,
    }
    windows = look(client, **typed).what.windows
    assert windows[1] == Window(START + timedelta(days=12), START + timedelta(days=14), START + timedelta(days=16))
    assert windows[5].ideal == START + timedelta(weeks=10)

    assert client.post(ADD, filled(**typed)).status_code == 302

    terms = Protocol.objects.get().terms_for()
    assert terms.sessions == SessionCount("fixed", 6, 6)
    assert terms.spacing == Spacing(2, None, 2, "week", 2)


def test_monthly_for_three_months_then_whenever_the_clinician_says(client, needling):
    typed = {
        "name": "Monthly, then as the clinician says",
        "treatment": needling.pk,
        "session_kind": "fixed",
        "session_min": 3,
        "spacing_min": 1,
        "spacing_max": 1,
        "spacing_unit": "month",
        "maintenance_rules": [{"kind": "individual", "text": "whenever the clinician says"}],
    }
    seen = look(client, **typed)
    assert [window.ideal for window in seen.what.windows] == [START, date(2026, 4, 2), date(2026, 5, 2)]
    assert [note for _words, note, _upkeep in seen.upkeep] == ["A to-do for the desk: the clinician decides."]

    assert client.post(ADD, filled(**typed)).status_code == 302

    terms = Protocol.objects.get().terms_for()
    assert terms.spacing == Spacing(1, None, 1, "month")
    assert terms.maintenance == (MaintenanceRule("individual", text="whenever the clinician says"),)


# --- looking ahead


def four_to_six_weeks(needling, **more):
    return {
        "name": "Acne scars",
        "treatment": needling.pk,
        "session_kind": "range",
        "session_min": 3,
        "session_max": 6,
        "session_typical": 4,
        "spacing_min": 4,
        "spacing_max": 6,
        "spacing_unit": "week",
        **more,
    }


def test_the_preview_of_what_is_typed_is_what_the_planner_then_does(world, client):
    """Once stored, the planner's windows for an empty diary that is open every day are those of the preview."""
    for weekday in (5, 6):
        OpeningHours.objects.create(site=world.site, weekday=weekday, opens="09:00", closes="18:00")
        WorkingHours.objects.bulk_create(
            WorkingHours(resource=each, site=world.site, weekday=weekday, starts="09:00", ends="18:00")
            for each in world.practitioners
        )
    scars = Concern.objects.get(name="acne scars")
    typed = four_to_six_weeks(
        world.treatment,
        name="Typed",
        status="published",
        overrides=[
            {
                "name": "Scars",
                "concerns": [scars.pk],
                "replaces": ["spacing", "phases"],
                "session_kind": "unknown",
                "spacing_min": 1,
                "spacing_ideal": 1,
                "spacing_max": 2,
                "spacing_unit": "month",
            }
        ],
        phases=[
            {"name": "Peel", "minutes": 20, "occupies_practitioner": "on", "only_for": "Scars"},
            {"name": "Rest", "minutes": 10, "occupies_room": "on", "only_for": "Scars"},
        ],
        **{"look-concern": scars.pk},
    )
    seen = look(client, **typed).what
    assert client.post(ADD, filled(**typed)).status_code == 302

    protocol = Protocol.objects.get(name="Typed")
    choice = courses.Choice(protocol=protocol, concern=scars)
    agreed = courses.agree(choice)
    proposal = course.propose(
        course=course.new_course(patient=world.patient, choice=choice),
        order=Order(site=world.site, first_day=START),
        now=NOW,
    )

    assert agreed.count == seen.count == 4
    assert [session.choice.day for _number, session in proposal] == [window.ideal for window in seen.windows]
    assert [session.window for number, session in proposal if number > 1] == list(seen.windows[1:])
    assert seen.minutes == sum(stretch.minutes for stretch in proposal.request.visits[0]) == 30
    assert [stay.phase.name for stay in seen.stays] == ["Peel", "Rest"]


def test_maintenance_is_dated_for_three_years(client, needling):
    rules = [{"kind": "every", "min": 12, "unit": "month"}, {"kind": "every", "unit": "month"}]

    seen = look(
        client,
        **four_to_six_weeks(needling, session_kind="fixed", session_min=1, session_max=1, session_typical=None),
        maintenance_rules=rules,
    )

    assert [list(upkeep.cycles) for _words, _note, upkeep in seen.upkeep] == [
        [Due(date(year, 3, 2), date(year, 3, 2)) for year in (2027, 2028, 2029)],
        [],
    ]
    assert any("a to-do for the desk" in warning for warning in seen.warnings)


def test_a_template_without_a_name_can_be_looked_at_already(client, needling):
    assert look(client, **four_to_six_weeks(needling, name="")).what is not None


def test_what_contradicts_itself_is_said_instead_of_dates(client, needling):
    seen = look(client, **four_to_six_weeks(needling, spacing_min=8))

    assert seen.what is None
    assert seen.refusals == ["At least: The minimum is above the maximum."]


def test_a_case_that_two_overrides_fit_is_said(client, needling):
    scars = concern_keys(["scars"])
    overrides = [
        {"name": "Scars", "concerns": scars, "session_kind": "unknown", "replaces": ["spacing"]},
        {"name": "Neck", "area": "neck", "session_kind": "unknown", "replaces": ["spacing"]},
    ]
    typed = four_to_six_weeks(needling, overrides=overrides)

    assert look(client, **typed).what is not None
    seen = look(client, **typed, **{"look-concern": scars[0], "look-area": "neck"})

    assert seen.refusals == ["These overrides fit equally well, and only one can apply: Scars | Neck"]


def test_dates_beyond_the_calendar_are_said(client, needling):
    typed = four_to_six_weeks(needling) | {"look-date": "9999-12-01"}
    response = client.post(ADD, filled(**typed) | {"_preview": "1", "look-date": "9999-12-01"}, headers=HTMX)

    assert response.context["look"].refusals == ["These dates lie beyond what a calendar holds."]


def test_without_scripts_a_button_shows_the_preview_and_keeps_what_was_typed(client, needling):
    response = client.post(ADD, filled(**four_to_six_weeks(needling)) | LOOK)

    assert not Protocol.objects.exists()
    assert 'value="Acne scars"' in response.content.decode()
    assert errors(response) == {}
    assert "Mon 2 Mar 2026" in page_text(response)
    assert "<html" in response.content.decode()


def test_a_stored_protocol_is_shown_with_its_preview_and_nothing_is_written_by_looking(client, needling):
    client.post(ADD, filled(**four_to_six_weeks(needling)))
    protocol = Protocol.objects.get()
    page = client.get(change_url(protocol))
    assert page.context["look"].what.count == 4

    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.post(change_url(protocol), shown(page) | LOOK | {"session_typical": "5"}, headers=HTMX)

    assert answer.context["look"].what.count == 5
    assert not [q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert Protocol.objects.get().session_typical == 4


# --- rows of an override


def test_an_override_and_its_rows_are_added_in_one_go(client, needling):
    rows = {
        "overrides": [
            {"name": "Mild", "severity": "mild", "session_kind": "unknown", "replaces": ["add_ons", "maintenance"]}
        ],
        "add_ons": [
            add_on_row({"name": "PRP", "role": "optional"}, "Mild"),
            add_on_row({"name": "Serum", "role": "included"}),
        ],
        "maintenance_rules": [{"kind": "none", "only_for": "Mild"}],
    }

    client.post(ADD, filled(**four_to_six_weeks(needling), **rows))

    protocol = Protocol.objects.get()
    assert [each.name for each in protocol.terms_for().add_ons] == ["Serum"]
    assert [each.name for each in protocol.terms_for(severity="mild").add_ons] == ["PRP"]
    assert [each.kind for each in protocol.terms_for(severity="mild").maintenance] == ["none"]


@pytest.fixture
def with_rows(client, needling):
    rows = {
        "overrides": [{"name": "Mild", "severity": "mild", "session_kind": "unknown", "replaces": ["add_ons"]}],
        "add_ons": [add_on_row({"name": "PRP", "role": "optional"}, "Mild")],
    }
    client.post(ADD, filled(**four_to_six_weeks(needling), **rows))
    return Protocol.objects.get()


def test_an_override_that_is_renamed_keeps_its_rows(client, with_rows):
    typed = shown(client.get(change_url(with_rows))) | {"overrides-0-name": "Light"}

    response = client.post(change_url(with_rows), typed)

    assert response.status_code == 302, errors(response)
    assert [each.override.name for each in with_rows.add_ons.all()] == ["Light"]


def test_an_override_cannot_go_while_rows_are_for_it(client, with_rows):
    typed = shown(client.get(change_url(with_rows))) | {"overrides-0-DELETE": "on"}

    response = client.post(change_url(with_rows), typed)
    assert errors(response) == {"add_ons-0-only_for": ["This protocol has no override of this name."]}

    response = client.post(change_url(with_rows), typed | {"add_ons-0-DELETE": "on"})
    assert response.status_code == 302, errors(response)
    assert not with_rows.overrides.exists()
    assert not with_rows.add_ons.exists()


def test_a_row_can_be_moved_to_the_template(client, with_rows):
    typed = shown(client.get(change_url(with_rows))) | {"add_ons-0-only_for": ""}

    assert client.post(change_url(with_rows), typed).status_code == 302

    assert [each.name for each in with_rows.terms_for().add_ons] == ["PRP"]


def test_rows_stand_in_the_order_that_was_typed(client, needling):
    phases = [
        {"name": name, "minutes": 10, "occupies_room": "on", "position": position}
        for name, position in (("third", 3), ("first", 1), ("last", None), ("second", 2))
    ]
    client.post(ADD, filled(**four_to_six_weeks(needling), phases=phases))

    assert [phase.name for phase in Protocol.objects.get().terms_for().phases] == ["first", "second", "third", "last"]


# --- who may


def test_who_may_look_sees_the_form_and_the_preview_and_changes_nothing(db, needling):
    protocol = Protocol.objects.create(
        name="Ours", treatment=needling, session_kind="fixed", session_min=2, session_max=2
    )
    reader = signed_in(an_editor("view"))

    page = reader.get(change_url(protocol), {"look-date": "2026-03-02", "_preview": "1"})

    assert page.status_code == 200
    assert page.context["look"].what.count == 2
    assert not page.context["has_change_permission"]
    assert b'name="_save"' not in page.content
    assert reader.get(change_url(protocol), LOOK, headers=HTMX).templates[0].name.endswith("_preview.html")
    assert reader.post(change_url(protocol), filled(name="Mine", treatment=needling.pk)).status_code == 403
    assert reader.get(ADD).status_code == 403
    assert Protocol.objects.get().name == "Ours"


def test_who_may_neither_look_nor_change_is_refused(db, needling):
    protocol = Protocol.objects.create(name="Ours", treatment=needling)
    stranger = signed_in(an_editor("delete"))

    assert stranger.get(change_url(protocol)).status_code == 403


def test_the_right_to_change_protocols_is_enough_for_their_rows(client, with_rows):
    typed = shown(client.get(change_url(with_rows)))

    assert "overrides-0-name" in typed
    assert "add_ons-0-only_for" in typed


# --- the catalogue


@pytest.mark.parametrize(
    ("model", "use"),
    [
        pytest.param(Treatment, lambda used: Protocol.objects.create(name="P", treatment=used), id="treatment"),
        pytest.param(
            DeviceKind,
            lambda used: Phase.objects.create(
                treatment=Treatment.objects.create(name="T"), name="Phase", minutes=5, device_kind=used
            ),
            id="kind of device",
        ),
    ],
)
def test_a_name_that_is_in_use_cannot_be_changed(model, use, admin_client):
    named = model.objects.create(name="Pen")
    url = f"/admin/treatments/{model._meta.model_name}/{named.pk}/change/"
    assert "name" in admin_client.get(url).context["adminform"].form.fields

    use(named)

    page = admin_client.get(url)
    assert "name" not in page.context["adminform"].form.fields
    assert "know it by this name" in page_text(page)


@pytest.mark.parametrize("name", ["treatment", "devicekind", "concern", "addon"])
def test_the_catalogue_can_be_listed_and_added_to(name, admin_client):
    assert admin_client.get(f"/admin/treatments/{name}/").status_code == 200
    assert admin_client.get(f"/admin/treatments/{name}/add/").status_code == 200


def test_minutes_and_device_of_an_add_on_are_the_clinics(admin_client):
    kind = DeviceKind.objects.create(name="Centrifuge")

    admin_client.post("/admin/treatments/addon/add/", {"name": "PRP", "extra_minutes": 20, "device_kind": kind.pk})

    assert AddOn.objects.get().extra_minutes == 20


# --- the list


def test_the_list_says_how_many_series_run_on_which_version(world):
    world.a_series()
    world.a_series(world.a_patient())
    Protocol.objects.update(version=2)
    world.protocol.refresh_from_db()
    world.a_series(world.a_patient())
    stopped = world.a_series(world.a_patient())
    courses.stop(series=stopped, reason="moved away", by=world.desk, now=NOW)

    page = signed_in(an_editor()).get("/admin/treatments/protocol/")

    assert "1 on version 2, 2 on version 1" in page_text(page)


@pytest.mark.parametrize("found", ["Acne", "Microneedling", "acne scars"])
def test_the_list_is_searched_by_name_treatment_and_concern(found, world):
    Protocol.objects.create(name="Another", treatment=Treatment.objects.create(name="Peel"))

    page = signed_in(an_editor()).get("/admin/treatments/protocol/", {"q": found})

    assert [each.name for each in page.context["cl"].result_list] == ["Acne scars"]


def test_the_list_of_two_thousand_takes_as_many_queries_as_that_of_two(world):
    client = signed_in(an_editor())
    client.get("/admin/treatments/protocol/")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/admin/treatments/protocol/").status_code == 200
        return len(captured)

    Protocol.objects.create(name="Second", treatment=world.treatment)
    world.a_series()
    few = queries()
    Protocol.objects.bulk_create(
        Protocol(name=f"Protocol {number}", treatment=world.treatment) for number in range(2000)
    )

    assert queries() == few
