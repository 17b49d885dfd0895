"""The receptionist's day, from the first look at the list to the series booked while the patient is on the phone."""

import re
from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import expect

from clinic import walltime
from clinic.models import Absence, Appointment, BookingRequest, Message
from clinic.services import course as courses
from clinic.services import rota_fit
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_worklist import a_cycle
from tests.e2e.conftest import assert_accessible, sign_in
from tests.e2e.test_worklist import press
from tests.world import LONDON, NOW, at
from treatments.models import Protocol, ScreeningQuestion, Series
from treatments.services import series as treated

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MORNING = at("2026-03-03 08:30")


@pytest.fixture(autouse=True)
def morning(clock):
    """Before anybody signs in, so that no session has grown old."""
    clock.move_to(MORNING)


def row(desk, name: str):
    return desk.locator(".day-visit", has_text=name)


# --- Who comes today, who is here, who is late ---------------------------------------------------------


def test_the_morning_and_the_arrivals(desk, server, clinic, clock):
    ScreeningQuestion.objects.create(protocol=clinic.protocol, text="Are you pregnant?", effect="stop", position=1)
    first = book(clinic, a_visit(clinic, "2026-03-03 09:00", session=clinic.a_series().sessions.get(number=1)))
    noor = clinic.a_patient("Noor", "Haddad", email="", phone="")
    second = book(clinic, a_visit(clinic, "2026-03-03 10:15"), noor)
    book(clinic, a_visit(clinic, "2026-03-03 14:00", who=1, where=1, pen=1), clinic.a_patient("Ines", "Vidal"))

    # Before the doors open: who comes, in order of time, and what is missing.
    desk.goto(f"{server.url}/desk/")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Today, Tue 3 Mar 2026")
    expect(desk.locator(".day-summary")).to_contain_text(
        re.compile(r"3 visits\s+· 3 still to come\s+· 2 with something")
    )
    expect(desk.locator(".day-who")).to_have_text(["Amal Osei", "Noor Haddad", "Ines Vidal"])
    expect(row(desk, "Amal Osei")).to_contain_text("session 1 of 3")
    expect(row(desk, "Amal Osei")).to_contain_text("screening missing")
    expect(row(desk, "Noor Haddad")).to_contain_text("no phone or e-mail")
    expect(row(desk, "Ines Vidal").locator(".status-warn")).to_have_count(0)
    assert_accessible(desk)

    # The first is on time. One press, and the list stays where it is.
    clock.move_to(at("2026-03-03 08:58"))
    row(desk, "Amal Osei").get_by_role("button", name="Arrived").click()
    expect(row(desk, "Amal Osei").locator(".status-arrived")).to_be_visible()
    expect(desk.locator("#messages")).to_contain_text("Amal Osei is here.")
    first.refresh_from_db()
    assert first.status == "arrived"

    # The second is late, and the next visit of nobody waits for it; in the afternoon she is there after all.
    clock.move_to(at("2026-03-03 10:40"))
    desk.reload()
    late = row(desk, "Noor Haddad")
    expect(late).to_contain_text("25 min late")
    expect(late).not_to_contain_text("may wait")
    expect(late.get_by_role("button", name="No-show")).to_be_visible()
    assert_accessible(desk)
    late.get_by_role("button", name="Arrived").click()
    expect(desk.locator("#messages")).to_contain_text("Noor Haddad is here, 25 min late.")
    expect(late.locator(".status-arrived")).to_be_visible()
    expect(late).to_contain_text("25 min late")
    second.refresh_from_db()
    assert (second.status, second.starts_at) == ("arrived", at("2026-03-03 10:15"))

    # A slip is taken back where it was made.
    desk.get_by_role("button", name=re.compile("Undo")).first.click()
    expect(row(desk, "Noor Haddad").locator(".status-booked")).to_be_visible()


def test_a_late_patient_keeps_the_next_one_waiting(desk, server, clinic, clock):
    late = book(clinic, a_visit(clinic, "2026-03-03 09:00"))
    book(clinic, a_visit(clinic, "2026-03-03 10:20"), clinic.a_patient("Noor", "Haddad"))
    clock.move_to(at("2026-03-03 09:20"))

    # The diary's card says it, and the visit behind it whom it keeps waiting: here until 10:35, five minutes of air.
    desk.goto(f"{server.url}/desk/diary/?view=day")
    card = desk.locator(".diary-grid .visit .card", has_text="Amal Osei")
    expect(card).to_contain_text("20 min late")
    assert_accessible(desk)
    card.click()
    expect(desk.locator("main")).to_contain_text("Noor Haddad at 10:20 may wait 15 min for Room 1.")
    assert_accessible(desk)
    desk.get_by_role("button", name="Arrived").click()
    expect(desk.locator("#messages")).to_contain_text("20 min late. Noor Haddad at 10:20 may wait 15 min for Room 1.")
    late.refresh_from_db()
    assert late.status == "arrived"


