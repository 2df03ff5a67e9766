import { openContainer } from '../../../../src/core/container/formats.ts';
import type {
  BlockDevice,
  Container,
  ContainerOptions,
  Extent,
  Property,
  Reference,
} from '../../../../src/core/index.ts';
import { DiskError, MemoryDevice, readBytes } from '../../../../src/core/index.ts';
import { collect } from '../../../helpers/collect.ts';
import { testContext } from '../../../helpers/context.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { type BuiltVhdx, DATA_WRITE_GUID } from './vhdx-builder.ts';

export type VhdxContext = ReturnType<typeof testContext> & { readonly asked: Reference[] };

/** A context that opens parents from `files`, by the names that the images have for them, and keeps what was asked. */
export function vhdxContext(files: Readonly<Record<string, BlockDevice>> = {}): VhdxContext {
  const context: VhdxContext = {
    ...testContext(),
    asked: [],
    openReference: async (reference) => {
      context.asked.push(reference);
      const file = files[reference.name];
      if (file === undefined) throw new DiskError('NOT_FOUND', { layer: 'file', structure: reference.name });
      return openContainer(file, context, reference.format);
    },
  };
  return context;
}

export function openVhdx(
  image: BuiltVhdx | BlockDevice,
  context: VhdxContext = vhdxContext(),
  options?: ContainerOptions,
): Promise<Container> {
  return openContainer('device' in image ? image.device : image, context, undefined, options);
}

/** The keys of a parent locator that names `path` as relative. */
export function parentKeys(path: string, linkage: string = DATA_WRITE_GUID): Record<string, string> {
  return { parent_linkage: `{${linkage.toLowerCase()}}`, relative_path: path };
}

/** A small image in one piece: faster than the sparse device that it was built on. */
export async function inMemory(image: BuiltVhdx): Promise<MemoryDevice> {
  return new MemoryDevice(await readBytes(image.device, 0, image.device.size));
}

export async function extentList(container: Container, start = 0, length = container.size - start): Promise<Extent[]> {
  return collect(container.extents({ start, length }));
}

export function property(container: Container, key: string): Property['value'] | undefined {
  return container.properties.find((entry) => entry.key === key)?.value;
}

const NOISE_BYTES = 2 ** 18;
const baseRandom = seededRandom(1);
const baseNoise = Uint8Array.from({ length: NOISE_BYTES * 2 }, () => baseRandom() * 256);

/** Bytes without a pattern, others for another seed, the same for the same; made by copying, for there are many MiB of them. */
export function noise(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0, turn = 0; at < length; at += NOISE_BYTES, turn++) {
    const from = (seed * 7919 + turn * 104_729) % NOISE_BYTES;
    bytes.set(baseNoise.subarray(from, from + Math.min(NOISE_BYTES, length - at)), at);
  }
  return bytes;
}
