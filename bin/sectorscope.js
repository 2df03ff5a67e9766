#!/usr/bin/env node
// Starts Sectorscope on a Node.js that can run it: this one, or the one pinned in package.json and installed beside us.
// Must stay parsable by old versions of Node.js: no syntax newer than ES2018 before the check. Imports nothing that it does
// not need: each module of Node.js takes as long as a small command.

const [major, minor] = process.versions.node.split('.').map(Number);
// As in package.json. Node.js 22 has no AsyncDisposableStack.
const isNewEnough = major >= 26 || (major === 24 && minor >= 12);

if (isNewEnough) await start();
else {
  const [{ startOnPinnedNode }, { fileURLToPath }] = await Promise.all([
    import('./pinned-node.js'),
    import('node:url'),
  ]);
  startOnPinnedNode(fileURLToPath(import.meta.url));
}

async function start() {
  const { statSync } = process.getBuiltinModule('node:fs');
  const built = new URL('../dist/', import.meta.url);
  const timeOf = (name) => {
    const stat = statSync(new URL(name, built), { throwIfNoEntry: false });
    return stat === undefined ? 0 : stat.mtimeMs;
  };
  // The bundle, which starts in half the time; what it was made from where that was compiled since.
  const compiled = ['core', 'cli', 'tui', 'native', 'main'].map((name) => timeOf(`.${name}.tsbuildinfo`));
  const bundle = timeOf('bundle/main.js');
  if (bundle > 0 && bundle >= Math.max(...compiled)) {
    // V8's own form of it is kept beside it from the first run on, which is the build's. Not by root in a user's folder, where
    // the user could not remove it any more.
    if (process.getuid === undefined || process.getuid() === statSync(built).uid) {
      const { fileURLToPath } = process.getBuiltinModule('node:url');
      process.getBuiltinModule('node:module').enableCompileCache(fileURLToPath(new URL('compile-cache', built)));
    }
    await import(new URL('bundle/main.js', built).href);
  } else if (timeOf('src/main.js') > 0) await import(new URL('src/main.js', built).href);
  else {
    process.stderr.write('sectorscope is not built yet: run "npm ci" (or "npm run build") in the project.\n');
    process.exitCode = 70;
  }
}
