/** The body of a request: read once, within a limit, at the reader's pace. */
import type { Readable } from "node:stream"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"

/** Why a body could not be had. */
export class BodyError extends Data.TaggedError("BodyError")<{
  readonly reason: "BodyTooLarge" | "Parse"
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return this.detail
  }
}

/** Of an unread body, what is thrown away so that the connection can go on. With more it is closed. */
export const discardBytesMax = 262_144

/** Whose body it is. */
export interface BodyHost {
  /** Whether all of it has come; a stream of HTTP/2 ends in any case. */
  readonly isBodyComplete: boolean
  /** Says `100 Continue`, where the peer waits for it. */
  readonly sayContinue: () => void
}

export class NodeHttpBody {
  private readonly host: BodyHost
  private readonly message: Readable
  /** What the header tells; undefined: it is over when it ends. */
  readonly length: number | undefined
  private bytes = 0

  constructor(host: BodyHost, message: Readable, length: number | undefined) {
    this.host = host
    this.message = message
    this.length = length
  }

  /** What is still to come of a body of known length. */
  get rest(): number {
    return this.host.isBodyComplete ? 0 : (this.length ?? 0) - this.bytes
  }

  /** All of it. */
  whole(max: number): Effect.Effect<Uint8Array<ArrayBuffer>, BodyError> {
    return Effect.callback((resume) => {
      const refused = this.refuse(max)
      if (refused !== undefined) return resume(Effect.fail(refused))
      const { message } = this
      if (this.length === 0) return resume(Effect.succeed(new Uint8Array(0)))
      if (message.readableEnded) return resume(Effect.fail(readAlready()))
      if (message.destroyed) return resume(Effect.fail(cutOff(message.errored)))
      const pieces: Array<Uint8Array> = []
      const stop = () => {
        message.off("data", onData).off("end", onEnd).off("close", onClose)
      }
      const onData = (bytes: Uint8Array) => {
        this.bytes += bytes.length
        if (this.bytes <= max) return void pieces.push(bytes)
        stop()
        message.pause()
        resume(Effect.fail(tooLarge(max)))
      }
      const onEnd = () => {
        stop()
        resume(
          this.host.isBodyComplete ? Effect.succeed(joined(pieces)) : Effect.fail(cutOff(message.errored))
        )
      }
      const onClose = () => {
        stop()
        resume(Effect.fail(cutOff(message.errored)))
      }
      message.on("data", onData).on("end", onEnd).on("close", onClose)
      if (message.isPaused()) message.resume()
      this.host.sayContinue()
      return Effect.sync(() => {
        stop()
        message.pause()
      })
    })
  }

  /** Piece by piece; the peer waits while nobody asks for the next. */
  pieces(max: number): Stream.Stream<Uint8Array, BodyError> {
    return Stream.fromPull(
      Effect.suspend((): Effect.Effect<Pull.Pull<readonly [Uint8Array], BodyError>, BodyError> => {
        const refused = this.refuse(max)
        if (refused !== undefined) return Effect.fail(refused)
        if (this.length === 0) return Effect.succeed(Cause.done())
        if (this.message.readableEnded) return Effect.fail(readAlready())
        this.host.sayContinue()
        return Effect.succeed(this.pull(max))
      })
    )
  }

  private pull(max: number): Pull.Pull<readonly [Uint8Array], BodyError> {
    const { message } = this
    return Effect.callback((resume) => {
      const stop = () => {
        message.off("readable", look).off("end", look).off("close", look)
      }
      const settle = (effect: Pull.Pull<readonly [Uint8Array], BodyError>) => {
        stop()
        resume(effect)
      }
      const look = () => {
        const bytes = message.read() as Uint8Array | null
        if (bytes !== null) {
          this.bytes += bytes.length
          settle(this.bytes > max ? Effect.fail(tooLarge(max)) : Effect.succeed([bytes]))
        } else if (message.readableEnded)
          settle(this.host.isBodyComplete ? Cause.done() : Effect.fail(cutOff(message.errored)))
        else if (message.destroyed) settle(Effect.fail(cutOff(message.errored)))
      }
      message.on("readable", look).on("end", look).on("close", look)
      look()
      return Effect.sync(stop)
    })
  }

  /** Known to be too much before a byte of it is read. */
  private refuse(max: number): BodyError | undefined {
    return (this.length ?? 0) > max ? tooLarge(max) : undefined
  }

  /** Throws away what nobody reads any more, and calls if that is too much. */
  discard(onTooMuch: () => void): void {
    const { message } = this
    if (this.host.isBodyComplete || message.destroyed) return
    let bytes = 0
    const onData = (piece: Uint8Array) => {
      bytes += piece.length
      if (bytes <= discardBytesMax) return
      message.off("data", onData)
      message.pause()
      onTooMuch()
    }
    message.removeAllListeners("readable")
    message.on("data", onData)
    message.resume()
  }
}

/** In memory of its own, as Node's parser gives a body that came at once. */
const joined = (pieces: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const [first] = pieces
  if (pieces.length === 1 && first?.length === first?.buffer.byteLength)
    return new Uint8Array(first!.buffer as ArrayBuffer)
  const all = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return new Uint8Array(all.buffer)
}

const tooLarge = (max: number) =>
  new BodyError({ reason: "BodyTooLarge", detail: `the body has more than ${max} bytes, the limit` })
const readAlready = () => new BodyError({ reason: "Parse", detail: "the body was read already" })
const cutOff = (cause: unknown) =>
  new BodyError({ reason: "Parse", detail: "the peer was lost before the end of the body", cause })
