/** Asks finger servers (RFC 1288). What comes back is safe to print, unless it was asked for otherwise. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Client from "../protocol/Client.ts"
import * as Endpoint from "../reactor/Endpoint.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ConnectError, TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { AnswerTooLong, FingerError, TimedOut, Unaskable } from "./FingerError.ts"
import * as FingerWire from "./FingerWire.ts"

export interface Options {
  /** What is received at most. Default 65,536. */
  readonly answerBytesMax?: number | undefined
  /** From connecting to the last byte. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /** Default `international`. */
  readonly characters?: FingerWire.Characters | undefined
}

export type Failure = FingerError | TransportError

/** One question over a connection that is made for it; it is over then. */
export const query = Effect.fnUntraced(function* (
  transport: Transport,
  asked: FingerWire.Query,
  options: Options = {}
): Effect.fn.Return<string, Failure> {
  const { answerBytesMax = 65_536, characters } = options
  yield* transport.send(`${yield* Effect.fromResult(FingerWire.format(asked))}\r\n`)
  const decoder = new TextDecoder()
  let text = ""
  let bytesLeft = answerBytesMax
  yield* transport.receiveEach((bytes) => {
    bytesLeft -= bytes.length
    if (bytesLeft < 0) return Effect.fail(failed(new AnswerTooLong({ limit: answerBytesMax })))
    text += decoder.decode(bytes, { stream: true })
    return Effect.void
  })
  return FingerWire.clean(text + decoder.decode(), characters)
})

const failed = (reason: FingerError["reason"]) => new FingerError({ operation: "ask", reason })

/** Connects, asks, and closes. */
export const ask = (
  endpoint: Endpoint.Client,
  asked: FingerWire.Query,
  options: Options = {}
): Effect.Effect<string, Failure | ConnectError, Reactor> => {
  const { timeout = "30 seconds" } = options
  return Effect.scoped(
    Effect.flatMap(Client.connect(endpoint), (transport) => query(transport, asked, options))
  ).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(failed(new TimedOut({ millis: Duration.toMillis(timeout) })))
    })
  )
}

/** A service that asks by what people write: `alice@example.org`, `@example.org`, `alice@inside@gateway`. */
export class FingerClient extends Context.Service<
  FingerClient,
  {
    readonly finger: (
      target: string,
      options?: { readonly verbose?: boolean | undefined }
    ) => Effect.Effect<string, Failure | ConnectError>
  }
>()("spindle/finger/FingerClient") {}

export interface LayerOptions extends Options {
  /** Where a host is asked. Default: its port 79, by TCP. */
  readonly endpoint?: ((host: string) => Endpoint.Client) | undefined
}

const usual = (host: string): Endpoint.Client =>
  Endpoint.tcpClient({ host: host.replace(/^\[(.*)\]$/, "$1"), port: 79 })

export const layer = (options: LayerOptions = {}): Layer.Layer<FingerClient, never, Reactor> =>
  Layer.effect(
    FingerClient,
    Effect.map(Reactor, (reactor) => ({
      finger: Effect.fn("FingerClient.finger")(function* (
        target: string,
        { verbose = false }: { readonly verbose?: boolean | undefined } = {}
      ) {
        const { hosts, user } = yield* Effect.mapError(
          Effect.fromResult(FingerWire.parse(target)),
          ({ reason }) =>
            new FingerError({ operation: "format", reason: new Unaskable({ detail: reason.message }) })
        )
        const host = hosts.at(-1)
        if (host === undefined) {
          const detail = `"${target}" names no host to ask: write ${user ?? ""}@host`
          return yield* new FingerError({ operation: "format", reason: new Unaskable({ detail }) })
        }
        const endpoint = (options.endpoint ?? usual)(host)
        const asked = { user, verbose, hosts: hosts.slice(0, -1) }
        return yield* Effect.provideService(ask(endpoint, asked, options), Reactor, reactor)
      })
    }))
  )
