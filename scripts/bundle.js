// Puts the compiled program into a few files: Node.js takes longer to find a hundred modules than to run a command.
import { readFileSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const outdir = 'dist/bundle';
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
/** What every command needs; the others stay packages: React must be the same one for all who use it, koffi is native. */
const BUNDLED = ['commander', 'hexy', 'lru-cache'];

rmSync(outdir, { recursive: true, force: true });
await build({
  // The command, the library, and the threads, which are programs of their own.
  entryPoints: ['dist/src/main.js', 'dist/src/core/index.js', 'dist/src/core/codec/decode-worker.js'],
  outdir,
  // All in one folder, so that what is named beside a module is found beside the bundle.
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  minifyWhitespace: true,
  minifySyntax: true,
  external: Object.keys(dependencies).filter((name) => !BUNDLED.includes(name)),
  sourcemap: true,
  logLevel: 'warning',
});
