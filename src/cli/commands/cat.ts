import { addDeletedOption, type DeletedOption } from '../deleted-option.ts';
import { addImageCommand, type Host } from '../image-command.ts';
import type { ImageOptions } from '../session.ts';
import { addSlackOption, type SlackOption } from '../slack-option.ts';
import { allBytes, bytesOf, writeBytes } from '../target-bytes.ts';

export function registerCat(host: Host): void {
  addImageCommand<ImageOptions & SlackOption & DeletedOption>(host, {
    usage: 'cat <image> <locator>',
    description: 'the bytes of a file or a partition to standard output',
    examples: ['sectorscope cat disk.qcow2 p2:/etc/passwd', 'sectorscope cat disk.qcow2 p1 | file -'],
    options: (command) => addDeletedOption(addSlackOption(command)),
    action: async (image, [locator], options, session) => {
      const { device } = await bytesOf(image, locator, session, options);
      if (options.json === true) await session.output.jsonArray(base64Chunks(allBytes(device, session)));
      else await writeBytes(device, session);
    },
  });
}

async function* base64Chunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void> {
  let offset = 0;
  for await (const chunk of chunks) {
    yield { offset, length: chunk.length, base64: Buffer.from(chunk).toString('base64') };
    offset += chunk.length;
  }
}
