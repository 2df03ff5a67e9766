import test from 'ava';
import { fuzz } from './fuzz.ts';

const SEED = 20261121;
/** The short form; `npm run fuzz` is the long one. */
const RUNS = 300;

test(`damaged images give values or a DiskError, in bounded reads, time and memory (seed ${SEED})`, async (t) => {
  const { runs, refused, failures } = await fuzz({ seed: SEED, runs: RUNS });
  t.log(
    `${runs} runs with --seed ${SEED}; refused: ${[...refused].map(([code, count]) => `${count} ${code}`).join(', ')}`,
  );
  t.deepEqual(failures, []);
  t.true((refused.get('CORRUPT') ?? 0) > RUNS / 10, 'the damage does harm');
});
