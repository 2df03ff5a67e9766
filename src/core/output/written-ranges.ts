import { roundDown, roundUp } from '../bytes/rounding.ts';
import type { BlockDevice, ByteRange, ReadOptions } from '../device/block-device.ts';
import { extentsOf } from '../device/extent.ts';

/**
 * The ranges of a device that may hold anything but zeros, ascending, grown to whole units of `unit` bytes (but not past the
 * end), joined where they touch, and cut into pieces of at most `pieceBytes`, which is a multiple of the unit.
 */
export async function* writtenRanges(
  device: BlockDevice,
  unit: number,
  pieceBytes: number,
  options: ReadOptions = {},
): AsyncGenerator<ByteRange, void> {
  let start = 0;
  let end = 0;
  for await (const extent of extentsOf(device, { start: 0, length: device.size }, options)) {
    if (extent.kind === 'zero') continue;
    const from = roundDown(extent.start, unit);
    if (from > end) {
      if (end > start) yield { start, length: end - start };
      start = from;
    }
    end = Math.max(end, Math.min(roundUp(extent.start + extent.length, unit), device.size));
    // Pieces begin at multiples of their size, so that neither a scan nor a table is cut more often than need be.
    for (let stop = pieceEnd(start, pieceBytes); stop <= end; stop = pieceEnd(start, pieceBytes)) {
      yield { start, length: stop - start };
      start = stop;
    }
  }
  if (end > start) yield { start, length: end - start };
}

function pieceEnd(start: number, pieceBytes: number): number {
  return roundDown(start, pieceBytes) + pieceBytes;
}
