"""A clinic in which every page has something to show; and what stands for the names in the addresses of its states."""

from datetime import date, timedelta

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Permission, User
from django.test import Client

from clinic import links, walltime
from clinic.models import Absence, Closure, Message, ReminderLink, Site
from clinic.services import booking, offers, worklist
from patients.models import Patient
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_series_version import change, fixed
from tests.clinic.test_waiting_list import a_wish
from tests.clinic.test_worklist import a_cycle, a_message, on
from tests.clinic.test_worklist_calls import asks, reminder
from tests.test_access import signed_in
from tests.world import NOW, World, at
from treatments.models import AddOn, CareInstruction, DeviceKind, ProtocolAddOn, ScreeningQuestion
from treatments.services import maintenance, protocols
from treatments.services import series as courses

PASSWORD = "a-password-for-tests"
MORNING = at("2026-03-03 09:30")
# What a cancellation has left free.
FREED = at("2026-03-06 10:00")


def describe(world: World) -> None:
    """What its protocol asks, offers and says. A course keeps what was said when it began, so this comes first."""
    protocol = world.protocol
    ScreeningQuestion.objects.create(protocol=protocol, text="Are you pregnant?", effect="stop", position=1)
    for position, (when, text, offset, unit) in enumerate(
        [("before", "No retinoids", 7, "day"), ("after", "No saunas", 3, "day"), ("after", "No make-up", 48, "hour")]
    ):
        values = {"when": when, "text": text, "offset": offset, "unit": unit}
        CareInstruction.objects.create(protocol=protocol, position=position, action="avoid", bound="at_least", **values)
    # Of the lamp there is none, so that a visit with it is refused.
    lamp = DeviceKind.objects.create(name="Lamp")
    for position, (name, role, minutes, kind) in enumerate(
        [("Serum", "included", None, None), ("Lamp", "optional", 15, lamp), ("Mask", "recommended", 10, None)]
    ):
        add_on = AddOn.objects.create(name=name, extra_minutes=minutes, device_kind=kind)
        ProtocolAddOn.objects.create(protocol=protocol, position=position, add_on=add_on, role=role)
    protocols.keep_before_change(protocol=protocol, now=NOW)


def one_of_each(clinic: World) -> dict[str, object]:
    """To what the test of access has, everything else that a page may be about."""
    Site.objects.update(change_cut_off_hours=0, phone="+44 20 7946 0100", address="1 Quay Street\nHarbour")
    foreign, noor = (Patient.objects.get(given_name=name) for name in ("Foreign", "Noor"))
    names: dict[str, object] = {visit.status: visit.pk for visit in foreign.appointments.all()}
    cycle = foreign.series.get(state="completed").maintenance.get()
    names |= {"foreign": foreign.pk, "cycle": cycle.pk, "treatment": clinic.treatment.pk}
    names |= {"freed": walltime.to_minutes(FREED), "ada": clinic.practitioners[0].pk, "fresh": "A" * 24}
    names |= _days(clinic, noor) | _course(clinic) | _worklist(clinic, foreign)
    # A version that the running course could move to.
    change(clinic, **fixed(4))
    return names | _who_waits(clinic, noor) | _links(clinic, foreign, names) | _accounts(clinic)


def signed_in_as(name: str) -> Client:
    """A patient by the given name, or somebody of the staff."""
    patient = Patient.objects.filter(given_name=name).select_related("user").first()
    return signed_in(patient.user if patient else User.objects.get(username=name))


def _days(clinic: World, noor: Patient) -> dict[str, object]:
    """One who did not come, one who is late and keeps another waiting, and one whose visit fits no more."""
    elsewhere = {"who": 1, "where": 1, "pen": 1}
    missed = book(clinic, a_visit(clinic, "2026-03-02 15:00", **elsewhere), clinic.a_patient("Mina", "Alder"))
    booking.no_show(appointment=missed, by=clinic.desk, now=at("2026-03-02 16:30"))
    late = book(clinic, a_visit(clinic, "2026-03-03 09:00", **elsewhere), clinic.a_patient("Lena", "Brandt"))
    book(clinic, a_visit(clinic, "2026-03-03 10:20", **elsewhere), clinic.a_patient("Zoe", "Klein"))
    unfit = book(clinic, a_visit(clinic, "2026-03-04 15:00", **elsewhere), noor)
    away = Absence.objects.create(
        resource=clinic.practitioners[1],
        starts_at=at("2026-03-04 13:00"),
        ends_at=at("2026-03-05 00:00"),
        reason="Training",
    )
    closed = Closure.objects.create(
        site=clinic.site, starts_at=at("2026-04-03 00:00"), ends_at=at("2026-04-04 00:00"), reason="Good Friday"
    )
    hours = clinic.practitioners[0].working_hours.earliest("pk")
    open_from = clinic.site.opening_hours.earliest("pk")
    pks = {
        "opening": open_from,
        "missed": missed,
        "late": late,
        "unfit": unfit,
        "absence": away,
        "closure": closed,
        "working": hours,
    }
    return {name: row.pk for name, row in pks.items()}


