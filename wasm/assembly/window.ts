// What a rate leaves: from times of hits that a host has, or as it is told.

import { emptyList } from "./lists";
import { integerOf, digitsOf } from "./text";
import { sortBy } from "./sort";
import { Request } from "./request";
import { compareDigits, compareNumbers, doubleOf, Kind, numberText, Value, valueText } from "./value";

const WINDOW_SECONDS: f64 = 60;
const BEHIND_LAST: i64 = 1_000_000_000_000_000_000; // a one and 18 zeros

/** Hits in the window, hits left, and the seconds until the cost fits: null if it never does. */
export class Budget {
  limit: Value = Value.ofInteger("1");
  used: Value = Value.ofInteger("0");
  remaining: Value = Value.ofInteger("0");
  retryAfterSeconds: Value | null = null;
  consumed: Value = Value.ofInteger("0");
  isClosed: bool = false;
  isLocal: bool = false;
  closedBecause: string = "";
  problem: string = "";

  static of(limit: string, used: i64, retry: Value, consumed: i64): Budget {
    const made = new Budget();
    made.limit = Value.ofInteger(limit);
    made.used = Value.ofInteger(digitsOf(used));
    made.remaining = Value.ofInteger(differenceOrZero(limit, used));
    made.retryAfterSeconds = retry;
    made.consumed = Value.ofInteger(digitsOf(consumed));
    return made;
  }

  static neverFitting(limit: string, used: i64): Budget {
    const made = Budget.of(limit, used, Value.ofInteger("0"), 0);
    made.retryAfterSeconds = null;
    return made;
  }

  static failed(problem: string): Budget {
    const made = new Budget();
    made.problem = problem;
    return made;
  }

  /** Return what a host says; `problem` is set if it is no budget. */
  static from(value: Value): Budget {
    const made = new Budget();
    for (let at = 0; at < value.names.length; at += 1) {
      if (!made.read(value.names[at], value.parts[at])) made.problem = `\`${value.names[at]}\` is no member of a budget, or has another type`;
    }
    return made;
  }

  private read(name: string, value: Value): bool {
    if (name == "limit") this.limit = value;
    else if (name == "used") this.used = value;
    else if (name == "remaining") this.remaining = value;
    else if (name == "consumed") this.consumed = value;
    else if (name == "retry_after_seconds") {
      this.retryAfterSeconds = value.kind == Kind.Null ? null : value;
      return value.kind == Kind.Null || value.isNumber();
    } else return this.readFlag(name, value);
    return value.isNumber();
  }

  private readFlag(name: string, value: Value): bool {
    if (name == "closed_because") {
      this.closedBecause = value.text;
      return value.isText();
    }
    if (name == "closed") this.isClosed = value.kind == Kind.True;
    else if (name == "local") this.isLocal = value.kind == Kind.True;
    else if (name != "repeat") return false;
    return value.isBoolean();
  }

  /** Whether a call of this cost fits, or was counted already. */
  allows(cost: string): bool {
    if (this.problem.length) return false;
    if (compareValues(this.consumed, cost)) return true;
    return this.retryAfterSeconds !== null && doubleOf(this.retryAfterSeconds!) == 0;
  }

  /** Say why there is no room. */
  denialText(): string {
    if (this.retryAfterSeconds === null) return `a cost above ${valueText(this.limit)} never fits into a minute`;
    if (this.isClosed) return this.closedBecause.length ? `closed for a minute: ${this.closedBecause}` : "closed for a minute after damage";
    const where = this.isLocal ? " on this host, as the server of budgets does not answer" : "";
    return `${numberText(this.used)} of ${numberText(this.limit)} used in the last minute${where}`;
  }
}

function compareValues(value: Value, digits: string): bool {
  return value.kind == Kind.Integer ? value.text == digits : false;
}

/** Return max(0, a number of any size minus a small one), as digits. */
export function differenceOrZero(digits: string, less: i64): string {
  if (digits.length <= 18) return digitsOf(max(0, integerOf(digits) - less));
  const from = digits.length - 18;
  const low = integerOf(digits.substring(from)) - less;
  if (low >= 0) return digits.substring(0, from) + digitsOf(low, 18);
  return decremented(digits.substring(0, from)) + digitsOf(low + BEHIND_LAST, 18);
}

function decremented(digits: string): string {
  let at = digits.length - 1;
  while (digits.charCodeAt(at) == 48) at -= 1;
  const head = digits.substring(0, at) + String.fromCharCode(digits.charCodeAt(at) - 1) + "9".repeat(digits.length - at - 1);
  return head.length > 1 && head.startsWith("0") ? head.substring(1) : head == "0" ? "" : head;
}

/** Return the budget after hits at these times; nothing is taken. */
export function budgetOfHits(limit: string, request: Request): Budget {
  const now = doubleOf(request.now);
  const inside = emptyList<Value>();
  const hits = request.hits!.parts;
  for (let at = 0; at < hits.length; at += 1) {
    if (!hits[at].isNumber()) return Budget.failed("a hit is a number of seconds");
    const hit = doubleOf(hits[at]);
    if (now - hit < WINDOW_SECONDS) inside.push(Value.ofDouble(hit));
  }
  sortBy(inside, compareNumbers);
  if (compareDigits(request.cost, limit) > 0) return Budget.neverFitting(limit, inside.length);
  const left = differenceOrZero(limit, inside.length);
  if (compareDigits(request.cost, left) <= 0) return Budget.of(limit, inside.length, Value.ofInteger("0"), 0);
  // INVARIANT: the cost is within the limit and above what is left, so the two are as near to each other as hits are many
  const over = lastDigits(request.cost) - lastDigits(limit);
  const excess = <i32>(inside.length + (over > 0 ? over - BEHIND_LAST : over));
  return Budget.of(limit, inside.length, Value.ofDouble(inside[excess - 1].double + WINDOW_SECONDS - now), 0);
}

function lastDigits(digits: string): i64 {
  return integerOf(digits.substring(digits.length - 18));
}
