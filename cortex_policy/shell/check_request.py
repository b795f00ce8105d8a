"""A request of a shell: the words of a check, and the variables that its answer may depend on."""

from os import fsdecode

END = "."
SEPARATOR = "\x1f"  # ends the number of variables and each of them
TERMINAL = "terminal"


class CheckRequest:
    """The words, the variables as `NAME=ATTRIBUTES=VALUE`, and whether the answer is read on a terminal.

    The variables are None if they cannot be told from each other.
    """

    is_terminal: bool
    variables: list[str] | None
    words: list[str]

    __slots__ = ("is_terminal", "variables", "words")

    def __init__(self, words: list[str], variables: list[str] | None, *, is_terminal: bool) -> None:
        """Take what the shell sent."""
        self.words, self.variables, self.is_terminal = words, variables, is_terminal


def decode_request_if_complete(data: bytes) -> CheckRequest | None:
    """Return the request, None if more of it is to come.

    Fields, each ended by NUL: the variables and the terminal in one, how many words, these, and the end.
    """
    variables, *rest = fsdecode(data).split("\0")
    if rest[-2:] != [END, ""]:
        return None
    try:
        size, words = int(rest[0]), rest[1:-2]
    except ValueError:  # a word that looks like the end
        return None
    if len(words) != size:
        return None
    return CheckRequest(words, _split_variables(variables), is_terminal=variables.endswith(SEPARATOR + TERMINAL))


def _split_variables(text: str) -> list[str] | None:
    count, *variables = text.split(SEPARATOR)
    is_whole = bool(variables) and count == str(len(variables) - 1)  # a value may hold a separator
    return variables[:-1] if is_whole else None
