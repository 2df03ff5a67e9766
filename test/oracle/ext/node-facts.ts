/** What every reader of an ext filesystem must agree on about one path. Texts from the image are its bytes as latin1. */
export interface NodeFacts {
  readonly path: string;
  readonly inode: number;
  readonly kind: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  readonly allocated: number;
  /** `seconds.nanoseconds`, nine digits behind the point. */
  readonly modified: string;
  readonly accessed: string;
  readonly changed: string;
  readonly created: string;
  readonly target?: string;
  /** `major:minor` */
  readonly device?: string;
  /** Of the content of a regular file. */
  readonly sha256?: string;
  /** Values in hexadecimal. */
  readonly attributes: Readonly<Record<string, string>>;
}

export function byPath(left: NodeFacts, right: NodeFacts): number {
  return left.path < right.path ? -1 : left.path > right.path ? 1 : 0;
}

export function momentText(seconds: bigint | number, nanoseconds: bigint | number): string {
  return `${seconds}.${String(nanoseconds).padStart(9, '0')}`;
}

/** Ours without the hashes that the other reader could not give; the caller checks which those are. */
export function withHashesOf(ours: readonly NodeFacts[], theirs: readonly NodeFacts[]): NodeFacts[] {
  const unhashed = new Set(theirs.filter(({ sha256 }) => sha256 === undefined).map(({ path }) => path));
  return ours.map((facts) => {
    if (!unhashed.has(facts.path)) return facts;
    const { sha256, ...rest } = facts;
    return rest;
  });
}

/** The regular files small enough that have no hash. */
export function unhashedFiles(facts: readonly NodeFacts[], hashLimit: number): string[] {
  return facts
    .filter((fact) => fact.kind === 'file' && fact.size <= hashLimit && fact.sha256 === undefined)
    .map(({ path }) => path);
}
