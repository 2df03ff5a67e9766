import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import wabt from 'wabt';
import {
  type BlockDevice,
  type BytePattern,
  type ByteRange,
  type Extent,
  hexPattern,
  type Match,
  MemoryDevice,
  Search,
  textPattern,
} from '../../../src/core/index.ts';
import { SCAN_CODE } from '../../../src/core/search/scan-code.ts';
import { CountingDevice } from '../../helpers/devices.ts';
import { projectRoot } from '../../helpers/fixtures.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

/** Bytes with the places of zeros told as extents, as a sparse disk does. */
class SparseDevice extends CountingDevice {
  readonly #zeros: readonly ByteRange[];

  constructor(bytes: Uint8Array, zeros: readonly ByteRange[]) {
    super(new MemoryDevice(bytes, 512));
    this.#zeros = zeros;
  }

  async *extents({ start, length }: ByteRange): AsyncGenerator<Extent, void> {
    let at = start;
    for (const zero of [...this.#zeros, { start: start + length, length: 0 }]) {
      if (zero.start > at)
        yield { kind: 'data', start: at, length: zero.start - at, source: this.base, sourceOffset: at };
      if (zero.length > 0) yield { kind: 'zero', ...zero, explicit: true };
      at = zero.start + zero.length;
    }
  }
}

function naive(bytes: Uint8Array, patterns: readonly BytePattern[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; at++)
    for (const { values, masks, name } of patterns)
      if (at + values.length <= bytes.length && isAt(bytes, at, values, masks)) found.push(`${at} ${name}`);
  return found;
}

/** Digit by digit where the mask leaves any free, so that it shares nothing with what it checks. */
function isAt(bytes: Uint8Array, at: number, values: Uint8Array, masks: Uint8Array): boolean {
  const bits = (byte: number): string => byte.toString(2).padStart(8, '0');
  return values.every((value, index) => {
    const [byte, mask] = [bytes[at + index]!, masks[index]!];
    if (mask === 0xff) return byte === value;
    return [...bits(mask)].every((bit, place) => bit === '0' || bits(byte)[place] === bits(value)[place]);
  });
}

async function ours(device: BlockDevice, patterns: readonly BytePattern[], pieceBytes?: number): Promise<string[]> {
  const found: Match[] = [];
  let count = 0;
  for await (const batch of new Search(patterns, pieceBytes).in(device)) {
    count += batch.count;
    for (const match of batch.matches()) found.push(match);
  }
  if (count !== found.length) throw new Error(`${count} counted, ${found.length} given`);
  return found.map(({ offset, pattern }) => `${offset} ${pattern.name}`);
}

test('every place of a pattern is found, whatever the pieces', async (t) => {
  const random = seededRandom(11);
  let hits = 0;
  for (let round = 0; round < 400; round++) {
    const letters = 1 + Math.floor(random() * 4);
    const bytes = Uint8Array.from({ length: Math.floor(random() * 600) }, () => Math.floor(random() * letters) * 0x21);
    const length = 1 + Math.floor(random() * 6);
    const digits = Array.from({ length }, (_, index) => {
      const byte = (Math.floor(random() * letters) * 0x21).toString(16).padStart(2, '0');
      return index > 0 && random() < 0.3 ? '??' : index > 0 && random() < 0.2 ? `?${byte[1]}` : byte;
    });
    const patterns = [hexPattern(digits.join(' '))];
    if (random() < 0.5) patterns.push(textPattern(random() < 0.5 ? '!' : 'B!', 'utf-8', random() < 0.5));
    const expected = naive(bytes, patterns);
    hits += expected.length;
    const piece = 1 + Math.floor(random() * 100);
    t.deepEqual(await ours(new MemoryDevice(bytes, 512), patterns, piece), expected, `round ${round}`);
  }
  t.true(hits > 10_000);
});

test('letters of ASCII in any case, in UTF-8 and UTF-16', async (t) => {
  const texts = ['Straße KÄSE', 'stRASSE', 'straße käse', '@[`{', 'ſ'];
  const bytes = Buffer.concat(texts.flatMap((text) => [Buffer.from(text), Buffer.from(`x${text}`, 'utf16le')]));
  for (const text of ['STRAße', 'k\u00c4se', '@[`{', 's', 'ß'])
    for (const ignoreCase of [true, false]) {
      const patterns = (['utf-8', 'utf-16le'] as const).map((each) => textPattern(text, each, ignoreCase));
      t.deepEqual(await ours(new MemoryDevice(bytes, 512), patterns), naive(bytes, patterns), text);
    }
  t.deepEqual(await ours(new MemoryDevice(Buffer.from('aAbB'), 512), [textPattern('AB', 'utf-8', true)]), ['1 utf-8']);
});

test('zeros are not read, and are found where the pattern has no others', async (t) => {
  const size = 700_000;
  const zeros = [
    { start: 1000, length: 200_000 },
    { start: 201_000, length: 70_000 },
    { start: 300_000, length: 100 },
    { start: 400_000, length: size - 400_000 },
  ];
  const random = seededRandom(5);
  const bytes = Uint8Array.from({ length: size }, () => Math.floor(random() * 2));
  for (const { start, length } of zeros) bytes.fill(0, start, start + length);
  for (const digits of ['01 00 00 00 00', '00 00 00 01', '00 00 ?? 00 00 00', '01 01 00 ?0 01']) {
    const device = new SparseDevice(bytes, zeros);
    t.deepEqual(await ours(device, [hexPattern(digits)], 65_536), naive(bytes, [hexPattern(digits)]), digits);
    t.true(device.bytesRead < 260_000, `${device.bytesRead} bytes read`);
  }
});

test('a run of zeros larger than any memory is counted at once', async (t) => {
  const size = 2 ** 50;
  const device: BlockDevice & { extents: () => AsyncGenerator<Extent, void> } = {
    size,
    sectorSize: 512,
    readInto: async () => t.fail('read'),
    async *extents() {
      yield { kind: 'zero', start: 0, length: size, explicit: false };
    },
    async [Symbol.asyncDispose]() {},
  };
  for await (const batch of new Search([hexPattern('0000')]).in(device)) {
    t.is(batch.count, size - 1);
    const [first] = batch.matches();
    t.is(first?.offset, 0);
  }
  for await (const _ of new Search([hexPattern('0001')]).in(device)) t.fail('found');
});

test('what lies before damage is searched, then the damage is told', async (t) => {
  const bytes = Buffer.from('needle and needle');
  const device = Object.assign(new MemoryDevice(bytes, 512), {
    async *extents(): AsyncGenerator<Extent, void> {
      yield { kind: 'data', start: 0, length: 12, source: device, sourceOffset: 0 };
      throw new Error('damaged');
    },
  });
  const found: number[] = [];
  const search = async (): Promise<void> => {
    for await (const batch of new Search([textPattern('needle', 'utf-8', false)]).in(device))
      for (const { offset } of batch.matches()) found.push(offset);
  };
  await t.throwsAsync(search, { message: 'damaged' });
  t.deepEqual(found, [0]);
});

test('an abort ends a search', async (t) => {
  const controller = new AbortController();
  const device = new MemoryDevice(new Uint8Array(10 * 1024), 512);
  const search = async (): Promise<void> => {
    const matches = new Search([hexPattern('00')], 1024).in(device, { signal: controller.signal });
    for await (const _ of matches) controller.abort();
  };
  await t.throwsAsync(search, { name: 'AbortError' });
});

test('patterns that are none are refused', (t) => {
  for (const digits of ['', '5', '55 a', 'xx', '??', '?? ??', '00'.repeat(5000)])
    t.throws(() => hexPattern(digits), { message: /search/ }, digits.slice(0, 10));
  t.throws(() => textPattern('', 'utf-8', false), { message: /at least one byte/ });
});

test('the compiled loop is that of its source', async (t) => {
  const { parseWat } = await wabt();
  const name = 'src/core/search/scan.wat';
  const source = readFileSync(path.join(projectRoot, name), 'utf8');
  const { buffer } = parseWat(name, source, { threads: true, simd: true }).toBinary({});
  t.is(Buffer.from(buffer).toString('base64'), SCAN_CODE, 'npm run wasm');
});
