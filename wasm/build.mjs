// Build policy.wasm: the same source gives the same bytes, wherever it is built.
//
//     npm ci && node build.mjs          write policy.wasm and its digest
//     npm ci && node build.mjs --check  fail if either differs

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import asc from "assemblyscript/asc";
import { TextPacker } from "./pack-texts.mjs";

const here = new URL(".", import.meta.url);
const TEXTS = "assembly/texts.ts";
const OPTIONS = [
  "assembly/index.ts", "--outFile", "policy.wasm", "--runtime", "stub", "--use", "abort=",
  "--importMemory", "--noExportMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536",
  "--enable", "threads", "-O2z",
];

/** Return the bytes of the module. */
async function build() {
  // the arena takes the place of the compiler's allocator, which frees nothing either, but cannot begin again
  asc.libraryFiles["rt/stub"] = readFileSync(new URL("runtime/arena.ts", here), "utf8");
  const sources = packSources();
  // what no host sees: an error traps
  asc.libraryFiles["util/error"] = asc.libraryFiles["util/error"].replace(/: string = ".*?"/g, ': string = ""');
  let binary;
  const { error, stderr } = await asc.main([...OPTIONS, ...process.argv.slice(2).filter((word) => word !== "--check")], {
    readFile: (name) => sources.get(name) ?? null,
    writeFile: (name, content) => { if (name.endsWith(".wasm")) binary = content; else writeFileSync(name, content); },
    listFiles: () => [],
  });
  if (error) throw new Error(stderr.toString());
  return Buffer.from(binary);
}

/** Return all source files by name, with their texts packed: in one order, so that texts have the same numbers. */
function packSources() {
  const packer = new TextPacker();
  const names = readdirSync(new URL("assembly/", here), { recursive: true }).filter((name) => name.endsWith(".ts")).sort();
  const sources = new Map(names.map((name) => [`assembly/${name}`, readFileSync(new URL(`assembly/${name}`, here), "utf8")]));
  for (const [name, source] of sources) {
    if (name !== TEXTS) {
      sources.set(name, packer.pack(source, name.split("/").length > 2 ? "../texts" : "./texts"));
    }
  }
  return sources.set(TEXTS, packer.table() + sources.get(TEXTS));
}

const file = new URL("policy.wasm", here);
const digestFile = new URL("policy.wasm.sha256", here);
const binary = await build();
const line = `${createHash("sha256").update(binary).digest("hex")}  policy.wasm\n`;
if (!process.argv.includes("--check")) {
  writeFileSync(file, binary);
  writeFileSync(digestFile, line);
  console.log(`${binary.length} bytes, sha256 ${line.slice(0, 64)}`);
} else if (!binary.equals(readFileSync(file)) || line !== readFileSync(digestFile, "utf8")) {
  console.error("policy.wasm is not what its source gives: run `node build.mjs`");
  process.exitCode = 1;
}
