// Read vectors, one a line, from standard input, and say how many get their answer; scripts/fuzz_javascript.py writes them.
"use strict";

const process = require("node:process");
const readline = require("node:readline");

const { checkVector, reasonToSkip, removeTrees } = require("./kinds");

const SHOWN = 20; // differences

async function main() {
  const counts = { equal: 0, skipped: 0, different: 0 };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const vector = JSON.parse(line);
    if (reasonToSkip(vector)) counts.skipped += 1;
    else counts[await isEqual(vector, counts.different) ? "equal" : "different"] += 1;
  }
  removeTrees();
  console.log(JSON.stringify(counts));
  process.exitCode = counts.different ? 1 : 0;
}

async function isEqual(vector, before) {
  try {
    await checkVector(vector);
    return true;
  } catch (error) {
    if (before < SHOWN) console.log(JSON.stringify(vector).slice(0, 2000), "\n", String(error.message).slice(0, 2000));
    return false;
  }
}

main();
