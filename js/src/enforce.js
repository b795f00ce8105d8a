// Decide one call by a grant that was loaded, and count it.
"use strict";

const os = require("node:os");
const process = require("node:process");

const { decideRate, denialBeforeRate } = require("./decision");
const { AccessDenied, GrantError, StateError, UsageError } = require("./errors");
const { detailsOf } = require("./grant");
const { operatorDirectories } = require("./settings");
const { protectedPaths, resolvePathArguments } = require("./paths");
const { checkHostStop, checkRootStop } = require("./stop");
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

const STOP_EVERY_NS = 1e6; // within a millisecond no second call looks for a stop
const PROTECTION_EVERY_NS = 1e6;
let ownBudgets;
const stops = new Map(); // by policy directory: when it was looked at last
const protections = new WeakMap(); // by origin: what governs it, and when that was looked at

function defaultBudgets() {
  ownBudgets ??= new ThreadBudgets();
  return ownBudgets;
}

/** Return the denial by an emergency stop of the host or of the root, undefined if there is none. */
function stopOf(policyPath) {
  const now = nanoseconds();
  if (now - (stops.get(policyPath) ?? -Infinity) < STOP_EVERY_NS) return undefined;
  try {
    checkHostStop();
    checkRootStop(policyPath);
  } catch (error) {
    if (error instanceof AccessDenied) return error.decision;
    throw error;
  }
  stops.set(policyPath, now);
  return undefined;
}

function protectionOf(origin) {
  const now = nanoseconds();
  const kept = protections.get(origin);
  if (kept !== undefined && now - kept.at < PROTECTION_EVERY_NS) return kept.protection;
  const { settings } = origin;
  const log = settings.get("audit.file");
  const named = [log, settings.get("approvals.file"), settings.get("budgets.key_file"), settings.get("budgets.password_file")];
  const stateDirectory = settings.get("state_dir") ?? defaultStateDirectory();
  const names = [stateDirectory, ...operatorDirectories(), ...named.filter((name) => name !== undefined)];
  const protection = protectedPaths(origin, names, log);
  protections.set(origin, { protection, at: now });
  return protection;
}

function defaultStateDirectory() {
  if (process.platform === "darwin") return `${os.homedir()}/Library/Caches/cortex-policy`;
  return `/dev/shm/cortex-policy-${process.geteuid()}`;
}

/** Refuse to decide by settings that this package cannot keep, unless `budgets` keep them. */
function refuseWhatIsNotKept(settings, budgets) {
  const ask = "ask `cortex-policy serve` or `cortex-policy check`, which keep it";
  const isAudited = settings.get("audit.file") === undefined || settings.get("audit.on_error") === "ignore";
  if (!isAudited) throw new StateError("the settings want an audit log, which JavaScript does not write", ask);
  if (settings.get("budgets.url") !== undefined && budgets === undefined) {
    throw new StateError("the settings want budgets that hosts share", ask);
  }
}

/** Return the working directory, undefined if it is gone. */
function workingDirectory() {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

function nanoseconds() {
  const [seconds, rest] = process.hrtime();
  return seconds * 1e9 + rest;
}

module.exports = { decide, enforce };
