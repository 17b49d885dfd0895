"""Protocols as a file that travels between clinics: JSON in and out, and every fault of a file named.

What was exported, imported and exported again is the same, byte for byte: the order of the keys is that of the
values, and what nobody said is null.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import Any

from django.utils.translation import gettext as _

from treatments.documents import Document, Problem, read, shorten, shown

FORMAT = "course-of-treatment/protocols"
FORMAT_VERSION = 1
LARGEST_FILE = 1_000_000  # bytes; some two hundred protocols
MOST_PROTOCOLS = 500
KEYS = ("format", "format_version", "protocols")


class _Refused(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class File:
    """What a file holds. Where there are problems, `documents` are those that are whole."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


def written(documents: Iterable[Document]) -> str:
    """The file that holds `documents`."""
    data = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "protocols": [document.to_json() for document in documents],
    }
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def parsed(content: bytes | str) -> File:
    """What `content` holds, with everything that is wrong with it. Never raises."""
    try:
        return _read_file(_json(content))
    except _Refused as refusal:
        return File((), (Problem("", str(refusal)),))


def _json(content: bytes | str) -> object:
    size = len(content) if isinstance(content, bytes) else len(content.encode(errors="surrogatepass"))
    if size > LARGEST_FILE:
        raise _Refused(_("The file is larger than %d kB. Export fewer protocols at a time.") % (LARGEST_FILE // 1000))
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        if not text.strip():
            raise _Refused(_("There is nothing in it. Choose a file, or paste what was exported."))
        return json.loads(text, object_pairs_hook=_once, parse_constant=_constant, parse_float=Decimal)
    except UnicodeDecodeError as error:
        raise _Refused(_("This is not a text file in UTF-8.")) from error
    except json.JSONDecodeError as error:
        raise _Refused(
            _("This is not JSON: line %(line)d, column %(column)d. A protocol is exported as a .json file.")
            % {"line": error.lineno, "column": error.colno}
        ) from error
    except RecursionError as error:
        raise _Refused(_("The file is nested too deeply to be a protocol.")) from error
    except _Refused:
        raise
    except (ValueError, DecimalException) as error:
        raise _Refused(_("A number in the file is too long to be read.")) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _value in pairs if key in seen or seen.add(key))
        raise _Refused(
            _("The file says “%s” twice in one place, so it is not clear which one counts.") % shorten(twice)
        )
    return data


def _constant(word: str) -> None:
    raise _Refused(_("%s is not a number. Write null where nobody said a number.") % word)


def _read_file(data: object) -> File:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise _Refused(_("This is not a file of protocols: “format” must be “%s”.") % FORMAT)
    if type(data.get("format_version")) is not int or data["format_version"] != FORMAT_VERSION:
        raise _Refused(
            _("The file is of version %(found)s of the format; this program reads version %(known)d.")
            % {"found": shown(data.get("format_version")), "known": FORMAT_VERSION}
        )
    rows = data.get("protocols")
    if not isinstance(rows, list) or not rows:
        raise _Refused(_("There is no protocol in the file: “protocols” must be a list of them."))
    if len(rows) > MOST_PROTOCOLS:
        raise _Refused(_("There are more than %d protocols in the file.") % MOST_PROTOCOLS)
    problems = [Problem(shorten(key), _("is not known here")) for key in data if key not in KEYS]
    documents: list[Document] = []
    for i, row in enumerate(rows):
        path = f"protocols[{i}]"
        document, found = read(row, Document, path=path)
        problems += found
        if document is None:
            continue
        if document.name in {other.name for other in documents}:
            problems.append(Problem(f"{path}.name", _("is the name of another protocol in this file")))
        documents.append(document)
    return File(tuple(documents), tuple(problems))
