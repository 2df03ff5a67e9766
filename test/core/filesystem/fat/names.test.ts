import test from 'ava';
import { codePageNamed } from '../../../../src/core/filesystem/fat/code-page.ts';
import { foldCase } from '../../../../src/core/filesystem/fat/fold-case.ts';
import { firstByteFromChecksum, shortNameChecksum } from '../../../../src/core/filesystem/fat/long-name-entry.ts';
import { decodeTimestamp } from '../../../../src/core/filesystem/fat/timestamp.ts';
import { deletedSlots, FatBuilder, longEntry, longSlots, shortSlot } from './fat-builder.ts';
import { opened, rootEntries } from './open-fat.ts';

/** The names, and what was said, of a root directory with those slots. */
async function listed(slots: readonly Uint8Array[], deleted = false) {
  const volume = new FatBuilder({ bits: 12, clusters: 10 });
  volume.setRoot(slots);
  const { filesystem, messages } = await opened(volume.bytes);
  const entries = await rootEntries(filesystem, deleted);
  return { names: entries.map(({ name }) => name), entries, messages: messages(), filesystem };
}

test('short names: trailing spaces, the dot, case bits, 0x05, code page 437', async (t) => {
  const { names, messages } = await listed([
    shortSlot('README  TXT'),
    shortSlot('NOEXT'),
    shortSlot('A B     C D'),
    shortSlot('LOWER   TXT', { caseBits: 0x18 }),
    shortSlot('BASE    TXT', { caseBits: 0x08 }),
    shortSlot('EXT     TXT', { caseBits: 0x10 }),
    shortSlot('\x05BC'),
    shortSlot('\x8e\x99\x9a\xe1', { caseBits: 0x08 }),
    shortSlot('\xe9\xea\x80', { caseBits: 0x08 }),
    shortSlot('           '),
  ]);
  t.deepEqual(names, [
    'README.TXT',
    'NOEXT',
    'A B.C D',
    'lower.txt',
    'base.TXT',
    'EXT.txt',
    'σBC',
    'äöüß',
    'ΘΩç',
    '        ',
  ]);
  t.deepEqual(messages, []);
});

test('every byte of code page 437 has its own character', (t) => {
  const all = codePageNamed('437')!.decode(
    Uint8Array.from({ length: 256 }, (_, byte) => byte),
    0,
    256,
  );
  t.is(new Set(all).size, 256);
  t.is(all.slice(0x20, 0x7f), String.fromCharCode(...Array.from({ length: 0x5f }, (_, at) => 0x20 + at)));
  t.is(`${all[0x81]}${all[0xe1]}${all[0xfe]}`, 'üß■');
});

for (const name of [
  'a long name.txt',
  'exactly 13 ch',
  'x'.repeat(26),
  'y'.repeat(255),
  'emoji 😀 and 𝒳.txt',
  'Ünïcödé ファイル.txt',
  'lone \ud800 surrogate',
  'trailing.dots...',
]) {
  test(`long name ${JSON.stringify(name).slice(0, 40)} (${name.length} units)`, async (t) => {
    const { entries, messages } = await listed(longEntry(name, 'LONGNA~1TXT'));
    t.deepEqual(entries, [
      { name, shortName: 'LONGNA~1.TXT', nodeId: entries[0]!.nodeId, kind: 'file', deleted: false },
    ]);
    t.deepEqual(messages, []);
  });
}

const good = (): Uint8Array[] => longEntry('a name of more than twenty-six units.txt', 'ANAMEO~1TXT');
const patched = (slot: number, at: number, value: number): Uint8Array[] =>
  good().map((bytes, index) =>
    Uint8Array.from(bytes, (byte, place) => (index === slot && place === at ? value : byte)),
  );
