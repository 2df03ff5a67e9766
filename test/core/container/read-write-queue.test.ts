import test from 'ava';
import { ReadWriteQueue } from '../../../src/core/container/read-write-queue.ts';

/** A task that notes when it begins and ends, and ends when it is told to. */
function gate(log: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const run = async () => {
    log.push(`${name} begins`);
    await promise;
    log.push(`${name} ends`);
  };
  return { run, open: resolve };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('reads run together, a write waits for them, and later reads wait for it', async (t) => {
  const queue = new ReadWriteQueue();
  const log: string[] = [];
  const [first, second, third] = ['read 1', 'read 2', 'read 3'].map((name) => gate(log, name));
  const write = gate(log, 'write');
  const all = [queue.read(first!.run), queue.read(second!.run), queue.write(write.run), queue.read(third!.run)];
  await settle();
  t.deepEqual(log, ['read 1 begins', 'read 2 begins']);
  second!.open();
  await settle();
  t.false(log.includes('write begins'));
  first!.open();
  await settle();
  t.is(log.at(-1), 'write begins');
  third!.open();
  await settle();
  t.is(log.at(-1), 'write begins');
  write.open();
  await Promise.all(all);
  t.deepEqual(log.slice(-3), ['write ends', 'read 3 begins', 'read 3 ends']);
});

test('writes run one by one in their order, and a failed one holds up nobody', async (t) => {
  const queue = new ReadWriteQueue();
  const log: number[] = [];
  const failing = queue.write(async () => {
    throw new Error('it fails');
  });
  const others = [1, 2, 3].map((number) =>
    queue.write(async () => {
      await settle();
      log.push(number);
    }),
  );
  await t.throwsAsync(failing, { message: 'it fails' });
  await Promise.all(others);
  t.deepEqual(log, [1, 2, 3]);
  t.is(await queue.read(async () => 7), 7);
  await t.throwsAsync(
    queue.read(async () => {
      throw new Error('so does a read');
    }),
  );
  t.is(await queue.write(async () => 8), 8);
});
