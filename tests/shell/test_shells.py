"""Checks through the co-process of real shells: the answers of the program, whatever happens to either."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cortex_policy.shell.init_script import make_init_script
from tests.support.processes import wait_until
from tests.support.roots import GIT, grant_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the program answers everything")
SHELLS = {"bash": ["bash", "--norc", "--noprofile"], "zsh": ["zsh", "-f"]}
Shell = pytest.mark.parametrize("shell", [name for name in SHELLS if shutil.which(name)])
CALL = "cortex-policy check git tree --path docs/x"
# the first check starts the co-process, and the program answers it
READY = f"""
{CALL}
for try in {{1..500}}; do [[ ! -p $DIRECTORY/$__cortex_policy_name/questions ]] || break; sleep 0.02; done
"""
COPROCESS = 'pid=$(pgrep -f "shell-serve $__cortex_policy_shell $__cortex_policy_name")\n'
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def root(root: Path) -> Path:
    """Make a root with a large budget and a file in a scope."""
    (root / "docs/x").touch()
    grant_file(root).write_text(json.dumps({**GIT, "rate": {"perMinute": 100_000}}))
    time.sleep(0.05)
    return root


def environment() -> dict[str, str]:
    """Return the environment of a shell that finds the program."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    directory = re.search(r"directory='(.*?)'", make_init_script("bash"))
    assert directory is not None
    return {**os.environ, "PATH": path, "DIRECTORY": directory[1]}


