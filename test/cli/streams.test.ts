import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { demoImage, launcher, sectorscope } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/tools.ts';

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** Runs the command with descriptors of the caller's; 'pipe' is one that nobody reads. */
function ended(args: readonly string[], input: number | 'ignore', output: number | 'pipe', stop?: NodeJS.Signals) {
  return new Promise<Ended>((resolve) => {
    const child = spawn(process.execPath, [launcher, ...args], { stdio: [input, output, 'pipe'] });
    let stderr = '';
    // What a process wrote last may come after the news that it has ended.
    const told = new Promise((end) => child.stderr?.on('close', end));
    child.stderr?.on('data', (chunk) => {
      stderr += String(chunk);
    });
    // Readable means that the command has written; what it writes then fills the pipe.
    if (stop !== undefined) child.stdout?.once('readable', () => setTimeout(() => child.kill(stop), 100));
    child.on('exit', (code) => void told.then(() => resolve({ code, stderr })));
  });
}

test('an interrupt ends a command whose reader does not read', async (t) => {
  const image = path.join(temporaryFolder(t), 'disk.raw');
  writeFileSync(image, '');
  truncateSync(image, 64 * 1024 * 1024);
  for (const args of [
    ['hex', image, '--length', 'all'],
    ['export', image, '-'],
  ]) {
    const { code, stderr } = await ended(args, 'ignore', 'pipe', 'SIGINT');
    t.is(code, 130, args.join(' '));
    t.regex(stderr, /interrupted/);
  }
});

test('a terminal that goes away leaves no half-written file', async (t) => {
  const folder = temporaryFolder(t);
  const { code } = await sectorscope(['export', '-', path.join(folder, 'out.raw')], {
    input: { open: new Uint8Array(1024 * 1024) },
    env: { TMPDIR: folder },
    onStart: (child) => {
      const timer = setInterval(() => {
        if (readdirSync(folder).length > 0) child.kill('SIGHUP');
      }, 5);
      child.on('exit', () => clearInterval(timer));
    },
  });
  t.is(code, 130);
  t.deepEqual(readdirSync(folder), []);
});

test('standard output and a spool that cannot be written are I/O errors, not ours', async (t) => {
  if (existsSync('/dev/full')) {
    const full = openSync('/dev/full', 'w');
    t.teardown(() => closeSync(full));
    for (const args of [
      ['ls', '-R', demoImage],
      ['cat', demoImage, 'p1'],
      ['info', '--json', demoImage],
      ['--help'],
      ['map', '--help'],
      ['--version'],
    ]) {
      const { code, stderr } = await ended(args, 'ignore', full);
      t.is(code, 8, args.join(' '));
      t.regex(stderr, /standard output: found no space left \(ENOSPC\)/);
    }
  }
  const missing = path.join(temporaryFolder(t), 'missing');
  const { code, stderr } = await sectorscope(['info', '-'], {
    input: readFileSync(demoImage),
    env: { TMPDIR: missing },
  });
  t.is(code, 5, stderr);
});

test('standard input has a sector size, a name, and is no directory', async (t) => {
  const folder = openSync(path.dirname(demoImage), 'r');
  t.teardown(() => closeSync(folder));
  t.is((await ended(['info', '-'], folder, 'pipe')).code, 4);
  const input = new Uint8Array(8192);
  const hex = await sectorscope(['hex', '-', '--sector-size', '4096', '--offset', '1s', '--length', '1'], { input });
  t.regex(hex.stdout.toString(), /^00001000 /);
  const info = await sectorscope(['info', '-', '--json'], { input });
  t.like(JSON.parse(info.stdout.toString()), { path: 'standard input' });
});
