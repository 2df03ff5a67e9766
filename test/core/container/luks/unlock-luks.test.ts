import test, { type ExecutionContext } from 'ava';
import { LUKS_HEADER_BYTES, luksHeader, luksKeySlot } from '../../../../src/core/container/luks/luks-header.ts';
import { unlockLuks } from '../../../../src/core/container/luks/unlock-luks.ts';
import { DiskError, type DiskErrorCode, MemoryDevice } from '../../../../src/core/index.ts';
import { CountingDevice, FaultyDevice, isInjectedFault } from '../../../helpers/devices.ts';
import { buildLuks, encryptSector, type LuksRecipe } from './luks-builder.ts';

const ORIGIN = 65536;
const usual: LuksRecipe = { mode: 'xts-plain64', hash: 'sha256', keyBytes: 64, passphrase: 'swordfish' };
const built = buildLuks(usual).bytes;

/** A file in which the header does not stand at the beginning. */
function fileWith(bytes: Uint8Array): MemoryDevice {
  const file = new Uint8Array(ORIGIN + bytes.length);
  file.set(bytes, ORIGIN);
  return new MemoryDevice(file);
}

function unlock(bytes: Uint8Array, passphrase = 'swordfish') {
  return unlockLuks(fileWith(bytes), ORIGIN, bytes.length, Buffer.from(passphrase));
}

async function refusal(t: ExecutionContext, bytes: Uint8Array, code: DiskErrorCode): Promise<DiskError> {
  const error = await t.throwsAsync(unlock(bytes), { instanceOf: DiskError });
  t.is(error?.code, code);
  t.is(error?.layer, 'luks');
  t.truthy(error?.expected);
  return error!;
}

const recipes: LuksRecipe[] = [
  usual,
  { ...usual, keyBytes: 32, hash: 'sha1', iterations: 1000, slot: 7 },
  { ...usual, mode: 'cbc-essiv:sha256', keyBytes: 32, hash: 'sha512', stripes: 1 },
  { ...usual, mode: 'cbc-essiv:md5', keyBytes: 16, hash: 'ripemd160' },
  { ...usual, mode: 'cbc-plain', keyBytes: 24, hash: 'sha224', stripes: 4000 },
  { ...usual, mode: 'cbc-plain64', keyBytes: 16, hash: 'sha384', slot: 3 },
  { ...usual, mode: 'ecb', keyBytes: 32, hash: 'sha1' },
  { ...usual, passphrase: '', hash: 'sha512' },
  { ...usual, passphrase: 'Paßwort '.repeat(50) },
];

for (const recipe of recipes) {
  const { mode, hash, keyBytes, slot = 0, passphrase } = recipe;
  test(`${mode}, ${keyBytes * 8} bits, ${hash}, slot ${slot}, a passphrase of ${passphrase.length}: opens and decrypts`, async (t) => {
    const { bytes, masterKey } = buildLuks(recipe);
    const { cipher, description } = await unlock(bytes, passphrase);
    t.is(description, `aes-${mode} with a key of ${keyBytes * 8} bits`);
    for (const first of [0, 1, 2 ** 32 - 2, 2 ** 33 + 5]) {
      const plain = Uint8Array.from({ length: 4 * 512 }, (_, index) => index % 251);
      const sectors = [0, 1, 2, 3].map((sector) =>
        encryptSector(mode, masterKey, first + sector, plain.subarray(sector * 512, sector * 512 + 512)),
      );
      const bytesThere = new Uint8Array(Buffer.concat(sectors));
      cipher.decrypt(bytesThere, first);
      t.is(Buffer.compare(bytesThere, plain), 0, `sector ${first}`);
    }
    const error = await t.throwsAsync(unlock(bytes, `${passphrase}x`), { instanceOf: DiskError });
    t.is(error?.code, 'DENIED');
    t.is(error?.found, 'one that opens none of the 1 in use');
  });
}

const text = (value: string, length = 32): Uint8Array => {
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(value));
  return bytes;
};

const headerFaults: readonly [Parameters<typeof luksHeader.write>[1], DiskErrorCode][] = [
  [{ magic: text('LUKS', 6) }, 'CORRUPT'],
  [{ version: 0 }, 'UNSUPPORTED'],
  [{ version: 2 }, 'UNSUPPORTED'],
  [{ cipherName: text('serpent') }, 'UNSUPPORTED'],
  [{ cipherName: text('\x1b[31m') }, 'UNSUPPORTED'],
  [{ cipherMode: text('xts') }, 'UNSUPPORTED'],
  [{ cipherMode: text('xts-random') }, 'UNSUPPORTED'],
  [{ cipherMode: text('ctr-plain64') }, 'UNSUPPORTED'],
  [{ cipherMode: text('wrap-plain64') }, 'UNSUPPORTED'],
  [{ cipherMode: text('cbc-essiv:sha1'), keyBytes: 32 }, 'UNSUPPORTED'],
  [{ cipherMode: text('cbc-essiv:nothing'), keyBytes: 32 }, 'UNSUPPORTED'],
  [{ hashSpecification: text('whirlpool') }, 'UNSUPPORTED'],
  [{ hashSpecification: text('shake128') }, 'UNSUPPORTED'],
  [{ hashSpecification: text('') }, 'UNSUPPORTED'],
  [{ keyBytes: 0 }, 'CORRUPT'],
  [{ keyBytes: 65 }, 'CORRUPT'],
  [{ keyBytes: 0xffffffff }, 'CORRUPT'],
  [{ keyBytes: 48 }, 'UNSUPPORTED'],
  [{ keyBytes: 1 }, 'UNSUPPORTED'],
  [{ masterKeyDigestIterations: 0 }, 'CORRUPT'],
  [{ masterKeyDigestIterations: 0xffffffff }, 'UNSUPPORTED'],
  [{ masterKeyDigestIterations: 50_000_000 }, 'UNSUPPORTED'],
  [{ masterKeyDigest: new Uint8Array(20) }, 'DENIED'],
  [{ masterKeyDigestSalt: new Uint8Array(32) }, 'DENIED'],
];

