from clinic.models.diary import LIVE, Appointment, AppointmentStatus, BookingRequest, Claim
from clinic.models.feed import CalendarFeed
from clinic.models.outbox import Message, MessageState, ReminderStep
from clinic.models.place import Closure, OpeningHours, Site, Weekday
from clinic.models.resource import Absence, Resource, ResourceKind, WorkingHours
from clinic.models.screening import ScreeningAnswer

__all__ = [
    "LIVE",
    "Absence",
    "Appointment",
    "AppointmentStatus",
    "BookingRequest",
    "CalendarFeed",
    "Claim",
    "Closure",
    "Message",
    "MessageState",
    "OpeningHours",
    "ReminderStep",
    "Resource",
    "ResourceKind",
    "ScreeningAnswer",
    "Site",
    "Weekday",
    "WorkingHours",
]
