// A renamed test would stay in dist and run twice: tests always start from an empty output folder.
import { rmSync } from 'node:fs';

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true });
