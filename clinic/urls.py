from django.urls import include, path

from clinic.views import home, mail_hook, sms_hook

urlpatterns = [
    path("", home.home, name="home"),
    path("desk/", include("clinic.urls_desk")),
    path("my/", include("clinic.urls_portal")),
    path("hooks/sms/<str:secret>/", sms_hook.receive, name="sms-hook"),
    path("hooks/mail/", mail_hook.receive, name="mail-hook"),
    # Short, because it stands in text messages.
    path("r/<str:secret>/", include("clinic.urls_link")),
]
