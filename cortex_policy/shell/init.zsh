# Checks of cortex-policy through one co-process of this shell; everything else, and whatever goes wrong, by the program.
# It needs Linux; elsewhere the program answers everything.
zmodload zsh/system zsh/parameter 2>/dev/null
typeset -g __cortex_policy_shell=${sysparams[pid]-}
typeset -g __cortex_policy_name=shell-$__cortex_policy_shell.$RANDOM$RANDOM
typeset -gi __cortex_policy_number=$RANDOM
typeset -g __cortex_policy_state=ready
typeset -gi __cortex_policy_started=-10
typeset -g __cortex_policy_code= __cortex_policy_out= __cortex_policy_err=

cortex-policy() {
    case ${1-} in
        (check | enforce) __cortex_policy_check "$@" ;;
        (*) \command cortex-policy "$@" ;;
    esac
}

__cortex_policy_check() {
    if [[ $__cortex_policy_state != ready || ${sysparams[pid]-} != "$__cortex_policy_shell" ]] || ! __cortex_policy_ask "$@"; then
        \command cortex-policy "$@"
        \builtin return
    fi
    [[ -z $__cortex_policy_out ]] || \builtin print -rn -- "$__cortex_policy_out" 2>/dev/null || :
    [[ -z $__cortex_policy_err ]] || \builtin print -rnu2 -- "$__cortex_policy_err" || :
    \builtin return $__cortex_policy_code
}

# Ask the co-process; fail if the program must answer.
__cortex_policy_ask() {
    \builtin emulate -L zsh
    \builtin local directory='@DIRECTORY@'/$__cortex_policy_name name number text
    \builtin local -a variables
    \builtin local -i terminal=0
    if [[ ! -p $directory/questions ]]; then
        __cortex_policy_start
        \builtin return 1
    fi
    for name in ${(k)parameters[(I)CORTEX_*]} HOME XDG_CONFIG_HOME TRACEPARENT; do
        [[ ${parameters[$name]-} != *export* ]] || variables+=("$name=${(P)name}")
    done
    text="${variables[*]-}$*"
    # what fits into a pipe as a whole cannot make this shell wait
    ((${#text} <= 8000 && $# <= 500 && ${#variables} <= 100)) || \builtin return 1
    [[ ! -t 1 ]] || terminal=1
    number=$((++__cortex_policy_number))
    __cortex_policy_out= __cortex_policy_err=
    # until the answer is whole, nothing else may use the pipes: not a trap, and not the next call after Ctrl-C
    __cortex_policy_state=busy
    {
        \builtin print -rNu4 -- "$number" $terminal ${#variables} "${variables[@]}" $# "$@" . &&
            IFS= \builtin read -r -d $'\0' -t 1 -u 3 text || \builtin return 1
        [[ $text == "$number "* ]] || \builtin return 1
        __cortex_policy_code=${text#* }
        if [[ $__cortex_policy_code == *+ ]]; then
            __cortex_policy_code=${__cortex_policy_code%+}
            IFS= \builtin read -r -d $'\0' -t 1 -u 3 __cortex_policy_out || \builtin return 1
            IFS= \builtin read -r -d $'\0' -t 1 -u 3 __cortex_policy_err || \builtin return 1
        fi
    } 2>/dev/null 3<>"$directory/answers" 4<>"$directory/questions"
    __cortex_policy_state=ready
    [[ $__cortex_policy_code == <0-99> ]]
}

# Start the co-process, but not again within five seconds; it belongs to no job and holds nothing of this shell.
__cortex_policy_start() {
    if ((SECONDS - __cortex_policy_started > 5)); then
        __cortex_policy_started=$SECONDS
        (\command cortex-policy shell-serve "$__cortex_policy_shell" "$__cortex_policy_name" </dev/null >/dev/null 2>&1 &)
    fi
}
