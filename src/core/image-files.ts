import { backingLayers, type Container, isContainer } from './container/container.ts';
import { FileDevice, fileIdentity } from './device/file-device.ts';
import type { ReferenceRecord } from './image-opener.ts';

/** A layer of a chain: the image itself, or what its backing files hold. */
export interface Layer {
  /** The path of the image, or the name that the layer above has for it. */
  readonly name: string;
  readonly container: Container;
}

/** An image and the layers below it, outermost first. */
export function layersOf(path: string, container: Container): Layer[] {
  const layers = [{ name: path, container }];
  for (const { name, device } of backingLayers(container)) {
    if (isContainer(device)) layers.push({ name, container: device });
  }
  return layers;
}

/** Whether a path leads to one of the files that an image is made of; false for a path that leads nowhere. */
export async function isFileOf(
  container: Container,
  references: readonly ReferenceRecord[],
  path: string,
): Promise<boolean> {
  const found = await fileIdentity(path);
  if (found === undefined) return false;
  for (const { container: layer } of layersOf('', container))
    if (layer.file instanceof FileDevice && layer.file.identity === found) return true;
  for (const { path: referred } of references)
    if (referred !== undefined && (await fileIdentity(referred)) === found) return true;
  return false;
}
