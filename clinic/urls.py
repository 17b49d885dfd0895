from django.urls import path

from clinic.views import home

urlpatterns = [
    path("", home.home, name="home"),
]
