/** What an index out of bounds does: it traps, and the loader denies. */
export function trap(message: string | null, file: string | null, line: u32, column: u32): void {
  unreachable();
}
