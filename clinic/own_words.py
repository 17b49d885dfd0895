"""The clinic's own words: what keeps them from being sent, and those that are.

They are looked at when they are typed, and again for each batch that is sent: what is a treatment's name today need not
have been one when the text was saved, and texts may come from a restored backup. So nothing has to be hunted down when
a name is added, and what slipped through is said in the words that come with the program.
"""

import logging
from collections.abc import Sequence

from django.utils.translation import gettext as _

from clinic import wording
from clinic.messages import Own
from clinic.models import MessageTemplate
from patients.models import Channel
from treatments.models import AddOn, Concern, Protocol, Treatment
from treatments.models.protocol import Override

logger = logging.getLogger(__name__)


def clinical_names() -> list[str]:
    """What the clinic calls its treatments, concerns, add-ons, protocols and areas, whether they are in use or not."""
    found = {
        name for model in (Treatment, Concern, AddOn, Protocol) for name in model.objects.values_list("name", flat=True)
    }
    found.update(Override.objects.values_list("area", flat=True))
    for areas in Protocol.objects.values_list("areas", flat=True):
        found.update(areas)
    return sorted(found - {""})


def refusals(template: MessageTemplate, names: Sequence[str]) -> list[tuple[str, str]]:
    """What keeps these words from being sent: the field and why, in words. `names` are the clinical ones."""
    by_text_message = template.channel == Channel.SMS
    fields = [
        ("subject", template.subject, wording.offered_in_subject(template.kind), True),
        ("text", template.text, wording.offered(template.kind, template.channel), by_text_message),
    ]
    found = []
    for field, text, allowed, open_to_all in fields:
        try:
            wording.check(text, allowed)
        except wording.UnknownVariable as error:
            listed = ", ".join(f"{{{name}}}" for name in allowed)
            said = _("“%(found)s” cannot stand in braces here. What can: %(allowed)s.")
            found.append((field, said % {"found": error, "allowed": listed}))
        if open_to_all and (name := wording.first_named(text, names)):
            said = _("“%s” says what the visit is for. Others may read this, so leave it out.")
            found.append((field, said % name))
        if open_to_all and (price := wording.price(text)):
            found.append((field, _("“%s” is a price. Others may read this, so leave it out.") % price))
        if words := wording.asks_to_cancel(text):
            said = _("“%s”: an answer does not cancel a visit. Give the link or the phone number instead.")
            found.append((field, said % words))
    return found


def in_use() -> Own:
    """By kind, channel and language. Read once for many messages; those that may not be sent are left out."""
    rows = list(MessageTemplate.objects.all())
    names = clinical_names() if rows else []
    own = {}
    for row in rows:
        if refusals(row, names):
            logger.warning("Message text %d may not be sent as it is: what comes with the program is sent", row.pk)
        else:
            own[row.kind, row.channel, row.language] = row
    return own
