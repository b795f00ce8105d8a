"""Texts, bytes and documents of a vector, as conformance/README.md defines them, and canonical numbers and JSON."""

import json
from base64 import b64decode
from typing import Any

from cortex_policy.core.decode import decode_json
from cortex_policy.core.json_text import format_canonical_json

Vector = dict[str, Any]
_EXACT = 1 << 53
BASE = "{base}"  # stands for the absolute path of the directory that holds a tree


def expand_bytes(data: Any) -> bytes:
    """Return bytes: a text in UTF-8, base64, or parts of which each may be repeated."""
    if isinstance(data, str):
        return data.encode()
    if "base64" in data:
        return b64decode(data["base64"])
    if "parts" in data:
        return b"".join(map(expand_bytes, data["parts"]))
    return expand_bytes(data["repeat"]) * int(data["times"])


def expand_text(text: Any) -> str:
    """Return a text; in one with parts each may be repeated."""
    if isinstance(text, str):
        return text
    if "parts" in text:
        return "".join(map(expand_text, text["parts"]))
    return expand_text(text["repeat"]) * int(text["times"])


def replace_text(value: Any, old: str, new: str) -> Any:
    """Return a value with one text put in the place of another, in all its strings."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [replace_text(part, old, new) for part in value]
    if isinstance(value, dict):
        return {name: replace_text(part, old, new) for name, part in value.items()}
    return value


def document(vector: Vector, name: str) -> Any:
    """Return a document by the decoder of this program, whether the vector has it as a value or as a text."""
    text = vector.get(f"{name}_text")
    return decode_json(json.dumps(vector[name]).encode() if text is None else expand_bytes(text))


def document_bytes(vector: Vector, name: str) -> bytes:
    """Return the bytes of a document."""
    text = vector.get(f"{name}_text")
    return json.dumps(vector[name]).encode() if text is None else expand_bytes(text)


def with_document(name: str, value: Any) -> Vector:
    """Return the member that holds a document: as a value if any JSON parser reads it alike, else as a text."""
    return {name: value} if is_portable(value) else {f"{name}_text": json.dumps(value)}


def is_portable(value: Any) -> bool:
    """Whether a value keeps its numbers and the order of its members in parsers that make doubles and plain objects."""
    if isinstance(value, dict):
        return all(not name.isdecimal() and name != "__proto__" and is_portable(part) for name, part in value.items())
    if isinstance(value, list):
        return all(map(is_portable, value))
    if isinstance(value, float):
        return not value.is_integer() and abs(value) < _EXACT
    return not isinstance(value, int) or abs(value) < _EXACT


def canonical(value: Any) -> str:
    """Return the canonical JSON of a document."""
    return format_canonical_json(value)
