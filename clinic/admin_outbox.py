"""The ladder of reminders, the words of the messages, and a look at what was sent."""

from datetime import datetime, timedelta
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.mail import EmailMessage
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _
from phonenumber_field.formfields import PhoneNumberField

from clinic import gsm, own_words, wording
from clinic import messages as said
from clinic.delivery import Mailer, send_sms
from clinic.models import Message, MessageTemplate, ReminderStep, Site
from clinic.models.outbox import CARE, MOST_MAINTENANCE_STEPS, MessageKind, StepSubject
from patients.models import Channel, Patient
from treatments.admin.looking import ONLY_LOOK
from treatments.admin.protocol import OnlyLooking

# Without these a patient could neither book from a reminder of maintenance nor end them.
NEEDED = {
    (MessageKind.MAINTENANCE_REMINDER, Channel.EMAIL): ("book", "stop"),
    (MessageKind.MAINTENANCE_REMINDER, Channel.SMS): ("link",),
    (MessageKind.FRESH_LINK, Channel.EMAIL): ("book",),
    (MessageKind.PRE_CARE, Channel.EMAIL): ("care",),
    (MessageKind.PRE_CARE, Channel.SMS): ("link",),
    (MessageKind.AFTERCARE, Channel.EMAIL): ("care",),
    (MessageKind.AFTERCARE, Channel.SMS): ("link",),
    (MessageKind.EARLIER, Channel.EMAIL): ("book",),
    (MessageKind.EARLIER, Channel.SMS): ("link",),
}
WORDS = ["kind", "channel", "language", "subject", "text"]
# In what is sent from the form: send it as a test, and store nothing.
SEND_TEST = "_test"
# Of a sample: it opens nothing.
SECRET = "A" * 24
# Few given names have more letters.
LONG_NAME = 20


class ReminderStepForm(forms.ModelForm):
    class Meta:
        model = ReminderStep
        fields = ["subject", "offset_days", "channel", "stale_after_days", "active"]
        help_texts = {
            "subject": _(
                "Maintenance is counted from the day on which it becomes due, an appointment from the day of the "
                "visit; care before a visit from the day on which the first of it begins, care after it from its end, "
                "and the final result from the day that the protocol names."
            ),
            "offset_days": _(
                "-28: four weeks before; 0: on the day; 28: four weeks after. Never on the day of a visit. Care after "
                "a visit at 2 and 3 goes 48 and 72 hours after its end, where the protocol has something for that hour."
            ),
            "channel": _(
                "As the patient prefers, it goes the other way where that one is closed. By one channel alone, who has "
                "no address for it, or has not agreed to it, gets none."
            ),
            "stale_after_days": _(
                "Later than this, as after an outage, it is not sent. Nor once the next step begins. Leave it empty "
                "for care before a visit: that is worth reading until the visit begins."
            ),
            "active": _(
                "Take a step off the ladder here instead of deleting it, so that what was sent keeps its reason."
            ),
        }

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("subject") == StepSubject.MAINTENANCE and cleaned.get("active"):
            days = set(
                ReminderStep.objects.filter(subject=StepSubject.MAINTENANCE, active=True)
                .exclude(pk=self.instance.pk)
                .values_list("offset_days", flat=True)
            )
            if len(days | {cleaned.get("offset_days")}) > MOST_MAINTENANCE_STEPS:
                self.add_error(
                    "active",
                    _("Maintenance is reminded of %d times at most. Take another step off the ladder first.")
                    % MOST_MAINTENANCE_STEPS,
                )
        self._check_days(cleaned.get("subject"), cleaned.get("offset_days"))
        self._check_stale(cleaned.get("subject"), cleaned.get("stale_after_days"))
        return cleaned

    def _check_days(self, subject: str | None, days: int | None) -> None:
        if days is None:
            return
        if subject == StepSubject.APPOINTMENT and days >= 0:
            self.add_error("offset_days", _("A visit is reminded of before it: enter -1 for the day before."))
        if subject == StepSubject.PRE_CARE and days > 0:
            self.add_error(
                "offset_days", _("Care before a visit is told before it begins: enter -1 for the day before.")
            )
        if subject == StepSubject.AFTERCARE and days < 0:
            self.add_error("offset_days", _("Care after a visit is told after it: enter 0 for its end."))

    def _check_stale(self, subject: str | None, stale: int | None) -> None:
        if "stale_after_days" in self.errors or not subject:
            return
        if subject == StepSubject.PRE_CARE and stale is not None:
            self.add_error("stale_after_days", _("Leave this empty: it is sent until the visit begins."))
        if subject != StepSubject.PRE_CARE and stale is None:
            self.add_error("stale_after_days", _("Enter after how many days it is too late."))


