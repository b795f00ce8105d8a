"""The settings, in one table: what reads, checks, writes and explains them takes them from here.

One module of more than 250 lines: the table is half of it, and a check loads both halves or none.
"""

from cortex_policy.core import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SYSTEM, USER, ENVIRONMENT, OPTION, PROJECT = PLACES = ("system", "user", "environment", "option", "project")
CHOICE, SWITCH, NUMBER, SHARE, PATH, TEXT, NAME, URL, CODES, SUPPRESSIONS = KINDS = (
    "choice", "switch", "number", "share", "path", "text", "name", "url", "codes", "suppressions",
)  # fmt: skip
LOCKED = "locked"  # a key of the system's file, and no setting
PREFIX = "CORTEX_POLICY_"
OTHER_VARIABLES = (f"{PREFIX}ROOT", f"{PREFIX}BUDGETS_PASSWORD")  # variables of this program that are not settings
AUDIT_LOG = "CORTEX_AUDIT_LOG"
HITL_STORE, HITL_TIMEOUT = "CORTEX_HITL_STORE", "CORTEX_HITL_TIMEOUT_MS"
SHARED_VARIABLES = {AUDIT_LOG: "audit.file", HITL_STORE: "approvals.file", HITL_TIMEOUT: "approvals.timeout_seconds"}
_MAX_DIGITS = 18  # as many as any TOML reader takes
_MAX_NAME_LENGTH = 64
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_SWITCH_WORDS = {"true": True, "1": True, "false": False, "0": False}
_TABLES_OF_FIELDS = ("audit", "approvals", "budgets")
_OPERATOR_PLACES = (SYSTEM, USER, ENVIRONMENT)


class Setting(Value):
    """One setting; if a project may set it, its values are in order from the laxest to the strictest."""

    name: str
    kind: str
    default: object
    places: tuple[str, ...]
    sentence: str
    values: tuple[object, ...] = ()

    @property
    def variable(self) -> str:
        """The name of its environment variable."""
        return PREFIX + self.name.upper().replace(".", "_")

    @property
    def expected(self) -> str:
        """What a value must be."""
        if self.kind == CHOICE:
            *words, last = (f"`{value}`" for value in self.values)
            return f"{', '.join(words)} or {last}"
        return _url_forms_text() if self.kind == URL else _EXPECTED[self.kind]

    @property
    def default_text(self) -> str:
        """Its default as it is printed, '' if it has none."""
        if self.default in (None, [], {}) or self.kind == SHARE:
            return ""
        return f"`{str(self.default).lower()}`"

    def accepts(self, value: object) -> bool:
        """Whether a value is one of this setting."""
        return _ACCEPTS[self.kind](value) and (self.kind != CHOICE or value in self.values)

    def is_stricter(self, value: object, than: object) -> bool:
        """Whether one value denies more than another."""
        return self.values.index(value) > self.values.index(than)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME_LENGTH and _NAME_CHARACTERS.issuperset(value)


def _is_url(value: object) -> bool:
    from cortex_policy.core.budget_server import is_budget_server_url  # noqa: PLC0415 - few hosts share budgets

    return isinstance(value, str) and is_budget_server_url(value)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _url_forms_text() -> str:
    from cortex_policy.core.budget_server import FORMS  # noqa: PLC0415 - only a failure and the documentation need it

    return FORMS


_EXPECTED = {
    SWITCH: "true or false",
    NUMBER: "a whole number of at least 0",
    SHARE: "a number from 0 to 1, as 0.25",
    PATH: "an absolute path",
    NAME: f"a word of at most {_MAX_NAME_LENGTH} letters, digits, `.`, `_` and `-`",
    TEXT: "a text that is not empty",
    CODES: "a list of codes or groups of rules",
    SUPPRESSIONS: "a table with a list of codes for each pattern of paths",
}
_ACCEPTS: "dict[str, Callable[[object], bool]]" = {
    CHOICE: lambda value: isinstance(value, str),
    SWITCH: lambda value: isinstance(value, bool),
    NUMBER: lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    SHARE: lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
    NAME: _is_name,
    URL: _is_url,
    PATH: lambda value: _is_text(value) and str(value).startswith("/"),
    TEXT: _is_text,
    CODES: _are_texts,
    SUPPRESSIONS: lambda value: isinstance(value, dict) and all(map(_are_texts, value.values())),
}

