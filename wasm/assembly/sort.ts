/** Sort in place, by heaps: in few bytes, and in bounded time whatever the order was. */
export function sortBy<T>(items: T[], compare: (a: T, b: T) => i32): void {
  for (let root = (items.length >> 1) - 1; root >= 0; root -= 1) sink(items, root, items.length, compare);
  for (let end = items.length - 1; end > 0; end -= 1) {
    const last = items[end];
    items[end] = items[0];
    items[0] = last;
    sink(items, 0, end, compare);
  }
}

function sink<T>(items: T[], root: i32, end: i32, compare: (a: T, b: T) => i32): void {
  for (let child = 2 * root + 1; child < end; child = 2 * root + 1) {
    if (child + 1 < end && compare(items[child], items[child + 1]) < 0) child += 1;
    if (compare(items[root], items[child]) >= 0) return;
    const moved = items[root];
    items[root] = items[child];
    items[child] = moved;
    root = child;
  }
}
