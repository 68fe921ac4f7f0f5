/** Transports and Effect's sockets (`effect/socket/Socket`), each as the other. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type * as Endpoint from "../reactor/Endpoint.ts"
import { Reactor } from "../reactor/Reactor.ts"
import { ConnectError, type TransportError } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Closeable, Transport } from "../reactor/Transport.ts"
import { CarriedTransport, type Options as CarriedOptions } from "./CarriedTransport.ts"
import type { Carrier } from "./Carrier.ts"
import * as SocketReason from "./SocketReason.ts"
import { upgradeOf } from "./SocketUpgrade.ts"

// --- a transport as a socket ------------------------------------------------------------------------------

export interface SocketOptions {
  /** Which side of TLS `Reader.upgrade` is. Default `client`. */
  readonly tlsRole?: "client" | "server" | undefined
}

/**
 * A socket whose reader, each time it is acquired, gets a connection from `acquire`; the reader's scope is the connection's.
 *
 * - A clean end of input is `SocketCloseError` 1000, a close from our side 1006, a lost connection `SocketReadError` with
 *   the `TransportError` as its cause.
 * - What is written waits for a connection. The end of the writer's scope half-closes. A `CloseEvent` 1000 ends our output and
 *   the reading, any other aborts; both fail the reader with that code.
 */
export const make = <R>(
  acquire: Effect.Effect<Transport, ConnectError | TransportError, R>,
  options: SocketOptions = {}
): Effect.Effect<Socket.Socket, never, Exclude<R, Scope.Scope>> =>
  Effect.map(Effect.context<Exclude<R, Scope.Scope>>(), (context) => {
    const connections = new Connections(Effect.runForkWith(context as Context.Context<never>))
    const reader = Effect.gen(function* () {
      const scope = yield* Effect.scope
      // What else `acquire` needs is that of whoever made the socket.
      const needs = Context.add(context, Scope.Scope, scope) as Context.Context<R>
      const transport = yield* Effect.provideContext(acquire, needs).pipe(
        Effect.mapError(SocketReason.openError)
      )
      return yield* connections.open(transport, scope, options.tlsRole ?? "client")
    })
    return Socket.make({ reader, writer: connections.writer })
  })

/** A socket that connects to the endpoint each time its reader is acquired: to be used again after a loss. */
export const connect = (endpoint: Endpoint.Client): Effect.Effect<Socket.Socket, never, Reactor> =>
  Effect.flatMap(Reactor, (reactor) => make(reactor.connect(endpoint)))

/** `connect` as the `Socket` that clients of Effect (`RpcClient.layerProtocolSocket`) ask for. */
export const layer = (endpoint: Endpoint.Client): Layer.Layer<Socket.Socket, never, Reactor> =>
  Layer.effect(Socket.Socket)(connect(endpoint))

/** One live connection as a socket, to be read once: the end of the reader's scope closes it. */
export const toSocket = (transport: Closeable, options?: SocketOptions): Effect.Effect<Socket.Socket> =>
  make(
    Effect.acquireRelease(Effect.succeed(transport), (transport) => transport.close),
    options
  )

type Run = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
type Batch = NonEmptyReadonlyArray<Uint8Array | string>

/** The connections of one socket, one after another, and its writers, which outlive them. */
class Connections {
  private readonly run: Run
  private readonly connected = Latch.makeUnsafe(false)
  private current: Connection | undefined = undefined

  constructor(run: Run) {
    this.run = run
  }

  open(transport: Transport, scope: Scope.Scope, role: "client" | "server"): Effect.Effect<Socket.Reader> {
    return Effect.suspend(() => {
      const connection = new Connection(transport, role, this.run)
      this.current = connection
      this.connected.openUnsafe()
      const leave = Effect.sync(() => {
        connection.fail(SocketReason.closed(1006))
        if (this.current !== connection) return
        this.current = undefined
        this.connected.closeUnsafe()
      })
      return Effect.as(Scope.addFinalizer(scope, leave), connection)
    })
  }

  private onCurrent<E>(use: (connection: Connection) => Effect.Effect<void, E>): Effect.Effect<void, E> {
    return Effect.suspend(() =>
      this.current === undefined ? this.connected.whenOpen(this.onCurrent(use)) : use(this.current)
    )
  }

  readonly writer: Socket.Socket["writer"] = Effect.acquireRelease(
    Effect.succeed<Socket.Writer>({
      write: (chunk) =>
        this.onCurrent((connection) =>
          Socket.isCloseEvent(chunk) ? connection.close(chunk) : connection.write(chunk)
        ),
      writeAll: (chunks) => this.onCurrent((connection) => connection.writeAll(chunks))
    }),
    () =>
      Effect.suspend(() =>
        this.current === undefined ? Effect.void : Effect.ignore(this.current.transport.end)
      )
  )
}

/** One connection, as its reader and the writers see it. */
class Connection implements Socket.Reader {
  transport: Transport
  private readonly role: "client" | "server"
  private readonly run: Run
  private error: Socket.SocketError | undefined = undefined
  private waiting: ((error: Socket.SocketError) => void) | undefined = undefined
  private upgraded = false

  constructor(transport: Transport, role: "client" | "server", run: Run) {
    this.transport = transport
    this.role = role
    this.run = run
  }

  readonly pull = Effect.callback<Batch, Socket.SocketError>((resume) => {
    if (this.error !== undefined) return resume(Effect.fail(this.error))
    // In a fiber of its own, so that the end of the scope can end the waiting, whoever owns the connection.
    const fiber = this.run(this.transport.receive)
    const done = fiber.pollUnsafe()
    if (done !== undefined) return resume(batchOf(done))
    this.waiting = (error) => {
      fiber.interruptUnsafe()
      resume(Effect.fail(error))
    }
    fiber.addObserver((exit) => {
      this.waiting = undefined
      if (this.error === undefined) resume(batchOf(exit))
    })
    return Effect.sync(() => {
      this.waiting = undefined
      fiber.interruptUnsafe()
    })
  })