const orphans: Record<string, Uint8Array[]> = {
  'a wrong checksum in every part': longSlots('some other name', 'OTHER').concat(shortSlot('ANAMEO~1TXT')),
  'a wrong checksum in one part': patched(1, 13, 0),
  'a part missing at the start': good().slice(1),
  'a part missing in the middle': good().filter((_, index) => index !== 1),
  'a part missing at the end': good().filter((_, index) => index !== good().length - 2),
  'parts in ascending order': [...good().slice(0, -1).reverse(), ...good().slice(-1)],
  'ordinal 0': patched(0, 0, 0x40),
  'ordinal 21': patched(0, 0, 0x55),
  'bit 7 in an ordinal': patched(0, 0, 0xc4),
  'a deleted part in the middle': patched(1, 0, 0xe5),
  'a NUL at the start': patched(3, 1, 0),
  'a slash': patched(3, 1, 0x2f),
  'a name of ".."': longEntry('..', 'ANAMEO~1TXT'),
};
for (const [name, slots] of Object.entries(orphans)) {
  test(`a long name with ${name} is orphaned: the short name stands`, async (t) => {
    const { names, entries, messages } = await listed([...slots, shortSlot('AFTER')]);
    t.deepEqual(names, ['ANAMEO~1.TXT', 'AFTER']);
    t.is(entries[0]?.shortName, undefined);
    t.true(messages.length >= 1);
    t.regex(messages.join(), /long name/);
  });
}

test('two long names in a row: the first has no short entry', async (t) => {
  const { names, messages } = await listed([...longSlots('lost', 'LOST'), ...longEntry('found it', 'FOUNDI~1')]);
  t.deepEqual(names, ['found it']);
  t.is(messages.length, 1);
});

test('a long name at the very end of the directory is said', async (t) => {
  const { names, messages } = await listed([shortSlot('A'), ...longSlots('lost', 'LOST')]);
  t.deepEqual(names, ['A']);
  t.regex(messages.join(), /no short entry follows it/);
});

test('an orphan is said once, however often the directory is read', async (t) => {
  const { filesystem } = await listed([]);
  const volume = new FatBuilder({ bits: 12, clusters: 10 });
  volume.setRoot([...longSlots('lost', 'LOST'), shortSlot('A')]);
  const again = await opened(volume.bytes);
  for (let round = 0; round < 3; round++) await rootEntries(again.filesystem);
  t.is(again.messages().length, 1);
  t.is(filesystem.type, 'fat12');
});

test('hundreds of orphans do not flood: the rest is counted out', async (t) => {
  const slots = Array.from({ length: 400 }, () => longSlots('x', 'NONE')[0]!);
  const { messages } = await listed(slots);
  t.is(messages.length, 201);
  t.regex(messages.at(-1)!, /more than 200/);
});

test('deleted entries: hidden unless asked for, the long name restored, the short one too by its checksum', async (t) => {
  const slots = [
    ...deletedSlots(longEntry('deleted long name of two slots.txt', 'DELETE~1TXT')),
    ...deletedSlots([shortSlot('GONE    TXT')]),
    ...deletedSlots([shortSlot('LOWER   TXT', { caseBits: 0x18 })]),
    ...deletedSlots(longSlots('left over', 'OTHER').concat(longEntry('second', 'SECOND'))),
    shortSlot('LIVE'),
  ];
  t.deepEqual((await listed(slots)).names, ['LIVE']);
  const { entries, messages } = await listed(slots, true);
  t.deepEqual(
    entries.map(({ name, shortName, deleted }) => [name, shortName, deleted]),
    [
      ['deleted long name of two slots.txt', 'DELETE~1.TXT', true],
      ['_ONE.TXT', undefined, true],
      ['_ower.txt', undefined, true],
      ['second', 'SECOND', true],
      ['LIVE', undefined, false],
    ],
  );
  t.deepEqual(messages, []);
});

test('a live short name does not take the long name of a deleted one', async (t) => {
  const { names } = await listed([...deletedSlots(longSlots('was deleted', 'LIVE')), shortSlot('LIVE')]);
  t.deepEqual(names, ['LIVE']);
});

