import { utimensatTimes } from '../file-times.ts';
import { lseekHoles } from '../lseek-holes.ts';
import type { Native } from '../types.ts';

/** Values of sys/unistd.h, where those of holes are Linux's the other way round, and of sys/fcntl.h. */
export const native: Native = {
  holes: lseekHoles({ seekData: 4, seekHole: 3 }),
  locks: undefined,
  times: utimensatTimes({ atCurrentFolder: -2, atNoFollow: 0x20 }),
};
