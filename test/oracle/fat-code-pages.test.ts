import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { codePageNamed } from '../../src/core/filesystem/fat/code-page.ts';
import { openFat } from '../../src/core/filesystem/fat/fat-format.ts';
import { codePageNames, FileDevice, hasUndecodableBytes } from '../../src/core/index.ts';
import { testContext } from '../helpers/context.ts';
import { hasTools, temporaryFolder, tool, toolText } from '../helpers/tools.ts';

/** glibc does not know it. */
const NOT_IN_ICONV = new Set(['720']);
/** Characters that everybody makes for himself; the tables of iconv and of Node.js put them at different places. */
const PRIVATE_USE = /^\p{Private_Use}$/u;

test('the characters of every code page are those of iconv', async (t) => {
  if (!hasTools(t, 'iconv')) return;
  for (const name of codePageNames) {
    if (NOT_IN_ICONV.has(name)) continue;
    const page = codePageNamed(name)!;
    const isDouble = Number(name) >= 932 && Number(name) <= 950;
    const codes: Uint8Array[] = [];
    for (let lead = 0x80; lead < 0x100; lead++) {
      const single = Uint8Array.of(lead);
      if (!isDouble || !hasUndecodableBytes(page.decode(single, 0, 1))) codes.push(single);
      else
        for (let trail = 0x40; trail < 0xff; trail++) {
          const pair = Uint8Array.of(lead, trail);
          if (!hasUndecodableBytes(page.decode(pair, 0, 2))) codes.push(pair);
        }
    }
    // A line for each; -c leaves out what iconv has no character for, and the line is empty.
    const input = Buffer.concat(codes.flatMap((code) => [code, Buffer.from('\n')]));
    const lines = (await toolText('sh', ['-c', `iconv -c -f CP${name} -t UTF-8 || true`], input)).split('\n');
    const otherwise = codes.filter((code, at) => {
      const mine = page.decode(code, 0, code.length);
      const real = lines[at] ?? '';
      return real !== '' && real !== mine && !hasUndecodableBytes(mine) && !PRIVATE_USE.test(mine);
    });
    t.log(`${name}: ${codes.length} characters`);
    t.is(lines.length, codes.length + 1);
    t.deepEqual(
      otherwise.map((code) => Buffer.from(code).toString('hex')),
      [],
      name,
    );
  }
});

test('short names that mtools writes and lists in a code page are read the same', async (t) => {
  if (!hasTools(t, 'mkfs.fat', 'mcopy', 'mdir')) return;
  const folder = temporaryFolder(t);
  const empty = path.join(folder, 'empty');
  writeFileSync(empty, '');
  for (const [page, names] of [
    ['850', ['ØÅÄÖ.TXT', 'ÁÂÀ.DAT', 'ÍÎÏ']],
    ['852', ['ŁÓDŹ.TXT', 'ČEŠTÉ.DAT']],
    ['866', ['ПРИВЕТ.TXT', 'МИР.ДОК']],
    ['737', ['ΑΒΓΔ.TXT']],
  ] as const) {
    const image = path.join(folder, `${page}.img`);
    const settings = path.join(folder, `${page}.rc`);
    writeFileSync(settings, `default_codepage=${page}\n`);
    await tool('mkfs.fat', ['-C', '-F', '12', image, '1440']);
    const mtools = (command: string, ...args: string[]): Promise<string> =>
      toolText('env', [`MTOOLSRC=${settings}`, command, '-i', image, ...args]);
    for (const name of names) await mtools('mcopy', empty, `::/${name}`);
    const listed = (await mtools('mdir', '-b', '::/'))
      .trim()
      .split('\n')
      .map((line) => line.replace('::/', ''));
    t.deepEqual(listed, [...names]);
    const device = await FileDevice.open(image);
    const filesystem = await openFat(device, { ...testContext(), codePage: page });
    const mine: string[] = [];
    for await (const { name, shortName } of (await filesystem.root()).entries()) mine.push(shortName ?? name);
    t.deepEqual(mine, listed, page);
    for (const name of names) t.truthy(await (await filesystem.root()).lookup(name.toLowerCase()), name);
    await device[Symbol.asyncDispose]();
  }
});
