"""The patients' portal."""

from django.urls import path

from clinic.views import (
    feeds,
    portal_course,
    portal_maintenance,
    portal_screening,
    portal_settings,
    portal_visit,
    portal_waiting,
)

app_name = "portal"

urlpatterns = [
    path("", portal_course.course, name="course"),
    path("visits/<int:pk>/", portal_visit.visit, name="visit"),
    path("visits/<int:pk>/move/", portal_visit.move, name="visit-move"),
    path("visits/<int:pk>/earlier/", portal_waiting.wish, name="visit-earlier"),
    path("visits/<int:pk>/earlier/answer/", portal_waiting.answer, name="visit-earlier-answer"),
    path("visits/<int:pk>/cancel/", portal_visit.cancel, name="visit-cancel"),
    path("visits/<int:pk>/calendar.ics", feeds.visit_file, name="visit-file"),
    path("visits/<int:pk>/questions/", portal_screening.questions, name="visit-questions"),
    path("maintenance/<int:pk>/book/", portal_maintenance.book, name="maintenance-book"),
    path("calendar/", feeds.settings, name="calendar"),
    path("calendar/<str:secret>.ics", feeds.private_feed, name="feed"),
    path("preferences/", portal_settings.preferences, name="preferences"),
    path("data/", portal_settings.data, name="data"),
]
