import test from 'ava';
import { DiskError, type PartitionTable } from '../../../src/core/index.ts';
import { openPartitionTable } from '../../../src/core/partition/formats.ts';
import { testContext } from '../../helpers/context.ts';
import { fixtureDevice, fixtureFacts, fixtureNames } from '../../helpers/fixtures.ts';
import { compareWithFacts, type SfdiskTable } from './sfdisk-facts.ts';

/** What each fixture shows besides its partitions: the scheme and diagnostics, or the error. */
const EXPECTED: Readonly<
  Record<string, { scheme: PartitionTable['scheme']; messages: readonly RegExp[] } | { error: RegExp }>
> = {
  'gpt.img': { scheme: 'gpt', messages: [] },
  'gpt-4k.img': { scheme: 'gpt', messages: [/sectors of 4096 bytes/] },
  'gpt-hybrid.img': { scheme: 'hybrid', messages: [] },
  'gpt-primary-header-damaged.img': { scheme: 'gpt', messages: [/the backup is used .* headerCrc/] },
  'gpt-start-wiped.img': { scheme: 'gpt', messages: [/the backup is used/, /no protective MBR/] },
  'gpt-both-headers-damaged.img': { error: /gpt: primary header headerCrc at offset 0x210: .*no other copy is whole/ },
  'mbr-empty.img': { scheme: 'mbr', messages: [] },
  'mbr-logicals.img': { scheme: 'mbr', messages: [] },
  'mbr-logicals-cyclic.img': { error: /mbr: extended boot record at offset 0x700000: expected a chain that ends/ },
};

const names = await fixtureNames('partition');

test('every fixture has its expectation', (t) => {
  t.deepEqual(
    names.map((name) => name.replace('partition/', '')),
    Object.keys(EXPECTED).sort(),
  );
});

for (const name of names) {
  test.serial(`${name} reads as the real tool said`, async (t) => {
    const expected = EXPECTED[name.replace('partition/', '')]!;
    const { partitiontable } = await fixtureFacts<{ partitiontable: SfdiskTable }>(name);
    const device = await fixtureDevice(name);
    const context = testContext();
    if ('error' in expected) {
      const error = await t.throwsAsync(openPartitionTable(device, context), { instanceOf: DiskError });
      t.is(error?.code, 'CORRUPT');
      t.regex(error?.message ?? '', expected.error);
      return;
    }
    const table = await openPartitionTable(device, context);
    t.is(table?.scheme, expected.scheme);
    t.is(context.diagnostics.length, expected.messages.length);
    for (const [index, pattern] of expected.messages.entries())
      t.regex(context.diagnostics[index]?.message ?? '', pattern);
    compareWithFacts(t, table!, partitiontable);
  });
}
