from treatments.models.catalogue import AddOn, Concern, DeviceKind, Treatment
from treatments.models.maintenance import Maintenance, MaintenanceState
from treatments.models.protocol import AmbiguousOverrides, Override, Protocol
from treatments.models.protocol_rows import (
    CareInstruction,
    MaintenanceRule,
    Milestone,
    Phase,
    ProtocolAddOn,
    ScreeningQuestion,
)
from treatments.models.series import Series, SeriesState, Session, SessionState
from treatments.models.version import LibraryText, Origin, ProtocolVersion

__all__ = [
    "AddOn",
    "AmbiguousOverrides",
    "CareInstruction",
    "Concern",
    "DeviceKind",
    "LibraryText",
    "Maintenance",
    "MaintenanceRule",
    "MaintenanceState",
    "Milestone",
    "Origin",
    "Override",
    "Phase",
    "Protocol",
    "ProtocolAddOn",
    "ProtocolVersion",
    "ScreeningQuestion",
    "Series",
    "SeriesState",
    "Session",
    "SessionState",
    "Treatment",
]
