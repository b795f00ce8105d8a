// The decision module: what a host calls. All texts are UTF-8 or JSON in the memory; a trap is a denial.
//
// Each call: `reserve` the bytes of the input, write them there, ask, read `answer_size` bytes from `answer`. After a
// trap in a call that changes what is kept (`prepare`, `load`, `preload`, `configure`) each call of that instance traps.
// INVARIANT: other calls change nothing that outlives them but hits, and a thread may end anywhere while it counts.

import { growTo, mark, release, useRegion } from "rt/stub";
import { Decider, Decision, Reason } from "./decision";
import { Grant, GrantDecoder } from "./grant";
import { Decoder, Malformed, Strictness } from "./json";
import { emptyList } from "./lists";
import { Places } from "./places";
import { answerOf, answerPathArguments } from "./questions";
import { Request, Settings } from "./request";
import { useRings } from "./ring";
import { joinTexts, quoteText } from "./text";
import { canonicalJson, Value } from "./value";
import { unpackTexts } from "./texts";
import { readText, utf8Length, writeUtf8 } from "./utf8";

const MAX_REQUEST_BYTES = 1 << 24;
const MAX_PRELOADED_BYTES = 1 << 28;
const HEADER_BYTES: usize = 64;

let kept: usize = 0; // where what outlives a call ends
let input: usize = 0;
let output: usize = 0;
let outputSize: i32 = 0;
let isChanging: bool = false; // a change that trapped has not ended: what it left half done is never used
let grants: Grant[] = changetype<Grant[]>(0);
let places: Places = changetype<Places>(0); // of grants
let settings: Settings = changetype<Settings>(0);

function refuseHalfDone(): void {
  if (isChanging) unreachable();
}

function beginChange(): void {
  refuseHalfDone();
  isChanging = true;
}

// @ts-ignore: decorator
@inline
function endChange<T>(result: T): T {
  isChanging = false;
  return result;
}

/**
 * Begin: each thread that shares the memory calls this once, with the same sizes.
 *
 * Returns whether there is room for one more thread.
 */
export function prepare(ring_bytes: u32, heap_bytes: u32): bool {
  beginChange(); // and where this returns false it does not end: there is no memory to work with
  const rings = (__heap_base + 63) & ~63;
  const start = <u64>rings + ring_bytes;
  if (ring_bytes < 2 * HEADER_BYTES || start > u32.MAX_VALUE) return false;
  growTo(<usize>start);
  const region = useRings(rings, ring_bytes, heap_bytes);
  if (region < 0 || region > 1 << 16) return false;
  const from = start + <u64>region * heap_bytes;
  if (from + heap_bytes > u32.MAX_VALUE) return false;
  useRegion(<usize>from, <usize>(from + heap_bytes));
  unpackTexts();
  grants = emptyList<Grant>();
  places = new Places();
  settings = new Settings(Value.members());
  kept = mark();
  return endChange(true);
}

/** Forget the last call, and return where its input goes. */
export function reserve(size: i32): usize {
  refuseHalfDone();
  release(kept);
  outputSize = 0;
  input = __alloc(size);
  return input;
}

export function answer(): usize {
  return output;
}

export function answer_size(): i32 {
  return outputSize;
}

function give(text: string): void {
  outputSize = utf8Length(text);
  output = writeUtf8(text);
}

function giveError(error: Malformed): void {
  const parts = [`{"error":{"class":"${error.kind}","message":`, quoteText(error.message, false)];
  if (error.line) parts.push(`,"line":${error.line},"column":${error.column}`);
  if (error.byte) parts.push(`,"byte":${error.byte}`);
  parts.push("}}");
  give(joinTexts(parts, ""));
}

/**
 * Load a grant: the input is an id of `id_size` bytes and the bytes of a grant file.
 *
 * Returns its handle, or -1 and an answer that says why not. A grant with the same id is replaced.
 */
export function load(id_size: i32, size: i32): i32 {
  beginChange();
  return endChange(keepGrant(readText(input, id_size), input + id_size, size - id_size));
}

function keepGrant(id: string, place: usize, size: i32): i32 {
  const decoder = new GrantDecoder();
  const grant = decoder.decode(id, place, size);
  if (decoder.error !== null) {
    giveError(decoder.error!);
    return -1;
  }
  if (places.add(id, grants.length)) grants.push(grant);
  const handle = places.find(id);
  grants[handle] = grant;
  kept = mark();
  return handle;
}

