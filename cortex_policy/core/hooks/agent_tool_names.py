"""The tools that agents have built in, by what they do: for `validate`, which tells a typo by them, and `hook init`.

The names are those that the payloads of an agent have (docs/hooks.md).
"""

READ, SEARCH, WRITE, PATCH, SHELL, HARMLESS, OTHER = "read", "search", "write", "patch", "shell", "harmless", "other"
Tools = dict[str, tuple[str, ...]]

# `harmless` changes nothing outside of the agent, `other` starts agents, asks the network, or stops what runs
TOOLS: dict[str, Tools] = {
    "claude": {
        READ: ("Read", "NotebookRead"),
        SEARCH: ("Glob", "Grep", "LS", "LSP"),
        WRITE: ("Write", "Edit", "MultiEdit", "NotebookEdit"),
        SHELL: ("Bash", "PowerShell", "Monitor"),
        HARMLESS: (
            "TodoWrite", "TodoRead", "TaskCreate", "TaskGet", "TaskList", "TaskUpdate", "TaskOutput", "BashOutput",
            "AskUserQuestion", "EnterPlanMode", "ExitPlanMode", "ToolSearch", "StructuredOutput",
            "ListMcpResourcesTool",
        ),
        OTHER: (
            "Agent", "Task", "Skill", "SlashCommand", "WebFetch", "WebSearch", "KillShell", "KillBash", "TaskStop",
            "ReadMcpResourceTool", "EnterWorktree", "ExitWorktree", "SendMessage", "TeamCreate", "TeamDelete",
            "CronCreate", "CronDelete", "CronList",
        ),
    },
    "codex": {
        READ: ("view_image", "read_file"),
        SEARCH: ("list_dir", "grep_files"),
        PATCH: ("apply_patch",),
        SHELL: ("Bash", "shell", "local_shell", "exec_command", "js_repl"),
        HARMLESS: ("update_plan", "request_user_input", "list_mcp_resources", "list_mcp_resource_templates", "wait"),
        OTHER: (
            "spawn_agent", "send_input", "close_agent", "resume_agent", "wait_agent", "read_mcp_resource", "web_search",
        ),
    },
    "gemini": {
        READ: ("read_file", "read_many_files"),
        SEARCH: ("list_directory", "glob", "search_file_content", "grep_search"),
        WRITE: ("write_file", "replace"),
        SHELL: ("run_shell_command",),
        HARMLESS: (
            "write_todos", "ask_user", "enter_plan_mode", "exit_plan_mode", "get_internal_docs", "complete_task",
        ),
        OTHER: (
            "google_web_search", "web_fetch", "save_memory", "activate_skill", "delegate_to_agent", "cli_help",
            "codebase_investigator", "generalist",
        ),
    },
    "cursor": {
        READ: ("Read", "ReadLints"),
        SEARCH: ("Grep", "Glob", "LS", "SemanticSearch"),
        WRITE: ("Write", "Edit", "Delete", "StrReplace", "EditNotebook"),
        SHELL: ("Shell",),
        HARMLESS: ("TodoWrite", "AskQuestion"),
        OTHER: ("Task", "WebSearch", "WebFetch"),
    },
    "copilot": {
        READ: ("view", "Read", "show_file"),
        SEARCH: ("grep", "glob", "rg", "Grep", "Glob"),
        WRITE: ("create", "edit", "str_replace_editor", "Write", "Edit"),
        PATCH: ("apply_patch",),
        SHELL: ("bash", "Bash", "powershell", "write_bash", "write_powershell"),
        HARMLESS: (
            "read_bash", "list_bash", "read_powershell", "list_powershell", "report_intent", "update_todo", "ask_user",
            "task_complete", "exit_plan_mode", "read_agent", "list_agents",
        ),
        OTHER: (  # `sql` can attach and write any file
            "task", "Task", "skill", "stop_bash", "stop_powershell", "web_fetch", "web_search", "store_memory", "sql",
        ),
    },
    "vscode": {
        READ: ("read_file", "get_errors", "get_changed_files", "view_image"),
        SEARCH: ("list_dir", "file_search", "grep_search", "semantic_search", "list_code_usages"),
        WRITE: (
            "create_file", "create_directory", "replace_string_in_file", "multi_replace_string_in_file",
            "insert_edit_into_file", "edit_notebook_file", "create_new_jupyter_notebook",
        ),
        PATCH: ("apply_patch",),
        SHELL: ("run_in_terminal", "run_task", "create_and_run_task", "run_notebook_cell"),
        HARMLESS: ("manage_todo_list", "get_terminal_output", "get_task_output", "test_failure"),
        OTHER: (
            "runSubagent", "fetch_webpage", "github_repo", "memory", "runTests", "run_vscode_command",
            "install_extension", "create_new_workspace", "open_simple_browser",
        ),
    },
}  # fmt: skip


def list_tools_of_agents(agents: "tuple[str, ...] | None" = None) -> tuple[str, ...]:
    """Return the tools of some agents, or of all, each once."""
    kinds = [TOOLS[agent] for agent in (TOOLS if agents is None else agents)]
    return tuple(dict.fromkeys(tool for tools in kinds for names in tools.values() for tool in names))
