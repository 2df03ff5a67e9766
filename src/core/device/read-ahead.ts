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
  let failure: { readonly error: unknown } | undefined;
  // The items' own failure comes in its turn as well, after what was made of those before it.
  const givenItems = async function* (): AsyncGenerator<Item, void> {
    try {
      yield* items;
    } catch (error) {
      failure = { error };
    }
  };
  try {
    for await (const item of givenItems()) {
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
    if (failure !== undefined) throw failure.error;
  } finally {
    await Promise.allSettled(pending);
  }
}
