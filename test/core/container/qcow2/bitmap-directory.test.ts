import test, { type ExecutionContext } from 'ava';
import {
  bitmapEntry,
  bitmapsExtension,
  readBitmapDirectory,
} from '../../../../src/core/container/qcow2/bitmap-directory.ts';
import { headerV3 } from '../../../../src/core/container/qcow2/header.ts';
import { parseHeaderExtensions } from '../../../../src/core/container/qcow2/header-extensions.ts';
import { DiskError, MemoryDevice, readBytes } from '../../../../src/core/index.ts';
import { CountingDevice } from '../../../helpers/devices.ts';
import { fixtureBytes } from '../../../helpers/fixtures.ts';
import { fixtureContext, openBytes } from './fixture-images.ts';

const image = await fixtureBytes('qcow2/bitmaps.qcow2');
const header = headerV3.parse(image);
const extension = parseHeaderExtensions(image.slice(0, 65536), header.headerLength, 65536).all.find(
  ({ type }) => type === 0x23852875,
)!;
const { directoryOffset, directorySize } = bitmapsExtension.parse(extension.data);

/** The image with other values in the extension, in its first bitmap's entry, or in the header. */
function withValues(
  extensionValues: Parameters<typeof bitmapsExtension.write>[1],
  entryValues: Parameters<typeof bitmapEntry.write>[1] = {},
  headerValues: Parameters<typeof headerV3.write>[1] = {},
): Uint8Array {
  const bytes = image.slice();
  bitmapsExtension.write(bytes, extensionValues, extension.offset);
  bitmapEntry.write(bytes, entryValues, directoryOffset);
  headerV3.write(bytes, headerValues);
  return bytes;
}

async function listing(t: ExecutionContext, bytes: Uint8Array) {
  const context = fixtureContext();
  const opened = await openBytes(bytes, context);
  t.is((await readBytes(opened, 102400, 1))[0], 0xee, 'the disk reads on, whatever became of the bitmaps');
  return {
    bitmaps: opened.properties.find(({ key }) => key === 'bitmaps')?.value as readonly string[],
    messages: context.diagnostics.map(({ message }) => message),
    places: context.diagnostics.map(({ offset }) => offset),
  };
}

test('flags and granularities are said in words; unknown flags by their number', async (t) => {
  t.deepEqual((await listing(t, image)).bitmaps, ['daily (65536 bytes a bit, auto)', 'frozen (512 bytes a bit)']);
  const odd = withValues({}, { flags: 2 ** 31 + 7, granularityBits: 63 });
  t.regex(
    (await listing(t, odd)).bitmaps[0]!,
    /^daily \(9223372036854775808 bytes a bit, in use, auto, extra data compatible, flag 31\)/,
  );
});

test('bitmaps that were not kept up to date are said to be stale', async (t) => {
  const { bitmaps, messages } = await listing(t, withValues({}, {}, { autoclearFeatures: 0n }));
  t.deepEqual(bitmaps, ['daily (65536 bytes a bit, auto, stale)', 'frozen (512 bytes a bit, stale)']);
  t.regex(messages[0] ?? '', /stale/);
});

test('the bitmaps bit without bitmaps is said', async (t) => {
  const context = fixtureContext();
  const bytes = (await fixtureBytes('qcow2/v3-64k.qcow2')).slice();
  headerV3.write(bytes, { autoclearFeatures: 1n });
  await openBytes(bytes, context);
  t.regex(context.diagnostics[0]?.message ?? '', /no bitmaps extension/);
});

test('damage is reported at its place, and the disk reads on', async (t) => {
  const at = (field: keyof typeof bitmapsExtension.fields) => extension.offset + bitmapsExtension.fields[field].offset;
  const inEntry = (field: keyof typeof bitmapEntry.fields) => directoryOffset + bitmapEntry.fields[field].offset;
  for (const [bytes, place] of [
    [withValues({ bitmapCount: 0 }), at('bitmapCount')],
    [withValues({ bitmapCount: 65536 }), at('bitmapCount')],
    [withValues({ directorySize: 2 ** 40 }), at('directorySize')],
    [withValues({ directoryOffset: 2 ** 50 }), at('directoryOffset')],
    [withValues({ directoryOffset: image.length - directorySize + 1 }), at('directoryOffset')],
    [withValues({}, { nameSize: 65535 }), inEntry('nameSize')],
    [withValues({}, { extraDataSize: 0xffffffff }), inEntry('nameSize')],
    [withValues({}, { type: 0 }), inEntry('type')],
    [withValues({}, { granularityBits: 64 }), inEntry('granularityBits')],
    [withValues({ bitmapCount: 3 }), directoryOffset + directorySize],
  ] as const) {
    const { bitmaps, messages, places } = await listing(t, bytes);
    t.deepEqual(bitmaps, []);
    t.regex(messages[0] ?? '', /the bitmaps cannot be listed/);
    t.deepEqual(places, [place]);
  }
});

test('a directory of 65535 bitmaps is read at once and listed in part', async (t) => {
  const one = Buffer.alloc(32);
  bitmapEntry.write(one, { type: 1, granularityBits: 16, nameSize: 4 });
  one.write('name', 24);
  const directory = Buffer.concat(Array(65535).fill(one));
  const bytes = new Uint8Array(Buffer.concat([image, directory]));
  bitmapsExtension.write(
    bytes,
    { bitmapCount: 65535, directorySize: directory.length, directoryOffset: image.length },
    extension.offset,
  );
  const { bitmaps } = await listing(t, bytes);
  t.is(bitmaps.at(-1), 'and 65435 more');
  t.is(bitmaps.length, 101);
});

test('damage at every byte of the directory gives a list or a DiskError, in one read', async (t) => {
  for (let at = 0; at < directorySize; at++) {
    for (const value of [0, 0xff, 0x80]) {
      const bytes = image.slice();
      bytes[directoryOffset + at] = value;
      const device = new CountingDevice(new MemoryDevice(bytes));
      try {
        t.is((await readBitmapDirectory(device, extension)).length, 2);
      } catch (error) {
        if (!(error instanceof DiskError)) t.fail(`byte ${at}: ${(error as Error).stack}`);
      }
      t.is(device.requestCount, 1);
    }
  }
});
