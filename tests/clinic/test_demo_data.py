"""The demo clinic is whole: as many as promised, in every state, and nothing in it that the program would refuse."""

import time
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.db.models import F, Max, Min
from django.test.utils import CaptureQueriesContext

from clinic import ladder
from clinic.demo import ACCOUNTS, load
from clinic.models import LIVE, Absence, Appointment, Claim, Closure, EarlierWish, Message, OpeningHours, Resource, Site
from clinic.models.outbox import StepSubject
from clinic.services import offers, outbox
from patients.models import Consent, Patient
from treatments import rules
from treatments.models import Maintenance, Protocol, Series, Session

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.xdist_group("demo data")]

# A Wednesday afternoon in winter time; both clock changes lie within the diary.
NOW = datetime(2027, 3, 10, 14, 20, tzinfo=UTC)
TODAY = NOW.date()


def digest():
    return list(
        Appointment.objects.order_by("starts_at", "uid").values_list(
            "uid", "starts_at", "status", "patient__given_name", "patient__family_name", "practitioner__name"
        )
    )


class Loaded:
    seconds: float
    queries: int
    said: list[str]
    first_digest: list


@pytest.fixture(scope="module")
def clinic(django_db_setup, django_db_blocker):
    """Loaded once for all tests here: each runs in a savepoint of this transaction."""
    loaded = Loaded()
    with django_db_blocker.unblock(), transaction.atomic():
        with transaction.atomic():
            load(now=NOW, write=str)
            loaded.first_digest = digest()
            transaction.set_rollback(True)
        loaded.said = []
        began = time.process_time()
        with CaptureQueriesContext(connection) as queries:
            load(now=NOW, write=loaded.said.append)
        loaded.seconds, loaded.queries = time.process_time() - began, len(queries)
        yield loaded
        transaction.set_rollback(True)


def local_day(appointment):
    return appointment.starts_at.astimezone(appointment.site.time_zone).date()


@pytest.fixture(scope="module")
def appointments(clinic):
    return list(
        Appointment.objects.select_related("site", "patient", "practitioner", "room", "session__series", "maintenance")
        .prefetch_related("claims__resource__device_kind")
        .order_by("starts_at", "pk")
    )


# --- As much as promised ------------------------------------------------------------------------------------------


def test_the_clinic_is_as_large_as_promised(clinic):
    assert len(set(Site.objects.values_list("time_zone", flat=True))) == 2
    assert Counter(Resource.objects.values_list("kind", flat=True)) == {"practitioner": 6, "room": 6, "device": 4}
    assert Resource.objects.filter(kind="device").values("device_kind").distinct().count() == 2
    assert Patient.objects.count() == 300
    assert Protocol.objects.published().exclude(library_key=None).count() >= 10
    assert Protocol.objects.published().filter(library_key=None, spacing_min__isnull=False).count() >= 4


def test_the_diary_reaches_twelve_months_back_and_four_ahead(clinic):
    ends = Appointment.objects.aggregate(first=Min("starts_at"), last=Max("starts_at"))

    assert timedelta(days=345) < NOW - ends["first"] < timedelta(days=367)
    assert timedelta(days=100) < ends["last"] - NOW < timedelta(days=124)


def test_series_maintenance_and_appointments_are_in_every_state(clinic):
    states = Counter(Maintenance.objects.values_list("state", flat=True))

    assert set(Series.objects.values_list("state", flat=True)) == {"active", "completed", "stopped"}
    assert {"waiting", "scheduled", "booked", "attended", "deferred", "declined", "lapsed"} <= set(states)
    assert Maintenance.objects.filter(state="scheduled", due_from__lte=TODAY, due_by__gte=TODAY).count() >= 3
    assert Maintenance.objects.filter(state="scheduled", due_by__lt=TODAY).count() >= 5
    assert Maintenance.objects.filter(cycle__gte=2, state="attended").exists()
    assert Maintenance.objects.exclude(overridden_on=None).exists()
    assert Appointment.objects.exclude(outside_window_reason="").exists()
    assert set(Appointment.objects.values_list("status", flat=True)) == {*LIVE, "cancelled", "no_show"}


def test_today_is_under_way(clinic):
    today = Counter(Appointment.objects.filter(starts_at__date=TODAY).values_list("status", flat=True))

    assert today["fulfilled"] >= 2
    assert today["arrived"] >= 1
    assert today["booked"] >= 2


