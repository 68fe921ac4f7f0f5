/**
 * Asks whose connection it is (RFC 1413). Twisted: `ident.IdentClient`.
 *
 * The answer is what the other machine says, no more: it is for logs, never for deciding who may do what.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type { FramingError } from "../framing/FramingError.ts"
import * as Lines from "../framing/Lines.ts"
import * as Client from "../protocol/Client.ts"
import * as Endpoint from "../reactor/Endpoint.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ConnectError, TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as IdentError from "./IdentError.ts"
import * as IdentWire from "./IdentWire.ts"

export interface Options {
  /** From connecting to the answer. Default 30 seconds (RFC 1413 4 allows no less). */
  readonly timeout?: Duration.Input | undefined
}

export type Failure = IdentError.IdentError | FramingError | TransportError

const failed = (reason: IdentError.IdentReason) => new IdentError.IdentError({ operation: "ask", reason })

const reasonOf = (error: string): IdentError.IdentReason => {
  switch (error) {
    case "NO-USER":
      return new IdentError.NoUser()
    case "INVALID-PORT":
      return new IdentError.InvalidPort({ fault: "Remote" })
    case "HIDDEN-USER":
      return new IdentError.HiddenUser()
    default:
      return new IdentError.UnknownError({ error })
  }
}

/** Questions over one connection, one after another. */
export const make = (transport: Transport) => {
  const lines = Lines.make(transport, { anyNewline: true, lineBytesMax: IdentWire.lineBytesMax })
  return {
    /** Whose connection it is. The server refusing to tell is an `IdentError`. Twisted: `lookup`. */
    query: Effect.fnUntraced(function* (asked: IdentWire.Query): Effect.fn.Return<IdentWire.UserId, Failure> {
      yield* lines.send(yield* Effect.fromResult(IdentWire.formatQuery(asked)))
      const line = yield* Effect.catchTag(lines.receive, "Done", () =>
        Effect.fail(
          failed(new IdentError.Malformed({ detail: "the connection was closed without an answer" }))
        )
      )
      const { answer, query } = yield* Effect.fromResult(IdentWire.parseAnswer(line))
      if (query.portOnServer !== asked.portOnServer || query.portOnClient !== asked.portOnClient) {
        return yield* failed(new IdentError.Malformed({ detail: `an answer to another query: ${line}` }))
      }
      return answer._tag === "UserId" ? answer : yield* failed(reasonOf(answer.error))
    })
  }
}

/** Connects, asks, and closes. */
export const ask = (
  endpoint: Endpoint.Client,
  query: IdentWire.Query,
  options: Options = {}
): Effect.Effect<IdentWire.UserId, Failure | ConnectError, Reactor> => {
  const { timeout = "30 seconds" } = options
  return Effect.scoped(
    Effect.flatMap(Client.connect(endpoint), (transport) => make(transport).query(query))
  ).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(failed(new IdentError.TimedOut({ millis: Duration.toMillis(timeout) })))
    })
  )
}

/** A service that asks the peers of connections. */
export class IdentClient extends Context.Service<
  IdentClient,
  {
    /** Who has the other end of this connection, by what its machine says. Without a reply there is nobody to believe anyway. */
    readonly identify: (
      connection: Pick<Transport, "local" | "peer">
    ) => Effect.Effect<IdentWire.UserId, Failure | ConnectError>
  }
>()("spindle/ident/IdentClient") {}

export interface LayerOptions extends Options {
  /** The port that is asked. Default 113. */
  readonly port?: number | undefined
}

export const layer = (options: LayerOptions = {}): Layer.Layer<IdentClient, never, Reactor> =>
  Layer.effect(
    IdentClient,
    Effect.map(Reactor, (reactor) => ({
      identify: Effect.fn("IdentClient.identify")(function* ({ local, peer }) {
        if (!NetAddress.isInetAddress(local) || !NetAddress.isInetAddress(peer)) {
          return yield* failed(new IdentError.InvalidPort({ fault: "Local" }))
        }
        // The other machine knows the connection by both of its addresses: it must be asked from the same one.
        const [theirs, ours] = [peer.address, local.address].map((address) =>
          NetAddress.formatIp(NetAddress.toCanonical(address))
        )
        const endpoint = Endpoint.tcpClient({
          host: theirs!,
          port: options.port ?? 113,
          bindAddress: { address: ours! }
        })
        const query = { portOnServer: peer.port, portOnClient: local.port }
        return yield* Effect.provideService(ask(endpoint, query, options), Reactor, reactor)
      })
    }))
  )
