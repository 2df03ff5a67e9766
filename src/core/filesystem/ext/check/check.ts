import type { CheckOptions, Finding } from '../../finding.ts';
import type { Superblock } from '../superblock.ts';
import type { ExtVolume } from '../volume.ts';
import { checkAttributeReferences } from './attribute-blocks.ts';
import { checkBitmaps } from './bitmaps.ts';
import { checkConnections } from './connections.ts';
import { checkDirectories } from './directories.ts';
import { readGroups } from './groups.ts';
import { scannedInodes } from './inode-scan.ts';
import { checkInodes } from './inodes.ts';
import { checkJournal } from './journal-file.ts';
import { checkLinks } from './links.ts';
import { checkMountProtection } from './mount-protection.ts';
import { checkOrphans } from './orphans.ts';
import { pathsOf } from './owners.ts';
import { reserveBlocks } from './reserved-blocks.ts';
import { checkResizeInode } from './resize-inode.ts';
import { tellSharedBlocks } from './shared-blocks.ts';
import { CheckState } from './state.ts';
import { checkSuperblock } from './superblock.ts';

/** 256 TiB of 4 KiB blocks; what is kept of each group is 60 bytes. */
const MAX_GROUPS = 2 ** 21;

export interface CheckedVolume {
  readonly volume: ExtVolume;
  readonly superblock: Superblock;
  /** The journal's changes are read as done. */
  readonly isReplayed: boolean;
  /** It was opened by a copy of its superblock, in that block. */
  readonly superblockCopy: number | undefined;
}

/** What `e2fsck -fn` looks at, in its order; nothing is written. The findings come when all is looked at: paths are known then. */
export async function* checkExt(checked: CheckedVolume, options: CheckOptions = {}): AsyncGenerator<Finding, void> {
  const { volume, superblock } = checked;
  const state = new CheckState(volume.device, volume.geometry, superblock, options);
  if (volume.geometry.groupCount > MAX_GROUPS) {
    const message = `it has ${volume.geometry.groupCount} groups: at most ${MAX_GROUPS} are looked at`;
    yield { severity: 'error', code: 'too-large', structure: 'superblock', message };
    return;
  }
  await runPasses(state, checked);
  const problems = [...state.findings.problems];
  const ids = new Set(problems.flatMap(({ inodes }) => inodes ?? []));
  const pathOf = await pathsOf(state, ids);
  for (const { severity = 'error', code, structure, offset, message, inodes } of problems)
    yield { severity, code, structure, offset, message, owners: inodes?.map(pathOf) };
  yield* state.findings.leftOut();
}

async function runPasses(state: CheckState, { volume, isReplayed, superblockCopy }: CheckedVolume): Promise<void> {
  if (superblockCopy !== undefined) {
    const message = `it cannot be used: the filesystem is read by its copy in block ${superblockCopy}`;
    state.error('superblock-copy', 'superblock', 1024, message);
  }
  await checkSuperblock(state, superblockCopy !== undefined);
  await readGroups(state);
  const progress = new Progress(state);
  await checkJournal(state, volume, isReplayed);
  await checkResizeInode(state);
  reserveBlocks(state);
  await checkMountProtection(state);
  await checkInodes(state, (bytes) => progress.add(bytes));
  checkAttributeReferences(state);
  await tellSharedBlocks(state);
  await checkDirectories(state, (bytes) => progress.add(bytes));
  checkSizeFeatures(state);
  checkConnections(state);
  await checkLinks(state);
  await checkBitmaps(state, () => progress.add(2 * state.geometry.blockSize));
  await checkOrphans(state);
  tellUnchecked(state);
}

function checkSizeFeatures(state: CheckState): void {
  if (state.hasLargeFile && !state.has('large_file'))
    state.error('superblock-field', 'superblock', undefined, 'a file of 2 GiB and more, and no large_file');
  if (state.hasLargeDirectory && !state.has('large_dir'))
    state.error(
      'superblock-field',
      'superblock',
      undefined,
      'a directory of 2 GiB and more, or a deep index, and no large_dir',
    );
}

function tellUnchecked(state: CheckState): void {
  if (!state.has('quota')) return;
  const message = 'the sums in the quota files are not compared with what users have';
  state.add({ severity: 'note', code: 'quota', structure: 'quota', message });
}

/** Bytes of metadata: inode tables and bitmaps, and directories as they are found. */
class Progress {
  readonly #state: CheckState;
  #done = 0;
  #total = 0;

  constructor(state: CheckState) {
    this.#state = state;
    const { geometry } = state;
    for (let group = 0; group < geometry.groupCount; group++)
      this.#total += scannedInodes(state, group) * geometry.inodeSize + 2 * geometry.blockSize;
  }

  add(bytes: number): void {
    this.#done += bytes;
    this.#total = Math.max(this.#total, this.#done);
    this.#state.options.onProgress?.({ done: this.#done, total: this.#total });
  }
}
