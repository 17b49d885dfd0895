"""The receptionist lives in the diary: sees the day, walks through it by keyboard, drags, and sees what others do."""

import re
from datetime import date, timedelta

import pytest
from playwright.sync_api import expect

from clinic.models import Absence, Appointment
from clinic.services import booking
from tests.clinic.test_booking import a_visit, book
from tests.e2e.conftest import assert_accessible
from tests.world import at

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

DAY = date(2026, 3, 3)
MORNING = at("2026-03-03 08:30")


@pytest.fixture(autouse=True)
def morning(clock):
    """Before anybody signs in, so that no session has grown old."""
    clock.move_to(MORNING)


@pytest.fixture
def a_day(clinic):
    """A session of a series with Ada, a second visit with Ben, and Ben away in the afternoon."""
    ben = clinic.practitioners[1]
    session = clinic.a_series().sessions.get(number=1)
    first = book(clinic, a_visit(clinic, "2026-03-03 10:00", session=session))
    noor = clinic.a_patient("Noor", "Haddad", email="")
    second = book(clinic, a_visit(clinic, "2026-03-03 13:00", who=1, where=1), noor)
    Absence.objects.create(
        resource=ben, starts_at=at("2026-03-03 15:00"), ends_at=at("2026-03-03 18:00"), reason="Training"
    )
    return first, second


@pytest.fixture
def complaints(desk):
    """What the browser complained of: errors of scripts, and what the content policy refused."""
    found = []
    desk.on("pageerror", lambda error: found.append(str(error)))
    desk.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    return found


def open_diary(desk, server, day: date = DAY, **query) -> None:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    desk.goto(f"{server.url}/desk/diary/?day={day.isoformat()}{more}")


def card(desk, name: str):
    return desk.locator(".diary-grid .visit:not(.ec-ghost) .card", has_text=name)


def test_a_day_in_the_diary(desk, server, a_day, clinic, complaints):
    first, second = a_day
    desk.get_by_role("link", name="Diary").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text("Today, Tue 3 Mar 2026")

    # Columns of people, phases inside the card, what is missing, and who is away.
    amal = card(desk, "Amal Osei")
    expect(amal).to_contain_text("10:00")
    expect(amal).to_contain_text("1 of 3")
    expect(amal).to_contain_text("Booked")
    expect(amal.locator(".card-phase")).to_have_count(2)
    numbing, work = (amal.locator(f".card-phase-{kind}").bounding_box()["height"] for kind in ("numbing", "work"))
    assert work / numbing == pytest.approx(45 / 30, rel=0.05)
    expect(card(desk, "Noor Haddad")).to_contain_text("no phone or e-mail")
    expect(desk.locator(".shade-absent")).to_contain_text("Training")
    assert desk.locator(".diary-list").is_hidden()
    assert_accessible(desk)

    # Somebody else's change is there within five seconds, without a reload, and takes the focus from nobody.
    amal.focus()
    booking.arrive(appointment=second, by=clinic.manager, now=MORNING)
    expect(card(desk, "Noor Haddad")).to_contain_text("Arrived", timeout=5000)
    expect(amal).to_be_focused()

    # Enter opens the visit.
    desk.keyboard.press("Enter")
    desk.wait_for_url(f"**/desk/appointments/{first.pk}/")
    assert complaints == []


def test_the_week_and_one_persons_week(desk, server, a_day, clinic, complaints):
    open_diary(desk, server, view="week")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("2 Mar – 8 Mar 2026")
    expect(card(desk, "Amal Osei")).to_be_visible()
    expect(desk.locator(".note-absent")).to_contain_text("15:00–18:00")
    assert_accessible(desk)

    desk.get_by_role("link", name=re.compile("^Ben")).click()
    expect(card(desk, "Noor Haddad")).to_be_visible()
    expect(card(desk, "Amal Osei")).to_have_count(0)
    assert_accessible(desk)

    desk.get_by_role("link", name="Rooms").click()
    expect(desk.get_by_role("link", name=re.compile("^Room 2"))).to_be_visible()
    expect(card(desk, "Amal Osei")).to_be_visible()
    desk.keyboard.press("ArrowRight")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("9 Mar – 15 Mar 2026")
    assert complaints == []


