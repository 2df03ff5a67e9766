import { divideUp, roundDown } from '../../../bytes/rounding.ts';
import { type BlockDevice, type ReadOptions, readBytes } from '../../../device/block-device.ts';
import { DiskError, faultText } from '../../../errors.ts';
import type { Claim, ClusterClaims } from '../cluster-claims.ts';
import type { CodePage } from '../code-page.ts';
import { SLOT_BYTES } from '../directory-entry.ts';
import { clusterOffset, type FatGeometry } from '../geometry.ts';
import { linkKind } from '../link-kind.ts';
import { checkChain, firstClusterOffset } from './chain-check.ts';
import { DirectoryScan, type PlacedDirectory } from './directory-scan.ts';
import type { Sink } from './fault.ts';
import type { ScannedEntry } from './scanned-entry.ts';

/** Bytes of a directory read at once. */
const READ_BYTES = 64 * 1024;
/** As many as a directory may have for the reader too; the specification allows 2 MiB. */
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;
/** As deep as a walk goes. */
const MAX_DEPTH = 2048;

/** What the scan of the directories is told to do with what it meets. */
export interface TreeListener {
  find: Sink;
  /** The chain of an entry goes into clusters that another one has. */
  shared(entry: ScannedEntry, claim: Claim): void;
  /** An entry is about to claim its chain. */
  claiming?(entry: ScannedEntry): void;
}

interface Pending extends PlacedDirectory {
  readonly depth: number;
  /** Clusters that are its own. */
  readonly clusters: number;
}

/** Reads every directory from the root, and has each file claim its clusters. Pauses after each piece, so that findings can be told. */
export class TreeScan {
  readonly #device: BlockDevice;
  readonly #claims: ClusterClaims;
  readonly #codePage: CodePage;
  readonly #listener: TreeListener;
  readonly #pending: Pending[] = [];
  readonly #geometry: FatGeometry;

  constructor(device: BlockDevice, claims: ClusterClaims, codePage: CodePage, listener: TreeListener) {
    this.#device = device;
    this.#claims = claims;
    this.#geometry = claims.table.geometry;
    this.#codePage = codePage;
    this.#listener = listener;
  }

