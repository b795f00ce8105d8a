"""The tools of `mcp serve`, as a model sees them: what each takes and what it returns (docs/mcp.md)."""

from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.decode import to_whole_number
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import format_guess_hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

CHECK, LIST, EXPLAIN = "check_grant", "list_grants", "explain_call"
INSTRUCTIONS = (
    "A grant says which actions a tool may do, on which paths, and how often. Ask `check_grant` before a call that a"
    " grant may deny, `explain_call` why one is denied, `list_grants` what is allowed at all. Each answer is only a"
    " question answered: it counts nothing and approves nothing. Grants are changed by people, not by these tools."
)
_ARGS = (
    'The arguments of the call, as the tool would get them, such as {"path": "docs/x"}. Values under names like'
    " path, file or dir are paths; a relative path starts at the root that `list_grants` names."
)  # fmt: skip
_CALL = {
    "type": "object",
    "properties": {
        "grant": {"type": "string", "description": "The id of the grant, as `list_grants` returns it."},
        "action": {"type": "string", "description": "The action of the tool, such as `tree`."},
        "args": {"type": "object", "description": _ARGS, "default": {}},
        "cost": {
            "type": "integer",
            "minimum": 1,
            "description": "How many calls it would count as.",
            "default": 1,
        },
    },
    "required": ["grant", "action"],
    "additionalProperties": False,
}
_NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_ANSWER = {
    "decision": {"type": "boolean", "description": "Whether the call would be allowed; only true means yes."},
    "reason": {"type": ["string", "null"], "description": "The rule that decides, such as `path_outside_scope`."},
    "message": _TEXT_OR_NULL,
    "exit_code": {"type": "integer", "description": "0 allowed, 10-19 denied, 20-29 nothing could be decided."},
    "retryable": {"type": "boolean", "description": "Whether the same call may be allowed later."},
    "grant": {"type": "object"},
    "action": _TEXT_OR_NULL,
    "paths": {"type": "array", "items": {"type": "object"}},
    "rate": {"type": "object", "description": "What is used and left of the budget; `consumed` is 0."},
    "obligations": {"type": "array", "items": {"type": "string"}},
    "approval": {"type": ["object", "null"]},
    "root": _TEXT_OR_NULL,
}
_LISTED = {
    "root": {"type": "string"},
    "settings": {"type": ["object", "null"]},
    "stopped": {"type": ["object", "null"], "description": "The emergency stop, if every call is denied by one."},
    "denied": {"type": "array", "description": "Why every call is denied, if so.", "items": {"type": "object"}},
    "grants": {"type": "array", "items": {"type": "object"}},
}
_EXPLANATION = {"explanation": {"type": "object", "description": "The result of each rule, and what would be allowed."}}


class ToolDescription:
    """What a model is told of a tool: its title and description, and the JSON schemas of both sides."""

    description: str
    input_schema: "dict[str, Any]"
    title: str

    def __init__(self, title: str, description: str, takes: "Mapping[str, Any]", returns: "Mapping[str, Any]") -> None:
        """Take the texts, and the members that are returned."""
        self.title, self.description, self.input_schema = title, description, dict(takes)
        self.output_schema: dict[str, Any] = {
            "type": "object",
            "properties": dict(returns),
            "required": sorted(returns),
        }


TOOLS = {
    CHECK: ToolDescription(
        "Check a call",
        "Say whether a call of a tool would be allowed by its grant now, by which rule if not, and what would be"
        " allowed. It is a question: no budget and no approval is used.",
        _CALL,
        _ANSWER,
    ),
    LIST: ToolDescription(
        "List grants",
        "List all grants: the tool, its actions, the paths (`scope`; empty means any), calls a minute, and what is"
        " wrong with a grant. A tool without a grant may do nothing.",
        _NOTHING,
        _LISTED,
    ),
    EXPLAIN: ToolDescription(
        "Explain a call",
        "Explain, rule by rule, how a call would be decided now: the line of the grant that decides, the nearest value"
        " that would be allowed, and what an operator could change. It is a question: no budget and no approval is"
        " used.",
        _CALL,
        {**_ANSWER, **_EXPLANATION},
    ),
}


def check_tool_input(tool: str, given: "Mapping[str, object]") -> None:
    """Raise UsageError if the input of a tool is not what its schema says."""
    schema = TOOLS[tool].input_schema
    members: dict[str, dict[str, Any]] = schema["properties"]
    for name in given:
        if name not in members:
            some = f"{tool} takes {', '.join(f'`{one}`' for one in members) or 'nothing'}"
            raise UsageError(
                f"unknown member `{name}`", format_guess_hint(find_closest_word(name, sorted(members))) or some
            )
    for name in schema.get("required", ()):
        if name not in given:
            raise UsageError(f"`{name}` is missing", members[name]["description"])
    for name, value in given.items():
        if not _fits(members[name], value):
            kind = "an integer of at least 1" if name == "cost" else f"a JSON {members[name]['type']}"
            raise UsageError(f"`{name}` must be {kind}", members[name]["description"])


def _fits(schema: "Mapping[str, Any]", value: object) -> bool:
    if schema["type"] == "integer":
        return (to_whole_number(value) or 0) > 0
    return isinstance(value, str if schema["type"] == "string" else dict)