def press(desk, key: str) -> None:
    """Once the page has its scripts: the browser keeps no key for them."""
    desk.wait_for_load_state()
    desk.keyboard.press(key)


def test_keys_and_their_list(desk, server, a_day):
    open_diary(desk, server)
    press(desk, "?")
    keys = desk.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    assert_accessible(desk)
    press(desk, "ArrowRight")
    press(desk, "Escape")
    expect(keys).to_be_hidden()
    expect(desk.get_by_role("heading", level=1)).to_have_text("Today, Tue 3 Mar 2026")

    # A day on and back; in a field a letter is a letter.
    press(desk, "ArrowRight")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Wed 4 Mar 2026")
    press(desk, "ArrowLeft")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Today, Tue 3 Mar 2026")
    press(desk, "ArrowLeft")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Mon 2 Mar 2026")
    press(desk, "/")
    desk.keyboard.type("tn?")
    expect(desk.locator("#patient-search")).to_have_value("tn?")
    desk.locator("#patient-search").blur()
    press(desk, "t")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Today")
    press(desk, "n")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Register a new patient")

    # Switched off, they stay off on the next page; the date box takes words.
    open_diary(desk, server)
    desk.locator(".topbar-menu summary").click()
    desk.get_by_label("Keys without Ctrl or Alt").uncheck()
    desk.get_by_label("Day", exact=True).fill("+2w")
    desk.get_by_label("Day", exact=True).press("Enter")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Tue 17 Mar 2026")
    press(desk, "t")
    press(desk, "?")
    desk.wait_for_timeout(300)
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Tue 17 Mar 2026")
    expect(desk.get_by_role("dialog")).to_have_count(0)


def drag(desk, name: str, down: int) -> None:
    box = card(desk, name).bounding_box()
    x, y = box["x"] + 40, box["y"] + 10
    desk.mouse.move(x, y)
    desk.mouse.down()
    desk.mouse.move(x + 4, y + 20, steps=4)
    desk.mouse.move(x + 4, y + down, steps=8)
    desk.mouse.up()


def half_hour(desk) -> float:
    lengths = "getComputedStyle(document.querySelector('.diary-grid .ec-main')).getPropertyValue('--ec-slot-height')"
    return float(desk.evaluate(lengths).removesuffix("px"))


def test_dragging_asks_first(desk, server, a_day, clinic, complaints):
    first, _second = a_day
    open_diary(desk, server)
    where = card(desk, "Amal Osei").bounding_box()["y"]

    # Not now: the card is back, and it says so.
    drag(desk, "Amal Osei", int(4 * half_hour(desk)))
    dialog = desk.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Move this visit")).to_be_visible()
    expect(dialog.get_by_label("Time", exact=True)).to_have_value("12:00")
    assert_accessible(desk)
    desk.keyboard.press("Escape")
    expect(desk.locator("#messages")).to_contain_text("The visit stays where it was.")
    assert card(desk, "Amal Osei").bounding_box()["y"] - desk.locator(".diary-grid").bounding_box()[
        "y"
    ] == pytest.approx(where - 170, abs=60)
    first.refresh_from_db()
    assert first.starts_at == at("2026-03-03 10:00")

    # Yes: the visit is where it was put.
    drag(desk, "Amal Osei", int(4 * half_hour(desk)))
    dialog.get_by_role("button", name="Move it").click()
    expect(dialog).to_be_hidden()
    expect(card(desk, "Amal Osei")).to_contain_text("12:00")
    first.refresh_from_db()
    assert first.starts_at == at("2026-03-03 12:00")
    assert complaints == []


def test_an_empty_time_asks_for_whom(desk, server, a_day, clinic):
    open_diary(desk, server)
    column = card(desk, "Amal Osei").bounding_box()
    desk.mouse.click(column["x"] + 60, column["y"] - half_hour(desk) * 0.75)
    dialog = desk.get_by_role("dialog", name=re.compile("Book a visit"))
    expect(dialog).to_contain_text("09:30 · Ada")
    desk.keyboard.type("noor")
    expect(dialog.get_by_role("link", name="Noor Haddad")).to_be_visible()
    assert_accessible(desk)
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("Enter")
    desk.wait_for_url(re.compile(r"/visits/new/\?site=\d+&start=2026-03-03T09%3A30&practitioner=\d+"))


