"""Forms about patients. They check shape; what is allowed is for the services to say."""

from datetime import date

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Div, Field, Layout
from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from patients import phones, services
from patients.models import Channel, Patient, Purpose
from patients.search import tidy

EARLIEST_BIRTH = date(1900, 1, 1)
# Day before month, as in the search.
BIRTH_NOTATIONS = ["%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y-%m-%d", "%d %b %Y", "%d %B %Y"]


class NameField(forms.CharField):
    """A name in one line, without control characters."""

    def to_python(self, value: object) -> str:
        return tidy(super().to_python(value))


class TypedSelect(forms.Select):
    """A choice among hundreds: found by some letters of it, and what is typed stands if it is refused."""

    def render(self, name: str, value: object, attrs: dict | None = None, renderer: object = None) -> str:
        attrs = self.build_attrs(self.attrs, attrs)
        choices = f"{attrs['id']}_choices"
        values = [(choice,) for choice, _label in self.choices if choice]
        return format_html(
            '<input type="text" name="{}" value="{}" list="{}"{}><datalist id="{}">{}</datalist>',
            name,
            "".join(self.format_value(value)),
            choices,
            flatatt(attrs),
            choices,
            format_html_join("", '<option value="{}"></option>', values),
        )


class ContactForm(forms.ModelForm):
    """Who a patient is and how to reach them. `today` bounds the day of birth; phone numbers are read in `region`."""

    given_name = NameField(label=_("Given name"), max_length=100)
    family_name = NameField(label=_("Family name"), max_length=100, required=False)
    date_of_birth = forms.DateField(
        label=_("Date of birth"),
        required=False,
        input_formats=BIRTH_NOTATIONS,
        widget=forms.DateInput(format="%d/%m/%Y", attrs={"inputmode": "text", "autocomplete": "off"}),
        help_text=_("Day, month, year: 3.2.1988 or 03/02/1988."),
        error_messages={"invalid": _("Write the date as day, month and year: 3.2.1988.")},
    )

    class Meta:
        model = Patient
        fields = [
            "given_name",
            "family_name",
            "date_of_birth",
            "language",
            "email",
            "phone",
            "first_channel",
            "time_zone",
            "notes",
        ]
        labels = {
            "email": _("E-mail"),
            "phone": _("Phone"),
            "language": _("Language"),
            "first_channel": _("Messages first by"),
            "time_zone": _("Time zone"),
            "notes": _("Notes"),
        }
        widgets = {
            "notes": forms.Textarea(attrs={"rows": 3}),
            # Switched off, some browsers would not offer the list either.
            "time_zone": TypedSelect(attrs={"autocomplete": "on"}),
        }
        error_messages = {
            "email": {"invalid": _("Write the address in full: name@example.org.")},
            "time_zone": {"invalid_choice": _("Write the time zone as region and place: Europe/London.")},
        }

    def __init__(self, *args, today: date, region: str = "", **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        for field in self.fields.values():
            # The browser would offer what was typed about the patient before.
            field.widget.attrs.setdefault("autocomplete", "off")
        self.fields["phone"].region = phones.known(region)
        self.fields["phone"].error_messages["invalid"] = _("Write the number in full: %s or %s.") % phones.example(
            region
        )
        # Left out, it stays as it is.
        self.fields["first_channel"].required = False
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True
        self.helper.layout = self._layout()

    def _layout(self) -> Layout:
        return Layout(
            Div("given_name", "family_name", "date_of_birth", "language", css_class="form-row"),
            Div("email", "phone", "first_channel", "time_zone", css_class="form-row"),
            "notes",
        )

    def clean_date_of_birth(self) -> date | None:
        day = self.cleaned_data["date_of_birth"]
        if day and day > self.today:
            raise forms.ValidationError(_("This day is still to come. Look at the year."))
        if day and day < EARLIEST_BIRTH:
            raise forms.ValidationError(_("This is too long ago. Look at the year."))
        return day

    def clean_first_channel(self) -> str:
        return self.cleaned_data["first_channel"] or self.instance.first_channel

    def contact(self) -> dict:
        """The arguments of `services.change_contact`."""
        return {name: self.cleaned_data[name] for name in self.Meta.fields}


class RegisterForm(ContactForm):
    """A new patient, with what they agree to."""

    def __init__(self, *args, **kwargs) -> None:
        self.asked = {
            f"consent_{purpose}_{channel}": (purpose, channel)
            for purpose in Purpose.values
            for channel in Channel.values
        }
        super().__init__(*args, **kwargs)
        for name, (purpose, channel) in self.asked.items():
            self.fields[name] = forms.BooleanField(label=services.wording(purpose, channel), required=False)

    def _layout(self) -> Layout:
        return Layout(
            *super()._layout(),
            Div(
                HTML('<h2 id="agrees" class="mt-3">{}</h2>'.format(_("What the patient agrees to"))),
                HTML('<p class="soft">{}</p>'.format(_("Ask, and tick what they say yes to. It can be taken back."))),
                *map(Field, self.asked),
                role="group",
                aria_labelledby="agrees",
            ),
        )

    def clean(self) -> dict:
        data = super().clean()
        needs = {
            Channel.EMAIL: ("email", _("There is no e-mail address to write to: enter one, or leave this empty.")),
            Channel.SMS: ("phone", _("There is no phone number to text to: enter one, or leave this empty.")),
        }
        for name, (_purpose, channel) in self.asked.items():
            field, sentence = needs[Channel(channel)]
            if data.get(name) and not data.get(field) and field not in self.errors:
                self.add_error(name, sentence)
        return data

    def consents(self) -> list[tuple[str, str]]:
        """Purpose and channel of each yes."""
        return [asked for name, asked in self.asked.items() if self.cleaned_data[name]]

    def registration(self) -> dict:
        """The arguments of `services.register`."""
        return {**self.contact(), "consents": self.consents()}

    def person(self) -> dict:
        """The arguments of `services.duplicates_of`."""
        return {
            name: self.cleaned_data[name] for name in ["given_name", "family_name", "date_of_birth", "phone", "email"]
        }
