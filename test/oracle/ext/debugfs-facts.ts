import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { tool } from '../../helpers/tools.ts';
import { byPath, momentText, type NodeFacts } from './node-facts.ts';

const PROMPT = 'debugfs: ';
const ROOT = 2;
const KINDS: Readonly<Record<string, string>> = {
  directory: 'directory',
  regular: 'file',
  symlink: 'symlink',
  'character special': 'character device',
  'block special': 'block device',
  FIFO: 'fifo',
  socket: 'socket',
};

/** What debugfs says of everything below the root. It imports nothing of ours: fixtures/ext/build.sh takes its facts from here. */
export async function debugfsFacts(image: string, hashLimit: number): Promise<NodeFacts[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sectorscope-debugfs-'));
  try {
    const paths = await listTree(image, folder);
    const inodes = [...new Set(paths.map(({ inode }) => inode))];
    const stats = await runAll(
      image,
      folder,
      inodes.map((inode) => `stat <${inode}>`),
    );
    const facts = new Map(inodes.map((inode, index) => [inode, parseStat(stats[index]!)]));
    await dumpContents(image, folder, facts, hashLimit);
    return paths
      .map(({ path: name, inode }): NodeFacts => ({ ...finish(facts.get(inode)!, folder), path: name, inode }))
      .sort(byPath);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Stat extends Omit<NodeFacts, 'path' | 'inode' | 'attributes'> {
  readonly inode: number;
  readonly attributes: readonly string[];
  readonly hashed?: boolean;
}

/** Runs the commands in one debugfs and gives each one's output, as latin1. */
async function runAll(image: string, folder: string, commands: readonly string[]): Promise<string[]> {
  const script = path.join(folder, 'commands');
  writeFileSync(script, `${commands.join('\n')}\n`, 'latin1');
  const output = (await tool('debugfs', ['-f', script, image])).toString('latin1');
  const outputs = `\n${output}`.split(`\n${PROMPT}`).slice(1);
  if (outputs.length !== commands.length) throw new Error(`debugfs answered ${outputs.length} of ${commands.length}`);
  return outputs.map((text) => text.slice(text.indexOf('\n') + 1));
}

async function listTree(image: string, folder: string): Promise<{ path: string; inode: number }[]> {
  const found: { path: string; inode: number }[] = [];
  let level = [{ path: '', inode: ROOT }];
  while (level.length > 0) {
    const listings = await runAll(
      image,
      folder,
      level.map(({ inode }) => `ls -p <${inode}>`),
    );
    const next: typeof level = [];
    listings.forEach((listing, index) => {
      // /inode/mode/uid/gid/name/size/
      for (const [, inode, mode, name] of listing.matchAll(/^\/(\d+)\/(\d+)\/-?\d+\/-?\d+\/(.*)\/\d*\/$/gm)) {
        if (inode === '0' || name === '.' || name === '..') continue;
        const entry = { path: `${level[index]!.path}/${name}`, inode: Number(inode) };
        found.push(entry);
        if (mode!.startsWith('04')) next.push(entry);
      }
    });
    level = next;
  }
  return found;
}

function parseStat(text: string): Stat {
  const field = (pattern: RegExp): string => {
    const match = pattern.exec(text);
    if (match === null) throw new Error(`debugfs stat has no ${pattern}: ${text}`);
    return match[1]!;
  };
  const moment = (name: string): string => {
    const match = new RegExp(`^ *${name}: 0x([0-9a-f]{8})(?::([0-9a-f]{8}))?`, 'm').exec(text);
    if (match === null) return momentText(0, 0);
    const extra = Number.parseInt(match[2] ?? '0', 16);
    const base = Number.parseInt(match[1]!, 16);
    const seconds = (base >= 2 ** 31 ? base - 2 ** 32 : base) + (extra % 4) * 2 ** 32;
    return momentText(seconds, Math.floor(extra / 4));
  };
  const kind = KINDS[field(/Type: (.+?) {2,}/)]!;
  const target = /^Fast link dest: "(.*)"$/m.exec(text)?.[1];
  const device = /major\/minor number: (\d+):(\d+)/.exec(text);
  const attributes = [...text.matchAll(/^ {2}(\S+) \((\d+)\)/gm)].map((match) => match[1]!);
  return {
    inode: Number(field(/Inode: (\d+)/)),
    kind,
    mode: Number.parseInt(field(/Mode: +(\d+)/), 8),
    uid: unsigned(field(/User: +(-?\d+)/)),
    gid: unsigned(field(/Group: +(-?\d+)/)),
    size: Number(field(/Size: (\d+)$/m)),
    links: Number(field(/Links: (\d+)/)),
    allocated: Number(field(/Blockcount: (\d+)/)) * 512,
    modified: moment('mtime'),
    accessed: moment('atime'),
    changed: moment('ctime'),
    created: moment('crtime'),
    ...(target === undefined ? {} : { target }),
    ...(device === null ? {} : { device: `${Number(device[1])}:${Number(device[2])}` }),
    attributes: attributes.filter((name) => name !== 'system.data'),
  };
}

/** debugfs prints user and group numbers as signed. */
function unsigned(text: string): number {
  const value = Number(text);
  return value < 0 ? value + 2 ** 32 : value;
}

async function dumpContents(image: string, folder: string, facts: Map<number, Stat>, hashLimit: number): Promise<void> {
  const commands: string[] = [];
  for (const [inode, stat] of facts) {
    const hashed = stat.kind === 'file' && stat.size <= hashLimit;
    facts.set(inode, { ...stat, hashed });
    if (hashed || (stat.kind === 'symlink' && stat.target === undefined)) {
      commands.push(`dump <${inode}> ${path.join(folder, `content-${inode}`)}`);
    }
    for (const [index, name] of stat.attributes.entries()) {
      commands.push(`ea_get -r -f ${path.join(folder, `value-${inode}-${index}`)} <${inode}> ${name}`);
    }
  }
  await runAll(image, folder, commands);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Of an inline file debugfs dumps all 60 bytes, however short it is; and no more, where the kernel reads zeros to its end: no hash then. */
function finish(stat: Stat, folder: string): Omit<NodeFacts, 'path'> {
  const { hashed, attributes, target, device, ...plain } = stat;
  const content = (): Buffer => readFileSync(path.join(folder, `content-${stat.inode}`));
  const values = attributes.map((name, index): [string, string] => [
    name,
    readFileSync(path.join(folder, `value-${stat.inode}-${index}`)).toString('hex'),
  ]);
  return {
    ...plain,
    ...(stat.kind === 'symlink' ? { target: target ?? content().toString('latin1') } : {}),
    ...(device === undefined ? {} : { device }),
    ...(hashed === true && content().length >= stat.size ? { sha256: sha256(content().subarray(0, stat.size)) } : {}),
    attributes: Object.fromEntries(values.sort(([left], [right]) => (left < right ? -1 : 1))),
  };
}
