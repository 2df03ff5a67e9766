import type { ReadOptions, WritableBlockDevice } from '../../../device/block-device.ts';
import { MIB } from '../header.ts';

const ZEROS = new Uint8Array(MIB);

/** Writes `length` zeros at `offset`, in bounded memory. */
export async function writeZeroBytes(
  file: WritableBlockDevice,
  offset: number,
  length: number,
  options?: ReadOptions,
): Promise<void> {
  for (let done = 0; done < length; done += ZEROS.length)
    await file.writeFrom(ZEROS.subarray(0, Math.min(ZEROS.length, length - done)), offset + done, options);
}
