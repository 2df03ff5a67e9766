import test from 'ava';
import { crc32cWithoutField } from '../../../../src/core/bytes/crc32c.ts';
import { storedSum } from '../../../../src/core/filesystem/ext/checksums.ts';
import { extFormat } from '../../../../src/core/filesystem/ext/ext-format.ts';
import { openJournal } from '../../../../src/core/filesystem/ext/journal/journal.ts';
import { ReplayedDevice } from '../../../../src/core/filesystem/ext/journal/replayed-device.ts';
import {
  BLOCK_HEADER,
  BLOCK_TYPE,
  ESCAPED_WORD,
  JOURNAL_MAGIC,
  JOURNAL_SUPERBLOCK,
} from '../../../../src/core/filesystem/ext/journal/structures.ts';
import { SUPERBLOCK, SUPERBLOCK_OFFSET } from '../../../../src/core/filesystem/ext/superblock.ts';
import {
  type DirectoryEntry,
  DiskError,
  type FileSystem,
  MemoryDevice,
  resolvePath,
  walk,
} from '../../../../src/core/index.ts';
import { deviceConformance } from '../../../conformance/device-conformance.ts';
import { extentsConformance } from '../../../conformance/extents-conformance.ts';
import { collect } from '../../../helpers/collect.ts';
import { testContext } from '../../../helpers/context.ts';
import { CountingDevice, FaultyDevice, isInjectedFault } from '../../../helpers/devices.ts';
import { fixtureBytes } from '../../../helpers/fixtures.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const BLOCK = 1024;
const image = await fixtureBytes('ext/journal-1k.img');

interface Opened {
  readonly filesystem: FileSystem;
  readonly messages: readonly string[];
  /** Transactions that were replayed; null when none was looked for, or the journal is damaged. */
  readonly replayed: unknown;
  readonly names: readonly string[];
}

async function open(bytes: Uint8Array, log?: 'ignore'): Promise<Opened> {
  const context = { ...testContext(), log };
  const filesystem = await extFormat.open(new MemoryDevice(bytes), context);
  const { node } = await resolvePath(filesystem, '/');
  const entries: readonly DirectoryEntry[] = node.kind === 'directory' ? await collect(node.entries()) : [];
  return {
    filesystem,
    messages: context.diagnostics.map(({ structure, message }) => `${structure}: ${message}`),
    replayed: filesystem.properties.find(({ key }) => key === 'journalTransactionsReplayed')?.value,
    names: entries.map(({ name }) => name).sort(),
  };
}

/** The bytes with a change, and where the blocks of the journal lie in them, by their type. */
function changed(change: (bytes: Buffer, blocks: ReadonlyMap<number, readonly number[]>) => void): Uint8Array {
  const bytes = Buffer.from(image);
  const blocks = new Map<number, number[]>();
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const { magic, blockType } = BLOCK_HEADER.parse(bytes, at);
    if (magic === JOURNAL_MAGIC) blocks.set(blockType, [...(blocks.get(blockType) ?? []), at]);
  }
  change(bytes, blocks);
  return bytes;
}

/** Where a block of the journal lies: debugfs says (0-1):48-49, (2-15):52-65, (16-1023):82-1089. */
function placeOf(block: number): number {
  return BLOCK * (block + (block < 2 ? 48 : block < 16 ? 50 : 66));
}

const BEFORE = ['dir', 'lost+found'];
const AFTER = ['dir', 'lost+found', 'new'];

test('what the journal has is shown, said, and left out when asked', async (t) => {
  const { messages, replayed, names, filesystem } = await open(image);
  t.is(replayed, 3);
  t.deepEqual(names, AFTER);
  t.is(messages.length, 1);
  t.regex(messages[0]!, /^superblock: needs_recovery: 3 transactions of the journal replayed in memory, \d+ blocks/);
  t.notRegex(String(filesystem.properties.find(({ key }) => key === 'features')?.value), /needs_recovery/);
  const before = await open(image, 'ignore');
  t.deepEqual([before.replayed, before.names], [null, BEFORE]);
  t.regex(before.messages[0]!, /not shown, as asked/);
  t.regex(String(before.filesystem.properties.find(({ key }) => key === 'features')?.value), /needs_recovery/);
});

interface Damage {
  readonly title: string;
  readonly change: Parameters<typeof changed>[0];
  readonly replayed: number | null;
  readonly names: readonly string[];
  readonly message: RegExp;
}

/** Where the superblock of the journal is, the last descriptor block and the last commit block. */
const superblockAt = (blocks: ReadonlyMap<number, readonly number[]>) => blocks.get(BLOCK_TYPE.superblockV2)![0]!;
const last = (blocks: ReadonlyMap<number, readonly number[]>, type: keyof typeof BLOCK_TYPE) =>
  blocks.get(BLOCK_TYPE[type])!.at(-1)!;
const field = (name: keyof typeof JOURNAL_SUPERBLOCK.fields) => JOURNAL_SUPERBLOCK.fields[name].offset;

