"""What each message says.

Nothing clinical, in subject or text: the first name, the clinic's short name, date, time and a link.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from functools import cache
from urllib.parse import urljoin

from django.conf import settings
from django.core.validators import validate_email
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import formats, translation
from django.utils.translation import gettext as _

from clinic import gsm, wording
from clinic.mail import Mail
from clinic.models import Message, MessageTemplate, Site
from clinic.models.outbox import MessageKind
from patients.models import Channel, Patient, Purpose

# Under what name a mail service takes along, over SMTP, what it tells back with its news. Others keep the Message-ID.
TRACKED = {
    "postmark": ("X-PM-Metadata-message", "%s"),
    "mailgun": ("X-Mailgun-Variables", '{"message": "%s"}'),
    "sendgrid": ("X-SMTPAPI", '{"unique_args": {"message": "%s"}}'),
    "mandrill": ("X-MC-Metadata", '{"message": "%s"}'),
}

Own = Mapping[tuple[str, str, str], MessageTemplate]


@dataclass(frozen=True, slots=True)
class About:
    """What a message is about: visits at this site that start then, or so many that are due.

    With `care` it leads to what is to be done before or after them; with `questions` it asks for answers before them;
    `answer_by` is when an offer ends.
    """

    site: Site
    starts: Sequence[datetime] = ()
    due: int = 1
    care: bool = False
    questions: bool = False
    answer_by: datetime | None = None


def email(message: Message, about: About, *, secret: str = "", own: Own | None = None) -> Mail:
    """The mail that `message` is, in the patient's language.

    It is the same mail, by its Message-ID, however often it is made. `secret` is that of its link, where it has one.
    Raises ValidationError where the address is not one address.
    """
    validate_email(message.patient.email)
    subject, text = words(message, about, secret=secret, own=own)
    headers = {
        "Message-ID": f"<{message.message_id}@{_domain(settings.DEFAULT_FROM_EMAIL)}>",
        # Answering machines stay silent.
        "Auto-Submitted": "auto-generated",
    }
    if header := TRACKED.get(settings.MAIL_HOOK):
        name, value = header
        headers[name] = value % message.message_id
    if secret and message.purpose == Purpose.RECALL:
        # By RFC 8058: the mail program asks for it itself, at one press.
        headers["List-Unsubscribe"] = f"<{link_to(secret, 'stop')}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return Mail(
        subject=subject,
        body=text,
        to=[message.patient.email],
        reply_to=[about.site.email] if about.site.email else None,
        headers=headers,
    )


def sms(message: Message, about: About, *, secret: str = "", own: Own | None = None) -> str:
    """The text message that `message` is. Accents are taken off where that makes it cost less.

    The clinic's own words have no subject; where they come to more parts than one is sent in, others are said.
    """
    subject, text = words(message, about, secret=secret, own=own, channel=Channel.SMS)
    if not subject:
        if gsm.parts(said := gsm.plain(text.strip())) <= settings.SMS_PARTS:
            return said
        # A longer name than anybody thought of, or several dates: the words of the program are short.
        return sms(message, about, secret=secret)
    link = _link(secret, about.care)
    if about.questions:
        with translation.override(message.patient.language):
            asking = gsm.plain(f"{subject}. {_('Please answer a few questions:')} {link}")
        if gsm.parts(asking) <= settings.SMS_PARTS:
            return asking
    return gsm.plain(f"{subject}. {link}")


def words(
    message: Message, about: About, *, secret: str = "", own: Own | None = None, channel: str = Channel.EMAIL
) -> tuple[str, str]:
    """Subject and text; the clinic's own words for a text message have no subject."""
    patient, site, care = message.patient, about.site, about.care
    with translation.override(patient.language):
        when = [spoken(start, site=site, patient=patient) for start in about.starts]
        until = spoken(about.answer_by, site=site, patient=patient) if about.answer_by else ""
        about_care = link_to(secret, "care") if secret and care else ""
        book, stop = (link_to(secret), link_to(secret, "stop")) if secret and not care else ("", "")
        context = {
            "name": patient.given_name,
            "clinic": site.short_name,
            "phone": site.phone,
            "address": ", ".join(line.strip() for line in site.address.splitlines() if line.strip()),
            "when": when,
            # What the visits of a course have become: the one that is left may be where it was.
            "of_course": message.series_id is not None,
            "until": until,
            "due": about.due,
            "link": course_link(),
            "book": book,
            "stop": stop,
            "care": about_care,
            "questions": about.questions,
        }
        if template := (own or {}).get((message.kind, channel, patient.language)):
            values = context | {"when": "\n".join(when), "link": _link(secret, care)}
            in_subject = {"clinic": site.short_name, "when": ", ".join(when)}
            if _has_all(template.text, values) and _has_all(template.subject, in_subject):
                # A line break would begin another header.
                subject = " ".join(wording.fill_in(template.subject, in_subject).split())
                text = wording.fill_in(template.text, values)
                # What such a mail says too, whatever its own words are.
                if about_care and channel == Channel.EMAIL and "care" not in wording.variables(template.text):
                    text += render_to_string("messages/_care.txt", context)
                if about.questions and channel == Channel.EMAIL:
                    text += render_to_string("messages/_questions.txt", context)
                return subject, text.strip() + "\n"
        text = render_to_string(f"messages/{message.kind}.txt", context)
        several = len(when) != 1 or message.series_id is not None
        return _subject(message.kind, site.short_name, when, several=several), text.strip() + "\n"


