import test from 'ava';
import { type Directory, type DirectoryEntry, MemoryDevice, RangeView } from '../../../src/core/index.ts';
import { loadDetails } from '../../../src/tui/load/details.ts';
import { type HexTarget, openHexTarget } from '../../../src/tui/load/hex-target.ts';
import { loadHexWindow } from '../../../src/tui/load/hex-window.ts';
import { listDirectory, MAX_LISTED_ENTRIES } from '../../../src/tui/load/listing.ts';
import { PREVIEW_BYTES, previewOf } from '../../../src/tui/load/preview.ts';
import { FaultyDevice, RecordingDevice } from '../../helpers/devices.ts';
import { Driver } from '../drive.ts';
import { fakeImage, text } from '../fake-image.ts';

const { signal } = new AbortController();
const { image, filesystem } = fakeImage({ file: text('content'), link: 'file\x1b[31m' });
const place = { volume: image.volumes[0]!, filesystem, parent: undefined };

function directoryOf(entries: () => Iterable<DirectoryEntry>): Directory {
  return {
    async *entries() {
      yield* entries();
    },
  } as Partial<Directory> as Directory;
}

function entry(name: string, kind: DirectoryEntry['kind'] = 'file'): DirectoryEntry {
  return { name, nodeId: 3, kind, deleted: false };
}

async function labels(entries: () => Iterable<DirectoryEntry>): Promise<string[]> {
  const items = await listDirectory(place, directoryOf(entries), false, signal);
  return items.map((item) =>
    item.kind === 'entry' ? item.label : item.kind === 'loading' ? '' : JSON.stringify(item),
  );
}

test('directories first, then by name without regard to case, names escaped', async (t) => {
  const found = await labels(() => [
    entry('b'),
    entry('Z'),
    entry('a\nx'),
    entry('y', 'directory'),
    entry('X', 'directory'),
  ]);
  t.deepEqual(found, ['X', 'y', 'a\\x0ax', 'b', 'Z']);
});

test('an empty directory says so', async (t) => {
  t.deepEqual(await labels(() => []), ['{"kind":"note","text":"(empty)"}']);
});

test('entries before a damage are shown, and the damage after them', async (t) => {
  const found = await labels(function* () {
    yield entry('first');
    throw new Error('block 7 is damaged');
  });
  t.deepEqual(found, ['first', '{"kind":"error","text":"block 7 is damaged"}']);
});

test('a directory without end is listed as far as the limit', async (t) => {
  const found = await labels(function* () {
    for (let index = 0; ; index++) yield entry(`f${index}`);
  });
  t.is(found.length, MAX_LISTED_ENTRIES + 1);
  t.regex(found.at(-1)!, /only the first 250000 entries/);
});

test('an entry whose directory does not tell its kind is looked up', async (t) => {
  const items = await listDirectory(
    place,
    directoryOf(() => [entry('e', 'unknown')]),
    false,
    signal,
  );
  t.like(items[0], { entryKind: 'file' });
});

test('text is decoded without loss, tabs and line ends as people expect, controls escaped', (t) => {
  const { lines, note } = previewOf(Buffer.from('a\tb\r\nC:\\dir\n\x1b[31m\xff\n', 'latin1'), 17);
  t.deepEqual(lines, ['a       b', 'C:\\dir', '\\x1b[31m\\xff']);
  t.is(note, '');
});

test('a NUL, or too many controls, make a file binary; UTF-16 with its mark is text', (t) => {
  t.regex(previewOf(Uint8Array.from([65, 0, 66]), 3).note, /^Binary file of 3 B/);
  t.regex(
    previewOf(
      Uint8Array.from({ length: 256 }, (_, index) => (index * 7 + 1) % 255 || 1),
      256,
    ).note,
    /^Binary/,
  );
  const utf16 = previewOf(Uint8Array.from([0xff, 0xfe, 0x41, 0, 0x0a, 0, 0xe9, 0]), 8);
  t.deepEqual(utf16, { lines: ['A', 'é'], note: 'UTF-16LE' });
});

test('a character cut by the limit is left out rather than shown broken', (t) => {
  const cut = previewOf(Buffer.from('aé').subarray(0, 2), 100);
  t.deepEqual(cut.lines, ['a']);
  t.regex(cut.note, /the first 2 B of 100 B/);
  t.deepEqual(
    previewOf(Buffer.from('aé').subarray(0, 2), 2).lines,
    ['a\\xc3'],
    'at the end of the file it is what it is',
  );
});

