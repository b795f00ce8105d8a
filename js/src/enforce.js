// Decide one call by a grant that was loaded, and count it.
"use strict";

const { Decision, decideRate, denialBeforeRate } = require("./decision");
const { AccessDenied, GrantError, StateError, UsageError } = require("./errors");
const { argsOf, originOf } = require("./grant");
const { requirePlainOptions, requireSwitch } = require("./options");
const { resolvePathArguments } = require("./paths");
const { currentOrigin } = require("./preconditions");
const { ThreadBudgets } = require("./thread-budgets");
const { copyArguments, requireText } = require("./values");

/**
 * Allow a call, and count it, or throw AccessDenied, whose `message` is the sentence of the original.
 *
 * Any other error denies the call, too.
 * @param {import("./grant").Grant} grant
 * @param {string} action
 * @param {object} [args]
 * @param {object} [options] as of `decide`
 * @returns {true}
 */
function enforce(grant, action, args, options) {
  const decision = decide(grant, action, args, options);
  if (decision.allowed !== true) throw new AccessDenied(decision);
  return true;
}

/**
 * Decide a call; an allowed one takes `cost` hits of the budget, unless `peek`.
 *
 * Throws an error where there is no answer: GrantError, StateError, UsageError.
 * @param {import("./grant").Grant} grant
 * @param {string} action
 * @param {object} [args] JSON values; what a program changes in them afterwards is not seen
 * @param {{cost?: number, peek?: boolean, budgets?: object}} [options]
 * @returns {import("./decision").Decision}
 */
function decide(grant, action, args, options) {
  const { cost, peek, budgets } = readOptions(options);
  const request = readRequest(grant, action, args, cost);
  const denial = denialOf(grant, request, budgets);
  if (denial !== undefined) return denial;
  const budget = askBudget(grant, request, budgets, peek);
  return decideCounted(grant, request, budget, peek);
}

/** Decide a call by budgets that answer later, such as RedisBudgets; `options.budgets` names them. */
async function decideAsync(grant, action, args, options) {
  const { cost, peek, budgets } = readOptions(options);
  const request = readRequest(grant, action, args, cost);
  const denial = denialOf(grant, request, budgets);
  if (denial !== undefined) return denial;
  const budget = await askBudget(grant, request, budgets, peek);
  return decideCounted(grant, request, budget, peek);
}

function askBudget({ tool, perMinute }, { action, cost }, budgets, peek) {
  return peek ? budgets.peek(tool, action, perMinute, cost) : budgets.take(tool, action, perMinute, cost);
}

/** Decide by the rate; only a peek is allowed by room that it does not take. */
function decideCounted(grant, request, budget, peek) {
  if (!peek && budget.consumed !== request.cost && budget.retryAfterSeconds === 0) {
    throw new StateError("the budgets have room, and have not counted the call");
  }
  return decideRate(grant, request, budget);
}

/** Allow a call as `enforce` does, by budgets that answer later; reject with AccessDenied. */
async function enforceAsync(grant, action, args, options) {
  const decision = await decideAsync(grant, action, args, options);
  if (decision.allowed !== true) throw new AccessDenied(decision);
  return true;
}

const NO_OPTIONS = Object.freeze({});
const NO_PATHS = Object.freeze([]);
const ASK = "ask the program with `CheckProcess` or `CheckServer`, or name `RedisBudgets`: docs/javascript.md";
let kept;

function ownBudgets() {
  kept ??= new ThreadBudgets();
  return kept;
}

/** Return the options of a call: its own ones, and none that a prototype was given. */
function readOptions(options = NO_OPTIONS) {
  requirePlainOptions(options);
  const { cost, peek, budgets } = options;
  const namesPeek = isGiven(options, "peek", peek);
  if (namesPeek) requireSwitch(peek, "peek");
  return {
    cost: isGiven(options, "cost", cost) ? cost : 1,
    peek: namesPeek && peek,
    budgets: (isGiven(options, "budgets", budgets) ? budgets : undefined) ?? ownBudgets(),
  };
}

function isGiven(options, name, value) {
  return value !== undefined && Object.hasOwn(options, name); // which takes longer
}

function readRequest(grant, action, args, cost) {
  if (!Number.isSafeInteger(cost) || cost < 1) throw new UsageError("cost must be an integer of at least 1");
  if (originOf(grant) === undefined) throw new GrantError("grant_invalid", "it was not loaded from a root", "use `loadGrant`");
  return { action: requireText(action, "an action"), args: copyArguments(args), paths: NO_PATHS, cost, approved: false };
}

/** Return the denial by a stop, or by any rule before the rate; undefined if all let the call pass. */
function denialOf(grant, request, budgets) {
  const origin = originOrStop(grant);
  if (origin instanceof Decision) return origin;
  refuseWhatIsNotKept(origin.rules, budgets);
  if (request.args.size) request.paths = resolvePathArguments(argsOf(grant), grant.fsScope, request.args, origin);
  const denial = denialBeforeRate(grant, request, origin.rules);
  if (denial === undefined) refuseStateDirectory(origin.rules, budgets);
  return denial;
}

/** Return the origin of a grant as it is now, or the denial by an emergency stop. */
function originOrStop(grant) {
  try {
    return currentOrigin(grant);
  } catch (error) {
    if (error instanceof AccessDenied) return error.decision;
    throw error;
  }
}

/** Refuse to decide by settings that this process alone cannot keep. */
function refuseWhatIsNotKept({ isAudited, isShared }, budgets) {
  if (isAudited) throw new StateError("the settings want an audit log, which JavaScript does not write", ASK);
  if (isShared && budgets instanceof ThreadBudgets) throw new StateError("the settings want budgets that hosts share", ASK);
}

/** Refuse a state directory that is none, which this process has no use for, as the program does. */
function refuseStateDirectory({ hasStateDirectory }, budgets) {
  if (!hasStateDirectory && budgets instanceof ThreadBudgets) {
    throw new StateError("CORTEX_POLICY_STATE_DIR is not absolute", "set it to an absolute path, or unset it");
  }
}

module.exports = { decide, decideAsync, enforce, enforceAsync };
