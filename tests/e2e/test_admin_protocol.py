"""Protocols entered in a real browser: by keyboard alone, with the preview following, under the strict policy."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from playwright.sync_api import expect

from tests.e2e.conftest import PASSWORD, sign_in
from tests.treatments.test_library import FACTS, ROWS, said
from treatments.models import AddOn, Concern, Override, Protocol, Treatment

ADD = "/admin/treatments/protocol/add/"


@pytest.fixture
def signed_in(page, server, clinic):
    user = User.objects.create_superuser("admin", "admin@example.com", PASSWORD)
    user.emailaddress_set.create(email=user.email, verified=True, primary=True)
    sign_in(page, server, "admin@example.com")
    page.site = server.url
    return page


@pytest.fixture
def admin(signed_in):
    """An admin's browser, which must not complain about the page."""
    complaints = []
    signed_in.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    signed_in.on("pageerror", lambda error: complaints.append(str(error)))
    yield signed_in
    # The icon that the browser asks for by itself, and a preview that was under way when the page was left.
    known = ("Failed to load resource: the server responded with a status of 404", "htmx:")
    assert [each for each in complaints if not each.startswith(known)] == []


def facts(name):
    return [row for row in ROWS if row["template"] == name]


def tab_to(page, css, *, back=False, most=400):
    """Press Tab until the focus is there: what cannot be reached so cannot be reached by keyboard."""
    for _press in range(most):
        if page.evaluate("css => document.activeElement.matches(css)", css):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"{css} is not reached by Tab.")


def type_at(page, css, text, **where):
    tab_to(page, css, **where)
    page.keyboard.type(text)


def add_row(page, group, **where):
    tab_to(page, f"#{group}-group .add-row a", **where)
    page.keyboard.press("Enter")


def saved(page):
    with page.expect_navigation():
        tab_to(page, "input[name=_save]")
        page.keyboard.press("Enter")
    return Protocol.objects.exclude(name="Acne scars").get()


def reads_back(row, protocol, **case):
    terms = protocol.terms_for(**case).to_json()
    interval = said(row, "interval")
    assert terms["sessions"] == said(row, "sessions") | {"typical": None}
    assert terms["spacing"] == (interval and interval | {"ideal": None, "tolerance_days": None})
    assert terms["add_ons"] == [each | {"extra_minutes": None, "device_kind": None} for each in said(row, "add_ons")]
    assert terms["maintenance"] == said(row, "maintenance")


def test_a_monthly_series_with_add_ons_by_keyboard_alone(admin):
    (row,) = facts("Monthly series with growth-factor serum")
    AddOn.objects.bulk_create(AddOn(name=each["name"]) for each in row["add_ons"])
    admin.goto(admin.site + ADD)

    type_at(admin, "#id_name", row["template"])
    type_at(admin, "#id_treatment", "Microneedling")
    type_at(admin, "#id_session_kind", "A fixed")
    type_at(admin, "#id_session_min", "4")
    type_at(admin, "#id_spacing_min", "1")
    type_at(admin, "#id_spacing_max", "1")
    type_at(admin, "#id_spacing_unit", "calendar")
    for number, each in enumerate(row["add_ons"]):
        add_row(admin, "add_ons")
        # The new row stands before the link that added it.
        type_at(admin, f"#id_add_ons-{number}-add_on", each["name"], back=True)
        type_at(admin, f"#id_add_ons-{number}-role", "Included")
        type_at(admin, f"#id_add_ons-{number}-route", each["route"])
    add_row(admin, "maintenance_rules")
    type_at(admin, "#id_maintenance_rules-0-kind", "Care at home", back=True)
    type_at(admin, "#id_maintenance_rules-0-text", row["maintenance"][0]["text"])

    reads_back(row, saved(admin))


def test_overrides_by_needle_depth_with_their_rows(admin):
    rows = facts("Needling by needle length")
    for row in rows:
        Concern.objects.create(name=row["when"]["concerns"][0])
        AddOn.objects.bulk_create(AddOn(name=each["name"]) for each in row["add_ons"])
    admin.goto(admin.site + ADD)
    admin.locator("#id_name").fill(rows[0]["template"])
    admin.locator("#id_treatment").select_option("Microneedling")

    add_ons = 0
    for number, row in enumerate(rows):
        admin.get_by_text("Add another Override").click()
        override = admin.locator(f"#overrides-{number}")
        override.get_by_label("Name").fill(row["id"])
        override.locator(".select2-search__field").click()
        admin.keyboard.type(row["when"]["concerns"][0])
        admin.locator(".select2-results__option--highlighted", has_text=row["when"]["concerns"][0]).wait_for()
        admin.keyboard.press("Enter")
        override.get_by_label("Needle depth from (mm)").fill(str(row["when"]["depth_mm"]))
        override.get_by_label("Needle depth to (mm)").fill(str(row["when"]["depth_mm"]))
        for replaced in ("Number of sessions", "Spacing", "Anaesthesia", "Add-ons", "Maintenance"):
            override.get_by_role("checkbox", name=replaced).check()
        override.locator(f"#id_overrides-{number}-anaesthesia").select_option(row["anaesthesia"])
        for each in row["add_ons"]:
            admin.get_by_text("Add another Add-on").click()
            admin.locator(f"#id_add_ons-{add_ons}-add_on").select_option(each["name"])
            admin.locator(f"#id_add_ons-{add_ons}-role").select_option(each["role"])
            admin.locator(f"#id_add_ons-{add_ons}-route").fill(each["route"] or "")
            admin.locator(f"#id_add_ons-{add_ons}-only_for").fill(row["id"])
            add_ons += 1
        admin.get_by_text("Add another Maintenance rule").click()
        admin.locator(f"#id_maintenance_rules-{number}-kind").select_option("none")
        admin.locator(f"#id_maintenance_rules-{number}-text").fill(row["maintenance"][0]["text"])
        admin.locator(f"#id_maintenance_rules-{number}-only_for").fill(row["id"])
    assert admin.locator("#override-names option").evaluate_all("all => all.map(each => each.value)") == [
        row["id"] for row in rows
    ]

    protocol = saved(admin)

    for row in rows:
        concern = Concern.objects.get(name=row["when"]["concerns"][0])
        reads_back(row, protocol, concern=concern, depth_mm=row["when"]["depth_mm"])
        assert protocol.terms_for(concern=concern, depth_mm=row["when"]["depth_mm"]).anaesthesia == row["anaesthesia"]
    assert [each["mm"] for each in FACTS["needle_classes"]] == [row["when"]["depth_mm"] for row in rows]


