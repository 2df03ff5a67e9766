import { createHash } from 'node:crypto';
import { type BlockDevice, streamBytes } from '../../src/core/index.ts';

/** The SHA-256 of a whole device, in hexadecimal. */
export async function sha256(device: BlockDevice): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of streamBytes(device, { start: 0, length: device.size })) hash.update(chunk);
  return hash.digest('hex');
}
