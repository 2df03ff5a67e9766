import { crc32c } from '../../../bytes/crc32c.ts';
import { type BlockDevice, readBytes } from '../../../device/block-device.ts';
import { storedSum } from '../checksums.ts';
import type { Journal } from './journal.ts';
import { ReplayedDevice } from './replayed-device.ts';
import { FAST_COMMIT_HEAD, FAST_COMMIT_HEAD_TAG } from './structures.ts';
import { type JournaledBlock, requireFew, transactions } from './transactions.ts';

export interface Replay {
  /** The filesystem's device as it is afterwards. */
  readonly device: BlockDevice;
  readonly transactionCount: number;
  readonly blockCount: number;
}

/** What is odd, and the block of the journal where. */
export type ReplayReport = (message: string, block: number) => void;

/**
 * What the kernel's recovery would make of the filesystem on `device`, without writing: the newest committed copy of each block,
 * unless a later transaction, or its own, revokes it. `blockCount` is the filesystem's.
 */
export async function replayJournal(
  journal: Journal,
  device: BlockDevice,
  blockCount: number,
  report: ReplayReport,
): Promise<Replay> {
  const newest = new Map<number, JournaledBlock>();
  let transactionCount = 0;
  let next = journal.start?.sequence;
  const onDamage = (sequence: number, block: number, what: string): void =>
    report(`${what}: transaction ${sequence} and all behind it are not replayed`, block);
  for await (const { sequence, copies, revoked } of transactions(journal, onDamage)) {
    for (const copy of copies) {
      if (copy.target >= blockCount)
        report(`a copy of block ${copy.target} is not replayed: the filesystem has ${blockCount} blocks`, copy.block);
      else if (!(await isGoodCopy(journal, copy, sequence)))
        report(`the checksum of a copy of block ${copy.target} is wrong: it is not replayed`, copy.block);
      else newest.set(copy.target, copy);
    }
    requireFew('blocks to replay', newest.size);
    // A block that was revoked holds something else by now, file content perhaps: what was journaled of it is stale.
    for (const block of revoked) newest.delete(block);
    transactionCount++;
    next = (sequence + 1) % 2 ** 32;
  }
  if (next !== undefined) await reportFastCommits(journal, next, report);
  return { device: new ReplayedDevice(device, journal, newest), transactionCount, blockCount: newest.size };
}

async function isGoodCopy(journal: Journal, { block, checksum }: JournaledBlock, sequence: number): Promise<boolean> {
  if (journal.checksums !== 'v2' && journal.checksums !== 'v3') return true;
  const bytes = await readBytes(journal.device, block * journal.blockSize, journal.blockSize);
  return hasCopySum(journal, bytes, checksum, sequence);
}

/** Whether the bytes of a copy, as they stand in the journal, have the sum of its tag. */
export function hasCopySum(
  { checksums, seed }: Journal,
  bytes: Uint8Array,
  checksum: number,
  sequence: number,
): boolean {
  if (checksums !== 'v2' && checksums !== 'v3') return true;
  const number = Buffer.alloc(4);
  number.writeUInt32BE(sequence);
  const sum = storedSum(crc32c(bytes, crc32c(number, seed)));
  return checksum === (checksums === 'v3' ? sum : sum % 2 ** 16);
}

/** Fast commits tell of changes to files, not of blocks; those that follow the last transaction are not taken into account. */
async function reportFastCommits(journal: Journal, sequence: number, report: ReplayReport): Promise<void> {
  const { fastCommits, blockSize, device } = journal;
  if (fastCommits === undefined || (fastCommits + 1) * blockSize > device.size) return;
  const head = FAST_COMMIT_HEAD.parse(await readBytes(device, fastCommits * blockSize, FAST_COMMIT_HEAD.size));
  if (head.tag !== FAST_COMMIT_HEAD_TAG || head.transaction !== sequence) return;
  report('fast commits after the last transaction are not replayed: their changes are not shown', fastCommits);
}
