// What this package answers to a vector of each kind.
"use strict";

const { argumentViolationText } = require("../../src/arguments");
const { decideRate, denialBeforeRate } = require("../../src/decision");
const { GrantError } = require("../../src/errors");
const { argsOf, decodeGrant, isGrantId } = require("../../src/grant");
const { MalformedError, decodeJson } = require("../../src/json");
const { pathArguments } = require("../../src/path-arguments");
const { PatternError, PatternLimitError, compilePattern } = require("../../src/patterns");
const { ThreadBudgets } = require("../../src/thread-budgets");
const { compareTexts, jsonText } = require("../../src/values");
const { budgetFromTimes } = require("./window");
const { documentBytes, documentOf, expandBytes, expandText } = require("./vectors");

const MAX_ARGS = 2000;

/** Return the one text that equal values share: members sorted by code points. */
function canonicalJson(value) {
  return jsonText(value, (members) => [...members.keys()].sort(compareTexts));
}

function answerIds({ word }) {
  return { is_id: isGrantId(expandText(word)) };
}

function answerDecode(vector) {
  const bytes = expandBytes(vector.bytes);
  try {
    const grant = decodeGrant(bytes);
    const args = canonicalJson(argsOf(grant));
    const members = {
      tool: grant.tool, actions: grant.actions, per_minute: String(grant.perMinute), data_class: grant.dataClass,
      fs_scope: grant.fsScope,
    };
    return { grant: args.length > MAX_ARGS ? members : { ...members, args } };
  } catch (error) {
    if (!(error instanceof GrantError)) throw error;
    return { error: { ...problemOf(bytes), message: error.detail } };
  }
}

function problemOf(bytes) {
  try {
    return { class: decodeJson(bytes) instanceof Map ? "shape" : "not_an_object" };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const { kind, line, column, byte } = error;
    return JSON.parse(JSON.stringify({ class: kind, line, column, byte }));
  }
}

function answerArguments(vector) {
  return { violation: argumentViolationText(documentOf(vector, "declarations"), documentOf(vector, "args")) };
}

function answerPatterns({ pattern, values }) {
  try {
    const compiled = compilePattern(expandText(pattern));
    return { matches: values.map((value) => matchOf(compiled, expandText(value))) };
  } catch (error) {
    if (error instanceof PatternError) return { refused: error.message };
    throw error;
  }
}

function matchOf(compiled, value) {
  try {
    return compiled.search(value);
  } catch (error) {
    if (error instanceof PatternLimitError) return error.message;
    throw error;
  }
}

function answerPathArguments(vector) {
  return { paths: [...pathArguments(documentOf(vector, "declarations"), documentOf(vector, "args"))] };
}

function answerDecide(vector) {
  let grant;
  try {
    grant = decodeGrant(documentBytes(vector, "grant"), vector.grant_id);
  } catch (error) {
    if (!(error instanceof GrantError)) throw error;
    return { allowed: false, reason: error.reason, exit_code: error.exitCode, message: error.message };
  }
  const request = requestOf(vector);
  const decision = denialBeforeRate(grant, request, rulesOf(vector)) ?? decideRate(grant, request, budgetOf(vector, grant));
  return {
    allowed: decision.allowed, reason: decision.reason, exit_code: decision.exitCode, message: decision.message,
    hint: decision.hint, obligations: decision.obligations, retryable: decision.retryable,
    scopes: decision.paths.map(({ scope }) => scope ?? null), budget: decision.budget ? spellBudget(decision.budget) : null,
  };
}

function requestOf(vector) {
  const paths = (vector.paths ?? []).map((path) => ({
    argument: path.argument, given: expandText(path.given), normalized: path.normalized, resolvedInside: path.resolved_inside,
    resolved: path.resolved, error: path.error ?? "", protectedReason: path.protected_reason ?? "",
  }));
  const { cost = 1, approved = false } = vector;
  return { action: expandText(vector.action), args: documentOf(vector, "args"), paths, cost, approved };
}

function rulesOf({ settings = {} }) {
  const { sensitive = "allow", require_path: requirePath = false, undeclared_args: undeclaredArgs = "allow" } = settings;
  return { sensitive, requirePath, undeclaredArgs };
}

function budgetOf({ budget, hits = [], now = 0, cost = 1 }, grant) {
  if (budget === undefined) return budgetFromTimes(hits, now, grant.perMinute, cost);
  return { ...budget, retryAfterSeconds: budget.retry_after_seconds, closedBecause: budget.closed_because };
}

function spellBudget({ limit, used, remaining, retryAfterSeconds, consumed }) {
  return { limit, used, remaining, retry_after_seconds: retryAfterSeconds, consumed };
}

/** Return the answer to each event. */
function answerRate({ events }) {
  let at = 0n;
  const clock = () => [Number(at / 1_000_000_000n), Number(at % 1_000_000_000n)];
  let budgets;
  const answers = events.map((event) => {
    at = BigInt(event.at);
    budgets ??= new ThreadBudgets({ clock });
    const { retryAfterSeconds: seconds, ...found } = budgets[event.op]("tool", "action", event.limit, event.cost);
    if (seconds === null) return { allowed: false, retry_after_seconds: null };
    const { used, remaining, consumed } = found;
    return { allowed: consumed === event.cost || seconds === 0, used, remaining, consumed, retry_after_seconds: seconds };
  });
  return { answers };
}

module.exports = {
  answerArguments, answerDecide, answerDecode, answerIds, answerPathArguments, answerPatterns, answerRate,
};
