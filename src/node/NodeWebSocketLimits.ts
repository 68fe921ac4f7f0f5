/** What a WebSocket bears, and for how long. */
import type * as Duration from "effect/Duration"

export interface Compression {
  /** Smaller messages are sent as they are, in bytes. Default 1,024. */
  readonly thresholdBytes?: number | undefined
  /**
   * Whether a message may refer to those before it. It compresses better, and keeps about 300 KiB for each connection.
   * Default `false`.
   */
  readonly contextTakeover?: boolean | undefined
  /** Of zlib, 1 to 9. Default 6. */
  readonly level?: number | undefined
  /** Messages that are compressed or inflated at once in the whole process; the first one that says so decides. Default 10. */
  readonly concurrency?: number | undefined
}

export interface Options {
  /** A message, inflated, in bytes; more is a Close with 1009. Default 1,048,576. */
  readonly messageBytesMax?: number | undefined
  /** Frames of one message; more are a Close with 1008. Default 16,384. */
  readonly fragmentsMax?: number | undefined
  /** Messages that came and nobody received yet, in bytes, above which the peer is held back. Default 65,536. */
  readonly receiveBytesMax?: number | undefined
  /** How long the peer may take to answer our Close. Default 5 seconds. */
  readonly closeTimeout?: Duration.Input | undefined
  /** How long a handler may go on when its WebSocket is over, without leaving it; then it is interrupted. Default 5 seconds. */
  readonly afterTimeout?: Duration.Input | undefined
  /** permessage-deflate (RFC 7692), where the peer has it. Default: none. */
  readonly compression?: boolean | Compression | undefined
}

/** The same, with nothing left open. */
export interface Limits {
  readonly messageBytesMax: number
  readonly fragmentsMax: number
  readonly receiveBytesMax: number
  readonly closeTimeout: Duration.Input
  readonly afterTimeout: Duration.Input
  readonly compression:
    | Required<{ readonly [K in keyof Compression]: NonNullable<Compression[K]> }>
    | undefined
}

export const make = (options: Options): Limits => {
  const { compression = false } = options
  const asked = compression === true ? {} : compression
  return {
    messageBytesMax: options.messageBytesMax ?? 1_048_576,
    fragmentsMax: options.fragmentsMax ?? 16_384,
    receiveBytesMax: options.receiveBytesMax ?? 65_536,
    closeTimeout: options.closeTimeout ?? "5 seconds",
    afterTimeout: options.afterTimeout ?? "5 seconds",
    compression:
      asked === false
        ? undefined
        : {
            thresholdBytes: asked.thresholdBytes ?? 1_024,
            contextTakeover: asked.contextTakeover ?? false,
            level: asked.level ?? 6,
            concurrency: asked.concurrency ?? 10
          }
  }
}
