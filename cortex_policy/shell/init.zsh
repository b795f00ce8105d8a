# Checks of cortex-policy through one co-process of this shell; everything else, and whatever goes wrong, by the program.
# It needs Linux; elsewhere the program answers everything.
# Every name has our prefix, since a trap of the script may run in the middle of a function.
zmodload zsh/system zsh/parameter zsh/datetime 2>/dev/null
typeset -g __cortex_policy_shell=${sysparams[pid]-}
typeset -g __cortex_policy_name=shell-$__cortex_policy_shell.${EPOCHREALTIME-}
typeset -g __cortex_policy_directory='@DIRECTORY@'
typeset -g __cortex_policy_pipes=$__cortex_policy_directory/$__cortex_policy_name
typeset -gi __cortex_policy_number=0
typeset -g __cortex_policy_state=ready
typeset -gi __cortex_policy_started=-10

# What fails is followed by `||`, so that a trap of the script for errors sees the call alone.
function cortex-policy {
    [[ ! -o xtrace ]] || \builtin setopt local_options no_xtrace
    \builtin local __cortex_policy_code= __cortex_policy_out= __cortex_policy_err=
    # where `builtin` is a function of the script, nothing is local, and `emulate` and `return` do nothing
    if [[ ${1-} == (check|enforce) && $__cortex_policy_state == ready && ${sysparams[pid]-} == "$__cortex_policy_shell" &&
        ${(t)__cortex_policy_code} == *local* ]] && __cortex_policy_ask "$@"; then
        # in a subshell, since SIGPIPE ends who writes what nobody reads
        [[ -z $__cortex_policy_out ]] || (\builtin print -rn -- "$__cortex_policy_out" 2>/dev/null) || :
        [[ -z $__cortex_policy_err ]] || (\builtin print -rn -- "$__cortex_policy_err" >&2 2>/dev/null) || :
        [[ $__cortex_policy_code == 0 ]] || { \builtin return "$__cortex_policy_code"; [[ -z unreachable ]]; }
    else
        # these tests fail where the script has a function `builtin`, which must not allow
        (\builtin exec \builtin command cortex-policy "$@"; [[ -z unreachable ]]) || { \builtin return; [[ -z unreachable ]]; }
    fi
}

# Ask the co-process; fail if the program must answer.
function __cortex_policy_ask {
    # the script may have variables of this name
    [[ ${(t)parameters} == *special* && ${parameters[IFS]-} != *readonly* ]] || \builtin return 1
    \builtin emulate -L zsh
    \builtin local __cortex_policy_variable __cortex_policy_text __cortex_policy_sent
    \builtin local -a __cortex_policy_variables
    # another user may have made a directory of this name, with pipes or with links to what answers
    if [[ ! ( -p $__cortex_policy_pipes/questions && -O $__cortex_policy_directory && ! -L $__cortex_policy_directory &&
        -O $__cortex_policy_pipes/answers ) ]]; then
        __cortex_policy_start
        \builtin return 1
    fi
    # until the answer is whole, nothing else may use the pipes: not a trap, and not the next call after Ctrl-C; from here
    # on, since zsh 5.9 may crash if a trap lists the parameters while they are listed
    __cortex_policy_state=busy
    __cortex_policy_variables=(${(k)parameters[(I)CORTEX_*]} HOME TRACEPARENT XDG_CONFIG_HOME)
    __cortex_policy_text=${#__cortex_policy_variables}$'\x1f'
    for __cortex_policy_variable in $__cortex_policy_variables; do
        __cortex_policy_text+="$__cortex_policy_variable=${(Pt)__cortex_policy_variable}=${(P)__cortex_policy_variable}"$'\x1f'
    done
    # what fits into the smallest pipe as a whole, in any encoding, cannot make this shell wait; a child gets no more than
    # what is before a NUL, which ends a field here
    __cortex_policy_sent=$*
    ((${#__cortex_policy_text} + ${#__cortex_policy_sent} <= 2000 && $# <= 500)) &&
        [[ $__cortex_policy_text$__cortex_policy_sent != *$'\0'* ]] || {
        __cortex_policy_state=ready
        \builtin return 1
    }
    [[ ! -t 1 ]] || __cortex_policy_text+=terminal
    __cortex_policy_sent=$((++__cortex_policy_number))
    # a trap of the script may run at any time, so no descriptor that it may use leads to a pipe, not even for a moment
    \builtin local -i __cortex_policy_questions=-1 __cortex_policy_answers=-1
    {
        \builtin sysopen -rw -o cloexec -u __cortex_policy_questions "$__cortex_policy_pipes/questions" &&
            \builtin sysopen -rw -o cloexec -u __cortex_policy_answers "$__cortex_policy_pipes/answers" &&
            \builtin print -rNu $__cortex_policy_questions -- "$__cortex_policy_sent" "$__cortex_policy_text" $# "$@" . &&
            \builtin sysread -t 1 -i $__cortex_policy_answers __cortex_policy_text || \builtin return 1
        # what is long is there as a whole; to be ready for it each time takes longer
        [[ $__cortex_policy_text != "$__cortex_policy_sent "??+* || $__cortex_policy_text == *$'\0'*$'\0' ]] ||
            __cortex_policy_read_rest || \builtin return 1
    } always {
        ((__cortex_policy_questions < 0)) || \builtin exec {__cortex_policy_questions}>&-
        ((__cortex_policy_answers < 0)) || \builtin exec {__cortex_policy_answers}>&-
    }
    if [[ $__cortex_policy_text == "$__cortex_policy_sent "??(.|+*$'\0'*$'\0') ]]; then
        __cortex_policy_state=ready
        __cortex_policy_text=${__cortex_policy_text#* }
        __cortex_policy_code=${__cortex_policy_text[1,2]#0}
        if [[ $__cortex_policy_text == ??+* ]]; then
            __cortex_policy_out=${${__cortex_policy_text%%$'\0'*}#??+}
            __cortex_policy_err=${${__cortex_policy_text#*$'\0'}%$'\0'}
        fi
    fi
    [[ $__cortex_policy_code == <0-99> ]]
}

# Read the rest of an answer that is long.
function __cortex_policy_read_rest {
    \builtin local __cortex_policy_rest=
    \builtin sysread -t 1 -s 65536 -i $__cortex_policy_answers __cortex_policy_rest && __cortex_policy_text+=$__cortex_policy_rest
}

# Start the co-process, but not again within five seconds; it belongs to no job and holds nothing of this shell.
function __cortex_policy_start {
    if ((${SECONDS-0} - __cortex_policy_started > 5)); then
        __cortex_policy_started=${SECONDS-0}
        (
            \builtin setopt no_bg_nice
            \builtin exec \builtin command cortex-policy shell-serve "$__cortex_policy_shell" "$__cortex_policy_name" </dev/null >/dev/null 2>&1 &
        )
    fi
}
