import type { BlockDevice, ReadOptions } from '../device/block-device.ts';
import { extentsOf } from '../device/extent.ts';

/** Places of a device where a pattern may begin, from `start` to before `end`. */
export interface SearchRange {
  readonly start: number;
  readonly end: number;
  /** Whether zeros alone stand there, and behind it as far as any pattern reaches. */
  readonly isZero: boolean;
}

/** Shorter runs of zeros are read as everything else. */
const MIN_ZERO_BYTES = 65_536;

/**
 * All places of a device in ranges, ascending; those to be read are of at most `pieceBytes`. `reach` is how many bytes the
 * longest pattern has behind its first.
 */
export async function* searchRanges(
  device: BlockDevice,
  reach: number,
  pieceBytes: number,
  options: ReadOptions,
): AsyncGenerator<SearchRange, void> {
  // What lies before `start` has been given, what lies between `start` and `end` is to be read.
  let start = 0;
  let end = 0;
  try {
    for await (const extent of extentsOf(device, { start: 0, length: device.size }, options)) {
      if (extent.kind === 'zero') continue;
      const from = Math.max(0, extent.start - reach);
      if (from - end >= MIN_ZERO_BYTES) {
        if (end > start) yield { start, end, isZero: false };
        yield { start: end, end: from, isZero: true };
        start = from;
      }
      end = extent.start + extent.length;
      for (; end - start >= pieceBytes; start += pieceBytes) yield { start, end: start + pieceBytes, isZero: false };
    }
  } catch (error) {
    // What is still known is looked through before the failure is told, but for what would need bytes behind it.
    if (end - reach > start) yield { start, end: end - reach, isZero: false };
    throw error;
  }
  if (end > start) yield { start, end, isZero: false };
  if (device.size > end) yield { start: end, end: device.size, isZero: true };
}
