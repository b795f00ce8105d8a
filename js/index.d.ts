/** Why a call was allowed or denied, or could not be decided. */
export type Reason =
  | "allowed"
  | "action_not_allowed"
  | "argument_not_allowed"
  | "path_outside_scope"
  | "approval_required"
  | "rate_limited"
  | "stopped"
  | "grant_not_found"
  | "grant_invalid"
  | "grant_unsafe"
  | "stamp_mismatch"
  | "state_unavailable"
  | "root_not_found"
  | "root_ambiguous"
  | "settings_invalid"
  | "usage";

/** The arguments of a call: a Map, or an object without a class, of JSON values. A member that is undefined is none. */
export type Arguments = object;

/** What a tool may do. Only `loadGrant` makes one; it never changes. */
export class Grant {
  private constructor();
  readonly id: string;
  readonly tool: string;
  readonly actions: readonly string[];
  /** a bigint where a double cannot hold it */
  readonly perMinute: number | bigint;
  readonly dataClass: "public" | "internal" | "sensitive";
  readonly fsScope: readonly string[];
  /** of the bytes of the file */
  readonly sha256: string;
  readonly file: string;
  readonly root: string;
}

/** A path of a call, as its text and as the kernel resolves it. */
export interface ResolvedPath {
  readonly argument: string;
  readonly given: string;
  /** relative to the root, `.` and `..` removed from the text; '' is the root itself */
  readonly normalized?: string | undefined;
  /** relative to the root, links followed */
  readonly resolvedInside?: string | undefined;
  /** the same as an absolute path */
  readonly resolved?: string | undefined;
  readonly error?: string;
  readonly protectedReason?: string;
  /** the scope that allows it */
  readonly scope?: string | undefined;
}

/** What a budget says after a call. */
export interface Budget {
  readonly limit: number | bigint;
  /** hits of the last 60 seconds */
  readonly used: number;
  readonly remaining: number | bigint;
  /** until the cost fits (after an allowed call: until one more fits); null: it never fits */
  readonly retryAfterSeconds: number | null;
  /** hits that this call took */
  readonly consumed: number;
  /** the budget was opened again after damage, and denies all for a minute */
  readonly closed?: boolean;
  readonly closedBecause?: string;
  /** counted on this host alone, as the server of budgets does not answer */
  readonly local?: boolean;
}

/** An answer, and why. */
export class Decision {
  private constructor();
  readonly allowed: boolean;
  readonly reason: Reason;
  /** as of `cortex-policy check` */
  readonly exitCode: number;
  /** the sentence of the reason, and the detail */
  readonly message: string;
  readonly detail: string;
  /** what would help, '' if nothing does */
  readonly hint: string;
  readonly obligations: readonly string[];
  readonly paths: readonly ResolvedPath[];
  /** undefined if it was not looked at */
  readonly budget: Budget | undefined;
  /** the same call may be allowed after `budget.retryAfterSeconds` */
  readonly retryable: boolean;
  toJSON(): object;
}

/** What counts calls: `take` consumes `cost` hits if they fit into `limit` a minute, `peek` does not. */
export interface Budgets {
  take(tool: string, action: string, limit: number | bigint, cost: number): Budget;
  peek(tool: string, action: string, limit: number | bigint, cost: number): Budget;
}

/** The same, where the answer comes later. */
export interface AsyncBudgets {
  take(tool: string, action: string, limit: number | bigint, cost: number): Promise<Budget>;
  peek(tool: string, action: string, limit: number | bigint, cost: number): Promise<Budget>;
}

/** Budgets of one process, exact over all its threads. Give `memory` to a worker, which makes its own of it. */
export class ThreadBudgets implements Budgets {
  /** `bytes` of memory (64 MiB); or the `memory` of other budgets, to count the same hits */
  constructor(options?: { memory?: SharedArrayBuffer; bytes?: number });
  readonly memory: SharedArrayBuffer;
  take(tool: string, action: string, limit: number | bigint, cost?: number): Budget;
  peek(tool: string, action: string, limit: number | bigint, cost?: number): Budget;
}

export interface CallOptions<B = Budgets> {
  /** hits that the call takes, 1 */
  cost?: number;
  /** decide, and count nothing */
  peek?: boolean;
  /** what counts; by default the budgets of this thread alone */
  budgets?: B;
}

