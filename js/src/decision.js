// The decision: every rule in its order, and the first that denies decides.
"use strict";

const { argumentViolationText, containsObject, hasEnumOrConst } = require("./arguments");
const { exitCodeOf, sentenceOf } = require("./errors");
const { detailsOf } = require("./grant");
const { denialHint } = require("./hints");
const { isPathArgument, pathArguments } = require("./path-arguments");
const { findMatchingScope, pathViolationText } = require("./scopes");
const { shortenMessage } = require("./text");
const { valueText } = require("./values");

const HUMAN_APPROVAL = "human_approval";
const DEFAULTS = Object.freeze({ sensitive: "allow", requirePath: false, undeclaredArgs: "allow" });

/**
 * @typedef {object} ResolvedPath
 * @property {string} argument
 * @property {string} given
 * @property {string} [normalized] relative to the root, `.` and `..` removed from the text
 * @property {string} [resolvedInside] relative to the root, links followed as the kernel does
 * @property {string} [resolved] the same as an absolute path
 * @property {string} [error]
 * @property {string} [protectedReason]
 */

/** An answer, and why. */
class Decision {
  constructor(reason, { detail = "", obligations = [], paths = [], budget, approval } = {}) {
    this.allowed = reason === "allowed";
    this.reason = reason;
    this.exitCode = exitCodeOf(reason);
    this.detail = detail;
    this.message = detail ? `${sentenceOf(reason)}: ${shortenMessage(detail)}` : sentenceOf(reason);
    this.hint = "";
    this.obligations = obligations;
    this.paths = paths;
    this.budget = budget;
    this.approval = approval;
    this.retryable = reason === "rate_limited" && typeof budget?.retryAfterSeconds === "number";
  }
}

/** Return the denial of the first rule before the rate, undefined if all let the call pass. */
function denialBeforeRate(grant, request, settings = DEFAULTS) {
  for (const rule of [actionDenial, argumentsDenial, pathDenial, approvalDenial]) {
    const denial = rule(grant, request, settings);
    if (denial !== undefined) return withHint(grant, request, denial);
  }
  return undefined;
}

/** Decide by the rate alone, for a request that every other rule lets pass. */
function decideRate(grant, request, budget) {
  const paths = matchScopes(grant, request.paths);
  if (budget.consumed === request.cost || budget.retryAfterSeconds === 0) {
    const obligations = grant.dataClass === "sensitive" ? [HUMAN_APPROVAL] : [];
    return Object.freeze(new Decision("allowed", { obligations, paths, budget }));
  }
  return withHint(grant, request, new Decision("rate_limited", { detail: rateDenialText(budget), paths, budget }));
}

function withHint(grant, request, decision) {
  decision.hint = shortenMessage(denialHint(grant, request.action, decision));
  return Object.freeze(decision);
}

function actionDenial(grant, request) {
  if (grant.actions.includes(request.action)) return undefined;
  return new Decision("action_not_allowed", { detail: `\`${request.action}\`` });
}

function argumentsDenial(grant, request, settings) {
  const { args: declarations } = detailsOf(grant);
  const detail =
    (declarations.size ? argumentViolationText(declarations, request.args) : "") ||
    undeclaredArgumentText(grant, declarations, request.args, settings);
  return detail ? new Decision("argument_not_allowed", { detail }) : undefined;
}

/** Say which argument the setting `undeclared_args` denies, and why; '' if none. */
function undeclaredArgumentText(grant, declarations, args, settings) {
  if (settings.undeclaredArgs === "allow") return "";
  for (const [name, value] of args) {
    const isPath = name === "path" || name === "paths" || (grant.fsScope.length && isPathArgument(declarations, name, value));
    if (!declarations.has(name) && !isPath) {
      return `\`${name}\` is not declared in \`args\`, and the setting \`undeclared_args\` is \`deny\``;
    }
    if (containsObject(value) && !hasEnumOrConst(declarations, name)) {
      return `\`${name}\` holds an object, whose members nothing declares, and \`undeclared_args\` is \`deny\``;
    }
  }
  return "";
}

function pathDenial(grant, request, settings) {
  const resolved = new Map(request.paths.map((path) => [JSON.stringify([path.argument, path.given]), path]));
  let namesPath = false;
  for (const [argument, given, isPath] of pathArguments(detailsOf(grant).args, request.args)) {
    namesPath ||= isPath && given !== null;
    // INVARIANT: each path in the arguments was resolved; a request in which one was not is denied here
    const path = given === null ? undefined : resolved.get(JSON.stringify([argument, given]));
    const why = whyPathDenied(grant, path, given, isPath);
    if (why) {
      const label = given === null ? `argument \`${argument}\`` : `\`${given}\``;
      return new Decision("path_outside_scope", { detail: `${label} ${why}`, paths: matchScopes(grant, request.paths) });
    }
  }
  if (settings.requirePath && !namesPath) {
    return new Decision("path_outside_scope", { detail: "no path was given, and one is required" });
  }
  return undefined;
}

function whyPathDenied(grant, path, given, isPath) {
  if (path !== undefined) return isPath ? pathViolationText(grant.fsScope, path) : path.protectedReason ?? "";
  if (given !== null) return "was not resolved";
  return grant.fsScope.length ? "is neither a path nor an array of paths" : "";
}

function approvalDenial(grant, request, settings) {
  if (grant.dataClass !== "sensitive" || settings.sensitive === "allow") return undefined;
  const isAsked = settings.sensitive === "ask";
  if (isAsked && request.approved) return undefined;
  return new Decision("approval_required", {
    detail: isAsked ? "" : "sensitive data is denied by the settings",
    obligations: isAsked ? [HUMAN_APPROVAL] : [],
    paths: matchScopes(grant, request.paths),
  });
}

/** Return each path with the scope that allows it; no scope if none does or needs to. */
function matchScopes(grant, paths) {
  return paths.map((path) => ({
    ...path,
    scope: pathViolationText(grant.fsScope, path) ? undefined : findMatchingScope(grant.fsScope, path.resolvedInside),
  }));
}

/** Say why a budget has no room. */
function rateDenialText(budget) {
  if (budget.retryAfterSeconds === null) return `a cost above ${valueText(budget.limit)} never fits into a minute`;
  if (budget.closed) return `closed for a minute${budget.closedBecause ? `: ${budget.closedBecause}` : " after damage"}`;
  const where = budget.local ? " on this host, as the server of budgets does not answer" : "";
  return `${budget.used} of ${budget.limit} used in the last minute${where}`;
}

module.exports = { DEFAULTS, Decision, decideRate, denialBeforeRate };
