import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { sectorscope } from '../helpers/cli.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

const DAMAGES: readonly (readonly [string, number, Buffer])[] = [
  ['zeros', 0, Buffer.alloc(512)],
  ['other bytes', 0, Buffer.alloc(512, 'not a boot sector ')],
  ['no size of a FAT', 36, Buffer.alloc(4)],
];

for (const sectorSize of [512, 4096])
  test(`a FAT32 whose boot sector is damaged is read by its copy: sectors of ${sectorSize}`, async (t) => {
    if (!hasTools(t, 'mkfs.fat', 'mcopy', 'fls')) return;
    const folder = temporaryFolder(t);
    const image = path.join(folder, 'image');
    const source = path.join(folder, 'source');
    writeFileSync(source, 'content');
    const kibibytes = String((70_000 * sectorSize) / 1024);
    await tool('mkfs.fat', ['-F', '32', '-S', String(sectorSize), '-s', '1', '-n', 'COPIED', '-C', image, kibibytes]);
    await tool('mcopy', ['-i', image, source, '::/A long name.txt']);
    const sound = (await sectorscope(['ls', '-l', image])).stdout.toString();
    t.regex(sound, /A long name\.txt/);
    for (const [name, offset, bytes] of DAMAGES) {
      const file = openSync(image, 'r+');
      writeSync(file, bytes, 0, bytes.length, offset);
      closeSync(file);
      const listed = await sectorscope(['ls', '-l', image]);
      t.is(listed.stdout.toString(), sound, name);
      const copy = (6 * sectorSize).toString(16);
      t.regex(listed.stderr, new RegExp(`boot sector .*it is damaged .*its copy at offset 0x${copy} is used`), name);
      t.is((await sectorscope(['cat', image, ':/A long name.txt'])).stdout.toString(), 'content');
      t.regex((await sectorscope(['info', image])).stdout.toString(), /COPIED/);
      // fsck.fat does not go on without a boot sector.
      const check = await sectorscope(['check', image]);
      t.is(check.code, 1);
      t.regex(check.stdout.toString(), /error: boot sector at offset 0x0: it is damaged: its copy/);
      t.regex(check.stdout.toString(), /not consistent: 1 error$/m);
      // It looks for the copy of sectors of 512 bytes alone.
      if (name === 'zeros' && sectorSize === 512)
        t.regex(await toolText('fls', ['-f', 'fat32', image]), /A long name\.txt/);
    }
  });

test('the copy of a boot sector that an ext filesystem was made over is not used', async (t) => {
  if (!hasTools(t, 'mkfs.fat', 'mke2fs')) return;
  const image = path.join(temporaryFolder(t), 'image');
  await tool('mkfs.fat', ['-F', '32', '-s', '1', '-C', image, '35000']);
  await tool('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', image]);
  const file = openSync(image, 'r+');
  // Its superblock is gone, and no copy is where it would be looked for.
  writeSync(file, Buffer.alloc(1024), 0, 1024, 1024);
  closeSync(file);
  const { stdout, stderr } = await sectorscope(['ls', image]);
  t.notRegex(stdout.toString() + stderr, /fat/);
});
