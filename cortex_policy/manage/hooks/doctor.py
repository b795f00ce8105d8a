"""Look at each installed hook and try it: whether its agent would block what must be blocked, whatever breaks."""

from cortex_policy.core import Value
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import elide_middle, escape_message_to_one_line, format_count_with_noun
from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING, CheckResult, make_error_result
from cortex_policy.manage.hooks.claude_version import examine_claude_version
from cortex_policy.manage.hooks.doctor_trials import HookTrial, run_trials_of_hook
from cortex_policy.manage.hooks.hook_command import HookCommand
from cortex_policy.manage.hooks.install_checks import check_no_settings_in_environment
from cortex_policy.manage.hooks.runnable_hook_command import make_runnable_hook_command_or_none
from cortex_policy.manage.hooks.status import AgentStatus, InstalledHook, read_hook_status_of_each_agent
from cortex_policy.manage.hooks.targets import AGENT_FILES
from cortex_policy.state import Root
from cortex_policy.state.hooks_file import load_hook_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_REASON = 200  # bytes of what a hook said


class HookReport(Value):
    """What is looked at together: the settings of an agent, or one line in them; the checks are made one by one."""

    agent: str
    level: str
    file: str
    checks: "Iterator[CheckResult]"


def examine_hooks(agent: str | None, root: str, environment: "Mapping[str, str]") -> "Iterator[HookReport]":
    """Yield a report of each agent that has a hook, or of one that is named, and then of each of its lines."""
    statuses = [one for one in read_hook_status_of_each_agent(root, environment) if one.agent == (agent or one.agent)]
    found = [one for one in statuses if one.hooks or one.problems or agent]
    for status in found:
        yield HookReport(status.agent, "", "", _check_settings(status, environment))
        for hook in status.hooks:
            yield HookReport(status.agent, hook.level, hook.file, _check_line(status.agent, hook, root))
    if not found:
        nothing = CheckResult("installed", PROBLEM, "no agent has a hook", "cortex-policy hook install --help")
        yield HookReport("", "", "", iter([nothing]))


def _check_settings(status: AgentStatus, environment: "Mapping[str, str]") -> "Iterator[CheckResult]":
    agent = status.agent
    if status.hooks:
        yield CheckResult("installed", OK, f"{AGENT_FILES[agent].title} has a hook")
    else:
        message = f"{AGENT_FILES[agent].title} has no hook"
        yield CheckResult("installed", PROBLEM, message, f"cortex-policy hook install {agent}")
    for sentence in status.problems:
        yield CheckResult("settings", PROBLEM, sentence)
    for sentence in status.notes:
        yield CheckResult("settings", WARNING, sentence)
    try:
        check_no_settings_in_environment(environment)
    except NotDoneError as error:
        yield make_error_result("environment", error)
    for variable in _before_the_line(environment):
        message = (
            f"`{variable}` is set: Bash reads this variable before the line of a hook, and may then not run the line"
        )
        yield CheckResult("environment", WARNING, message, f"unset {variable}")
    if agent == "claude":
        yield examine_claude_version()


def _before_the_line(environment: "Mapping[str, str]") -> list[str]:
    """Return the variables with which a shell of an agent may skip any line; nothing in the line can prevent that."""
    is_skipped = "noexec" in environment.get("SHELLOPTS", "").split(":")
    return [*(["BASH_ENV"] if environment.get("BASH_ENV") else []), *(["SHELLOPTS"] if is_skipped else [])]


def _check_rules(root: str) -> CheckResult:
    try:
        rules = load_hook_rules(Root(root, trusts_owner=True))
    except CortexPolicyError as error:
        return make_error_result("rules", error, WARNING)
    return CheckResult("rules", OK, f"hooks.toml has {format_count_with_noun(len(rules.rules), 'rule')}")


def _check_line(agent: str, hook: InstalledHook, root: str) -> "Iterator[CheckResult]":
    line = make_runnable_hook_command_or_none(agent, hook.handler)
    if line is None:
        why = "it is not written as `hook install` writes it, so it cannot be tried"
        yield CheckResult("line", PROBLEM, why, f"cortex-policy hook install {agent}")
        return
    if line.root not in ("", root):
        yield CheckResult("root", WARNING, f"it uses the grants of `{line.root}`")
    yield _check_rules(line.root or root)
    for trial in run_trials_of_hook(line, root):
        yield _result_of_trial(line, trial)


def _result_of_trial(line: HookCommand, trial: HookTrial) -> CheckResult:
    end, seconds, title = trial.run.end, f"{trial.run.seconds:.2f} s", AGENT_FILES[line.agent].title
    if trial.must_block is trial.is_blocked:
        return CheckResult(trial.name, OK, f"{'blocked' if trial.must_block else 'not blocked'} in {seconds}")
    if trial.must_block:
        how = (
            "does not end in time"
            if end.timed_out
            else "is ended by a signal"
            if end.code is None
            else "exits with 0 and says nothing, as an empty file does"
            if end.code == 0 and not end.stdout.strip()
            else f"exits with {end.code}"
        )
        message = f"{title} would run the call: the hook {how} ({seconds})"
    else:
        said = elide_middle(escape_message_to_one_line((end.stderr or end.stdout).strip()), MAX_REASON)
        message = f"the hook must not block this call: {said} ({seconds})"
    return CheckResult(trial.name, PROBLEM, message, f"cortex-policy hook install {line.agent}")
