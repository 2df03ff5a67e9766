import { createHash } from 'node:crypto';
import { xorBytes } from '../../bytes/bits.ts';
import { viewOf } from '../../bytes/struct.ts';

/** The hashes that LUKS1 headers name, by node:crypto's names too, and the length of their digests in bytes. */
export const DIGEST_BYTES: ReadonlyMap<string, number> = new Map([
  ['sha1', 20],
  ['sha224', 28],
  ['sha256', 32],
  ['sha384', 48],
  ['sha512', 64],
  ['ripemd160', 20],
]);

/**
 * Puts a key together again that was split into stripes, each as long as the key, all of which are needed (LUKS On-Disk
 * Format Specification 1.2.3, section 2.4, `AFmerge`). `hash` is one of `DIGEST_BYTES`.
 */
export function mergeStripes(split: Uint8Array, keyBytes: number, hash: string): Uint8Array {
  const key = new Uint8Array(keyBytes);
  let at = 0;
  for (; at + keyBytes < split.length; at += keyBytes) {
    xorBytes(key, split.subarray(at, at + keyBytes));
    diffuse(key, hash);
  }
  // The last stripe makes up the difference: it is not diffused.
  xorBytes(key, split.subarray(at, at + keyBytes));
  return key;
}

/** Replaces each piece of a digest's length by the hash of its number and itself; a shorter last piece takes the digest's beginning. */
function diffuse(key: Uint8Array, hash: string): void {
  const size = DIGEST_BYTES.get(hash)!;
  const number = new Uint8Array(4);
  for (let at = 0, index = 0; at < key.length; at += size, index++) {
    viewOf(number).setUint32(0, index);
    const digest = createHash(hash)
      .update(number)
      .update(key.subarray(at, at + size))
      .digest();
    key.set(digest.subarray(0, key.length - at), at);
  }
}
