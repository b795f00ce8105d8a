// A supervisor that writes files for its agents, where the grant `artefacts` lets it. Of the original only the import is changed.
//
//   node supervisor.ts ../supervisor < ../supervisor/requests.jsonl

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";

import { enforce, loadGrant } from "cortex-policy";

type Request = { agent?: unknown; path?: unknown; text?: unknown };

/** Write a file if the grant lets us; say what became of it. */
async function answerRequest({ path, text }: Request): Promise<Record<string, unknown>> {
  if (typeof path !== "string" || typeof text !== "string") return { written: false, message: "`path` and `text` must be strings" };
  try {
    const grant = await loadGrant("artefacts"); // at each call, so that an edit of the operator counts at once
    enforce(grant, "write", { path, size: Buffer.byteLength(text) });
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    return { written: true };
  } catch (error) {
    return { written: false, message: (error as Error).message }; // "path not within fsScope", or whatever else went wrong
  }
}

function parse(line: string): Request {
  try {
    return Object(JSON.parse(line));
  } catch {
    return {};
  }
}

process.chdir(process.argv[2] ?? ".");
for await (const line of createInterface({ input: process.stdin })) {
  const request = parse(line);
  const answer = await answerRequest(request);
  if (!answer.written) process.exitCode = 1;
  console.log(JSON.stringify({ agent: request.agent, path: request.path, ...answer }));
}
