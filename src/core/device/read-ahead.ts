/**
 * What `work` makes of each item, in the order of the items, up to `limit` of them worked on at once. The first failure in
 * that order is thrown; nothing is left running when the iteration ends, however it ends.
 */
export async function* readAhead<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void> {
  const pending: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      const running = work(item);
      // Awaited in its turn; until then a failure must not count as unhandled.
      running.catch(() => undefined);
      pending.push(running);
      if (pending.length < limit) continue;
      const result = await pending[0]!;
      pending.shift();
      yield result;
    }
    while (pending.length > 0) {
      const result = await pending[0]!;
      pending.shift();
      yield result;
    }
  } finally {
    await Promise.allSettled(pending);
  }
}
