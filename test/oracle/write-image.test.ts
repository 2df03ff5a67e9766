import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { createImage, openImage, openWritableImage } from '../../src/core/index.ts';
import { sha256 } from '../helpers/sha256.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const MIB = 1024 * 1024;

for (const format of ['raw', 'qcow2', 'vhdx'] as const) {
  test(`${format}: created, written, grown and written again, it is what QEMU reads, and clean`, async (t) => {
    if (!hasTools(t, 'qemu-img')) return;
    const folder = temporaryFolder(t);
    const file = path.join(folder, `disk.${format}`);
    const expected = Buffer.alloc(6 * MIB);
    const writes = [
      { offset: 1000, length: 70_000 },
      { offset: 3 * MIB - 1, length: 2 },
      { offset: 5 * MIB + 17, length: MIB - 17 },
    ];
    await createImage(file, { format, size: 4 * MIB });
    {
      await using image = await openWritableImage(file, { writable: true, format });
      for (const [index, { offset, length }] of writes.entries()) {
        if (offset + length > image.disk.size) await image.disk.resize(6 * MIB);
        const bytes = new Uint8Array(length).fill(index + 1);
        await image.disk.writeFrom(bytes, offset);
        expected.set(bytes, offset);
      }
    }
    const raw = path.join(folder, 'as-qemu-reads-it.raw');
    await tool('qemu-img', ['convert', '-f', format, '-O', 'raw', file, raw]);
    t.is(Buffer.compare(await readFile(raw), expected), 0);
    if (format !== 'raw') t.regex(await toolText('qemu-img', ['check', '-f', format, file]), /No errors were found/);
    await using reading = await openImage(file, { format });
    t.deepEqual(reading.diagnostics, []);
    await writeFile(raw, expected);
    await using plain = await openImage(raw, { format: 'raw' });
    t.is(await sha256(reading.disk), await sha256(plain.disk));
  });
}

test('a backing file is only read: what is written over it is in the new image', async (t) => {
  if (!hasTools(t, 'qemu-img')) return;
  const folder = temporaryFolder(t);
  const at = (name: string) => path.join(folder, name);
  const content = Buffer.alloc(MIB, 'backing');
  await writeFile(at('base.raw'), content);
  await createImage(at('top.qcow2'), { format: 'qcow2', backing: { name: 'base.raw', format: 'raw' } });
  {
    await using image = await openWritableImage(at('top.qcow2'), { writable: true });
    await image.disk.writeFrom(Buffer.from('above'), 100_000);
    t.true(await image.hasFile(at('base.raw')));
  }
  t.is(Buffer.compare(await readFile(at('base.raw')), content), 0);
  content.write('above', 100_000);
  await tool('qemu-img', ['convert', '-O', 'raw', at('top.qcow2'), at('out.raw')]);
  t.is(Buffer.compare(await readFile(at('out.raw')), content), 0);
  t.regex(await toolText('qemu-img', ['check', at('top.qcow2')]), /No errors were found/);
});
