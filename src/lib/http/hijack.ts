/** Takes a connection out of HTTP's hands: attach and exec speak raw bytes both ways after one request head. */

/**
 * Both directions of a hijacked connection. Each closes by itself: `readable` ends when the client shuts down
 * its writing half while we may go on writing, and `end` shuts down ours while the client may go on.
 *
 * The receiver of the connection closes it (`end` or `destroy`) on every way out.
 */
export interface HijackedConnection {
  /** Client to us. One reader. Nothing is read from the socket while nobody asks: that is the backpressure. */
  readonly readable: AsyncIterable<Uint8Array>;
  /**
   * True: taken, write on. A promise: taken, but held in memory until it settles (everything drained, or gone).
   * False: the connection is gone, the bytes are lost. The chunk must not be changed before that.
   */
  write(chunk: Uint8Array): boolean | Promise<void>;
  /** Shuts down our writing half after what was written. Idempotent. */
  end(): void;
  /** Drops the connection in both directions. Idempotent. */
  destroy(): void;
  /** Settles once both directions are over or the connection broke. Never rejects. */
  readonly closed: Promise<void>;
}

/**
 * Answers the request head and hands over the connection. Call it once, as soon as nothing can fail any more
 * with a proper HTTP status; what fails later can only be written into the stream.
 */
export type Hijack = (stream: { tty: boolean }) => HijackedConnection;
