/** Parts the daemon's framed output into stdout and stderr (Docker's stdcopy format). */

const headerSize = 8;
const stderrType = 2;
/** The daemon's own complaint in the middle of a stream. */
const errorType = 3;

/** Where each part goes; the buffer may be reused after the call. */
export type Sink = (data: Uint8Array) => void;

/** A receiver of framed bytes in any chunks. Throws an Error with the daemon's message for an error frame. */
export function demultiplex(stdout: Sink, stderr: Sink): (chunk: Uint8Array) => void {
  const header = new Uint8Array(headerSize);
  let have = 0;
  let left = 0;
  let sink = stdout;
  const complaint: Uint8Array[] = [];
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (left === 0) {
        const part = chunk.subarray(at, at + headerSize - have);
        header.set(part, have);
        have += part.length;
        at += part.length;
        if (have < headerSize) return;
        have = 0;
        left = (((header[4] ?? 0) << 24) | ((header[5] ?? 0) << 16) | ((header[6] ?? 0) << 8) | (header[7] ?? 0)) >>> 0;
        const type = header[0] ?? 0;
        if (type > errorType) throw new Error(`Unrecognized input header: ${type}`);
        sink =
          type === stderrType ? stderr : type === errorType ? (data) => complaint.push(Uint8Array.from(data)) : stdout;
        continue;
      }
      const data = chunk.subarray(at, at + left);
      at += data.length;
      left -= data.length;
      sink(data);
      if (left === 0 && complaint.length > 0)
        throw new Error(`error from daemon in stream: ${Buffer.concat(complaint).toString()}`);
    }
  };
}