test('the checksum gives back the byte that deleting overwrote, whatever it was', (t) => {
  for (let first = 0; first < 256; first++) {
    const name = Uint8Array.from([first, 65, 66, 200, 67, 126, 49, 32, 84, 88, 84]);
    const checksum = shortNameChecksum(name);
    t.is(firstByteFromChecksum(checksum, name), first);
  }
});

test('entry 0x00 ends the directory; . and .. and labels are not listed', async (t) => {
  const { names } = await listed([
    shortSlot('.', { attributes: 0x10 }),
    shortSlot('..', { attributes: 0x10 }),
    shortSlot('LABEL', { attributes: 0x08 }),
    shortSlot('..ODD'),
    new Uint8Array(32),
    shortSlot('UNSEEN'),
  ]);
  t.deepEqual(names, ['..ODD']);
});

test('lookup: any case, long or short, the exact name first', async (t) => {
  const { filesystem } = await listed([
    ...longEntry('Straße Ünd.txt', 'STRAEU~1TXT'),
    ...longEntry('same', 'SAME~1'),
    ...longEntry('SAME', 'SAME~2'),
    ...deletedSlots([shortSlot('GONE')]),
  ]);
  const root = await filesystem.root();
  const find = async (name: string) => (await root.lookup(name))?.shortName;
  t.is(await find('straße ünd.TXT'), 'STRAEU~1.TXT');
  t.is(await find('straeu~1.txt'), 'STRAEU~1.TXT');
  t.is(await find('SAME'), 'SAME~2');
  t.is(await find('same'), 'SAME~1');
  t.is(await find('Same'), 'SAME~1');
  t.is(await find('STRASSE ÜND.TXT'), undefined);
  t.is(await root.lookup('_ONE'), undefined);
  t.is(await root.lookup(''), undefined);
});

test('folding keeps the length, so ß is not SS', (t) => {
  t.is(foldCase('straße'), 'STRAßE');
  t.is(foldCase('äöü.txt'), 'ÄÖÜ.TXT');
  t.is(foldCase('😀'), '😀');
});

test('the label is the root entry, else that of the boot sector', async (t) => {
  t.is((await listed([shortSlot('MY DISK', { attributes: 0x08 })])).filesystem.label, 'MY DISK');
  t.is((await listed([shortSlot('A')])).filesystem.label, '');
  t.is((await listed(deletedSlots([shortSlot('OLD', { attributes: 0x08 })]))).filesystem.label, '');
  const volume = new FatBuilder({ bits: 12, clusters: 10 });
  volume.bytes.set(Buffer.from('BOOTLABEL  '), 43);
  t.is((await opened(volume.bytes)).filesystem.label, 'BOOTLABEL');
});

test('timestamps: two seconds, 10 ms units, and what is no moment is undefined', (t) => {
  const date = (year: number, month: number, day: number) => (year - 1980) * 512 + month * 32 + day;
  const time = (hour: number, minute: number, second: number) => hour * 2048 + minute * 32 + second / 2;
  const utc = (...parts: [number, number, number, number, number, number]) => Date.UTC(...parts) / 1000;
  t.deepEqual(decodeTimestamp(date(2020, 2, 29), time(23, 59, 58)), {
    seconds: utc(2020, 1, 29, 23, 59, 58),
    nanoseconds: 0,
    zone: 'local',
  });
  t.deepEqual(decodeTimestamp(date(2107, 12, 31), time(0, 0, 0), 199), {
    seconds: utc(2107, 11, 31, 0, 0, 1),
    nanoseconds: 990_000_000,
    zone: 'local',
  });
  t.is(decodeTimestamp(date(2020, 1, 1), 0, 255)?.nanoseconds, 0);
  for (const bad of [0, date(2021, 2, 29), date(2020, 13, 1), date(2020, 0, 1), date(2020, 4, 31), date(2020, 1, 0)])
    t.is(decodeTimestamp(bad), undefined, String(bad));
  for (const bad of [time(24, 0, 0), time(0, 60, 0), time(0, 0, 60)])
    t.is(decodeTimestamp(date(2020, 1, 1), bad), undefined, String(bad));
});