def test_working_days_are_neither_empty_nor_full(clinic, appointments):
    worked, taken = Counter(), Counter()
    hours = list(all_working_hours())
    for number in range(-90, 1):
        day = TODAY + timedelta(days=number)
        for (pk, site), spans in hours_on(hours, day).items():
            worked[pk] += sum(end - start for start, end in spans if pk and site)
    since = NOW - timedelta(days=90)
    claims = Claim.objects.filter(resource__kind="practitioner", starts_at__gt=since, starts_at__lte=NOW)
    for claim in claims:
        taken[claim.resource_id] += (claim.ends_at - claim.starts_at).total_seconds() / 60

    share = sum(taken.values()) / sum(worked.values())
    assert 0.4 < share < 0.75


# --- Nothing that the program would refuse ------------------------------------------------------------------------


def test_live_appointments_claim_exactly_what_their_phases_say(appointments):
    for appointment in appointments:
        claimed = sorted((c.resource_id, c.starts_at, c.ends_at) for c in appointment.claims.all())
        assert claimed == (sorted(expected_claims(appointment)) if appointment.status in LIVE else [])


def expected_claims(appointment):
    """Phases that follow one another are one claim; devices are the ones claimed, if their kind is needed."""
    devices = {c.resource.device_kind.name: c.resource_id for c in appointment.claims.all() if c.resource.device_kind}
    wanted = defaultdict(list)
    at = appointment.starts_at
    for phase in appointment.phases:
        end = at + timedelta(minutes=phase["minutes"])
        taken = []
        if phase["practitioner"]:
            taken.append(appointment.practitioner_id)
        if phase["room"]:
            taken.append(appointment.room_id)
        if phase["device_kind"]:
            taken.append(devices.get(phase["device_kind"]))
        for resource in taken:
            spans = wanted[resource]
            if spans and spans[-1][1] == at:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((at, end))
        at = end
    assert at == appointment.ends_at
    return [(resource, start, end) for resource, spans in wanted.items() for start, end in spans]


def test_some_visits_to_come_have_an_add_on_that_makes_them_longer(appointments):
    ahead = [a for a in appointments if a.session_id and a.status == "booked" and a.session.add_ons]

    assert 20 < len(ahead) < sum(a.session_id is not None and a.status == "booked" for a in appointments) / 2
    for appointment in ahead:
        phases = appointment.session.series.terms.visit_with(appointment.session.add_ons)
        assert [phase["name"] for phase in appointment.phases] == [phase.name for phase in phases]
    lit = [a for a in ahead if "LED light" in a.session.add_ons]
    assert lit
    assert all("LED light" in [phase["name"] for phase in a.phases] for a in lit)


def test_rooms_and_devices_stand_where_the_visit_is(appointments):
    for appointment in appointments:
        assert appointment.room.site_id == appointment.site_id
        for claim in appointment.claims.all():
            assert claim.resource.kind == "practitioner" or claim.resource.site_id == appointment.site_id


def test_practitioners_give_only_what_they_may(appointments):
    may = {
        (resource.pk, treatment.pk)
        for resource in Resource.objects.practitioners().prefetch_related("treatments")
        for treatment in resource.treatments.all()
    }

    assert {(a.practitioner_id, a.treatment_id) for a in appointments} <= may


def test_each_session_lies_in_its_window_unless_somebody_said_why(appointments):
    visits = {a.session_id: a for a in appointments if a.session_id and a.status in LIVE}
    for series in Series.objects.prefetch_related("sessions"):
        previous = None
        for session in series.sessions.all():
            visit = visits.get(session.pk)
            if visit is None:
                previous = None
                continue
            if previous is not None:
                window = rules.window_after(series.terms.spacing, previous)
                assert local_day(visit) in window or visit.outside_window_reason
            previous = local_day(visit)


def test_sessions_are_booked_in_their_order(appointments):
    visits = {a.session_id: a for a in appointments if a.session_id and a.status in LIVE}
    for series in Series.objects.prefetch_related("sessions"):
        booked = [session.pk in visits for session in series.sessions.all()]
        assert booked == sorted(booked, reverse=True)


def test_a_session_is_attended_exactly_where_its_visit_was(appointments):
    fulfilled = {a.session_id: local_day(a) for a in appointments if a.session_id and a.status == "fulfilled"}

    assert dict(Session.objects.filter(state="attended").values_list("pk", "attended_on")) == fulfilled


def test_a_counted_series_is_complete_exactly_when_its_last_session_was_attended(clinic):
    for series in Series.objects.prefetch_related("sessions", "maintenance"):
        sessions = list(series.sessions.all())
        done = all(session.state == "attended" for session in sessions)
        if series.terms.sessions.kind == "open_ended":
            assert series.state != "completed"
        elif series.state == "completed":
            assert done
            assert series.completed_on == max(session.attended_on for session in sessions)
        else:
            assert not done or series.state == "stopped"


def test_a_stopped_series_has_nothing_booked(clinic):
    assert not Appointment.objects.filter(session__series__state="stopped", status__in=["booked", "arrived"]).exists()


