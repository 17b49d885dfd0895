"""What the clinic knows and the admin of the apps below should say."""

from django.utils.translation import gettext as _

from clinic import admin_outbox, admin_places, admin_staff  # noqa: F401 - they register what they hold
from clinic.models import Resource
from treatments.admin import ProtocolAdmin
from treatments.models import Treatment


def nobody_may_give(treatment: Treatment) -> list[str]:
    if Resource.objects.in_use().practitioners().filter(treatments=treatment).exists():
        return []
    return [_("No practitioner may give “%s” yet, so no visit can be booked.") % treatment.name]


ProtocolAdmin.further_warnings.append(nobody_may_give)
