# Checks of cortex-policy through one co-process of this shell; everything else, and whatever goes wrong, by the program.
# It needs bash 5 and Linux; elsewhere the program answers everything.
# INVARIANT: every name has our prefix: to assign to a readonly variable of the script would skip the line it guards with us.
__cortex_policy_shell=${BASHPID-}
__cortex_policy_name=shell-${BASHPID-}.${EPOCHREALTIME-}
__cortex_policy_directory='@DIRECTORY@'
__cortex_policy_pipes=$__cortex_policy_directory/$__cortex_policy_name
__cortex_policy_number=0
__cortex_policy_state=ready
[[ ${BASH_VERSINFO[0]-0} -ge 5 ]] || __cortex_policy_state=off
__cortex_policy_started=

# Ask the co-process. IFS is the script's: nothing here may depend on it, or set it.
# What fails is followed by `||`, so that a trap of the script for errors sees the call alone. Bash copies a function for
# each call of it, so what is seldom needed has its own.
# INVARIANT: where `builtin` is a function of the script, `local` makes nothing local and `return` does not return: what
# was asked before is cleared by assignments, and what comes behind a `return` allows nothing.
function cortex-policy {
    # with this option a trap of the script may skip any command as if it had succeeded: only what is after `!` fails then
    if ! [[ $BASHOPTS == *extdebug* ]]; then
        [[ $- != *x* ]] || { \builtin local -; \builtin set +x; } 2>/dev/null
        \builtin local __cortex_policy_variables __cortex_policy_text __cortex_policy_answer
        __cortex_policy_variables= __cortex_policy_text= __cortex_policy_answer=
        # another user may have made a directory of this name, with pipes or with links to what answers
        if [[ ${1-} == @(check|enforce) && $__cortex_policy_state == ready && ${BASHPID-} == "$__cortex_policy_shell" &&
            -p $__cortex_policy_pipes/questions && -O $__cortex_policy_directory && ! -L $__cortex_policy_directory &&
            -O $__cortex_policy_pipes/answers ]] &&
            { __cortex_policy_list_variables || { __cortex_policy_define; __cortex_policy_list_variables; }; }; then
            __cortex_policy_text=$*
            # what fits into the smallest pipe as a whole, in any encoding, cannot make this shell wait
            if ((${#__cortex_policy_variables} + ${#__cortex_policy_text} <= 2000 && $# <= 500)); then
                [[ ! -t 1 ]] || __cortex_policy_variables+=terminal
                # until the answer is whole, nothing else may use the pipes: not a trap, and not the next call after Ctrl-C
                __cortex_policy_state=busy __cortex_policy_text="$((++__cortex_policy_number)) 00."
                # a trap of the script may run meanwhile, so only these two commands have the pipes, in place of what none uses
                { \builtin printf '%s\0' "$__cortex_policy_number" "$__cortex_policy_variables" "$#" "$@" . \
                    1<>"$__cortex_policy_pipes/questions" &&
                    \builtin read -r -N "${#__cortex_policy_text}" -t 1 __cortex_policy_answer \
                        0<>"$__cortex_policy_pipes/answers" &&
                    [[ $__cortex_policy_answer == "$__cortex_policy_text" ]] || __cortex_policy_read_texts
                } && __cortex_policy_state=ready || :
            fi
        fi
        # both are empty if nothing was asked, which must not allow
        [[ -n ${__cortex_policy_answer-} && $__cortex_policy_answer == "$__cortex_policy_text" ]] ||
            __cortex_policy_finish "$@" || { \builtin return; [[ -z unreachable ]]; }
    else
        (\builtin exec cortex-policy "$@"; ! [[ unreachable ]]) || { \builtin return; ! [[ unreachable ]]; }
    fi
}

# Put the variables that an answer depends on into one text, each with its attributes; fail if this must be defined first.
function __cortex_policy_list_variables {
    [[ defined == '' ]]
}

# Define that for the names that there are, since to expand a name costs half as much as a reference to it. Where letters
# match without case, so would names, and the program answers. So it does if a variable is there that is not exported, or
# not set: it may be a local one that hides one that children get.
function __cortex_policy_define {
    \builtin local __cortex_policy_text __cortex_policy_names __cortex_policy_tests __cortex_policy_fields __cortex_policy_count
    __cortex_policy_names= __cortex_policy_tests= __cortex_policy_fields= __cortex_policy_count=0
    for __cortex_policy_text in "${!CORTEX_@}"; do __cortex_policy_names+=" $__cortex_policy_text"; done
    for __cortex_policy_text in "${!CORTEX_@}" HOME TRACEPARENT XDG_CONFIG_HOME; do
        if [[ -R $__cortex_policy_text ]]; then
            __cortex_policy_tests+=" && -R $__cortex_policy_text" __cortex_policy_text+==reference=
        else
            __cortex_policy_tests+=" && ! -R $__cortex_policy_text"
            __cortex_policy_text+="=\${$__cortex_policy_text++\${$__cortex_policy_text@a}=}\${$__cortex_policy_text--\${!$__cortex_policy_text@}}"
        fi
        __cortex_policy_fields+=$__cortex_policy_text$'\x1f' __cortex_policy_count=$((__cortex_policy_count + 1))
    done
    \builtin eval "function __cortex_policy_list_variables {
        [[ a != A && \"\${!CORTEX_@}\" == '${__cortex_policy_names# }'$__cortex_policy_tests ]] &&
            __cortex_policy_variables=\"$__cortex_policy_count"$'\x1f'"$__cortex_policy_fields\"
    }"
}

# Take an answer that is not the usual one; fail if it is none to this question. Its texts are there as soon as its number is.
function __cortex_policy_read_texts {
    __cortex_policy_variables=()
    [[ $__cortex_policy_answer == "${__cortex_policy_text%00.}"??[.+] ]] && {
        [[ $__cortex_policy_answer != *+ ]] || \builtin mapfile -t -d '' -n 2 __cortex_policy_variables \
            0<>"$__cortex_policy_pipes/answers"
    }
}

# Print what the program would print and return its exit code, or run the program.
function __cortex_policy_finish {
    if [[ $__cortex_policy_state == ready && ${__cortex_policy_answer-} == *[0-9][0-9][.+] ]]; then
        # in a subshell, since SIGPIPE ends who writes what nobody reads
        [[ -z ${__cortex_policy_variables[0]-} ]] || (\builtin printf %s "${__cortex_policy_variables[0]}" 2>/dev/null) || :
        [[ -z ${__cortex_policy_variables[1]-} ]] || (\builtin printf %s "${__cortex_policy_variables[1]}" >&2 2>/dev/null) || :
        __cortex_policy_answer=${__cortex_policy_answer: -3:2}
        [[ $__cortex_policy_answer == 00 ]] || { \builtin return "${__cortex_policy_answer#0}"; [[ -z unreachable ]]; }
    else
        [[ ${1-} != @(check|enforce) || $__cortex_policy_state != ready || ${BASHPID-} != "$__cortex_policy_shell" ||
            -p $__cortex_policy_pipes/questions ]] || __cortex_policy_start
        (\builtin exec cortex-policy "$@"; [[ -z unreachable ]])
    fi
}

# Start the co-process, but not again within five seconds; it belongs to no job and holds nothing of this shell.
function __cortex_policy_start {
    if [[ -z $__cortex_policy_started ]] || ((${SECONDS-0} - __cortex_policy_started > 5)); then
        __cortex_policy_started=${SECONDS-0}
        (\builtin exec cortex-policy shell-serve "$__cortex_policy_shell" "$__cortex_policy_name" </dev/null >/dev/null 2>&1 &)
    fi
}
