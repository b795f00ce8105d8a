// Decide one call by a grant that was loaded, and count it.
"use strict";

const process = require("node:process");

const { Decision, decideRate, denialBeforeRate } = require("./decision");
const { AccessDenied, CortexPolicyError, GrantError, StateError, UsageError } = require("./errors");
const { Grant, detailsOf } = require("./grant");
const { operatorDirectories } = require("./settings");
const { protectedPaths, resolvePathArguments } = require("./paths");
const { checkHostStop, checkRootStop } = require("./stop");
const { copyArguments, requireText } = require("./values");

/**
 * Allow a call, and count it, or throw AccessDenied, whose `message` is the sentence of the original.
 *
 * Any other error denies the call, too.
 * @param {Grant} grant
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
 * @param {Grant} grant
 * @param {string} action
 * @param {object} [args] JSON values; what a program changes in them afterwards is not seen
 * @param {{cost?: number, peek?: boolean, budgets?: object, approved?: boolean}} [options]
 * @returns {Decision}
 */
function decide(grant, action, args, { cost = 1, peek = false, budgets = undefined } = {}) {
  const { args: declarations, origin } = detailsOf(grant);
  if (origin === undefined) throw new GrantError("grant_invalid", "it was not loaded from a root", "use `loadGrant`");
  if (!Number.isSafeInteger(cost) || cost < 1) throw new UsageError("cost must be an integer of at least 1");
  const request = { action: requireText(action, "an action"), args: copyArguments(args), paths: [], cost, approved: false };
  const stop = stopOf(origin.policyPath);
  if (stop !== undefined) return stop;
  const { settings } = origin;
  refuseWhatIsNotKept(settings, budgets);
  const protection = protectionOf(origin);
  request.paths = resolvePathArguments(declarations, grant.fsScope, request.args, origin, protection, workingDirectory());
  const denial = denialBeforeRate(grant, request, {
    sensitive: settings.get("sensitive"),
    requirePath: settings.get("require_path"),
    undeclaredArgs: settings.get("undeclared_args"),
  });
  if (denial !== undefined) return denial;
  const counter = budgets ?? defaultBudgets();
  const budget = peek
    ? counter.peek(grant.tool, action, grant.perMinute, cost)
    : counter.take(grant.tool, action, grant.perMinute, cost);
  return decideRate(grant, request, budget);
}
