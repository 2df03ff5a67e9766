import test, { type ExecutionContext } from 'ava';
import { openContainer } from '../../../../src/core/container/formats.ts';
import { encryptionPointer } from '../../../../src/core/container/qcow2/encryption.ts';
import { headerV3 } from '../../../../src/core/container/qcow2/header.ts';
import {
  EXTENSION,
  extensionHead,
  parseHeaderExtensions,
} from '../../../../src/core/container/qcow2/header-extensions.ts';
import {
  type BlockDevice,
  type Container,
  type ContainerOptions,
  DiskError,
  type DiskErrorCode,
  MemoryDevice,
  type OpenContext,
  readBytes,
} from '../../../../src/core/index.ts';
import { seededRandom } from '../../../conformance/device-conformance.ts';
import { CountingDevice, FaultyDevice, isInjectedFault, RecordingDevice } from '../../../helpers/devices.ts';
import { fixtureBytes } from '../../../helpers/fixtures.ts';
import { buildLuks } from '../luks/luks-builder.ts';
import { fixtureContext, openBytes } from './fixture-images.ts';

/* Real images of qemu-img with the features that version 3 has beyond the plain ones, damaged in one place. */
const extended = await fixtureBytes('qcow2/extended-l2.qcow2');
const external = await fixtureBytes('qcow2/external.qcow2');
const luks = cheapLuks(await fixtureBytes('qcow2/luks.qcow2'));
const passphrase = 'swordfish';
const CLUSTER = 65536;

/** The LUKS fixture with another LUKS header in place of its own, which one iteration opens: its data reads as noise. */
function cheapLuks(bytes: Uint8Array): Uint8Array {
  const header = buildLuks({ mode: 'xts-plain64', hash: 'sha256', keyBytes: 64, passphrase: 'swordfish' }).bytes;
  const whole = bytes.slice();
  const { offset } = encryptionPointer.parse(extensionOf(whole, EXTENSION.encryption).data);
  whole.set(header, offset);
  return whole;
}

function extensionOf(bytes: Uint8Array, type: number) {
  const { headerLength, clusterBits } = headerV3.parse(bytes);
  const { all } = parseHeaderExtensions(bytes.subarray(0, 2 ** clusterBits), headerLength, 2 ** clusterBits);
  return all.find((extension) => extension.type === type)!;
}

/** Where the first L2 table is. */
function l2TableOf(bytes: Uint8Array): number {
  const { l1TableOffset } = headerV3.parse(bytes);
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(l1TableOffset) % 2n ** 63n);
}

function withWords(bytes: Uint8Array, offset: number, ...words: readonly bigint[]): Uint8Array {
  const changed = bytes.slice();
  for (const [index, word] of words.entries()) new DataView(changed.buffer).setBigUint64(offset + index * 8, word);
  return changed;
}

async function readError(t: ExecutionContext, container: Container, offset: number): Promise<DiskError> {
  const error = await t.throwsAsync(readBytes(container, offset, 512), { instanceOf: DiskError }, `at ${offset}`);
  t.is(error?.code, 'CORRUPT');
  return error!;
}

async function refusal(
  t: ExecutionContext,
  bytes: Uint8Array,
  code: DiskErrorCode,
  options?: ContainerOptions,
): Promise<DiskError> {
  const error = await t.throwsAsync(openBytes(bytes, fixtureContext(), options), { instanceOf: DiskError });
  t.is(error?.code, code);
  return error!;
}

test('extended L2 wants clusters of 16 KiB', async (t) => {
  for (let clusterBits = 9; clusterBits < 14; clusterBits++) {
    const bytes = extended.slice();
    headerV3.write(bytes, { clusterBits });
    const error = await refusal(t, bytes, 'CORRUPT');
    // Its extensions may not fit in so small a cluster: refused either way.
    t.regex(error.structure ?? '', /header (clusterBits|extension length|backingFileOffset)/);
  }
  const bytes = extended.slice();
  headerV3.write(bytes, { clusterBits: 13 });
  t.is((await refusal(t, bytes, 'CORRUPT')).expected, 'at least 14 with extended L2 entries');
});

