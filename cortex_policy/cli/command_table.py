"""The commands, in the groups in which help lists them."""

PROGRAM = "cortex-policy"
# group -> name of each command -> its module in `commands`, its function or app there, and the first sentence of its
# help: help of the program would take 1.5 times as long if it loaded all commands for them
GROUPS: dict[str, dict[str, tuple[str, str, str]]] = {
    "Ask": {
        "check": ("check", "check", "Decide a call, and count it if it is allowed."),
        "enforce": ("check", "check", "The same command as `check`."),
        "run": ("run", "run", "Decide a call, and run a command if it is allowed."),
        "explain": ("explain", "explain", "Explain, rule by rule, how a call is decided; count nothing."),
    },
    "See": {
        "status": ("status", "status", "Show whether checks can be allowed, and what decides that."),
        "list": ("list", "list_grants", "List the grants, and what is wrong with them."),
        "show": ("show", "show", "Show a grant, its file, and what is left of its budgets."),
        "log": ("log", "log", "List what operators did, newest first."),
        "rate": ("rate", "rate_app", "Show, watch, reset or purge budgets."),
        "audit": ("audit", "audit_app", "Verify the audit log, follow it, send it, or look calls up."),
        "approvals": ("approvals", "approvals", "List the calls that wait for a human."),
    },
    "Change": {
        "new": ("new", "new", "Create a grant."),
        "edit": ("edit", "edit", "Edit a grant in your editor, and save it if it loads."),
        "set": ("set", "set_grant", "Change a grant in one write."),
        "copy": ("copy", "copy", "Copy a grant to a new id."),
        "rename": ("rename", "rename", "Change the id of a grant."),
        "remove": ("remove", "remove", "Remove a grant, valid or not."),
        "fmt": ("fmt", "fmt", "Format grants in one canonical layout."),
        "undo": ("undo", "undo", "Undo a hand edit, or, if there is none, the last write."),
        "suggest": ("suggest", "suggest", "Show the smallest changes that would allow denied calls."),
        "approve": ("approve", "approve", "Allow one call that waits for a human, once."),
        "deny": ("approve", "deny", "Deny a call that waits for a human."),
    },
    "Prove": {
        "validate": ("validate", "validate", "Report what is wrong with grants, and how to fix it."),
        "rule": ("rule", "rule", "Explain a rule of `validate`, or list all rules."),
        "test": ("test", "run_test_cases", "Run the test cases of grants and report their coverage."),
        "replay": ("replay", "replay", "Decide past calls again, and list the changed answers."),
        "diff": ("diff", "diff", "Report whether a change allows more than before, or less."),
        "stamp": ("stamp", "stamp_app", "Show, verify or write the version and checksum of the grants."),
    },
    "Stop": {
        "stop": ("stop", "stop", "Deny every call, at once, until `resume`."),
        "resume": ("resume", "resume", "End the emergency stop of a root."),
    },
    "Set up": {
        "init": ("init", "init", "Create `.cortex/policy/tools`, with an example grant."),
        "hook": ("hook", "hook_app", "Check the tool calls of agents."),
        "mcp": ("mcp", "mcp_app", "Check MCP tool calls, and answer a model's questions."),
        "serve": ("serve", "serve", "Answer AuthZEN requests over HTTP."),
        "doctor": ("doctor", "doctor", "Check each thing that can be wrong on this machine."),
        "config": ("config", "config_app", "Show and change settings, and show where each came from."),
        "schema": ("schema", "schema", "Print the JSON Schema of a grant."),
        "export": ("export", "export", "Write a WebAssembly module that decides in other programs."),
        "completions": ("completions", "completions", "Print the completion script of a shell."),
        "shell-init": ("shell_init", "shell_init", "Print a shell function that makes checks faster."),
        "help": ("help", "show_help", "Print the help of a command."),
    },
}
COMMANDS = {name: place for commands in GROUPS.values() for name, place in commands.items()}
ALIASES = {"enforce": "check"}
# what people type who know other programs -> what they mean
OTHER_WORDS = {
    "add": "new", "cp": "copy", "create": "new", "delete": "remove", "format": "fmt", "grants": "list",
    "history": "log", "lint": "validate", "logs": "audit", "ls": "list", "mv": "rename", "revert": "undo",
    "rm": "remove", "settings": "config", "version": "--version", "why": "explain",
}  # fmt: skip
OTHER_WORDS_IN_GROUPS = {
    "audit": {"check": "verify", "follow": "tail", "list": "show", "log": "show", "ls": "show", "watch": "tail"},
    "config": {"add": "set", "delete": "unset", "ls": "list", "print": "get", "remove": "unset", "rm": "unset",
               "show": "get"},
    "hook": {"add": "install", "check": "doctor", "delete": "uninstall", "list": "status", "ls": "status",
             "remove": "uninstall", "rm": "uninstall", "show": "status", "test": "doctor"},
    "rate": {"clear": "reset", "get": "show", "list": "show", "ls": "show", "status": "show"},
    "stamp": {"accept": "write", "check": "verify", "get": "show", "update": "write"},
}  # fmt: skip
# an option that people type, in lower case without `-` and `_` -> what they mean: the first that the command has
OTHER_OPTIONS: dict[str, tuple[str, ...]] = {
    "action": ("--allow",), "actions": ("--allow",), "addaction": ("--allow",), "addarg": ("--arg",),
    "addscope": ("--scope",), "args": ("--arg",), "argument": ("--arg",), "class": ("--data-class",),
    "dataclass": ("--data-class",), "deny": ("--revoke",), "dir": ("--root",), "directory": ("--root",),
    "disallow": ("--revoke",), "dropaction": ("--revoke",), "dropscope": ("--remove-scope",),
    "dryrun": ("--peek",), "file": ("--path",), "fsscope": ("--scope", "--add-scope"),
    "limit": ("--rate", "--number"), "perminute": ("--rate",), "preview": ("--dry-run", "--peek"),
    "rateperminute": ("--rate",), "removeaction": ("--revoke",),
    "removearg": ("--drop-arg",), "scope": ("--add-scope",), "silent": ("--quiet",), "timeout": ("--wait",),
}  # fmt: skip
