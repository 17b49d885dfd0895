"""The page that asks before a visit is changed: what is offered, what it shows, and what the last press does."""

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse

from clinic.forms.choices import encode
from clinic.models import Appointment, Closure, Message
from clinic.services import booking
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_ripple import series, starts, visit  # noqa: F401
from tests.world import NOW, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, world, series):  # noqa: F811
    Message.objects.all().delete()
    client.force_login(world.desk)
    with time_machine.travel(NOW, tick=False):
        yield client


def address(number: int, kind: str = "move") -> str:
    pk = visit(number).pk
    if kind == "move":
        return reverse("desk:appointment-move", args=[pk])
    return reverse("desk:appointment-change", args=[pk, kind])


def fields(response) -> dict[str, object]:
    """What a browser would send back of this page, with the boxes as they are ticked."""
    context = response.context
    data = {
        "key": str(context["key"]),
        "pick": context["pick"],
        **context["own"],
        "own_shown": context["own_shown"],
        "following": context["chosen"],
        "default": context["default"],
        "seen": context["seen"],
        "telling": "1",
        "outside_reason": context["outside_reason"],
        "reason": context["reason"],
        "missed": context["missed"],
        **{f"then-{number}": code for number, code in context["then"]},
    }
    if context["outlook"]:
        data["released"] = list(context["outlook"].released)
    if context["tell"]:
        data["tell"] = "1"
    return data


def typed(when: str, **values) -> dict[str, str]:
    day, clock = when.split()
    return {"own_date": day, "own_time": clock, **values}


def words(response) -> dict[int, str]:
    return {row.number: row.words for row in response.context["rows"]}


def said(response) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def ask(desk, number: int, kind: str = "move", **changes):
    """Open the page, change something, and look at what it does."""
    page = desk.get(address(number, kind))
    return desk.post(address(number, kind), {**fields(page), **changes, "look": "1"})


def press(desk, page, number: int, kind: str = "move", **changes):
    return desk.post(address(number, kind), {**fields(page), **changes, "save": "1"}, follow=True)


def test_five_times_inside_the_window_are_offered_and_the_first_is_shown(desk):
    page = desk.get(address(2))

    offers = page.context["offers"]
    assert len(offers) == 5
    assert all("2026-03-31" <= f"{offer.starts:%Y-%m-%d}" <= "2026-04-14" for offer in offers)
    assert page.context["pick"] == offers[0].code
    assert words(page)[2] == "Inside its window"
    assert 3 in words(page)


def test_looking_changes_nothing(desk):
    before = starts()
    ask(desk, 2, **typed("2026-04-09 11:00"))

    assert starts() == before


def test_one_press_moves_to_the_time_offered(desk):
    page = desk.get(address(2))
    wanted = page.context["offers"][0]

    answer = press(desk, page, 2)

    assert starts()[2] == f"{wanted.starts:%Y-%m-%d %H:%M}"
    assert said(answer).startswith("Moved.")
    assert reverse("desk:appointment-undo", args=[visit(2).pk]) in answer.content.decode()


def test_a_time_typed_in_counts_though_another_was_chosen(desk):
    page = ask(desk, 2, **typed("2026-04-09 11:00"))

    press(desk, page, 2)

    assert starts()[2] == "2026-04-09 11:00"


def test_where_a_later_session_breaks_shifting_is_proposed(desk):
    page = ask(desk, 1, **typed("2026-03-12 10:00"))

    assert page.context["chosen"] == "shift"
    assert words(page) == {1: "Inside its window", 2: "Inside its window", 3: "Inside its window"}
    press(desk, page, 1)
    assert starts() == {1: "2026-03-12 10:00", 2: "2026-04-16 10:00", 3: "2026-05-21 10:00"}
    assert Message.objects.get().series is not None


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        pytest.param("only", {2: "Too early", 3: "Unchanged"}, id="only this one"),
        pytest.param("replan", {2: "Inside its window", 3: "Inside its window"}, id="planned again"),
        pytest.param("unbook", {2: "To book", 3: "Unchanged"}, id="left unbooked"),
    ],
)
def test_each_choice_shows_what_becomes_of_the_later_ones(desk, following, expected):
    page = ask(desk, 1, following=following, default="", **typed("2026-03-16 10:00"))

    found = words(page)
    assert {number: found[number] for number in expected} == expected or following == "replan"
    assert page.context["chosen"] == following