def _course(clinic: World) -> dict[str, object]:
    """A course that is booked to its end; and a second record of the same patient, who is booked twice at one time."""
    ines = clinic.a_patient("Ines", "Vidal", phone="+447700900123", email="ines@example.com")
    series = clinic.a_series(ines)
    names: dict[str, object] = {"ines": ines.pk, "series": series.pk}
    for number, day in enumerate(["2026-03-03", "2026-04-07", "2026-05-12"], start=1):
        session = series.sessions.get(number=number)
        visit = book(clinic, a_visit(clinic, f"{day} 14:00", session=session), ines)
        names |= {f"visit{number}": visit.pk, f"session{number}": session.pk}
    twin = clinic.a_patient("Inez", "Vidal", phone=ines.phone, email="inez@example.com")
    book(clinic, a_visit(clinic, "2026-05-12 14:00", who=1, where=1, pen=1), twin)
    create_account(patient=ines, by=clinic.desk, now=NOW)
    return names | {"twin": twin.pk}


def _worklist(clinic: World, foreign: Patient) -> dict[str, object]:
    """A row of each kind, on each of the lists; and one that somebody else is at."""
    to_book = clinic.a_series(clinic.a_patient("Tobi", "Mann", phone="+447700900124"))
    courses.attend(session=to_book.sessions.get(number=1), on=date(2026, 2, 1), by=clinic.desk, now=NOW)
    due = a_cycle(clinic, clinic.a_patient("Dora", "Kern"), due=date(2026, 3, 3), by=date(2026, 3, 20))
    held = a_cycle(clinic, clinic.a_patient("Hedy", "Lang"), due=date(2026, 3, 4), by=date(2026, 3, 20))
    worklist.take(subject=on("maintenance", held), by=clinic.desk, now=MORNING)
    a_cycle(clinic, clinic.a_patient("Otto", "Brecht"), due=date(2026, 1, 2), by=date(2026, 1, 20))
    maintenance.decline(
        cycle=a_cycle(clinic, clinic.a_patient("Nele", "Roth")), reason="moved away", by=clinic.desk, now=MORNING
    )
    decide = a_cycle(clinic, clinic.a_patient("Wim", "Decker"), state="waiting")
    rows = {
        "to_book": to_book.sessions.get(number=2),
        "due": due,
        "held": held,
        "decide": decide,
        "failed": a_message(clinic, foreign, not_after=MORNING + timedelta(days=1)),
        "unknown": a_message(clinic, foreign, state="unknown", reason="", handed_over=1),
        "call": asks(clinic, patient=clinic.a_patient("Carla", "Ruf", phone="+447700900125")),
    }
    return {name: row.pk for name, row in rows.items()}


def _who_waits(clinic: World, noor: Patient) -> dict[str, object]:
    """Three wait for an earlier time: it is offered to two of them, and the desk can give it to the third."""
    create_account(patient=noor, by=clinic.desk, now=NOW)
    names: dict[str, object] = {"noor": noor.pk}
    for name, who, start in [
        ("offered", noor, "2026-03-12 14:00"),
        ("declines", clinic.a_patient("Wanda", "Weiss"), "2026-03-13 09:00"),
        ("waits", clinic.a_patient("Yara", "Yilmaz"), "2026-03-16 09:00"),
    ]:
        visit = book(clinic, a_visit(clinic, start), who)
        wish = a_wish(clinic, visit)
        names |= {name: visit.pk, f"{name}_wish": wish.pk}
        if name != "waits":
            time = {"start": FREED, "practitioner": clinic.practitioners[0].pk}
            offer = offers.make(wish=wish, **time, by=clinic.desk, now=MORNING)
            names |= {f"{name}_link": _link(offer.message, name)}
    return names


def _links(clinic: World, foreign: Patient, names: dict[str, object]) -> dict[str, object]:
    """What a message opens: what is due, by three of them, and what to do before and after a visit."""
    found = {}
    for name in ("books", "puts_off", "asks"):
        patient = clinic.a_patient(name.title(), "Moser", phone="+447700900126")
        cycle = a_cycle(clinic, patient, due=date(2026, 3, 2), by=date(2026, 3, 20))
        found[name] = _link(reminder(cycle), name)
    told = {"kind": "pre_care", "purpose": "service", "channel": "email", "counts_from": "2026-03-03"}
    times = {"owed_at": NOW, "not_before": NOW, "not_after": MORNING}
    care = Message.objects.create(patient=foreign, appointment_id=names["booked"], **told, **times)
    return found | {"care": _link(care, "care")}


def _link(message: Message, name: str) -> str:
    """The secret of a link in a message."""
    secret = name.ljust(24, "-")
    ReminderLink.objects.create(message=message, digest=links.digest(secret), made_at=NOW, expires_at=NOW + links.KEEPS)
    return secret


def _accounts(clinic: World) -> dict[str, object]:
    """The manager signs in with a second factor; and somebody has forgotten a password."""
    clinic.manager.user_permissions.add(Permission.objects.get(codename="require_second_factor"))
    for user in (clinic.manager, clinic.desk, User.objects.get(username="admin")):
        user.set_password(PASSWORD)
        user.save()
    EmailAddress.objects.create(user=clinic.manager, email=clinic.manager.email, verified=True, primary=True)
    TOTP.activate(clinic.manager, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(clinic.manager)
    key = default_token_generator.make_token(clinic.desk)
    return {"reset": f"{user_pk_to_url_str(clinic.desk)}-{key}"}
