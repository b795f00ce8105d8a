// The reasons of decisions, and the errors that this package throws.
"use strict";

const { shortenMessage } = require("./text");

const REASONS = Object.freeze({
  allowed: ["allowed", 0],
  action_not_allowed: ["action not allowed", 10],
  argument_not_allowed: ["argument not allowed", 11],
  path_outside_scope: ["path not within fsScope", 12],
  approval_required: ["approval required", 13],
  rate_limited: ["rate limit exceeded", 14],
  stopped: ["emergency stop", 15],
  grant_not_found: ["grant not found", 20],
  grant_invalid: ["grant invalid", 21],
  grant_unsafe: ["grant file is unsafe", 22],
  stamp_mismatch: ["grant differs from its stamp", 23],
  state_unavailable: ["rate state unavailable", 24],
  root_not_found: ["no policy root", 25],
  root_ambiguous: ["more than one policy root", 26],
  settings_invalid: ["settings invalid", 27],
  usage: ["usage", 2],
});

/** @param {keyof typeof REASONS} reason */
function sentenceOf(reason) {
  return REASONS[reason][0];
}

/** @param {keyof typeof REASONS} reason */
function exitCodeOf(reason) {
  return REASONS[reason][1];
}

/** The root of all errors of this package. */
class CortexPolicyError extends Error {
  /**
   * @param {keyof typeof REASONS} reason
   * @param {string} [detail] undefined: a class has its own `detail` and `hint`
   * @param {string} [hint] a command or a sentence that helps
   */
  constructor(reason, detail, hint = "") {
    super(detail ? `${sentenceOf(reason)}: ${shortenMessage(detail)}` : sentenceOf(reason));
    this.reason = reason;
    this.exitCode = exitCodeOf(reason);
    if (detail === undefined) return;
    this.detail = shortenMessage(detail);
    this.hint = shortenMessage(hint);
  }
}
CortexPolicyError.prototype.name = "CortexPolicyError";

/** A root, a grant, its stamp or the settings are missing, unsafe or invalid. */
class GrantError extends CortexPolicyError {}
GrantError.prototype.name = "GrantError";

/** Budgets cannot be counted. */
class StateError extends CortexPolicyError {
  /** @param {string} detail @param {string} [hint] */
  constructor(detail, hint = "") {
    super("state_unavailable", detail, hint);
  }
}
StateError.prototype.name = "StateError";

/** A call, or what a program passed, cannot be read. */
class UsageError extends CortexPolicyError {
  /** @param {string} detail @param {string} [hint] */
  constructor(detail, hint = "") {
    super("usage", detail, hint);
    this.message = this.detail;
  }
}
UsageError.prototype.name = "UsageError";

/**
 * A call is denied. `message` is the sentence of the original alone; `decision` says the rest.
 *
 * It is an Error by its prototype, and not made by one: an error of the engine, even one without a stack, takes longer to
 * make and to throw than the decision takes. Its `stack` has no places: a denial is an answer.
 */
class AccessDenied {
  // fields, since an assignment fails where the prototype of errors is frozen
  message;
  stack;
  reason;
  exitCode;
  decision;

  /** @param {import("./decision").Decision} decision */
  constructor(decision) {
    this.message = sentenceOf(decision.reason);
    this.stack = `AccessDenied: ${this.message}`;
    this.reason = decision.reason;
    this.exitCode = exitCodeOf(decision.reason);
    this.decision = decision;
  }

  get detail() {
    return this.decision.detail;
  }

  get hint() {
    return this.decision.hint;
  }

  get [Symbol.toStringTag]() {
    return "Error";
  }
}
Object.setPrototypeOf(AccessDenied, CortexPolicyError);
Object.setPrototypeOf(AccessDenied.prototype, CortexPolicyError.prototype);
AccessDenied.prototype.name = "AccessDenied";

module.exports = { REASONS, sentenceOf, exitCodeOf, CortexPolicyError, GrantError, StateError, UsageError, AccessDenied };
