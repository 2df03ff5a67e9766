import { DiskError, type Image } from '../../core/index.ts';
import { addImageOptions, type Host } from '../image-command.ts';
import { packagePath } from '../package-file.ts';
import type { Faces } from '../run.ts';
import { type ImageOptions, noteDiagnostics, openNamed, type Session } from '../session.ts';
import { printTree } from '../tree.ts';

const DEMO_IMAGE = 'fixtures/demo/demo.qcow2';

interface BrowseOptions extends ImageOptions {
  readonly depth: number;
}

/** `sectorscope IMAGE`: the terminal interface; where standard output is no terminal, the tree as text. */
export function registerBrowse(host: Host, faces: Faces): void {
  const command = host.program.argument('[image]', 'a disk image; without one, the bundled demo image');
  addImageOptions(command)
    .option('--depth <levels>', 'without a terminal: how deep the tree is printed', Number, 2)
    .option('--json', 'print the tree as JSON');
  command.usage('[options] [image] | <command> <image> ...');
  command.action(async (name: string | undefined, options: BrowseOptions) => {
    await host.run(options, async (session) => {
      const isTerminal = process.stdout.isTTY && options.json !== true;
      await using image = await openNamed(name ?? packagePath(DEMO_IMAGE), options, session);
      if (isTerminal) await browse(image, faces, session);
      else await printWhole(image, options, session);
    });
  });
}

async function browse(image: Image, faces: Faces, session: Session): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new DiskError('UNSUPPORTED', {
      layer: 'terminal',
      structure: 'standard input',
      expected: 'a terminal for the keys (or a command, such as "sectorscope info IMAGE")',
      found: 'a file or a pipe',
    });
  }
  session.releaseSignals();
  await faces.browse(image);
}

async function printWhole(image: Image, options: BrowseOptions, session: Session): Promise<void> {
  await printTree(image, { depth: options.depth, json: options.json === true }, session);
  noteDiagnostics(image, session);
}
