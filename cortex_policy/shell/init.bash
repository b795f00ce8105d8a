# Checks of cortex-policy through one co-process of this shell; everything else, and whatever goes wrong, by the program.
# It needs bash 5 and Linux; elsewhere the program answers everything.
__cortex_policy_shell=${BASHPID-}
__cortex_policy_name=shell-${BASHPID-}.$RANDOM$RANDOM
__cortex_policy_number=$RANDOM
__cortex_policy_state=ready
[[ ${BASH_VERSINFO[0]-0} -ge 5 ]] || __cortex_policy_state=off
__cortex_policy_started=

cortex-policy() {
    case ${1-} in
        check | enforce) __cortex_policy_check "$@" ;;
        *) \command cortex-policy "$@" ;;
    esac
}

__cortex_policy_check() {
    \builtin local __cortex_policy_code= __cortex_policy_out= __cortex_policy_err=
    if [[ $__cortex_policy_state != ready || ${BASHPID-} != "$__cortex_policy_shell" ]] || ! __cortex_policy_ask "$@"; then
        \command cortex-policy "$@"
        \builtin return
    fi
    [[ -z $__cortex_policy_out ]] || \builtin printf %s "$__cortex_policy_out" 2>/dev/null || :
    [[ -z $__cortex_policy_err ]] || \builtin printf %s "$__cortex_policy_err" >&2 || :
    \builtin return "$__cortex_policy_code"
}

# Ask the co-process; fail if the program must answer.
__cortex_policy_ask() {
    \builtin local IFS=$' \t\n' directory='@DIRECTORY@'/$__cortex_policy_name name number text variables terminal=0
    variables=()
    if [[ ! -p $directory/questions ]]; then
        __cortex_policy_start
        \builtin return 1
    fi
    for name in "${!CORTEX_@}"; do
        [[ ${!name@a} != *x* ]] || variables+=("$name=${!name}")
    done
    [[ ${HOME+${HOME@a}} != *x* ]] || variables+=("HOME=$HOME")
    [[ ${XDG_CONFIG_HOME+${XDG_CONFIG_HOME@a}} != *x* ]] || variables+=("XDG_CONFIG_HOME=$XDG_CONFIG_HOME")
    [[ ${TRACEPARENT+${TRACEPARENT@a}} != *x* ]] || variables+=("TRACEPARENT=$TRACEPARENT")
    text="${variables[*]-}$*"
    # what fits into a pipe as a whole cannot make this shell wait
    ((${#text} <= 8000 && $# <= 500 && ${#variables[@]} <= 100)) || \builtin return 1
    [[ ! -t 1 ]] || terminal=1
    number=$((++__cortex_policy_number))
    # until the answer is whole, nothing else may use the pipes: not a trap, and not the next call after Ctrl-C
    __cortex_policy_state=busy
    {
        \builtin printf '%s\0' "$number" $terminal ${#variables[@]} "${variables[@]}" $# "$@" . >&4 &&
            IFS= \builtin read -r -d '' -t 1 -u 3 text || \builtin return 1
        [[ $text == "$number "* ]] || \builtin return 1
        __cortex_policy_code=${text#* }
        if [[ $__cortex_policy_code == *+ ]]; then
            __cortex_policy_code=${__cortex_policy_code%+}
            IFS= \builtin read -r -d '' -t 1 -u 3 __cortex_policy_out || \builtin return 1
            IFS= \builtin read -r -d '' -t 1 -u 3 __cortex_policy_err || \builtin return 1
        fi
    } 2>/dev/null 3<>"$directory/answers" 4<>"$directory/questions"
    __cortex_policy_state=ready
    [[ $__cortex_policy_code == [0-9] || $__cortex_policy_code == [0-9][0-9] ]]
}

# Start the co-process, but not again within five seconds; it belongs to no job and holds nothing of this shell.
__cortex_policy_start() {
    if [[ -z $__cortex_policy_started ]] || ((SECONDS - __cortex_policy_started > 5)); then
        __cortex_policy_started=$SECONDS
        (\command cortex-policy shell-serve "$__cortex_policy_shell" "$__cortex_policy_name" </dev/null >/dev/null 2>&1 &)
    fi
}
