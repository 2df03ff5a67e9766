import { RawContainer } from '../../src/core/container/raw.ts';
import {
  type CheckOptions,
  type Directory,
  type DirectoryEntry,
  DiskError,
  type ExtendedAttribute,
  type FileNode,
  type FileSystem,
  type Finding,
  Image,
  MemoryDevice,
  type NodeTimes,
  type Partition,
  type PartitionTable,
  RangeView,
  type RecoverableFile,
  type RecoverableOptions,
  type RegularFile,
  Volume,
} from '../../src/core/index.ts';
import { testContext } from '../helpers/context.ts';

/** What a fake directory holds: another directory, the bytes of a file, a link's target, or an error that reading it throws. */
export type FakeTree = { readonly [name: string]: FakeTree | Uint8Array | string | DiskError };

/** What a fake filesystem has besides its tree. */
export interface FakeExtras {
  /** Deleted entries of the root. */
  readonly deleted?: readonly DirectoryEntry[];
  /** Nodes of the tree that are told to be free: the root is 2, its first child 3, and so on in depth. */
  readonly freeIds?: readonly number[];
  readonly attributes?: readonly ExtendedAttribute[];
  readonly findings?: readonly Finding[];
  readonly recoverables?: (filesystem: FakeFileSystem) => Promise<readonly RecoverableFile[]>;
  /** What a check or a search for recoverable files waits for before it ends. */
  readonly hold?: (signal: AbortSignal | undefined) => Promise<void>;
}

const SECTOR = 512;
const MIB = 1024 * 1024;
const TIMES: NodeTimes = { modified: { seconds: 1_700_000_000, nanoseconds: 123_456_789, zone: 'utc' } };

interface FakeNodeBase {
  readonly times: NodeTimes;
  readonly location: { readonly start: number; readonly length: number };
}

/** A filesystem in memory; the content of its files lies one after the other in `device`. */
export class FakeFileSystem implements FileSystem {
  readonly type = 'ext4';
  readonly label = 'fake';
  readonly blockSize = 1024;
  readonly rootId = 2;
  readonly usage = { total: MIB, free: MIB / 2 };
  readonly properties = [{ key: 'blockCount', value: 1024 }];
  readonly device: MemoryDevice;
  /** How many times a node was asked for. */
  nodeReads = 0;
  readonly #nodes: (FakeTree[string] | undefined)[] = [undefined, undefined];
  readonly #extras: FakeExtras;
  readonly #offsets = new Map<number, number>();
  readonly #ids = new Map<object, number>();

  constructor(tree: FakeTree, device: MemoryDevice, extras: FakeExtras = {}) {
    this.device = device;
    this.#extras = extras;
    this.#add(tree, { offset: 64 * 1024 });
  }