/** Puts a value into the journal's superblock and takes its checksums away, so that nothing else is wrong. */
function withoutSums(bytes: Buffer, at: number, name: keyof typeof JOURNAL_SUPERBLOCK.fields, value: number): void {
  bytes.writeUInt32BE(0, at + field('incompatible'));
  bytes.writeUInt32BE(value, at + field(name));
}

const damages: readonly Damage[] = [
  {
    title: 'a descriptor block: its transaction does not count',
    change: (bytes, blocks) => bytes.writeUInt8(1, last(blocks, 'descriptor') + 900),
    replayed: 2,
    names: BEFORE,
    message: /^journal block \d+: the checksum of a descriptor block is wrong: transaction 3 and all behind it/,
  },
  {
    title: 'a revoke block',
    change: (bytes, blocks) => bytes.writeUInt8(1, last(blocks, 'revoke') + 900),
    replayed: 1,
    names: BEFORE,
    message: /the checksum of a revoke block is wrong: transaction 2 and/,
  },
  {
    title: 'a commit block',
    change: (bytes, blocks) => bytes.writeUInt8(1, last(blocks, 'commit') + 900),
    replayed: 2,
    names: BEFORE,
    message: /the checksum of a commit block is wrong: transaction 3 and/,
  },
  {
    title: 'a commit block that was never written: nothing is odd about that',
    change: (bytes, blocks) => bytes.fill(0, last(blocks, 'commit'), last(blocks, 'commit') + BLOCK),
    replayed: 2,
    names: BEFORE,
    message: /^superblock: needs_recovery: 2 transactions/,
  },
  {
    title: 'a copy: the block keeps what it had',
    change: (bytes, blocks) => bytes.writeUInt8(0xaa, last(blocks, 'commit') - 1),
    replayed: 3,
    names: AFTER,
    message: /^journal block \d+: the checksum of a copy of block \d+ is wrong: it is not replayed/,
  },
  {
    title: 'the superblock of the journal',
    change: (bytes, blocks) => bytes.writeUInt8(9, superblockAt(blocks) + field('start')),
    replayed: null,
    names: BEFORE,
    message: /not shown, for it cannot be replayed: ext: journal superblock checksum/,
  },
  {
    title: 'a start behind the ring',
    change: (bytes, blocks) => withoutSums(bytes, superblockAt(blocks), 'start', 1024),
    replayed: null,
    names: BEFORE,
    message: /journal superblock start at offset 0x1c: expected 0 or 1 to 1023, found 1024/,
  },
  {
    title: 'more blocks than its file has',
    change: (bytes, blocks) => withoutSums(bytes, superblockAt(blocks), 'blockCount', 1025),
    replayed: null,
    names: BEFORE,
    message: /journal superblock blockCount .* found 1025/,
  },
  {
    title: 'a feature that nobody knows',
    change: (bytes, blocks) => bytes.writeUInt32BE(2 ** 31 + 16, superblockAt(blocks) + field('incompatible')),
    replayed: null,
    names: BEFORE,
    message: /expected only revoke, .*, fast_commit, found bit 31/,
  },
  {
    title: 'an empty journal',
    change: (bytes, blocks) => withoutSums(bytes, superblockAt(blocks), 'start', 0),
    replayed: 0,
    names: BEFORE,
    message: /needs_recovery: 0 transactions/,
  },
  {
    title: 'a journal on another device',
    change: (bytes) => {
      bytes.writeUInt32LE(0, SUPERBLOCK_OFFSET + SUPERBLOCK.fields.journalInode.offset);
      bytes.writeUInt32LE(0x801, SUPERBLOCK_OFFSET + SUPERBLOCK.fields.journalDevice.offset);
    },
    replayed: null,
    names: BEFORE,
    message: /expected a journal inside the filesystem, found an external journal/,
  },
  {
    title: 'a directory in its place',
    change: (bytes) => bytes.writeUInt32LE(2, SUPERBLOCK_OFFSET + SUPERBLOCK.fields.journalInode.offset),
    replayed: null,
    names: BEFORE,
    message: /journal inode 2 .*expected a file, found directory/,
  },
];

for (const { title, change, replayed, names, message } of damages) {
  test(`damaged: ${title}`, async (t) => {
    const opened = await open(changed(change));
    t.is(opened.replayed, replayed, opened.messages.join('\n'));
    t.deepEqual(opened.names, names);
    t.true(
      opened.messages.some((each) => message.test(each)),
      opened.messages.join('\n'),
    );
  });
}

test('fast commits behind the last transaction are named, those of an earlier one are not', async (t) => {
  for (const [sequence, isNamed] of [
    [4, true],
    [3, false],
  ] as const) {
    const bytes = changed((raw, blocks) => {
      const at = superblockAt(blocks);
      raw.writeUInt32BE(raw.readUInt32BE(at + field('incompatible')) + 0x20, at + field('incompatible'));
      raw.writeUInt32BE(64, at + field('fastCommitBlocks'));
      const sum = crc32cWithoutField(raw.subarray(at, at + JOURNAL_SUPERBLOCK.size), field('checksum'));
      raw.writeUInt32BE(storedSum(sum), at + field('checksum'));
      const head = placeOf(1024 - 64 + 1);
      raw.writeUInt16LE(9, head);
      raw.writeUInt16LE(8, head + 2);
      raw.writeUInt32LE(sequence, head + 8);
    });
    const { messages } = await open(bytes);
    t.is(
      messages.some((message) => /^journal block 961: fast commits .* are not replayed/.test(message)),
      isNamed,
      messages.join('\n'),
    );
  }
});

