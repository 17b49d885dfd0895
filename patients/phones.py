"""Phone numbers as they are written in a country: who leaves out the country's code means its own."""

import phonenumbers
from django.conf import settings
from phonenumber_field.phonenumber import PhoneNumber
from phonenumber_field.phonenumber import to_python as read_in


def known(region: str) -> str:
    """`region` where numbers of it can be told, else that of the settings."""
    return region if region in phonenumbers.SUPPORTED_REGIONS else settings.PHONENUMBER_DEFAULT_REGION


def read(said: str, *, region: str = "") -> PhoneNumber | None:
    """What was written without a country's code is a number of `region`, or of the settings'."""
    return read_in(said, region=known(region))


def example(region: str = "") -> tuple[str, str]:
    """A number as it is written there, and from abroad."""
    number = PhoneNumber()
    number.merge_from(phonenumbers.example_number(known(region)))
    return number.as_national, number.as_international
