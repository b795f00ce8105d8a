# Checks of cortex-policy through one co-process of this shell; everything else, and whatever goes wrong, by the program.
# It needs bash 5 and Linux; elsewhere the program answers everything.
# INVARIANT: every name has our prefix: to assign to a readonly variable of the script would skip the line it guards with us.
__cortex_policy_shell=${BASHPID-}
__cortex_policy_name=shell-${BASHPID-}.${EPOCHREALTIME-}
__cortex_policy_number=0
__cortex_policy_state=ready
[[ ${BASH_VERSINFO[0]-0} -ge 5 ]] || __cortex_policy_state=off
__cortex_policy_started=

# What fails is followed by `||`, so that a trap of the script for errors sees the call alone.
function cortex-policy {
    \builtin local __cortex_policy_code= __cortex_policy_out= __cortex_policy_err=
    if [[ ${1-} == @(check|enforce) && $__cortex_policy_state == ready && ${BASHPID-} == "$__cortex_policy_shell" ]] &&
        __cortex_policy_ask "$@"; then
        # in a subshell, since SIGPIPE ends who writes what nobody reads
        [[ -z $__cortex_policy_out ]] || (\builtin printf %s "$__cortex_policy_out" 2>/dev/null) || :
        [[ -z $__cortex_policy_err ]] || (\builtin printf %s "$__cortex_policy_err" >&2 2>/dev/null) || :
        [[ $__cortex_policy_code == 0 ]] || { \builtin return "$__cortex_policy_code"; [[ -z unreachable ]]; }
    else
        # these tests fail where the script has a function `builtin`, which must not allow
        (\builtin exec cortex-policy "$@"; [[ -z unreachable ]]) || { \builtin return; [[ -z unreachable ]]; }
    fi
}

# Ask the co-process; fail if the program must answer.
function __cortex_policy_ask {
    [[ ${IFS+${IFS@a}} != *r* ]] || \builtin return 1
    \builtin local IFS=$' \t\n' __cortex_policy_parent='@DIRECTORY@' __cortex_policy_variable __cortex_policy_text
    \builtin local __cortex_policy_pipes=$__cortex_policy_parent/$__cortex_policy_name
    \builtin local __cortex_policy_terminal=0 __cortex_policy_sent __cortex_policy_variables
    __cortex_policy_variables=()
    if [[ ! -p $__cortex_policy_pipes/questions ]]; then
        __cortex_policy_start
        \builtin return 1
    fi
    for __cortex_policy_variable in "${!CORTEX_@}"; do
        # a name that is exported, as long as it has a value, and is neither an array nor a reference
        __cortex_policy_text=${!__cortex_policy_variable+${!__cortex_policy_variable@a}}
        if [[ $__cortex_policy_text == *x* && $__cortex_policy_text != *[aA]* && ! -R $__cortex_policy_variable ]]; then
            __cortex_policy_variables+=("$__cortex_policy_variable=${!__cortex_policy_variable}")
        fi
    done
    # without the loop, which takes twice as long
    [[ ${HOME+${HOME@a}} != *x* ]] || __cortex_policy_variables+=("HOME=$HOME")
    [[ ${XDG_CONFIG_HOME+${XDG_CONFIG_HOME@a}} != *x* ]] || __cortex_policy_variables+=("XDG_CONFIG_HOME=$XDG_CONFIG_HOME")
    [[ ${TRACEPARENT+${TRACEPARENT@a}} != *x* ]] || __cortex_policy_variables+=("TRACEPARENT=$TRACEPARENT")
    __cortex_policy_text="${__cortex_policy_variables[*]-}$*"
    # what fits into the smallest pipe as a whole, in any encoding, cannot make this shell wait
    ((${#__cortex_policy_text} <= 2000 && $# <= 500 && ${#__cortex_policy_variables[@]} <= 100)) || \builtin return 1
    [[ ! -t 1 ]] || __cortex_policy_terminal=1
    __cortex_policy_sent=$((++__cortex_policy_number))
    __cortex_policy_text=
    # until the answer is whole, nothing else may use the pipes: not a trap, and not the next call after Ctrl-C
    __cortex_policy_state=busy
    {
        # another user may have made a directory of this name, and would answer
        [[ -O /dev/fd/3 ]] || \builtin return 1
        \builtin printf '%s\0' "$__cortex_policy_sent" $__cortex_policy_terminal ${#__cortex_policy_variables[@]} \
            "${__cortex_policy_variables[@]}" $# "$@" . >&4 &&
            IFS= \builtin read -r -d '' -t 1 -u 3 __cortex_policy_text || \builtin return 1
        [[ $__cortex_policy_text == "$__cortex_policy_sent "* ]] || \builtin return 1
        __cortex_policy_code=${__cortex_policy_text#* }
        if [[ $__cortex_policy_code == *+ ]]; then
            __cortex_policy_code=${__cortex_policy_code%+}
            IFS= \builtin read -r -d '' -t 1 -u 3 __cortex_policy_out || \builtin return 1
            IFS= \builtin read -r -d '' -t 1 -u 3 __cortex_policy_err || \builtin return 1
        fi
    } 2>/dev/null 3<>"$__cortex_policy_pipes/answers" 4<>"$__cortex_policy_pipes/questions" || \builtin return 1
    __cortex_policy_state=ready
    [[ $__cortex_policy_code == [0-9] || $__cortex_policy_code == [0-9][0-9] ]]
}

# Start the co-process, but not again within five seconds; it belongs to no job and holds nothing of this shell.
function __cortex_policy_start {
    if [[ -z $__cortex_policy_started ]] || ((${SECONDS-0} - __cortex_policy_started > 5)); then
        __cortex_policy_started=${SECONDS-0}
        (\builtin exec cortex-policy shell-serve "$__cortex_policy_shell" "$__cortex_policy_name" </dev/null >/dev/null 2>&1 &)
    fi
}
