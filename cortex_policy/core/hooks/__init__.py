"""What an agent asks before it runs a tool, and how that is answered: pure, without files, clock or environment."""

MAX_NAME_LENGTH = 256  # characters of the name of a tool, a server or a sub-agent


class PayloadError(ValueError):
    """A payload that is not read as a call of a tool; says why to a model."""
