"""The built-in templates, one file each as a protocol is exported, and their loader. The file's name is the key.

A file says what its source says and no more. Once loaded, a template is the clinic's own: a newer text of the
library is offered, with what would change, and taken over only when somebody says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from treatments import documents, exchange
from treatments.documents import Document
from treatments.models import LibraryText, Origin, Protocol, ProtocolVersion
from treatments.models.choices import ProtocolStatus
from treatments.services import protocols, storing
from treatments.services.protocols import ProtocolNotChangeable

FILES = Path(__file__).parent


@cache
def templates() -> dict[str, Document]:
    """The templates as they are shipped, by key. Raises ValueError for a file that is not right."""
    found = {}
    for path in sorted(FILES.glob("*.json")):
        file = exchange.parsed(path.read_bytes())
        if file.problems:
            raise ValueError(f"{path.name}: {'; '.join(map(str, file.problems))}")
        (found[path.stem],) = file.documents
    return found


@transaction.atomic
def load(*, now: datetime | None = None) -> list[Protocol]:
    """Publish each template that was not loaded before, and give back those.

    A template is loaded once and is the clinic's own from then on: it is never changed again, nor is a protocol of
    the same name that the clinic had before.
    """
    now = now or timezone.now()
    return [
        _load(key, said, now)
        for key, said in templates().items()
        if not Protocol.objects.filter(Q(library_key=key) | Q(name=said.name)).exists()
    ]


def _load(key: str, said: Document, now: datetime) -> Protocol:
    protocol = storing.create(said, library_key=key)
    protocol.status = ProtocolStatus.PUBLISHED
    protocol.save(update_fields=["status"])
    protocols.record_change(protocol=protocol, by=None, now=now, origin=Origin.LIBRARY)
    LibraryText.objects.create(protocol=protocol, document=said.to_json(), taken=True, at=now)
    return protocol


@dataclass(frozen=True, slots=True)
class Offer:
    """A text that the library ships now, and that the clinic has neither loaded nor passed over."""

    shipped: Document
    # What the clinic has seen last; None where nobody knows which text it was loaded from.
    seen: Document | None


def offers(found: Iterable[Protocol]) -> dict[int, Offer]:
    """What the library offers for which of these protocols, by their keys in the database; in one query."""
    from_library = {protocol.pk: protocol.library_key for protocol in found if protocol.library_key in templates()}
    texts = LibraryText.objects.filter(protocol__in=from_library).order_by("protocol_id", "-pk").distinct("protocol_id")
    seen = {text.protocol_id: documents.kept(text.document) for text in texts}
    return {
        key: Offer(shipped=templates()[library_key], seen=seen.get(key))
        for key, library_key in from_library.items()
        if templates()[library_key] != seen.get(key)
    }


def offer(protocol: Protocol) -> Offer | None:
    return offers([protocol]).get(protocol.pk)


@transaction.atomic
def take_over(*, protocol: Protocol, by: User, now: datetime) -> ProtocolVersion | None:
    """Let `protocol` say what the library ships now, under the name the clinic gave it, as a new version.

    Raises ProtocolNotChangeable where nothing is offered.
    """
    protocol, shipped = _settle(protocol, taken=True, by=by, now=now)
    said = documents.renamed(shipped, protocol.name)
    return protocols.overwrite(protocol=protocol, said=said, by=by, now=now, origin=Origin.LIBRARY)


@transaction.atomic
def pass_over(*, protocol: Protocol, by: User, now: datetime) -> None:
    """Keep what the clinic has; the library offers again when it ships another text. Raises ProtocolNotChangeable."""
    _settle(protocol, taken=False, by=by, now=now)


def _settle(protocol: Protocol, *, taken: bool, by: User, now: datetime) -> tuple[Protocol, Document]:
    protocol = Protocol.objects.select_for_update(no_key=True).get(pk=protocol.pk)
    found = offer(protocol)
    if found is None:
        raise ProtocolNotChangeable(_("The library has no newer text for “%s”.") % protocol.name)
    LibraryText.objects.create(protocol=protocol, document=found.shipped.to_json(), taken=taken, at=now, by=by)
    return protocol, found.shipped