# --- Session 3 of 6 is missed -----------------------------------------------------------------------------


def a_series_of_six(clinic) -> Series:
    """Every Tuesday at ten, five weeks apart; the first two attended."""
    Protocol.objects.filter(pk=clinic.protocol.pk).update(session_min=6, session_max=6)
    clinic.protocol.refresh_from_db()
    choice = clinic.choice()
    course = courses.new_course(patient=clinic.patient, choice=choice)
    order = courses.Order(site=clinic.site, first_day=date(2026, 3, 3))
    proposal = courses.propose(course=course, order=order, now=NOW)
    settled = courses.settled(proposal)
    return courses.book_new(patient=clinic.patient, choice=choice, order=settled, by=clinic.desk, now=NOW, key=uuid4())


def days_of(series: Series) -> dict[int, date]:
    live = Appointment.objects.live().filter(session__series=series).values_list("session__number", "starts_at")
    return {number: walltime.day_of(starts_at, LONDON) for number, starts_at in live}


def test_a_no_show_in_session_three_of_six_is_planned_again(desk, server, clinic, clock):
    series = a_series_of_six(clinic)
    before = days_of(series)
    assert sorted(before) == [1, 2, 3, 4, 5, 6]
    for number in (1, 2):
        treated.attend(
            session=series.sessions.get(number=number),
            on=before[number],
            by=clinic.desk,
            now=at(f"{before[number]} 18:00"),
        )
    missed = Appointment.objects.get(session__series=series, session__number=3)
    clock.move_to(missed.starts_at + timedelta(minutes=40))
    sign_in(desk, server, "desk@example.com")

    row(desk, "Amal Osei").get_by_role("button", name="No-show").click()
    desk.wait_for_url(f"**/appointments/{missed.pk}/change/missed/")

    # The question: what it does to the later ones, and the choices.
    expect(desk.get_by_role("heading", level=1)).to_have_text("The patient did not come")
    table = desk.get_by_role("region", name="Before and after").locator("tbody tr")
    expect(table).to_have_count(4)
    for effect, number in zip(table.all(), (3, 4, 5, 6), strict=True):
        expect(effect.locator("th")).to_have_text(str(number))
        expect(effect).to_contain_text(f"{before[number]:%-d %b %Y}")
    # The patient is not here to be asked, so nothing is planned unasked.
    only, replan = desk.get_by_label("Leave the later sessions"), desk.get_by_label("Plan the later sessions again")
    expect(only).to_be_checked()
    expect(table.nth(0)).to_contain_text("To book")
    expect(desk.get_by_label("Give up the later sessions that no longer fit")).to_be_visible()
    assert_accessible(desk)

    # Planned again: every later session has a day inside its window, before anything is stored.
    replan.check()
    expect(table.nth(0)).not_to_contain_text("To book")
    for effect in table.all():
        expect(effect).not_to_contain_text(re.compile("Too early|Too late|To book"))
    assert days_of(series) == before
    assert_accessible(desk)
    after = {
        number: re.search(r"\d+ \w{3} \d{4}", effect.locator("td").nth(1).text_content())[0]
        for effect, number in zip(table.all(), (3, 4, 5, 6), strict=True)
    }
    desk.get_by_role("button", name="Record the no-show").click()

    # As it was shown, it is booked; the missed visit keeps its place in the history.
    expect(desk.locator("#messages")).to_contain_text("Amal Osei did not come.")
    missed.refresh_from_db()
    assert missed.status == "no_show"
    now = days_of(series)
    assert {number: f"{now[number]:%-d %b %Y}" for number in (3, 4, 5, 6)} == after
    assert now[3] > before[3]
    for earlier in (3, 4, 5):
        assert timedelta(days=28) <= now[earlier + 1] - now[earlier] <= timedelta(days=42)
    assert [now[1], now[2]] == [before[1], before[2]]

    # The course strip and the diary show the new days, and one message tells the patient.
    desk.goto(f"{server.url}/desk/patients/{clinic.patient.pk}/")
    for number in (3, 4, 5, 6):
        expect(desk.locator(".course-step").nth(number - 1)).to_contain_text(f"{now[number]:%-d %b %Y}")
    [told] = Message.objects.filter(owed_at__gte=missed.starts_at)
    assert (told.kind, told.appointment.session.number, told.state) == ("confirmation", 3, "pending")
    desk.goto(f"{server.url}/desk/diary/?day={now[4]}")
    expect(desk.locator(".diary-grid .visit .card", has_text="Amal Osei")).to_contain_text("4 of 6")


