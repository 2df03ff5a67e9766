import type { WritableContainer } from '../../../../../src/core/container/container.ts';
import { openContainer } from '../../../../../src/core/container/formats.ts';
import { qcow2Format } from '../../../../../src/core/container/qcow2/qcow2-format.ts';
import { type CreateOptions, createQcow2 } from '../../../../../src/core/container/qcow2/write/create.ts';
import type { ResizableBlockDevice } from '../../../../../src/core/device/block-device.ts';
import { type Container, MemoryDevice, type OpenContext, readBytes } from '../../../../../src/core/index.ts';

/** A context whose every reference leads to `backing`. */
export function backingContext(backing: Uint8Array | undefined): OpenContext {
  return {
    report: () => undefined,
    openReference: async () => {
      if (backing === undefined) throw new Error('the image has no backing file');
      return new MemoryDevice(backing);
    },
  };
}

/** An empty image in memory. */
export async function emptyImage(options: CreateOptions): Promise<Uint8Array> {
  const device = new MemoryDevice(new Uint8Array(0));
  await createQcow2(device, options);
  return device.bytes;
}

export async function openWritable(file: ResizableBlockDevice, backing?: Uint8Array): Promise<WritableContainer> {
  return qcow2Format.openWritable!(file, backingContext(backing));
}

export async function openReadOnly(image: Uint8Array, backing?: Uint8Array): Promise<Container> {
  return openContainer(new MemoryDevice(image), backingContext(backing));
}

/** Every byte of the disk, read by a container that is opened for it. */
export async function diskOf(image: Uint8Array, backing?: Uint8Array): Promise<Uint8Array> {
  await using container = await openReadOnly(image, backing);
  return readBytes(container, 0, container.size);
}
