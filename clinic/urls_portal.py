"""The patients' portal."""

from django.urls import path

from clinic.views import portal_course

app_name = "portal"

urlpatterns = [
    path("", portal_course.course, name="course"),
]
