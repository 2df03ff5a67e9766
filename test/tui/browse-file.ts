/** Started by the pty tests: the interface over an image file. Arguments: the file, then a locator and an offset if any. */
import { openImage } from '../../src/core/index.ts';
import { runTui } from '../../src/tui/run.tsx';

const [file, locator, offset] = process.argv.slice(2);
await using image = await openImage(file!);
await runTui(image, { locator, offset });
