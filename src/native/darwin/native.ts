import { lseekHoles } from '../lseek-holes.ts';
import type { Native } from '../types.ts';

/** Values of sys/unistd.h; they are Linux's the other way round. */
export const native: Native = { holes: lseekHoles({ seekData: 4, seekHole: 3 }), locks: undefined };
