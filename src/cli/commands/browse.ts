import { type Command, InvalidArgumentError } from 'commander';
import { type Image, parseLocator, unsupported } from '../../core/index.ts';
import { addImageOptions, addStrictOption, type Host, imageOf } from '../image-command.ts';
import { packagePath } from '../package-file.ts';
import type { BrowseStart, Faces } from '../run.ts';
import { type ImageOptions, noteDiagnostics, openNamed, type Session } from '../session.ts';
import { printTree } from '../tree.ts';

const DEMO_IMAGE = 'fixtures/demo/demo.qcow2';

/** Directories nest no deeper than this in a printed tree: it is for a look, `ls -R` is for all. */
const MAX_DEPTH = 32;

interface BrowseOptions extends ImageOptions {
  readonly depth: number;
  readonly offset?: string;
}

/** `sectorscope IMAGE`: the terminal interface; where standard output is no terminal, the tree as text. */
export function registerBrowse(host: Host, faces: Faces): void {
  const command: Command = host.program
    .argument('[image]', 'a disk image; without one, the bundled demo image')
    .argument('[locator]', 'where to begin: p2:/etc/passwd');
  addStrictOption(addImageOptions(command))
    .option('--offset <n>', 'where to begin in its bytes: 0x1f0, 2048s, 1MiB')
    .option('--depth <levels>', 'without a terminal: how deep the tree is printed', parseDepth, 2)
    .option('--json', 'print the tree as JSON');
  command.usage('[options] [image] [locator] | <command> <image> ...');
  command.action(async (name: string | undefined, locator: string | undefined, options: BrowseOptions) => {
    const isTerminal = process.stdout.isTTY && options.json !== true;
    if (!isTerminal && (hasPlace(locator) || options.offset !== undefined)) {
      command.error('error: without a terminal, a place in the image needs a command: ls, cat or hex');
    }
    await host.run({ ...options, browsed: name }, async (session) => {
      await using image = await openNamed(name ?? packagePath(DEMO_IMAGE), options, session);
      if (isTerminal) await browse(image, { locator, offset: options.offset }, faces, session);
      else await printWhole(await imageOf(image, locator, session), options, session);
    });
  });
}

/** Whether a locator says more than a view, which can be printed as a whole; one that is none is told when it is followed. */
function hasPlace(locator: string | undefined): boolean {
  try {
    return parseLocator(locator).kind !== 'disk';
  } catch {
    return false;
  }
}

function parseDepth(text: string): number {
  const depth = Number(text);
  if (Number.isInteger(depth) && depth >= 0 && depth <= MAX_DEPTH) return depth;
  throw new InvalidArgumentError(`Expected a number from 0 to ${MAX_DEPTH}.`);
}

async function browse(image: Image, start: BrowseStart, faces: Faces, session: Session): Promise<void> {
  if (!process.stdin.isTTY) {
    throw unsupported({
      layer: 'terminal',
      structure: 'standard input',
      expected: 'a terminal for the keys (or a command, such as "sectorscope info IMAGE")',
      found: 'a file or a pipe',
    });
  }
  session.releaseSignals();
  await faces.browse(image, start);
}

async function printWhole(image: Image, options: BrowseOptions, session: Session): Promise<void> {
  await printTree(image, { depth: options.depth, json: options.json === true }, session);
  noteDiagnostics(image, session);
}
