// Every vector of conformance/ gets its answer, or a reason why this package cannot be asked.
"use strict";

const assert = require("node:assert/strict");
const { after, test } = require("node:test");

const { REASONS } = require("../src/errors");
const { KINDS, checkVector, reasonToSkip, removeTrees } = require("./support/kinds");
const { tablesOf, vectorsOf } = require("./support/vectors");

const SKIPPED = { arguments: 800, paths: 60, rate: 40 }; // at most, of each kind
const FEWEST = 100;

after(removeTrees);

for (const kind of Object.keys(KINDS).filter((name) => name !== "load")) { // which loads.test.js asks
  test(`vectors of the kind ${kind}`, async () => {
    const vectors = vectorsOf(kind);
    const asked = vectors.filter((vector) => !reasonToSkip(vector));
    for (const vector of asked) await checkVector(vector);
    assert.ok(asked.length >= FEWEST && vectors.length - asked.length <= (SKIPPED[kind] ?? 0));
  });
}

test("the reasons of the tables are those of the package", () => {
  for (const [name, { message, exit_code: exitCode }] of Object.entries(tablesOf().reasons)) {
    assert.deepEqual(REASONS[name], [message, exitCode], name);
  }
});
