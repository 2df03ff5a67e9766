import { divideUp } from '../../bytes/rounding.ts';
import { viewOf } from '../../bytes/struct.ts';
import { encodeName } from '../../bytes/text.ts';
import type { ReadOptions } from '../../device/block-device.ts';
import { corrupt, type DiskError } from '../../errors.ts';
import type { DirectoryEntry, ListOptions } from '../filesystem.ts';
import type { BlockRange, BlockRun } from './block-run.ts';
import { directoryBlockChecksum, inodeSeed } from './checksums.ts';
import { type DirectoryRules, decodeDirectoryBlock } from './directory-block.ts';
import { encryptedName } from './encrypted-name.ts';
import { foldCase } from './fold-case.ts';
import { inlineDataParts } from './inline-data.ts';
import { hasFlag, type Inode } from './inode.ts';
import { blockRuns } from './mapping.ts';
import type { ExtVolume } from './volume.ts';

/** Directory blocks that lie together are read together, up to this many bytes. */
const READ_BYTES = 256 * 1024;
/** Inline directories begin with the parent's inode number. */
const INLINE_PARENT_BYTES = 4;

/**
 * The entries of a directory, a read at a time. Linear and htree directories are read alike: index nodes look like
 * empty records. A damaged block does not hide the others: each is reported, and after the last entry the first damage
 * is thrown, so that a listing is never taken for complete.
 */
export async function* directoryBatches(
  volume: ExtVolume,
  inode: Inode,
  options: ListOptions & { readonly onlyNameBytes?: number | undefined } = {},
): AsyncGenerator<readonly DirectoryEntry[], void> {
  const rules: DirectoryRules = {
    inodeCount: volume.geometry.inodeCount,
    blockSize: volume.geometry.blockSize,
    hasFileType: volume.geometry.features.incompatible.has('filetype'),
    isIndexed: hasFlag(inode, 'indexed'),
    deleted: options.deleted === true,
    onlyNameBytes: options.onlyNameBytes,
  };
  const damage: DiskError[] = [];
  const note = (error: DiskError | undefined): void => {
    if (error === undefined) return;
    if (damage.length === 0) damage.push(error);
    volume.report(
      `directory inode ${inode.id}`,
      error.offset,
      `the rest of a damaged block is left out: ${error.message}`,
    );
  };
  const shown = hasFlag(inode, 'encrypted') ? withEncryptedNames : (found: DirectoryEntry[]) => found;
  if (hasFlag(inode, 'inlineData')) yield shown(inlineEntries(inode, rules, note));
  else for await (const found of blockEntries(volume, inode, rules, note, options)) yield shown(found);
  if (damage[0] !== undefined) throw damage[0];
}

function withEncryptedNames(found: readonly DirectoryEntry[]): DirectoryEntry[] {
  return found.map((entry) => ({ ...entry, name: encryptedName(entry.name), encrypted: true }));
}

type Note = (error: DiskError | undefined) => void;

function inlineEntries(inode: Inode, rules: DirectoryRules, note: Note): DirectoryEntry[] {
  const found: DirectoryEntry[] = [];
  inlineDataParts(inode).forEach(({ bytes, offset }, index) => {
    const at = index === 0 ? INLINE_PARENT_BYTES : 0;
    note(
      decodeDirectoryBlock(
        { bytes, view: viewOf(bytes), at, length: bytes.length - at, offset: offset + at },
        rules,
        found,
      ),
    );
  });
  return found;
}

async function* blockEntries(
  volume: ExtVolume,
  inode: Inode,
  rules: DirectoryRules,
  note: Note,
  options: ReadOptions,
): AsyncGenerator<DirectoryEntry[], void> {
  const { blockSize, blockCount } = volume.geometry;
  const end = divideUp(inode.size, blockSize);
  let next = 0;
  let total = 0;
  const onLostBlocks = (_: BlockRange, reason: DiskError): void => note(reason);
  for await (const runs of blockRuns(volume, inode, { first: 0, end }, { signal: options.signal, onLostBlocks })) {
    for (const run of runs) {
      if (run.logical > next) reportHole(volume, inode, next, run.logical);
      next = run.logical + run.count;
      if (run.unwritten) continue;
      total += run.count;
      if (total > blockCount) throw tooLarge(inode, blockCount, total);
      yield* runEntries(volume, inode, run, rules, note, options);
    }
  }
  if (next < end) reportHole(volume, inode, next, end);
}

async function* runEntries(
  volume: ExtVolume,
  inode: Inode,
  run: BlockRun,
  rules: DirectoryRules,
  note: Note,
  options: ReadOptions,
): AsyncGenerator<DirectoryEntry[], void> {
  const { blockSize } = volume.geometry;
  const perRead = READ_BYTES / blockSize;
  for (let done = 0; done < run.count; done += perRead) {
    const count = Math.min(perRead, run.count - done);
    const first = run.physical + done;
    const bytes = await volume.readBlocks(first, count, `directory inode ${inode.id}`, options);
    const view = viewOf(bytes);
    const origin = volume.blockOffset(first);
    const found: DirectoryEntry[] = [];
    for (let at = 0; at < bytes.length; at += blockSize) {
      const isRoot = rules.isIndexed && run.logical + done + at / blockSize === 0;
      volume.verify(`directory inode ${inode.id}`, origin + at, (seed) =>
        directoryBlockChecksum(bytes.subarray(at, at + blockSize), isRoot, inodeSeed(inode, seed)),
      );
      note(decodeDirectoryBlock({ bytes, view, at, length: blockSize, offset: origin + at }, rules, found));
    }
    yield found;
  }
}

/** The live entry of that name; damage elsewhere in the directory matters only when the name is not found. */
export async function lookupEntry(
  volume: ExtVolume,
  inode: Inode,
  name: string,
  options?: ReadOptions,
): Promise<DirectoryEntry | undefined> {
  const isEncrypted = hasFlag(inode, 'encrypted');
  const folds = hasFlag(inode, 'casefold') && !isEncrypted;
  const wanted = folds ? foldCase(name) : name;
  const onlyNameBytes = folds || isEncrypted ? undefined : encodeName(name).length;
  let folded: DirectoryEntry | undefined;
  for await (const batch of directoryBatches(volume, inode, { signal: options?.signal, onlyNameBytes })) {
    for (const entry of batch) {
      if (entry.name === name) return entry;
      if (folds && folded === undefined && foldCase(entry.name) === wanted) folded = entry;
    }
  }
  return folded;
}

function reportHole(volume: ExtVolume, inode: Inode, first: number, end: number): void {
  const blocks = end - first === 1 ? `block ${first} is` : `blocks ${first} to ${end - 1} are`;
  volume.report(`directory inode ${inode.id}`, inode.offset, `${blocks} missing from the directory`);
}

function tooLarge(inode: Inode, blockCount: number, total: number): DiskError {
  return corrupt({
    layer: 'ext',
    structure: `directory inode ${inode.id}`,
    offset: inode.offset,
    expected: `at most the filesystem's ${blockCount} blocks`,
    found: total,
  });
}