@pytest.mark.parametrize("typed", ["zzyzx", "noor"], ids=["nobody is found", "somebody else is"])
def test_whoever_is_registered_for_an_empty_time_gets_that_time(desk, server, a_day, clinic, typed):
    open_diary(desk, server)
    column = card(desk, "Amal Osei").bounding_box()
    desk.mouse.click(column["x"] + 60, column["y"] - half_hour(desk) * 0.75)
    dialog = desk.get_by_role("dialog", name=re.compile("Book a visit"))
    desk.keyboard.type(typed)
    dialog.get_by_role("button", name=re.compile("egister a new patient")).click()
    expect(desk.get_by_role("heading", level=1)).to_have_text("Register a new patient")
    assert_accessible(desk)
    desk.get_by_label("Given name").fill("Wanda")
    desk.get_by_label("Family name").fill("Zzyzx")
    desk.get_by_role("button", name="Register", exact=True).click()
    desk.wait_for_url(re.compile(r"/visits/new/\?site=\d+&start=2026-03-03T09%3A30&practitioner=\d+"))
    expect(desk.locator("main")).to_contain_text("Wanda Zzyzx")


def test_a_small_screen_has_a_list_that_stays_fresh(desk, server, a_day, clinic):
    _first, second = a_day
    desk.set_viewport_size({"width": 390, "height": 844})
    open_diary(desk, server)
    row = desk.locator(".diary-row", has_text="Noor Haddad")
    expect(row).to_contain_text("Booked")
    assert desk.locator(".diary-grid").is_hidden()
    assert_accessible(desk)
    assert desk.evaluate("document.documentElement.scrollWidth") <= 390

    # Who goes through the list by keyboard keeps the place while it changes.
    mine = desk.get_by_role("link", name="Amal Osei")
    mine.focus()
    booking.cancel(appointment=second, reason="ill", by=clinic.manager, now=MORNING)
    expect(row).to_have_count(0, timeout=5000)
    expect(mine).to_be_focused()


@pytest.mark.parametrize("view", ["day", "week"])
def test_the_dark_theme_is_readable(desk, server, a_day, view):
    Appointment.objects.filter(pk=a_day[1].pk).update(status="no_show")
    desk.emulate_media(color_scheme="dark")
    open_diary(desk, server, view=view)
    expect(card(desk, "Amal Osei")).to_be_visible()
    assert_accessible(desk)


def test_on_paper_it_is_a_list_by_practitioner(desk, server, a_day):
    open_diary(desk, server)
    expect(card(desk, "Amal Osei")).to_be_visible()
    desk.emulate_media(media="print")

    assert desk.locator(".diary-grid").is_hidden()
    columns = desk.locator(".diary-list-column")
    expect(columns).to_have_count(2)
    expect(columns.nth(0)).to_contain_text("Ada")
    expect(columns.nth(0)).to_contain_text("Amal Osei")
    expect(columns.nth(1)).to_contain_text("Training")
    assert desk.locator(".topbar").is_hidden()


def test_without_scripts_it_is_the_same_list(browser, server, desk, a_day):
    plain = browser.new_context(
        java_script_enabled=False, storage_state=desk.context.storage_state(), viewport={"width": 1280, "height": 900}
    ).new_page()
    open_diary(plain, server)

    expect(plain.locator(".diary-row")).to_have_count(2)
    plain.get_by_role("link", name="Amal Osei").click()
    plain.wait_for_url("**/desk/appointments/*/")
    plain.get_by_role("link", name="Move…").click()
    plain.get_by_label("Another time, practitioner or room:").check()
    plain.get_by_label("Time", exact=True).fill("15.30")
    plain.get_by_role("button", name="Show what it does").click()
    expect(plain.get_by_role("row", name=re.compile("Tue 3 Mar 2026, 15:30"))).to_be_visible()
    plain.get_by_role("button", name="Move it").click()
    expect(plain.get_by_text("Moved.")).to_be_visible()
    assert Appointment.objects.get(pk=a_day[0].pk).starts_at == at("2026-03-03 15:30")
    open_diary(plain, server, DAY + timedelta(days=1))
    expect(plain.locator(".diary-list")).to_contain_text("Nobody is booked.")