  #add(value: FakeTree[string], place: { offset: number }): void {
    const id = this.#nodes.push(value) - 1;
    if (value instanceof Uint8Array) {
      this.#offsets.set(id, place.offset);
      this.device.bytes.set(value, place.offset);
      place.offset += Math.ceil(value.length / this.blockSize) * this.blockSize;
    } else if (typeof value === 'object') {
      this.#ids.set(value, id);
      if (!(value instanceof DiskError)) for (const child of Object.values(value)) this.#add(child, place);
    }
  }

  async *check({ signal, onProgress }: CheckOptions = {}): AsyncGenerator<Finding, void> {
    for (const [done, finding] of this.#extras.findings?.entries() ?? []) {
      signal?.throwIfAborted();
      onProgress?.({ done, total: this.#extras.findings!.length });
      yield finding;
    }
    await this.#extras.hold?.(signal);
  }

  async *recoverable({ signal, onProgress }: RecoverableOptions = {}): AsyncGenerator<RecoverableFile, void> {
    for (const [done, file] of (await this.#extras.recoverables?.(this))?.entries() ?? []) {
      signal?.throwIfAborted();
      onProgress?.({ done, total: 100 });
      yield file;
    }
    await this.#extras.hold?.(signal);
  }

  async node(id: number): Promise<FileNode> {
    this.nodeReads += 1;
    const value = this.#nodes[id];
    if (value === undefined) throw new DiskError('NOT_FOUND', { layer: 'ext', structure: `inode ${id}` });
    if (value instanceof DiskError) throw value;
    const isFree = this.#extras.freeIds?.includes(id) ?? false;
    const base = {
      id,
      allocated: 1024,
      mode: 0o644,
      uid: 1000,
      gid: 1000,
      linkCount: isFree ? 0 : 1,
      flags: [],
      deleted: isFree,
      attributes: async () => this.#extras.attributes ?? [],
      location: { start: 4096 + (id % 256) * 128, length: 128 },
      times: TIMES,
    } satisfies FakeNodeBase & Record<string, unknown>;
    if (typeof value === 'string') return { ...base, kind: 'symlink', size: value.length, target: async () => value };
    if (value instanceof Uint8Array) return this.#file(base, id, value);
    return this.#directory(base, value as FakeTree, id);
  }

  #file(base: Omit<RegularFile, 'kind' | 'size' | 'extents' | 'slack'>, id: number, bytes: Uint8Array): RegularFile {
    const { device } = this;
    const sourceOffset = this.#offsets.get(id)!;
    return {
      ...base,
      kind: 'file',
      size: bytes.length,
      slack: async () => ({ size: 0, async *extents() {} }),
      async *extents({ start, length }) {
        if (length > 0) yield { kind: 'data', start, length, source: device, sourceOffset: sourceOffset + start };
      },
    };
  }

  #directory(base: Omit<RegularFile, 'kind' | 'size' | 'extents' | 'slack'>, tree: FakeTree, id: number): Directory {
    const nodes = this.#nodes;
    const deletedHere = id === this.rootId ? (this.#extras.deleted ?? []) : [];
    const entries = (): DirectoryEntry[] => {
      let childId = id;
      return Object.entries(tree).map(([name, value]) => {
        childId = nodes.indexOf(value, childId + 1);
        const kind =
          value instanceof Uint8Array ? 'file' : typeof value === 'string' ? 'symlink' : ('directory' as const);
        return { name, nodeId: childId, kind, deleted: false };
      });
    };
    return {
      ...base,
      kind: 'directory',
      size: 1024,
      async *entries({ deleted } = {}) {
        yield* entries();
        if (deleted === true) yield* deletedHere;
      },
      async *entryBatches({ deleted } = {}) {
        yield deleted === true ? [...entries(), ...deletedHere] : entries();
      },
      lookup: async (wanted) => entries().find(({ name }) => name === wanted),
      async *extents({ start, length }) {
        if (length > 0) yield { kind: 'zero', start, length, explicit: false };
      },
    };
  }
}

/** A volume whose filesystem is given, or fails. */
class FakeVolume extends Volume {
  readonly result: FileSystem | DiskError | undefined;

  constructor(device: RangeView, partition: Partition, result: FileSystem | DiskError | undefined) {
    super(device, testContext(), partition);
    this.result = result;
  }

  override async filesystem(): Promise<FileSystem | undefined> {
    if (this.result instanceof DiskError) throw this.result;
    return this.result;
  }
}

export const damagedFileSystem = new DiskError('CORRUPT', {
  layer: 'ext',
  structure: 'superblock',
  offset: 1024,
  expected: 'magic 0xef53',
  found: '0xdead',
});

/** A disk of 4 MiB with three partitions: the fake filesystem, a damaged one, and one with nothing in it. */
export function fakeImage(
  tree: FakeTree,
  extras: FakeExtras = {},
): { readonly image: Image; readonly filesystem: FakeFileSystem } {
  const bytes = new Uint8Array(4 * MIB);
  const disk = new MemoryDevice(bytes);
  const partitions = [1, 2, 3].map((number): Partition => {
    const start = number === 1 ? MIB : MIB + number * 512 * 1024;
    const length = number === 1 ? MIB : 512 * 1024;
    return {
      number,
      kind: 'gpt',
      start,
      length: number === 3 ? 256 * 1024 : length,
      startSector: start / SECTOR,
      sectorCount: length / SECTOR,
      type: { id: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', name: 'Linux filesystem' },
      name: number === 1 ? 'root' : '',
      guid: `00000000-0000-0000-0000-00000000000${number}`,
      flags: [],
    };
  });
  const partitionTable: PartitionTable = {
    scheme: 'gpt',
    sectorSize: SECTOR,
    partitions,
    metadata: [
      { name: 'protective MBR', start: 0, length: SECTOR },
      { name: 'primary GPT header', start: SECTOR, length: SECTOR },
    ],
    properties: [{ key: 'diskGuid', value: 'FAKE' }],
  };
  const volumeBytes = new MemoryDevice(bytes.subarray(MIB, 2 * MIB));
  const filesystem = new FakeFileSystem(tree, volumeBytes, extras);
  const results = [filesystem, damagedFileSystem, undefined];
  const container = new RawContainer(disk);
  const volumes = partitions.map((partition, index) => {
    const view = new RangeView(disk, partition);
    return new FakeVolume(view, partition, results[index]);
  });
  const image = new Image({
    path: '/images/disk.img',
    container,
    disk,
    partitionTable,
    partitionError: undefined,
    volumes,
    diagnostics: [{ layer: 'gpt', structure: 'backup header', offset: 4 * MIB - SECTOR, message: 'missing' }],
    owned: new AsyncDisposableStack(),
  });
  return { image, filesystem };
}

export function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

/** A directory with so many empty files. */
export function bigDirectory(count: number): FakeTree {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`file-${String(index).padStart(6, '0')}.txt`, '']),
  );
}
