import type { Image } from '../core/index.ts';

export async function runTui(_image: Image, _options: Record<string, never>): Promise<void> {}
