from django.http import HttpRequest, HttpResponse
from health_check.views import HealthCheckView


class HealthView(HealthCheckView):
    """Do the database and the broker answer? Yes (200) or no (503), and no detail, because anybody may ask."""

    # The cache lives in the broker.
    checks = ("health_check.checks.Database", "health_check.checks.Cache")

    async def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        await super().get(request, *args, **kwargs)
        if any(result.error for result in self.results):
            return HttpResponse("unavailable\n", status=503, content_type="text/plain")
        return HttpResponse("ok\n", content_type="text/plain")
