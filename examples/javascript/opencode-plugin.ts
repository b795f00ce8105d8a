// A plugin of OpenCode that asks the grant `opencode` before each tool runs, and denies by throwing.
//
// Copy it to .opencode/plugin/ of a project. The actions of the grant are the names of tools, its `fsScope` says where files may be:
//
//   cortex-policy new opencode --allow read,edit,write,glob,grep,list --rate 120 --scope src --scope docs
//
// A tool that the grant does not name is denied, `bash` too: what a shell does, no path says (docs/hooks.md).

import { CheckProcess } from "cortex-policy";

type Before = (input: { tool: string }, output: { args: Record<string, unknown> }) => Promise<void>;

export const CortexPolicy = async ({ directory }: { directory: string }): Promise<{ "tool.execute.before": Before }> => {
  // the program counts for all sessions, and writes the audit log
  const policy = new CheckProcess({ root: directory, cwd: directory, command: process.env.CORTEX_POLICY ?? "cortex-policy" });
  return {
    "tool.execute.before": async ({ tool }, { args }) => {
      const decision = await policy.decide("opencode", tool, args); // throws if there is no answer, which denies as well
      if (!decision.allowed) throw new Error(`cortex-policy: ${decision.message}`);
    },
  };
};
