import type { ReadOptions, WritableBlockDevice } from './block-device.ts';

const ZEROS = new Uint8Array(1024 * 1024);

/** Writes `length` zeros at `offset`, in bounded memory. */
export async function writeZeroBytes(
  device: WritableBlockDevice,
  offset: number,
  length: number,
  options?: ReadOptions,
): Promise<void> {
  for (let done = 0; done < length; done += ZEROS.length)
    await device.writeFrom(ZEROS.subarray(0, Math.min(ZEROS.length, length - done)), offset + done, options);
}
