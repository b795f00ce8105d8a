// Calls that the program `cortex-policy` decides: what is asked of it, and what its answers mean.
"use strict";

const { Decision } = require("./decision");
const { AccessDenied, GrantError, REASONS, StateError, UsageError, exitCodeOf, sentenceOf } = require("./errors");
const { copyArguments, jsonText, requireText } = require("./values");

const FIRST_DENIAL = 10; // of the exit codes; those from 20 on say why there is no decision
const FIRST_ERROR = 20;

/** Whatever asks the program. Each answer is a Promise, and every rejection denies the call. */
class Asker {
  /**
   * Allow a call, and count it; reject with AccessDenied.
   * @param {string} id of a grant
   * @param {string} action
   * @param {object} [args]
   * @param {object} [options]
   * @returns {Promise<true>}
   */
  async enforce(id, action, args, options) {
    const decision = await this.decide(id, action, args, options);
    if (decision.allowed !== true) throw new AccessDenied(decision);
    return true;
  }
}

/** Return the arguments of a call as JSON, and as a Map; throw UsageError. */
function readArguments(args) {
  const copy = copyArguments(args);
  requireFinite(copy);
  return { args: copy, text: jsonText(copy) };
}

function requireFinite(value) {
  if (typeof value === "number" && !Number.isFinite(value)) throw new UsageError(`\`${value}\` is not a JSON value`);
  if (typeof value === "object" && value !== null) value.forEach(requireFinite);
}

/** Return one call as JSON text: `grant`, `action`, `args` and further members. */
function callText(id, action, args, others) {
  const members = Object.entries({ grant: requireText(id, "a grant"), action: requireText(action, "an action"), ...others });
  return `${JSON.stringify(Object.fromEntries(members)).slice(0, -1)},"args":${readArguments(args).text}}`;
}

/** Return the decision that the members of `check --json` mean; throw the error for what is no decision. */
function decisionOf({ decision, reason, message, rate, paths = [], obligations = [] }) {
  if (reason === null) throw new UsageError(String(message));
  if (!Object.hasOwn(REASONS, reason) || (decision === true) !== (reason === "allowed") || typeof message !== "string") {
    throw new StateError("the program gave an answer that is not understood");
  }
  const detail = message.slice(sentenceOf(reason).length).replace(/^: /, "");
  const code = exitCodeOf(reason);
  if (code >= FIRST_ERROR || (code > 0 && code < FIRST_DENIAL)) throw errorOf(reason, detail);
  return new Decision(reason, detail, "", paths.map(pathOf), budgetOf(rate, reason), obligations);
}

function errorOf(reason, detail) {
  if (reason === "state_unavailable") return new StateError(detail);
  return reason === "usage" ? new UsageError(detail) : new GrantError(reason, detail);
}

function pathOf({ argument, given, resolved, scope }) {
  return { argument, given, resolved: resolved ?? undefined, scope: scope ?? undefined };
}

/** Return the budget, undefined if it was not looked at; what never fits needs no look at what is used. */
function budgetOf(rate, reason) {
  const { limit, used, remaining, consumed, retry_after_seconds: retryAfterSeconds } = rate ?? {};
  if (typeof used === "number") return { limit, used, remaining, retryAfterSeconds, consumed };
  return reason === "rate_limited" ? { limit, used: 0, remaining: limit, retryAfterSeconds: null, consumed: 0 } : undefined;
}

module.exports = { Asker, callText, decisionOf, readArguments };
