import { type BlockDevice, readBytes } from './block-device.ts';

/** Magic bytes at a fixed place, and what they tell. */
export interface Signature {
  readonly name: string;
  /** Where the magic stands, in bytes. */
  readonly offset: number;
  /** A character a byte (Latin-1). */
  readonly magic: string;
}

/** The first signature of the table that the device bears; undefined when there is none, or the device is too short. */
export async function findSignature(
  device: BlockDevice,
  signatures: readonly Signature[],
): Promise<Signature | undefined> {
  const probed = Math.max(...signatures.map(({ offset, magic }) => offset + magic.length));
  const head = Buffer.from(await readBytes(device, 0, Math.min(device.size, probed)));
  return signatures.find(({ offset, magic }) => head.toString('latin1', offset, offset + magic.length) === magic);
}