def run(shell: str, script: str, root: Path, *, sources: bool = True) -> Done:
    """Run a script in a shell that has sourced ours."""
    before = f'eval "$(cortex-policy shell-init {shell})"\n' if sources else ""
    return subprocess.run(
        [*SHELLS[shell], "-c", before + script], cwd=root, env=environment(), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


def used(root: Path) -> int:
    """Return how many calls of the budget were counted."""
    words = [sys.executable, "-m", "cortex_policy", "check", "git", "tree", "--path", "docs/x", "--peek", "--json"]
    text = subprocess.run(words, cwd=root, env=environment(), capture_output=True, text=True, check=True).stdout
    number: int = json.loads(text)["rate"]["used"]
    return number


@Shell
def test_the_words_output_and_exit_codes_are_those_of_the_program(shell: str, root: Path) -> None:
    """Allowed, denied, wrong, with odd words; also under strict options and an odd IFS."""
    script = r"""
    try() { COMMAND git tree "$@" && echo "code 0" || echo "code $?"; }
    try --path docs/x; try --path docs/x -q; try --path /etc; try --path /etc -q
    try --path docs/x --json --peek; try --nonsense; try --help; try --path docs/x --cost 0
    try --path 'docs/$(touch owned) * ?
second line' --arg 'repo=a b' --peek
    try --path docs/x --explain | grep -c rule
    COMMAND gti push || echo "code $?"
    """
    strict = {"bash": "set -euf -o pipefail\n", "zsh": "setopt err_exit no_unset pipe_fail no_glob\n"}[shell]
    script = f"{strict}IFS=':git'\n{script}"
    ours = run(shell, READY + script.replace("COMMAND", "cortex-policy check") + "echo $__cortex_policy_state", root)
    plain = run(shell, script.replace("COMMAND", "command cortex-policy check"), root, sources=False)
    assert ours.stdout.splitlines()[-1] == "ready"
    assert _without_times("\n".join(ours.stdout.splitlines()[:-1])) == _without_times(plain.stdout)
    assert ours.stderr == plain.stderr
    assert not (root / "owned").exists()


def _without_times(text: str) -> str:
    return re.sub(r'"duration_us": \d+|"used": \d+, "remaining": \d+', "", text).strip()


@Shell
def test_an_answer_that_is_long_is_whole(shell: str, root: Path) -> None:
    """Longer than what a shell reads at once."""
    (root / "words").write_text("\x1b" * 1700)
    script = """
    words=$(<words)
    COMMAND git tree --path $words --json; echo $?
    COMMAND git tree --path $words; echo $?
    """
    ours = run(shell, READY + script.replace("COMMAND", "cortex-policy check") + "echo $__cortex_policy_state", root)
    plain = run(shell, script.replace("COMMAND", "command cortex-policy check"), root, sources=False)
    assert len(plain.stdout) > 8192
    assert _without_times(ours.stdout) == _without_times(f"{plain.stdout}ready\n")
    assert ours.stderr == plain.stderr


@Shell
def test_every_check_is_counted_wherever_it_runs(shell: str, root: Path) -> None:
    """In a subshell, a pipeline, a background job, a substitution, and in a loop."""
    script = f"""
    ({CALL})
    {CALL} | cat
    {CALL} & wait
    : $({CALL})
    for i in 1 2 3 4 5; do {CALL}; done
    cortex-policy enforce git tree --path docs/x
    echo $__cortex_policy_state
    """
    assert run(shell, READY + script, root).stdout == "ready\n"
    assert used(root) == 11


@Shell
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_a_co_process_that_does_not_answer_is_given_up_for_good(shell: str, number: int, root: Path) -> None:
    """The program answers this call and all others; no late answer is taken for another call."""
    script = f"""
    {COPROCESS} kill -{int(number)} $pid
    {CALL}; echo $?
    cortex-policy check git push 2>/dev/null; echo $?
    kill -CONT $pid 2>/dev/null
    sleep 0.2
    {CALL}; echo $?
    cortex-policy check git push 2>/dev/null; echo $?
    kill -9 $pid 2>/dev/null; true
    """
    done = run(shell, READY + script, root)
    assert (done.stdout.split(), done.stderr) == (["0", "10", "0", "10"], "")
    assert used(root) >= 3


@Shell
def test_an_edited_grant_counts_at_once(shell: str, root: Path) -> None:
    """Half-way through a loop."""
    script = f"""
    for i in {{1..300}}; do
        {CALL} 2>/dev/null; code=$?
        [[ $i -gt 150 ]] || [[ $code == 0 ]] || echo wrong $i
        [[ $i -le 150 ]] || [[ $code == 10 ]] || echo wrong $i
        [[ $i != 150 ]] || cp denying.json .cortex/policy/tools/git.json
    done
    echo $__cortex_policy_state
    """
    (root / "denying.json").write_text(json.dumps({**GIT, "actions": ["other"]}))
    assert run(shell, READY + script, root).stdout == "ready\n"


@Shell
def test_a_root_that_appears_counts_at_once(shell: str, root: Path) -> None:
    """Half-way through a loop, in a directory in which other files come and go, too."""
    script = """
    cd docs
    for i in {1..400}; do
        cortex-policy check git tree --path x 2>/dev/null; code=$?
        [[ $i -gt 200 ]] || [[ $code == 0 ]] || echo wrong $i $code
        [[ $i -le 200 ]] || [[ $code == 26 ]] || echo wrong $i $code
        [[ $i != 50 ]] || : > other
        [[ $i != 200 ]] || mkdir -p .cortex/policy
    done
    echo $__cortex_policy_state
    """
    assert run(shell, READY + script, root).stdout == "ready\n"


@Shell
def test_directories_variables_and_roots_are_followed(shell: str, root: Path, tmp_path: Path) -> None:
    """As they are at each call, exported or not, for one call or for all."""
    other = tmp_path / "other"
    shutil.copytree(root / ".cortex", other / ".cortex")
    grant_file(other).write_text(json.dumps({**GIT, "actions": ["other"]}))
    for file in (other, other / ".cortex", other / ".cortex/policy", other / ".cortex/policy/tools"):
        file.chmod(0o755)
    script = f"""
    code() {{ cortex-policy check git tree --path "$HERE/docs/x" 2>/dev/null; echo $?; }}
    HERE=$PWD
    code
    cd {other}; code; cd - >/dev/null
    CORTEX_POLICY_ROOT={other} code
    code
    CORTEX_POLICY_ROOT={other}; code
    export CORTEX_POLICY_ROOT; code
    unset CORTEX_POLICY_ROOT; code
    export CORTEX_POLICY_STATE_DIR=relative; code; export CORTEX_POLICY_STATE_DIR={tmp_path}/state
    cd {tmp_path}; code
    cortex-policy check git tree --root root --path "$HERE/docs/x"; echo $?
    echo $__cortex_policy_state
    """
    expected = ["0", "10", "10", "0", "0", "10", "0", "24", "25", "0", "ready"]
    assert run(shell, READY + script, root).stdout.split() == expected


@Shell
def test_children_get_no_descriptor_and_the_co_process_none_of_the_shell(shell: str, root: Path) -> None:
    """A lock of the script is its own."""
    script = f"""
    list() {{ (cd /proc/self/fd && echo *); }}
    exec 9>lock
    before=$(sh -c 'cd /proc/$$/fd && echo *')
    {READY}
    {CALL}
    [[ $before == $(sh -c 'cd /proc/$$/fd && echo *') ]] && echo same
    {COPROCESS} ls -l /proc/$pid/fd | grep -c lock
    jobs
    """
    assert run(shell, script, root).stdout.split() == ["same", "0"]


@Shell
def test_the_co_process_ends_with_its_shell(shell: str, root: Path) -> None:
    """And removes its pipes; also if the shell is killed."""
    for end in ("exit 0", "kill -9 $$"):
        done = run(shell, f"{READY}{COPROCESS} echo $pid $DIRECTORY/$__cortex_policy_name\n{end}", root)
        pid, directory = done.stdout.split()
        gone = [Path(directory), Path(f"/proc/{pid}")]
        wait_until(lambda gone=gone: not any(path.exists() for path in gone), "the co-process is still there")


@Shell
def test_what_a_trap_prints_during_checks_goes_to_the_script(shell: str, root: Path) -> None:
    """Not to the pipes; a signal in the middle of a read may end them for good."""
    script = f"""
    trap 'echo trapped' USR1
    (for i in {{1..60}}; do sleep 0.005; kill -USR1 $$; sleep 0.005; done) &
    while kill -0 $! 2>/dev/null; do {CALL} || echo wrong; done
    """
    said = run(shell, READY + script, root).stdout.split()
    assert set(said) == {"trapped"}
    assert len(said) > 50


@Shell
def test_traps_and_aliases_of_the_script_do_no_harm(shell: str, root: Path) -> None:
    """A trap that checks, too, in the middle of a check; names that the script has taken."""
    aliases = "shopt -s expand_aliases\n" if shell == "bash" else "setopt aliases\n"
    script = f"""
    {aliases}
    alias printf=false read=false command=false local=false print=false return=false
    trap 'cortex-policy check git tree --path docs/x >/dev/null; echo trapped' USR1
    ( sleep 0.05; kill -USR1 $$ ) &
    for i in {{1..200}}; do {CALL} || echo wrong; done
    wait
    text=mine number=mine name=mine code=mine
    {CALL}
    echo $text $number $name $code
    """
    done = run(shell, READY + script, root)
    assert done.stdout.split() == ["trapped", *["mine"] * 4]
    assert done.stderr == ""
    assert used(root) >= 203


@Shell
def test_many_shells_at_once_count_exactly(shell: str, root: Path) -> None:
    """Each with its own co-process."""
    _count_in_shells(shell, root, 8, 50)


@pytest.mark.storm
@Shell
def test_two_hundred_shells_at_once_count_exactly(shell: str, root: Path) -> None:
    """Each with its own co-process, of at most 8 MB."""
    _count_in_shells(shell, root, 200, 20)


def _count_in_shells(shell: str, root: Path, shells: int, calls: int) -> None:
    script = f"""
    eval "$(cortex-policy shell-init {shell})"
    {READY}
    {COPROCESS} awk '/^Private/ {{ sum += $2 }} END {{ print sum }}' /proc/$pid/smaps_rollup
    for i in {{2..{calls}}}; do {CALL} || echo wrong; done
    """
    words = [*SHELLS[shell], "-c", script]
    variables = {**environment(), "CORTEX_AUDIT_LOG": str(root / "log")}
    running = [
        subprocess.Popen(words, cwd=root, env=variables, stdout=subprocess.PIPE, text=True) for _ in range(shells)
    ]
    outputs = [process.communicate(timeout=400)[0] for process in running]
    assert all(int(output) < 8192 for output in outputs), outputs
    counted = (root / "log").read_text().count('"decision":true')  # many may take more than a minute
    assert shells * calls <= counted <= shells * (calls + 1)  # a call that timed out may be counted twice


@pytest.mark.storm
@Shell
def test_ten_thousand_checks_in_a_loop_are_counted(shell: str, root: Path) -> None:
    """With the grant replaced by an equal one all the time."""
    script = f"""
    for i in {{2..10000}}; do
        {CALL} || echo wrong
        [[ $((i % 500)) != 0 ]] || {{ cp .cortex/policy/tools/git.json new; mv new .cortex/policy/tools/git.json; }}
    done
    echo $__cortex_policy_state
    """
    assert run(shell, READY + script, root).stdout == "ready\n"
    assert used(root) <= 10_001


@Shell
def test_without_the_co_process_the_program_answers(shell: str, root: Path, tmp_path: Path) -> None:
    """Where its directory cannot be made, as in a container without shared memory."""
    script = make_init_script(shell).replace(environment()["DIRECTORY"], f"{tmp_path}/none")
    done = run(shell, f"{script}\n{CALL}; echo $?\nsleep 0.2\n{CALL}; echo $?\n", root, sources=False)
    assert (done.stdout.split(), done.stderr) == (["0", "0"], "")


@pytest.mark.parametrize("words", [["sh"], ["dash"], ["busybox", "sh"], ["bash", "--posix"]])
def test_a_plain_shell_gets_a_function_that_runs_the_program(words: list[str], root: Path) -> None:
    """By a name that it can define."""
    if not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not installed")
    script = 'eval "$(cortex-policy shell-init sh)"\ncortex_policy check git push 2>/dev/null\necho $?'
    done = subprocess.run(
        [*words, "-c", script], cwd=root, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("10\n", "")


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_gets_a_function_that_runs_the_program(root: Path) -> None:
    """It could not wait for an answer for a limited time."""
    script = "cortex-policy shell-init fish | source\ncortex-policy check git push 2>/dev/null\necho $status"
    done = subprocess.run(
        ["fish", "-N", "-c", script], cwd=root, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("10\n", "")
