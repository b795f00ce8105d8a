// The decision: every rule in its order, and the first that denies decides.
"use strict";

const { argumentViolationText, containsObject, hasEnumOrConst } = require("./arguments");
const { exitCodeOf, sentenceOf } = require("./errors");
const { argsOf } = require("./grant");
const { denialHint } = require("./hints");
const { isPathArgument, pathArguments } = require("./path-arguments");
const { findMatchingScope, pathViolationText } = require("./scopes");
const { shortenMessage } = require("./text");
const { valueText } = require("./values");

const APPROVAL = Object.freeze(["human_approval"]);
const NONE = Object.freeze([]);

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

/** An answer, and why. Its texts are made when somebody reads them. */
class Decision {
  #detail;
  #hint;

  /**
   * @param {keyof typeof import("./errors").REASONS} reason
   * @param {string | ((decision: Decision) => string)} [detail]
   * @param {string | ((decision: Decision) => string)} [hint]
   * @param {readonly ResolvedPath[]} [paths]
   * @param {object} [budget]
   * @param {readonly string[]} [obligations]
   */
  constructor(reason, detail = "", hint = "", paths = NONE, budget = undefined, obligations = NONE) {
    this.allowed = reason === "allowed";
    this.reason = reason;
    this.obligations = obligations;
    this.paths = paths;
    this.budget = budget;
    this.#detail = detail;
    this.#hint = hint;
    Object.freeze(this);
  }

  get exitCode() {
    return exitCodeOf(this.reason);
  }

  get retryable() {
    return this.reason === "rate_limited" && typeof this.budget?.retryAfterSeconds === "number";
  }

  get detail() {
    if (typeof this.#detail !== "string") this.#detail = this.#detail(this);
    return this.#detail;
  }

  get message() {
    return this.detail ? `${sentenceOf(this.reason)}: ${shortenMessage(this.detail)}` : sentenceOf(this.reason);
  }

  get hint() {
    if (typeof this.#hint !== "string") this.#hint = shortenMessage(this.#hint(this));
    return this.#hint;
  }

  toJSON() {
    const { exitCode, retryable, detail, message, hint } = this;
    return { ...this, exitCode, retryable, detail, message, hint };
  }
}

/** Return the denial of the first rule before the rate, undefined if all let the call pass. */
function denialBeforeRate(grant, request, settings) {
  return (
    actionDenial(grant, request) ?? argumentsDenial(grant, request, settings) ?? pathDenial(grant, request, settings) ??
    approvalDenial(grant, request, settings)
  );
}

/** Decide by the rate alone, for a request that every other rule lets pass. */
function decideRate(grant, request, budget) {
  const paths = matchScopes(grant, request.paths);
  if (budget.consumed === request.cost || budget.retryAfterSeconds === 0) {
    return new Decision("allowed", "", "", paths, budget, grant.dataClass === "sensitive" ? APPROVAL : NONE);
  }
  return denial("rate_limited", rateDenialText, grant, request, paths, budget);
}

function denial(reason, detail, grant, request, paths, budget, obligations) {
  return new Decision(reason, detail, (decision) => denialHint(grant, request.action, decision), paths, budget, obligations);
}

function actionDenial(grant, request) {
  if (grant.actions.includes(request.action)) return undefined;
  return denial("action_not_allowed", `\`${request.action}\``, grant, request);
}

function argumentsDenial(grant, request, settings) {
  if (!request.args.size) return undefined;
  const declarations = argsOf(grant);
  const detail =
    (declarations.size ? argumentViolationText(declarations, request.args) : "") ||
    undeclaredArgumentText(grant, declarations, request.args, settings);
  return detail ? denial("argument_not_allowed", detail, grant, request) : undefined;
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
  let namesPath = false;
  if (request.args.size) {
    const resolved = new Map(request.paths.map((path) => [JSON.stringify([path.argument, path.given]), path]));
    for (const [argument, given, isPath] of pathArguments(argsOf(grant), request.args)) {
      namesPath ||= isPath && given !== null;
      // INVARIANT: each path in the arguments was resolved; a request in which one was not is denied here
      const path = given === null ? undefined : resolved.get(JSON.stringify([argument, given]));
      const why = whyPathDenied(grant, path, given, isPath);
      if (why) {
        const label = given === null ? `argument \`${argument}\`` : `\`${given}\``;
        return denial("path_outside_scope", `${label} ${why}`, grant, request, matchScopes(grant, request.paths));
      }
    }
  }
  if (!settings.requirePath || namesPath) return undefined;
  return denial("path_outside_scope", "no path was given, and one is required", grant, request);
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
  const detail = isAsked ? "" : "the setting `sensitive` is `deny`, so no human is asked";
  const paths = matchScopes(grant, request.paths);
  return denial("approval_required", detail, grant, request, paths, undefined, isAsked ? APPROVAL : NONE);
}

/** Return each path with the scope that allows it; no scope if none does or needs to. */
function matchScopes(grant, paths) {
  if (!paths.length) return NONE;
  return paths.map((path) => ({
    ...path,
    scope: pathViolationText(grant.fsScope, path) ? undefined : findMatchingScope(grant.fsScope, path.resolvedInside),
  }));
}

/** Say why a budget has no room. */
function rateDenialText({ budget }) {
  if (budget.retryAfterSeconds === null) return `a cost above ${valueText(budget.limit)} never fits into a minute`;
  if (budget.closed) return `closed for a minute${budget.closedBecause ? `: ${budget.closedBecause}` : " after damage"}`;
  const where = budget.local ? " on this host, as the server of budgets does not answer" : "";
  return `${budget.used} of ${budget.limit} used in the last minute${where}`;
}

module.exports = { Decision, decideRate, denialBeforeRate };
