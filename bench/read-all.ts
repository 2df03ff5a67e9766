/** Reads the whole virtual disk to nothing: the child process that the benchmark times. */
import { openImage, streamBytes } from 'sectorscope';

await using image = await openImage(process.argv[2]!);
let done = 0;
for await (const chunk of streamBytes(image.disk, { start: 0, length: image.disk.size })) done += chunk.length;
if (done !== image.disk.size) throw new Error(`read ${done} of ${image.disk.size} bytes`);