test('extended L2 needs twice the L1 entries', async (t) => {
  const bytes = extended.slice();
  headerV3.write(bytes, { size: 2 ** 28 + 1, l1Size: 1 });
  t.is((await refusal(t, bytes, 'CORRUPT')).expected, `at least 2 entries for ${2 ** 28 + 1} bytes`);
  headerV3.write(bytes, { size: 2 ** 28 });
  await t.notThrowsAsync(openBytes(bytes));
});

test('extended L2 entries: each fault is CORRUPT at the entry, and shows both words; the others read on', async (t) => {
  const table = l2TableOf(extended);
  const index = 3;
  for (const words of [
    [0x8000_0000_0005_0000n, 0x0000_0001_0000_0001n],
    [0n, 1n],
    [1n, 0n],
    [0x4000_0000_0005_0000n, 1n],
    [0x5_0200n, 1n],
    [BigInt(extended.length + CLUSTER), 1n],
  ]) {
    const opened = await openBytes(withWords(extended, table + index * 16, ...words));
    const error = await readError(t, opened, index * CLUSTER + 100);
    t.is(error.structure, `L2 table entry ${index}`);
    t.is(error.offset, table + index * 16);
    t.regex(error.found ?? '', /^0x[0-9a-f]{16} 0x[0-9a-f]{16}$/);
    t.is((await readBytes(opened, index * CLUSTER - 1, 1)).length, 1);
    t.is((await readBytes(opened, 600 * 1024, 1))[0], 0x21);
  }
});

test('a file that ends inside a table of extended entries: the entry that is cut is CORRUPT', async (t) => {
  const table = l2TableOf(extended);
  // The table is moved to the end of the file, which then is cut inside its entry 2.
  const moved = new Uint8Array(1024 * 1024 + 40);
  moved.set(extended);
  moved.set(extended.subarray(table, table + 40), 1024 * 1024);
  const cut = withWords(moved, headerV3.parse(extended).l1TableOffset, 1024n * 1024n);
  const opened = await openBytes(cut);
  t.is((await readBytes(opened, 0, 2 * CLUSTER)).length, 2 * CLUSTER);
  const error = await readError(t, opened, 2 * CLUSTER);
  t.is(error.offset, 1024 * 1024 + 32);
  t.is(error.expected, 'a whole L2 table');
});

test('a data file without a name is UNSUPPORTED, one that is refused or missing refuses the image', async (t) => {
  const nameless = external.slice();
  const { offset } = extensionOf(external, EXTENSION.dataFileName);
  extensionHead.write(nameless, { type: 0x12345678 }, offset - extensionHead.size);
  const error = await refusal(t, nameless, 'UNSUPPORTED');
  t.is(error.structure, 'external data file name');
  const failure = new DiskError('DENIED', { layer: 'test' });
  const context = { ...fixtureContext(), openReference: () => Promise.reject(failure) };
  t.is(await t.throwsAsync(openBytes(external, context)), failure);
});

test('a data file name that no system takes is UNSUPPORTED before it goes anywhere', async (t) => {
  const bytes = external.slice();
  const { offset } = extensionOf(external, EXTENSION.dataFileName);
  bytes.fill(0x61, offset, offset + 4097);
  extensionHead.write(bytes, { length: 4097 }, offset - extensionHead.size);
  const error = await refusal(t, bytes, 'UNSUPPORTED');
  t.is(error.found, '4097 characters');
});

test('a data file is asked for as raw, by its name and place', async (t) => {
  const asked: unknown[] = [];
  const context = fixtureContext();
  await openBytes(external, {
    ...context,
    openReference: (reference) => {
      asked.push(reference);
      return context.openReference(reference);
    },
  });
  const { offset } = extensionOf(external, EXTENSION.dataFileName);
  t.deepEqual(asked, [{ kind: 'data file', name: 'external.raw', format: 'raw', offset }]);
});

test('entries of an image with a data file: compressed, or at another place than its own, are CORRUPT', async (t) => {
  const table = l2TableOf(external);
  for (const [index, word] of [
    [3, 0x4000_0000_0005_0000n],
    [3, 0x8000_0000_0005_0000n],
    [3, 0x8000_0000_0000_0000n],
    [1, 0x8000_0000_0000_0000n],
  ] as const) {
    const opened = await openBytes(withWords(external, table + index * 8, word));
    const error = await readError(t, opened, index * CLUSTER);
    t.is(error.offset, table + index * 8);
    t.is((await readBytes(opened, 0, 1))[0], 0x12);
  }
});

