// What consumers write; `tsc --strict` checks it in .ci/run.
import {
  AccessDenied,
  CheckProcess,
  CheckServer,
  Grant,
  GrantError,
  RedisBudgets,
  ThreadBudgets,
  decide,
  enforce,
  enforceAsync,
  loadGrant,
  type Decision,
  type Reason,
} from "cortex-policy";

const grant: Grant = await loadGrant("git", { root: "/srv/repo" });
const yes: true = enforce(grant, "tree", { path: "docs/x", n: undefined, list: [1, { a: null }] });
const decision: Decision = decide(grant, "tree", new Map([["path", "docs"]]), { cost: 2, peek: true });
const reason: Reason = decision.reason;
const wait: number = decision.budget?.retryAfterSeconds ?? 0;
const budgets = new ThreadBudgets({ bytes: 1 << 20 });
new ThreadBudgets({ memory: budgets.memory }).take("git", "tree", 60n, 1).remaining satisfies number | bigint;

interface Args {
  path: string;
}
const args: Args = { path: "docs" };
enforce(grant, "tree", args, { budgets });

try {
  enforce(grant, "push");
} catch (error) {
  if (error instanceof AccessDenied) error.decision.paths.map(({ scope }) => scope?.length);
  if (error instanceof GrantError) console.log(error.hint, error.exitCode);
}

const redis = new RedisBudgets(async (words: string[]) => words.length, "production", "0123456789abcdef");
const allowed: true = await enforceAsync(grant, "tree", {}, { budgets: redis });
const child = new CheckProcess({ root: "/srv/repo", env: process.env });
const answer: Decision = await child.decide("git", "tree", {}, { cost: 2 });
child.close();
const served: true = await new CheckServer("/run/x.sock").enforce("git", "tree");

// @ts-expect-error: a Promise is no budget of a call that answers at once
enforce(grant, "tree", {}, { budgets: redis });
// @ts-expect-error: nobody makes a grant
new Grant();
// @ts-expect-error: a decision does not change
decision.allowed = true;
// @ts-expect-error: a server takes one hit a call
void new CheckServer("/run/x.sock").enforce("git", "tree", {}, { cost: 2 });

export { allowed, answer, reason, served, wait, yes };
