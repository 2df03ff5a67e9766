/** Lets any number of readers in at once, or one writer; who comes first is let in first. */
export class AccessLock {
  /** The last writer that was let in or waits. */
  #writer: Promise<unknown> = Promise.resolve();
  /** Readers that came after it. */
  #readers = new Set<Promise<unknown>>();

  shared<Value>(work: () => Promise<Value>): Promise<Value> {
    const working = this.#writer.then(work);
    const settled: Promise<unknown> = working.catch(() => undefined).finally(() => this.#readers.delete(settled));
    this.#readers.add(settled);
    return working;
  }

  exclusive<Value>(work: () => Promise<Value>): Promise<Value> {
    const working = Promise.all([this.#writer, ...this.#readers]).then(work);
    this.#writer = working.catch(() => undefined);
    this.#readers = new Set();
    return working;
  }
}
