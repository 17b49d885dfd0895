"""The front desk's pages."""

from django.urls import path

from clinic.views import (
    desk_appointments,
    desk_day,
    desk_diary,
    desk_move,
    desk_operations,
    desk_patients,
    desk_second_factor,
    desk_series,
    desk_series_version,
    desk_visit,
    desk_worklist,
)

app_name = "desk"

urlpatterns = [
    path("", desk_day.home, name="home"),
    path("diary/", desk_diary.diary, name="diary"),
    path("diary/feed/", desk_diary.feed, name="diary-feed"),
    path("appointments/<int:pk>/", desk_appointments.detail, name="appointment"),
    path("appointments/<int:pk>/arrive/", desk_appointments.arrive, name="appointment-arrive"),
    path("appointments/<int:pk>/attend/", desk_appointments.attend, name="appointment-attend"),
    path("appointments/<int:pk>/no-show/", desk_appointments.no_show, name="appointment-no-show"),
    path("appointments/<int:pk>/cancel/", desk_appointments.cancel, name="appointment-cancel"),
    path("appointments/<int:pk>/move/", desk_move.move, name="appointment-move"),
    path("appointments/<int:pk>/change/<slug:kind>/", desk_move.change, name="appointment-change"),
    path("appointments/<int:pk>/undo/", desk_move.undo, name="appointment-undo"),
    path("patients/", desk_patients.PatientSearchView.as_view(), name="patient-search"),
    path("patients/new/", desk_patients.PatientNewView.as_view(), name="patient-new"),
    path("patients/<int:pk>/", desk_patients.PatientView.as_view(), name="patient"),
    path("patients/<int:pk>/edit/", desk_patients.PatientEditView.as_view(), name="patient-edit"),
    path("patients/<int:pk>/account/", desk_patients.PatientAccountView.as_view(), name="patient-account"),
    path("patients/<int:pk>/consent/", desk_patients.PatientConsentView.as_view(), name="patient-consent"),
    path("patients/<int:pk>/series/new/", desk_series.new, name="series-new"),
    path("series/<int:pk>/book/", desk_series.rest, name="series-book"),
    path("series/<int:pk>/version/", desk_series_version.move, name="series-version"),
    path("patients/<int:pk>/visits/new/", desk_visit.new, name="visit-new"),
    path("maintenance/<int:pk>/", desk_visit.decide, name="maintenance-decide"),
    path("worklist/", desk_worklist.show, name="worklist"),
    path("worklist/csv/", desk_worklist.export, name="worklist-csv"),
    path("worklist/<slug:kind>/<int:pk>/", desk_worklist.row, name="worklist-row"),
    path("worklist/<slug:kind>/<int:pk>/take/", desk_worklist.take, name="worklist-take"),
    path("operations/", desk_operations.show, name="operations"),
    path("operations/dry-run/", desk_operations.dry, name="operations-dry-run"),
    path("operations/pause/", desk_operations.pause, name="operations-pause"),
    path("operations/resume/", desk_operations.resume, name="operations-resume"),
    path("second-factor/", desk_second_factor.show, name="second-factor"),
    path("second-factor/require/", desk_second_factor.require, name="second-factor-require"),
    path("second-factor/release/", desk_second_factor.release, name="second-factor-release"),
]
