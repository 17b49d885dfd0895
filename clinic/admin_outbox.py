"""The ladder of reminders, the words of the messages, and a look at what was sent."""

from datetime import timedelta
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.mail import EmailMessage
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from clinic import gsm, wording
from clinic import messages as said
from clinic.delivery import Mailer
from clinic.models import Message, MessageTemplate, ReminderStep, Site
from clinic.models.outbox import CARE, MOST_MAINTENANCE_STEPS, MessageKind, StepSubject
from patients.models import Channel, Patient

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
# Of a preview: nobody who exists.
SAMPLE = {"given_name": "Alexandra", "secret": "A" * 24}


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
    class Meta:
        model = MessageTemplate
        fields = ["kind", "channel", "language", "subject", "text"]
        help_texts = {
            "subject": _("Of an e-mail; empty for a text message. It may name {clinic} and {when}. Nothing clinical."),
            "text": _(
                "It may name {name}, {clinic}, {phone}, {when} (the visits), {link} (where they are seen), {book} and "
                "{stop} (the links of a reminder), {care} (what to do before or after a visit), {until} (when the "
                "offer of an earlier time ends); a text message only {name}, {clinic}, {when}, {until} and {link}. "
                "Nothing clinical: others may read it."
            ),
        }

    def clean(self):
        cleaned = super().clean()
        channel, kind = cleaned.get("channel"), cleaned.get("kind")
        self._check("subject", wording.SUBJECT_VARIABLES)
        named = self._check("text", wording.VARIABLES.get(channel, ()))
        if channel == Channel.EMAIL and not cleaned.get("subject"):
            self.add_error("subject", _("An e-mail needs a subject."))
        if channel == Channel.SMS and cleaned.get("subject"):
            self.add_error("subject", _("A text message has no subject. Leave it empty."))
        missing = set(NEEDED.get((kind, channel), ())) - named
        if missing and not self.errors:
            names = ", ".join(f"{{{name}}}" for name in sorted(missing))
            self.add_error("text", _("The patient needs this link: %s.") % names)
        if channel == Channel.SMS and not self.errors:
            parts = gsm.parts(preview(MessageTemplate(**cleaned))[1])
            if parts > settings.SMS_PARTS:
                self.add_error("text", _("This would be sent in %d parts. Make it shorter.") % parts)
        return cleaned

    def _check(self, field: str, allowed: tuple[str, ...]) -> set[str]:
        text = self.cleaned_data.get(field) or ""
        try:
            wording.check(text, allowed)
            return wording.variables(text)
        except wording.UnknownVariable as error:
            listed = ", ".join(f"{{{name}}}" for name in allowed)
            self.add_error(
                field,
                _("“%(found)s” cannot stand in braces here. What can: %(allowed)s.")
                % {"found": error, "allowed": listed},
            )
            return set()


def preview(template: MessageTemplate) -> tuple[str, str]:
    """Subject and text as a patient would get them, with a made-up name and a visit in a week."""
    site = Site.objects.filter(active=True).order_by("pk").first() or Site(
        name="Clinic", short_name="Clinic", time_zone=timezone.get_default_timezone()
    )
    patient = Patient(given_name=SAMPLE["given_name"], language=template.language)
    message = Message(kind=template.kind, patient=patient, channel=template.channel, message_id=uuid4())
    soon = timezone.now() + timedelta(hours=2)
    about = said.About(site, [soon + timedelta(days=7)], care=template.kind in CARE, answer_by=soon)
    own, secret = {(template.kind, template.channel, template.language): template}, SAMPLE["secret"]
    if template.channel == Channel.SMS:
        return "", said.sms(message, about, secret=secret, own=own)
    return said.words(message, about, secret=secret, own=own)


@admin.register(MessageTemplate)
class MessageTemplateAdmin(admin.ModelAdmin):
    form = MessageTemplateForm
    list_display = ["kind", "channel", "language"]
    list_filter = ["kind", "channel", "language"]
    readonly_fields = ["as_sent"]
    actions = ["send_a_test"]

    @admin.display(description=_("As a patient would get it"))
    def as_sent(self, template: MessageTemplate):
        if template.pk is None:
            return _("Save it to see it.")
        subject, text = preview(template)
        if template.channel == Channel.SMS:
            return format_html("<pre>{}</pre>{}", text, _("%d part(s)") % gsm.parts(text))
        return format_html("<p><strong>{}</strong></p><pre>{}</pre>", subject, text)

    @admin.action(description=_("Send a test to my own e-mail address"), permissions=["change"])
    def send_a_test(self, request, queryset):
        address = request.user.email
        if not address:
            self.message_user(request, _("Your account has no e-mail address."), messages.ERROR)
            return
        with Mailer() as mailer:
            for template in queryset:
                subject, text = preview(template)
                mail = EmailMessage(subject=f"[{_('Test')}] {subject}".strip(), body=text, to=[address])
                try:
                    mailer.reach()
                    mailer.send(mail)
                except Exception as error:
                    self.message_user(request, _("It could not be sent: %s") % error, messages.ERROR)
                    return
        self.message_user(request, _("Sent to %s.") % address, messages.SUCCESS)


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
