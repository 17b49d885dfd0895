"""What every page is given."""

from django.conf import settings
from django.http import HttpRequest


def clinic_name(request: HttpRequest) -> dict[str, str]:
    return {"clinic_name": settings.CLINIC_NAME}
