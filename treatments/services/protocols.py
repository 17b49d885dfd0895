"""The life of a protocol: its versions, publish, retire, copy."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from patients.errors import Refused
from treatments import documents
from treatments.documents import Document
from treatments.models import Origin, Protocol, ProtocolVersion
from treatments.models.choices import ProtocolStatus
from treatments.services import storing
from treatments.services.storing import document

LONGEST_NAME = 200


class ProtocolNotChangeable(Refused):
    """The protocol is not in a state in which this can be done, or contradicts itself."""


def versions(protocol: Protocol) -> QuerySet[ProtocolVersion]:
    """The versions that were kept, the newest first."""
    return protocol.versions.select_related("by").order_by("-version")


def as_kept(version: ProtocolVersion) -> Document:
    """What a version said. What a later program knows and this version did not is empty."""
    return documents.kept(version.document)


@transaction.atomic
def record_change(
    *, protocol: Protocol, by: User | None, now: datetime, origin: Origin = Origin.EDITED
) -> ProtocolVersion | None:
    """Keep what `protocol` now says as its newest version, if that is not what the last one said.

    To be called once, after the protocol and all its rows were stored. The first version kept has the number that the
    protocol has; each later one raises it by one. A draft is not kept: nobody is treated by it. Series under way stay
    with their terms. Returns the new version, or None where nothing was to be kept.
    """
    locked = Protocol.objects.select_for_update(no_key=True).get(pk=protocol.pk)
    if locked.status == ProtocolStatus.DRAFT:
        return None
    last = locked.versions.order_by("-version").first()
    said = document(locked)
    if last is not None and as_kept(last) == said:
        return None
    if last is not None:
        locked.version = last.version + 1
        locked.save(update_fields=["version"])
    protocol.version = locked.version
    return ProtocolVersion.objects.create(
        protocol=locked, version=locked.version, document=said.to_json(), origin=origin, by=by, at=now
    )


def keep_before_change(*, protocol: Protocol, now: datetime) -> None:
    """Keep what a published protocol says before it is changed for the first time, if nobody has kept it yet.

    For protocols published without `publish`; otherwise it does nothing.
    """
    if not protocol.versions.exists():
        record_change(protocol=protocol, by=None, now=now)


@transaction.atomic
def publish(*, protocol: Protocol, by: User, now: datetime) -> Protocol:
    """Let series be started by it; its first publishing keeps version 1.

    Raises ProtocolNotChangeable where it is published already or contradicts itself.
    """
    protocol = _locked(protocol)
    if protocol.status == ProtocolStatus.PUBLISHED:
        raise ProtocolNotChangeable(_("“%s” is published already.") % protocol.name)
    if problems := documents.contradictions(document(protocol)):
        raise ProtocolNotChangeable(
            _("“%(name)s” contradicts itself, so nobody should be treated by it yet: %(problems)s")
            % {"name": protocol.name, "problems": "; ".join(map(str, problems))}
        )
    protocol.status = ProtocolStatus.PUBLISHED
    protocol.save(update_fields=["status"])
    record_change(protocol=protocol, by=by, now=now)
    return protocol


@transaction.atomic
def retire(*, protocol: Protocol) -> Protocol:
    """Let no new series start by it; those under way go on. Raises ProtocolNotChangeable."""
    protocol = _locked(protocol)
    if protocol.status != ProtocolStatus.PUBLISHED:
        raise ProtocolNotChangeable(_("Only a published protocol can be retired."))
    protocol.status = ProtocolStatus.RETIRED
    protocol.save(update_fields=["status"])
    return protocol


@transaction.atomic
def copy(*, protocol: Protocol) -> Protocol:
    """A draft that says the same under another name, and is the clinic's own from its first version on."""
    said = document(protocol)
    name = free_name(_("Copy of %s") % said.name)
    return storing.create(documents.renamed(said, name))


def free_name(name: str) -> str:
    """`name`, or with the first number that makes it one that no protocol has."""
    number, wanted = 1, name[:LONGEST_NAME]
    while Protocol.objects.filter(name=wanted).exists():
        number += 1
        end = f" {number}"
        wanted = name[: LONGEST_NAME - len(end)] + end
    return wanted


def _locked(protocol: Protocol) -> Protocol:
    return Protocol.objects.select_for_update(no_key=True).get(pk=protocol.pk)


@transaction.atomic
def overwrite(*, protocol: Protocol, said: Document, by: User, now: datetime, origin: Origin) -> ProtocolVersion | None:
    """Let `protocol` say `said`, as a new version where it is not a draft; a clinician has to confirm it anew."""
    protocol = _locked(protocol)
    keep_before_change(protocol=protocol, now=now)
    storing.clear(protocol)
    protocol.confirmed_by_clinician = False
    storing.write(protocol, said)
    return record_change(protocol=protocol, by=by, now=now, origin=origin)
