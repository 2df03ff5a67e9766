import { Transform } from 'node:stream';
import { formatBytes, type Progress } from '../core/index.ts';

const REDRAW_MILLISECONDS = 100;

/** One line on a terminal that shows how far long work is, with rate and time left; silent where there is no terminal. */
export class ProgressLine {
  readonly #label: string;
  readonly #stream: NodeJS.WriteStream | undefined;
  readonly #started = performance.now();
  #drawn = 0;

  constructor(label: string, stream: NodeJS.WriteStream) {
    this.#label = label;
    this.#stream = stream.isTTY ? stream : undefined;
  }

  /** `total` of 0 means unknown. */
  readonly update = ({ done, total }: Progress): void => {
    const now = performance.now();
    if (this.#stream === undefined || now - this.#drawn < REDRAW_MILLISECONDS) return;
    this.#drawn = now;
    const seconds = (now - this.#started) / 1000;
    const rate = done / Math.max(seconds, 0.001);
    const share = total === 0 ? '' : ` of ${formatBytes(total)} (${Math.floor((done / total) * 100)} %)`;
    const left = total === 0 || rate === 0 ? '' : `, ${Math.ceil((total - done) / rate)} s left`;
    this.#stream.write(`\r\x1b[K${this.#label}: ${formatBytes(done)}${share}, ${formatBytes(rate)}/s${left}`);
  };

  /** A stream that passes bytes on and counts them. */
  counting(): Transform {
    let done = 0;
    const update = this.update;
    return new Transform({
      transform(chunk: Buffer, _encoding, next) {
        done += chunk.length;
        update({ done, total: 0 });
        next(null, chunk);
      },
    });
  }

  /** Clears the line. */
  end(): void {
    if (this.#drawn > 0) this.#stream?.write('\r\x1b[K');
  }
}
