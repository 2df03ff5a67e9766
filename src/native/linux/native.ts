import { lseekHoles } from '../lseek-holes.ts';
import type { Native } from '../types.ts';
import { fcntlLocks } from './fcntl-locks.ts';

/** Values of linux/fs.h. */
export const native: Native = { holes: lseekHoles({ seekData: 3, seekHole: 4 }), locks: fcntlLocks() };
