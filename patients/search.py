"""Find patients by what somebody typed into one box: name, phone, e-mail or date of birth."""

import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from functools import reduce
from operator import and_

from django.contrib.postgres.search import TrigramWordSimilarity
from django.db import connection, transaction
from django.db.models import FloatField, Q, TextField, Value
from django.db.models.functions import Cast, Lower

from patients.models import Fold, Patient

LONGEST = 100
# So much of what was typed must be found in a name: two letters swapped in each of two words come to 0.357.
ALIKE_ENOUGH = 0.35
FEWEST_DIGITS = 4
FEWEST_EMAIL_LETTERS = 3

# The last letter of Latin Extended-B: what lies beyond is another script.
MOST_LATIN = 0x24F

DAY_FIRST = re.compile(r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})")
YEAR_FIRST = re.compile(r"([0-9]{4})([./-])([0-9]{1,2})\2([0-9]{1,2})")
IN_WORDS = ["%d %b %Y", "%d %B %Y"]
PHONE_SIGNS = re.compile(r"[0-9()+./ -]+")


def find(text: str, *, limit: int = 20) -> list[Patient]:
    """The patients that `text` most likely means, likeliest first; equal ones by name.

    Any text is taken: what cannot be searched for finds nobody. Patients merged into another are left out.
    """
    text = tidy(text)
    likeness = (
        TrigramWordSimilarity(Fold(Value(text)), "name_folded")
        if _has_letters(text)
        else Value(0.0, output_field=FloatField())
    )
    patients = (
        Patient.objects.current()
        .alias(email_lower=Lower("email"), phone_text=Cast("phone", TextField()), likeness=likeness)
        .order_by("-likeness", "name_folded", "pk")
    )
    with transaction.atomic():
        with connection.cursor() as cursor:
            # For this transaction only; the index reads it.
            cursor.execute("SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)", [str(ALIKE_ENOUGH)])
        for query in _queries(text):
            if found := list(patients.filter(query)[:limit]):
                return found
    return []


def tidy(text: str, *, longest: int = LONGEST) -> str:
    """`text` without control characters and lone surrogates, composed, in one line and of bounded length."""
    kept = "".join(sign for sign in text[: 4 * longest] if sign.isspace() or not _controls(sign))
    return " ".join(unicodedata.normalize("NFC", kept).split())[:longest].strip()


def _controls(sign: str) -> bool:
    # Two of the format characters join letters in Persian and Indian names.
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs") and sign not in "\u200c\u200d"


def _queries(text: str) -> list[Q]:
    """What `text` may mean, by its shape; a later one counts only where those before it find nobody."""
    if days := _birth_dates(text):
        return [Q(date_of_birth__in=days)]
    if "@" in text:
        return [_email_begins(text)]
    if _has_letters(text):
        return _named(text)
    return [_phone_holds(text)] if PHONE_SIGNS.fullmatch(text) else []


def _named(text: str) -> list[Q]:
    words = text.split()
    if len(words) > 1:
        # Every word must be like one of the name's, which leaves few rows to weigh. A word too many, or with its first
        # letters swapped, is forgiven by looking at the whole.
        return [_all(_like(word) for word in words), _like(text)]
    return [_like(text) | _email_begins(text)] if len(text) >= FEWEST_EMAIL_LETTERS else [_like(text)]


def _like(name: str) -> Q:
    query = Q(name_folded__trigram_word_similar=Fold(Value(name)))
    if any(sign.isalpha() and ord(sign) > MOST_LATIN for sign in name):
        # Some databases see no letters in other scripts, and so make no trigrams of them.
        query |= _all(Q(name_folded__contains=Fold(Value(word))) for word in name.split())
    return query


def _all(queries: Iterable[Q]) -> Q:
    return reduce(and_, queries)


def _email_begins(text: str) -> Q:
    # The index leaves out empty addresses, and is used only where the query does so too.
    return Q(email_lower__startswith=text.lower()) & ~Q(email="")


def _has_letters(text: str) -> bool:
    return any(sign.isalpha() for sign in text)


def _phone_holds(text: str) -> Q:
    """Numbers are kept as +44…: what notations do not share with that, (0) and leading zeros, is left out as well."""
    digits = re.sub(r"[^0-9]", "", text.replace("(0)", ""))
    if len(digits) < FEWEST_DIGITS:
        return Q(pk__in=[])
    query = Q(phone_text__contains=digits)
    if digits != (shared := digits.lstrip("0")) and len(shared) >= FEWEST_DIGITS:
        query |= Q(phone_text__contains=shared)
    return query


def _birth_dates(text: str) -> list[date]:
    """The days that `text` may mean, day before month; a year of two digits stands for both centuries."""
    if match := YEAR_FIRST.fullmatch(text):
        parts = [(match[1], match[3], match[4])]
    elif match := DAY_FIRST.fullmatch(text):
        years = [match[4]] if len(match[4]) == 4 else [f"19{match[4]}", f"20{match[4]}"]
        parts = [(year, match[3], match[1]) for year in years]
    else:
        return _birth_dates_in_words(text)
    days = []
    for year, month, day in parts:
        with suppress(ValueError):
            days.append(date(int(year), int(month), int(day)))
    return days


def _birth_dates_in_words(text: str) -> list[date]:
    for notation in IN_WORDS:
        with suppress(ValueError):
            return [datetime.strptime(text.replace(".", ""), notation).date()]  # noqa: DTZ007 - a day, not an instant
    return []


def as_details(text: str) -> dict[str, str]:
    """What was searched for, as the fields of a registration: nothing is typed twice."""
    text = tidy(text)
    if _birth_dates(text):
        return {"date_of_birth": text}
    if "@" in text:
        return {"email": text}
    if not _has_letters(text):
        return {"phone": text} if PHONE_SIGNS.fullmatch(text) else {}
    given_name, _space, family_name = text.rpartition(" ")
    return {"given_name": given_name, "family_name": family_name} if given_name else {"given_name": text}