test('a large file costs the first KiB only', async (t) => {
  const big = fakeImage({ 'big.txt': text('line\n'.repeat(100_000)) });
  const driver = await (await new Driver(big.image).settle()).goto('p1:/big.txt');
  driver.press('show-text');
  await driver.settle();
  const { lines, note } = driver.state.text.content!;
  t.is(lines.length, Math.ceil(PREVIEW_BYTES / 5));
  t.regex(note, /the first 64 KiB of 488\.3 KiB/);
});

function target(device: RecordingDevice): HexTarget {
  return { device, segments: async (range) => [{ ...range, diskStart: range.start, note: '' }] };
}

test('a fault at any request costs the sectors it hits, and no more', async (t) => {
  const bytes = Uint8Array.from({ length: 4096 }, (_, index) => index % 251);
  // Request 0 is the whole window; when it fails, the sectors are read one by one.
  for (let sector = 0; sector < 4; sector++) {
    const device = new FaultyDevice(new MemoryDevice(bytes), 0);
    const broken = new (class extends RecordingDevice {
      override async readInto(into: Uint8Array, offset: number): Promise<void> {
        const hit = offset <= sector * 512 + 100 && offset + into.length > sector * 512 + 100;
        return hit
          ? device.readInto(into, offset).then(() => Promise.reject(new Error('bad sector')))
          : super.readInto(into, offset);
      }
    })(new MemoryDevice(bytes));
    const window = await loadHexWindow(target(broken), { start: 100, length: 1900 }, signal);
    const start = Math.max(100, sector * 512);
    t.deepEqual(window.bad, [{ start, length: Math.min(2000, (sector + 1) * 512) - start }]);
    t.truthy(window.error);
    for (let at = 100; at < 2000; at++)
      if (at < window.bad[0]!.start || at >= window.bad[0]!.start + window.bad[0]!.length)
        t.is(window.bytes[at - 100], bytes[at]!);
  }
});

test('a window is cut to the thing in view', async (t) => {
  const device = new RecordingDevice(new MemoryDevice(new Uint8Array(1000)));
  const window = await loadHexWindow(target(device), { start: 900, length: 500 }, signal);
  t.is(window.bytes.length, 100);
  t.is((await loadHexWindow(target(device), { start: 5000, length: 10 }, signal)).bytes.length, 0);
});

test('an aborted window is no answer', async (t) => {
  const controller = new AbortController();
  controller.abort();
  const failing: HexTarget = { ...target(new FaultyDevice(new MemoryDevice(new Uint8Array(512)), 0)) };
  await t.throwsAsync(loadHexWindow(failing, { start: 0, length: 10 }, controller.signal), { name: 'AbortError' });
});

test('where the bytes of a file lie on the disk is known', async (t) => {
  const driver = await (await new Driver(image).settle()).goto('p1:/file');
  const opened = await openHexTarget(driver.state.subject.item, signal);
  const [segment] = await opened!.segments({ start: 2, length: 3 }, signal);
  t.deepEqual(segment, { start: 2, length: 3, diskStart: 1024 * 1024 + 64 * 1024 + 2, note: '' });
  const disk = await loadHexWindow(
    { device: new RangeView(image.disk, { start: segment!.diskStart!, length: 3 }), segments: async () => [] },
    { start: 0, length: 3 },
    signal,
  );
  t.is(Buffer.from(disk.bytes).toString(), 'nte');
});

test('the details of every kind of row are printable and say what it is', async (t) => {
  const driver = await (await new Driver(image).settle()).goto('p1:/file');
  const titles: string[] = [];
  for (const { item } of driver.state.tree.rows) {
    const { sections } = await loadDetails(item, signal);
    titles.push(sections[0]?.title ?? '');
    for (const [label, value] of sections.flatMap(({ facts }) => facts))
      t.notRegex(label + value, /[\x00-\x1f\x7f-\x9f]/);
  }
  t.deepEqual(titles, [
    'Disk image',
    'GPT partition table',
    'Partition table structure',
    'Partition table structure',
    'Unallocated',
    'Partition',
    'ext4 filesystem',
    'File',
    'Symlink',
    'Recoverable files',
    'Partition',
    'Partition',
    'Unallocated',
  ]);
});

test('the details of a file: size, mode, owner, times to the nanosecond, extents with their place', async (t) => {
  const driver = await (await new Driver(image).settle()).goto('p1:/file');
  const facts = new Map(
    (await loadDetails(driver.state.subject.item, signal)).sections.flatMap((section) => section.facts),
  );
  t.is(facts.get('size'), '7 bytes');
  t.is(facts.get('mode'), '-rw-r--r-- (0644)');
  t.is(facts.get('owner'), 'uid 1000, gid 1000');
  t.is(facts.get('modified'), '2023-11-14 22:13:20.123456789 UTC');
  t.is(facts.get('locator'), 'p1:/file');
  t.is(facts.get('0x0'), '7 B at disk 0x110000 (LBA 2176)');
});
