import {
  type DirectoryEntry,
  DiskError,
  type FileNode,
  type FileSystem,
  type Finding,
  MemoryDevice,
  type RecoverableFile,
} from '../../../src/core/index.ts';

/** A tree as a literal: a string is a link's target, a number a file's size, `broken` a node that cannot be read. */
export type Tree = { readonly [name: string]: Tree | string | number | Broken };

export const broken = Symbol('broken');
export type Broken = typeof broken;

interface FakeNode {
  readonly content: Tree | string | number | Broken;
  readonly names: Map<string, number>;
}

/** A filesystem in memory: directories, files without content, links. `alias(path, path)` gives a directory a second name. */
export class FakeFileSystem implements FileSystem {
  readonly type = 'ext4';
  readonly label = '';
  readonly blockSize = 4096;
  readonly device = new MemoryDevice(new Uint8Array(0));
  readonly rootId = 0;
  readonly usage = { total: 0, free: undefined };
  readonly properties = [];
  /** Whether entries tell their kind; ext without the filetype feature does not. */
  readonly tellsKinds: boolean;
  /** How often a node was asked for. */
  requests = 0;
  readonly #nodes: FakeNode[] = [];

  constructor(tree: Tree, tellsKinds = true) {
    this.tellsKinds = tellsKinds;
    this.#add(tree);
  }

  #add(content: FakeNode['content']): number {
    const id = this.#nodes.push({ content, names: new Map() }) - 1;
    if (typeof content === 'object') {
      for (const [name, below] of Object.entries(content)) this.#nodes[id]!.names.set(name, this.#add(below));
    }
    return id;
  }

  alias(from: string, to: string): this {
    const parts = from.split('/');
    const name = parts.pop()!;
    this.#nodes[this.#find(parts.join('/'))]!.names.set(name, this.#find(to));
    return this;
  }

  #find(path: string): number {
    return path
      .split('/')
      .filter((name) => name !== '')
      .reduce((id, name) => this.#nodes[id]!.names.get(name)!, 0);
  }

  async *check(): AsyncGenerator<Finding, void> {}

  async *recoverable(): AsyncGenerator<RecoverableFile, void> {}

  async node(id: number): Promise<FileNode> {
    this.requests++;
    const { content } = this.#nodes[id]!;
    if (content === broken) throw new DiskError('CORRUPT', { layer: 'fake', structure: `node ${id}` });
    const base = {
      id,
      size: typeof content === 'number' ? content : 0,
      allocated: 0,
      times: {},
      flags: [],
      deleted: false,
      location: { start: 0, length: 0 },
      attributes: async () => [],
      extents: async function* () {},
    };
    if (typeof content === 'number') {
      const slack = async () => ({ size: 0, extents: base.extents });
      return { ...base, kind: 'file', slack };
    }
    if (typeof content === 'string') return { ...base, kind: 'symlink', target: async () => content };
    const list = () => this.#entries(id);
    return {
      ...base,
      kind: 'directory',
      async *entries() {
        yield* list();
      },
      async *entryBatches() {
        yield list();
      },
      lookup: async (name) => list().find((entry) => entry.name === name),
    };
  }

  #entries(id: number): DirectoryEntry[] {
    return [...this.#nodes[id]!.names].map(([name, nodeId]) => {
      const { content } = this.#nodes[nodeId]!;
      const kind =
        typeof content === 'object'
          ? 'directory'
          : typeof content === 'string'
            ? 'symlink'
            : content === broken
              ? 'directory'
              : 'file';
      return { name, nodeId, kind: this.tellsKinds ? kind : 'unknown', deleted: name.startsWith('deleted') };
    });
  }
}
