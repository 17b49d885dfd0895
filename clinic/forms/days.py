"""Fields that take a day or a time as people at a desk type them: "+2w", "3 mar", "t"; "9.30", "2pm"."""

from datetime import date, time

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.dates_in_words import NotUnderstood, parse_day, parse_time, written, written_time


class _Written(forms.TextInput):
    """A box of text; a day or a time that comes from the program is written so that it is understood again."""

    def __init__(self, attrs=None) -> None:
        super().__init__({"autocomplete": "off", "maxlength": 40, "spellcheck": "false"} | (attrs or {}))

    def format_value(self, value) -> str | None:
        if isinstance(value, date):
            return written(value)
        return written_time(value) if isinstance(value, time) else value


class DayField(forms.Field):
    """A day. The form sets `today`, from which "+2w" counts."""

    widget = _Written(attrs={"title": _("Also: t, +2w, +3m, 3 mar")})
    default_error_messages = {"invalid": _("Enter a day, such as 3 mar, +2w or 3.3.2026.")}
    today: date

    def to_python(self, value) -> date | None:
        if value in self.empty_values or isinstance(value, date):
            return value or None
        try:
            return parse_day(value, today=self.today)
        except NotUnderstood as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class ClockField(forms.Field):
    """A time of the day, on the wall clock of the site."""

    widget = _Written(attrs={"title": _("Such as 9.30, 14:30 or 2pm")})
    default_error_messages = {"invalid": _("Enter a time, such as 9.30, 14:30 or 2pm.")}

    def to_python(self, value) -> time | None:
        if value in self.empty_values or isinstance(value, time):
            return None if value in self.empty_values else value
        try:
            return parse_time(value)
        except NotUnderstood as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


def from_today(form: forms.Form, today: date) -> None:
    """Let the days of `form` count from `today`."""
    for field in form.fields.values():
        if isinstance(field, DayField):
            field.today = today
