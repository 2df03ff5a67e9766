// Puts the compiled program into a few files: Node.js takes longer to find a hundred modules than to run a command.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const outdir = 'dist/bundle';
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
/** What every command needs; the others stay packages: React must be the same one for all who use it, koffi is native. */
const BUNDLED = ['commander', 'hexy', 'lru-cache'];

/**
 * Modules of Node.js, each loaded when something of it is first used: as imports all of them are loaded, and every getter of
 * theirs is called, which takes as long as a command.
 */
const lazyBuiltins = {
  name: 'lazy-builtins',
  setup(bundler) {
    bundler.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'builtin' }));
    bundler.onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => {
      const builtin = process.getBuiltinModule(path);
      const load = `process.getBuiltinModule(${JSON.stringify(path)})`;
      // Some are a function with its helpers; Node.js itself has loaded those.
      if (typeof builtin === 'function') return { contents: `module.exports = ${load};` };
      return {
        contents: `let builtin;
          for (const name of ${JSON.stringify(Object.keys(builtin))})
            Object.defineProperty(exports, name, { enumerable: true, get: () => (builtin ??= ${load})[name] });`,
      };
    });
  },
};

const options = {
  outdir,
  // All in one folder, so that what is named beside a module is found beside the bundle.
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24.12',
  minify: true,
  external: Object.keys(dependencies).filter((name) => !BUNDLED.includes(name)),
  plugins: [lazyBuiltins],
  sourcemap: true,
  logLevel: 'warning',
};

rmSync(outdir, { recursive: true, force: true });
// The command and the library share what they have in common. A thread is a program of its own: what it would share with them
// would be one more file to find at every start.
await build({ ...options, entryPoints: ['dist/src/main.js', 'dist/src/core/index.js'], splitting: true });
await build({ ...options, entryPoints: ['dist/src/core/codec/decode-worker.js'] });

// The first run keeps the compiled form for all others.
rmSync('dist/compile-cache', { recursive: true, force: true });
spawnSync(process.execPath, ['bin/sectorscope.js', '--version']);