test('a data file that is cut: its last cluster is filled up and said, the lost ones are CORRUPT', async (t) => {
  const context = fixtureContext();
  const data = await fixtureBytes('qcow2/external.raw');
  const opened = await openBytes(external, {
    ...context,
    openReference: async () => new MemoryDevice(data.slice(0, CLUSTER + 100)),
  });
  t.deepEqual([...(await readBytes(opened, CLUSTER + 98, 4))], [0x12, 0x12, 0, 0]);
  t.regex(context.diagnostics[0]?.message ?? '', /ends inside a data cluster/);
  await readError(t, opened, 500 * 1024);
});

test('the raw bit of a data file: with a backing file or without a data file it is said', async (t) => {
  for (const [bytes, message] of [
    [await fixtureBytes('qcow2/v3-64k.qcow2'), /there is no data file/],
    [await fixtureBytes('qcow2/chain-top.qcow2'), /there is no data file/],
    [external, undefined],
  ] as const) {
    const context = fixtureContext();
    const changed = bytes.slice();
    headerV3.write(changed, { autoclearFeatures: 2n });
    const opened = await openBytes(changed, context);
    if (message === undefined) t.deepEqual(context.diagnostics, []);
    else t.regex(context.diagnostics[0]?.message ?? '', message);
    const isRaw = opened.properties.find(({ key }) => key === 'dataFileIsRaw')?.value;
    t.is(isRaw, message === undefined ? true : null);
  }
});

test('an encryption header pointer that is missing, short, odd or leads out of the file is CORRUPT', async (t) => {
  const { offset } = extensionOf(luks, EXTENSION.encryption);
  const changed = (change: (bytes: Uint8Array) => void) => {
    const bytes = luks.slice();
    change(bytes);
    return bytes;
  };
  const pointing = (values: Parameters<typeof encryptionPointer.write>[1]) =>
    changed((bytes) => encryptionPointer.write(bytes, values, offset));
  for (const bytes of [
    changed((copy) => extensionHead.write(copy, { type: 0x12345678 }, offset - 8)),
    changed((copy) => extensionHead.write(copy, { length: 8 }, offset - 8)),
    pointing({ offset: 4097 }),
    pointing({ offset: 2 ** 50 - 4096 }),
    pointing({ length: 591 }),
    pointing({ length: 4096 }),
    pointing({ offset: 0 }),
  ]) {
    await refusal(t, bytes, 'CORRUPT', { passphrase });
    await refusal(t, bytes, 'UNSUPPORTED', {});
  }
  await t.notThrowsAsync(openBytes(luks, fixtureContext(), { passphrase }));
});

test('unknown header extensions are listed', async (t) => {
  const bytes = external.slice();
  const { headerLength } = headerV3.parse(bytes);
  headerV3.write(bytes, { incompatibleFeatures: 0n, l1Size: 1 });
  bytes.fill(0, headerLength, CLUSTER);
  extensionHead.write(bytes, { type: 0x12345678, length: 5 }, headerLength);
  extensionHead.write(bytes, { type: 0xabc, length: 0 }, headerLength + 16);
  const { properties } = await openBytes(bytes);
  const value = properties.find(({ key }) => key === 'otherHeaderExtensions')?.value;
  t.deepEqual(value, ['0x12345678 (5 bytes)', '0x00000abc (0 bytes)']);
});

interface DamageCase {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly options?: ContainerOptions;
  /** Where damage goes: ranges of the file, by start and end. */
  readonly places: readonly (readonly [number, number])[];
}

const cases: DamageCase[] = [
  { name: 'extended L2', bytes: extended, places: [[72, 112], tablePlace(extended, 16 * 16)] },
  { name: 'data file', bytes: external, places: [[72, 112], extensionsPlace(external), tablePlace(external, 16 * 8)] },
  {
    name: 'LUKS',
    bytes: luks,
    options: { passphrase },
    places: [[32, 36], extensionsPlace(luks), tablePlace(luks, 64)],
  },
];

