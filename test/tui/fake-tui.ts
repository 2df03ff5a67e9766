/** Started by the pty tests: the interface over an image in memory. Arguments: the tree's name, then a locator and an offset if any. */
import { runTui } from '../../src/tui/run.tsx';
import { bigDirectory, type FakeTree, fakeImage, text } from './fake-image.ts';
import { hostileNames } from './hostile-names.ts';

const trees: Readonly<Record<string, () => FakeTree>> = {
  plain: () => ({
    etc: {
      passwd: text('root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh\n'),
      hostname: text('box\n'),
    },
    home: { alice: { 'notes.txt': text('tab\there\nwith an escape \x1b[31mred\n') } },
    'z-last': text('the end'),
    link: 'etc/passwd',
    'binary.bin': Uint8Array.from({ length: 4096 }, (_, index) => index % 256),
  }),
  big: () => ({ many: bigDirectory(100_000), small: text('x') }),
  files: () => ({
    many: Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`file-${index}`, new Uint8Array(0)])),
  }),
  hostile: () => Object.fromEntries(hostileNames.map((name) => [name, text('x')])),
};

const [name = 'plain', locator, offset] = process.argv.slice(2);
const findings = Array.from({ length: 40 }, (_, index) => ({
  severity: 'error' as const,
  code: 'odd',
  structure: `inode ${index}`,
  offset: index * 1024,
  message: 'is odd',
}));
const { image } = fakeImage((trees[name] ?? trees['plain']!)(), name === 'findings' ? { findings } : {});
if (name === 'broken') {
  // A bug of ours while drawing: only what the interface does then can be tested.
  Object.defineProperty(image.container, 'format', {
    get: () => {
      throw new Error('the image cannot be drawn');
    },
  });
}
if (name === 'no-hang-up') process.on('SIGHUP', () => undefined);
if (name === 'late-bug') {
  process.on('SIGUSR2', () => {
    throw new Error('a bug of ours while it runs');
  });
}
await runTui(image, { locator, offset });
