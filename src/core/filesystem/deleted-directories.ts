import type { ReadOptions } from '../device/block-device.ts';
import type { Directory } from './filesystem.ts';

/** No walk enters more of them: entries that are left in free space may lead anywhere. */
const MAX_DELETED_DIRECTORIES = 1_000_000;

/**
 * The deleted directories that a walk has entered. Each is known by the place of its first byte: any number of left entries may
 * lead to one place, and one place to itself.
 */
export class DeletedDirectories {
  readonly #places = new Set<number>();

  /** Whether it is deleted indeed, is still there, and is met for the first time. */
  async enter(directory: Directory, options?: ReadOptions): Promise<boolean> {
    if (!directory.deleted || this.#places.size >= MAX_DELETED_DIRECTORIES) return false;
    if (directory.isStillThere === undefined || !(await directory.isStillThere(options))) return false;
    for await (const extent of directory.extents({ start: 0, length: 1 }, options)) {
      if (extent.kind !== 'data' || this.#places.has(extent.sourceOffset)) return false;
      this.#places.add(extent.sourceOffset);
      return true;
    }
    return false;
  }
}
