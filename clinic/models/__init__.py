from clinic.models.diary import LIVE, Appointment, AppointmentStatus, BookingRequest, Claim
from clinic.models.feed import CalendarFeed
from clinic.models.imports import ImportFile, ImportKind
from clinic.models.links import CallRequest, ReminderLink
from clinic.models.outbox import Message, MessageState, MessageTemplate, ReminderStep, Sending
from clinic.models.place import Closure, OpeningHours, Site, Weekday
from clinic.models.resource import Absence, Resource, ResourceKind, WorkingHours
from clinic.models.screening import ScreeningAnswer
from clinic.models.sign_in import SecondFactorRule
from clinic.models.waiting import EarlierOffer, EarlierWish, FreedTime, WishClosed
from clinic.models.worklist import Outcome, WorklistHold, WorklistNote

__all__ = [
    "LIVE",
    "Absence",
    "Appointment",
    "AppointmentStatus",
    "BookingRequest",
    "CalendarFeed",
    "CallRequest",
    "Claim",
    "Closure",
    "EarlierOffer",
    "EarlierWish",
    "FreedTime",
    "ImportFile",
    "ImportKind",
    "Message",
    "MessageState",
    "MessageTemplate",
    "OpeningHours",
    "Outcome",
    "ReminderLink",
    "ReminderStep",
    "Resource",
    "ResourceKind",
    "ScreeningAnswer",
    "SecondFactorRule",
    "Sending",
    "Site",
    "Weekday",
    "WishClosed",
    "WorkingHours",
    "WorklistHold",
    "WorklistNote",
]