SETTINGS = (
    Setting("sensitive", CHOICE, "allow", (*_OPERATOR_PLACES, PROJECT),
            "How a call for sensitive data is decided: `ask` denies the call until a human has approved it.",
            ("allow", "ask", "deny")),
    Setting("require_path", SWITCH, default=False, places=(*_OPERATOR_PLACES, OPTION, PROJECT),
            sentence="Whether a call that names no path is denied.", values=(False, True)),
    Setting("undeclared_args", CHOICE, "allow", (*_OPERATOR_PLACES, PROJECT),
            "How an argument that the grant does not declare is decided: `deny` denies the call.", ("allow", "deny")),
    Setting("stamp", CHOICE, "off", (*_OPERATOR_PLACES, PROJECT),
            "Whether `check` accepts a grant only if the grant matches its stamp.", ("off", "require")),
    Setting("state_dir", PATH, None, _OPERATOR_PLACES, "The directory of rate state."),
    Setting("editor", TEXT, None, _OPERATOR_PLACES,
            "The editor that `edit` starts; without this setting, `$VISUAL` or `$EDITOR`."),
    Setting("history.keep", NUMBER, 100, _OPERATOR_PLACES,
            "How many writes can be undone, each for 90 days; 0 keeps no history."),
    Setting("audit.file", PATH, None, _OPERATOR_PLACES,
            "The file that gets a line for each answered call; without this setting, `$CORTEX_AUDIT_LOG`."),
    Setting("audit.args", CHOICE, "fingerprints", _OPERATOR_PLACES, "How the audit log records arguments.",
            ("names", "fingerprints", "full")),
    Setting("audit.on_error", CHOICE, "deny", _OPERATOR_PLACES,
            "How a call is decided if it cannot be written to the audit log.", ("ignore", "deny")),
    Setting("audit.max_bytes", NUMBER, 0, _OPERATOR_PLACES,
            "The size in bytes that the audit log may reach before it is rotated; 0 never rotates it."),
    Setting("audit.keep", NUMBER, 5, _OPERATOR_PLACES, "How many rotated audit logs are kept."),
    Setting("approvals.file", PATH, None, _OPERATOR_PLACES,
            "The file with the calls that wait for a human, and with the answers; without this setting,"
            " `$CORTEX_HITL_STORE`, or else `approvals.jsonl` in `state_dir`."),
    Setting("approvals.timeout_seconds", NUMBER, 300, _OPERATOR_PLACES,
            "How many seconds a call waits for the answer of a human, and an answer for the call; without this setting,"
            " `$CORTEX_HITL_TIMEOUT_MS`."),
    Setting("approvals.notify", PATH, None, (SYSTEM, USER),
            "The program that runs for each new request, for at most 5 seconds; its input is the request's"
            " line of the file."),
    Setting("approvals.elicitation", SWITCH, default=False, places=(SYSTEM, USER),
            sentence="Whether an answer from the user of an MCP client counts as the answer of a human.",
            values=(True, False)),
    Setting("budgets.url", URL, None, _OPERATOR_PLACES,
            "The Redis or Valkey server that counts the budgets of many hosts; without a server, each host"
            " counts alone."),
    Setting("budgets.name", NAME, None, _OPERATOR_PLACES,
            "The name of the shared budgets, the same on all hosts; needed with `budgets.url`."),
    Setting("budgets.key_file", PATH, None, _OPERATOR_PLACES,
            "The file whose bytes hide tools and actions from the server, the same bytes on each host; needed with"
            " `budgets.url`."),
    Setting("budgets.password_file", PATH, None, _OPERATOR_PLACES,
            "The file with the server's password; without this setting, `$CORTEX_POLICY_BUDGETS_PASSWORD`."),
    Setting("budgets.timeout_ms", NUMBER, 50, _OPERATOR_PLACES,
            "How many milliseconds a call waits for the server, at most 10000; after that `budgets.on_error` decides."),
    Setting("budgets.on_error", CHOICE, "deny", _OPERATOR_PLACES,
            "How a call is decided if the server does not answer: `local` counts the call on this host.",
            ("local", "deny")),
    Setting("budgets.local_share", SHARE, 0.0, _OPERATOR_PLACES,
            "The share of each limit that this host may use by itself if `budgets.on_error` is `local`."),
    Setting("budgets.wait_replicas", NUMBER, 0, _OPERATOR_PLACES,
            "How many replicas of the server must have a hit before the call is allowed; 0 waits for none."),
    Setting("validate.select", CODES, [], (PROJECT,),
            "The rules that `validate` reports; an empty list means all rules."),
    Setting("validate.ignore", CODES, [], (PROJECT,), "The rules that `validate` does not report."),
    Setting("validate.suppress", SUPPRESSIONS, {}, (PROJECT,),
            "The rules that `validate` does not report for some files: a list for each pattern of paths in the root."),
)  # fmt: skip
BY_NAME = {setting.name: setting for setting in SETTINGS}
_TABLES = ("history", "audit", "approvals", "budgets", "validate")


