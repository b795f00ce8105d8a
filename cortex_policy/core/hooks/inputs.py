"""The inputs of a tool's call: labels that name some of them, what is ignored, what is not Unicode."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    Found = list[tuple[str, object]]

_EACH = "[]"


def parse_label(label: str) -> tuple[tuple[str, ...], bool] | None:
    """Return the steps of a label, and whether it may be absent (`?`); None if it is none.

    A step is the name of a member, or `[]` for each part of an array.
    """
    is_optional = label.endswith("?")
    steps: list[str] = []
    for part in label.removesuffix("?").split("."):
        name = part
        while name.endswith(_EACH):
            name = name.removesuffix(_EACH)
        if not name or "[" in name or "]" in name or "?" in name:
            return None
        steps += [name, *[_EACH] * ((len(part) - len(name)) // 2)]
    return tuple(steps), is_optional


def has_name(label: str, name: str) -> bool:
    """Whether a label leads through a member of this name."""
    parsed = parse_label(label)
    return parsed is not None and name in parsed[0]