def test_the_choice_that_was_seen_is_what_is_done(desk):
    page = ask(desk, 1, following="unbook", **typed("2026-03-16 10:00"))

    press(desk, page, 1)

    assert starts() == {1: "2026-03-16 10:00", 3: "2026-05-12 10:00"}


def test_what_was_not_seen_yet_is_shown_before_it_is_done(desk):
    page = ask(desk, 1, **typed("2026-03-12 10:00"))
    before = starts()

    answer = press(desk, page, 1, following="replan")

    assert answer.status_code == 422
    assert "press once more" in answer.context["problem"]
    assert starts() == before
    assert press(desk, answer, 1).status_code == 200


def test_outside_the_window_the_desk_is_told_who_may_and_what_was_typed_stays(desk):
    page = ask(desk, 3, **typed("2026-06-01 10:00"))
    assert words(page) == {3: "Too late"}
    assert "Only somebody with the right" in page.content.decode()

    answer = press(desk, page, 3, outside_reason="travelling")

    assert answer.status_code == 422
    assert "may decide" in answer.context["problem"]
    assert answer.context["own"]["own_date"] == "2026-06-01"
    assert answer.context["outside_reason"] == "travelling"


def test_the_manager_gives_a_reason_which_is_kept_and_shown(desk, world):
    desk.force_login(world.manager)
    page = ask(desk, 3, **typed("2026-06-01 10:00"))
    assert press(desk, page, 3).status_code == 422

    answer = press(desk, page, 3, outside_reason="travelling")

    assert "travelling" in answer.content.decode()
    assert visit(3).outside_window_by == world.manager


def test_a_time_taken_meanwhile_is_told_with_fresh_ones(desk, world):
    page = ask(desk, 2, **typed("2026-04-09 11:00"))
    for n in range(2):
        book(world, a_visit(world, "2026-04-09 11:00", who=n, where=n, pen=n), world.a_patient())

    answer = press(desk, page, 2)

    assert answer.status_code in (409, 422)
    assert "Nothing is free then" in answer.content.decode()
    assert len(answer.context["offers"]) == 5
    assert starts()[2] == "2026-04-07 10:00"


def test_a_later_time_taken_meanwhile_refuses_the_whole_and_shows_another(desk, world):
    page = ask(desk, 1, following="shift", **typed("2026-03-05 10:00"))
    for n in range(2):
        book(world, a_visit(world, "2026-04-09 10:00", who=n, where=n, pen=n), world.a_patient())
    before = starts()

    answer = press(desk, page, 1, default="only")

    assert answer.status_code in (409, 422)
    assert starts() == before


def test_the_diary_opens_it_with_a_start_and_a_practitioner(desk, world):
    ben = world.practitioners[1]

    page = desk.get(address(2) + f"?start=2026-04-09T14:30&practitioner={ben.pk}")

    assert page.context["pick"] == "own"
    (row, *_rest) = page.context["rows"]
    assert (f"{row.after:%Y-%m-%d %H:%M}", row.whom) == ("2026-04-09 14:30", "Ben")


@pytest.mark.parametrize(
    "query",
    ["?start=x", "?start=9999-99-99T00:00", "?start=0001-01-01T00:00", "?practitioner=x&room=" + "9" * 40, "?start="],
)
def test_a_strange_address_is_answered(desk, query):
    assert desk.get(address(2) + query).status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        {"pick": "x"},
        {"pick": "1.2.3.4"},
        {"pick": "own", "own_date": "2026-02-30", "own_time": "25:00"},
        {"pick": "own", "own_date": "9999-12-31", "own_time": "23:59"},
        {"following": "x", "default": "y"},
        {"then-3": "9.9.9.9", "following": "replan", "default": "x"},
        {"released": ["1", "x", "9" * 40]},
        {"key": "x", "reason": "\x00"},
    ],
    ids=str,
)
@pytest.mark.parametrize("button", ["look", "save"])
def test_what_nobody_would_send_is_answered_too(desk, data, button):
    page = desk.get(address(2))

    assert desk.post(address(2), {**fields(page), **data, button: "1"}).status_code in (200, 302, 409, 422)


def test_the_patient_is_not_told_where_the_box_is_not_ticked(desk):
    page = desk.get(address(2))
    data = fields(page)
    del data["tell"]

    desk.post(address(2), {**data, "save": "1"})

    assert not Message.objects.exists()