test('a ring full of descriptors without an end is read once', async (t) => {
  const bytes = changed((raw, blocks) => {
    raw.writeUInt32BE(0, superblockAt(blocks) + field('incompatible'));
    const block = Buffer.alloc(BLOCK);
    BLOCK_HEADER.write(block, { magic: JOURNAL_MAGIC, blockType: BLOCK_TYPE.revoke, sequence: 1 });
    block.writeUInt32BE(16, 12);
    for (let index = 1; index < 1024; index++) block.copy(raw, placeOf(index));
  });
  const device = new CountingDevice(new MemoryDevice(bytes));
  const context = testContext();
  const filesystem = await extFormat.open(device, context);
  t.is(filesystem.properties.find(({ key }) => key === 'journalTransactionsReplayed')?.value, 0);
  t.true(device.bytesRead < 3 * bytes.length, `${device.bytesRead} bytes read`);
});

test('a fault at any request of opening and listing comes through, and no list is short', async (t) => {
  const list = async (device: FaultyDevice): Promise<string[]> => {
    const filesystem = await extFormat.open(device, testContext());
    const paths: string[] = [];
    for await (const { path } of walk(filesystem, filesystem.rootId)) paths.push(path);
    return paths;
  };
  const sound = new FaultyDevice(new MemoryDevice(image), Number.POSITIVE_INFINITY);
  const expected = await list(sound);
  t.true(expected.includes('/new/escaped') && sound.requests.length > 30);
  for (let failAt = 0; failAt < sound.requests.length; failAt++) {
    const error = await t.throwsAsync(list(new FaultyDevice(new MemoryDevice(image), failAt)), { any: true });
    t.true(isInjectedFault(error), `request ${failAt}: ${error}`);
  }
});

test('a journal changed anywhere gives a filesystem or a DiskError', async (t) => {
  const random = seededRandom(20261121);
  const { structures } = await new Promise<{ structures: readonly number[] }>((resolve) => {
    changed((_, blocks) => resolve({ structures: [...blocks.values()].flat() }));
  });
  const outcomes = { replayed: 0, asItStands: 0, refused: 0 };
  for (let round = 0; round < 400; round++) {
    const bytes = Buffer.from(image);
    for (let count = 1 + Math.floor(random() * 4); count > 0; count--) {
      const at = structures[Math.floor(random() * structures.length)]! + Math.floor(random() * 64);
      bytes[at] = Math.floor(random() * 256);
    }
    // Sums would find nearly all of it at once.
    if (round % 2 === 0) bytes.writeUInt32BE(2, structures[0]! + field('incompatible'));
    try {
      const filesystem = await extFormat.open(new MemoryDevice(bytes), testContext());
      for await (const _ of walk(filesystem, filesystem.rootId)) {
        // Listing is enough.
      }
      const replayed = filesystem.properties.find(({ key }) => key === 'journalTransactionsReplayed')?.value;
      outcomes[typeof replayed === 'number' && replayed > 0 ? 'replayed' : 'asItStands']++;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      outcomes.refused++;
    }
  }
  t.log(outcomes);
  t.true(outcomes.replayed > 0 && outcomes.asItStands > 0);
});

/** A device of 20 blocks and a few bytes, some of them with copies, neighbours and the first and the last among them. */
async function replayedDevice() {
  const random = seededRandom(5);
  const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => random() * 256);
  const base = noise(20 * BLOCK + 100);
  const content = noise(8 * BLOCK);
  const journal = {
    ...(await openJournal(new MemoryDevice(journalSuperblock()), BLOCK)),
    device: new MemoryDevice(content),
  };
  const expected = base.slice();
  const copies = new Map(
    [0, 3, 4, 9, 19].map((target, block) => {
      const isEscaped = block % 2 === 1;
      expected.set(content.subarray(block * BLOCK, (block + 1) * BLOCK), target * BLOCK);
      if (isEscaped) expected.set(ESCAPED_WORD, target * BLOCK);
      return [target, { target, block, isEscaped, checksum: 0 }] as const;
    }),
  );
  return { device: new ReplayedDevice(new MemoryDevice(base), journal, copies), expected };
}

function journalSuperblock(): Uint8Array {
  const bytes = new Uint8Array(16 * BLOCK);
  const values = { magic: JOURNAL_MAGIC, blockType: 4, blockSize: BLOCK, blockCount: 16, firstBlock: 1 };
  JOURNAL_SUPERBLOCK.write(bytes, values);
  return bytes;
}

deviceConformance('a device after the replay of a journal', replayedDevice);
extentsConformance('a device after the replay of a journal', replayedDevice);
