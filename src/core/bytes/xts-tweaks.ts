import { viewOf } from './struct.ts';

/** Bytes of an AES block. */
const BLOCK_BYTES = 16;
/** What the carry out of 128 bits adds: x^128 = x^7 + x^2 + x + 1. */
const REDUCTION = 0x87;

/**
 * Fills in the tweaks of XTS: `tweaks` holds that of its first block at the beginning of each sector; that of every further
 * block is the one before times x in GF(2^128), little-endian (IEEE 1619-2007, section 5.2).
 */
export function expandTweaks(tweaks: Uint8Array, sectorBytes: number): void {
  const view = viewOf(tweaks);
  for (let sector = 0; sector < tweaks.length; sector += sectorBytes) {
    let low = view.getUint32(sector, true);
    let second = view.getUint32(sector + 4, true);
    let third = view.getUint32(sector + 8, true);
    let high = view.getUint32(sector + 12, true);
    for (let at = sector + BLOCK_BYTES; at < sector + sectorBytes; at += BLOCK_BYTES) {
      const carry = high >>> 31;
      high = (high << 1) | (third >>> 31);
      third = (third << 1) | (second >>> 31);
      second = (second << 1) | (low >>> 31);
      low = (low << 1) ^ (carry * REDUCTION);
      view.setUint32(at, low, true);
      view.setUint32(at + 4, second, true);
      view.setUint32(at + 8, third, true);
      view.setUint32(at + 12, high, true);
    }
  }
}
