"""Every setting at every place: who wins, and that both doors go by it."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.settings import (
    BY_NAME,
    CODES,
    ENVIRONMENT,
    NAME,
    NUMBER,
    OPTION,
    PROJECT,
    SETTINGS,
    SHARE,
    SUPPRESSIONS,
    SYSTEM,
    URL,
    USER,
    Setting,
)
from cortex_policy.core.settings import (
    resolve_setting as weighed,
)
from cortex_policy.state.settings import read_layers
from tests.support.doors import FAST, TYPER, code_of_enforce
from tests.support.logs import events

pytestmark = pytest.mark.usefixtures("settled_settings")
STEPS = (SYSTEM, USER, ENVIRONMENT)  # each wins over those before it


class Stage:
    """The places of settings, in scratch directories."""

    def __init__(self, root: Path, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.system = root, top / "etc"
        self.files = {SYSTEM: self.system, USER: top / "config/cortex-policy", PROJECT: root / ".cortex/policy"}
        self.options: dict[str, object] = {}
        self._monkeypatch = monkeypatch
        monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(self.system))

    def clear(self) -> None:
        """Forget the options, and where the tests keep their rate state."""
        self.options.clear()
        self._monkeypatch.delenv("CORTEX_POLICY_STATE_DIR", raising=False)

    def put(self, place: str, setting: Setting, value: object, *, lock: bool = False) -> None:
        if place == OPTION:
            self.options[setting.name] = value
        elif place == ENVIRONMENT:
            self._monkeypatch.setenv(setting.variable, str(value).lower() if isinstance(value, bool) else str(value))
        else:
            self.files[place].mkdir(mode=0o755, parents=True, exist_ok=True)
            locked = f'locked = ["{setting.name}"]\n' if lock else ""
            (self.files[place] / "config.toml").write_text(f"{locked}{setting.name} = {literal(value)}\n")

    def source(self, place: str, setting: Setting) -> str:
        if place == OPTION:
            return "--require-path"
        return setting.variable if place == ENVIRONMENT else f"{self.files[place]}/config.toml"


@pytest.fixture
def stage(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Set nothing yet."""
    return Stage(root, tmp_path, monkeypatch)


def literal(value: object) -> str:
    """Spell a value in TOML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)} = {json.dumps(part)}' for name, part in value.items())}}}"
    return json.dumps(value)


def values_of(setting: Setting, tmp_path: Path) -> list[object]:
    """Return values that differ, the strictest last where they have an order."""
    if setting.values:
        return list(setting.values)
    if setting.kind == NUMBER:
        return [0, 1, 2]
    if setting.kind == CODES:
        return [["key"], ["scope", "tool-id"]]
    if setting.kind == SUPPRESSIONS:
        return [{"tools/*.json": ["key"]}]
    values: dict[str, list[object]] = {
        SHARE: [0, 0.25, 1.0], NAME: ["x", "y", "z"], URL: ["redis://x", "unix:///y", "rediss://z:1/2"]
    }  # fmt: skip
    return values.get(setting.kind) or [str(tmp_path / name) for name in "xyz"]


def subsets(setting: Setting) -> list[tuple[str, ...]]:
    """Return every choice of places at which a setting may stand, nowhere included."""
    return [some for size in range(len(setting.places) + 1) for some in itertools.combinations(setting.places, size)]


CASES = [(setting, places) for setting in SETTINGS for places in subsets(setting)]


@pytest.mark.parametrize(
    ("setting", "places"), CASES, ids=lambda part: part.name if isinstance(part, Setting) else "+".join(part) or "-"
)
def test_the_nearest_place_wins_and_the_project_only_tightens(
    stage: Stage, tmp_path: Path, setting: Setting, places: tuple[str, ...]
) -> None:
    """Each place says something else, in every order: the winner, its origin and what it hid."""
    for values in itertools.product(values_of(setting, tmp_path), repeat=len(places)):
        stage.clear()
        said = dict(zip(places, values, strict=True))
        if said.get(OPTION) is False:  # there is no such option
            continue
        for place, value in said.items():
            stage.put(place, setting, value)
        standing = weighed(read_layers(str(stage.root), stage.options), setting.name)
        winner, expected = expected_of(setting, said)
        assert standing.effective.value == expected
        assert standing.effective.place == winner
        assert standing.effective.source == ("" if winner == "default" else stage.source(winner, setting))
        assert {one.place for one in standing.overridden} == set(places) - {winner}


def expected_of(setting: Setting, said: dict[str, object]) -> tuple[str, object]:
    """Say the rule once more, in other words."""
    above = [place for place in STEPS if place in said]
    winner, value = (above[-1], said[above[-1]]) if above else ("default", setting.default)
    for place in (OPTION, PROJECT):
        if place in said and (not setting.values or setting.values.index(said[place]) > setting.values.index(value)):
            winner, value = place, said[place]
    return winner, value


@pytest.mark.parametrize("setting", [one for one in SETTINGS if SYSTEM in one.places], ids=lambda one: one.name)
def test_a_system_lock_wins_over_every_place_that_could_widen(stage: Stage, tmp_path: Path, setting: Setting) -> None:
    """User and environment count for nothing; a project that is stricter still does."""
    first, *_, last = values_of(setting, tmp_path)
    stage.clear()
    for held, other in ((first, last), (last, first)):
        stage.put(SYSTEM, setting, held, lock=True)
        weaker = [place for place in (USER, ENVIRONMENT) if place in setting.places]
        for place in weaker:
            stage.put(place, setting, other)
        standing = weighed(read_layers(str(stage.root)), setting.name)
        assert (standing.effective.value, standing.effective.place, standing.is_locked) == (held, SYSTEM, True)
        assert [one.place for one in standing.overridden] == weaker
    if PROJECT in setting.places:
        stage.put(SYSTEM, setting, first, lock=True)
        stage.put(PROJECT, setting, last)
        assert weighed(read_layers(str(stage.root)), setting.name).effective.place == PROJECT


# what a call answers where a setting has a value
ANSWERS = {
    ("sensitive", "allow"): 0, ("sensitive", "ask"): 13, ("sensitive", "deny"): 13,
    ("require_path", False): 0, ("require_path", True): 12, ("stamp", "off"): 0, ("stamp", "require"): 23,
    ("undeclared_args", "allow"): 0, ("undeclared_args", "deny"): 11,
}  # fmt: skip


def answers(*words: str) -> set[int]:
    """Ask through every door."""
    codes = {door.result_of("check", "records", "read", *words).returncode for door in (FAST, TYPER)}
    if "--require-path" in words:  # `enforce` has no such option
        return codes
    args = dict(word.split("=") for word in words[1:])
    return codes | {code_of_enforce("records", "read", args)}


def record(stage: Stage) -> None:
    """Add a grant for sensitive data."""
    grant = '{"tool": "records", "actions": ["read"], "rate": {"perMinute": 1000}, "dataClass": "sensitive"}'
    (stage.root / ".cortex/policy/tools/records.json").write_text(grant)


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        (name, value, place)
        for name, value in ANSWERS
        for place in BY_NAME[name].places
        if (place, value) != (OPTION, False)
    ],
)
def test_every_entry_point_follows_a_setting_from_any_place(stage: Stage, name: str, value: object, place: str) -> None:
    """The fast door, Typer's, and `enforce`."""
    record(stage)
    setting = BY_NAME[name]
    if place != OPTION:
        stage.put(place, setting, value)
    words = ["--require-path"] if place == OPTION else ["--arg", "note=x"] if name == "undeclared_args" else []
    assert answers(*words) == {ANSWERS[name, value]}


