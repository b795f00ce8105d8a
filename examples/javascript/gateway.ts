// A gateway in front of models: one grant says which operations, which models, and how often each. Of the original only the import is changed.
//
//   GATEWAY_UPSTREAM=http://127.0.0.1:9000 CORTEX_POLICY_ROOT=$PWD/../gateway node gateway.ts 8080
//
// It counts in its own process. `CheckProcess` in place of `loadGrant` and `enforce` counts for all processes: docs/javascript.md.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import { AccessDenied, enforce, loadGrant } from "cortex-policy";

const UPSTREAM = process.env.GATEWAY_UPSTREAM ?? "http://127.0.0.1:9000";
const LONGEST_BODY = 1_000_000; // characters
const PATIENCE_MS = 60_000;

/** Decide a call, and hand it on if it is allowed. */
async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const operation = /^\/v1\/([a-z]+)$/.exec(request.url ?? "")?.[1];
  if (request.method !== "POST" || operation === undefined) return answer(response, 404, { message: "not found" });
  const body = await readBody(request);
  if (body === undefined) return answer(response, 400, { message: "the body must be a JSON object" });
  const limited = Object.fromEntries(["model", "max_tokens"].filter((name) => name in body).map((name) => [name, body[name]]));
  enforce(await loadGrant("model-gateway"), operation, limited);
  // encoded again, so that the model reads what was decided on
  const reply = await fetch(`${UPSTREAM}/v1/${operation}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  response.writeHead(reply.status, { "content-type": reply.headers.get("content-type") ?? "application/json" });
  response.end(await reply.text());
}

/** Answer what was not handed on: 403 or 429 for a denial, 503 if nothing can be decided, 502 if the model cannot be reached. */
function refuse(response: ServerResponse, error: unknown): void {
  if (error instanceof AccessDenied) {
    const { retryable, budget, reason } = error.decision;
    const wait = retryable ? Math.max(1, Math.ceil(budget?.retryAfterSeconds ?? 1)) : undefined;
    if (wait !== undefined) response.setHeader("retry-after", wait);
    return answer(response, wait === undefined ? 403 : 429, { reason, message: error.message });
  }
  console.error(String(error)); // the details name files of this host, so only the log gets them
  const reason = (error as { reason?: string }).reason;
  return answer(response, reason === undefined ? 502 : 503, { reason, message: "not now" });
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  let text = "";
  for await (const part of request.setEncoding("utf8")) {
    text += part;
    if (text.length > LONGEST_BODY) return undefined;
  }
  try {
    const body = JSON.parse(text);
    return typeof body === "object" && !Array.isArray(body) ? (body ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

function answer(response: ServerResponse, status: number, members: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(members));
}

const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => refuse(response, error));
});
server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () => console.log(JSON.stringify(server.address())));
