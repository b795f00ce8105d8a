"""Settings that are written all the while in a crash run: what their files may say, and what was left of them."""

import os
import random
from pathlib import Path

from cortex_policy.core.settings import PROJECT, USER
from cortex_policy.manage.settings.toml_edit import set_or_unset_setting_in_text
from cortex_policy.manage.settings.write import SettingsFile, remove_setting_from_file, write_setting_to_file
from cortex_policy.state import Root
from cortex_policy.state.settings import read_layers
from cortex_policy.state.writer_lock import LockWait
from tests.support.stamps import agree

NAME, VALUES, PLACES = "sensitive", ("allow", "ask", "deny"), (USER, PROJECT)
# long, so that a half of it would be seen to be one
BY_HAND = f'{NAME} = "ask"  # by hand\n' + "".join(f"# line {number} of what somebody wrote\n" for number in range(200))
UNSET = set_or_unset_setting_in_text(BY_HAND, NAME, None)


def after(text: str, value: str | None) -> str:
    """Return what a file says once the setting was set or, by None, unset."""
    return set_or_unset_setting_in_text(text, NAME, value)


def _reached() -> frozenset[str]:
    """Return all texts to which commands lead from the one by hand."""
    found, new = set[str](), {BY_HAND}
    while new:
        found |= new
        new = {after(text, value) for text in new for value in (*VALUES, None)} - found
    return frozenset(found)


TEXTS = _reached()


def target(place: str, root: Root) -> SettingsFile:
    """Name a settings file, as a command does in this root."""
    return SettingsFile(place, root)


def made(root: Root, top: Path) -> None:
    """Write the files by hand, the user's below a scratch directory: those of who runs this are not touched."""
    os.environ["XDG_CONFIG_HOME"] = str(top)
    for place in PLACES:
        file = Path(target(place, root).file)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(BY_HAND)


def configure(root: Root, chance: random.Random) -> bool:
    """Do what `config set` or `config unset` does, at random; return whether it wrote."""
    where, value = target(chance.choice(PLACES), root), chance.choice((*VALUES, None))
    if value is None:
        return remove_setting_from_file(where, NAME, agree, LockWait(5))
    return write_setting_to_file(where, NAME, value, agree, LockWait(5))


def read(root: Root, place: str) -> str:
    """Return what stands in a settings file at this instant."""
    return Path(target(place, root).file).read_text()


def faults(root: Root) -> list[str]:
    """Say what the killed have left that must not be, and let the next command write: at once, it waits for nobody."""
    wrong = []
    for place in PLACES:
        text = read(root, place)
        if text not in TEXTS:
            wrong.append(f"the settings of the {place} are {text!r}")
        for value in ("ask", "deny"):  # one of them writes
            write_setting_to_file(target(place, root), NAME, value, agree)
        if read(root, place) != after(text, "deny"):
            wrong.append(f"the settings of the {place} were {text!r}, and are {read(root, place)!r}")
    if {*os.listdir(Path(target(USER, root).file).parent)} - {"config.toml", "history"}:
        wrong.append("a file is left beside the settings of the user")
    read_layers(root.path)  # raises for what cannot be read
    return wrong
