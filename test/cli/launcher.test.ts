import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { launcher } from '../helpers/cli.ts';
import { projectRoot } from '../helpers/fixtures.ts';
import { temporaryFolder } from '../helpers/tools.ts';

/** A launcher with nothing built and no packages beside it, in a folder whose name has all sorts of characters. */
function bareLauncher(t: ExecutionContext): string {
  const bin = path.join(temporaryFolder(t), 'a b é%20#', 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(path.join(bin, '../package.json'), '{"type": "module"}');
  for (const name of ['sectorscope.js', 'pinned-node.js'])
    copyFileSync(path.join(path.dirname(launcher), name), path.join(bin, name));
  return path.join(bin, 'sectorscope.js');
}

/** Starts it on a Node.js that says it is of that version, and that first runs some code. */
function startAs(version: string, script: string, code = ''): { code: number | null; stderr: string } {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } }); ${code}`;
  const args = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, script, '--version'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { code: status, stderr };
}

test('the launcher runs on the versions that package.json names, and asks for one of them elsewhere', (t) => {
  const { engines } = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8'));
  t.is(engines.node, '^24.12 || >=26');
  const script = bareLauncher(t);
  for (const version of ['24.12.0', '24.13.1', '26.0.0', '27.1.0']) {
    const { code, stderr } = startAs(version, script);
    t.is(code, 70, version);
    t.regex(stderr, /not built yet/, version);
  }
  for (const version of ['20.20.2', '22.20.0', '23.11.0', '24.11.9', '25.2.0']) {
    const { code, stderr } = startAs(version, script);
    t.is(code, 70, version);
    t.regex(stderr, /^sectorscope needs Node\.js 24\.12\+ or 26\+/, version);
  }
});

test('a Node.js beside the launcher that cannot be started is told in one line', (t) => {
  const script = bareLauncher(t);
  const source = readFileSync(path.join(path.dirname(launcher), 'pinned-node.js'), 'utf8');
  const name = new RegExp(`'${process.platform}-${process.arch}': '(.*)'`).exec(source)?.[1];
  if (name === undefined) return t.pass('no Node.js is pinned for this machine');
  const bin = path.join(path.dirname(script), '../node_modules', name, 'bin');
  mkdirSync(bin, { recursive: true });
  const file = path.join(bin, 'node');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  const { code, stderr } = startAs('20.20.2', script);
  t.is(code, 70);
  t.regex(stderr, /^sectorscope: cannot start its Node\.js: .*EACCES\n$/);
  // It runs what stands there with the arguments and the exit code of the user's command.
  writeFileSync(file, '#!/bin/sh\necho "$2" >&2\nexit 5\n');
  chmodSync(file, 0o755);
  t.deepEqual(startAs('20.20.2', script), { code: 5, stderr: '--version\n' });
});

test("V8's compiled form is kept in a folder of one's own, never in that of another user", (t) => {
  if (process.getuid === undefined) return t.pass('files have no owner here');
  const script = bareLauncher(t);
  const dist = path.join(path.dirname(script), '../dist');
  mkdirSync(path.join(dist, 'bundle'), { recursive: true });
  writeFileSync(path.join(dist, 'bundle/main.js'), "process.stderr.write('started')");
  const other = `process.getuid = () => ${process.getuid() + 1}`;
  t.deepEqual(startAs('26.0.0', script, other), { code: 0, stderr: 'started' });
  t.deepEqual(readdirSync(dist), ['bundle']);
  t.deepEqual(startAs('26.0.0', script), { code: 0, stderr: 'started' });
  t.deepEqual(readdirSync(dist), ['bundle', 'compile-cache']);
});