def test_ten_presses_move_once(desk):
    page = desk.get(address(2))
    data = {**fields(page), "save": "1"}
    for _press in range(10):
        desk.post(address(2), data)

    assert visit(2).sequence == 1


def close(world, day: str) -> None:
    begins = at(f"{day} 00:00")
    Closure.objects.create(site=world.site, starts_at=begins, ends_at=begins + timedelta(days=1), reason="Training")


@pytest.mark.parametrize(
    ("following", "choice", "third"),
    [
        pytest.param(
            "shift_unbook", "Shift the others, and leave to book what is not free: session 3", "To book", id="unbook"
        ),
        pytest.param(
            "shift_replan",
            "Shift the others, and plan again what is not free: session 3",
            "Inside its window",
            id="plan again",
        ),
    ],
)
def test_where_one_cannot_be_shifted_the_others_can(desk, world, following, choice, third):
    close(world, "2026-05-14")
    page = ask(desk, 1, following="shift", **typed("2026-03-05 10:00"))
    assert dict(page.context["choices"])[following] == choice
    assert press(desk, page, 1).status_code == 422

    page = ask(desk, 1, following=following, **typed("2026-03-05 10:00"))
    assert words(page)[3] == third
    press(desk, page, 1)

    assert {n: start for n, start in starts().items() if n < 3} == {1: "2026-03-05 10:00", 2: "2026-04-09 10:00"}
    assert (3 in starts()) is (following == "shift_replan")


def test_the_two_are_not_offered_where_everything_can_be_shifted(desk):
    offered = dict(ask(desk, 1, following="shift", **typed("2026-03-05 10:00")).context["choices"])

    assert "shift" in offered
    assert not {"shift_unbook", "shift_replan"} & set(offered)


def test_what_is_still_to_book_is_planned_with_the_others_at_a_tick(desk, world):
    booking.cancel(appointment=visit(3), reason="ill", by=world.desk, now=NOW)
    Message.objects.all().delete()
    moved = typed("2026-03-05 10:00", following="replan")
    page = ask(desk, 1, **moved)
    assert page.context["asks_open_too"]
    assert words(page)[3] == "To book"

    page = ask(desk, 1, open_too="1", **moved)
    assert page.context["open_too"]
    assert words(page)[3] == "Inside its window"
    press(desk, page, 1, open_too="1")

    assert sorted(starts()) == [1, 2, 3]
    assert Message.objects.get().series is not None


def test_the_tick_alone_is_shown_before_it_is_done(desk, world):
    booking.cancel(appointment=visit(3), reason="ill", by=world.desk, now=NOW)
    page = ask(desk, 1, following="replan", **typed("2026-03-05 10:00"))

    answer = press(desk, page, 1, open_too="1")

    assert answer.status_code == 422
    assert 3 not in starts()


def test_where_nothing_is_to_book_nothing_is_asked(desk):
    assert not ask(desk, 1, following="replan", **typed("2026-03-05 10:00")).context["asks_open_too"]


def test_a_missed_session_asks_where_the_terms_leave_it_open(desk, world):
    with time_machine.travel(at("2026-03-03 11:00"), tick=False):
        answer = desk.post(reverse("desk:appointment-no-show", args=[visit(1).pk]), follow=True)
        assert "leave open what becomes of it" in answer.content.decode()

        first = visit(1)
        press(desk, answer, 1, "missed")

    first.refresh_from_db()
    assert first.status == "no_show"
    assert first.session.state == "planned"


def test_a_missed_session_that_is_forfeited_shows_what_that_breaks(desk, world):
    booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))
    with time_machine.travel(at("2026-04-07 12:00"), tick=False):
        page = ask(desk, 2, "missed", missed="forfeit", following="only", default="x")
        assert words(page) == {2: "Not repeated", 3: "Too late"}
        page = ask(desk, 2, "missed", missed="forfeit", following="unbook", default="x")
        press(desk, page, 2, "missed")

    assert starts() == {1: "2026-03-03 10:00"}


def test_cancelling_with_the_later_ones_needs_a_reason_too(desk):
    page = ask(desk, 2, "cancel")
    second = visit(2)

    assert "Note why" in press(desk, page, 2, "cancel").context["reason_problem"]
    press(desk, page, 2, "cancel", reason="ill")

    second.refresh_from_db()
    assert (second.status, second.cancel_reason) == ("cancelled", "ill")


