/** Receiving a PROXY header: from whom, by when, and what is behind it goes back. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import type { ProxyOptions } from "./Endpoint.ts"
import type { ProxyHeader } from "./ProxyHeader.ts"
import { headerBytesMaxDefault, ProxyHeaderDecoder } from "./ProxyHeaderDecoder.ts"
import { type ProxyHeaderError, receiving, TimedOut, Untrusted } from "./ProxyHeaderError.ts"
import * as Trust from "./ProxyHeaderTrust.ts"
import { headerBytesLimit, prefixBytes } from "./ProxyHeaderV2.ts"
import type { TransportError } from "./ReactorError.ts"
import type { Transport } from "./Transport.ts"

/** Options that make sense. */
export interface Settings {
  readonly isTrusted: Trust.Trust
  readonly versions: ReadonlyArray<1 | 2>
  readonly headerTimeout: Duration.Duration
  readonly headerBytesMax: number
}

const headerTimeoutDefault = "5 seconds"

/** Fails with what is wrong, for a person. */
export const settings = (options: ProxyOptions): Result.Result<Settings, string> => {
  const {
    headerBytesMax = headerBytesMaxDefault,
    headerTimeout = headerTimeoutDefault,
    versions = [1, 2]
  } = options
  if (
    !Number.isInteger(headerBytesMax) ||
    headerBytesMax < prefixBytes ||
    headerBytesMax > headerBytesLimit
  ) {
    return Result.fail(
      `headerBytesMax must be a whole number from ${prefixBytes} to ${headerBytesLimit}, not ${headerBytesMax}`
    )
  }
  if (versions.length === 0) return Result.fail("versions is empty: no header could be understood")
  return Result.map(Trust.make(options.trusted), (isTrusted) => ({
    isTrusted,
    versions,
    headerTimeout: Duration.fromInputUnsafe(headerTimeout),
    headerBytesMax
  }))
}

/** The header of a connection of which nothing was received yet; what came behind it is handed back to the transport. */
export const receive = (
  transport: Transport,
  settings: Settings
): Effect.Effect<ProxyHeader, ProxyHeaderError | TransportError> =>
  Effect.suspend(() => {
    const { peer } = transport
    if (!settings.isTrusted(peer)) {
      const untrusted = new Untrusted({ section: "5", peer: NetAddress.formatSocketAddress(peer) })
      return Effect.fail(receiving(untrusted))
    }
    const decoder = new ProxyHeaderDecoder(settings)
    return Effect.timeoutOrElse(whole(transport, decoder), {
      duration: settings.headerTimeout,
      orElse: () =>
        Effect.fail(receiving(new TimedOut({ section: "2", bufferedBytes: decoder.bufferedBytes })))
    })
  })

const whole = Effect.fnUntraced(function* (
  transport: Transport,
  decoder: ProxyHeaderDecoder
): Effect.fn.Return<ProxyHeader, ProxyHeaderError | TransportError> {
  const next = Pull.catchDone(transport.receive, () => Effect.fail(decoder.finish()))
  for (;;) {
    const decoded = yield* Effect.fromResult(decoder.push(yield* next))
    if (decoded === undefined) continue
    yield* transport.unread(decoded.rest)
    return decoded.header
  }
})
