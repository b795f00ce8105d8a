// What would help a denied call, in one line: what the grant allows, and the operator's command that would allow it.
"use strict";

const { findMatchingScope, normalizeScope, pathSyntaxProblemText } = require("./scopes");
const { isShownUnchanged, joinWordsThatFit, quoteWord } = require("./text");
const { valueText } = require("./values");

const MAX_COMPARED = 20; // paths of a call
const MAX_SCOPES = 20; // in one command
const MAX_WORDS = 500; // words that are compared
const MAX_LENGTH = 1000; // characters of a word, or of a command
const NOT_ASCII = /[^\u0000-\u007f]/;

/** Return the hint of a denial, '' if nothing helps. */
function denialHint(grant, action, decision) {
  const file = grant.file ?? grant.id;
  switch (decision.reason) {
    case "action_not_allowed":
      return actionHint(grant, action, file);
    case "argument_not_allowed":
      return argumentHint(grant, file);
    case "path_outside_scope":
      return pathHint(grant, decision, file);
    case "rate_limited":
      return rateHint(decision.budget);
    default:
      return decision.obligations.length
        ? "`check` asks a human for the approval"
        : "`cortex-policy config get sensitive --json` says where `sensitive` is set";
  }
}

function argumentHint(grant, file) {
  const command = programCommand(["show", grant.id]);
  return `the allowed arguments are declared under \`args\` in ${file}${command ? `; \`${command}\` prints them` : ""}`;
}

function actionHint(grant, action, file) {
  const allowed = joinWordsThatFit(grant.actions) || "none";
  const command = setCommand(grant.id, "allow", action ? [action] : []);
  const same = NOT_ASCII.test(action) ? equivalentWord(action, grant.actions) : "";
  const note = same ? `; ${normalFormText("the action", action, same)}` : "";
  const how = command ? `allows the action with \`${command}\`` : `adds one to \`actions\` in ${file}`;
  return `allowed actions: ${allowed}${note}; an operator ${how}`;
}

function pathHint(grant, decision, file) {
  const { paths } = decision;
  if (paths.some((path) => path.protectedReason?.startsWith("cannot be resolved"))) {
    return "name a path that can be followed: an absolute one, or from a directory that exists";
  }
  if (paths.some((path) => path.protectedReason)) return "no grant may allow access to files that govern grants";
  const scopes = grant.fsScope.filter((scope) => normalizeScope(scope) !== undefined);
  if (!scopes.length) {
    return grant.fsScope.length ? `no scope of this grant can match; an operator fixes \`fsScope\` in ${file}` : "";
  }
  const command = setCommand(grant.id, "add-scope", scopesThatAllow(grant, paths));
  const how = command ? `; an operator adds a scope with \`${command}\`` : "";
  const what = paths.length ? "paths in these scopes are allowed" : "give a path in one of these scopes";
  return `${what}: ${joinWordsThatFit(scopes)}${equivalentScopeText(grant.fsScope, paths)}${how}`;
}

/** Return a note that a path looks as if it were in a scope, '' if it does not. */
function equivalentScopeText(scopes, paths) {
  const odd = paths.filter((path) => NOT_ASCII.test(`${path.normalized}${path.resolvedInside}`));
  for (const path of odd.slice(0, MAX_COMPARED)) {
    const found = scopeCoveringInNfc(scopes, path);
    if (found) return `; ${normalFormText("the scope", ...found)}`;
  }
  return "";
}

/** Return a spelling of a path, and the scope that it would be in if both were written in one normal form. */
function scopeCoveringInNfc(scopes, path) {
  for (const relative of [path.normalized, path.resolvedInside]) {
    if (relative === undefined || findMatchingScope(scopes, relative) !== undefined) continue;
    for (const scope of scopes.slice(0, MAX_WORDS)) {
      const prefix = normalizeScope(scope);
      if (prefix !== undefined && findMatchingScope([toNfc(prefix)], toNfc(relative)) !== undefined) return [relative, scope];
    }
  }
  return undefined;
}

/** Return the scopes that would allow every path of the call; none if there are no such scopes, or too many. */
function scopesThatAllow(grant, paths) {
  const missing = [];
  for (const path of paths) {
    for (const relative of [path.normalized, path.resolvedInside]) {
      const isHopeless = relative === undefined || normalizeScope(relative) !== relative;
      if (isHopeless || pathSyntaxProblemText(path.given) || path.error) return [];
      // the scopes of the grant apart: they are indexed once, and may be many, as the paths may
      const isIn = [grant.fsScope, [...missing]].some((scopes) => findMatchingScope(scopes, relative) !== undefined);
      if (!isIn) missing.push(relative);
    }
    if (missing.length > MAX_SCOPES) return [];
  }
  return missing;
}

/** Return the command that sets these values of a grant, '' if there are none or one cannot be typed. */
function setCommand(grantId, option, values) {
  if (!values.length || (option === "allow" && values.join("").includes(","))) return "";
  const words = ["set", grantId];
  for (const value of values) {
    words.push(...(value.startsWith("-") ? [`--${option}=${value}`] : [`--${option}`, value]));
  }
  return programCommand(words);
}

/** Return a command of the program, '' if a word of it cannot be typed. */
function programCommand(words) {
  const length = words.reduce((sum, word) => sum + [...word].length, 0);
  const isTypable = length <= MAX_LENGTH && words.every(isShownUnchanged);
  return isTypable ? ["cortex-policy", ...words.map(quoteWord)].join(" ") : "";
}

function rateHint(budget) {
  const seconds = budget.retryAfterSeconds;
  if (seconds === null) return `ask for a cost of at most ${valueText(budget.limit)}`;
  return `a call fits in ${oneDigit(seconds)} seconds; wait for it with \`--wait ${Math.trunc(seconds) + 1}\``;
}

/** Write a number with one digit after the point, halves to even, as Python does. */
function oneDigit(number) {
  const isHalf = Number.isInteger(number * 20) && !Number.isInteger(number * 10) && Number.isInteger(number * 4);
  return isHalf ? (2 * Math.round(number * 5 - 0.5 + (Math.floor(number * 10) % 2 ? 1 : 0)) / 10).toFixed(1) : number.toFixed(1);
}

function toNfc(text) {
  return [...text].length <= MAX_LENGTH ? text.normalize("NFC") : text;
}

/** Return the word that is another one in another normal form, '' if there is none. */
function equivalentWord(word, words) {
  return words.slice(0, MAX_WORDS).find((other) => other !== word && toNfc(other) === toNfc(word)) ?? "";
}

function normalFormText(kind, word, other) {
  const forms = `${normalFormOf(word)} instead of ${normalFormOf(other)}`;
  return `it reads like ${kind} \`${other}\`, and is written in another Unicode normal form: ${forms}`;
}

function normalFormOf(word) {
  if (word.normalize("NFC") === word) return "NFC";
  return word.normalize("NFD") === word ? "NFD" : "neither NFC nor NFD";
}

module.exports = { denialHint };
