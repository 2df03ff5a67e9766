const FIRST_CAPACITY = 1024;

/** Consecutive blocks of a directory, `first` the block in the directory, `block` in the filesystem: 0 where it has none. */
export interface DirectoryRun {
  readonly id: number;
  readonly first: number;
  readonly block: number;
  readonly count: number;
}

/** What the check of its blocks knows of a directory. */
export interface DirectoryInode {
  readonly id: number;
  /** Byte offset of the inode. */
  readonly offset: number;
}

/** The blocks of all directories, in the order of their inodes, as numbers: a filesystem may have a million. */
export class DirectoryRuns {
  #numbers = new Float64Array(FIRST_CAPACITY * 4);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(id: number, first: number, block: number, count: number): void {
    const at = this.#length * 4;
    if (at === this.#numbers.length) {
      const grown = new Float64Array(at * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers[at] = id;
    this.#numbers[at + 1] = first;
    this.#numbers[at + 2] = block;
    this.#numbers[at + 3] = count;
    this.#length++;
  }

  at(index: number): DirectoryRun {
    const at = index * 4;
    const [id, first, block, count] = this.#numbers.subarray(at, at + 4) as unknown as [number, number, number, number];
    return { id, first, block, count };
  }
}