# --- A practitioner is ill tomorrow -----------------------------------------------------------------------


def test_a_practitioner_is_ill_tomorrow_and_no_visit_is_lost(desk, server, clinic):
    """Ada's three visits: Ben has her first time and no other; the last may be tomorrow only."""
    clinic.desk.user_permissions.add(Permission.objects.get(codename="note_absence"))
    Absence.objects.create(
        resource=clinic.practitioners[1], starts_at=at("2026-03-04 10:30"), ends_at=at("2026-03-05 00:00"), reason=""
    )
    noor, ines = clinic.a_patient("Noor", "Haddad"), clinic.a_patient("Ines", "Vidal")
    same_time = book(clinic, a_visit(clinic, "2026-03-04 09:00"))
    elsewhere = book(clinic, a_visit(clinic, "2026-03-04 11:00"), noor)
    cycle = a_cycle(clinic, ines, due=date(2026, 3, 4), by=date(2026, 3, 4))
    stays = book(clinic, a_visit(clinic, "2026-03-04 14:00", maintenance=cycle), ines)
    unaffected = book(clinic, a_visit(clinic, "2026-03-05 09:00"), clinic.a_patient("Zoe", "Klein"))
    names = ["Amal Osei", "Noor Haddad", "Ines Vidal"]

    # One press shows whom it affects, and keeps nothing yet.
    desk.goto(f"{server.url}/desk/rota/")
    person = desk.get_by_label("Ill:")
    person.focus()
    desk.keyboard.type("Ada")
    press(desk, "button", "Ill tomorrow")
    expect(desk.get_by_role("heading", name="3 booked visits would no longer fit")).to_be_visible()
    expect(desk.locator(".rota-consequences tbody th")).to_have_text(names)
    assert Absence.objects.filter(resource=clinic.practitioners[0]).count() == 0
    assert_accessible(desk)

    # The next keeps it: the same visits stand on the worklist, each with its reason, none moved.
    keep = desk.get_by_role("button", name="Keep it, and put these visits on the worklist")
    expect(keep).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.locator("#messages")).to_contain_text("3 booked visits no longer fit.")
    rows = desk.locator(".worklist tbody tr")
    expect(rows.locator("th > a")).to_have_text(names)
    expect(rows).to_contain_text(["Ada is away: Ill"] * 3)
    assert_accessible(desk)

    # One press plans again what can be, and says of the rest why it cannot.
    press(desk, "button", "Re-plan all of these")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Planned again")
    moved, left = (desk.get_by_role("region", name=name).locator("tbody tr") for name in ("Moved", "Still on the list"))
    expect(moved.locator("th")).to_have_text(names[:2])
    expect(left.locator("th")).to_have_text(names[2:])
    expect(left).to_contain_text("Nothing is free that keeps every session inside its window.")
    assert_accessible(desk)
    press(desk, "link", "Back to the list")
    expect(rows.locator("th > a")).to_have_text(names[2:])

    # Nothing was cancelled, and what was moved holds its time where the diary shows it.
    booked = {visit.pk: visit for visit in Appointment.objects.live().select_related("practitioner")}
    assert booked.keys() == {visit.pk for visit in (same_time, elsewhere, stays, unaffected)}
    assert set(rota_fit.misfits(now=MORNING)) == {stays.pk}
    assert booked[same_time.pk].starts_at == same_time.starts_at
    assert booked[same_time.pk].practitioner.name == "Ben"
    assert booked[stays.pk].starts_at == stays.starts_at
    for visit, name in ((same_time, "Amal Osei"), (elsewhere, "Noor Haddad"), (stays, "Ines Vidal")):
        local = booked[visit.pk].starts_at.astimezone(LONDON)
        desk.goto(f"{server.url}/desk/diary/?view=day&by=practitioner&day={local:%Y-%m-%d}")
        card = desk.locator(".diary-grid .visit .card", has_text=name)
        expect(card).to_have_count(1)
        expect(card).to_contain_text(f"{local:%H:%M}")


# --- The patient is on the phone --------------------------------------------------------------------------

COUNT = """
(() => {
  const named = (node) => (node.innerText || node.labels?.[0]?.innerText || node.name || node.tagName).trim();
  const kind = (node) => node.matches("[type=search]") ? "search" : node.matches("[name=book]") ? "press" : "choice";
  document.addEventListener("click", (event) => {
    const target = event.isTrusted && event.target.closest("a, button, summary, input, label");
    if (target) noted(kind(target), named(target));
  }, true);
  document.addEventListener("change", (event) => {
    const node = event.target;
    if (kind(node) !== "search") noted("choice", node.matches("select") ? node.selectedOptions[0].text : named(node));
  }, true);
  document.addEventListener("keydown", (event) => noted("key", event.key), true);
})();
"""


