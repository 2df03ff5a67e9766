import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { fixtureFile, projectRoot } from '../helpers/fixtures.ts';
import { type TerminalOptions, TestTerminal } from '../helpers/terminal.ts';
import { temporaryFolder } from '../helpers/tools.ts';

const program = fileURLToPath(new URL('../tui/fake-tui.js', import.meta.url));
const DOWN = '\x1b[B';
const ENTER = '\r';

function open(t: ExecutionContext, args: readonly string[], options?: TerminalOptions): TestTerminal {
  return new TestTerminal(t, program, args, options);
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

test('from the disk to the bytes of a file, and out again', async (t) => {
  const terminal = open(t, ['plain']);
  await terminal.see(/GPT partition table/);
  t.true(terminal.isAlternate);
  terminal.type(DOWN.repeat(5));
  terminal.type(ENTER);
  await terminal.see(/▸ etc\//);
  terminal.type(`${DOWN}${DOWN}${ENTER}`);
  await terminal.see(/passwd/);
  terminal.type(`${DOWN}${DOWN}2`);
  await terminal.see(/▸00000000 72 6f 6f 74 3a 78 3a 30 {2}root:x:0/);
  await terminal.see(/of 71 B │ disk 0x110000 \(LBA 2176\)/);
  terminal.type('3');
  await terminal.see(/alice:x:1000:1000/);
  terminal.type('q');
  t.is((await terminal.exited).exitCode, 0);
  await terminal.see(() => !terminal.isAlternate && terminal.isCursorShown);
  t.is(terminal.screen.trim(), '', 'nothing is left behind');
  const { output } = terminal;
  t.true(output.lastIndexOf('\x1b[?2004l') > output.lastIndexOf('\x1b[?2004h'), 'pastes are not marked any more');
});

test('three arrows in one chunk move three rows', async (t) => {
  const terminal = open(t, ['plain']);
  await terminal.see(/1\/9/);
  terminal.type(DOWN.repeat(3));
  await terminal.see(/4\/9/);
  terminal.type('kk');
  await terminal.see(/2\/9/);
  t.pass();
});

test('goto a place, then an offset; a wrong one is said and changes nothing', async (t) => {
  const terminal = open(t, ['plain']);
  await terminal.see(/GPT partition table/);
  terminal.type('g');
  await terminal.see(/Go to offset or place/);
  terminal.type('p1:/binary.bin');
  terminal.type(ENTER);
  await terminal.see(/p1:\/binary\.bin/);
  terminal.type('g');
  terminal.type('1s');
  terminal.type(ENTER);
  await terminal.see(/512 = 0x200 of 4 KiB │ disk 0x\w+ \(LBA \d+\)/);
  await terminal.see(/▸00000200 00 01 02 03/);
  terminal.type('g');
  terminal.type('1TiB');
  terminal.type(ENTER);
  await terminal.see(/goto: expected an offset from 0 to 0xfff, found 0x10000000000/);
  await terminal.see(/512 = 0x200/);
  t.pass();
});

test('help lists the keys; escape leaves it; ctrl-c quits', async (t) => {
  const terminal = open(t, ['plain'], { columns: 100, rows: 60 });
  await terminal.see(/GPT partition table/);
  terminal.type('?');
  await terminal.see(/narrow the rows of this directory to names with a text/);
  terminal.type('\x1b');
  await terminal.see(/▸ p1 root/);
  terminal.type('!');
  await terminal.see(/gpt backup header at 0x3ffe00\s+missing/);
  terminal.type('\x03');
  t.is((await terminal.exited).exitCode, 0);
  await terminal.see(() => terminal.isCursorShown);
});

test('resizing redraws for the new size, in both directions, and leaves no lines behind', async (t) => {
  const terminal = open(t, ['plain', 'p1:/binary.bin', '0x80']);
  await terminal.see(/ 00000080 80 81 82 83 84 85 86 87 {2}\.{8}$/m);
  terminal.resize(200, 50);
  await terminal.see(/▸00000000 00 01 .* 1f {2}/);
  await terminal.see(() => terminal.lines[48]?.startsWith(' raw 4 MiB │ 128 = 0x80') === true);
  terminal.resize(30, 8);
  await terminal.see(/Terminal too small[\s\S]*30x8, needs 60x12/);
  terminal.resize(80, 24);
  await terminal.see(() => terminal.lines[22]?.startsWith(' raw 4 MiB │ 128 = 0x80') === true);
  t.is(terminal.scrollback, 0);
});

test('after any resizes the screen is that of a program just started', async (t) => {
  const terminal = open(t, ['plain']);
  await terminal.see(/damaged/);
  for (const [columns, rows] of [
    [100, 30],
    [100, 20],
    [120, 40],
    [60, 13],
    [80, 24],
  ] as const) {
    const fresh = open(t, ['plain'], { columns, rows });
    await fresh.see(/ ! 1\n(?:.*\n)*.*damaged/);
    terminal.resize(columns, rows);
    await terminal.see(() => terminal.screen === fresh.screen);
    fresh.kill('SIGKILL');
  }
  t.is(terminal.scrollback, 0);
});

test('a size that goes and comes back while the program is busy leaves nothing moved', async (t) => {
  const terminal = open(t, ['big', 'p1:/many']);
  await terminal.see(/▸ many/);
  terminal.type(ENTER);
  const before = await terminal.see(/file-000000\.txt/);
  terminal.type('/');
  await terminal.see(/Filter:/);
  // Each looks through all the rows: the program is at it while the window changes and is put back.
  terminal.type('f\x7f'.repeat(100));
  for (const [columns, rows] of [
    [60, 12],
    [140, 5],
    [80, 24],
  ] as const) {
    terminal.resize(columns, rows);
  }
  terminal.type('\x1b');
  await terminal.see(() => terminal.screen === before);
  t.pass();
});

test('NO_COLOR leaves no color, only attributes', async (t) => {
  const colors = /\x1b\[(?:[\d;]*;)?(?:3[0-7]|4[0-7]|38|48|9[0-7]|10[0-7])(?:;[\d;]*)?m/;
  const plain = open(t, ['plain', 'p1:/binary.bin', '0'], { env: { NO_COLOR: '1' } });
  await plain.see(/▸00000000/);
  t.notRegex(plain.output, colors);
  const colored = open(t, ['plain', 'p1:/binary.bin', '0']);
  await colored.see(/▸00000000/);
  t.regex(colored.output, colors);
});

test('names that would act on the terminal are shown as text', async (t) => {
  const terminal = open(t, ['hostile', 'p1:'], { columns: 120, rows: 40 });
  await terminal.see(/a\\x1b\[2Jclear/);
  await terminal.see(/c\\x0anew\\x0aline/);
  await terminal.see(/d\\u\{202e\}gnp\.exe/);
  await terminal.see(/g\\xff\\x80bytes/);
  terminal.type(DOWN.repeat(8));
  await terminal.see(/15\/\d+/);
  for (const raw of ['\x1b[2Jclear', '\x1b]0;title', '\u202e', '\x9b31m', '\x1b]8;;http', '\nnew'])
    t.false(terminal.output.includes(raw), JSON.stringify(raw));
});

test('100,000 entries are opened and crossed', async (t) => {
  const terminal = open(t, ['big', 'p1:/many']);
  await terminal.see(/▸ many/);
  terminal.type(ENTER);
  await terminal.see(/file-000000\.txt/);
  terminal.type('G');
  await terminal.see(/100013\/100013/);
  terminal.type('\x1b[5~');
  await terminal.see(/file-099999\.txt/);
  t.pass();
});

test('100,000 entries are filtered as you type', async (t) => {
  const terminal = open(t, ['big', 'p1:/many']);
  await terminal.see(/▸ many/);
  terminal.type(ENTER);
  await terminal.see(/file-000000\.txt/);
  terminal.type('/');
  await terminal.see(/Filter:/);
  terminal.type('98765');
  await terminal.see(/^ \/98765 +\d+\/14 │[\s\S]*▾ many\/[^\n]*\n +file-098765\.txt +│/);
  terminal.type(ENTER);
  await terminal.see(/f find/);
  terminal.type('\x1b');
  await terminal.see(/9877\d\/100013/);
  t.pass();
});

test('files are found in the whole filesystem, and gone through', async (t) => {
  const terminal = open(t, ['plain', 'p1:']);
  await terminal.see(/▸ etc\//);
  terminal.type('f');
  await terminal.see(/Find files:/);
  terminal.type(`*n*s*.txt${ENTER}`);
  await terminal.see(/1 of \d+ names match "\*n\*s\*\.txt": n and N go through them/);
  await terminal.see(/p1:\/home\/alice\/notes\.txt\n/);
  terminal.type('f');
  await terminal.see(/Find files:/);
  terminal.type(`pass${ENTER}`);
  await terminal.see(/\/etc\/passwd\n/);
  terminal.type('r');
  await terminal.see(/Sectorscope: Finding pass[\s\S]*p1:\/etc\/passwd/);
  t.pass();
});

test('a directory is extracted to the folder that is typed, and an extraction under way is canceled', async (t) => {
  const folder = temporaryFolder(t);
  const terminal = open(t, ['plain', 'p1:/etc']);
  await terminal.see(/p1:\/etc\n/);
  terminal.type('x');
  await terminal.see(/Extract to: \.\/etc/);
  terminal.type(`\x15${folder}/etc${ENTER}`);
  await terminal.see(/2 files \(75 B\), 1 directory extracted to/);
  t.deepEqual(readdirSync(path.join(folder, 'etc')).sort(), ['hostname', 'passwd']);
  const big = open(t, ['files', 'p1:/many']);
  await big.see(/p1:\/many\n/);
  big.type('x');
  await big.see(/Extract to: \.\/many/);
  big.type(`\x15${folder}/many${ENTER}`);
  await big.see(/Extracting: [\d,]+ entries .*Ctrl-C cancels/);
  big.type('q');
  await big.see(/q again cancels it and quits/);
  big.type('\x03');
  await big.see(/canceled: of [\d,]+ entries [\s\S]* what was whole stays/);
  big.type('q');
  t.is((await big.exited).exitCode, 0);
});

test('quitting, or a signal, in the middle of an extraction ends that first', async (t) => {
  const folder = temporaryFolder(t);
  for (const way of ['quit', 'signal'] as const) {
    const terminal = open(t, ['files', 'p1:/many']);
    await terminal.see(/p1:\/many\n/);
    terminal.type('x');
    await terminal.see(/Extract to: \.\/many/);
    terminal.type(`\x15${folder}/${way}${ENTER}`);
    await terminal.see(/[\d,]+ entries .*Ctrl-C cancels/);
    if (way === 'signal') terminal.kill('SIGTERM');
    else terminal.type('qq');
    const { exitCode, signal } = await terminal.exited;
    if (way === 'signal') t.true(signal === 15 || exitCode === 143);
    else t.is(exitCode, 0);
    await terminal.see(() => !terminal.isAlternate && terminal.isCursorShown);
    const count = readdirSync(path.join(folder, way)).length;
    t.true(count > 0 && count < 20_000, String(count));
  }
});

test('a check shows its findings, worded and not only colored, and its verdict', async (t) => {
  const terminal = open(t, ['findings', 'p1:'], { env: { NO_COLOR: '1' } });
  await terminal.see(/▸ etc\//);
  terminal.type('c');
  await terminal.see(/p1: ext4 is not consistent: 40 errors/);
  await terminal.see(/error: inode 3 at 0xc00/);
  terminal.type('G');
  await terminal.see(/error: inode 39 at 0x9c00/);
  terminal.type('\x1b');
  await terminal.see(/▸ etc\//);
  t.pass();
});

test('the command on a real image: browsed, and unchanged to the byte and the nanosecond', async (t) => {
  const file = path.join(temporaryFolder(t), 'demo.qcow2');
  copyFileSync(path.join(projectRoot, 'fixtures', 'demo', 'demo.qcow2'), file);
  const before = { hash: hashOf(file), stat: statSync(file, { bigint: true }) };
  const terminal = new TestTerminal(t, path.join(projectRoot, 'bin', 'sectorscope.js'), [file], {
    columns: 100,
    rows: 30,
  });
  await terminal.see(/p2 root .*ext4, 190 MiB/);
  terminal.type('g');
  terminal.type('p2:/etc/passwd');
  terminal.type(ENTER);
  await terminal.see(/uid 0, gid 0/);
  terminal.type(ENTER);
  await terminal.see(/72 6f 6f 74 3a 78 3a 30/);
  terminal.type('3');
  await terminal.see(/root:x:0:0:root/);
  terminal.type('q');
  t.is((await terminal.exited).exitCode, 0);
  // What was written last may still be on its way through the emulator.
  await terminal.see(() => !terminal.isAlternate && terminal.isCursorShown);
  const stat = statSync(file, { bigint: true });
  t.is(hashOf(file), before.hash);
  t.is(stat.mtimeNs, before.stat.mtimeNs);
  t.is(stat.size, before.stat.size);
  t.is(stat.ino, before.stat.ino);
});

test('a place and an offset on the command line are where it begins', async (t) => {
  const demo = path.join(projectRoot, 'fixtures/demo/demo.qcow2');
  const launcher = path.join(projectRoot, 'bin/sectorscope.js');
  const atFile = new TestTerminal(t, launcher, [demo, 'p2:/etc/passwd', '--offset', '0x10']);
  await atFile.see(/00000010 2f 72 6f 6f 74/);
  await atFile.see(/16 = 0x10 of 190 B │ disk 0x/);
  const atSector = new TestTerminal(t, launcher, [demo, '--offset', '1s']);
  await atSector.see(/▸00000200 45 46 49 20 50 41 52 54 {2}EFI PART/);
  t.pass();
});

test('a signal ends it and restores the screen', async (t) => {
  const terminal = open(t, ['plain']);
  await terminal.see(/GPT partition table/);
  terminal.kill('SIGTERM');
  await terminal.exited;
  await terminal.see(() => !terminal.isAlternate && terminal.isCursorShown);
  t.pass();
});

test('a breakdown of the interface is told after the screen is restored', async (t) => {
  const terminal = open(t, ['broken']);
  t.not((await terminal.exited).exitCode, 0);
  await terminal.see(
    () => !terminal.isAlternate && terminal.isCursorShown && /the image cannot be drawn/.test(terminal.screen),
  );
});

test('a bug while it runs is told after the screen is restored', async (t) => {
  const terminal = open(t, ['late-bug']);
  await terminal.see(/GPT partition table/);
  terminal.kill('SIGUSR2');
  t.not((await terminal.exited).exitCode, 0);
  await terminal.see(
    () => !terminal.isAlternate && terminal.isCursorShown && /a bug of ours while it runs/.test(terminal.screen),
  );
});

test('it ends with its terminal, also where the hang-up signal does not end it', async (t) => {
  const terminal = open(t, ['no-hang-up']);
  await terminal.see(/GPT partition table/);
  terminal.hangUp();
  await terminal.exited;
  t.pass();
});

test('stopped, it gives the screen back; continued, it takes it again', async (t) => {
  const terminal = open(t, ['plain']);
  await terminal.see(/damaged/);
  terminal.kill('SIGTSTP');
  await terminal.see(() => !terminal.isAlternate && terminal.isCursorShown);
  terminal.kill('SIGCONT');
  await terminal.see(() => terminal.isAlternate && /GPT partition table/.test(terminal.screen));
  terminal.type('q');
  t.is((await terminal.exited).exitCode, 0);
});

test('a name that the terminal draws wider than it counts for us moves no other line', async (t) => {
  const terminal = open(t, ['hostile', 'p1:'], { columns: 120, rows: 40 });
  await terminal.see(/नमस्ते/);
  terminal.type('G');
  const lines = (await terminal.see(/^ Sectorscope +(\d+)\/\1 │/)).split('\n');
  t.regex(lines[38]!, /^ raw 4 MiB │/);
  t.regex(lines[39]!, /^ Enter open/);
  t.is(terminal.scrollback, 0);
  terminal.type('q');
  await terminal.exited;
  t.true(terminal.output.lastIndexOf('\x1b[?7h') > terminal.output.lastIndexOf('\x1b[?7l'), 'lines wrap again');
});

test('without a terminal it says so and does not hang', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [program], { input: '', encoding: 'utf8', timeout: 20_000 });
  t.not(status, 0);
  t.regex(stderr, /expected a terminal on standard input and output/);
});

test('a snapshot is browsed beside the disk, and its file stays as it was', async (t) => {
  const file = await fixtureFile('qcow2/snapshot.qcow2', temporaryFolder(t));
  const before = { hash: hashOf(file), stat: statSync(file, { bigint: true }) };
  const terminal = new TestTerminal(t, path.join(projectRoot, 'bin', 'sectorscope.js'), [file]);
  await terminal.see(/^ ▸ snapshots +2│/m);
  terminal.type('G');
  terminal.type('l');
  await terminal.see(/▸ before the .*202\d-/);
  terminal.type('jl');
  await terminal.see(/▾ before the .*\n {3}▾ whole disk/);
  await terminal.see(/name +before the change/);
  terminal.type('2');
  await terminal.see(/snapshot=before the change/);
  terminal.type('gsnapshot=2/p1\r');
  await terminal.see(/snapshot=after it\/p1/);
  terminal.type('gsnapshot=2\r');
  await terminal.see(/snapshot 1 MiB │ .*snapshot=after it/);
  terminal.type('q');
  t.is((await terminal.exited).exitCode, 0);
  const stat = statSync(file, { bigint: true });
  t.is(hashOf(file), before.hash);
  t.deepEqual([stat.mtimeNs, stat.atimeNs, stat.size], [before.stat.mtimeNs, before.stat.atimeNs, before.stat.size]);
});