class SettingValue(Value):
    """A value and its source: the place, and the file, variable or option."""

    value: object
    place: str
    source: str


class EffectiveSetting(Value):
    """The effective value of a setting, and the values it overrides, the nearest first."""

    setting: Setting
    effective: SettingValue
    overridden: tuple[SettingValue, ...] = ()
    is_locked: bool = False


class Layer(Value):
    """The settings of one place: values and sources by name, and the names it locks."""

    place: str
    values: "Mapping[str, object]"
    sources: "Mapping[str, str]"
    locked: tuple[str, ...] = ()


def resolve_all_settings(layers: "list[Layer]") -> list[EffectiveSetting]:
    """Return the effective value of each setting."""
    return [resolve_setting(layers, setting.name) for setting in SETTINGS]


def resolve_setting(layers: "list[Layer]", name: str) -> EffectiveSetting:
    """Return the effective value of one setting."""
    written = [
        SettingValue(layer.values[name], layer.place, layer.sources[name]) for layer in layers if name in layer.values
    ]
    return _resolve(BY_NAME[name], written, is_locked=any(name in layer.locked for layer in layers))


def _resolve(setting: Setting, written: "list[SettingValue]", *, is_locked: bool = False) -> EffectiveSetting:
    """Choose among all values of a setting, in the order of their places.

    A later one wins, but not over a lock; an option and the project count only if they are stricter, and then over
    a lock too: it is there to keep others from allowing more.
    """
    effective, overridden = SettingValue(setting.default, "default", ""), list[SettingValue]()
    for one in written:
        tightens = one.place in (OPTION, PROJECT) and bool(setting.values)
        if setting.is_stricter(one.value, effective.value) if tightens else not (is_locked and one.place != SYSTEM):
            if effective.place != "default":
                overridden.insert(0, effective)
            effective = one
        else:
            overridden.append(one)
    return EffectiveSetting(setting, effective, tuple(overridden), is_locked)


def is_valid_setting_value(place: str, name: str, value: object) -> bool:
    """Whether a place may give a setting of this name this value."""
    setting = BY_NAME.get(name)
    return setting is not None and place in setting.places and setting.accepts(value)


def map_settings_by_variable_name() -> "dict[str, Setting]":
    """Return the settings that the environment may hold, by the names of their variables."""
    return {setting.variable: setting for setting in SETTINGS if ENVIRONMENT in setting.places}


def flatten_settings_document(document: "dict[str, object]", prefix: str = "") -> "dict[str, object]":
    """Return the values of a document by the names of settings; `locked` and unknown keys keep theirs."""
    values: dict[str, object] = {}
    for key, value in document.items():
        name = prefix + (key if "." not in key else f'"{key}"')
        if isinstance(value, dict) and name not in BY_NAME and (value or name in _TABLES):
            values |= flatten_settings_document(value, f"{name}.")
        else:
            values[name] = value
    return values


def parse_other_programs_variable(variable: str, text: str) -> object:
    """Return the value of a variable that all programs here share; milliseconds are rounded down to seconds."""
    if variable != HITL_TIMEOUT:
        return text
    return int(text) // 1000 if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else text


def parse_setting_or_text(setting: Setting, text: str) -> object:
    """Return the value of a setting from its text; text that is not a value is returned unchanged."""
    if setting.kind == SWITCH:
        return _SWITCH_WORDS.get(text, text)
    if setting.kind == NUMBER and text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS:
        return int(text)
    if setting.kind == SHARE and text.isascii() and text.replace(".", "", 1).isdecimal() and len(text) <= _MAX_DIGITS:
        return float(text)
    if setting.kind == CODES:
        return [code.strip() for code in text.split(",") if code.strip()]
    return text


def find_setting_name_of_field(field: str) -> str:
    """Return the name of the setting that a field of `Settings` has the value of."""
    table, _, rest = field.partition("_")
    return f"{table}.{rest}" if table in _TABLES_OF_FIELDS else field