def test_maintenance_follows_each_completed_series_as_its_rules_say(clinic):
    for series in Series.objects.prefetch_related("maintenance"):
        rows = defaultdict(list)
        for row in sorted(series.maintenance.all(), key=lambda row: row.cycle):
            rows[row.rule].append(row)
        if series.state != "completed":
            assert not rows
            continue
        opening = {number for number, rule in enumerate(series.terms.maintenance) if rules.opens(rule)}
        assert set(rows) == opening
        for number, cycles in rows.items():
            anchor = series.completed_on
            for position, row in enumerate(cycles, start=1):
                due = rules.due(series.terms.maintenance[number], anchor)
                assert (row.cycle, row.anchor) == (position, anchor)
                assert (row.calculated_from, row.calculated_by) == ((due.from_, due.by) if due else (None, None))
                anchor = row.attended_on
            assert anchor is None, "an attended cycle opens the next"


def test_a_cycle_is_booked_or_attended_exactly_where_it_has_such_a_visit(clinic):
    visits = Appointment.objects.exclude(maintenance=None)

    for state, statuses in (("booked", ["booked", "arrived"]), ("attended", ["fulfilled"])):
        of_state = set(Maintenance.objects.filter(state=state).values_list("pk", flat=True))
        assert set(visits.filter(status__in=statuses).values_list("maintenance", flat=True)) == of_state


def test_nobody_is_booked_when_the_site_is_shut_or_the_practitioner_away(appointments):
    opening = defaultdict(list)
    for row in OpeningHours.objects.all():
        opening[row.site_id, row.weekday].append((minutes(row.opens), minutes(row.closes)))
    closures = defaultdict(list)
    for row in Closure.objects.all():
        closures[row.site_id].append((row.starts_at, row.ends_at))
    away = defaultdict(list)
    for row in Absence.objects.all():
        away[row.resource_id].append((row.starts_at, row.ends_at))
    hours = list(all_working_hours())

    for appointment in (a for a in appointments if a.status in LIVE):
        zone, day = appointment.site.time_zone, local_day(appointment)
        start, end = on_the_wall(appointment.starts_at, zone), on_the_wall(appointment.ends_at, zone)
        assert inside(start, end, opening[appointment.site_id, day.weekday()])
        assert clear(appointment.starts_at, appointment.ends_at, closures[appointment.site_id])
        works = hours_on(hours, day)
        for claim in appointment.claims.all():
            assert clear(claim.starts_at, claim.ends_at, away[claim.resource_id])
            if claim.resource.kind == "practitioner":
                span = on_the_wall(claim.starts_at, zone), on_the_wall(claim.ends_at, zone)
                assert inside(*span, works[claim.resource_id, appointment.site_id])


def all_working_hours():
    return Resource.objects.practitioners().values_list(
        "pk",
        "working_hours__site",
        "working_hours__weekday",
        "working_hours__starts",
        "working_hours__ends",
        "working_hours__valid_from",
        "working_hours__valid_until",
    )


def hours_on(rows, day: date):
    found = defaultdict(list)
    for pk, site, weekday, starts, ends, first, last in rows:
        if weekday == day.weekday() and (first or day) <= day <= (last or day):
            found[pk, site].append((minutes(starts), minutes(ends)))
    return found


def minutes(clock):
    return clock.hour * 60 + clock.minute


def on_the_wall(at: datetime, zone: ZoneInfo):
    return minutes(at.astimezone(zone).time())


def inside(start, end, spans):
    return any(begins <= start and end <= finishes for begins, finishes in spans)


def clear(start, end, spans):
    return all(end <= begins or finishes <= start for begins, finishes in spans)


def test_things_happen_in_their_order(appointments):
    for appointment in appointments:
        assert appointment.patient.registered_at <= appointment.booked_at < appointment.starts_at
        assert appointment.booked_at <= appointment.status_at <= NOW
        if appointment.session:
            assert appointment.session.series.started_at <= appointment.booked_at
        if appointment.status in ("fulfilled", "no_show"):
            assert appointment.starts_at < NOW
        elif appointment.status == "booked":
            assert appointment.starts_at > NOW
    assert not Consent.objects.filter(given_at__lt=F("patient__registered_at")).exists()
    assert not Maintenance.objects.filter(settled_at__gt=NOW).exists()
    assert not Series.objects.filter(stopped_at__lt=F("started_at")).exists()


# --- People and what they were told -------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "email", "password"), ACCOUNTS, ids=[role for role, _email, _password in ACCOUNTS])
def test_every_account_that_is_printed_can_sign_in(clinic, role, email, password):
    user = User.objects.get(email=email)

    assert EmailAddress.objects.filter(user=user, email=email, verified=True, primary=True).exists()
    if role == "patient":
        assert not user.has_usable_password()
        assert user.patient.email == email
        assert not user.is_staff
    else:
        assert authenticate(None, username=user.username, password=password) == user
        assert user.is_staff
        assert list(user.groups.all()) == [Group.objects.get(name=role)]
    assert user.is_superuser == (role == "admin")