function tablePlace(bytes: Uint8Array, length: number): readonly [number, number] {
  return [l2TableOf(bytes), l2TableOf(bytes) + length];
}

/** The header extensions up to the feature names, which are only read to be told. */
function extensionsPlace(bytes: Uint8Array): readonly [number, number] {
  const { headerLength } = headerV3.parse(bytes);
  return [headerLength, headerLength + 64];
}

/** The fixtures' context, in which a name that was damaged leads to nothing. */
function forgivingContext(): OpenContext {
  const context = fixtureContext();
  return {
    ...context,
    openReference: (reference) =>
      reference.name === 'external.raw'
        ? context.openReference(reference)
        : Promise.reject(new DiskError('NOT_FOUND', { layer: 'test', structure: reference.name })),
  };
}

/** Opens and reads as far as it goes: a value or a DiskError, whatever is wrong. Returns whether it was refused. */
async function isRefused(
  t: ExecutionContext,
  device: BlockDevice,
  options: ContainerOptions | undefined,
  what: string,
): Promise<boolean> {
  try {
    const opened = await openContainer(device, forgivingContext(), undefined, options);
    await readBytes(opened, 0, Math.min(opened.size, 1024 * 1024));
    return false;
  } catch (error) {
    if (!(error instanceof DiskError)) t.fail(`${what}: ${(error as Error).stack}`);
    return true;
  }
}

for (const { name, bytes, options, places } of cases) {
  test(`${name}: damage at every byte of the new structures gives bytes or a DiskError, in bounded requests`, async (t) => {
    let refused = 0;
    let tried = 0;
    for (const [start, end] of places) {
      for (let at = start; at < end; at++) {
        for (const value of [255 - bytes[at]!, (bytes[at]! + 1) % 256]) {
          const damaged = bytes.slice();
          damaged[at] = value;
          const device = new CountingDevice(new MemoryDevice(damaged));
          tried++;
          if (await isRefused(t, device, options, `${at} = ${value}`)) refused++;
          if (device.requestCount > 200 || device.bytesRead > 8 * 1024 * 1024)
            t.fail(`${at} = ${value}: ${device.requestCount} requests, ${device.bytesRead} bytes`);
        }
      }
    }
    t.true(refused > 20 && refused < tried, `${refused} of ${tried} refused`);
  });

  test(`${name}: damage at random places gives bytes or a DiskError`, async (t) => {
    const random = seededRandom(name.length);
    let refused = 0;
    for (let round = 0; round < 100; round++) {
      const damaged = bytes.slice(0, random() < 0.2 ? Math.floor(4 + random() * bytes.length) : bytes.length);
      for (let blow = 0; blow < 1 + random() * 4; blow++) {
        const [start, end] = places[Math.floor(random() * places.length)]!;
        const at = Math.floor(start + random() * (end - start));
        if (at < damaged.length) damaged[at] = random() * 256;
      }
      if (await isRefused(t, new MemoryDevice(damaged), options, `round ${round}`)) refused++;
    }
    t.true(refused > 20 && refused < 100, `${refused} of 100 refused`);
  });

  test(`${name}: a fault at any request comes through, and the next reader is served`, async (t) => {
    const counting = new RecordingDevice(new MemoryDevice(bytes));
    const open = (device: BlockDevice) => openContainer(device, fixtureContext(), undefined, options);
    const size = 256 * 1024;
    const expected = await readBytes(await open(counting), 0, size);
    t.true(counting.requests.length >= 4);
    for (let failAt = 0; failAt < counting.requests.length; failAt++) {
      const faulty = new FaultyDevice(new MemoryDevice(bytes), failAt);
      let opened: Container | undefined;
      const attempt = async () => {
        opened = await open(faulty);
        await readBytes(opened, 0, size);
      };
      t.true(isInjectedFault(await t.throwsAsync(attempt(), { any: true }, `request ${failAt}`)), `request ${failAt}`);
      if (opened === undefined) continue;
      faulty.requests.push({ kind: 'read', offset: 0, length: 0 });
      t.is(Buffer.compare(await readBytes(opened, 0, size), expected), 0, `after request ${failAt}`);
    }
  });
}
