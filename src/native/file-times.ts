import koffi from 'koffi';
import type { FileTimes } from './types.ts';

export interface TimesConstants {
  readonly atCurrentFolder: number;
  readonly atNoFollow: number;
}

/** `struct timespec` twice, of two 64-bit words each: what every 64-bit system that Node.js runs on has. */
const TIMES_BYTES = 32;

/** Times by utimensat(2) (POSIX.1-2024): to the nanosecond, which the doubles of Node.js cannot say, and those of a link itself. */
export function utimensatTimes({ atCurrentFolder, atNoFollow }: TimesConstants): FileTimes {
  const utimensat = koffi
    .load(null)
    .func('int utimensat(int folder, const uint8_t *path, const uint8_t *times, int flags)');
  const times = Buffer.alloc(TIMES_BYTES);
  return {
    set: (path, accessed, modified) => {
      [accessed, modified].forEach(({ seconds, nanoseconds }, index) => {
        times.writeBigInt64LE(BigInt(seconds), index * 16);
        times.writeBigInt64LE(BigInt(nanoseconds), index * 16 + 8);
      });
      const terminated = Buffer.concat([path, Buffer.alloc(1)]);
      return utimensat(atCurrentFolder, terminated, times, atNoFollow) === 0;
    },
  };
}