@pytest.mark.parametrize(
    ("role", "permission", "expected"),
    [
        ("receptionist", "clinic.add_appointment", True),
        ("receptionist", "treatments.change_protocol", False),
        ("receptionist", "clinic.override_window", False),
        ("practitioner", "patients.view_patient", True),
        ("practitioner", "patients.change_patient", True),
        ("practitioner", "patients.merge_patient", False),
        ("manager", "clinic.change_workinghours", True),
        ("manager", "clinic.override_window", True),
        ("admin", "treatments.change_protocol", True),
    ],
)
def test_a_role_may_do_what_its_work_needs(clinic, role, permission, expected):
    user = User.objects.create(username="new")
    user.groups.add(Group.objects.get(name=role))

    assert user.has_perm(permission) is expected


def test_the_patient_sees_maintenance_due_and_a_next_visit(clinic):
    nina = Patient.objects.get(user__email=ACCOUNTS[-1][1])

    [cycle] = Maintenance.objects.filter(series__patient=nina, series__state="completed")
    assert cycle.state == "scheduled"
    assert cycle.due_from <= TODAY <= cycle.due_by
    assert nina.appointments.upcoming(now=NOW).filter(session__series__state="active").exists()


def test_the_patient_was_told_of_care_and_is_offered_an_earlier_time(clinic):
    nina = Patient.objects.get(user__email=ACCOUNTS[-1][1])
    visit = nina.appointments.upcoming(now=NOW).earliest("starts_at")

    told = set(Message.objects.filter(patient=nina, state="sent").values_list("kind", flat=True))
    assert {"pre_care", "aftercare", "earlier"} <= told
    opened = offers.open_for(visit, now=NOW + timedelta(hours=12))
    assert opened is not None
    assert not opened.closed
    assert EarlierWish.objects.waiting(now=NOW).count() >= 3


def test_contact_data_leads_nowhere(clinic):
    emails = [email for email in Patient.objects.values_list("email", flat=True) if email]
    emails += User.objects.filter(is_staff=True).values_list("email", flat=True)
    phones = [phone for phone in Patient.objects.values_list("phone", flat=True) if phone]

    assert {email.rpartition("@")[2] for email in emails} <= {"example.com", "example.org", "example.net"}
    assert all(email.isascii() for email in emails)
    assert all(phonenumbers.is_valid_number(phone) for phone in phones)
    kept_for_stories = ("+44207946", "+44113496", "+44161496", "+4930231251", "+1212555")
    assert all(phone.as_e164.startswith(kept_for_stories) for phone in phones)
    assert Patient.objects.filter(email="").exists()
    assert Patient.objects.filter(phone="").exists()


def test_consents_come_in_every_combination(clinic):
    words = defaultdict(dict)
    for consent in Consent.objects.in_force():
        words[consent.patient_id][consent.purpose, consent.channel] = consent.granted
    complete = {tuple(sorted(word.items())) for word in words.values() if len(word) == 6}

    assert len(complete) == 2**6
    assert any(len(word) < 6 for word in words.values())


def test_a_first_start_sends_nothing_old(clinic):
    assert not Message.objects.filter(state__in=["pending", "sending"]).exists()

    outbox.owe_due(now=NOW)
    owed = list(Message.objects.filter(state="pending").select_related("step", "appointment__site"))

    # Reminders of visits are owed some hours before they leave: none of them is for now.
    assert len(owed) < 40
    for message in owed:
        if message.step.subject == StepSubject.APPOINTMENT:
            visit = message.appointment
            leaves = ladder.visit_reminder(visit.starts_at, message.step.offset_days, visit.site.time_zone, now=NOW)
            assert leaves > NOW
    assert sum(message.step.subject == StepSubject.MAINTENANCE for message in owed) <= 5


# --- Loading ------------------------------------------------------------------------------------------------------


def test_the_same_clock_gives_the_same_clinic(clinic):
    assert digest() == clinic.first_digest


def test_loading_again_changes_nothing(clinic):
    before, said = digest(), []

    load(now=NOW + timedelta(days=3), write=said.append)

    assert digest() == before
    assert Site.objects.count() == 2
    assert "already" in said[0]


def test_loading_is_quick(clinic):
    # Own time and statements, not the clock: what else the machine does is no matter. About ten seconds on an old core.
    assert clinic.seconds < 20
    # Reading each template back, to keep its first version, is part of it.
    assert clinic.queries < 1300
