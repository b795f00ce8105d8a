"""The commands, in the groups in which help lists them."""

PROGRAM = "cortex-policy"
# group -> name of each command -> its module in `commands`, and its function or app there
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Ask": {
        "check": ("check", "check"),
        "enforce": ("check", "check"),
        "run": ("run", "run"),
        "explain": ("explain", "explain"),
    },
    "See": {
        "status": ("status", "status"),
        "list": ("list", "list_grants"),
        "show": ("show", "show"),
        "log": ("log", "log"),
        "rate": ("rate", "rate_app"),
        "audit": ("audit", "audit_app"),
        "approvals": ("approvals", "approvals"),
    },
    "Change": {
        "new": ("new", "new"),
        "edit": ("edit", "edit"),
        "set": ("set", "set_grant"),
        "copy": ("copy", "copy"),
        "rename": ("rename", "rename"),
        "remove": ("remove", "remove"),
        "fmt": ("fmt", "fmt"),
        "undo": ("undo", "undo"),
        "suggest": ("suggest", "suggest"),
        "approve": ("approve", "approve"),
        "deny": ("approve", "deny"),
    },
    "Prove": {
        "validate": ("validate", "validate"),
        "rule": ("rule", "rule"),
        "test": ("test", "run_test_cases"),
        "replay": ("replay", "replay"),
        "diff": ("diff", "diff"),
        "stamp": ("stamp", "stamp_app"),
    },
    "Stop": {
        "stop": ("stop", "stop"),
        "resume": ("resume", "resume"),
    },
    "Set up": {
        "init": ("init", "init"),
        "hook": ("hook", "hook_app"),
        "mcp": ("mcp", "mcp_app"),
        "serve": ("serve", "serve"),
        "doctor": ("doctor", "doctor"),
        "config": ("config", "config_app"),
        "schema": ("schema", "schema"),
        "export": ("export", "export"),
        "completions": ("completions", "completions"),
        "shell-init": ("shell_init", "shell_init"),
        "help": ("help", "show_help"),
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