def test_the_preview_follows_what_is_typed_and_nothing_is_stored(admin):
    (row,) = facts("Six sessions, then monthly Hydrafacial")
    Treatment.objects.get_or_create(name="Hydrafacial")
    admin.goto(admin.site + ADD)
    preview = admin.locator("#preview")
    admin.locator("#id_look-date").fill("2026-03-02")
    admin.locator("#id_name").fill(row["template"])
    admin.locator("#id_treatment").select_option("Microneedling")
    admin.locator("#id_session_kind").select_option("fixed")
    admin.locator("#id_session_min").fill("6")
    admin.locator("#id_spacing_min").fill("4")
    expect(preview).to_contain_text("Give minimum, maximum and unit of the spacing")
    admin.locator("#id_spacing_max").fill("6")
    admin.locator("#id_spacing_unit").select_option("week")
    expect(preview.locator(".course-windows tbody tr")).to_have_count(6)
    expect(preview.locator(".course-windows")).to_contain_text("Mon 6 Apr 2026")
    expect(preview).to_contain_text("75 minutes: Numbing 30, Treatment 45.")
    admin.get_by_text("Add another Maintenance rule").click()
    admin.locator("#id_maintenance_rules-0-kind").select_option("other_treatment")
    admin.locator("#id_maintenance_rules-0-treatment").select_option("Hydrafacial")
    admin.locator("#id_maintenance_rules-0-min").fill("1")
    admin.locator("#id_maintenance_rules-0-max").fill("1")
    admin.locator("#id_maintenance_rules-0-unit").select_option("month")
    expect(preview.locator(".course-cycles li")).to_have_count(36)
    admin.get_by_text("Add another Maintenance rule").click()
    admin.locator("#id_maintenance_rules-1-kind").select_option("individual")
    admin.locator("#id_maintenance_rules-1-text").fill(row["maintenance"][1]["text"])
    expect(preview).to_contain_text("A to-do for the desk: the clinician decides.")
    assert not Protocol.objects.filter(name=row["template"]).exists()

    reads_back(row, saved(admin))


def findings(page) -> dict[str, list[str]]:
    return {
        each["id"]: [node["html"][:200] for node in each["nodes"]] for each in Axe().run(page).response["violations"]
    }


def test_axe_finds_nothing_that_the_stock_admin_does_not_have(signed_in, clinic, settings):
    # Axe brings a style of its own, of which the browser complains.
    admin = signed_in
    settings.ROOT_URLCONF = "tests.e2e.stock_admin"
    override = Override.objects.create(protocol=clinic.protocol, name="Scars")
    override.concerns.add(Concern.objects.get())
    stock = set()
    for page in ("treatment/", f"treatment/{clinic.treatment.pk}/change/", f"override/{override.pk}/change/"):
        admin.goto(f"{admin.site}/stock/treatments/{page}")
        expect(admin).to_have_title(re.compile("Django"))
        stock |= findings(admin).keys()
    # Tables of rows with nameless columns and fields, and the search box for related rows. Anything new is ours.
    assert stock <= {"empty-table-header", "label", "label-title-only", "select-name", "list"}

    change = f"/admin/treatments/protocol/{clinic.protocol.pk}/change/"
    treatment = f"/admin/treatments/treatment/{clinic.treatment.pk}/change/"
    for address in [change, ADD, "/admin/treatments/protocol/", treatment, "/admin/treatments/treatment/"]:
        admin.goto(admin.site + address)
        if address == change:
            admin.locator("#id_spacing_min").fill("9")
            expect(admin.locator("#preview")).to_contain_text("The minimum is above the maximum")
            for added in ("Override", "Phase", "Add-on", "Care instruction", "Milestone", "Screening question"):
                admin.get_by_text(f"Add another {added}").click()
        found = findings(admin)
        assert {each: nodes for each, nodes in found.items() if each not in stock} == {}, address
