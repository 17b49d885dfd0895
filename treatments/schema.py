"""The JSON Schema of an exported file, drawn from the values that read it.

It says everything that holds for one field at a time. What several fields must agree on, such as a minimum that is not
above its maximum, only the import can say; `python -m treatments.schema` writes the published file anew.
"""

import json
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal
from typing import Any, Literal

from treatments import documents, exchange, terms
from treatments.documents import Document

Json = dict[str, Any]

ID = "urn:course-of-treatment:schema:protocols:1"
NAMES = {bool: "boolean", int: "integer", str: "string", Decimal: "number"}


def schema() -> Json:
    definitions: dict[str, Json] = {}
    protocol = _of(Document, definitions, ("", ""))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Protocols of courses of treatment",
        "description": "What one clinic exports and another imports. null: nobody said.",
        "type": "object",
        "properties": {
            "format": {"const": exchange.FORMAT},
            "format_version": {"const": exchange.FORMAT_VERSION},
            "protocols": {
                "type": "array",
                "items": protocol,
                "minItems": 1,
                "maxItems": exchange.MOST_PROTOCOLS,
            },
        },
        "required": list(exchange.KEYS),
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _of(kind: Any, definitions: dict[str, Json], at: tuple[str, str]) -> Json:
    origin, choices = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        (known,) = (choice for choice in choices if choice is not types.NoneType)
        return {"anyOf": [_of(known, definitions, at), {"type": "null"}]}
    if is_dataclass(kind):
        return _object(typing.cast(type, kind), definitions)
    if origin is tuple:
        rows: Json = {
            "type": "array",
            "items": _of(choices[0], definitions, at),
            "maxItems": documents.MOST_ROWS,
        }
        return rows | ({"uniqueItems": True} if at in documents.ONCE else {})
    if origin is Literal:
        return {"enum": list(choices)}
    return {"type": NAMES[kind]} | _limits(kind, at)


def _limits(kind: type, at: tuple[str, str]) -> Json:
    if kind is int:
        largest = documents.LARGEST.get(at, documents.LARGEST_NUMBER)
        return {"minimum": int(at in documents.FROM_ONE), "maximum": largest}
    if kind is Decimal:
        return {
            "exclusiveMinimum": 0,
            "maximum": float(documents.DEEPEST_MM),
            "description": "In millimetres, with at most two decimals.",
        }
    if kind is str:
        longest = documents.LONGEST.get(at, documents.LONGEST_ELSEWHERE)
        return {"maxLength": longest, "pattern": r"\S", "not": {"pattern": r"[\u0000\ud800-\udfff]"}}
    return {}


def _object(kind: type, definitions: dict[str, Json]) -> Json:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        hints = terms._annotations(kind)
        # A dataclass without words of its own describes itself by its signature, which is of no use here.
        doc = "" if (kind.__doc__ or "").startswith(f"{name}(") else " ".join((kind.__doc__ or "").split())
        definitions[name] = ({"description": doc} if doc else {}) | {
            "type": "object",
            "properties": {
                field.name: _of(hints[field.name], definitions, (name, field.name)) for field in fields(kind)
            },
            "required": [field.name for field in fields(kind) if field.default is MISSING],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def written() -> str:
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path("static/schema/protocols.schema.json").write_text(written(), encoding="utf-8")
