/** What a file system tells of the holes in an open file. */
export interface FileHoles {
  /** The first byte at or after `offset` that is not in a hole; `none` when only a hole follows; undefined when the system cannot tell. */
  nextData(descriptor: number, offset: number): number | 'none' | undefined;
  /** The first byte at or after `offset` that is in a hole; the end of the file counts as one. */
  nextHole(descriptor: number, offset: number): number | undefined;
}

/** The system calls that Node.js has not, the same on every platform. */
export interface Native {
  readonly holes: FileHoles;
}
