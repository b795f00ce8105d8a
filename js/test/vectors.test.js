// Every vector of conformance/ gets its answer, or a reason why this package cannot be asked.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { after, test } = require("node:test");

const answers = require("./support/answers");
const { REASONS } = require("../src/errors");
const { resolvePath } = require("../src/paths");
const { findMatchingScope, pathViolationText } = require("../src/scopes");
const { BASE, buildTree, replaceText } = require("./support/trees");
const { expandText, tablesOf, treesOf, vectorsOf } = require("./support/vectors");

const MAX_DIFFERENCE = 2e-5; // seconds: a tick of the ring is 4.1 microseconds
const MOST_EVENTS = 2046; // hits that one exchange takes
const built = new Map();

after(() => built.forEach(({ base }) => fs.rmSync(base, { recursive: true })));

/** Assert that each vector gets its answer; `skip` says why one is not asked. */
function check(kind, answer, { skip = () => "", compare = assert.deepEqual } = {}) {
  const skipped = new Map();
  let asked = 0;
  for (const vector of vectorsOf(kind)) {
    const why = skip(vector);
    if (why) {
      skipped.set(why, (skipped.get(why) ?? 0) + 1);
      continue;
    }
    asked += 1;
    compare(answer(vector), vector.expect, vector.id);
  }
  assert.ok(asked > 100 || kind === "ids");
  return skipped;
}

/** Compare those members that a vector expects; a bigint equals the number that JSON.parse made of it. */
function compareMembers(found, expected, id) {
  const plain = (value) => JSON.parse(JSON.stringify(value, (_, part) => (typeof part === "bigint" ? Number(part) : part)));
  const wanted = plain(expected);
  const given = plain(found);
  assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((name) => [name, given[name]])), wanted, id);
}

test("ids", () => {
  check("ids", answers.answerIds);
});

test("decode", () => {
  check("decode", answers.answerDecode, {
    compare: (found, expected, id) => {
      if (!expected.error) return assert.deepEqual(found, expected, id);
      const { message } = expected.error;
      return assert.deepEqual({ ...found.error, message: message === undefined ? undefined : found.error.message },
        { ...expected.error, message }, id);
    },
  });
});

test("patterns", () => {
  check("patterns", answers.answerPatterns);
});

test("arguments, but for words of a command line, which a program does not have", () => {
  const skipped = check("arguments", answers.answerArguments, { skip: ({ words }) => (words ? "words" : "") });
  assert.deepEqual([...skipped.keys()], ["words"]);
});

test("path arguments", () => {
  check("path_arguments", answers.answerPathArguments);
});

test("decide", () => {
  check("decide", answers.answerDecide, {
    compare: (found, expected, id) => {
      const { budget, ...others } = expected;
      compareMembers(found, others, id);
      if (budget) compareBudgets(found.budget, budget, id);
    },
  });
});

function compareBudgets(found, { retry_after_seconds: seconds, ...others }, id) {
  const known = Object.fromEntries(Object.entries(others).filter(([name]) => name in found));
  compareMembers(found, known, id);
  if (typeof seconds !== "number") return assert.equal(found.retry_after_seconds, seconds, id);
  return assert.ok(Math.abs(found.retry_after_seconds - seconds) <= 1e-9 * Math.max(1, seconds), id);
}

test("rates, but for costs that no exchange of one word can take", () => {
  const skip = ({ events }) => (events.some(({ cost, limit }) => cost > MOST_EVENTS && cost <= limit) ? "cost" : "");
  check("rate", answers.answerRate, {
    skip,
    compare: ({ answers: found }, { answers: expected }, id) => {
      const near = found.map((answer, at) => {
        const wanted = expected[at].retry_after_seconds;
        const seconds = answer.retry_after_seconds;
        const isNear = wanted !== null && seconds !== null && Math.abs(seconds - wanted) <= MAX_DIFFERENCE && (seconds === 0) === (wanted === 0);
        return isNear ? { ...answer, retry_after_seconds: wanted } : answer;
      });
      assert.deepEqual(near, expected, id);
    },
  });
});

test("paths, with real trees, but for names that are no UTF-16 text", () => {
  const trees = treesOf();
  const answer = (vector) => {
    if (!built.has(vector.tree)) built.set(vector.tree, buildTree(trees[vector.tree]));
    return answerPath(vector, built.get(vector.tree));
  };
  const skipped = check("paths", answer, { skip: ({ needs = [] }) => (needs.includes("bad-names") ? "bad names" : "") });
  assert.deepEqual([...skipped.keys()], ["bad names"]);
});

function answerPath(vector, { base, origin, protection }) {
  const { given, scopes, cwd } = replaceText(vector, BASE, base);
  const found = resolvePath("path", expandText(given), origin, protection, scopes, cwd ?? undefined);
  const denied = pathViolationText(scopes, found);
  const members = {
    normalized: found.normalized, resolved_inside: found.resolvedInside, resolved: found.resolved,
    error: found.error || undefined, protected_reason: found.protectedReason || undefined,
  };
  const scope = denied ? null : findMatchingScope(scopes, found.resolvedInside) ?? null;
  return replaceText({ path: members, denied, scope }, base, BASE);
}

test("the tables are those of the package", () => {
  const { reasons } = tablesOf();
  const spelled = Object.entries(REASONS).map(([name, [message, exitCode]]) => [name, { message, exit_code: exitCode }]);
  for (const [name, row] of Object.entries(reasons)) assert.deepEqual(Object.fromEntries(spelled)[name], row, name);
});