@admin.register(ReminderStep)
class ReminderStepAdmin(admin.ModelAdmin):
    form = ReminderStepForm
    list_display = ["subject", "offset_days", "channel", "stale_after_days", "active"]
    list_filter = ["subject", "channel", "active"]

    def has_delete_permission(self, request, obj=None):
        return False


class MessageTemplateForm(forms.ModelForm):
    test_number = PhoneNumberField(
        label=_("Phone for a test"), required=False, help_text=_("Where a test of a text message goes. It is not kept.")
    )

    class Meta:
        model = MessageTemplate
        fields = WORDS
        help_texts = {
            "subject": _("Of an e-mail; empty for a text message. It may name {clinic} and {when}. Nothing clinical."),
            "text": _(
                "It may name {name}, {clinic}, {phone} and {link} (where the visits are seen); of visits {when}; of a "
                "reminder of maintenance and a fresh link {book} and {stop}; of care {care} (what to do before or "
                "after a visit); of an earlier time {book} and {until} (when the offer ends). A text message has one "
                "link, {link}, and neither {phone} nor {book}, {stop} and {care}. Nothing clinical and no price in a "
                "text message or a subject: others may read it."
            ),
        }

    def clean(self):
        cleaned = super().clean()
        if self.errors or (ONLY_LOOK in self.data and not cleaned.get("text")):
            return cleaned
        channel, kind = cleaned["channel"], cleaned["kind"]
        template = MessageTemplate(**{name: cleaned[name] for name in WORDS})
        for field, why in own_words.refusals(template, own_words.clinical_names()):
            self.add_error(field, why)
        if channel == Channel.EMAIL and not template.subject:
            self.add_error("subject", _("An e-mail needs a subject."))
        if channel == Channel.SMS and template.subject:
            self.add_error("subject", _("A text message has no subject. Leave it empty."))
        if not self.errors and (missing := set(NEEDED.get((kind, channel), ())) - wording.variables(template.text)):
            names = ", ".join(f"{{{name}}}" for name in sorted(missing))
            self.add_error("text", _("The patient needs this link: %s.") % names)
        if channel == Channel.SMS and not self.errors and (parts := most_parts(template)) > settings.SMS_PARTS:
            self.add_error(
                "text", _("With a long name and date this would be sent in %d parts. Make it shorter.") % parts
            )
        return cleaned


def sample(
    template: MessageTemplate, *, given_name: str, site: Site, start: datetime
) -> tuple[Message, said.About, str]:
    """A message as it would be owed, with what is filled in for its kind, and the secret of its link."""
    patient = Patient(given_name=given_name, language=template.language)
    message = Message(kind=template.kind, patient=patient, channel=template.channel, message_id=uuid4())
    starts = [start] if "when" in wording.BY_KIND[template.kind] else []
    about = said.About(site, starts, care=template.kind in CARE, answer_by=start)
    return message, about, SECRET if said.has_link(template.kind, about) else ""


def preview(template: MessageTemplate, *, own: bool = True) -> tuple[str, str]:
    """Subject and text as a patient would get them, with a made-up name and a visit in a week.

    Without `own` it is what comes with the program that is said.
    """
    site = _sites().first() or _no_site()
    start = timezone.now() + timedelta(days=7, hours=2)
    message, about, secret = sample(template, given_name="Alexandra", site=site, start=start)
    words = {(template.kind, template.channel, template.language): template} if own else {}
    if template.channel == Channel.SMS:
        return "", said.sms(message, about, secret=secret, own=words)
    return said.words(message, about, secret=secret, own=words)


