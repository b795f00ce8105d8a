// What a host does with policy.wasm, in Node and in browsers. Threads that share `memory` count the same hits.

const SECTION = "cortex-policy"; // what `cortex-policy export` appends: settings and grants
const MAX_PAGES = 16384;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Decides requests; whatever goes wrong in the module is a denial. */
export class Policy {
  /**
   * @param {WebAssembly.Module} module
   * @param {{memory?: WebAssembly.Memory, ringBytes?: number, heapBytes?: number}} [options] the same in all threads
   */
  constructor(module, { memory = newMemory(), ringBytes = 1 << 20, heapBytes = 1 << 26 } = {}) {
    this.memory = memory;
    this.wasm = new WebAssembly.Instance(module, { env: { memory } }).exports;
    if (!this.wasm.prepare(ringBytes, heapBytes)) throw new RangeError("the memory has no room for another thread");
    for (const section of WebAssembly.Module.customSections(module, SECTION)) {
      if (this.call("preload", new Uint8Array(section)) < 0) throw new Error(this.answer()?.error.message ?? "no policy");
    }
  }

  /** Load the bytes of a grant file; throw an error with the sentence of `cortex-policy check`. */
  load(id, bytes) {
    const name = encoder.encode(id);
    const input = new Uint8Array(name.length + bytes.length);
    input.set(name);
    input.set(bytes, name.length);
    this.write(input);
    if (this.wasm.load(name.length, input.length) < 0) throw new Error(`grant invalid: ${this.answer().error.message}`);
  }

  /** Set `sensitive`, `require_path` and `undeclared_args`. */
  configure(settings) {
    if (!this.call("configure", encoder.encode(jsonOf(settings)))) throw new TypeError(this.answer().error.message);
  }

  /**
   * Decide a request, an object or JSON; `now` are nanoseconds of a clock that all threads share.
   *
   * Throws TypeError for what JSON would leave out or change, and what `BigInt` throws: then nothing was asked.
   */
  decide(id, request, now = nanoseconds()) {
    const text = typeof request === "string" ? request : jsonOf(request);
    const time = BigInt(now);
    try {
      const handle = this.call("find", encoder.encode(id));
      this.wasm.decide(handle, this.write(encoder.encode(text)), time);
      return this.answer();
    } catch {
      return TRAPPED;
    }
  }

  /** Return [label, text, is_path] of each text in the arguments that the host has to resolve. */
  pathArguments(id, args) {
    const handle = this.call("find", encoder.encode(id));
    const size = this.write(encoder.encode(jsonOf(args)));
    if (!this.wasm.path_arguments(handle, size)) throw new TypeError(`\`${id}\` is not loaded, or the arguments are no object`);
    return this.answer().paths;
  }

  call(name, bytes) {
    return this.wasm[name](this.write(bytes));
  }

  write(bytes) {
    const place = this.wasm.reserve(bytes.length) >>> 0;
    new Uint8Array(this.memory.buffer).set(bytes, place);
    return bytes.length;
  }

  answer() {
    const size = this.wasm.answer_size();
    const place = this.wasm.answer() >>> 0;
    // a copy: TextDecoder takes no shared memory
    return size ? JSON.parse(decoder.decode(new Uint8Array(this.memory.buffer).slice(place, place + size))) : undefined;
  }
}

const TRAPPED = Object.freeze({
  allowed: false, reason: "state_unavailable", exit_code: 24, obligations: Object.freeze([]), retryable: false,
  scopes: Object.freeze([]), budget: null, message: "rate state unavailable: the decision module has failed",
});

/** Return a memory for one thread, or for several that count together; at most 1 GiB of it are used. */
export function newMemory() {
  return new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
}

// by type: whether JSON would leave a value out, or change it
const IS_LOST = {
  __proto__: null, object: (value) => !isPlain(value), number: (value) => !Number.isFinite(value), function: () => true, symbol: () => true,
};

/** Return a value as JSON; throw TypeError for what that would leave out, such as the members of a Map: no rule would see it. */
function jsonOf(value) {
  return JSON.stringify(value, function requireJson(name, part) {
    const given = this[name]; // as it was before its own `toJSON`
    if (IS_LOST[typeof given]?.(given)) throw new TypeError(`\`${name}\` is no JSON value`);
    return part;
  });
}

/** Whether an object is an array, or has no class and no member that is hidden or inherited. */
function isPlain(value) {
  if (value === null) return true;
  if (typeof value.toJSON === "function") return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  const hasClass = prototype !== null && (Object.getPrototypeOf(prototype) !== null || Object.keys(prototype).length > 0);
  return !hasClass && Object.getOwnPropertyNames(value).length === Object.keys(value).length;
}

function nanoseconds() {
  if (globalThis.process?.hrtime) return globalThis.process.hrtime.bigint();
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
}
