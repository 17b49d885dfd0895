"""What a link in a message opens, without signing in. The secret is the only part of an address that changes."""

from django.urls import path

from clinic.views import care_link, offer_link, reminder_link, unsubscribe

app_name = "link"

urlpatterns = [
    path("", reminder_link.due, name="due"),
    path("time/", reminder_link.time, name="time"),
    path("book/", reminder_link.book, name="book"),
    path("later/", reminder_link.later, name="later"),
    path("call/", reminder_link.call, name="call"),
    path("fresh/", reminder_link.fresh, name="fresh"),
    path("care/", care_link.care, name="care"),
    path("earlier/", offer_link.show, name="earlier"),
    path("earlier/take/", offer_link.take, name="earlier-take"),
    path("earlier/decline/", offer_link.decline, name="earlier-decline"),
    path("earlier/withdraw/", offer_link.withdraw, name="earlier-withdraw"),
    path("stop/", unsubscribe.stop, name="stop"),
]
