/** What a file system tells of the holes in an open file. */
export interface FileHoles {
  /** The first byte at or after `offset` that is not in a hole; `none` when only a hole follows; undefined when the system cannot tell. */
  nextData(descriptor: number, offset: number): number | 'none' | undefined;
  /** The first byte at or after `offset` that is in a hole; the end of the file counts as one. */
  nextHole(descriptor: number, offset: number): number | undefined;
}

/** Advisory locks on bytes of a file, held by an open descriptor until it is closed; the bytes need not exist. */
export interface FileLocks {
  /** Takes a lock that others may share; false when somebody has one that excludes it. A file that has no locks counts as free. */
  share(descriptor: number, offset: number): boolean;
  /** Whether anybody else has a lock on the byte, shared or not. */
  isTaken(descriptor: number, offset: number): boolean;
}

/** A moment after 1970 in UTC; `nanoseconds` is 0 to 999,999,999. */
export interface ExactTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** The times of files by their paths; a symbolic link is not followed. */
export interface FileTimes {
  /** False when the system refuses. `path` holds no zero byte. */
  set(path: Uint8Array, accessed: ExactTime, modified: ExactTime): boolean;
}

/** The system calls that Node.js has not, the same on every platform. */
export interface Native {
  readonly holes: FileHoles;
  /** Undefined where the system has no locks that belong to a descriptor. */
  readonly locks: FileLocks | undefined;
  /** Undefined where Node.js's own are as good. */
  readonly times: FileTimes | undefined;
}
