#!/usr/bin/env bash
# Print what a check from bash and zsh costs through the co-process, beside `/bin/true`, the program, and a bare Python.
set -euo pipefail
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
python3 -m venv "$top/venv"
"$top/venv/bin/python" -m pip install -q "$checkout"
PATH=$top/venv/bin:$PATH
mkdir -p "$top/root/.cortex/policy/tools" "$top/root/docs"
mkdir -m 700 "$top/state"
touch "$top/root/docs/x"
cat > "$top/root/.cortex/policy/tools/git.json" <<'END'
{"tool": "git-map", "actions": ["tree"], "args": {"path": {"type": "string"}}, "rate": {"perMinute": 1000000}, "fsScope": ["docs"]}
END
export CORTEX_POLICY_STATE_DIR=$top/state XDG_CONFIG_HOME=$top/config
cd "$top/root"
source <(cortex-policy shell-init bash)
check() { cortex-policy check git tree --path docs/x; }
check
until [[ -p $__cortex_policy_pipes/questions ]]; do sleep 0.1; done

# microseconds of one of N runs of a command
once() {
    local count=$1 start=${EPOCHREALTIME/./} i
    shift
    for ((i = 0; i < count; i++)); do "$@"; done
    echo $(((${EPOCHREALTIME/./} - start) / count))
}
print_script() { "$top/venv/bin/cortex-policy" shell-init bash > "$top/init"; }
fastest() { head -"$1"; }
median() { sort -n | sed -n "$((($1 + 1) / 2))p"; }

rounds=15
for ((round = 0; round < rounds; round++)); do
    once 200 /bin/true >> "$top/true"
    # the shell must ask by itself: in a substitution the program would answer
    start=${EPOCHREALTIME/./}
    for ((i = 0; i < 200; i++)); do check; done
    echo $(((${EPOCHREALTIME/./} - start) / 200)) >> "$top/ours"
    once 10 "$top/venv/bin/cortex-policy" check git tree --path docs/x >> "$top/program"
    once 10 "$top/venv/bin/python" -c pass >> "$top/python"
    once 10 print_script >> "$top/output"
done
[[ $__cortex_policy_state == ready ]] || { echo "the co-process did not answer each check" >&2; exit 1; }
for ((round = 0; round < rounds; round++)); do
    once 20 bash -c : >> "$top/bash"
    once 20 bash -c "source '$top/init'" >> "$top/source"
done

cat > "$top/zsh" <<'END'
source <(cortex-policy shell-init zsh)
check() { cortex-policy check git tree --path docs/x; }
once() {
    local -F start=$EPOCHREALTIME
    repeat 200 "$@"
    echo $(((EPOCHREALTIME - start) * 5000))
}
check
until [[ -p $__cortex_policy_pipes/questions ]] { sleep 0.1 }
repeat $1 { once /bin/true >> true.zsh; once check >> ours.zsh }
[[ $__cortex_policy_state == ready ]]
END
(cd "$top/root" && mv "$top/zsh" . && zsh -f zsh $rounds && sed -i 's/[.].*//' ./*.zsh && mv ./*.zsh "$top") || echo "no zsh, or its co-process did not answer" >&2

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
for name in ours program python output bash source; do declare "$name=$(median $rounds < "$top/$name")"; done
# beside other work the median of the rounds says little; the fastest round had a processor for itself
print_share() {
    local how
    for how in "median $rounds" "fastest 1"; do
        local ours true
        ours=$(sort -n "$top/ours$2" | $how) true=$(sort -n "$top/true$2" | $how)
        echo "$1, ${how% *} round: $ours us, $(ratio "$ours" "$true") of spawning /bin/true ($true us)"
    done
}
print_share "a check through the co-process, goal 0.2" ""
[[ ! -e $top/ours.zsh ]] || print_share "from zsh" .zsh
echo "the program: ${program:?} us, $(ratio "$program" "$ours") times the co-process"
echo "eval: shell-init takes $(ratio "${output:?}" "${python:?}") times python -c pass, goal 1.3"
echo "source: $((${source:?} - ${bash:?})) us, goal 2000"
