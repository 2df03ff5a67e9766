import type { Image } from '../core/index.ts';

export interface Faces {
  readonly browse: (image: Image, options: Record<string, never>) => Promise<void>;
}

export async function runCli(_argv: readonly string[], _faces: Faces): Promise<number> {
  return 0;
}