  async *run(options?: ReadOptions): AsyncGenerator<void, void> {
    await this.#pushRoot(options);
    yield;
    for (let here = this.#pending.pop(); here !== undefined; here = this.#pending.pop()) {
      options?.signal?.throwIfAborted();
      const below: Pending[] = [];
      const scan = new DirectoryScan(here, this.#geometry, this.#codePage, this.#listener.find);
      try {
        for await (const { start, length } of this.#places(here, options)) {
          for (const entry of scan.push(await readBytes(this.#device, start, length, options), start)) {
            const directory = await this.#claim(entry, here, options);
            if (directory !== undefined) below.push(directory);
          }
          yield;
        }
        scan.finish();
      } catch (error) {
        this.#unreadable(error, here.path);
      }
      for (const directory of below.reverse()) this.#pending.push(directory);
      yield;
    }
  }

  async #pushRoot(options?: ReadOptions): Promise<void> {
    const { entryBits, rootCluster } = this.#geometry;
    const root = { path: '', isRoot: true, parentCluster: 0, depth: 0 };
    if (entryBits !== 32) {
      this.#pending.push({ ...root, firstCluster: 0, clusters: 0 });
      return;
    }
    const entry = {
      path: '/',
      offset: undefined,
      firstCluster: rootCluster,
      size: 0,
      isDirectory: true,
      isLabel: false,
    };
    const clusters = await this.#claimChain(entry, options);
    this.#pending.push({ ...root, firstCluster: rootCluster, clusters });
  }

  /** Has an entry claim its chain; gives the directory that is to be scanned. */
  async #claim(entry: ScannedEntry, parent: Pending, options?: ReadOptions): Promise<Pending | undefined> {
    const fault = entry.isDirectory ? this.#directoryFault(entry, parent) : undefined;
    if (fault !== undefined) {
      const offset = firstClusterOffset(entry);
      const owners = [entry.path];
      this.#listener.find({
        severity: 'error',
        code: 'directory-start',
        structure: 'directory entry',
        offset,
        message: fault,
        owners,
      });
      return undefined;
    }
    // Nothing to claim, and nothing to say against it.
    if (entry.firstCluster === 0 && entry.size === 0) return undefined;
    const clusters = await this.#claimChain(entry, options);
    if (!entry.isDirectory || clusters === 0) return undefined;
    const depth = parent.depth + 1;
    if (depth > MAX_DEPTH) {
      const message = `what lies more than ${MAX_DEPTH} directories deep is not looked at`;
      this.#listener.find({ severity: 'error', code: 'too-deep', structure: 'directory', message });
      return undefined;
    }
    const parentCluster = parent.isRoot ? 0 : parent.firstCluster;
    return { path: entry.path, isRoot: false, firstCluster: entry.firstCluster, parentCluster, depth, clusters };
  }

  #directoryFault({ firstCluster }: ScannedEntry, parent: Pending): string | undefined {
    if (firstCluster === 0) return 'the directory has no cluster: it leads to the root';
    if (firstCluster === parent.firstCluster) return 'the directory leads to the one that it lies in';
    if (!parent.isRoot && firstCluster === parent.parentCluster)
      return 'the directory leads to the one above the one that it lies in';
    return undefined;
  }

  /** The number of clusters that the entry has for itself. */
  async #claimChain(entry: ScannedEntry, options?: ReadOptions): Promise<number> {
    const listener = this.#listener;
    listener.claiming?.(entry);
    if (entry.firstCluster === 0) {
      checkChain(entry, { count: 0, stop: 'end', at: 0, from: 0 }, this.#claims.table, listener.find);
      return 0;
    }
    const claim = await this.#claims.claim(entry.firstCluster, options);
    if (claim.stop === 'claimed') listener.shared(entry, claim);
    checkChain(entry, claim, this.#claims.table, listener.find);
    return claim.count;
  }

  /** Where the slots of a directory lie, in pieces to be read at once. */
  async *#places(directory: Pending, options?: ReadOptions): AsyncGenerator<{ start: number; length: number }, void> {
    const { clusterSize, rootOffset, rootBytes } = this.#geometry;
    if (directory.isRoot && this.#geometry.entryBits !== 32) {
      yield* this.#pieces(rootOffset, rootBytes, directory.path);
      return;
    }
    const limit = divideUp(MAX_DIRECTORY_BYTES, clusterSize);
    let cluster = directory.firstCluster;
    for (let left = Math.min(directory.clusters, limit); left > 0; ) {
      const first = cluster;
      let count = 0;
      do {
        count++;
        const value = this.#claims.table.peek(cluster) ?? (await this.#claims.table.entry(cluster, options));
        const isNext = linkKind(this.#geometry, value) === 'next';
        cluster = isNext ? value : 0;
      } while (count < left && cluster === first + count);
      left -= count;
      yield* this.#pieces(clusterOffset(this.#geometry, first), count * clusterSize, directory.path);
    }
    if (directory.clusters > limit) this.#tellLong(directory.path);
  }

  *#pieces(start: number, length: number, path: string): Generator<{ start: number; length: number }, void> {
    const held = roundDown(Math.max(0, Math.min(length, this.#device.size - start)), SLOT_BYTES);
    for (let done = 0; done < held; done += READ_BYTES)
      yield { start: start + done, length: Math.min(READ_BYTES, held - done) };
    if (held === length) return;
    const message = `${length - held} bytes of the directory lie behind the end of the device`;
    const owners = [path === '' ? '/' : path];
    this.#listener.find({
      severity: 'error',
      code: 'directory-unreadable',
      structure: 'directory',
      offset: start + held,
      message,
      owners,
    });
  }

  #tellLong(path: string): void {
    const message = `what a directory holds behind ${MAX_DIRECTORY_BYTES} bytes is not looked at`;
    this.#listener.find({
      severity: 'error',
      code: 'directory-too-long',
      structure: 'directory',
      message,
      owners: [path],
    });
  }

  /** A failing device ends the scan; what is damaged costs the rest of one directory. */
  #unreadable(error: unknown, path: string): void {
    if (!(error instanceof DiskError) || error.code === 'IO') throw error;
    const { structure = 'directory', offset } = error;
    const message = faultText(error);
    const owners = [path === '' ? '/' : path];
    this.#listener.find({ severity: 'error', code: 'directory-unreadable', structure, offset, message, owners });
  }
}
