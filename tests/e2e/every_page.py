"""Which pages there are, and the states in which each is looked at: by the part of the day that shares one clinic.

A state is where to look, what is done there first, and what then must be read. A new page goes into the part it belongs
to; one that shows nothing of its own into NO_PAGE, with what a press on it sends.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from unittest import mock

from playwright.sync_api import Locator, Page

from clinic.models import Site
from clinic.models.worklist import SUBJECTS
from clinic.services import course, offers, ripple, sessions, visits
from clinic.services.booking import TimeTaken
from clinic.services.worklist_rows import TABS
from clinic.views import desk_move, desk_rota
from tests.clinic.test_desk_import import HEADINGS
from tests.e2e.one_of_each import PASSWORD

Act = Callable[[Page], object]


@dataclass(frozen=True, slots=True)
class State:
    """`at` is added to the page's address, or is another one; what stands in braces is named by one_of_each.

    `reads` is what the page then says. With a `status` of its own it is the page of an error, whatever was asked for.
    """

    at: str = ""
    act: Act | None = None
    reads: str = ""
    status: int = 200


AS_IT_IS = [State()]


# --- What is done on a page -------------------------------------------------------------------------------------------


def main(page: Page) -> Locator:
    """The page's own part, once its scripts have run."""
    page.wait_for_load_state()
    return page.locator("main")


def press(name: str) -> Act:
    """Press a button, also where the browser would hold the form back: what the server says is looked at."""

    def act(page: Page) -> None:
        part = main(page)
        page.evaluate("for (const form of document.forms) form.noValidate = true")
        part.get_by_role("button", name=name).first.click()
        page.wait_for_load_state()

    return act


def unfold(text: str) -> Act:
    return lambda page: main(page).get_by_text(text).first.click()


def fill(label: str, text: str) -> Act:
    return lambda page: main(page).get_by_label(label, exact=True).fill(text)


def type_in(text: str) -> Act:
    return lambda page: main(page).get_by_role("searchbox").fill(text)


def tick(label: str) -> Act:
    return lambda page: main(page).get_by_label(label).first.check()


def asked_too_often(page: Page) -> None:
    """Each time anew: who has been sent a code is asked for that."""
    for _time in range(4):
        page.context.clear_cookies()
        page.goto(page.url.partition("/accounts/")[0] + "/accounts/login/")
        fill("E-mail address", "noor@example.com")(page)
        press("Send me a code")(page)
    page.context.clear_cookies()


def tried_too_often(page: Page) -> None:
    page.locator("#id_email").fill("manager@example.com")
    with mock.patch("allauth.core.internal.ratelimit.consume", return_value=None):
        press("Send me the link")(page)


def choose(label: str, option: str) -> Act:
    return lambda page: main(page).get_by_label(label).select_option(label=option)


def wait_for(selector: str) -> Act:
    return lambda page: page.locator(selector).first.wait_for()


def key(name: str) -> Act:
    return lambda page: (page.wait_for_load_state(), page.keyboard.press(name))


def one_after_another(*acts: Act) -> Act:
    def act(page: Page) -> None:
        for each in acts:
            each(page)

    return act


def taken_meanwhile(module, name: str, lost: tuple[int, ...], button: str) -> Act:
    """Press a button while somebody else is faster."""

    def act(page: Page) -> None:
        with mock.patch.object(module, name, side_effect=TimeTaken("This time has just been taken.", lost)):
            press(button)(page)

    return act


def no_token(page: Page) -> None:
    """As where a browser refuses cookies."""
    page.context.clear_cookies(name="csrftoken")


def broken(page: Page) -> None:
    with mock.patch("clinic.views.home.redirect", side_effect=RuntimeError("broken for a test")):
        page.goto(page.url.partition("/accounts/")[0] + "/")


def protocol_chosen(page: Page) -> None:
    choose("Protocol", "Acne scars")(page)
    page.locator(".proposal-session").first.wait_for()


