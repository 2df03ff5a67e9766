import { LRUCache } from 'lru-cache';
import { roundDown } from '../../bytes/rounding.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';

/** Bytes read and kept at once: 8192 entries of the BAT, or the sector bitmap of 256 MiB of disk. It divides 1 MiB, to which both are aligned. */
export const PAGE_BYTES = 64 * 1024;
/** Pages kept per image: 16 MiB, the BAT of 2 TiB with blocks of 1 MiB. */
const MAX_PAGES = 256;

/** Pages of a file's tables by their offset, each read once for all that wait for it. */
export class FilePages {
  readonly #device: BlockDevice;
  readonly #pages = new LRUCache<number, Uint8Array>({ max: MAX_PAGES });
  readonly #pending = new Map<number, Promise<Uint8Array>>();

  constructor(device: BlockDevice) {
    this.#device = device;
  }

  /** The page that holds byte `offset` of the file; shorter, down to nothing, where the file's end cuts it. */
  async load(offset: number): Promise<Uint8Array> {
    const start = roundDown(offset, PAGE_BYTES);
    const kept = this.#pages.get(start);
    if (kept !== undefined) return kept;
    let pending = this.#pending.get(start);
    if (pending === undefined) {
      pending = this.#read(start).finally(() => this.#pending.delete(start));
      this.#pending.set(start, pending);
    }
    return pending;
  }

  async #read(start: number): Promise<Uint8Array> {
    const length = Math.min(PAGE_BYTES, this.#device.size - start);
    const page = length <= 0 ? new Uint8Array(0) : await readBytes(this.#device, start, length);
    this.#pages.set(start, page);
    return page;
  }

  clear(): void {
    this.#pages.clear();
  }
}
