/** permessage-deflate (RFC 7692): what is agreed upon, and messages compressed. */
import * as Effect from "effect/Effect"
import { bufferOf } from "./NodeWebSocketFrame.ts"
import { type Deflate, extension, PerMessageDeflate } from "./NodeWebSocketLibrary.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"

export type { Deflate } from "./NodeWebSocketLibrary.ts"

const name = "permessage-deflate"

const make = (limits: Limits, isServer: boolean): Deflate | undefined => {
  const { compression, messageBytesMax } = limits
  if (compression === undefined) return undefined
  return new PerMessageDeflate({
    isServer,
    maxPayload: messageBytesMax,
    threshold: compression.thresholdBytes,
    concurrencyLimit: compression.concurrency,
    // `false` would refuse peers that want none; what is not said takes either.
    ...(compression.contextTakeover ? {} : { serverNoContextTakeover: true, clientNoContextTakeover: true }),
    zlibDeflateOptions: { level: compression.level, memLevel: 7 }
  })
}

/** What came of a header field `Sec-WebSocket-Extensions`. */
export interface Agreement {
  readonly deflate: Deflate | undefined
  /** The field of the answer; undefined: none. */
  readonly field: string | undefined
}

const none: Agreement = { deflate: undefined, field: undefined }

/** A server's side. Offers that cannot be met are passed over (RFC 7692 §5); throws for a field that is none. */
export const accept = (limits: Limits, field: string | undefined): Agreement => {
  if (field === undefined) return none
  const offers = extension.parse(field)[name]
  const deflate = make(limits, true)
  if (deflate === undefined || offers === undefined) return none
  for (const offer of offers) {
    try {
      deflate.accept([offer])
      return { deflate, field: extension.format({ [name]: [deflate.params] }) }
    } catch {
      // There may be another one, for those who cannot meet it.
    }
  }
  return none
}

export interface Offer {
  /** The field of the request; undefined: none. */
  readonly field: string | undefined
  /** What came of it; throws for an answer to what was not offered. */
  readonly answered: (field: string | undefined) => Deflate | undefined
}

/** A client's side. */
export const offer = (limits: Limits): Offer => {
  const deflate = make(limits, false)
  const field = deflate === undefined ? undefined : extension.format({ [name]: [deflate.offer()] })
  const answered = (answer: string | undefined): Deflate | undefined => {
    if (answer === undefined) return undefined
    const found = extension.parse(answer)
    const names = Object.keys(found)
    if (deflate === undefined || names.length !== 1 || names[0] !== name) {
      throw new Error(`the extensions ${names.join(", ")} were not asked for`)
    }
    deflate.accept(found[name]!)
    return deflate
  }
  return { field, answered }
}

/** Undefined: the connection has ended meanwhile. */
export const compress = (
  deflate: Deflate,
  message: string | Uint8Array
): Effect.Effect<Uint8Array | undefined> =>
  Effect.callback((resume) => {
    deflate.compress(bufferOf(message), true, (error, data) =>
      resume(Effect.succeed(error == null ? data : undefined))
    )
  })
