from treatments.admin.catalogue import AddOnAdmin, ConcernAdmin, DeviceKindAdmin, TreatmentAdmin
from treatments.admin.protocol import ProtocolAdmin

__all__ = ["AddOnAdmin", "ConcernAdmin", "DeviceKindAdmin", "ProtocolAdmin", "TreatmentAdmin"]
