// What the module answers to a vector of conformance/, without what it does not say (hints).
const REQUEST = ["cost", "approved", "budget", "paths"];
const BASE = "/b"; // where the trees of the kind `paths` would be

export function expandText(text) {
  if (typeof text === "string") return text;
  if (text.parts) return text.parts.map(expandText).join("");
  return expandText(text.repeat).repeat(text.times);
}

export function expandBytes(data) {
  if (typeof data === "string") return Buffer.from(data);
  if ("base64" in data) return Buffer.from(data.base64, "base64");
  if (data.parts) return Buffer.concat(data.parts.map(expandBytes));
  const part = expandBytes(data.repeat);
  return Buffer.concat(Array.from({ length: data.times }, () => part));
}

function documentText(vector, name) {
  const text = vector[`${name}_text`];
  return text === undefined ? JSON.stringify(vector[name]) : expandBytes(text).toString();
}

function objectText(texts) {
  return `{${Object.entries(texts).map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
}

function located(value) {
  return JSON.parse(JSON.stringify(value).replaceAll("{base}", BASE));
}

export function answerVector(policy, vector) {
  if (vector.kind === "decode") return answerDecode(policy, expandBytes(vector.bytes));
  if (vector.kind === "decide") return answerDecide(policy, vector);
  if (vector.kind === "rate") return { answers: vector.events.map((event) => answerEvent(policy, vector.id, event)) };
  return examine(policy, questionOf(vector));
}

function examine(policy, question, now = 0n) {
  if (!policy.wasm.examine(policy.write(Buffer.from(question)), now)) throw new Error(`no answer to ${question.slice(0, 200)}`);
  return policy.answer();
}

function questionOf(vector) {
  const { kind } = vector;
  const texts = { kind: JSON.stringify(kind) };
  if (kind === "arguments" || kind === "path_arguments") {
    for (const name of ["declarations", "args"]) texts[name] = documentText(vector, name);
  }
  if (kind === "ids") texts.word = JSON.stringify(expandText(vector.word));
  if (kind === "patterns") {
    texts.pattern = JSON.stringify(expandText(vector.pattern));
    texts.values = JSON.stringify(vector.values.map(expandText));
  }
  if (vector.words) texts.words = objectText(Object.fromEntries(Object.entries(vector.words).map(([name, word]) => [name, JSON.stringify(expandText(word))])));
  if (kind === "paths") {
    const { scopes, given, expect } = located(vector);
    texts.scopes = JSON.stringify(scopes);
    texts.path = JSON.stringify({ argument: "path", given: expandText(given), ...expect.path });
  }
  return objectText(texts);
}

function answerDecode(policy, bytes) {
  const handle = policy.wasm.load(1, policy.write(Buffer.concat([Buffer.from("g"), bytes])));
  if (handle < 0) return policy.answer();
  policy.wasm.describe(handle);
  return { grant: policy.answer() };
}

function answerDecide(policy, vector) {
  policy.configure(vector.settings ?? {});
  try {
    policy.load(vector.grant_id, Buffer.from(documentText(vector, "grant")));
  } catch (error) {
    return { allowed: false, reason: "grant_invalid", exit_code: 21, message: error.message };
  }
  const texts = { action: JSON.stringify(vector.action), args: documentText(vector, "args") };
  for (const name of REQUEST) if (name in vector) texts[name] = JSON.stringify(vector[name]);
  if (!vector.budget) Object.assign(texts, { hits: JSON.stringify(vector.hits ?? []), now: JSON.stringify(vector.now ?? 0) });
  return policy.decide(vector.grant_id, objectText(texts));
}

function answerEvent(policy, tool, { at, ...event }) {
  const budget = examine(policy, JSON.stringify({ kind: "rate", tool, action: "a", ...event }), BigInt(at));
  const { used, remaining, consumed, retry_after_seconds: retry } = budget;
  if (retry === null) return { allowed: false, retry_after_seconds: null };
  return { allowed: event.op === "peek" ? retry === 0 : consumed === event.cost, used, remaining, consumed, retry_after_seconds: retry };
}

/** Return what of an answer counts, beside what the vector expects of it. */
export function comparable(vector, found) {
  const { hint, ...expect } = vector.expect;
  if (vector.kind === "paths") {
    const { denied, scope } = located(expect);
    return [{ denied, scope }, found];
  }
  if (vector.kind === "rate") return [expect.answers.map(rounded), found.answers.map(rounded)];
  if (vector.kind === "decode" && expect.error) return [expect.error, pick(found.error ?? {}, expect.error)];
  if (vector.kind === "decode") return [expect.grant, pick(found.grant ?? {}, expect.grant)];
  return [expect, pick(found, expect)];
}

function pick(found, names) {
  return Object.fromEntries(Object.keys(names).map((name) => [name, found[name]]));
}

function rounded(answer) {
  const seconds = answer.retry_after_seconds;
  return { ...answer, retry_after_seconds: seconds ? Math.max(1e-4, Math.round(seconds * 1e3) / 1e3) : seconds };
}
