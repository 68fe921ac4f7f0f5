/**
 * A kind of endpoint as somebody else might write one, of public parts only: names within this process, `switchboard:NAME`,
 * where streams are passed from hand to hand.
 */
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as NodeDuplex from "../../src/node/NodeDuplex.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointArgument from "../../src/reactor/EndpointArgument.ts"
import * as EndpointScheme from "../../src/reactor/EndpointScheme.ts"
import { ConnectError, ListenError } from "../../src/reactor/ReactorError.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import { StreamListener } from "../../src/reactor/StreamListener.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import { duplexPair } from "./duplexPair.ts"

const exchange = new Map<string, Board>()

class Board extends StreamListener {
  readonly address: NetAddress.SocketAddress
  private readonly name: string
  private readonly options: Endpoint.ListenOptions
  private readonly leaving = new Set<Fiber.Fiber<void>>()

  constructor(name: string, options: Endpoint.ListenOptions) {
    super({ endpoint: describe(name), waitingMax: options.backlog ?? 10 })
    this.name = name
    this.options = options
    this.address = NetAddress.unixPathAddress(name)
    exchange.set(name, this)
  }

  ring(stream: Duplex): Effect.Effect<void> {
    const { address: local, options } = this
    return Effect.map(NodeDuplex.closeableFromDuplex(stream, { ...options, local }), (transport) =>
      this.deliver(transport)
    )
  }

  protected discard(transport: Closeable): void {
    const fiber = Effect.runFork(Effect.andThen(transport.abort, transport.close))
    this.leaving.add(fiber)
    fiber.addObserver(() => this.leaving.delete(fiber))
  }

  protected release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      exchange.delete(this.name)
      return Effect.suspend(() => Fiber.awaitAll([...this.leaving]))
    })
  }
}

const describe = (name: string): string => `switchboard:${name}`

export const server = (name: string, options: Endpoint.ListenOptions = {}): Endpoint.CustomServer =>
  Endpoint.custom({
    description: describe(name),
    listen: Effect.acquireRelease(
      Effect.suspend(() =>
        exchange.has(name)
          ? Effect.fail(
              new ListenError({
                endpoint: describe(name),
                reason: new Reason.AddressInUse({ detail: "somebody has this name" })
              })
            )
          : Effect.succeed(new Board(name, options))
      ),
      (board) => board.stop
    )
  })

export const client = (name: string, options: Endpoint.StreamOptions = {}): Endpoint.CustomClient =>
  Endpoint.customClient({
    description: describe(name),
    connect: Effect.suspend(() => {
      const board = exchange.get(name)
      if (board === undefined) {
        const reason = new Reason.Refused({ detail: "nobody has this name" })
        return Effect.fail(new ConnectError({ endpoint: describe(name), reason }))
      }
      const [ours, theirs] = duplexPair()
      return Effect.tap(NodeDuplex.fromDuplex(ours, { ...options, peer: board.address }), () =>
        board.ring(theirs)
      )
    })
  })

const name = {
  kind: EndpointArgument.text,
  placeholder: "NAME",
  position: 0,
  required: true,
  doc: "the name to be known by"
} as const

export const scheme: EndpointScheme.EndpointScheme = EndpointScheme.make({
  name: "switchboard",
  server: EndpointScheme.form({
    arguments: {
      name,
      backlog: { kind: EndpointArgument.count, doc: "calls that may wait; default 10" }
    },
    make: ({ name, ...options }) => server(name, options)
  }),
  client: EndpointScheme.form({ arguments: { name }, make: ({ name }) => client(name) })
})
