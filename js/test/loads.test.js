// Every vector of files gets its answer. In a process of its own: one that has counted hits is too large to start others.
"use strict";

const assert = require("node:assert/strict");
const { after, test } = require("node:test");

const { checkVector, reasonToSkip, removeTrees } = require("./support/kinds");
const { buildLoadTree } = require("./support/loads");
const { vectorsOf } = require("./support/vectors");

const FEWEST = 450; // that need no root

after(removeTrees);

test("vectors of the kind load", async () => {
  const vectors = vectorsOf("load");
  const asked = vectors.filter((vector) => !reasonToSkip(vector));
  for (const vector of asked) await buildLoadTree(vector); // first: settings that are new are waited for
  for (const vector of asked) await checkVector(vector);
  assert.ok(asked.length >= FEWEST);
});
