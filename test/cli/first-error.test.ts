import test from 'ava';
import { firstError } from '../../src/cli/first-error.ts';
import { ioError } from '../../src/core/index.ts';

test('of an error and those of closing after it, the first is told', async (t) => {
  const first = ioError({ layer: 'file', found: 'ENOSPC' });
  const use = async (): Promise<void> => {
    await using stack = new AsyncDisposableStack();
    for (const word of ['last', 'before'])
      stack.defer(async () => {
        throw new Error(word);
      });
    throw first;
  };
  const error = await t.throwsAsync(use(), { instanceOf: SuppressedError });
  t.is(firstError(error), first);
  t.is(firstError(first), first);
});