def outside_its_window(page: Page) -> None:
    protocol_chosen(page)
    unfold("Another time or add-ons for session 2")(page)
    session = page.locator("#session-2")
    session.locator("[name=date-2]").fill("2026-03-10")
    session.locator("[name=time-2]").fill("10:00")
    session.get_by_role("button", name="Take this time").click()
    page.locator("#outside-reason").wait_for()


def file_read(page: Page) -> None:
    lines = ["P-1,Jane,Doe,3.2.1988,jane@example.com,020 7946 0018", "P-2,,Nobody,,,", "P-3,Ines,Vidal,,,"]
    content = "\n".join([HEADINGS, *lines, ""]).encode()
    page.locator("input[type=file]").set_input_files(
        {"name": "patients.csv", "mimeType": "text/csv", "buffer": content}
    )
    press("Show what it comes to")(page)
    page.wait_for_url("**/import/report/")


def seen_long_ago(page: Page) -> None:
    """The file comes to something else than the page showed."""
    page.locator("[name=seen]").first.evaluate("field => { field.value = 'old' }")
    press("Import this")(page)


def dropped_elsewhere(page: Page) -> None:
    """A card of the diary, taken somewhere else with the mouse."""
    card = page.locator(".diary-grid .visit:not(.ec-ghost) .card", has_text="Ines Vidal").first
    card.scroll_into_view_if_needed()
    box = card.bounding_box()
    assert box is not None
    x, y = box["x"] + 40, box["y"] + 10
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 4, y + 20, steps=4)
    page.mouse.move(x + 4, y + 100, steps=8)
    page.mouse.up()
    page.get_by_role("dialog").locator("#move-consequences").wait_for()


def empty_time(page: Page) -> None:
    """A free time of the diary, and somebody typed into the box."""
    card = page.locator(".diary-grid .visit:not(.ec-ghost) .card", has_text="Ines Vidal").first
    card.scroll_into_view_if_needed()
    box = card.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 60, box["y"] - 30)
    page.get_by_role("dialog").wait_for()
    page.keyboard.type("ines")
    page.get_by_role("dialog").get_by_role("link", name="Ines Vidal").first.wait_for()


def password_given(email: str, password: str) -> Act:
    def act(page: Page) -> None:
        page.get_by_text("I work here").click()
        form = page.locator("#with-password")
        form.get_by_label("E-mail address").fill(email)
        form.get_by_label("Password").fill(password)
        form.get_by_role("button", name="Sign in").click()

    return act


def password_given_again(password: str) -> Act:
    return one_after_another(lambda page: page.locator("#id_password").fill(password), press("Go on"))


def too_late() -> None:
    Site.objects.update(change_cut_off_hours=24 * 365)


def offer_again(page: Page) -> None:
    """Something in words that the waiting list refuses."""
    refusal = offers.OfferNotPossible("This patient cannot be written to. Call instead.")
    with mock.patch.object(offers, "make", side_effect=refusal):
        press("Offer it")(page)


def too_narrow(page: Page) -> None:
    """No start is both that late and that early."""
    fill("Start no earlier than", "17:00")(page)
    fill("Start no later than", "09:00")(page)


def another_time(page: Page) -> None:
    """The first time of the first day that is offered for a move in the portal."""
    main(page).locator(".free-day summary").first.click()
    page.locator(".free-times a").first.click()
    page.wait_for_load_state()


# --- The states -------------------------------------------------------------------------------------------------------

