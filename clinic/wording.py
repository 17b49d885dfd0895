"""The clinic's own words: which variables they may name, and what they come to. Pure.

A variable is written in braces: `{name}`. Nothing else in a text means anything, so that no text can reach beyond what
is offered here.
"""

from collections.abc import Mapping
from string import Formatter

# What a text may name, by channel. Nothing clinical is among it.
VARIABLES = {
    "email": ("name", "clinic", "phone", "when", "until", "link", "book", "stop", "care"),
    "sms": ("name", "clinic", "when", "until", "link"),
}
SUBJECT_VARIABLES = ("clinic", "when")


class UnknownVariable(ValueError):
    """The text names something that is not offered, or its braces do not match."""


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
