import test from 'ava';
import { crc16 } from '../../../src/core/bytes/crc16.ts';
import { extNameHash, type NameHashVersion } from '../../../src/core/bytes/ext-name-hash.ts';
import { hasTools, toolText } from '../../helpers/tools.ts';

/** CRC catalogue, CRC-16/ARC. */
test('CRC-16 of the check string', (t) => {
  const bytes = new TextEncoder().encode('123456789');
  t.is(crc16(bytes, 0), 0xbb3d);
  t.is(crc16(bytes.subarray(4), crc16(bytes.subarray(0, 4), 0)), 0xbb3d);
});

const names = ['a', 'lost+found', 'a-name-of-more-than-thirty-two-characters-in-all', 'x'.repeat(255), 'Größe-ÿ', '.'];
const seeds = ['00000000-0000-0000-0000-000000000000', 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'];
/** As debugfs calls them; it has no word for those that count bytes above 127 as such. */
const versions: Readonly<Record<string, NameHashVersion>> = { legacy: 'legacy', half_md4: 'half-md4', tea: 'tea' };

test('the hashes of names are those of debugfs', async (t) => {
  if (!hasTools(t, 'debugfs')) return;
  const cases = Object.entries(versions).flatMap(([word, version]) =>
    seeds.flatMap((seed) => names.map((name) => ({ word, version, seed, name }))),
  );
  const commands = cases.map(({ word, seed, name }) => `dx_hash -h ${word} -s ${seed} ${name}`);
  const said = await toolText('debugfs', ['-f', '-'], commands.join('\n'));
  const hashes = [...said.matchAll(/is (0x[0-9a-f]+) \(minor/g)].map(([, hash]) => Number(hash));
  t.is(hashes.length, cases.length);
  for (const [index, { version, seed, name }] of cases.entries()) {
    const seedBytes = Uint8Array.from(Buffer.from(seed.replaceAll('-', ''), 'hex'));
    const hash = extNameHash(new TextEncoder().encode(name), version, seedBytes, false);
    t.is(hash, hashes[index]!, `${version} ${seed} ${name}`);
  }
});

test('bytes above 127 may count as such, which only names with some of them show', (t) => {
  const seed = new Uint8Array(16);
  for (const version of Object.values(versions)) {
    const hashes = ['plain', 'Größe'].map((name) =>
      [true, false].map((unsigned) => extNameHash(new TextEncoder().encode(name), version, seed, unsigned)),
    );
    t.is(hashes[0]![0], hashes[0]![1]);
    t.not(hashes[1]![0], hashes[1]![1]);
  }
});