STATES: dict[str, dict[str, list[State]]] = {
    "the day": {
        "desk:home": [
            State(),
            State("?day=2026-03-06"),
            State("?day=soon"),
            State("", one_after_another(key("?"), wait_for("#keys-help")), "Keys"),
            State("", lambda page: page.locator(".topbar-menu summary").click()),
            State("", press("Arrived"), "is here"),
        ],
        "desk:diary": [
            State("?day=2026-03-03&view=day"),
            State("?view=week"),
            State("?view=day&by=room&day=2026-07-07"),
            State("?day=2026-05-12&view=day", dropped_elsewhere, "Move this visit"),
            State("?day=2026-05-12&view=day", empty_time, "Ines Vidal"),
        ],
        "desk:waiting": [
            State("", None, "Move there"),
            State("", offer_again, "Call instead"),
        ],
        "desk:appointment-earlier": [
            State(),
            State("/desk/appointments/{offered}/earlier/", None, "Take off the waiting list"),
            State("", one_after_another(fill("Start no earlier than", "soonish"), press("Put on the waiting list"))),
        ],
        "desk:appointment-questions": [
            State("/desk/appointments/{visit1}/questions/", None, "Are you pregnant?"),
            State("/desk/appointments/{visit1}/questions/", press("Keep the answers"), "Please choose yes or no"),
        ],
        "desk:operations": [State(), State("", press("Pause sending"), "Paused")],
        "desk:operations-dry-run": AS_IT_IS,
    },
    "the visits": {
        "desk:appointment": [
            State(),
            State("/desk/appointments/{visit1}/"),
            State("/desk/appointments/{late}/", None, "may wait"),
            State("/desk/appointments/{offered}/", None, "Waits for an earlier time"),
            State("/desk/appointments/{unfit}/"),
            State("/desk/appointments/{cancelled}/", None, "would like this time"),
            State("/desk/appointments/{fulfilled}/", None, "Attended"),
            State("/desk/appointments/{missed}/", None, "Did not come"),
        ],
        "desk:appointment-move": [
            State(),
            State("?start=2026-03-08T10:00"),
            State("/desk/appointments/{visit2}/move/", None, "The later sessions"),
            State(
                "/desk/appointments/{visit2}/move/?start=2026-03-10T14:00",
                one_after_another(tick("Leave the later sessions"), wait_for("#outside-reason")),
                "Why outside the window",
            ),
            State(
                "/desk/appointments/{visit2}/move/?start=2026-03-10T14:00",
                one_after_another(
                    tick("Leave the later sessions"), wait_for("#outside-reason"), press("Move it"), press("Move it")
                ),
                "outside",
            ),
            State(
                "/desk/appointments/{visit2}/move/", taken_meanwhile(ripple, "carry_out", (3,), "Move it"), "Look at"
            ),
            State("/desk/appointments/{visit2}/move/", one_after_another(fill("Date", "soonish"), press("Move it"))),
            State("/desk/appointments/{cancelled}/move/", None, "cannot be done"),
        ],
        "desk:appointment-change": [
            State("/desk/appointments/{visit2}/change/cancel/", None, "The later sessions"),
            State("/desk/appointments/{visit2}/change/cancel/", press("Cancel the visit"), "Note why"),
            State("/desk/appointments/{offered}/change/cancel/", None, "This visit"),
            State("/desk/appointments/{visit1}/change/attended/", None, "still ahead"),
            State(
                "/desk/appointments/{visit1}/change/attended/",
                one_after_another(fill("Date", "2026-03-02"), press("Show what it does")),
                "Inside",
            ),
            State("/desk/appointments/{visit1}/change/missed/", None, "The missed session"),
            State("/desk/appointments/{booked}/change/move/", None, "Move this visit"),
        ],
        "desk:appointment-add-ons": [
            State(),
            State(
                "/desk/appointments/{visit2}/add-ons/",
                one_after_another(tick("Mask"), wait_for("#visit-length strong")),
                "85 then",
            ),
            State(
                "/desk/appointments/{visit2}/add-ons/",
                one_after_another(tick("Lamp"), wait_for("[role=alert]")),
                "for so long",
            ),
        ],
    },
    "what became of them": {
        "desk:appointment": [
            State("/desk/appointments/{booked}/", press("Arrived"), "is here"),
            State("/desk/appointments/{booked}/", press("Attended"), "attended"),
            State("/desk/appointments/{booked}/", press("Undo"), "Undone"),
            State(
                "/desk/appointments/{visit3}/change/cancel/",
                one_after_another(fill("Why is it cancelled?", "ill"), press("Cancel the visit")),
                "Book this session again",
            ),
            State("/desk/appointments/{visit2}/move/", press("Move it"), "Moved."),
        ],
        "desk:patient": [State("/desk/patients/{ines}/"), State("/desk/patients/{foreign}/")],
    },
    "the patients": {
        "desk:patient-search": [
            State(),
            State(
                "",
                one_after_another(
                    fill("Name, phone, e-mail or date of birth", "foreign"), wait_for("[data-results] a")
                ),
            ),
            State(
                "",
                one_after_another(
                    fill("Name, phone, e-mail or date of birth", "zzzzqqqq"), wait_for("#results .empty")
                ),
            ),
        ],
        "desk:patient-new": [
            State(),
            State("", press("Register"), "required"),
            State(
                "",
                one_after_another(fill("Given name*", "Ines"), fill("Family name", "Vidal"), press("Register")),
                "Is it one of these?",
            ),
        ],
        "desk:patient": [
            State(),
            State("/desk/patients/{ines}/", unfold("A session more or less")),
        ],
        "desk:patient-edit": [
            State(),
            State("", one_after_another(fill("Given name*", ""), press("Keep"))),
        ],
        "desk:patient-merge": [State(), State("/desk/patients/{ines}/merge/", None, "Inez")],
        "desk:patient-merge-with": [
            State(),
            State("/desk/patients/{ines}/merge/{twin}/", None, "Both have a visit"),
        ],
        "desk:series-new": [
            State(),
            State("", one_after_another(protocol_chosen, unfold("Another time or add-ons for session 1"))),
            State(
                "",
                one_after_another(protocol_chosen, fill("First session from*", "soonish"), press("Show dates")),
            ),
            State("", outside_its_window, "Why outside the window"),
            State("", one_after_another(outside_its_window, press("Book all 4 sessions")), "outside"),
            State(
                "",
                one_after_another(protocol_chosen, taken_meanwhile(course, "book_new", (1,), "Book all 4 sessions")),
                "Only what was lost",
            ),
        ],
        "desk:series-book": AS_IT_IS,
        "desk:series-version": AS_IT_IS,
        "desk:session-add": [
            State("/desk/series/{series}/sessions/add/"),
            State("/desk/series/{series}/sessions/add/", press("Add the session"), "who decided it"),
            State(
                "/desk/series/{series}/sessions/add/",
                taken_meanwhile(sessions, "add", (4,), "Add the session"),
                "Look at what is free now",
            ),
            State("", None, "is still to book"),
        ],
        "desk:session-drop": [
            State("/desk/sessions/{session2}/drop/"),
            State("/desk/sessions/{session2}/drop/", press("Leave out session 2"), "Note why"),
            State("", None),
        ],
        "desk:visit-new": [
            State(),
            State("", press("Show times")),
            State(
                "/desk/patients/{noor}/visits/new/?start=2026-03-07T10:00&treatment={treatment}",
                None,
                "Nothing is free",
            ),
            State(
                "/desk/patients/{noor}/visits/new/?treatment={treatment}",
                taken_meanwhile(visits, "book", (0,), "Book this visit"),
                "These are free now",
            ),
            State("/desk/patients/{foreign}/visits/new/?maintenance={cycle}", None, "Book maintenance"),
        ],
        "desk:maintenance-decide": [
            State(),
            State("/desk/maintenance/{decide}/"),
            State("/desk/maintenance/{decide}/", press("Keep")),
        ],
    },
    "the lists": {
        "desk:worklist": [
            *(State(f"?tab={tab}", None, "Last contact") for tab in TABS),
            State("?tab=due", None, "is on it"),
            State("?tab=unfit", wait_for(".rota-suggestion form")),
        ],
        "desk:worklist-row": [
            State("/desk/worklist/session/{to_book}/", None, "Stop the course"),
            State("/desk/worklist/maintenance/{due}/", None, "No further maintenance"),
            State("/desk/worklist/maintenance/{held}/", None, "Take it over"),
            State("/desk/worklist/appointment/{cancelled}/", None, "The visit leaves the list"),
            State("/desk/worklist/appointment/{unfit}/", None, "Training"),
            State("/desk/worklist/message/{failed}/", None, "To the address that"),
            State("/desk/worklist/message/{unknown}/", press("Settle"), "It may have arrived"),
            State("/desk/worklist/call/{call}/", press("Leave it until then"), "Once the patient is reached"),
            State("/desk/worklist/session/{to_book}/", press("Stop the course"), "Note why"),
            State("/desk/worklist/maintenance/{due}/", press("Leave it until then"), "required"),
        ],
        "desk:rota-visit": [State("/desk/rota/visits/{unfit}/", None, "Training"), State()],
        "desk:rota-replan": [State("/desk/worklist/?tab=unfit", press("Re-plan all"), "Planned again")],
        "desk:import": [State(), State("", press("Show what it comes to"))],
        "desk:import-report": [
            State("/desk/import/", file_read, "Only you can tell"),
        ],
        "desk:import-carry-out": [State("/desk/import/report/", seen_long_ago, "Look at it again")],
    },
    "the rota": {
        "desk:rota": AS_IT_IS,
        "desk:rota-holidays": AS_IT_IS,
        "desk:rota-new": [
            State("/desk/rota/absence/new/", press("Keep")),
            State("/desk/rota/closure/new/", press("Keep")),
            State("/desk/rota/opening/new/", press("Keep")),
            State("/desk/rota/working/new/", press("Keep")),
            State(
                "/desk/rota/",
                one_after_another(press("Ill today"), wait_for(".rota-consequences tbody tr")),
                "no longer fit",
            ),
        ],
        "desk:rota-change": [
            State("/desk/rota/absence/{absence}/"),
            State("/desk/rota/closure/{closure}/"),
            State("/desk/rota/opening/{opening}/"),
            State("/desk/rota/working/{working}/"),
            State("/desk/rota/working/{working}/", press("Remove these working hours")),
        ],
    },
    "the second factor": {
        "desk:second-factor": [State(), State("", press("Require it of all"), "Required of everybody")],
        "account_reauthenticate": [
            State("/accounts/reauthenticate/", None, "once more"),
            State("", password_given_again("x")),
        ],
        "mfa_index": AS_IT_IS,
        "mfa_view_recovery_codes": [State("", password_given_again(PASSWORD))],
        "mfa_generate_recovery_codes": AS_IT_IS,
        "mfa_deactivate_totp": AS_IT_IS,
        "mfa_reauthenticate": [State(), State("", press("Go on"))],
    },
    "the account": {
        "account_logout": AS_IT_IS,
        "account_change_password": [State(), State("", press("Keep the password"))],
        "account_reauthenticate": [State(), State("", password_given_again("x"))],
        "account_request_reauthentication_code": AS_IT_IS,
        "account_confirm_reauthentication_code": [
            State("/accounts/reauthenticate/code/", press("Send me a code")),
        ],
        "mfa_index": AS_IT_IS,
        "mfa_activate_totp": [State("", password_given_again(PASSWORD)), State("", press("Set it up"))],
    },
    "the portal": {
        "portal:course": AS_IT_IS,
        "portal:visit": [
            State(),
            State("/my/visits/{cancelled}/", None, "This visit is cancelled"),
            State("/my/visits/{fulfilled}/"),
        ],
        "portal:visit-move": AS_IT_IS,
        "portal:visit-earlier": [
            State(),
            State("", one_after_another(too_narrow, press("Tell me"))),
        ],
        "portal:visit-cancel": AS_IT_IS,
        "portal:visit-questions": [State(), State("", press("Send the answers"), "Please choose yes or no")],
        "portal:maintenance-book": [
            State(),
            State("", lambda page: main(page).locator(".offers a").first.click(), "Yes, book it"),
            State("", None),
        ],
        "portal:calendar": [State(), State("", press("Make my private address"), "It is shown only now"), State()],
        "portal:preferences": [State(), State("", press("Save"), "Saved")],
        "account_set_password": AS_IT_IS,
    },
    "the portal, amid a course": {
        "portal:course": AS_IT_IS,
        "portal:visit-move": [
            State("/my/visits/{visit2}/move/", another_time, "Your later visits"),
        ],
        "portal:visit-cancel": [State("/my/visits/{visit2}/cancel/", None, "Your later visits")],
        "portal:visit": [
            State(
                "/my/visits/{visit1}/questions/",
                one_after_another(tick("Yes"), press("Send the answers")),
                "ask before you come",
            ),
            State("/my/visits/{visit1}/", lambda page: (too_late(), page.reload()), "It is less than"),
            State("/my/visits/{visit1}/move/", None, "It is less than"),
        ],
    },
    "the portal, when something is offered": {
        "portal:visit": [
            State("/my/visits/{offered}/", None, "An earlier time is free"),
            State("/my/visits/{offered}/", press("Take this time"), "is now on"),
        ],
        "portal:course": AS_IT_IS,
    },
    "the links": {
        "link:due": [
            State(),
            State("/r/{books}/", None, "Tap the time"),
            State("/r/{books}/", one_after_another(unfold(", 0"), press("Book this visit")), "Your visit is booked"),
        ],
        "link:time": [
            State("/r/{puts_off}/", lambda page: main(page).locator("a.btn time").first.click(), "Book this visit"),
            State("/r/{puts_off}/time/?visit=0&at=2026-03-08T10:00Z", None, "has just been taken"),
        ],
        "link:later": [State("/r/{puts_off}/", press("Later"), "Choose a time after all")],
        "link:call": [State("/r/{asks}/", press("Please call me"), "We call you")],
        "link:fresh": [State("/r/{fresh}/", press("Send me a new link"), "Look into your mailbox")],
        "link:earlier": [
            State("/r/{offered_link}/earlier/", None, "this time has become free"),
            State("/r/{declines_link}/earlier/", press("Not this time"), "does not suit you"),
            State("/r/{offered_link}/earlier/", press("Take this time"), "It is yours"),
        ],
        "link:care": [State(), State("/r/{care}/care/", None, "No retinoids")],
        "link:stop": [State("/r/{asks}/stop/"), State("/r/{asks}/stop/", press("Stop the reminders"), "any more")],
    },
    "the entrance": {
        "account_login": [
            State(),
            State("", password_given("admin@example.com", "not the password"), "are not correct"),
        ],
        "account_request_login_code": [
            State(),
            State("", press("Send me a code")),
            State("", asked_too_often, "too many tries"),
        ],
        "account_confirm_login_code": [
            State(
                "/accounts/login/",
                one_after_another(fill("E-mail address", "ines@example.com"), press("Send me a code")),
                "a code is on its way",
            ),
            State(
                "/accounts/login/code/confirm/",
                one_after_another(lambda page: page.locator("#id_code").fill("AAA-AAA"), press("Sign in")),
            ),
        ],
        "account_reset_password": [
            State(),
            State("", press("Send me the link")),
            State("", tried_too_often, "too often", 429),
        ],
        "account_reset_password_done": AS_IT_IS,
        "account_reset_password_from_key": [State(), State("/accounts/password/reset/key/{reset}/", None)],
        "account_reset_password_from_key_done": AS_IT_IS,
        "account_signup": AS_IT_IS,
        "account_inactive": AS_IT_IS,
        "account_confirm_email": AS_IT_IS,
        "account_email_verification_sent": AS_IT_IS,
        "mfa_authenticate": [
            State("/accounts/login/", password_given("manager@example.com", PASSWORD), "One more step"),
            State(
                "/accounts/2fa/authenticate/",
                one_after_another(lambda page: page.locator("#id_code").fill("123456"), press("Sign in")),
            ),
        ],
    },
    "without the right": {
        "desk:import": [State(status=403)],
        "desk:appointment-move": [
            State(
                "/desk/appointments/{visit2}/move/?start=2026-03-10T14:00",
                one_after_another(tick("Leave the later sessions"), wait_for("main .message-warning")),
                "Only somebody with the right",
            ),
        ],
        "desk:rota": AS_IT_IS,
        "home": [
            State("/there-is-no-such-page/", None, "There is no such page", 404),
            State("/accounts/logout/", one_after_another(no_token, press("Sign out")), "Nothing was changed", 403),
            State("/accounts/logout/", broken, "Something went wrong", 500),
        ],
    },
    "a second factor is owed": {
        "account_reauthenticate": [State("", None, "asks everybody who works here")],
        "mfa_activate_totp": [State("/desk/", password_given_again(PASSWORD), "asks everybody who works here")],
    },
}

