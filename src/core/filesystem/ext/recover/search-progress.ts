import type { OnProgress } from '../../../device/progress.ts';

/** How far a search is, of what it knows it has to read. */
export class SearchProgress {
  readonly #onProgress: OnProgress | undefined;
  #done = 0;
  #total = 0;

  constructor(onProgress: OnProgress | undefined) {
    this.#onProgress = onProgress;
  }

  /** More bytes that are to be read. */
  expect(bytes: number): void {
    this.#total += bytes;
  }

  /** Bytes that were read. */
  add(bytes: number): void {
    this.#done += bytes;
    this.#onProgress?.({ done: this.#done, total: Math.max(this.#done, this.#total) });
  }
}
