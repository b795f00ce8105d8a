"""A clock of budgets that tests move."""


class Ticks:
    """Stands in for `read_ticks_since_boot`: the time is `now` until a test changes it."""

    def __init__(self) -> None:
        self.now = 50_000_000

    def __call__(self) -> int:
        return self.now
