// Every vector of conformance/ has its answer.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { gunzipSync } from "node:zlib";
import { Policy } from "../policy.mjs";
import { answerVector, comparable } from "../support/vectors.mjs";

const module = new WebAssembly.Module(readFileSync(new URL("../policy.wasm", import.meta.url)));
const AT_ONCE = 500; // vectors for one instance: loaded grants and budgets stay in its memory
const conformance = new URL("../../conformance/", import.meta.url);
const files = ["cases/", "generated/"].flatMap((directory) =>
  readdirSync(new URL(directory, conformance)).filter((name) => !name.startsWith("load.")) // the module has no disk
    .map((name) => new URL(directory + name, conformance)),
);

function vectorsOf(file) {
  const bytes = readFileSync(file);
  const text = file.pathname.endsWith(".gz") ? gunzipSync(bytes) : bytes;
  return text.toString().split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

for (const file of files) {
  test(file.pathname.split("/").slice(-2).join("/"), () => {
    const wrong = [];
    let policy;
    vectorsOf(file).forEach((vector, index) => {
      if (index % AT_ONCE === 0) policy = new Policy(module, { ringBytes: 1 << 22 });
      const [expected, found] = comparable(vector, answerVector(policy, vector));
      try {
        assert.deepStrictEqual(found, expected);
      } catch {
        wrong.push({ id: vector.id, expected, found });
      }
    });
    assert.deepEqual(wrong.slice(0, 3), [], `${wrong.length} answers differ`);
  });
}
