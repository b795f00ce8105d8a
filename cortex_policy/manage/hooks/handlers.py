"""The handlers in an agent's settings: programs that it runs before a call, in groups with a matcher or without."""

from cortex_policy.core import Value
from cortex_policy.core.json_tree import JsonNode
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.jsonc import JsonText

HOOKS_KEY = "hooks"


class HandlerPlace(Value):
    """A handler and where it is: its event, its group (itself if it has none), and the indexes of both."""

    handler: "dict[str, object]"
    group: "dict[str, object]"
    event: str
    indexes: tuple[int, int]
    node: JsonNode
    group_node: JsonNode

    @property
    def is_alone(self) -> bool:
        """Whether its group holds no other handler."""
        others = self.group.get(HOOKS_KEY)
        return not isinstance(others, list) or len(others) == 1


def list_handlers_of_all_events(document: JsonText) -> list[HandlerPlace]:
    """Return the handlers of all events, in order; raise NotDoneError for a key that is there twice.

    Of two lists of one event an agent reads one, and of two commands of one handler.
    """
    hooks = find_member_or_none(document.tree, HOOKS_KEY)
    for node in hooks.walk() if hooks is not None else ():
        if node.kind == "object":
            _raise_if_key_twice(node)
    places = list[HandlerPlace]()
    for entries in hooks.children if hooks is not None and hooks.kind == "object" else ():
        for number, node in enumerate(entries.children if entries.kind == "array" else ()):
            places += _handlers_in(document, node, number, entries.key or "")
    return places


def find_member_or_none(node: JsonNode, key: str) -> JsonNode | None:
    """Return the member of a key, None if there is none; raise NotDoneError if it is there twice."""
    found = [child for child in node.children if child.key == key]
    if len(found) > 1:
        raise NotDoneError(f"`{key}` appears twice", "remove one of them")
    return found[0] if found else None


def _raise_if_key_twice(node: JsonNode) -> None:
    keys = [child.key for child in node.children]
    for key in keys if len(set(keys)) < len(keys) else ():
        find_member_or_none(node, key or "")


def _handlers_in(document: JsonText, node: JsonNode, number: int, event: str) -> list[HandlerPlace]:
    group = document.to_python(node)
    if not isinstance(group, dict):
        return []
    inner = find_member_or_none(node, HOOKS_KEY)
    if inner is None or inner.kind != "array":
        return [HandlerPlace(group, group, event, (number, 0), node, node)]
    handlers = [(index, child, document.to_python(child)) for index, child in enumerate(inner.children)]
    return [
        HandlerPlace(handler, group, event, (number, index), child, node)
        for index, child, handler in handlers
        if isinstance(handler, dict)
    ]
