// The hits of sliding minutes in shared memory, exactly over all threads that share it, without locks.
//
// A budget has a ring of takes. A take has a ticket, and the slot `ticket % capacity`: the tick at which it was taken,
// and the sum of all costs up to it. Whoever writes its tick into the slot of the next ticket, by one
// compare-and-exchange, has the ticket; writing the sum completes the take. If a thread is held up or ends between the
// two, another writes the sum as if the cost were 0, and goes on; a thread that finds this begins again.
//
// INVARIANT: what is counted before a take cannot change until it is complete, since any take changes the same slot.

import { Budget } from "./window";
import { integerOf } from "./text";
import { compareDigits, Value } from "./value";

const TICK_BITS = 12; // a tick is 4,096 ns
const WINDOW: i64 = 14_648_439; // ticks: rounded so that a hit frees a few microseconds late, never early
const ONE_SECOND: i64 = 244_141; // ticks
const BEFORE_START: i64 = 1 << 42; // ticks, 208 days: so long may the clock go back
const TIME_MASK: i64 = (1 << 45) - 1;
const FROZEN: i64 = 1 << 45; // the ring is being replaced by a larger one
const LAP_SHIFT = 46;
const LAP_MASK: i64 = (1 << 17) - 1;
const SUM_BITS = 54; // sums are counted modulo 2**54, and a limit here is below that
const SUM_MASK: i64 = (1 << 54) - 1;
const TAG_MASK: i64 = (1 << 10) - 1;
const LARGEST: i64 = 9_007_199_254_740_991; // what a budget can count

// the header of the memory: offsets of words of 64 bits
const RING_BYTES = 0;
const HEAP_BYTES = 8;
const REGIONS = 16; // that threads have claimed
const FREE = 24; // bytes of the ring memory that are used
const START = 32; // a tick
const BUDGETS = 40; // the first of a list
const HEADER = 64;

// of a budget: the next one, its ring, the bytes of its name
const RING = 8;
const NAME_SIZE = 16;
const NAME = 24;

// of a ring: how many slots, the next ticket, until when ticks may be out of order
const BITS = 0;
const HEAD = 8;
const DISORDER = 16;
const SLOTS = 24;
const SLOT_BYTES: i64 = 16;
const FIRST_BITS: i64 = 6;
const MAX_TRIES = 1000; // until a thread that was held up loses its ticket

let base: usize = 0;

function get(place: usize): i64 {
  return atomic.load<i64>(place);
}

function exchange(place: usize, expected: i64, wanted: i64): bool {
  return atomic.cmpxchg<i64>(place, expected, wanted) == expected;
}

/** Use the memory at this place; return the number of this thread's region, -1 if others use other sizes. */
export function useRings(place: usize, ringBytes: i64, heapBytes: i64): i64 {
  base = place;
  const isSame =
    (exchange(base + RING_BYTES, 0, ringBytes) || get(base + RING_BYTES) == ringBytes) &&
    (exchange(base + HEAP_BYTES, 0, heapBytes) || get(base + HEAP_BYTES) == heapBytes);
  return isSame ? atomic.add<i64>(base + REGIONS, 1) : -1;
}

/** Reserve bytes that stay; 0 if there are none left. They are all 0. */
function claim(size: i64): usize {
  const aligned = (size + 7) & ~7;
  const limit = get(base + RING_BYTES) - HEADER;
  let used = get(base + FREE);
  while (aligned <= limit - used) {
    if (exchange(base + FREE, used, used + aligned)) return base + HEADER + <usize>used;
    used = get(base + FREE);
  }
  return 0;
}

/** Give bytes back that nobody has seen, if they are the last that were claimed. */
function unclaim(place: usize, size: i64): void {
  memory.fill(place, 0, <usize>size);
  const behind = <i64>(place - base - HEADER) + size;
  exchange(base + FREE, behind, behind - size);
}

/** Return the ticks since a fixed time before the first call, 0 if the clock went too far. */
function ticksAt(nanoseconds: i64): i64 {
  const tick = nanoseconds >> TICK_BITS;
  const first = tick - BEFORE_START;
  exchange(base + START, 0, first == 0 ? 1 : first);
  const since = tick - get(base + START);
  return since > 2 * WINDOW && since < TIME_MASK ? since : 0;
}

function hasName(budget: usize, name: usize, size: i32): bool {
  return load<i64>(budget + NAME_SIZE) == size && memory.compare(budget + NAME, name, size) == 0;
}

/** Return the budget of a name, which is made if it is not there; 0 if there is no room. */
function budgetOf(name: string): usize {
  const text = changetype<usize>(name);
  const size = name.length << 1;
  let made: usize = 0;
  let first: i64 = 0;
  do {
    first = get(base + BUDGETS);
    for (let at = <usize>first; at != 0; at = <usize>load<i64>(at)) {
      if (hasName(at, text, size)) return at;
    }
    if (!made) made = makeBudget(text, size);
    if (!made) return 0;
    store<i64>(made, first);
  } while (!exchange(base + BUDGETS, first, <i64>made));
  return made;
}

