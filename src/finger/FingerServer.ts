/**
 * A finger server (RFC 1288): one line in, some lines out, closed. Twisted: `finger.Finger`.
 *
 * By default it tells of people by name, lists nobody, and asks nobody else.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Frames from "../framing/Frames.ts"
import type { FramingError } from "../framing/FramingError.ts"
import * as Lines from "../framing/Lines.ts"
import type { Protocol } from "../protocol/Protocol.ts"
import * as Server from "../protocol/Server.ts"
import * as Timeout from "../protocol/Timeout.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ListenError, TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as FingerClient from "./FingerClient.ts"
import { FingerDirectory } from "./FingerDirectory.ts"
import * as FingerText from "./FingerText.ts"
import * as FingerWire from "./FingerWire.ts"

/** The port that IANA gave it. */
export const port = 79

export interface Options {
  /** Whether a query without a name gets the list of everybody. Default `false`: it is denied (RFC 1288 3.2.2). */
  readonly listing?: boolean | undefined
  /**
   * Where to ask when a query names a host; `undefined` denies it, as all are by default (RFC 1288 3.2.1). Whoever is
   * asked takes us for the one who wants to know: allow hosts that you know, never just any.
   */
  readonly forward?: ((host: string) => Endpoint.Client | undefined) | undefined
  /** The whole conversation. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /** What is said at most; the rest is cut off. Default 65,536. */
  readonly answerBytesMax?: number | undefined
}

/** What runs on a connection. Queries are logged at Debug (RFC 1288 3.2.7). */
export const protocol = (
  options: Options = {}
): Protocol<
  Transport,
  FramingError | TransportError | Timeout.PhaseTimeoutError,
  FingerDirectory | Reactor
> => {
  const { answerBytesMax = 65_536, forward, listing = false, timeout = "30 seconds" } = options

  const ask = (endpoint: Endpoint.Client, query: FingerWire.Query) =>
    FingerClient.ask(endpoint, query, { answerBytesMax, timeout }).pipe(
      Effect.catch((error) =>
        Effect.as(Effect.logDebug("not forwarded", error), "The other host did not answer")
      )
    )

  const answerTo = Effect.fnUntraced(function* (query: FingerWire.Query) {
    const { hosts, user, verbose } = query
    const host = hosts.at(-1)
    if (host !== undefined) {
      const endpoint = forward?.(host)
      return endpoint === undefined
        ? FingerText.forwardingDenied
        : yield* ask(endpoint, { ...query, hosts: hosts.slice(0, -1) })
    }
    const directory = yield* FingerDirectory
    if (user === undefined) {
      return listing ? FingerText.listing(yield* directory.list) : FingerText.listingDenied
    }
    const people = yield* directory.find(user)
    return people.length === 0 ? FingerText.nobody(user) : FingerText.profiles(people, verbose)
  })

  const converse = Effect.fnUntraced(function* (transport: Transport) {
    const lines = Lines.make(transport, { anyNewline: true, lineBytesMax: FingerWire.queryBytesMax })
    const line = yield* Frames.orEnd(lines).pipe(
      Effect.tapErrorTag("FramingError", (error) =>
        transport.send(FingerWire.answer(FingerText.malformed(error.reason.message)))
      )
    )
    if (line === undefined) return
    const query = FingerWire.parse(line)
    yield* Effect.logDebug("finger").pipe(Effect.annotateLogs("query", line))
    const text =
      query._tag === "Failure"
        ? FingerText.malformed(query.failure.reason.message)
        : yield* answerTo(query.success)
    yield* transport.send(cut(FingerWire.answer(text), answerBytesMax))
  })

  return Timeout.over({ total: timeout, sendProgress: timeout })(converse)
}

/** No more than so many bytes, whole characters. */
const cut = (text: string, bytesMax: number): string | Uint8Array => {
  if (text.length * 3 <= bytesMax) return text
  const { read, written } = new TextEncoder().encodeInto(text, new Uint8Array(bytesMax))
  return written < bytesMax && read === text.length ? text : text.slice(0, read)
}

/** A server on an endpoint, for as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Server,
  options: Options & Server.Options = {}
): Layer.Layer<never, ListenError, FingerDirectory | Reactor> =>
  Server.layer(endpoint, protocol(options), { name: "finger", ...options })