@pytest.mark.parametrize("place", [SYSTEM, USER, ENVIRONMENT])
def test_every_entry_point_counts_in_the_configured_state_directory(stage: Stage, tmp_path: Path, place: str) -> None:
    """And nowhere else."""
    record(stage)
    stage.clear()
    stage.put(place, BY_NAME["state_dir"], str(tmp_path / "elsewhere"))
    assert answers() == {0}
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


@pytest.mark.parametrize("place", BY_NAME["audit.file"].places)
def test_every_entry_point_writes_to_the_configured_audit_log(stage: Stage, tmp_path: Path, place: str) -> None:
    """One line each, and nowhere else."""
    record(stage)
    stage.put(place, BY_NAME["audit.file"], str(tmp_path / "log"))
    assert answers() == {0}
    assert len(events(tmp_path / "log")) == 3


def kind_of(event: dict[str, Any]) -> str:
    """Tell how much an event says."""
    data = event["data"]
    return "names" if isinstance(data["args"], list) else "full" if "cwd" in data else "fingerprints"


@pytest.mark.parametrize("level", BY_NAME["audit.args"].values)
@pytest.mark.parametrize("place", BY_NAME["audit.args"].places)
def test_every_entry_point_records_as_much_as_is_configured(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, level: str
) -> None:
    """Of their arguments and of the working directory."""
    record(stage)
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    stage.put(place, BY_NAME["audit.args"], level)
    assert answers() == {0}
    assert [kind_of(event) for event in events(tmp_path / "log")] == [level] * 3


@pytest.mark.parametrize(("value", "code"), [("deny", 24), ("ignore", 0)])
@pytest.mark.parametrize("place", BY_NAME["audit.on_error"].places)
def test_every_entry_point_denies_if_the_log_cannot_be_written_unless_ignored(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, value: str, code: int
) -> None:
    """A log in a directory that is not there."""
    record(stage)
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "nowhere" / "log"))
    stage.put(place, BY_NAME["audit.on_error"], value)
    assert answers() == {code}


SEEN = {"budgets.url", "state_dir", "audit.file", "audit.args", "audit.on_error"} | {name for name, _ in ANSWERS}


@pytest.mark.parametrize("name", [one.name for one in SETTINGS if one.name not in SEEN])
def test_every_entry_point_agrees_on_the_other_settings(stage: Stage, tmp_path: Path, name: str) -> None:
    """They change no answer."""
    record(stage)
    setting = BY_NAME[name]
    for place in setting.places:
        stage.put(place, setting, values_of(setting, tmp_path)[-1])
    assert answers() == {0}