function makeBudget(name: usize, size: i32): usize {
  const made = claim(NAME + size);
  const ring = made ? makeRing(FIRST_BITS) : 0;
  if (!ring) return 0;
  store<i64>(made + RING, <i64>ring);
  store<i64>(made + NAME_SIZE, size);
  memory.copy(made + NAME, name, size);
  return made;
}

/** Return an empty ring; its tickets begin in the lap after that of slots that were never written. */
function makeRing(bits: i64): usize {
  if (bits > 30) return 0;
  const ring = claim(SLOTS + (SLOT_BYTES << bits));
  if (!ring) return 0;
  store<i64>(ring + BITS, bits);
  store<i64>(ring + HEAD, (<i64>1) << bits);
  return ring;
}

/** One ring, as one call sees it. */
class Ring {
  private bits: i64;
  private head: i64 = 0;
  private slot: i64 = 0;
  private oldSum: i64 = 0;
  private first: i64 = 0; // the first ticket that counts, if times are in order
  private used: i64 = 0;

  constructor(private budget: usize, private place: usize, private limit: i64, private now: i64) {
    this.bits = load<i64>(place + BITS);
  }

  private slotOf(ticket: i64): usize {
    return this.place + SLOTS + <usize>(ticket & (((<i64>1) << this.bits) - 1)) * <usize>SLOT_BYTES;
  }

  private lapOf(ticket: i64): i64 {
    return ticket >> this.bits;
  }

  private timeOf(ticket: i64): i64 {
    return get(this.slotOf(ticket)) & TIME_MASK;
  }

  private sumOf(ticket: i64): i64 {
    return get(this.slotOf(ticket) + 8) & SUM_MASK;
  }

  private costOf(ticket: i64): i64 {
    return (this.sumOf(ticket) - this.sumOf(ticket - 1)) & SUM_MASK;
  }

  private sumWord(ticket: i64, sum: i64): i64 {
    return ((this.lapOf(ticket) & TAG_MASK) << SUM_BITS) | (sum & SUM_MASK);
  }

  private isFresh(ticket: i64): bool {
    return this.now - this.timeOf(ticket) < WINDOW;
  }

  /** Look at the ring; return whether it can be asked now. */
  look(): bool {
    this.head = get(this.place + HEAD);
    const slot = this.slotOf(this.head);
    this.slot = get(slot);
    this.oldSum = get(slot + 8);
    if (((this.slot >> LAP_SHIFT) & LAP_MASK) == (this.lapOf(this.head) & LAP_MASK)) {
      this.completeOther(slot);
      return false;
    }
    return get(this.place + HEAD) == this.head;
  }

  isFrozen(): bool {
    return (this.slot & FROZEN) != 0;
  }

  /** Whether the next take would write over what must be known to count. */
  isFull(): bool {
    return this.isFresh(this.head + 1 - ((<i64>1) << this.bits));
  }

  /** Move the head behind a take that another thread has begun; complete it, if that thread does not. */
  private completeOther(slot: usize): void {
    const tag = this.lapOf(this.head) & TAG_MASK;
    for (let tries = 0; tries < MAX_TRIES && ((get(slot + 8) >> SUM_BITS) & TAG_MASK) != tag; tries += 1) {}
    const sum = get(slot + 8);
    if (get(this.place + HEAD) != this.head) return;
    if (((sum >> SUM_BITS) & TAG_MASK) != tag) exchange(slot + 8, sum, this.sumWord(this.head, this.sumOf(this.head - 1)));
    exchange(this.place + HEAD, this.head, this.head + 1);
  }

  /** Count what the last minute has. */
  count(): i64 {
    const size = (<i64>1) << this.bits;
    const last = this.sumOf(this.head - 1);
    if (this.now < get(this.place + DISORDER)) {
      this.first = -1;
      this.used = 0;
      for (let ticket = this.head - size + 1; ticket < this.head; ticket += 1) {
        if (this.isFresh(ticket)) this.used += this.costOf(ticket);
      }
      return this.used;
    }
    let low = this.head - size + 1; // is not fresh: see isFull
    let high = this.head;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.isFresh(middle)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    this.first = low;
    this.used = (last - this.sumOf(low - 1)) & SUM_MASK;
    return this.used;
  }

  /** Whether nothing was taken since `look`. */
  isUnchanged(): bool {
    return get(this.place + HEAD) == this.head && get(this.slotOf(this.head)) == this.slot;
  }

  /** Return how long it is until `cost` more fit, after a take of `own` that comes now. */
  nanosecondsUntilFit(cost: i64, own: i64): i64 {
    let excess = this.used + own + cost - this.limit;
    if (excess <= 0) return 0;
    if (this.first < 0) return this.nanosecondsOutOfOrder(excess, own);
    for (let ticket = this.first; ticket < this.head; ticket += 1) {
      excess -= this.costOf(ticket);
      if (excess <= 0) return this.nanosecondsUntil(this.timeOf(ticket));
    }
    return this.nanosecondsUntil(this.now);
  }

  private nanosecondsUntil(time: i64): i64 {
    return (time + WINDOW - this.now) << TICK_BITS;
  }

