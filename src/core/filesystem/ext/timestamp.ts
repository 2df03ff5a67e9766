import { bitField } from '../../bytes/bits.ts';
import type { Timestamp } from '../filesystem.ts';

const MAX_NANOSECONDS = 999_999_999;

/**
 * A time of an inode (kernel documentation, ext4 "Inode Timestamps"): `seconds` is signed 32 bits; of `extra` the lower
 * 2 bits are added above them, so that times reach from 1901 to 2446, and the upper 30 are nanoseconds. A nanosecond
 * count that is none is dropped.
 */
export function decodeTimestamp(seconds: number, extra: number): Timestamp {
  const nanoseconds = bitField(extra, 2, 30);
  return {
    seconds: seconds + bitField(extra, 0, 2) * 0x1_0000_0000,
    nanoseconds: nanoseconds > MAX_NANOSECONDS ? 0 : nanoseconds,
    zone: 'utc',
  };
}
