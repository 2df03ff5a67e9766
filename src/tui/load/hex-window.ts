import { type BlockDevice, type ByteRange, errorText, readBytes } from '../../core/index.ts';
import type { HexBytes } from '../hex/hex-row.ts';
import type { HexTarget, Segment } from './hex-target.ts';

/** A part of the thing in view: its bytes, and where they lie. */
export interface HexWindow extends HexBytes {
  /** Bytes of the whole thing. */
  readonly size: number;
  readonly sectorSize: number;
  readonly segments: readonly Segment[];
  /** Why some bytes could not be read. */
  readonly error?: string | undefined;
}

/** Reads the part of `range` that the target has. Where reading fails, sector by sector: only what cannot be read is missing. */
export async function loadHexWindow(target: HexTarget, range: ByteRange, signal: AbortSignal): Promise<HexWindow> {
  const { device } = target;
  const start = Math.min(range.start, device.size);
  const length = Math.min(range.length, device.size - start);
  const read = await readTolerant(device, { start, length }, signal);
  const common = { start, size: device.size, sectorSize: device.sectorSize, ...read };
  if (length === 0) return { ...common, segments: [] };
  try {
    return { ...common, segments: await target.segments({ start, length }, signal) };
  } catch (error) {
    signal.throwIfAborted();
    return { ...common, segments: [], error: read.error ?? errorText(error) };
  }
}

interface TolerantRead {
  readonly bytes: Uint8Array;
  readonly bad: readonly ByteRange[];
  readonly error?: string;
}

async function readTolerant(
  device: BlockDevice,
  { start, length }: ByteRange,
  signal: AbortSignal,
): Promise<TolerantRead> {
  try {
    return { bytes: await readBytes(device, start, length, { signal }), bad: [] };
  } catch (error) {
    signal.throwIfAborted();
    const bytes = new Uint8Array(length);
    const bad: ByteRange[] = [];
    for (let at = start; at < start + length; ) {
      const end = Math.min(start + length, at - (at % device.sectorSize) + device.sectorSize);
      try {
        await device.readInto(bytes.subarray(at - start, end - start), at, { signal });
      } catch {
        signal.throwIfAborted();
        bad.push({ start: at, length: end - at });
      }
      at = end;
    }
    return { bytes, bad, error: errorText(error) };
  }
}
