"""The clinic's own words: which variables they may name, what they come to, and what they may not say. Pure.

A variable is written in braces: `{name}`. Nothing else in a text means anything, so that no text can reach beyond what
is offered here.
"""

import re
from collections.abc import Iterable, Mapping
from string import Formatter

# What any text may name, and what beside it those of each kind: just what is filled in when one is sent. Nothing
# clinical is among it. `care` is a link; it is filled in where the message is about care and nothing else.
ALWAYS = ("name", "clinic", "phone", "link")
BY_KIND = {
    "confirmation": ("when",),
    "change": ("when",),
    "cancellation": ("when",),
    "visit_reminder": ("when",),
    "maintenance": ("book", "stop"),
    "fresh_link": ("book", "stop"),
    "pre_care": ("when", "care"),
    "aftercare": ("when", "care"),
    "result": (),
    "earlier": ("when", "until", "book"),
}
# A text message has room for one link, and a subject for none.
IN_A_TEXT_MESSAGE = ("name", "clinic", "link", "when", "until")
IN_A_SUBJECT = ("clinic", "when")

_MONEY = r"[£$€¥]|\b(?:gbp|eur|usd|chf)\b"
_MONEY_AFTER = r"[£$€¥]|(?:gbp|eur|euros?|usd|chf|pounds?|quid|dollars?|francs?|franken|pfund|pence|cents?)\b"
# From the first digit on: else each of a thousand digits would be tried as the first.
PRICE = re.compile(rf"(?:{_MONEY})\s*\d[\d.,]*|(?<![\d.,])\d[\d.,]*[-–]*\s*(?:{_MONEY_AFTER})", re.IGNORECASE)
# "Reply CANCEL": an answer ends messages, or is read by a person when there is time; it never cancels a visit.
_NO = r"(?:cancel|storno|stornieren|absagen?|abzusagen)\b"
_ANSWER = r"\b(?:reply|replying|answer|respond|text|send|antwort|antworten?|schreiben?|senden?)\b"
_BETWEEN = r"(?:\s+(?:sie|us|uns|back|with|mit|word|the|das|wort|an|by|to|zu|zum|sms|bitte|einfach|just))*"
ANSWER_TO_CANCEL = re.compile(
    rf"{_ANSWER}{_BETWEEN}(?:[\s:]+[\"'“„‘]?\w{{1,12}}[\"'”“’]?\s+(?:to|um|zum))?[\s:]*[\"'“„‘]?{_NO}"
    rf"|\b{_NO}[\"'”“’]?\s+(?:antworten|zurückschreiben|schreiben|senden|zurücksenden)\b",
    re.IGNORECASE,
)


class UnknownVariable(ValueError):
    """The text names something that is not offered, or its braces do not match."""


def offered(kind: str, channel: str) -> tuple[str, ...]:
    """What a text of this kind may name by this channel."""
    named = (*ALWAYS, *BY_KIND.get(kind, ()))
    return named if channel == "email" else tuple(name for name in named if name in IN_A_TEXT_MESSAGE)


def offered_in_subject(kind: str) -> tuple[str, ...]:
    return tuple(name for name in (*ALWAYS, *BY_KIND.get(kind, ())) if name in IN_A_SUBJECT)


def variables(text: str) -> set[str]:
    """What `text` names. Raises UnknownVariable where its braces do not match or hold more than a name."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise UnknownVariable(str(error)) from error
    named = set()
    for _literal, name, spec, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise UnknownVariable(name)
        named.add(name)
    return named


def check(text: str, allowed: tuple[str, ...]) -> None:
    """Raises UnknownVariable, with what is not allowed."""
    if unknown := sorted(variables(text) - set(allowed)):
        raise UnknownVariable(", ".join(unknown))


def fill_in(text: str, values: Mapping[str, str]) -> str:
    return text.format_map(values)


def first_named(text: str, names: Iterable[str]) -> str:
    """The first of these names that stands in `text` as a whole, however it is written; empty where none does."""
    folded = " ".join(text.casefold().split())
    for name in names:
        sought = " ".join(name.casefold().split())
        if sought and sought in folded and re.search(rf"(?<!\w){re.escape(sought)}(?!\w)", folded):
            return name
    return ""


def price(text: str) -> str:
    """The first price in `text`; empty where there is none."""
    found = PRICE.search(text)
    return found[0].strip() if found else ""


def asks_to_cancel(text: str) -> str:
    """Where `text` asks for an answer to cancel by: the words; empty where it does not."""
    found = ANSWER_TO_CANCEL.search(text)
    return found[0].strip() if found else ""
