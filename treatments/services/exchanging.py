"""Protocols from another clinic: what a file would change, and the change itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from patients.errors import Refused
from treatments import documents, exchange, terms, words
from treatments.documents import Document
from treatments.models import AddOn, Concern, DeviceKind, Origin, Protocol, Treatment
from treatments.services import protocols, storing
from treatments.words import Difference


class ImportRefused(Refused):
    """The protocols have changed since the dry run, or a choice is missing."""


class Way(StrEnum):
    """What becomes of one protocol of a file."""

    NEW = "new"
    COPY = "copy"
    CHANGE = "change"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One protocol of a file beside what the clinic has. `seen` tells whether that has changed since."""

    said: Document
    existing: Protocol | None
    differences: tuple[Difference, ...]
    notices: tuple[str, ...]
    seen: str

    @property
    def ways(self) -> tuple[Way, ...]:
        """What can be done, the first unless somebody says otherwise: nothing that is in use changes by itself."""
        if self.existing is None:
            return Way.NEW, Way.SKIP
        if not self.differences:
            return (Way.SKIP,)
        return Way.COPY, Way.CHANGE, Way.SKIP


def exported(found: QuerySet[Protocol]) -> str:
    """The file that holds these protocols, by name."""
    return exchange.written(storing.document_of(protocol) for protocol in storing.whole(found.order_by("name", "pk")))


def compared(said: tuple[Document, ...]) -> list[Entry]:
    """What each protocol of a file would change here. Stores nothing."""
    found = Protocol.objects.filter(name__in=[document.name for document in said])
    existing = {protocol.name: protocol for protocol in storing.whole(found)}
    missing = _Missing(said)
    return [_entry(document, existing.get(document.name), missing) for document in said]


def _entry(said: Document, existing: Protocol | None, missing: "_Missing") -> Entry:
    ours = storing.document_of(existing) if existing else None
    return Entry(
        said=said,
        existing=existing,
        differences=tuple(words.differences(ours, said)) if ours else (),
        notices=tuple(missing.notices(said)),
        seen=_digest(ours),
    )


def _digest(document: Document | None) -> str:
    return hashlib.sha256(exchange.written([document] if document else []).encode()).hexdigest()[:16]


@transaction.atomic
def take(
    *, said: tuple[Document, ...], ways: Mapping[str, Way], seen: Mapping[str, str], by: User, now: datetime
) -> list[Protocol]:
    """Do with each protocol, by name, what was decided; all of it or nothing.

    New ones and copies are drafts. `seen` is what the dry run showed: raises ImportRefused where it no longer holds.
    """
    # In one order, so that two imports at once wait for one another.
    names = sorted(document.name for document in said)
    list(Protocol.objects.select_for_update(no_key=True).filter(name__in=names).order_by("pk"))
    entries = compared(said)
    if any(seen.get(entry.said.name) != entry.seen for entry in entries):
        raise ImportRefused(_("Somebody has changed these protocols meanwhile. Look at the differences again."))
    taken = []
    for entry in entries:
        way = ways.get(entry.said.name)
        if way not in entry.ways:
            raise ImportRefused(_("Say what is to become of “%s”.") % entry.said.name)
        if way == Way.NEW:
            taken.append(storing.create(entry.said))
        elif way == Way.COPY:
            name = protocols.free_name(_("Copy of %s") % entry.said.name)
            taken.append(storing.create(documents.renamed(entry.said, name)))
        elif way == Way.CHANGE and entry.existing is not None:
            protocols.overwrite(protocol=entry.existing, said=entry.said, by=by, now=now, origin=Origin.IMPORTED)
            taken.append(entry.existing)
    return taken


class _Missing:
    """What the files name and the catalogue does not have, or has otherwise; four queries for all of them."""

    def __init__(self, said: tuple[Document, ...]) -> None:
        self.treatments = set(Treatment.objects.values_list("name", flat=True))
        self.concerns = set(Concern.objects.values_list("name", flat=True))
        self.kinds = set(DeviceKind.objects.values_list("name", flat=True))
        self.add_ons = {add_on.name: add_on for add_on in AddOn.objects.select_related("device_kind")}

    def notices(self, said: Document) -> list[str]:
        """What an import adds to the catalogue, and where the clinic's own counts."""
        parts = [said, *said.overrides]
        treatments = [said.treatment, *(rule.treatment for part in parts for rule in part.maintenance)]
        concerns = [*said.indications, *(name for each in said.overrides for name in each.concerns)]
        add_ons = [add_on for part in parts for add_on in part.add_ons]
        kinds = [phase.device_kind for part in parts for phase in part.phases]
        kinds += [add_on.device_kind for add_on in add_ons if add_on.name not in self.add_ons]
        found = [
            *self._new(_("Adds the treatment “%s”."), treatments, self.treatments),
            *self._new(_("Adds the concern “%s”."), concerns, self.concerns),
            *self._new(_("Adds the kind of device “%s”."), kinds, self.kinds),
            *self._new(_("Adds the add-on “%s”."), [add_on.name for add_on in add_ons], set(self.add_ons)),
        ]
        for add_on in dict.fromkeys(add_ons):
            ours = self.add_ons.get(add_on.name)
            if ours is not None and not _same(ours, add_on):
                found.append(
                    _("The add-on “%s” is described otherwise here. Your clinic's own description stays.") % ours.name
                )
        return found

    @staticmethod
    def _new(sentence: str, names: list[str | None], known: set[str]) -> list[str]:
        return [sentence % name for name in dict.fromkeys(names) if name is not None and name not in known]


def _same(ours: AddOn, theirs: terms.AddOn) -> bool:
    kind = ours.device_kind.name if ours.device_kind else None
    return (ours.extra_minutes, kind) == (theirs.extra_minutes, theirs.device_kind)
