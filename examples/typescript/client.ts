// Ask a decision point before a tool runs: docs/serve.md. Only a 200 that says `true` allows; everything else denies.
//
//   PDP_URL=http://127.0.0.1:8930 PDP_TOKEN_FILE=~/.cortex/serve.token node client.ts git tree '{"path": "docs/x"}'

import { readFileSync } from "node:fs";

type Decision = { allowed: boolean; reason: string; message: string; retryAfterSeconds: number | null };

export class DecisionPoint {
  private url: string;
  private token: string;
  private timeoutMs: number;

  constructor(url: string, token: string, timeoutMs = 2000) {
    this.url = url;
    this.token = token;
    this.timeoutMs = timeoutMs;
  }

  /** Decide a call and count it; never throws: what cannot be decided is denied. */
  async enforce(grant: string, action: string, args: Record<string, unknown>): Promise<Decision> {
    const request = {
      subject: { type: "agent", id: "example" },
      resource: { type: "tool", id: grant },
      action: { name: action },
      context: { ...args, consume: true },
    };
    try {
      const answer = await fetch(new URL("/access/v1/evaluation", this.url), {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${this.token}` },
        body: JSON.stringify(request),
        redirect: "error",
        signal: AbortSignal.timeout(this.timeoutMs),
      });
      if (answer.status !== 200) return denied("undecided", (await answer.text()).trim());
      const { decision, context } = await answer.json();
      const wait = context?.retryable ? (context.rate?.retry_after_seconds ?? null) : null;
      return {
        allowed: decision === true,
        reason: String(context?.reason),
        message: String(context?.message),
        retryAfterSeconds: wait,
      };
    } catch (error) {
      return denied("undecided", String(error));
    }
  }
}

function denied(reason: string, message: string): Decision {
  return { allowed: false, reason, message, retryAfterSeconds: null };
}

if (process.argv.length === 5) {
  const [grant, action, args] = process.argv.slice(2);
  const token = readFileSync(process.env.PDP_TOKEN_FILE ?? "", "utf8").trim();
  const decision = await new DecisionPoint(process.env.PDP_URL ?? "", token).enforce(grant, action, JSON.parse(args));
  console.log(JSON.stringify(decision));
  process.exitCode = decision.allowed ? 0 : 1;
}