class Counted:
    """What the receptionist did, as the browser saw it: keys, choices (a link, a button, an option), and the press."""

    def __init__(self, page) -> None:
        self.acts: list[tuple[str, str]] = []
        page.expose_function("noted", lambda what, named: self.acts.append((what, named)))
        page.add_init_script(COUNT)

    def of(self, what: str) -> list[str]:
        return [named for kind, named in self.acts if kind == what]


@pytest.fixture
def phone(desk, server, clinic):
    """The desk's browser with everything counted, the diary open; and patients and protocols to choose from."""
    for n in range(3):
        clinic.a_patient("Amanda", f"Oseman{n}")
    Protocol.objects.create(
        name="Fine lines",
        treatment=clinic.treatment,
        status="published",
        session_kind="fixed",
        session_min=4,
        session_max=4,
        spacing_min=4,
        spacing_ideal=4,
        spacing_max=5,
        spacing_unit="week",
    )
    counted = Counted(desk)
    desk.goto(f"{server.url}/desk/diary/")
    return desk, counted


def test_from_the_call_to_the_series_in_four_choices_and_one_press(phone, clinic):
    desk, counted = phone

    desk.locator("#patient-search").click()
    desk.keyboard.type("amal osei")
    desk.keyboard.press("Enter")
    desk.get_by_role("link", name="Amal Osei").click()
    desk.get_by_role("link", name="Book a series").first.click()
    protocol = desk.get_by_label("Protocol")
    expect(protocol).to_be_focused()
    desk.wait_for_load_state()
    protocol.select_option(label="Acne scars")
    desk.get_by_label("Concern").select_option(label="acne scars")
    expect(desk.locator(".proposal-session")).to_have_count(3)
    desk.get_by_role("button", name="Book all 3 sessions").click()
    expect(desk.get_by_text("3 sessions are booked.")).to_be_visible()

    assert counted.of("choice") == ["Amal Osei", "Book a series", "Acne scars", "acne scars"], counted.acts
    assert counted.of("press") == ["Book all 3 sessions"]
    assert len(counted.of("key")) == len("amal osei") + len(["Enter"])
    assert Appointment.objects.live().filter(session__series__patient=clinic.patient).count() == 3


def test_the_same_without_a_mouse(phone, clinic):
    desk, counted = phone

    def go(key: str) -> None:
        desk.wait_for_load_state()
        desk.keyboard.press(key)

    go("/")
    desk.keyboard.type("amal osei")
    go("Enter")
    expect(desk.get_by_role("link", name="Amal Osei")).to_be_focused()
    go("Enter")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Amal Osei")
    go("b")
    expect(desk.get_by_label("Protocol")).to_be_focused()
    desk.wait_for_load_state()
    desk.keyboard.type("acne")
    expect(desk.locator(".proposal-session")).to_have_count(3)
    expect(desk.get_by_label("Protocol")).to_be_focused()
    desk.keyboard.press("Control+Enter")
    expect(desk.get_by_text("3 sessions are booked.")).to_be_visible()

    typed = ["/", *"amal osei", "Enter", "Enter", "b", *"acne", "Control", "Enter"]
    assert counted.of("key") == typed, counted.acts
    assert Appointment.objects.live().filter(session__series__patient=clinic.patient).count() == 3


# --- Two presses, two people ------------------------------------------------------------------------------


def test_a_double_click_books_once(phone, server, clinic):
    desk, _counted = phone
    propose(desk, server, clinic.patient)

    desk.get_by_role("button", name="Book all 3 sessions").dblclick(no_wait_after=True)

    expect(desk.get_by_text("3 sessions are booked.")).to_be_visible()
    assert Series.objects.count() == 1
    assert Appointment.objects.count() == 3
    assert BookingRequest.objects.count() == 1


def propose(page, server, patient) -> list[str]:
    """Open the booking, choose the protocol; the times that are proposed."""
    page.goto(f"{server.url}/desk/patients/{patient.pk}/series/new/")
    page.wait_for_load_state()
    page.get_by_label("Protocol").select_option(label="Acne scars")
    expect(page.locator(".proposal-session")).to_have_count(3)
    return page.locator(".proposal-session time").all_text_contents()


