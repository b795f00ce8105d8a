// A plugin of OpenCode that asks the grant `opencode` before each tool runs, and denies by throwing.
//
// Copy it to .opencode/plugin/ of a project. The actions of the grant are the names of tools, its `fsScope` says where files may be:
//
//   cortex-policy new opencode --allow read,edit,write,glob,grep,list --rate 120 --scope src --scope docs
//
// A tool that the grant does not name is denied. Do not name one whose paths are in other texts: `bash`, `apply_patch`, `batch` (docs/hooks.md).
// Name this plugin last: what another one changes in the arguments afterwards is not seen.

import { CheckProcess } from "cortex-policy";

const SEARCHES = new Set(["glob", "grep", "list"]); // they begin at the directory of the project where no path is given

type Before = (input: { tool: string }, output: { args: Record<string, unknown> }) => Promise<void>;

export const CortexPolicy = async ({ directory }: { directory: string }): Promise<{ "tool.execute.before": Before }> => {
  // the program counts for all sessions, and writes the audit log
  const policy = new CheckProcess({ root: directory, cwd: directory, command: process.env.CORTEX_POLICY ?? "cortex-policy" });
  return {
    "tool.execute.before": async ({ tool }, { args }) => {
      const asked = SEARCHES.has(tool) ? { ...args, path: args.path ?? directory } : args;
      const decision = await policy.decide("opencode", tool, asked); // throws if there is no answer, which denies as well
      if (!decision.allowed) throw new Error(`cortex-policy: ${decision.message}`);
    },
  };
};
