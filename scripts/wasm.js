// Compiles src/core/search/scan.wat and puts what comes out into scan-code.ts: `npm run wasm` after a change of it.
import { readFileSync, writeFileSync } from 'node:fs';
import loadWabt from 'wabt';

const source = 'src/core/search/scan.wat';
const wabt = await loadWabt();
const { buffer } = wabt.parseWat(source, readFileSync(source, 'utf8'), { threads: true, simd: true }).toBinary({});
const lines = Buffer.from(buffer)
  .toString('base64')
  .match(/.{1,110}/g);
writeFileSync(
  'src/core/search/scan-code.ts',
  `/** scan.wat compiled, in base64; made by \`npm run wasm\`. */
export const SCAN_CODE: string = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('');
`,
);
