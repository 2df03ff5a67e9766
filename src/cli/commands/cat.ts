import { streamBytes } from '../../core/index.ts';
import { addImageCommand, type Host } from '../image-command.ts';
import { bytesOf } from '../target-bytes.ts';

export function registerCat(host: Host): void {
  addImageCommand(host, {
    usage: 'cat <image> <locator>',
    description: 'the bytes of a file or a partition to standard output',
    examples: ['sectorscope cat disk.qcow2 p2:/etc/passwd', 'sectorscope cat disk.qcow2 p1 | file -'],
    action: async (image, [locator], options, session) => {
      const { device } = await bytesOf(image, locator, session);
      const { output, signal } = session;
      if (options.json === true) {
        await output.jsonArray(base64Chunks(streamBytes(device, { start: 0, length: device.size }, { signal })));
        return;
      }
      for await (const chunk of streamBytes(device, { start: 0, length: device.size }, { signal }))
        await output.write(chunk);
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
