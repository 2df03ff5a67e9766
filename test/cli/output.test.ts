import test from 'ava';
import { longTable, table } from '../../src/cli/output.ts';
import { collect } from '../helpers/collect.ts';

async function* rows(count: number): AsyncGenerator<readonly string[], void> {
  for (let row = 0; row < count; row++) yield [String(row), 'x'];
}

test('a long table is that of its rows while they are few, and is handed on before the last row is known', async (t) => {
  const few = await collect(rows(120));
  t.deepEqual((await collect(longTable(rows(120), ['right']))).flat(), table(few, ['right']));
  t.deepEqual((await collect(longTable(rows(0)))).flat(), []);
  const pieces = await collect(longTable(rows(25_000), ['right']));
  t.true(pieces.length > 1);
  const lines = pieces.flat();
  t.is(lines.length, 25_000);
  t.is(lines[0], '   0  x');
  t.is(lines.at(-1), '24999  x');
});
