/** What a walk over the map of one inode meets. */
export interface MapSink {
  /** A block of the map itself; false when it is not to be looked into. */
  mapBlock(block: number): boolean;
  /** Consecutive blocks of content; `logical` counts in the file. */
  run(logical: number, block: number, count: number, isUnwritten: boolean): void;
  /** Something in the map is wrong, and what stands there is passed over. */
  problem(code: string, offset: number | undefined, message: string): void;
}
