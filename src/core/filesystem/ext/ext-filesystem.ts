import { bitNumbers } from '../../bytes/bits.ts';
import { formatUuid } from '../../bytes/guid.ts';
import { decodeCString } from '../../bytes/text.ts';
import type { BlockDevice, ReadOptions } from '../../device/block-device.ts';
import { DiskError } from '../../errors.ts';
import type { Property } from '../../format.ts';
import type { FileNode, FileSystem, FileSystemType } from '../filesystem.ts';
import type { CheckOptions, Finding } from '../finding.ts';
import type { RecoverableFile, RecoverableOptions } from '../recoverable-file.ts';
import { checkExt } from './check/check.ts';
import { typeOf } from './features.ts';
import { findJournal } from './journal/find-journal.ts';
import type { Journal } from './journal/journal.ts';
import type { Replay } from './journal/replay.ts';
import { nodeOf } from './nodes.ts';
import { findRecoverable } from './recover/recoverable.ts';
import type { Superblock } from './superblock.ts';
import type { ExtVolume } from './volume.ts';

const ROOT_INODE = 2;
/** `s_creator_os`. */
const CREATORS = ['Linux', 'GNU Hurd', 'Masix', 'FreeBSD', 'Lites'];
/** `s_state`, by bit. */
const STATES: Readonly<Record<number, string>> = { 0: 'clean', 1: 'errors detected', 2: 'orphans being recovered' };

/** An ext2, ext3 or ext4 filesystem; a node's id is its inode number. */
export class ExtFileSystem implements FileSystem {
  readonly type: FileSystemType;
  readonly label: string;
  readonly blockSize: number;
  readonly device: BlockDevice;
  readonly rootId = ROOT_INODE;
  readonly usage: { readonly total: number; readonly free: number };
  readonly properties: readonly Property[];
  readonly replayedTransactions: number | undefined;
  readonly #volume: ExtVolume;
  readonly #superblock: Superblock;
  readonly #superblockCopy: number | undefined;

  /** `replay` is what the journal had for it, if it was replayed; `superblockCopy` the block of the copy that it was opened by. */
  constructor(volume: ExtVolume, superblock: Superblock, replay?: Replay, superblockCopy?: number) {
    const { geometry } = volume;
    this.type = typeOf(geometry.features);
    this.label = decodeCString(superblock.volumeName);
    this.blockSize = geometry.blockSize;
    this.device = volume.device;
    this.usage = {
      total: geometry.blockCount * geometry.blockSize,
      free: geometry.freeBlockCount * geometry.blockSize,
    };
    this.properties = propertiesOf(volume, superblock, replay);
    this.replayedTransactions = replay?.transactionCount;
    this.#volume = volume;
    this.#superblock = superblock;
    this.#superblockCopy = superblockCopy;
  }

  async node(id: number, options?: ReadOptions): Promise<FileNode> {
    return nodeOf(this.#volume, await this.#volume.inode(id, options));
  }

  check(options?: CheckOptions): AsyncGenerator<Finding, void> {
    const isReplayed = this.replayedTransactions !== undefined;
    const checked = {
      volume: this.#volume,
      superblock: this.#superblock,
      isReplayed,
      superblockCopy: this.#superblockCopy,
    };
    return checkExt(checked, options);
  }

  async *recoverable(options?: RecoverableOptions): AsyncGenerator<RecoverableFile, void> {
    yield* findRecoverable(this.#volume, this.#superblock, await this.#journal(), options);
  }

  /** The journal, to look into; one that cannot be read is told of, and has nothing to give. */
  async #journal(): Promise<Journal | undefined> {
    if (!this.#volume.geometry.features.compatible.has('has_journal')) return undefined;
    try {
      return await findJournal(this.#volume, this.#superblock);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#volume.report('journal', error.offset, `it is not searched for deleted files: ${error.message}`);
      return undefined;
    }
  }
}

/** `s_state` in words, as dumpe2fs has them. */
export function stateWords(state: number): string {
  const words = bitNumbers(state).map((bit) => STATES[bit] ?? `bit ${bit}`);
  if (!words.includes('clean')) words.unshift('not clean');
  return words.join(', ');
}

function propertiesOf(volume: ExtVolume, superblock: Superblock, replay: Replay | undefined): Property[] {
  const { geometry } = volume;
  const { compatible, readOnlyCompatible } = geometry.features;
  // The recovery takes the sign away that it is needed.
  const incompatible = [...geometry.features.incompatible].filter(
    (name) => replay === undefined || name !== 'needs_recovery',
  );
  return [
    { key: 'uuid', value: formatUuid(superblock.uuid) },
    { key: 'features', value: [...compatible, ...incompatible, ...readOnlyCompatible] },
    { key: 'revision', value: superblock.revision },
    { key: 'creatorSystem', value: CREATORS[superblock.creatorOs] ?? String(superblock.creatorOs) },
    { key: 'clusterSize', value: geometry.clusterSize, unit: 'bytes' },
    { key: 'inodeSize', value: geometry.inodeSize, unit: 'bytes' },
    { key: 'blockCount', value: geometry.blockCount },
    { key: 'freeBlocks', value: geometry.freeBlockCount },
    { key: 'inodeCount', value: geometry.inodeCount },
    { key: 'freeInodes', value: superblock.freeInodeCount },
    { key: 'groupCount', value: geometry.groupCount },
    { key: 'blocksPerGroup', value: geometry.blocksPerGroup },
    { key: 'inodesPerGroup', value: geometry.inodesPerGroup },
    { key: 'state', value: stateWords(superblock.state) },
    { key: 'journalTransactionsReplayed', value: replay?.transactionCount ?? null },
    { key: 'lastMountedOn', value: decodeCString(superblock.lastMounted) },
    { key: 'mountCount', value: superblock.mountCount },
    { key: 'created', value: moment(superblock.creationTime, superblock.creationTimeHigh) },
    { key: 'mounted', value: moment(superblock.mountTime, superblock.mountTimeHigh) },
    { key: 'written', value: moment(superblock.writeTime, superblock.writeTimeHigh) },
    { key: 'checked', value: moment(superblock.checkTime, superblock.checkTimeHigh) },
  ];
}

/** Superblock times are 40 bits of seconds, unsigned; 0 is never. */
function moment(low: number, high: number): string | null {
  const seconds = high * 0x1_0000_0000 + low;
  return seconds === 0 ? null : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
