import { type BlockDevice, readBytes } from './block-device.ts';

/** Magic bytes at a fixed place, and what they tell. */
export interface Signature {
  readonly name: string;
  /** Where the magic stands, in bytes. */
  readonly offset: number;
  /** A character a byte (Latin-1). */
  readonly magic: string;
}

/**
 * What is read at once, in bytes. Signatures further on are read by themselves: up to the last of them would be 64 KiB, for
 * each of a hostile table's thousands of partitions.
 */
const HEAD_BYTES = 4096;

/** The first signature of the table that the device bears; undefined when there is none, or the device is too short. */
export async function findSignature(
  device: BlockDevice,
  signatures: readonly Signature[],
): Promise<Signature | undefined> {
  const near = signatures.map(endOf).filter((end) => end <= HEAD_BYTES);
  const head = await readBytes(device, 0, Math.min(device.size, Math.max(0, ...near)));
  for (const signature of signatures) {
    const { offset, magic } = signature;
    if (endOf(signature) > device.size) continue;
    const isNear = endOf(signature) <= head.length;
    const found = isNear ? head.subarray(offset, endOf(signature)) : await readBytes(device, offset, magic.length);
    if (Buffer.from(found).toString('latin1') === magic) return signature;
  }
  return undefined;
}

function endOf({ offset, magic }: Signature): number {
  return offset + magic.length;
}