def _has_all(text: str, values: Mapping[str, object]) -> bool:
    """Whether nothing that `text` names is empty this time, as a course's dates where none is left."""
    return all(values.get(name) for name in wording.variables(text))


def has_link(kind: str, about: About) -> bool:
    """Whether a message gets a link of its own, that opens what it is about without signing in."""
    return about.care or kind in (MessageKind.MAINTENANCE_REMINDER, MessageKind.FRESH_LINK, MessageKind.EARLIER)


def _link(secret: str, care: bool) -> str:
    """The one link of a text message."""
    if not secret:
        return course_link()
    return link_to(secret, "care" if care else "due")


def course_link() -> str:
    """Where the patient sees the course. It names nobody: who opens it has to sign in."""
    return _public(settings.PUBLIC_URL, "portal:course")


def link_to(secret: str, page: str = "due") -> str:
    """Where the patient books, or ends the reminders, without signing in."""
    return urljoin(settings.PUBLIC_URL, reverse(f"link:{page}", args=[secret]))


# The same for every message, and not free: a tenth of what a mail takes.
@cache
def _public(site: str, page: str) -> str:
    return urljoin(site, reverse(page))


@cache
def _domain(sender: str) -> str:
    _name, address = parseaddr(sender)
    return address.rpartition("@")[2]


def spoken(start: datetime, *, site: Site, patient: Patient) -> str:
    """A start on the site's clock; the zone is named where the patient's own clock shows another time."""
    local = start.astimezone(site.time_zone)
    text = formats.date_format(local, "DATETIME_FORMAT")
    elsewhere = patient.time_zone and start.astimezone(patient.time_zone).utcoffset() != local.utcoffset()
    return f"{text} ({site.time_zone.key})" if elsewhere else text


def _subject(kind: str, clinic: str, when: Sequence[str], *, several: bool) -> str:
    match kind:
        case MessageKind.CONFIRMATION if len(when) > 1:
            return _("%(clinic)s: your visits are booked") % {"clinic": clinic}
        case MessageKind.CONFIRMATION:
            return _("%(clinic)s: your visit on %(when)s is booked") % {"clinic": clinic, "when": when[0]}
        case MessageKind.CHANGE if several:
            return _("%(clinic)s: your visits have changed") % {"clinic": clinic}
        case MessageKind.CHANGE:
            return _("%(clinic)s: your visit is now on %(when)s") % {"clinic": clinic, "when": when[0]}
        case MessageKind.CANCELLATION:
            return _("%(clinic)s: your visit on %(when)s is cancelled") % {"clinic": clinic, "when": when[0]}
        case MessageKind.APPOINTMENT_REMINDER if len(when) > 1:
            return _("%(clinic)s: see you soon") % {"clinic": clinic}
        case MessageKind.APPOINTMENT_REMINDER:
            return _("%(clinic)s: see you on %(when)s") % {"clinic": clinic, "when": when[0]}
        case MessageKind.MAINTENANCE_REMINDER:
            return _("%(clinic)s: time for your next visit") % {"clinic": clinic}
        case MessageKind.FRESH_LINK:
            return _("%(clinic)s: your new link") % {"clinic": clinic}
        case MessageKind.PRE_CARE if len(when) > 1:
            return _("%(clinic)s: before your visits") % {"clinic": clinic}
        case MessageKind.PRE_CARE:
            return _("%(clinic)s: before your visit on %(when)s") % {"clinic": clinic, "when": when[0]}
        case MessageKind.AFTERCARE:
            return _("%(clinic)s: after your visit") % {"clinic": clinic}
        case MessageKind.RESULT:
            return _("%(clinic)s: we would like to see you") % {"clinic": clinic}
        case MessageKind.EARLIER:
            return _("%(clinic)s: an earlier time, %(when)s") % {"clinic": clinic, "when": when[0]}
    raise ValueError(f"No words for {kind}.")
