from clinic.models.diary import LIVE, Appointment, AppointmentStatus, BookingRequest, Claim
from clinic.models.outbox import Message, MessageState, ReminderStep
from clinic.models.place import Closure, OpeningHours, Site, Weekday
from clinic.models.resource import Absence, Resource, ResourceKind, WorkingHours

__all__ = [
    "LIVE",
    "Absence",
    "Appointment",
    "AppointmentStatus",
    "BookingRequest",
    "Claim",
    "Closure",
    "Message",
    "MessageState",
    "OpeningHours",
    "ReminderStep",
    "Resource",
    "ResourceKind",
    "Site",
    "Weekday",
    "WorkingHours",
]
