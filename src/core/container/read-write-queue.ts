/**
 * Lets reads run together and writes alone, in the order in which they were asked for: a read sees every write that was asked
 * for before it whole, and none that came after.
 */
export class ReadWriteQueue {
  /** Settles, never rejecting, when the last write that was asked for is over. */
  #lastWrite: Promise<void> | undefined;
  readonly #reads = new Set<Promise<unknown>>();

  async read<Value>(task: () => Promise<Value>): Promise<Value> {
    const reading = this.#lastWrite === undefined ? task() : this.#lastWrite.then(task);
    this.#reads.add(reading);
    try {
      return await reading;
    } finally {
      this.#reads.delete(reading);
    }
  }

  async write<Value>(task: () => Promise<Value>): Promise<Value> {
    const before = Promise.allSettled([this.#lastWrite, ...this.#reads]);
    const writing = before.then(task);
    const over = writing.then(
      () => undefined,
      () => undefined,
    );
    this.#lastWrite = over;
    try {
      return await writing;
    } finally {
      if (this.#lastWrite === over) this.#lastWrite = undefined;
    }
  }
}
