import koffi from 'koffi';
import type { FileHoles } from './types.ts';

export interface SeekConstants {
  readonly seekData: number;
  readonly seekHole: number;
}

/**
 * Holes by lseek(2) with SEEK_DATA and SEEK_HOLE (POSIX.1-2024). It moves the descriptor's own position, which nothing
 * of ours reads by; a descriptor that is shared with another process must not come here.
 */
export function lseekHoles({ seekData, seekHole }: SeekConstants): FileHoles {
  const lseek = koffi.load(null).func('int64_t lseek(int descriptor, int64_t offset, int whence)');
  const seek = (descriptor: number, offset: number, whence: number): number =>
    Number(lseek(descriptor, offset, whence));
  return {
    nextData: (descriptor, offset) => {
      const found = seek(descriptor, offset, seekData);
      if (found >= 0) return found;
      return koffi.errno() === koffi.os.errno['ENXIO'] ? 'none' : undefined;
    },
    nextHole: (descriptor, offset) => {
      const found = seek(descriptor, offset, seekHole);
      return found >= 0 ? found : undefined;
    },
  };
}