  /** Find the first tick until which enough has been taken, by halves of the minute. */
  private nanosecondsOutOfOrder(excess: i64, own: i64): i64 {
    let low = this.now - WINDOW + 1;
    let high = max(this.now, get(this.place + DISORDER) - WINDOW); // no tick is later
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.takenUntil(middle) + (middle >= this.now ? own : 0) >= excess) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return this.nanosecondsUntil(low);
  }

  private takenUntil(time: i64): i64 {
    let sum: i64 = 0;
    for (let ticket = this.head - ((<i64>1) << this.bits) + 1; ticket < this.head; ticket += 1) {
      if (this.isFresh(ticket) && this.timeOf(ticket) <= time) sum += this.costOf(ticket);
    }
    return sum;
  }

  /** Take the next ticket; return whether that was done. */
  take(cost: i64): bool {
    const last = this.timeOf(this.head - 1);
    // a thread that was held up since it read the clock: its take counts from the one before it, and so a bit longer
    const time = last > this.now && last - this.now < ONE_SECOND ? last : this.now;
    if (last > time) this.noteDisorder(last + WINDOW);
    const slot = this.slotOf(this.head);
    const sum = this.sumOf(this.head - 1) + cost;
    const taken = ((this.lapOf(this.head) & LAP_MASK) << LAP_SHIFT) | time;
    if (!exchange(slot, this.slot, taken)) return false;
    if (!exchange(slot + 8, this.oldSum, this.sumWord(this.head, sum))) return false;
    exchange(this.place + HEAD, this.head, this.head + 1);
    return true;
  }

  /** Note that ticks are out of order for a while. INVARIANT: before the one that is can be seen. */
  private noteDisorder(until: i64): void {
    for (;;) {
      const noted = get(this.place + DISORDER);
      if (noted >= until || exchange(this.place + DISORDER, noted, until)) return;
    }
  }

  /** Keep everybody from taking the next ticket, so that the ring can be copied. */
  freeze(): void {
    exchange(this.slotOf(this.head), this.slot, this.slot | FROZEN);
  }

  /** Replace the ring by one of twice its size; return whether there is room. */
  grow(): bool {
    const larger = makeRing(this.bits + 1);
    if (!larger) return false;
    const size = (<i64>1) << this.bits;
    const begin = size << 1;
    for (let at: i64 = 0; at < size; at += 1) {
      const place = larger + SLOTS + <usize>at * <usize>SLOT_BYTES;
      store<i64>(place, ((<i64>1) << LAP_SHIFT) | this.timeOf(this.head - size + at));
      store<i64>(place + 8, ((<i64>1) << SUM_BITS) | this.sumOf(this.head - size + at));
    }
    store<i64>(larger + HEAD, begin + size);
    store<i64>(larger + DISORDER, get(this.place + DISORDER));
    if (!exchange(this.budget + RING, <i64>this.place, <i64>larger)) unclaim(larger, SLOTS + (SLOT_BYTES << (this.bits + 1)));
    return true;
  }
}

/** Take `cost` hits if they fit into `limit` a minute, or only say what would be; the numbers are digits. */
export function askRing(tool: string, action: string, limit: string, cost: string, nanoseconds: i64, takes: bool): Budget {
  if (compareDigits(cost, limit) > 0) return Budget.neverFitting(limit, 0);
  const wanted = countOf(cost);
  if (wanted > LARGEST) return Budget.failed("the cost is larger than this module counts");
  const now = ticksAt(nanoseconds);
  if (now == 0) return Budget.failed("the clock is not that of the calls before");
  const budget = budgetOf(`${tool}:${action}`);
  return budget ? askBudget(budget, limit, min(countOf(limit), LARGEST), wanted, now, takes) : noRoom();
}

/** Return an integer of any size, LARGEST + 1 if it is larger than LARGEST. */
function countOf(digits: string): i64 {
  return digits.length > 18 ? LARGEST + 1 : min(integerOf(digits), LARGEST + 1);
}

function noRoom(): Budget {
  return Budget.failed("the budgets do not fit into their memory");
}

function askBudget(budget: usize, limit: string, size: i64, cost: i64, now: i64, takes: bool): Budget {
  let answer: Budget | null = null;
  while (answer === null) {
    const ring = new Ring(budget, <usize>get(budget + RING), size, now);
    if (!ring.look()) continue;
    if (ring.isFrozen()) {
      if (!ring.grow()) return noRoom();
    } else if (ring.isFull()) {
      ring.freeze();
    } else {
      answer = tryRing(ring, limit, size, cost, takes);
    }
  }
  return answer!;
}

/** Return the answer, null if another thread was faster. */
function tryRing(ring: Ring, limit: string, size: i64, cost: i64, takes: bool): Budget | null {
  const used = ring.count();
  const isTaken = takes && cost <= size - used;
  const wait = isTaken ? ring.nanosecondsUntilFit(1, cost) : ring.nanosecondsUntilFit(cost, 0);
  if (!(isTaken ? ring.take(cost) : ring.isUnchanged())) return null;
  return Budget.of(limit, isTaken ? used + cost : used, Value.ofNanoseconds(wait), isTaken ? cost : 0);
}
