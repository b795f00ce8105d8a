// Sets of positions: a bit for each, in words of 64.

export type Bits = StaticArray<u64>;

export function emptyBits(words: i32): Bits {
  return new StaticArray<u64>(words);
}

export function copyOfBits(bits: Bits): Bits {
  return bits.slice<StaticArray<u64>>();
}

export function setBit(bits: Bits, at: i32): void {
  bits[at >> 6] |= (<u64>1) << (at & 63);
}

export function hasBit(bits: Bits, at: i32): bool {
  return (bits[at >> 6] >> (at & 63) & 1) != 0;
}

export function addBits(bits: Bits, others: Bits): void {
  for (let word = 0; word < bits.length; word += 1) bits[word] |= others[word];
}

export function keepBits(bits: Bits, others: Bits): void {
  for (let word = 0; word < bits.length; word += 1) bits[word] &= others[word];
}

export function dropBits(bits: Bits, others: Bits): void {
  for (let word = 0; word < bits.length; word += 1) bits[word] &= ~others[word];
}

export function meets(bits: Bits, others: Bits): bool {
  for (let word = 0; word < bits.length; word += 1) {
    if (bits[word] & others[word]) return true;
  }
  return false;
}

export function isEmpty(bits: Bits): bool {
  for (let word = 0; word < bits.length; word += 1) {
    if (bits[word]) return false;
  }
  return true;
}

export function countOfBits(bits: Bits): i32 {
  let count = 0;
  for (let word = 0; word < bits.length; word += 1) count += <i32>popcnt(bits[word]);
  return count;
}
