import { crc32be } from '../../../bytes/crc32-be.ts';
import { crc32cWithoutField } from '../../../bytes/crc32c.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { readBytes } from '../../../device/block-device.ts';
import { unsupported } from '../../../errors.ts';
import { storedSum } from '../checksums.ts';
import type { Journal } from './journal.ts';
import { BLOCK_HEADER, BLOCK_TYPE, COMMIT_BLOCK, JOURNAL_MAGIC } from './structures.ts';
import { parseRevoked, parseTags, type Tag, tailBytes } from './tags.ts';

/** A copy of a block of the filesystem, and the block of the journal that has it. */
export interface JournaledBlock extends Tag {
  readonly block: number;
}

/** A transaction that was committed. */
export interface Transaction {
  readonly sequence: number;
  readonly copies: readonly JournaledBlock[];
  readonly revoked: readonly number[];
}

/** Why the search for transactions ended where it did, when that was not their end. */
export type Damage = (sequence: number, block: number, what: string) => void;

/** `JBD2_CRC32_CHKSUM`, the one kind of a sum over a transaction, and its bytes. */
const CRC32_TYPE = 1;
const CRC32_BYTES = 4;
const FIRST_SUM = 0xffff_ffff;

/** What one replay keeps track of: 4 GiB of blocks at 4 KiB, four times the largest journal that mke2fs makes unasked. */
const MAX_KEPT = 2 ** 20;

/**
 * The committed transactions from the journal's start on, in order: those that the kernel would replay (its recovery.c). A
 * transaction without a commit block was never finished; from one whose sums are wrong on nothing counts, which is told.
 */
export async function* transactions(journal: Journal, onDamage: Damage): AsyncGenerator<Transaction, void> {
  if (journal.start === undefined) return;
  let { block, sequence } = journal.start;
  let copies: JournaledBlock[] = [];
  let revoked: number[] = [];
  let sum = FIRST_SUM;
  const wrapped = (number: number): number => (number < journal.end ? number : number - journal.end + journal.first);
  // A ring has no end of its own: once around is all that it can hold.
  let ownBlocks = 0;
  for (let left = journal.end - journal.first; left > 0; left--) {
    requireFew('blocks of its own', ownBlocks++);
    requireFew('copies in a transaction', copies.length);
    requireFew('revoked blocks in a transaction', revoked.length);
    const bytes = await readBytes(journal.device, block * journal.blockSize, journal.blockSize);
    const header = BLOCK_HEADER.parse(bytes);
    if (header.magic !== JOURNAL_MAGIC || header.sequence !== sequence) return;
    const here = block;
    block = wrapped(block + 1);
    switch (header.blockType) {
      case BLOCK_TYPE.descriptor: {
        if (!hasGoodTail(bytes, journal))
          return onDamage(sequence, here, 'the checksum of a descriptor block is wrong');
        if (journal.checksums === 'transaction') sum = crc32be(bytes, sum);
        for (const tag of parseTags(bytes, journal)) {
          copies.push({ ...tag, block });
          if (journal.checksums === 'transaction')
            sum = crc32be(await readBytes(journal.device, block * journal.blockSize, journal.blockSize), sum);
          block = wrapped(block + 1);
          left--;
        }
        break;
      }
      case BLOCK_TYPE.revoke:
        if (!hasGoodTail(bytes, journal)) return onDamage(sequence, here, 'the checksum of a revoke block is wrong');
        for (const number of parseRevoked(bytes, journal)) revoked.push(number);
        break;
      case BLOCK_TYPE.commit:
        if (!isGoodCommit(bytes, journal, sum))
          return onDamage(sequence, here, 'the checksum of a commit block is wrong');
        yield { sequence, copies, revoked };
        sequence = (sequence + 1) % 2 ** 32;
        copies = [];
        revoked = [];
        sum = FIRST_SUM;
        break;
      default:
        return;
    }
  }
}

/** Descriptor and revoke blocks end with a sum of themselves. */
export function hasGoodTail(bytes: Uint8Array, journal: Journal): boolean {
  const at = bytes.length - tailBytes(journal);
  if (at === bytes.length) return true;
  return storedSum(crc32cWithoutField(bytes, at, journal.seed)) === viewOf(bytes).getUint32(at);
}

function isGoodCommit(bytes: Uint8Array, { checksums, seed }: Journal, sum: number): boolean {
  if (checksums === 'none') return true;
  const { checksum, checksumType, checksumSize } = COMMIT_BLOCK.parse(bytes);
  if (checksums !== 'transaction')
    return storedSum(crc32cWithoutField(bytes, COMMIT_BLOCK.fields.checksum.offset, seed)) === checksum;
  // Kernels that were not asked for sums leave all three empty.
  if (checksumType === 0 && checksumSize === 0 && checksum === 0) return true;
  return checksumType === CRC32_TYPE && checksumSize === CRC32_BYTES && checksum === sum;
}

/** A hostile journal may repeat itself without end where its blocks share their place in the image. */
export function requireFew(what: string, found: number): void {
  if (found <= MAX_KEPT) return;
  throw unsupported({ layer: 'ext', structure: 'journal', expected: `at most ${MAX_KEPT} ${what}`, found });
}
