import { utimensatTimes } from '../file-times.ts';
import { lseekHoles } from '../lseek-holes.ts';
import type { Native } from '../types.ts';
import { fcntlLocks } from './fcntl-locks.ts';

/** Values of linux/fs.h and linux/fcntl.h. */
export const native: Native = {
  holes: lseekHoles({ seekData: 3, seekHole: 4 }),
  locks: fcntlLocks(),
  times: utimensatTimes({ atCurrentFolder: -100, atNoFollow: 0x100 }),
};
