"""The words and numbers of the rules, as one table for engines in other languages."""

from typing import Any

from cortex_policy.core import arguments, decode, ecma_regex, ecma_regex_parser, path_arguments, text
from cortex_policy.core.model import REASONS
from cortex_policy.core.sliding_window import WINDOW_SECONDS
from cortex_policy.state import paths


def tables() -> dict[str, Any]:
    """Return the content of conformance/tables.json."""
    return {
        "reasons": {str(reason): {"message": reason.message, "exit_code": reason.exit_code} for reason in REASONS},
        "path_names": sorted(path_arguments.PATH_NAMES),
        "last_words": sorted(path_arguments.LAST_WORDS),
        "types": list(arguments.TYPES),
        "annotations": sorted(arguments.ANNOTATIONS),
        "data_classes": list(decode.DATA_CLASSES),
        "bounds": {
            "grant_bytes": decode.MAX_BYTES,
            "depth": decode.MAX_DEPTH,
            "digits": decode.MAX_DIGITS,
            "id_length": decode.MAX_ID_LENGTH,
            "pattern_positions": ecma_regex_parser.MAX_POSITIONS,
            "pattern_groups": ecma_regex_parser.MAX_DEPTH,
            "pattern_length": ecma_regex_parser.MAX_LENGTH,
            "value_bytes": ecma_regex.MAX_BYTES,
            "value_steps": ecma_regex.MAX_STEPS,
            "call_steps": ecma_regex.MAX_STEPS_OF_CALL,
            "links": paths.MAX_LINKS,
            "components": paths.MAX_COMPONENTS,
            "message_bytes": text.MAX_MESSAGE_BYTES,
            "window_seconds": WINDOW_SECONDS,
        },
    }
