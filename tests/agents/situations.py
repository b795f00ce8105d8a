"""The situations in which a guarded agent is tried: a denied call does not happen and an allowed one does."""

import shutil
from collections.abc import Iterator

from tests.agents.guarded import Expected, Guarded
from tests.agents.program_codex import Codex
from tests.agents.scenes import Scene, Situation, one_after_another
from tests.agents.session import subtask

ELSEWHERE_RULES = 'format = 1\nunmapped = "pass"\n'


def plain(guarded: Guarded) -> Iterator[Scene]:
    """Allow and deny a command and a file."""
    yield one_after_another(
        guarded.shell(runs=True), guarded.shell(runs=False), guarded.write(runs=True), guarded.write(runs=False)
    )


def first_rules(guarded: Guarded) -> Iterator[Scene]:
    """Write in the directories that `hook init` lets tools write in, and nowhere else."""
    shutil.rmtree(guarded.policy)
    guarded.command("init")
    guarded.command("hook", "init", "--agent", guarded.program.agent, "--yes")
    file = guarded.work / "Makefile"
    outside = Expected(guarded.program.write(file), (file,), runs=False)
    yield one_after_another(guarded.shell(runs=True), guarded.write(runs=True), outside, guarded.mark(runs=False))


def mcp_tool(guarded: Guarded) -> Iterator[Scene]:
    """Allow and deny a tool that is none of the agent's own."""
    yield one_after_another(guarded.mark(runs=True), guarded.mark(runs=False))


def unmapped_tool(guarded: Guarded) -> Iterator[Scene]:
    """Deny the tools of a rule that is gone."""
    rules = guarded.policy / "hooks.toml"
    with guarded.replaced(rules, rules.read_text().replace('mcp = ["mini/*"]', 'mcp = ["other/*"]')):
        yield one_after_another(guarded.mark(runs=True)._replace(runs=False), guarded.shell(runs=True))
    yield one_after_another(guarded.mark(runs=True))


def rate(guarded: Guarded) -> Iterator[Scene]:
    """Allow two of three calls, one after another."""
    guarded.limit("shell", 2)
    calls = [guarded.shell(runs=True) for _ in range(3)]
    yield one_after_another(calls[0], calls[1], calls[2]._replace(runs=False))


def two_installs(guarded: Guarded) -> Iterator[Scene]:
    """Count each call once, and deny by either."""
    guarded.install("--managed")
    if guarded.program.agent == "claude":  # the others do not say where the project is
        guarded.install("--project")
    guarded.limit("shell", 2)
    calls = [guarded.shell(runs=True) for _ in range(3)]
    yield one_after_another(guarded.write(runs=False), calls[0], calls[1], calls[2]._replace(runs=False))


def switched_off(guarded: Guarded) -> Iterator[Scene]:
    """Let no file of the project switch off what is in managed settings."""
    name, text = guarded.program.switch
    guarded.install("--managed")
    (guarded.work / name).parent.mkdir(parents=True)
    (guarded.work / name).write_text(text)
    yield one_after_another(
        guarded.shell(runs=True), guarded.shell(runs=False), guarded.write(runs=True), guarded.write(runs=False)
    )


def elsewhere(guarded: Guarded) -> Iterator[Scene]:
    """Let no policy elsewhere allow what the installed root denies."""
    place = guarded.work / "elsewhere"
    shutil.copytree(guarded.policy, place / ".cortex" / "policy")
    (place / ".cortex" / "policy" / "hooks.toml").write_text(ELSEWHERE_RULES)
    denied, allowed = place / "no1", place / "ran1"
    yield one_after_another(
        Expected(guarded.program.shell_in(place, "touch no1"), (denied,), runs=False),
        Expected(guarded.program.shell_in(place, "touch ran1"), (allowed,), runs=True),
        guarded.write(runs=False),
    )


def sub_agent(guarded: Guarded) -> Iterator[Scene]:
    """Hold a sub-agent to the same rules."""
    start = guarded.program.delegate(subtask("do your part"))
    calls = guarded.shell(runs=True), guarded.shell(runs=False), guarded.write(runs=True), guarded.write(runs=False)
    yield Scene([[Expected(call, (), runs=True) for call in step] for step in start], [[call] for call in calls])


def own_settings(guarded: Guarded) -> Iterator[Scene]:
    """Deny that the agent takes its hook away, although the grant has no scope."""
    guarded.write_grant("fs.write", {"tool": "fs", "actions": ["write"], "rate": {"perMinute": 60}})
    program = guarded.program
    files = [guarded.work / program.project_file, guarded.home / program.settings_file]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    files = [file.with_name(f"{file.stem}.local.json") for file in files]
    writes = [Expected(program.write(file), (file,), runs=False) for file in files]
    guarded_file = guarded.work / program.guarded_directory / "ran1"
    guarded_file.parent.mkdir(parents=True, exist_ok=True)
    shell = Expected(program.shell(f"touch {guarded_file}"), (guarded_file,), runs=False)
    yield one_after_another(*writes, shell, guarded.write(runs=True))


def several_files(guarded: Guarded) -> Iterator[Scene]:
    """Deny a patch if one of its files is out of scope; let writes of one answer be decided one by one."""
    if isinstance(guarded.program, Codex):
        inside, outside = (guarded.source / "ran-a", guarded.source / "ran-b"), guarded.other / "ran-c"
        patch = guarded.program.patch(inside[0], outside, inside[1])
        yield one_after_another(Expected(patch, (*inside, outside), runs=False))
        yield one_after_another(Expected(guarded.program.patch(*inside), inside, runs=True))
    else:
        yield Scene([[guarded.write(runs=True), guarded.write(runs=False), guarded.write(runs=True)]])


def hostile_environment(guarded: Guarded) -> Iterator[Scene]:
    """Believe no variable that the agent was started with."""
    trap, state = guarded.home / "trap", guarded.home / "state"
    (trap / "cortex_policy").mkdir(parents=True)
    allow = 'import os\nos.write(1, b"{}\\n")\nos._exit(0)\n'
    for file in (trap / "sitecustomize.py", trap / "cortex_policy" / "__init__.py"):
        file.write_text(allow)
    variables = {"PYTHONPATH": str(trap), "CORTEX_POLICY_STATE_DIR": str(state), "CORTEX_POLICY_ROOT": "/"}
    guarded.limit("shell", 1)
    calls = guarded.shell(runs=True), guarded.shell(runs=True)._replace(runs=False), guarded.write(runs=False)
    yield one_after_another(*calls)._replace(variables=tuple(variables.items()))
    assert not state.exists()


def calls_at_once(guarded: Guarded) -> Iterator[Scene]:
    """Count exactly where hooks of one answer run in parallel: the first two that ask are allowed."""
    guarded.limit("fs.write", 2)
    yield Scene([[guarded.write(runs=True)._replace(runs=None) for _ in range(4)]])
    assert len(list(guarded.source.iterdir())) == 2


SITUATIONS: dict[str, Situation] = {
    "plain": plain,
    "the rules of `hook init`": first_rules,
    "a tool of an MCP server": mcp_tool,
    "a tool that no rule fits": unmapped_tool,
    "the rate": rate,
    "two installs at once": two_installs,
    "managed settings, and a project that switches hooks off": switched_off,
    "a directory that the model chose": elsewhere,
    "a sub-agent": sub_agent,
    "a write to the agent's own settings": own_settings,
    "one answer with several files": several_files,
    "a hostile environment": hostile_environment,
    "four calls at once": calls_at_once,
}
