/** What the place of a row among its siblings is decided by. */
export interface Ranked {
  readonly rank: number;
  readonly key: string;
  readonly name: string;
}

export function ranked(name: string, isDirectory: boolean): Ranked {
  return { rank: isDirectory ? 0 : 1, key: name.toLowerCase(), name };
}

/** Directories first, then by name without regard to case. */
export function inNameOrder(left: Ranked, right: Ranked): number {
  return left.rank - right.rank || compare(left.key, right.key) || compare(left.name, right.name);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
