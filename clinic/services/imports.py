"""A file from another system, from the upload to the import: kept for one press, and forgotten after it."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import OperationalError, transaction

from clinic.models import ImportFile, ImportKind
from patients import importing as patients
from patients.dry_runs import Done, DryRun, too_much
from patients.tables import Column
from treatments import importing as courses

KEEPS = timedelta(hours=1)
IMPORTERS = {ImportKind.PATIENTS: patients, ImportKind.COURSES: courses}


def columns(kind: ImportKind) -> tuple[Column, ...]:
    """What a file of this kind may say."""
    return IMPORTERS[kind].COLUMNS


def keep(
    *, kind: ImportKind, name: str, content: bytes, today: date, by: User, now: datetime, region: str = ""
) -> ImportFile:
    """Keep a file that can be read, in the place of any that `by` uploaded before. Raises TableRefused."""
    looked_at(kind, content, today=today, region=region)
    values = {"kind": kind, "name": name[:100], "content": content, "uploaded_at": now}
    return ImportFile.objects.update_or_create(uploaded_by=by, defaults=values)[0]


def kept(*, by: User, now: datetime) -> ImportFile | None:
    """The file that waits for `by`, if it is not too old."""
    return ImportFile.objects.filter(uploaded_by=by, uploaded_at__gt=now - KEEPS).first()


def forget(*, by: User) -> None:
    ImportFile.objects.filter(uploaded_by=by).delete()


def forget_old(*, now: datetime) -> int:
    """Forget what nobody imported in time; returns how many."""
    return ImportFile.objects.filter(uploaded_at__lte=now - KEEPS).delete()[0]


def _read_in(kind: ImportKind, region: str) -> dict[str, str]:
    """In which country phone numbers are read; only patients have any."""
    return {"region": region} if kind == ImportKind.PATIENTS else {}


def looked_at(kind: ImportKind, content: bytes, *, today: date, region: str = "") -> DryRun:
    """What an import would do now. Stores nothing. Raises Refused where the file cannot be read, or takes too long."""
    try:
        # A savepoint, so that a statement that took too long leaves the connection usable.
        with transaction.atomic():
            return IMPORTERS[kind].dry_run(content, today=today, **_read_in(kind, region))
    except OperationalError as error:
        raise too_much() from error


@transaction.atomic
def carry_out(
    *,
    file: ImportFile,
    answers: Mapping[int, str],
    seen: str,
    today: date,
    by: User,
    now: datetime,
    zone: ZoneInfo,
    region: str = "",
) -> Done:
    """Import what the dry run `seen` showed, all of it or nothing, and forget the file. Raises ImportRefused."""
    kind = ImportKind(file.kind)
    known = {"answers": answers, "seen": seen, "today": today, "by": by, "now": now, "zone": zone}
    done = IMPORTERS[kind].take(bytes(file.content), **known, **_read_in(kind, region))
    file.delete()
    return done
