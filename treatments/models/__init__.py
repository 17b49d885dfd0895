from treatments.models.catalogue import AddOn, Concern, DeviceKind, Treatment
from treatments.models.protocol import AmbiguousOverrides, Override, Protocol
from treatments.models.protocol_rows import (
    CareInstruction,
    MaintenanceRule,
    Milestone,
    Phase,
    ProtocolAddOn,
    ScreeningQuestion,
)

__all__ = [
    "AddOn",
    "AmbiguousOverrides",
    "CareInstruction",
    "Concern",
    "DeviceKind",
    "MaintenanceRule",
    "Milestone",
    "Override",
    "Phase",
    "Protocol",
    "ProtocolAddOn",
    "ScreeningQuestion",
    "Treatment",
]
