import type { FileLocks } from '../../native/index.ts';

/**
 * The protocol by which QEMU keeps two programs from writing to one image (block/file-posix.c in its source): a byte per
 * permission that a program uses, and one per permission that it does not share with others.
 */
const USED_BASE = 100;
const NOT_SHARED_BASE = 200;
/** Bits of QEMU's BLK_PERM_* (include/block/block-common.h). */
const PERMISSION = { consistentRead: 0, write: 1, resize: 3 } as const;

const USED = [PERMISSION.consistentRead, PERMISSION.write, PERMISSION.resize];
const NOT_SHARED = [PERMISSION.write, PERMISSION.resize];

/** Takes the locks of a writer, which the descriptor holds until it is closed; false when another program is in the way. */
export function lockForWriting(locks: FileLocks, descriptor: number): boolean {
  for (const bit of USED) if (!locks.share(descriptor, USED_BASE + bit)) return false;
  for (const bit of NOT_SHARED) if (!locks.share(descriptor, NOT_SHARED_BASE + bit)) return false;
  // Looked at after taking: of two that begin at once, at least one sees the other.
  const isRefused = USED.some((bit) => locks.isTaken(descriptor, NOT_SHARED_BASE + bit));
  const isUsed = NOT_SHARED.some((bit) => locks.isTaken(descriptor, USED_BASE + bit));
  return !isRefused && !isUsed;
}