for (const [values, code] of headerFaults) {
  const [[field, value]] = Object.entries(values) as [[keyof typeof luksHeader.fields, unknown]];
  const shown = value instanceof Uint8Array ? JSON.stringify(Buffer.from(value).toString().replace(/\0+$/, '')) : value;
  test(`header ${field} = ${shown} is ${code}`, async (t) => {
    const bytes = built.slice();
    luksHeader.write(bytes, values);
    const error = await refusal(t, bytes, code);
    if (code === 'CORRUPT') t.is(error.offset, ORIGIN + luksHeader.fields[field].offset);
    t.notRegex(error.message, /\p{Cc}/u);
  });
}

for (const [values, code] of [
  [{ iterations: 0 }, 'CORRUPT'],
  [{ iterations: 0xffffffff }, 'UNSUPPORTED'],
  [{ stripes: 0 }, 'CORRUPT'],
  [{ stripes: 16_001 }, 'CORRUPT'],
  [{ stripes: 9 }, 'CORRUPT'],
  [{ keyMaterialSector: 9 }, 'CORRUPT'],
  [{ keyMaterialSector: 0xffffffff }, 'CORRUPT'],
  [{ active: 0xdead }, 'DENIED'],
  [{ active: 1 }, 'DENIED'],
  [{ salt: new Uint8Array(32) }, 'DENIED'],
] as readonly [Parameters<typeof luksKeySlot.write>[1], DiskErrorCode][]) {
  test(`key slot ${Object.keys(values)[0]} = ${Object.values(values)[0]} is ${code}`, async (t) => {
    const bytes = built.slice();
    luksKeySlot.write(bytes, values, luksHeader.size);
    await refusal(t, bytes, code);
  });
}

test('iterations are limited over all slots together', async (t) => {
  const bytes = built.slice();
  const slot = luksKeySlot.parse(bytes, luksHeader.size);
  for (let number = 1; number < 8; number++)
    luksKeySlot.write(bytes, { ...slot, iterations: 15_000_000 }, luksHeader.size + number * luksKeySlot.size);
  const error = await refusal(t, bytes, 'UNSUPPORTED');
  t.regex(error.expected ?? '', /at most 100000000 iterations/);
});

test('every truncation is CORRUPT', async (t) => {
  for (const length of [0, 1, 6, 207, 208, 591, 592, 4096, built.length - 1])
    await refusal(t, built.slice(0, length), 'CORRUPT');
});

test('damage at any byte gives the key or a DiskError, in bounded reads', async (t) => {
  // Cheap iterations made dear cost time, not memory, up to their limit: their upper bytes have tests of their own.
  const dear = (at: number) =>
    [luksHeader.fields.masterKeyDigestIterations.offset, luksHeader.size + luksKeySlot.fields.iterations.offset].some(
      (offset) => at >= offset && at < offset + 2,
    );
  let opened = 0;
  for (let at = 0; at < built.length; at++) {
    if (at === LUKS_HEADER_BYTES) at = 4096;
    if (dear(at)) continue;
    const bytes = built.slice();
    bytes[at] = 255 - bytes[at]!;
    const device = new CountingDevice(fileWith(bytes));
    try {
      await unlockLuks(device, ORIGIN, bytes.length, Buffer.from('swordfish'));
      opened++;
    } catch (error) {
      if (!(error instanceof DiskError)) t.fail(`byte ${at}: ${(error as Error).stack}`);
    }
    t.true(device.requestCount <= 9 && device.bytesRead < 100_000);
  }
  // The UUID, the payload's place, the slots that are not in use, and what follows the stripes in their last sector.
  t.true(opened > 300 && opened < 1000, `${opened} opened`);
});

test('a fault of the device comes through', async (t) => {
  for (let failAt = 0; failAt < 2; failAt++) {
    const device = new FaultyDevice(fileWith(built), failAt);
    const opening = unlockLuks(device, ORIGIN, built.length, Buffer.from('swordfish'));
    t.true(isInjectedFault(await t.throwsAsync(opening, { any: true })));
  }
});
