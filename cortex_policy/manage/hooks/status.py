"""Which agents have a hook of this program, whether they run it, and whether it is the line of this version."""

import os

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError
from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import join_words_that_fit
from cortex_policy.manage.hooks import codex_requirements_edit, codex_trust
from cortex_policy.manage.hooks.agent_settings_sources import list_settings_files_by_level
from cortex_policy.manage.hooks.copilot_trust import is_trusted_folder
from cortex_policy.manage.hooks.disabling_settings import SettingsDocument, describe_disabling_settings
from cortex_policy.manage.hooks.handlers import HandlerPlace, list_handlers_of_all_events
from cortex_policy.manage.hooks.hook_entry import PROJECT_VARIABLE, make_hook_entry_for_target
from cortex_policy.manage.hooks.installation import check_json_syntax_for_agent
from cortex_policy.manage.hooks.jsonc import BOM, parse_jsonc
from cortex_policy.manage.hooks.own_hook_handlers import ParsedHookCommand, parse_own_hook_handler_or_none
from cortex_policy.manage.hooks.runnable_hook_command import make_runnable_hook_command_or_none
from cortex_policy.manage.hooks.settings_files import read_agent_settings_file
from cortex_policy.manage.hooks.targets import AGENT_FILES, MANAGED, PROJECT, HookTarget, find_agent_directory_of_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRUST_IT = {
    "codex": "trust the line in `/hooks`",
    "copilot": "start the agent in that folder, and confirm that you trust the folder",
}
_NAME = b"cortex"  # of this program in a settings file


class InstalledHook(Value):
    """A line of this program in a settings file: its level, and whether `hook install` would write just this.

    `trust` is '' if the agent asks for none.
    """

    level: str
    file: str
    handler: "dict[str, object]"
    line: ParsedHookCommand
    is_current: bool
    trust: str


class AgentStatus(Value):
    """The lines for an agent, a sentence about each reason why it may not run them, and what else to know."""

    agent: str
    hooks: tuple[InstalledHook, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_hook_status_of_each_agent(root: str, environment: "Mapping[str, str]") -> "Iterator[AgentStatus]":
    """Yield the status of each agent; a root of '' has no settings of a project."""
    for agent in AGENTS:
        files = [
            _read_document(HookTarget(agent, level, file))
            for level, file in list_settings_files_by_level(agent, root, environment)
        ]
        documents = [one for one in files if isinstance(one, SettingsDocument)]
        read = [hook for document in documents for hook in _find_hooks_in(document, root, environment)]
        hooks = tuple(hook for hook in read if hook.line.agent == agent)
        unread = [one for one in files if isinstance(one, _UnreadFile)]
        problems = [one.sentence for one in unread if one.names_us or (hooks and not one.is_known)]
        if hooks:
            problems += _problem_sentences(agent, hooks, documents)
        yield AgentStatus(agent, hooks, tuple(problems), _note_sentences(agent, read) if hooks else ())


class _UnreadFile(Value):
    """A settings file that its agent cannot read, whether its bytes are known, and whether they name this program."""

    sentence: str
    is_known: bool
    names_us: bool


def _read_document(target: HookTarget) -> SettingsDocument | _UnreadFile:
    data = None
    try:
        file = read_agent_settings_file(target.file)
        data, text = file.data, file.text or ""
        if target.is_toml:
            return SettingsDocument(target, codex_requirements_edit.decode_codex_requirements(text), ())
        if not text.strip(f" \t\r\n{BOM}"):
            return SettingsDocument(target, {}, ())
        check_json_syntax_for_agent(target, text)
        document = parse_jsonc(text)
        return SettingsDocument(target, document.to_python(document.tree), tuple(list_handlers_of_all_events(document)))
    except (NotDoneError, MalformedError) as error:
        why = error.detail if isinstance(error, NotDoneError) else str(error)
        sentence = f"{AGENT_FILES[target.agent].title} does not read `{target.file}`: {why}"
        return _UnreadFile(sentence, data is not None, _NAME in (data or b""))


def _find_hooks_in(
    document: SettingsDocument, root: str, environment: "Mapping[str, str]"
) -> "Iterator[InstalledHook]":
    target = document.target
    for handler, place in document.handlers:
        line = parse_own_hook_handler_or_none(handler)
        if line is not None:
            trust = _find_trust(target, place, root, environment)
            is_current = _is_current(target, line, handler, place)
            yield InstalledHook(target.level, target.file, handler, line, is_current, trust)


def _is_current(
    target: HookTarget, line: ParsedHookCommand, handler: "dict[str, object]", place: HandlerPlace | None
) -> bool:
    try:
        root = "/" if line.root == f"${PROJECT_VARIABLE}" else line.root
        entry = make_hook_entry_for_target(HookTarget(line.agent, target.level, target.file), root)
    except (NotDoneError, KeyError):
        return False
    return handler == entry.handler and (place is None or (place.group, place.event) == (entry.value, entry.event))


def _find_trust(target: HookTarget, place: HandlerPlace | None, root: str, environment: "Mapping[str, str]") -> str:
    """Return whether a person has trusted a line, '' where the agent runs it anyway."""
    if target.agent == "codex" and target.level != MANAGED:
        config = f"{find_agent_directory_of_user('codex', environment)}/config.toml"
        return codex_trust.read_hook_trust(target.file, place, config) if place is not None else "unknown"
    if (target.agent, target.level) == ("copilot", PROJECT):
        is_trusted = is_trusted_folder(root, f"{find_agent_directory_of_user('copilot', environment)}/config.json")
        return codex_trust.TRUSTED if is_trusted else codex_trust.NOT_TRUSTED
    return ""


def _problem_sentences(
    agent: str, hooks: tuple[InstalledHook, ...], documents: list[SettingsDocument]
) -> "Iterator[str]":
    title = AGENT_FILES[agent].title
    yield from describe_disabling_settings(agent, {hook.level for hook in hooks}, documents)
    for hook in hooks:
        if hook.trust and hook.trust != codex_trust.TRUSTED:
            yield f"{title} skips the line in `{hook.file}`: it is {hook.trust}; {_TRUST_IT[agent]}"
        if not hook.is_current:
            yield f"the line in `{hook.file}` is not the one that `hook install` writes now"
        yield from _program_problems(agent, hook)


def _program_problems(agent: str, hook: InstalledHook) -> "Iterator[str]":
    """Yield a sentence if the program of a line is gone or empty: the latter says nothing, which lets calls run."""
    line = make_runnable_hook_command_or_none(agent, hook.handler)
    if line is None:
        return
    try:
        is_empty = os.stat(line.program).st_size == 0
    except FileNotFoundError:
        yield f"`{line.program}`, which the line in `{hook.file}` runs, does not exist"
    except OSError:
        return  # another user's: the agent may see it
    else:
        if is_empty:
            yield f"`{line.program}`, which the line in `{hook.file}` runs, is empty: it would answer nothing"


def _note_sentences(agent: str, read: list[InstalledHook]) -> tuple[str, ...]:
    """Return a sentence about several lines: some agents run those of other agents too."""
    if len(read) == 1:
        return ()
    files = join_words_that_fit(tuple(f"`{hook.file}`" for hook in read))
    return (
        f"{AGENT_FILES[agent].title} may run {len(read)} lines for each call, but the call is counted once: {files}",
    )