def most_parts(template: MessageTemplate) -> int:
    """In how many parts it may be sent: with a long name, and the longest of the sites' names and of a year's dates."""
    site = max(_sites(), key=lambda site: len(site.short_name), default=_no_site())
    now = timezone.now()
    given_name = "M" * LONG_NAME
    patient = Patient(given_name=given_name, language=template.language)
    with translation.override(template.language):
        start = max(
            (now + timedelta(days=days) for days in range(366)),
            key=lambda start: len(said.spoken(start, site=site, patient=patient)),
        )
    message, about, secret = sample(template, given_name=given_name, site=site, start=start)
    own = {(template.kind, template.channel, template.language): template}
    _subject, text = said.words(message, about, secret=secret, own=own, channel=Channel.SMS)
    return gsm.parts(gsm.plain(text.strip()))


def _sites():
    return Site.objects.filter(active=True).order_by("pk")


def _no_site() -> Site:
    return Site(name="Clinic", short_name="Clinic", time_zone=timezone.get_default_timezone())


@admin.register(MessageTemplate)
class MessageTemplateAdmin(admin.ModelAdmin):
    form = MessageTemplateForm
    fields = [*WORDS, "test_number"]
    list_display = ["kind", "channel", "language"]
    list_filter = ["kind", "channel", "language"]
    actions = ["send_a_test"]
    change_form_template = "admin/clinic/messagetemplate/change_form.html"

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        if ONLY_LOOK not in request.POST and SEND_TEST not in request.POST:
            return form
        looking = type(form.__name__, (OnlyLooking, form), {})
        # Without one, the words that come with the program are looked at.
        looking.base_fields["text"].required = SEND_TEST in request.POST
        return looking

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        form = context["adminform"].form
        template = form.instance if form.is_bound else obj
        if form.is_bound and not form.errors and SEND_TEST in request.POST:
            self._send_test(request, template, form.cleaned_data["test_number"])
        context |= {"look": _look(template, form), "only_look": ONLY_LOOK, "send_test": SEND_TEST}
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.action(description=_("Send a test to my own e-mail address"), permissions=["change"])
    def send_a_test(self, request, queryset):
        for template in queryset:
            if template.channel == Channel.SMS:
                self.message_user(request, _("Open “%s” to send a test to a phone.") % template, messages.ERROR)
            elif not self._send_test(request, template, None):
                return

    def _send_test(self, request, template: MessageTemplate, number) -> bool:
        """Send what a patient would get, and say what became of it."""
        by_text_message = template.channel == Channel.SMS
        address = number if by_text_message else request.user.email
        if not address:
            no = (
                _("Enter the phone to send a test to.") if by_text_message else _("Your account has no e-mail address.")
            )
            self.message_user(request, no, messages.ERROR)
            return False
        subject, text = preview(template)
        try:
            if by_text_message:
                send_sms(to=address.as_e164, text=text, key=str(uuid4()))
            else:
                with Mailer() as mailer:
                    mailer.reach()
                    mailer.send(EmailMessage(subject=f"[{_('Test')}] {subject}".strip(), body=text, to=[address]))
        except Exception as error:
            self.message_user(request, _("It could not be sent: %s") % error, messages.ERROR)
            return False
        self.message_user(request, _("Sent to %s.") % address, messages.SUCCESS)
        return True


def _look(template: MessageTemplate | None, form: forms.ModelForm) -> dict[str, object]:
    """What stands beside the form: the words as a patient would get them, and those that come with the program."""
    if template is None or not (template.kind and template.channel and template.language):
        return {}
    look: dict[str, object] = {"shipped": preview(template, own=False)}
    if form.errors or not template.text:
        return look
    if not form.is_bound and (no := own_words.refusals(template, own_words.clinical_names())):
        return look | {"refused": [words for _field, words in no]}
    subject, text = preview(template)
    parts = _("%d part(s)") % gsm.parts(text) if template.channel == Channel.SMS else ""
    return look | {"own": (subject, text), "parts": parts}


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):
    """To look at. Messages are owed, sent and settled by the program, and put right on the worklist."""

    list_display = ["id", "kind", "channel", "state", "not_before", "settled_at", "reason"]
    list_filter = ["state", "kind", "channel"]
    # A list of millions is read by its key, and not counted.
    show_full_result_count = False
    ordering = ["-id"]
    list_per_page = 50

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