/**
 * Load what `cortex-policy export` has put into the file: JSON with `settings`, and `grants` with `id` and `text`.
 *
 * Returns how many grants there are, or -1 and an answer that says why not.
 */
export function preload(size: i32): i32 {
  beginChange();
  return endChange(keepAll(size));
}

function keepAll(size: i32): i32 {
  const decoder = new Decoder(Strictness.Call);
  const value = decoder.decode(input, size, MAX_PRELOADED_BYTES);
  const wanted = value.get("settings");
  const listed = value.get("grants");
  if (decoder.error !== null || wanted === null || listed === null || !keepSettings(wanted)) return -1;
  for (let at = 0; at < listed.parts.length; at += 1) {
    const id = listed.parts[at].get("id");
    const text = listed.parts[at].get("text");
    if (id === null || text === null) return -1;
    if (keepGrant(id.text, writeUtf8(text.text), utf8Length(text.text)) < 0) return -1;
  }
  return listed.parts.length;
}

/** Return the handle of a grant, whose id is the input; -1 if it is not loaded. */
export function find(size: i32): i32 {
  refuseHalfDone();
  return places.find(readText(input, size));
}

/** Take the settings in the input; return whether they are some. */
export function configure(size: i32): bool {
  beginChange();
  const decoder = new Decoder(Strictness.Grant);
  const value = decoder.decode(input, size);
  if (decoder.error === null) return endChange(keepSettings(value));
  giveError(decoder.error!);
  return endChange(false);
}

function keepSettings(value: Value): bool {
  const wanted = new Settings(value);
  if (wanted.problem.length) {
    giveError(new Malformed("settings", wanted.problem));
    return false;
  }
  settings = wanted;
  kept = mark();
  return true;
}

/** Decide a request to a grant at a time of the caller's clock; return whether it is allowed. */
export function decide(handle: i32, size: i32, nanoseconds: i64): bool {
  refuseHalfDone();
  const decision = decisionOn(handle, size, nanoseconds);
  give(decision.json());
  return decision.isAllowed();
}

function decisionOn(handle: i32, size: i32, nanoseconds: i64): Decision {
  if (handle < 0 || handle >= grants.length) return new Decision(Reason.GrantNotFound);
  const decoder = new Decoder(Strictness.Call);
  const value = decoder.decode(input, size, MAX_REQUEST_BYTES);
  if (decoder.error !== null) return new Decision(Reason.Usage, decoder.error!.message);
  const request = new Request(value);
  if (request.problem.length) return new Decision(Reason.Usage, request.problem);
  return new Decider(grants[handle], request, settings).decide(nanoseconds);
}

/** Say which texts in the arguments in the input are paths, as the host has to resolve them. */
export function path_arguments(handle: i32, size: i32): bool {
  refuseHalfDone();
  const decoder = new Decoder(Strictness.Call);
  const args = decoder.decode(input, size, MAX_REQUEST_BYTES);
  if (decoder.error !== null || handle < 0 || handle >= grants.length) return false;
  give(answerPathArguments(grants[handle].declarations, args));
  return true;
}

/** Give what a loaded grant says. */
export function describe(handle: i32): bool {
  refuseHalfDone();
  if (handle < 0 || handle >= grants.length) return false;
  const grant = grants[handle];
  const parts = [
      '{"tool":', quoteText(grant.tool, false), ',"actions":', textsJson(grant.actions), `,"per_minute":"${grant.perMinute}"`,
      ',"args":', quoteText(canonicalJson(grant.declarations.value), false), `,"data_class":"${grant.dataClass}"`,
      ',"fs_scope":', textsJson(grant.fsScope), "}",
  ];
  give(joinTexts(parts, ""));
  return true;
}

function textsJson(texts: string[]): string {
  const quoted = emptyList<string>();
  for (let at = 0; at < texts.length; at += 1) quoted.push(quoteText(texts[at], false));
  return `[${joinTexts(quoted, ",")}]`;
}

/** Answer a question of conformance/README.md; return whether the input is one. */
export function examine(size: i32, nanoseconds: i64): bool {
  refuseHalfDone();
  const decoder = new Decoder(Strictness.Call);
  const question = decoder.decode(input, size, MAX_REQUEST_BYTES);
  const text = decoder.error === null ? answerOf(question, nanoseconds) : "";
  give(text);
  return text.length > 0;
}
