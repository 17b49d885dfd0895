"""What an import would do, before it does it: the same for every kind of file."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from patients.errors import Refused
from patients.tables import Problem, Table

# "course: importing", as a number nobody else is likely to lock.
IMPORTING = 0x636F696D706F
# So many questions are asked at once; further lines are left out, and come again with the next import.
MOST_ASKED = 200
MOST_SHOWN = 20


class ImportRefused(Refused):
    """Nothing was stored: what was shown does not hold any more, or somebody else is importing."""


class Way(StrEnum):
    """What becomes of a line."""

    NEW = "new"
    KNOWN = "known"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to a question. `value` is "create" or the key of a patient."""

    value: str
    words: str


@dataclass(frozen=True, slots=True)
class Question:
    """A line that only a person can decide; unless somebody answers it is left out."""

    line: int
    words: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A line that is here already, and by which rule."""

    line: int
    words: str
    because: str
    patient: int


@dataclass(slots=True, kw_only=True)
class DryRun:
    """What the file comes to as things stand. `fates`: what becomes of each line, for telling whether that changes."""

    table: Table
    problems: list[Problem] = field(default_factory=list)
    new: int = 0
    known: list[Known] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    titles: tuple[str, ...] = ()
    first: list[tuple[str, ...]] = field(default_factory=list)
    fates: list[tuple] = field(default_factory=list)

    @property
    def seen(self) -> str:
        """A name for all of this: another one means that the press would do something else than was shown."""
        return hashlib.sha256(repr((self.fates, self.problems)).encode()).hexdigest()[:32]

    @property
    def wrong_lines(self) -> int:
        return len({problem.line for problem in self.problems})

    @property
    def asked(self) -> list[Question]:
        return self.questions[:MOST_ASKED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an import has done, in numbers of lines."""

    created: int
    linked: int
    left_out: int


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """A transaction in which nobody else imports. Raises ImportRefused where somebody does, or a row was taken."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [IMPORTING])
                [(free,)] = cursor.fetchall()
            if not free:
                raise ImportRefused(_("Somebody else is importing at this moment. Try again in a minute."))
            yield
    except IntegrityError as error:
        raise changed_meanwhile() from error
    except OperationalError as error:
        raise too_much() from error


def changed_meanwhile() -> ImportRefused:
    return ImportRefused(_("What is stored here has changed meanwhile, so nothing was imported. Look at it again."))


def too_much() -> ImportRefused:
    return ImportRefused(_("It took too long, so nothing was imported. Split the file and import the parts."))
