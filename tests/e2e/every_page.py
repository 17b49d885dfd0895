"""Which pages there are, and the states in which each is looked at: by the part of the day that shares one clinic.

A state is what is added to the page's address (or, with a leading slash, another address), and what is done there
before it is looked at. A new page goes into the part it belongs to; one that shows nothing of its own into NO_PAGE.
"""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.clinic.test_desk_import import FILE

Act = Callable[[Page], None]
State = tuple[str, Act | None]

AS_IT_IS: list[State] = [("", None)]


def press(name: str) -> Act:
    """Press a button of the page's own part, and wait for what comes of it."""

    def act(page: Page) -> None:
        page.wait_for_load_state()
        page.locator("main").get_by_role("button", name=name).first.click()
        page.wait_for_load_state()

    act.__name__ = f"after “{name}”"
    return act


def keys_shown(page: Page) -> None:
    page.wait_for_load_state()
    page.keyboard.press("?")
    page.locator("#keys-help").wait_for()


def menu_open(page: Page) -> None:
    page.locator(".topbar-menu summary").click()


def protocol_chosen(page: Page) -> None:
    page.wait_for_load_state()
    page.get_by_label("Protocol").select_option(label="Acne scars")
    page.locator(".proposal-session").first.wait_for()
    page.get_by_text("Another time for session 1").click()


def day_not_understood(page: Page) -> None:
    protocol_chosen(page)
    page.get_by_label("First session from").fill("soonish")
    press("Show dates")(page)


def somebody_found(page: Page) -> None:
    page.locator("main").get_by_role("searchbox").fill("foreign")
    page.locator("[data-results] a").first.wait_for()


def nobody_found(page: Page) -> None:
    page.locator("main").get_by_role("searchbox").fill("zzzzqqqq")
    page.locator("#results .empty").wait_for()


def visits_affected(page: Page) -> None:
    press("Ill today")(page)
    page.locator(".rota-consequences tbody tr").first.wait_for()


def file_read(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "patients.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )
    press("Show what it comes to")(page)
    page.wait_for_url("**/import/report/")


def password_refused(page: Page) -> None:
    page.get_by_text("I work here").click()
    form = page.locator("#with-password")
    form.get_by_label("E-mail address").fill("admin@example.com")
    form.get_by_label("Password").fill("not the password")
    form.get_by_role("button", name="Sign in").click()
    page.get_by_text("are not correct").wait_for()


def password_given_again(page: Page) -> None:
    page.get_by_label("Password").fill("x")
    press("Go on")(page)


STATES: dict[str, dict[str, list[State]]] = {
    "the day": {
        "desk:home": [("", None), ("?day=2026-03-06", None), ("?day=soon", None), ("", keys_shown), ("", menu_open)],
        "desk:diary": [
            ("?day=2026-03-03&view=day", None),
            ("?view=week", None),
            ("?view=day&by=room&day=2026-07-07", None),
        ],
        "desk:appointment": AS_IT_IS,
        "desk:appointment-move": [("", None), ("?start=2026-03-08T10:00", None)],
        "desk:appointment-change": AS_IT_IS,
        "desk:appointment-add-ons": AS_IT_IS,
        "desk:appointment-earlier": AS_IT_IS,
        "desk:waiting": AS_IT_IS,
    },
    "the patients": {
        "desk:patient-search": [("", None), ("", somebody_found), ("", nobody_found)],
        "desk:patient-new": [("", None), ("", press("Register"))],
        "desk:patient": AS_IT_IS,
        "desk:patient-edit": AS_IT_IS,
        "desk:patient-merge": AS_IT_IS,
        "desk:patient-merge-with": AS_IT_IS,
        "desk:series-new": [("", None), ("", protocol_chosen), ("", day_not_understood)],
        "desk:series-book": AS_IT_IS,
        "desk:series-version": AS_IT_IS,
        "desk:session-add": AS_IT_IS,
        "desk:session-drop": AS_IT_IS,
        "desk:visit-new": [("", None), ("", press("Show times"))],
        "desk:maintenance-decide": AS_IT_IS,
    },
    "the lists": {
        "desk:worklist": [("", None), ("?tab=due", None), ("?tab=unfit", None), ("?tab=messages", None)],
        "desk:worklist-row": AS_IT_IS,
        "desk:import": [("", None), ("", press("Show what it comes to")), ("", file_read)],
        "desk:import-report": AS_IT_IS,
        "desk:rota": [("", None), ("", visits_affected)],
        "desk:rota-holidays": AS_IT_IS,
        "desk:rota-new": [
            ("/desk/rota/absence/new/", press("Keep")),
            ("/desk/rota/closure/new/", None),
            ("/desk/rota/opening/new/", press("Keep")),
            ("/desk/rota/working/new/", None),
        ],
        "desk:rota-change": AS_IT_IS,
        "desk:rota-visit": AS_IT_IS,
        "desk:operations": AS_IT_IS,
        "desk:second-factor": AS_IT_IS,
    },
    "the portal": {
        "portal:course": AS_IT_IS,
        "portal:visit": AS_IT_IS,
        "portal:visit-move": AS_IT_IS,
        "portal:visit-earlier": AS_IT_IS,
        "portal:visit-cancel": AS_IT_IS,
        "portal:visit-questions": [("", None), ("", press("Send the answers"))],
        "portal:maintenance-book": AS_IT_IS,
        "portal:calendar": [("", None), ("", press("Make my private address"))],
        "portal:preferences": AS_IT_IS,
    },
    "the account": {
        "account_change_password": AS_IT_IS,
        "account_reauthenticate": [("", None), ("", password_given_again)],
        "mfa_index": AS_IT_IS,
        "mfa_activate_totp": AS_IT_IS,
    },
    "the entrance": {
        "link:due": AS_IT_IS,
        "link:earlier": AS_IT_IS,
        "link:care": AS_IT_IS,
        "link:stop": AS_IT_IS,
        "account_login": [("", None), ("", password_refused)],
        "account_request_login_code": AS_IT_IS,
        "account_reset_password": AS_IT_IS,
        "account_reset_password_done": AS_IT_IS,
        "account_signup": AS_IT_IS,
        "account_inactive": AS_IT_IS,
    },
}
# No page of their own: they take a press, hand out a file, or lead on to one of the pages above.
NO_PAGE = {
    "healthz",
    "home",
    "sms-hook",
    "mail-hook",
    "account_logout",
    "account_email",
    "account_email_verification_sent",
    "account_set_password",
    "account_confirm_login_code",
    "account_confirm_email",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "mfa_authenticate",
    "mfa_reauthenticate",
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_download_recovery_codes",
    "desk:diary-feed",
    "desk:appointment-arrive",
    "desk:appointment-attend",
    "desk:appointment-no-show",
    "desk:appointment-undo",
    "desk:waiting-act",
    "desk:patient-account",
    "desk:patient-consent",
    "desk:worklist-csv",
    "desk:worklist-take",
    "desk:import-template",
    "desk:import-left-out",
    "desk:import-carry-out",
    "desk:import-forget",
    "desk:operations-dry-run",
    "desk:operations-pause",
    "desk:operations-resume",
    "desk:rota-replan",
    "desk:second-factor-require",
    "desk:second-factor-release",
    "portal:visit-earlier-answer",
    "portal:visit-file",
    "portal:feed",
    "portal:data",
    "link:time",
    "link:book",
    "link:later",
    "link:call",
    "link:fresh",
    "link:earlier-take",
    "link:earlier-decline",
    "link:earlier-withdraw",
}