# The pages that differ by a word in their address, and which words there are.
KINDS = {
    "desk:appointment-change": desk_move.WORDS,
    "desk:worklist-row": SUBJECTS,
    "desk:rota-new": desk_rota.KINDS,
    "desk:rota-change": desk_rota.KINDS,
}


# --- No page of their own ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Press:
    """A press that is valid: where to, and what it sends. None where nothing is taken."""

    at: str = ""
    sends: dict[str, str] | None = field(default_factory=dict)
    by: str = "admin"


HANDS_OUT = Press(sends=None)
KEY = "00000000-0000-4000-8000-000000000000"
NO_PAGE: dict[str, Press] = {
    "home": Press(),
    "sms-hook": HANDS_OUT,
    "mail-hook": HANDS_OUT,
    "account_email": HANDS_OUT,
    "mfa_download_recovery_codes": Press(sends=None, by="manager"),
    "desk:diary-feed": HANDS_OUT,
    "desk:appointment-arrive": Press(),
    "desk:appointment-attend": Press(),
    "desk:appointment-no-show": Press("/desk/appointments/{late}/no-show/"),
    "desk:appointment-undo": Press("/desk/appointments/{fulfilled}/undo/"),
    "desk:waiting-act": Press("/desk/waiting/{waits_wish}/", {"start": "{freed}", "practitioner": "{ada}"}),
    "desk:patient-account": Press("/desk/patients/{twin}/account/"),
    "desk:patient-consent": Press(sends={"purpose": "recall", "channel": "email", "said": "yes"}),
    "desk:worklist-csv": Press(),
    "desk:worklist-take": Press(),
    "desk:import-template": HANDS_OUT,
    "desk:import-left-out": HANDS_OUT,
    "desk:import-forget": Press(),
    "desk:operations-pause": Press(),
    "desk:operations-resume": Press(),
    "desk:second-factor-require": Press(),
    "desk:second-factor-release": Press(),
    "portal:visit-earlier-answer": Press("/my/visits/{offered}/earlier/answer/", {"decline": "1"}, "Noor"),
    "portal:visit-file": Press(sends=None, by="Foreign"),
    "portal:feed": HANDS_OUT,
    "portal:data": Press(by="Foreign"),
    "link:book": Press("/r/{books}/book/", {"visit": "0", "at": "2026-03-04T10:00Z", "key": KEY}, ""),
    "link:earlier-take": Press("/r/{offered_link}/earlier/take/", {"key": KEY}, ""),
    "link:earlier-decline": Press("/r/{declines_link}/earlier/decline/", {}, ""),
    "link:earlier-withdraw": Press("/r/{declines_link}/earlier/withdraw/", {}, ""),
}
# Asked from outside, in the tests of the demo: it answers one word.
WORD = "healthz"