/** Load a grant. One that is loaded again comes from memory, unless anything that decides it has changed. */
export function loadGrant(id: string, options?: { root?: string }): Promise<Grant>;

/** Allow a call and count it, or throw AccessDenied. Any other error denies the call, too. */
export function enforce(grant: Grant, action: string, args?: Arguments, options?: CallOptions): true;

/** Decide a call; an allowed one is counted. Throws GrantError, StateError or UsageError where there is no answer. */
export function decide(grant: Grant, action: string, args?: Arguments, options?: CallOptions): Decision;

/** `enforce` by budgets that answer later. */
export function enforceAsync(
  grant: Grant,
  action: string,
  args?: Arguments,
  options?: CallOptions<Budgets | AsyncBudgets>,
): Promise<true>;

/** `decide` by budgets that answer later. */
export function decideAsync(
  grant: Grant,
  action: string,
  args?: Arguments,
  options?: CallOptions<Budgets | AsyncBudgets>,
): Promise<Decision>;

/** What the program decides when it is asked: whatever its settings want holds, as shared budgets and the audit log. */
export interface Asker {
  /** Decide a call; an allowed one is counted, unless `peek`. Rejects with an error where there is no answer. */
  decide(id: string, action: string, args?: Arguments, options?: { cost?: number; peek?: boolean }): Promise<Decision>;
  /** Allow a call and count it, or reject with AccessDenied. Any other error denies the call, too. */
  enforce(id: string, action: string, args?: Arguments, options?: { cost?: number; peek?: boolean }): Promise<true>;
  close(): void;
}

/** Asks `cortex-policy check --batch`, a child process that is started by the first call, and again after it has ended. */
export class CheckProcess implements Asker {
  constructor(options?: {
    /** the directory that holds `.cortex/policy` */
    root?: string;
    /** the program, "cortex-policy" */
    command?: string;
    /** where relative paths begin */
    cwd?: string;
    env?: Readonly<Record<string, string | undefined>>;
    /** of one answer, 30,000: an approval may take long */
    timeoutMs?: number;
  });
  decide(id: string, action: string, args?: Arguments, options?: { cost?: number; peek?: boolean }): Promise<Decision>;
  enforce(id: string, action: string, args?: Arguments, options?: { cost?: number; peek?: boolean }): Promise<true>;
  /** End the process, after the answers to the calls that wait. */
  close(): void;
}

/** Asks `cortex-policy serve` over its unix socket. A relative path begins at the root; each call has the cost 1. */
export class CheckServer implements Asker {
  constructor(socketPath: string, options?: { timeoutMs?: number });
  decide(id: string, action: string, args?: Arguments, options?: { cost?: 1; peek?: boolean }): Promise<Decision>;
  enforce(id: string, action: string, args?: Arguments, options?: { cost?: 1; peek?: boolean }): Promise<true>;
  close(): void;
}

/** Budgets on a Redis or Valkey server, for `decideAsync` and `enforceAsync`. */
export class RedisBudgets implements AsyncBudgets {
  /**
   * `command` sends one command by your client: `(words) => client.sendCommand(words)` of redis, `([name, ...rest]) =>
   * client.call(name, ...rest)` of ioredis. `name` and `secret` are the same on all hosts.
   */
  constructor(
    command: (words: string[]) => Promise<unknown>,
    name: string,
    secret: Uint8Array | string,
    options?: { timeoutMs?: number },
  );
  take(tool: string, action: string, limit: number | bigint, cost?: number): Promise<Budget>;
  peek(tool: string, action: string, limit: number | bigint, cost?: number): Promise<Budget>;
}

/** The root of all errors of this package. */
export class CortexPolicyError extends Error {
  protected constructor();
  readonly reason: Reason;
  readonly exitCode: number;
  readonly detail: string;
  /** a command or a sentence that helps, '' if nothing does */
  readonly hint: string;
}

/** A call is denied. `message` is the sentence of the reason alone; `stack` is one line, the name and the message. */
export class AccessDenied extends CortexPolicyError {
  private constructor();
  readonly decision: Decision;
}

/** A root, a grant, its stamp or the settings are missing, unsafe or invalid. */
export class GrantError extends CortexPolicyError {
  private constructor();
}

/** Budgets cannot be counted. */
export class StateError extends CortexPolicyError {
  private constructor();
}

/** A call, or what a program passed, cannot be read. */
export class UsageError extends CortexPolicyError {
  private constructor();
}
