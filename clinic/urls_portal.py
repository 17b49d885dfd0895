"""The patients' portal."""

app_name = "portal"

urlpatterns = []
