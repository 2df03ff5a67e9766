import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { decodeName, unescapeText } from '../../src/core/index.ts';
import { type CliResult, sectorscope } from '../helpers/cli.ts';
import { fixtureBytes, fixtureFacts, fixtureFile, fixtureNames } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';

/** What both the facts of fat/ (`entries`) and of ext/ (`nodes`) say of a file. */
interface FileFact {
  readonly path: string;
  readonly kind: string;
  readonly size?: number;
  readonly sha256?: string;
}
interface Facts {
  readonly entries?: readonly FileFact[];
  readonly nodes?: readonly FileFact[];
}
interface Listed {
  readonly path: string;
  readonly kind: string;
  readonly size: number;
}
interface Hashed {
  readonly locator: string;
  readonly hash: string;
}

/** Files larger than this (sparse ones of many GiB) are not hashed here; the tests of each format sample them. */
const MAX_HASHED_BYTES = 64 * 1024 * 1024;

function json<Value>({ stdout }: CliResult): Value {
  return JSON.parse(stdout.toString()) as Value;
}

for (const name of [...(await fixtureNames('fat')), ...(await fixtureNames('ext'))]) {
  test(`${name}: ls -R and hash of every file agree with the independent tool, export with the image`, async (t) => {
    const folder = temporaryFolder(t);
    const image = await fixtureFile(name, folder);
    const facts = await fixtureFacts<Facts>(name);
    // The facts of ext/ hold a name's bytes as Latin-1; those of fat/ are text, without the leading slash.
    const expected = [
      ...(facts.entries ?? []).map((fact) => ({ ...fact, path: `/${fact.path}` })),
      ...(facts.nodes ?? []).map((fact) => ({ ...fact, path: decodeName(Buffer.from(fact.path, 'latin1')) })),
    ];
    t.true(expected.length > 0);

    const listed = json<Listed[]>(await sectorscope(['ls', '-R', '--json', image, ':/']));
    t.deepEqual(listed.map((entry) => entry.path).sort(), expected.map((fact) => fact.path).sort());
    const sizes = new Map(listed.map((entry) => [entry.path, entry.size]));
    for (const { path: file, kind, size } of expected) if (kind === 'file') t.is(sizes.get(file), size, file);

    const tooLarge = expected.some(({ kind, size }) => kind === 'file' && (size ?? 0) > MAX_HASHED_BYTES);
    if (!tooLarge) {
      const hashes = json<Hashed[]>(await sectorscope(['hash', '--json', image, ':/']));
      const found = new Map(hashes.map(({ locator, hash }) => [unescapeText(locator.slice(1)), hash]));
      const hashed = expected.filter(({ kind, sha256 }) => kind === 'file' && sha256 !== undefined);
      for (const { path: file, sha256 } of hashed) t.is(found.get(file), sha256, file);
      t.true(hashed.length > 0);
    }

    const out = path.join(folder, 'out.raw');
    t.is((await sectorscope(['export', image, out])).code, 0);
    t.is(sha256(readFileSync(out)), sha256(await fixtureBytes(name)));
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test('export of every qcow2 fixture is what qemu-img reads; an encrypted one is refused by name', async (t) => {
  const folder = temporaryFolder(t);
  const names = await fixtureNames('qcow2');
  // All of them first: chains need the layers beside each other.
  const files = await Promise.all(names.map((name) => fixtureFile(name, folder)));
  let read = 0;
  for (const [index, name] of names.entries()) {
    const facts = await fixtureFacts<{ readonly sha256: string; readonly passphrase?: string }>(name);
    const out = path.join(folder, `${path.basename(name)}.raw`);
    const { code, stderr } = await sectorscope(['export', files[index]!, out]);
    if (facts.passphrase !== undefined) {
      t.is(code, 4, `${name}: ${stderr}`);
      t.regex(stderr, /expected a passphrase .*found (?:AES|LUKS) encryption/, name);
      continue;
    }
    t.is(code, 0, `${name}: ${stderr}`);
    t.is(sha256(readFileSync(out)), facts.sha256, name);
    read += 1;
  }
  t.true(read >= 15);
});

test('export of every vhdx fixture is what the other tool reads', async (t) => {
  const folder = temporaryFolder(t);
  const names = await fixtureNames('vhdx');
  const files = await Promise.all(names.map((name) => fixtureFile(name, folder)));
  for (const [index, name] of names.entries()) {
    const facts = await fixtureFacts<{ readonly sha256: string }>(name);
    const out = path.join(folder, `${path.basename(name)}.raw`);
    const { code, stderr } = await sectorscope(['export', files[index]!, out]);
    t.is(code, 0, `${name}: ${stderr}`);
    t.is(sha256(readFileSync(out)), facts.sha256, name);
  }
  const pending = await sectorscope(['info', path.join(folder, 'pending-log.vhdx')]);
  t.regex(pending.stdout.toString(), /log\s+1 log entry replayed in memory/);
});