@pytest.mark.parametrize(
    ("kind", "typed_day", "meant"),
    [
        pytest.param("move", "4mar", "Wed 4 Mar 2026", id="a move looks ahead"),
        pytest.param("attended", "1mar", "Sun 1 Mar 2026", id="what was attended is past"),
    ],
)
def test_a_day_typed_in_words(desk, kind, typed_day, meant):
    page = ask(desk, 1, kind, **typed(f"{typed_day} 9.30"))

    assert f"{meant}, 09:30" in page.content.decode()
    assert page.context["own"]["own_date"] == typed_day


def test_a_time_still_ahead_today_is_not_recorded_as_attended(desk):
    with time_machine.travel(at("2026-03-03 14:31"), tick=False):
        page = ask(desk, 1, "attended", **typed("2026-03-03 17:15"))
        answer = press(desk, page, 1, "attended")

    assert page.context["own_problem"] == "That time is still ahead. Enter when the visit really began."
    assert answer.status_code == 422
    assert visit(1).status == "booked"


def test_attended_on_another_day(desk):
    with time_machine.travel(at("2026-03-05 17:00"), tick=False):
        page = ask(desk, 1, "attended", **typed("2026-03-04 10:00"))
        answer = press(desk, page, 1, "attended")

    assert "attended" in said(answer)
    assert starts()[1] == "2026-03-04 10:00"
    assert visit(1).session.attended_on.isoformat() == "2026-03-04"
    assert not Message.objects.exists()


def test_undo_brings_everything_back_and_the_patient_hears_nothing(desk):
    before = starts()
    press(desk, ask(desk, 1, **typed("2026-03-12 10:00")), 1)
    assert starts() != before

    answer = desk.post(reverse("desk:appointment-undo", args=[visit(1).pk]), follow=True)

    assert starts() == before
    assert "as it was before" in said(answer)
    assert set(Message.objects.values_list("state", flat=True)) == {"dropped"}


def test_undoing_twice_is_refused_in_words(desk):
    press(desk, desk.get(address(2)), 2)
    undo = reverse("desk:appointment-undo", args=[visit(2).pk])
    desk.post(undo)

    assert "undone already" in said(desk.post(undo, follow=True))


def test_undo_is_never_done_by_looking(desk):
    assert desk.get(reverse("desk:appointment-undo", args=[visit(2).pk])).status_code == 405


@pytest.mark.parametrize("whom", ["own_practitioner", "own_room"])
@pytest.mark.parametrize("key", ["nobody", "another kind"])
def test_what_took_place_was_with_somebody_and_somewhere_of_the_list(desk, world, whom, key):
    """No plan looks at it, because it has been; so the list is all that keeps a room from being a practitioner."""
    another = (world.rooms if whom == "own_practitioner" else world.practitioners)[0].pk
    with time_machine.travel(at("2026-03-04 09:00"), tick=False):
        page = desk.get(address(1, "attended"))
        response = press(desk, page, 1, "attended", **{whom: {"nobody": 999999, "another kind": another}[key]})

    assert response.status_code == 422
    assert "from the list" in response.content.decode()
    assert visit(1).status == "booked"


@pytest.mark.parametrize("kind", ["move", "cancel", "missed", "attended"])
def test_a_visit_that_is_over_cannot_be_changed_any_more(desk, world, kind):
    second = visit(2)
    where = address(2, kind)
    booking.cancel(appointment=second, reason="ill", by=world.desk, now=NOW)

    page = desk.get(where)
    assert page.status_code == 200
    assert "cannot be done with this visit any more" in page.content.decode()
    assert desk.post(where, {"save": "1", "reason": "x", "key": str(uuid4())}).status_code == 422


def test_a_single_visit_has_no_later_sessions_to_ask_about(desk, world):
    alone = booking.book(
        patient=world.a_patient(), visit=a_visit(world, "2026-03-10 10:00"), by=world.desk, now=NOW, key=uuid4()
    )
    where = reverse("desk:appointment-move", args=[alone.pk])

    page = desk.get(where)

    assert page.context["choices"] == []
    assert len(page.context["offers"]) == 5
    desk.post(where, {**fields(page), "save": "1"})
    assert Appointment.objects.get(pk=alone.pk).sequence == 1


def test_what_is_posted_back_is_what_was_encoded(desk):
    page = desk.get(address(1))

    assert encode(page.context["outlook"].change.choice) == page.context["pick"]
    assert page.context["outlook"].change.choice.day - NOW.date() < timedelta(days=29)