  /** Whoever reads, now or later, is told so. */
  fail(error: Socket.SocketError): void {
    this.error ??= error
    const waiting = this.waiting
    this.waiting = undefined
    waiting?.(this.error)
  }

  write(chunk: Uint8Array | string): Effect.Effect<void, Socket.SocketError> {
    return Effect.mapError(this.transport.send(chunk), SocketReason.writeError)
  }

  writeAll(chunks: Batch): Effect.Effect<void, Socket.SocketError> {
    return Effect.forEach(chunks, (chunk) => this.write(chunk), { discard: true })
  }

  close({ code, reason }: Socket.CloseEvent): Effect.Effect<void, Socket.SocketError> {
    return Effect.suspend(() => {
      const left =
        code === 1000 ? Effect.mapError(this.transport.end, SocketReason.writeError) : this.transport.abort
      this.fail(SocketReason.closed(code, reason))
      return left
    })
  }

  readonly upgrade: Socket.Reader["upgrade"] = (options = {}) =>
    Effect.suspend(() => {
      if (this.upgraded || this.error !== undefined) {
        return Effect.fail(SocketReason.upgradeError(new Error("the socket is upgraded or closed already")))
      }
      const upgrade = upgradeOf(this.role, options)
      if (Result.isFailure(upgrade)) {
        return Effect.fail(SocketReason.upgradeError(new Error(upgrade.failure)))
      }
      this.upgraded = true
      return this.transport.startTls(upgrade.success).pipe(
        Effect.map((secured) => {
          this.transport = secured
        }),
        Effect.mapError(SocketReason.upgradeError)
      )
    })
}

const batchOf = (
  exit: Exit.Exit<Uint8Array, TransportError | Cause.Done>
): Exit.Exit<Batch, Socket.SocketError> => {
  if (Exit.isSuccess(exit)) return Exit.succeed([exit.value])
  const found = Cause.findError(exit.cause)
  if (Result.isFailure(found)) return Exit.failCause(found.failure)
  return Exit.fail(
    Cause.isDone(found.success) ? SocketReason.closed(1000) : SocketReason.readError(found.success)
  )
}

// --- a socket as a transport ------------------------------------------------------------------------------

export interface TransportOptions extends CarriedOptions {
  /**
   * Whether bytes can still be sent when the peer has ended its side: the socket must be half-open, and its writes must fail
   * when the peer is gone. Default `false`, as it is for the sockets of `@effect/platform-node`. `true` for those made here.
   */
  readonly halfClose?: boolean | undefined
  /** Its name in errors. Default `socket`. */
  readonly description?: string | undefined
}

/**
 * Opens the socket and gives it as a transport, closed with the scope. Text frames become UTF-8; nothing keeps the bounds of
 * frames. Close code 1000 is a clean end, any other a `Reset`.
 *
 * An Effect socket knows no addresses, and has no reset: `abort` closes it with code 4000, and what a peer sees of that is
 * the socket's affair.
 */
export const fromSocket = (
  socket: Socket.Socket,
  options?: TransportOptions
): Effect.Effect<Transport, ConnectError, Scope.Scope> =>
  Effect.acquireRelease(closeableFromSocket(socket, options), (transport) => transport.close, {
    interruptible: true
  })

/** As `fromSocket`; whoever gets the transport owes its `close`. */
export const closeableFromSocket = (
  socket: Socket.Socket,
  options: TransportOptions = {}
): Effect.Effect<Closeable, ConnectError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const readScope = yield* Scope.make()
      const writeScope = yield* Scope.make()
      const reader = yield* restore(Scope.provide(socket.reader, readScope)).pipe(
        Effect.mapError(
          (error) =>
            new ConnectError({
              endpoint: options.description ?? "socket",
              reason: SocketReason.connectReason(error)
            })
        ),
        Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(readScope, exit)))
      )
      const writer = yield* Scope.provide(socket.writer, writeScope)
      const carrier = carrierOf(reader, writer, readScope, writeScope, options.halfClose ?? false)
      return yield* CarriedTransport.make(carrier, options)
    })
  )

const encoder = new TextEncoder()

/** A WebSocket's codes for applications begin there (RFC 6455 §7.4.2). */
const abortCode = 4000
const abortTimeout = "1 second"
const lingerTimeout = 1_000

const carrierOf = (
  reader: Socket.Reader,
  writer: Socket.Writer,
  readScope: Scope.Closeable,
  writeScope: Scope.Closeable,
  halfClose: boolean
): Carrier => ({
  pull: reader.pull.pipe(
    Effect.map((frames) =>
      frames.map((frame) => (typeof frame === "string" ? encoder.encode(frame) : frame))
    ),
    Effect.mapError((error) => SocketReason.transportReason(error) ?? Cause.Done())
  ),
  write: (bytes) => Effect.mapError(writer.write(bytes), lostReason),
  end: Scope.close(writeScope, Exit.void),
  // Whoever writes to a socket that is not connected waits for it.
  abort: writer
    .write(new Socket.CloseEvent(abortCode, "aborted"))
    .pipe(Effect.timeoutOption(abortTimeout), Effect.exit, Effect.asVoid),
  release: Effect.andThen(Scope.close(writeScope, Exit.void), Scope.close(readScope, Exit.void)),
  halfClose,
  lingerTimeout
})

const lostReason = (error: Socket.SocketError) =>
  SocketReason.transportReason(error) ?? new Reason.Reset({ detail: "the socket was closed" })
