// How each kind of vector is asked, which of them cannot be, and when an answer is the right one.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");

const { resolvePath } = require("../../src/paths");
const { findMatchingScope, pathViolationText } = require("../../src/scopes");
const answers = require("./answers");
const loads = require("./loads");
const { BASE, buildTree, replaceText } = require("./trees");
const { expandText, treesOf } = require("./vectors");

const MAX_DIFFERENCE = 2e-5; // seconds: a tick of the ring is 4.1 microseconds
const MAX_COST = 2046; // hits that one exchange takes
const built = new Map();

/** Return why this package cannot be asked, '' if it can. */
function reasonToSkip(vector) {
  const { kind, words, needs = [], events = [] } = vector;
  if (kind === "arguments" && words) return "a program has no words of a command line";
  if (kind === "load" && !loads.canAsk(vector)) return "only root can make its tree";
  if (kind === "paths" && needs.includes("bad-names")) return "a name that is no UTF-16 text";
  const isLarge = events.some(({ cost, limit }) => cost > MAX_COST && cost <= limit);
  return isLarge ? `threads take at most ${MAX_COST} hits at once` : "";
}

/** Assert that a vector gets its answer, or the one that this package gives by design. */
async function checkVector(vector) {
  const [answer, compare = assert.deepEqual] = KINDS[vector.kind];
  compare(await answer(vector), (vector.javascript ?? vector).expect, vector.id, vector);
}

/** Remove the trees that were built. */
function removeTrees() {
  for (const { base } of built.values()) fs.rmSync(path.dirname(base), { recursive: true });
  built.clear();
  loads.removeLoadTrees();
}

/** A message counts if the vector has one. */
function compareDecoded(found, expected, id) {
  if (!expected.error) return assert.deepEqual(found, expected, id);
  const error = { ...found.error };
  if (!("message" in expected.error)) delete error.message;
  return assert.deepEqual({ error }, expected, id);
}

function compareDecisions(found, { budget, ...others }, id) {
  compareMembers(found, others, id);
  if (budget) compareBudgets(found.budget, budget, id);
}

/** Compare those members that a vector expects; a bigint equals the number that JSON.parse made of it. */
function compareMembers(found, expected, id) {
  const plain = (value) => JSON.parse(JSON.stringify(value, (_, part) => (typeof part === "bigint" ? Number(part) : part)));
  const given = plain(found);
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, given[name]])), plain(expected), id);
}

function compareBudgets(found, { retry_after_seconds: seconds, ...others }, id) {
  compareMembers(found, Object.fromEntries(Object.entries(others).filter(([name]) => name in found)), id);
  if (typeof seconds !== "number") return assert.equal(found.retry_after_seconds, seconds, id);
  return assert.ok(Math.abs(found.retry_after_seconds - seconds) <= 1e-9 * Math.max(1, seconds), id);
}

/** On a clock that goes back, as no process has one, hits are out of order, and the ring may count more of them as used. */
function compareRates({ answers: found }, { answers: expected }, id, { events }) {
  const isSetBack = events.some(({ at }, index) => index > 0 && at < events[index - 1].at);
  const rounded = found.map((answer, at) => {
    const [seconds, wanted] = [answer.retry_after_seconds, expected[at].retry_after_seconds];
    const isKnown = wanted !== null && seconds !== null;
    const isNear = isKnown && Math.abs(seconds - wanted) <= MAX_DIFFERENCE && (seconds === 0) === (wanted === 0);
    const { used, remaining } = isSetBack && answer.used > expected[at].used ? expected[at] : answer;
    return { ...answer, ...(isKnown && { used, remaining }), ...(isNear && { retry_after_seconds: wanted }) };
  });
  assert.deepEqual(rounded, expected, id);
}

function answerPath(vector) {
  if (!built.has(vector.tree)) built.set(vector.tree, buildTree(treesOf()[vector.tree]));
  const { base, origin, protection } = built.get(vector.tree);
  const { given, scopes, cwd } = replaceText(vector, BASE, base);
  const found = resolvePath("path", expandText(given), origin, protection, scopes, cwd ?? undefined);
  const denied = pathViolationText(scopes, found);
  const path = {
    normalized: found.normalized, resolved_inside: found.resolvedInside, resolved: found.resolved,
    error: found.error || undefined, protected_reason: found.protectedReason || undefined,
  };
  const scope = denied ? null : findMatchingScope(scopes, found.resolvedInside) ?? null;
  return replaceText({ path, denied, scope }, base, BASE);
}

const KINDS = {
  ids: [answers.answerIds],
  decode: [answers.answerDecode, compareDecoded],
  patterns: [answers.answerPatterns],
  arguments: [answers.answerArguments],
  path_arguments: [answers.answerPathArguments],
  paths: [answerPath],
  decide: [answers.answerDecide, compareDecisions],
  rate: [answers.answerRate, compareRates],
  load: [loads.answerLoad, loads.compareLoads],
};

module.exports = { KINDS, checkVector, reasonToSkip, removeTrees };
