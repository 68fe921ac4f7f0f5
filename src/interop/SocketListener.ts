import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import { StreamListener } from "../reactor/StreamListener.ts"
import type { Closeable } from "../reactor/Transport.ts"
import type { ListenerOptions } from "./EndpointSocketServer.ts"
import * as TransportSocket from "./TransportSocket.ts"

const waitingMaxDefault = 511

type Run = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** The connections of a `SocketServer`. Its `run` goes on until the listener has stopped and the last of them is gone. */
export class SocketListener extends StreamListener {
  private readonly server: SocketServer.SocketServer["Service"]
  private readonly options: ListenerOptions
  private readonly run: Run
  private serving: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private ended = false
  private open = 0

  static make(
    server: SocketServer.SocketServer["Service"],
    options: ListenerOptions
  ): Effect.Effect<SocketListener> {
    return Effect.map(Effect.context<never>(), (context) => {
      const listener = new SocketListener(server, options, Effect.runForkWith(context))
      listener.serve()
      return listener
    })
  }

  private constructor(server: SocketServer.SocketServer["Service"], options: ListenerOptions, run: Run) {
    super({
      endpoint: options.description ?? "socket server",
      waitingMax: options.backlog ?? waitingMaxDefault
    })
    this.server = server
    this.options = options
    this.run = run
  }

  get address(): NetAddress.SocketAddress {
    return this.server.address
  }

  private serve(): void {
    const serving = this.run(this.server.run((socket) => this.accept(socket)))
    this.serving = serving
    // A server that fails accepts no more.
    serving.addObserver(() => this.run(this.stop))
  }

  /** Lasts as long as the connection: some servers close what a handler leaves. */
  private accept(socket: Socket.Socket): Effect.Effect<void> {
    return Effect.uninterruptibleMask((restore) => {
      this.open++
      return TransportSocket.closeableFromSocket(socket, {
        ...this.options,
        local: this.server.address
      }).pipe(
        Effect.flatMap((transport) => {
          this.deliver(transport)
          return Effect.onInterrupt(restore(Effect.exit(transport.closed)), () =>
            Effect.andThen(transport.abort, transport.close)
          )
        }),
        Effect.exit,
        Effect.andThen(
          Effect.sync(() => {
            this.open--
            this.leave()
          })
        )
      )
    })
  }

  private leave(): void {
    if (this.ended && this.open === 0) this.serving?.interruptUnsafe()
  }

  protected release(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.ended = true
      this.leave()
    })
  }

  protected discard(transport: Closeable): void {
    this.run(Effect.andThen(transport.abort, transport.close))
  }
}
