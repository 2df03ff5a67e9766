/** `npm run fuzz [-- --seconds N] [--seed N] [--run N] [--only NAME]`: the long form; prints its seed, and each failure as the words that play it again. */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string' },
    run: { type: 'string' },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
process.stdout.write(`fuzzing with --seed ${seed}\n`);
const report =
  values.run === undefined
    ? await fuzz({ seed, runs: Number.POSITIVE_INFINITY, timeLimit: Number(values.seconds) * 1000, only: values.only })
    : await fuzz({ seed, firstRun: Number(values.run), runs: 1, only: values.only });
for (const failure of report.failures) process.stdout.write(`${failure}\n`);
const refused = [...report.refused].map(([code, count]) => `${count} ${code}`).join(', ');
process.stdout.write(`${report.runs} runs, refused: ${refused || 'none'}; ${report.failures.length} failures\n`);
process.exitCode = report.failures.length === 0 ? 0 : 1;