def test_two_receptionists_at_one_time(desk, server, clinic, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    other = context.new_page()
    sign_in(other, server, "manager@example.com")
    propose(desk, server, clinic.patient)
    with desk.expect_response("**/series/new/"):
        desk.get_by_label("Start no later than").fill("16.00")
        desk.get_by_label("Start no later than").blur()
    mine = desk.locator(".proposal-session time").all_text_contents()
    assert propose(other, server, clinic.a_patient("Noor", "Haddad")) == mine

    # The other moves only the second and the third away, and is faster.
    for number in (3, 2):
        other.get_by_text(f"Another time for session {number}").click()
        other.locator(f"#session-{number} .proposal-alternatives button").last.click()
        expect(other.locator(f"#session-{number}")).to_contain_text("Kept")
    other.get_by_role("button", name="Book all 3 sessions").click()
    expect(other.get_by_text("3 sessions are booked.")).to_be_visible()
    context.close()

    # Mine is told in a sentence; only what was lost has another time; what was typed and chosen stands.
    desk.get_by_role("button", name="Book all 3 sessions").click()
    expect(desk.get_by_role("alert")).to_contain_text("Only what was lost has been planned again")
    times = desk.locator(".proposal-session time").all_text_contents()
    assert [now == before for now, before in zip(times, mine, strict=True)] == [False, True, True]
    expect(desk.locator("#session-1")).to_contain_text("Planned again")
    expect(desk.get_by_label("Start no later than")).to_have_value("16.00")
    assert Appointment.objects.filter(patient=clinic.patient).count() == 0
    assert_accessible(desk)
    desk.get_by_role("button", name="Book all 3 sessions").click()
    expect(desk.get_by_text("3 sessions are booked.")).to_be_visible()
    assert Appointment.objects.filter(patient=clinic.patient).count() == 3


# --- Dragged where it cannot be --------------------------------------------------------------------------


def test_a_card_dropped_where_it_cannot_be_goes_back_with_the_reason(desk, server, clinic):
    visit = book(clinic, a_visit(clinic, "2026-03-03 10:00"))
    Absence.objects.create(
        resource=clinic.practitioners[0],
        starts_at=at("2026-03-03 12:00"),
        ends_at=at("2026-03-03 18:00"),
        reason="Training",
    )
    desk.goto(f"{server.url}/desk/diary/?view=day")
    card = desk.locator(".diary-grid .visit:not(.ec-ghost) .card", has_text="Amal Osei")
    was = card.bounding_box()

    slot = "getComputedStyle(document.querySelector('.diary-grid .ec-main')).getPropertyValue('--ec-slot-height')"
    half_hour = float(desk.evaluate(slot).removesuffix("px"))
    desk.mouse.move(was["x"] + 40, was["y"] + 10)
    desk.mouse.down()
    desk.mouse.move(was["x"] + 44, was["y"] + 30, steps=4)
    desk.mouse.move(was["x"] + 44, was["y"] + 10 + 6 * half_hour, steps=8)
    desk.mouse.up()

    dialog = desk.get_by_role("dialog", name="Move this visit")
    expect(dialog.get_by_role("alert")).to_contain_text("Nothing is free then for the whole visit.")
    expect(dialog.get_by_role("button", name="Move it")).to_have_count(0)
    desk.keyboard.press("Escape")
    expect(desk.locator("#messages")).to_contain_text(
        "The visit stays where it was. Nothing is free then for the whole visit."
    )
    expect(card).to_be_visible()
    assert card.bounding_box()["height"] == pytest.approx(was["height"], abs=2)
    assert card.text_content().count("10:00") == 1
    visit.refresh_from_db()
    assert visit.starts_at == at("2026-03-03 10:00")


def test_what_one_does_the_other_sees_in_the_diary(desk, server, clinic, browser):
    visit = book(clinic, a_visit(clinic, "2026-03-03 10:00"))
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    other = context.new_page()
    sign_in(other, server, "manager@example.com")
    other.goto(f"{server.url}/desk/diary/?view=day")
    card = other.locator(".diary-grid .visit .card", has_text="Amal Osei")
    expect(card).to_contain_text("10:00")

    desk.goto(f"{server.url}/desk/appointments/{visit.pk}/move/")
    desk.get_by_label("Date", exact=True).fill("t")
    desk.get_by_label("Time", exact=True).fill("14.30")
    desk.get_by_label("Time", exact=True).press("Tab")
    expect(desk.get_by_role("region", name="Before and after")).to_contain_text("Tue 3 Mar 2026, 14:30")
    desk.get_by_role("button", name="Move it").click()
    expect(desk.locator("#messages")).to_contain_text("Moved.")

    expect(card).to_contain_text("14:30", timeout=5000)
    context.close()
