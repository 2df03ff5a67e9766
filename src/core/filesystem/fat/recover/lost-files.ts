import { divideUp } from '../../../bytes/rounding.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { type ReadOptions, readBytes } from '../../../device/block-device.ts';
import { DiskError } from '../../../errors.ts';
import type { Certainty, RecoverableFile } from '../../recoverable-file.ts';
import { firstClusterAt } from '../check/scanned-entry.ts';
import { ClusterClaims } from '../cluster-claims.ts';
import { nodeIdOf } from '../directory-decoder.ts';
import { SLOT_BYTES } from '../directory-entry.ts';
import type { FatFileSystem } from '../fat-file-system.ts';
import { type LostChain, lostChains } from '../lost-chains.ts';
import type { FatDirectory } from '../nodes.ts';
import type { SearchStart } from './deleted-entries.ts';
import { isDirectoryStart } from './directory-start.ts';

/** Lost directories that are opened; of more, only the chain is given. */
const MAX_LOST_DIRECTORIES = 100_000;

/** A live entry of a lost directory. */
interface LostEntry {
  readonly id: number;
  readonly name: string;
  readonly kind: 'file' | 'directory';
  readonly firstCluster: number;
}

/** Chains that no directory leads to: directories with all that lies below them, and the rest as files without a name. */
export class LostFiles {
  readonly #filesystem: FatFileSystem;
  /** Clusters of the files that can be reached from the root. */
  readonly #owned: ClusterClaims;
  readonly #directories = new Map<number, FatDirectory>();
  /** First clusters that a lost directory names. */
  readonly #named = new SparseBitSet();
  readonly #listed = new SparseBitSet();

  private constructor(filesystem: FatFileSystem, owned: ClusterClaims) {
    this.#filesystem = filesystem;
    this.#owned = owned;
  }

  static async find(filesystem: FatFileSystem, owned: ClusterClaims, options?: ReadOptions): Promise<LostFiles> {
    const lost = new LostFiles(filesystem, owned);
    for await (const chain of lostChains(filesystem.table, owned, options)) {
      if (lost.#directories.size >= MAX_LOST_DIRECTORIES) break;
      const { device, geometry } = filesystem;
      if (!(await isDirectoryStart(device, geometry, chain.first, options))) continue;
      lost.#directories.set(chain.first, filesystem.lostDirectory(chain.first, chain.count));
    }
    for (const directory of lost.#directories.values())
      for await (const { firstCluster } of lost.#entries(directory, options)) lost.#named.add(firstCluster);
    return lost;
  }

  /** The lost directories, to search them for deleted entries. */
  get starts(): SearchStart[] {
    return Array.from(this.#directories, ([firstCluster, directory]) => ({ directory, firstCluster, prefix: '' }));
  }

  async *files(options?: ReadOptions): AsyncGenerator<RecoverableFile, void> {
    const { table } = this.#filesystem;
    for await (const chain of lostChains(table, this.#owned, options))
      if (!this.#named.has(chain.first)) yield* this.#chain(chain, options);
    // Directories that only name each other.
    for (const [first, directory] of this.#directories)
      if (!this.#listed.has(first)) yield* this.#directory(first, directory, options);
  }

  async *#chain(chain: LostChain, options?: ReadOptions): AsyncGenerator<RecoverableFile, void> {
    const { first, count } = chain;
    const directory = this.#directories.get(first);
    if (directory !== undefined) {
      yield* this.#directory(first, directory, options);
      return;
    }
    const certainty: Certainty = chain.stop === 'end' ? 'intact' : 'damaged';
    const reason =
      chain.stop === 'end'
        ? 'its chain is whole; where in its last cluster it ended is not told'
        : `its chain breaks off after ${count} clusters`;
    const node = this.#filesystem.lostFile(first, count);
    yield { key: `chain-${first}`, node, path: undefined, source: 'lost chain', certainty, reason };
  }

  /** A lost directory, then all that its entries still lead to. */
  async *#directory(first: number, root: FatDirectory, options?: ReadOptions): AsyncGenerator<RecoverableFile, void> {
    this.#listed.add(first);
    const reason = 'a directory that no other one leads to';
    yield { key: `chain-${first}`, node: root, path: undefined, source: 'lost chain', certainty: 'intact', reason };
    const pending: { readonly directory: FatDirectory; readonly path: string }[] = [{ directory: root, path: '' }];
    for (let here = pending.pop(); here !== undefined; here = pending.pop()) {
      for await (const entry of this.#entries(here.directory, options)) {
        const path = `${here.path}${entry.name}`;
        const node = await this.#filesystem.node(entry.id, options);
        const below = node.kind === 'directory' ? this.#directories.get(entry.firstCluster) : undefined;
        yield {
          key: `entry-${entry.id}`,
          node,
          path,
          source: 'lost chain',
          ...(await this.#judge(entry, node.kind === 'file' ? node.size : undefined, options)),
        };
        if (below !== undefined && this.#listed.add(entry.firstCluster))
          pending.push({ directory: below, path: `${path}/` });
      }
    }
  }

  /** Whether the chain of a lost directory's entry is its own, and as long as its size needs. */
  async #judge(
    { firstCluster }: LostEntry,
    size: number | undefined,
    options?: ReadOptions,
  ): Promise<{ readonly certainty: Certainty; readonly reason: string }> {
    const needed = size === undefined ? 1 : divideUp(size, this.#filesystem.geometry.clusterSize);
    if (needed === 0) return { certainty: 'intact', reason: 'an empty file in a lost directory' };
    const { count } = await new ClusterClaims(this.#filesystem.table).claim(firstCluster, options, this.#owned);
    if (count === 0)
      return { certainty: 'lost', reason: `its first cluster ${firstCluster} is free or belongs to another file` };
    if (count < needed)
      return { certainty: 'damaged', reason: `its chain has ${count} of the ${needed} clusters that its size needs` };
    return { certainty: 'intact', reason: 'its directory is lost, and its chain is whole' };
  }

  /** The live entries of a directory, as far as they can be read. */
  async *#entries(directory: FatDirectory, options?: ReadOptions): AsyncGenerator<LostEntry, void> {
    const { device, geometry } = this.#filesystem;
    try {
      for await (const batch of directory.decode(options)) {
        for (const { kind, name, deleted, offset } of batch) {
          if (kind === 'label' || deleted) continue;
          const slot = await readBytes(device, offset, SLOT_BYTES, options);
          yield { id: nodeIdOf(offset), name, kind, firstCluster: firstClusterAt(slot, 0, geometry) };
        }
      }
    } catch (error) {
      if (!(error instanceof DiskError) || error.code === 'IO') throw error;
    }
  }
}
