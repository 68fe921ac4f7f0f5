/** What a WebSocket sends: whole messages in one frame each, in the order of the calls. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { TransportError } from "../reactor/ReactorError.ts"
import { sendNow } from "../reactor/sendNow.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Message } from "./NodeWebSocketDecoder.ts"
import { compress, type Deflate } from "./NodeWebSocketDeflate.ts"
import * as Frame from "./NodeWebSocketFrame.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"

/** A message that goes to many: its frame is made once, for all to whom it is sent unmasked. */
export class Prepared {
  readonly message: Message
  private bytes: Uint8Array | undefined = undefined

  constructor(message: Message) {
    this.message = message
  }

  get frame(): Uint8Array {
    return (this.bytes ??= Frame.make(opcodeOf(this.message), this.message, false))
  }
}

const opcodeOf = (message: Message): number =>
  typeof message === "string" ? Frame.opcode.text : Frame.opcode.binary

export class NodeWebSocketSender {
  private readonly transport: Transport
  private readonly isMasked: boolean
  private readonly deflate: Deflate | undefined
  private readonly limits: Limits
  /** With compression, what is sent waits for what is being compressed before it. */
  private readonly lane: Semaphore.Semaphore | undefined

  constructor(transport: Transport, isMasked: boolean, deflate: Deflate | undefined, limits: Limits) {
    this.transport = transport
    this.isMasked = isMasked
    this.deflate = deflate
    this.limits = limits
    this.lane = deflate === undefined ? undefined : Semaphore.makeUnsafe(1)
  }

  private send(bytes: Uint8Array): Effect.Effect<void, TransportError> {
    return sendNow(this.transport, bytes)
  }

  /** What is left to do; `Effect.void` if nothing is. */
  message(message: Message | Prepared): Effect.Effect<void, TransportError> {
    if (message instanceof Prepared) {
      return this.isMasked ? this.message(message.message) : this.inOrder(message.frame)
    }
    const { deflate } = this
    return deflate === undefined || message.length < (this.limits.compression?.thresholdBytes ?? 0)
      ? this.inOrder(Frame.make(opcodeOf(message), message, this.isMasked))
      : this.compressed(deflate, message)
  }

  private compressed(deflate: Deflate, message: Message): Effect.Effect<void, TransportError> {
    return this.lane!.withPermits(1)(
      Effect.flatMap(compress(deflate, message), (bytes) =>
        bytes === undefined
          ? Effect.void
          : this.send(Frame.make(opcodeOf(message), bytes, this.isMasked, true))
      )
    )
  }

  private inOrder(frame: Uint8Array): Effect.Effect<void, TransportError> {
    return this.lane === undefined
      ? this.send(frame)
      : this.lane.withPermits(1)(Effect.suspend(() => this.send(frame)))
  }

  /** Ahead of what waits to be compressed. */
  control(opcode: number, payload: Uint8Array): Effect.Effect<void, TransportError> {
    return this.send(Frame.make(opcode, payload, this.isMasked))
  }

  /** Behind everything. */
  close(code: number | undefined, reason: string): Effect.Effect<void, TransportError> {
    return this.inOrder(Frame.make(Frame.opcode.close, Frame.closePayload(code, reason), this.isMasked))
  }
}
