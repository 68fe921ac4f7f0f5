import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as HappyEyeballs from "../reactor/HappyEyeballs.ts"
import { ConnectError, type ConnectReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Transport } from "../reactor/Transport.ts"
import { MemoryCall, type Target, timedOut } from "./MemoryCall.ts"
import { destination, lockProblem, type MemorySite, pathProblem, portProblem, resolve } from "./MemorySite.ts"
import * as MemoryTls from "./MemoryTls.ts"
import { limitsOf, MemoryTransport } from "./MemoryTransport.ts"

type Inet = Endpoint.TcpClient | Endpoint.TlsClient
type Built = Inet | Endpoint.UnixClient

const timeoutDefault = 30_000

/** Connects; the scope's end closes the connection. */
export const connect = Effect.fn("MemoryReactor.connect")(function* (
  site: MemorySite,
  endpoint: Built
): Effect.fn.Return<Transport, ConnectError, Scope.Scope> {
  const scope = yield* Effect.scope
  const connecting = new Connecting(site, endpoint)
  return yield* Effect.uninterruptibleMask((restore) =>
    restore(connecting.open).pipe(
      Effect.onExit((exit) => connecting.keepOnly(Exit.isSuccess(exit) ? exit.value : undefined)),
      Effect.mapError((reason) => connecting.error(reason)),
      Effect.tap((transport) => Scope.addFinalizer(scope, transport.close))
    )
  )
})

/** One call of `connect`: what it has made so far, and what it has tried. */
class Connecting {
  private readonly site: MemorySite
  private readonly endpoint: Built
  private readonly timeout: number
  private readonly tried = new HappyEyeballs.Tried()
  private readonly made: Array<MemoryTransport> = []

  constructor(site: MemorySite, endpoint: Built) {
    this.site = site
    this.endpoint = endpoint
    this.timeout = endpoint.timeout === undefined ? timeoutDefault : Duration.toMillis(endpoint.timeout)
  }

  get open(): Effect.Effect<MemoryTransport, ConnectReason> {
    const { endpoint } = this
    if (endpoint._tag !== "UnixClient") return this.reach(endpoint)
    const problem = pathProblem(endpoint.path) ?? lockProblem(this.site, endpoint)
    return problem === undefined
      ? this.call({ _tag: "Unix", path: endpoint.path }, this.timeout)
      : Effect.fail(problem)
  }

  /** Drops all that was made, but for this one: an attempt may be given up in the turn it succeeds. */
  keepOnly(transport: MemoryTransport | undefined): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const made of this.made) if (made !== transport) made.discard()
    })
  }

  error(reason: ConnectReason): ConnectError {
    const { attempts } = this.tried
    const endpoint = EndpointFormat.format(this.endpoint)
    return new ConnectError({ endpoint, reason, attempts: attempts.length === 0 ? undefined : [...attempts] })
  }

  /** The host's addresses, whichever answers first. */
  private reach(endpoint: Inet): Effect.Effect<MemoryTransport, ConnectReason> {
    const { bindAddress, host, port } = endpoint
    const problem = portProblem(port) ?? portProblem(bindAddress?.port ?? 0)
    if (problem !== undefined) return Effect.fail(problem)
    const local = this.localAddress(bindAddress?.address)
    if (Result.isFailure(local)) return Effect.fail(local.failure)
    const from = local.success
    // From a local address only its own family can be reached.
    const family = from && NetAddress.familyOf(from)
    return resolve(this.site)(host, { family }).pipe(
      Effect.mapError(({ reason }) => reason),
      Effect.flatMap((addresses) =>
        this.race(
          endpoint,
          Arr.map(HappyEyeballs.order(addresses), (address) => ({
            _tag: "Inet",
            to: NetAddress.inetAddressUnsafe(destination(address), port),
            from,
            fromPort: bindAddress?.port ?? 0
          }))
        )
      )
    )
  }

  private localAddress(
    name: string | undefined
  ): Result.Result<NetAddress.IpAddress | undefined, Reason.InvalidAddress> {
    if (name === undefined) return Result.succeed(undefined)
    const found = this.site.network.lookUp(name)
    return found === undefined
      ? Result.fail(new Reason.InvalidAddress({ detail: `"${name}" is no address to come from` }))
      : Result.succeed(found[0])
  }

  private race(
    { attemptDelay }: Inet,
    targets: Arr.NonEmptyReadonlyArray<InetTarget>
  ): Effect.Effect<MemoryTransport, ConnectReason> {
    if (targets.length === 1) return this.attempt(targets[0], this.timeout)
    // The handshake is part of a call here. Its failure ends the race all the same: the connection was made.
    const attempt = (target: InetTarget) =>
      Effect.catchTag(this.attempt(target, Number.POSITIVE_INFINITY), "HandshakeFailed", Effect.succeed)
    return HappyEyeballs.race(targets, attempt, {
      attemptDelay,
      discard: (made) => Effect.sync(() => (made instanceof MemoryTransport ? made.discard() : undefined))
    }).pipe(
      Effect.flatMap((made) =>
        made instanceof MemoryTransport ? Effect.succeed(made) : Effect.fail<ConnectReason>(made)
      ),
      Effect.timeoutOrElse({ duration: this.timeout, orElse: () => Effect.fail(timedOut()) })
    )
  }

  private attempt(target: InetTarget, timeout: number): Effect.Effect<MemoryTransport, ConnectReason> {
    return this.tried.at(target.to, this.call(target, timeout))
  }

  private call(target: Target, timeout: number): Effect.Effect<MemoryTransport, ConnectReason> {
    const { endpoint, site } = this
    return Effect.callback((resume) => {
      const call = new MemoryCall({
        site,
        target,
        hello: endpoint._tag === "TlsClient" ? MemoryTls.clientHello(endpoint.tls, endpoint.host) : undefined,
        timeout,
        onFailed: (reason) => resume(Effect.fail(reason)),
        onConnected: (stream, security) => {
          const transport = new MemoryTransport(stream, limitsOf(endpoint), security)
          this.made.push(transport)
          resume(Effect.succeed(transport))
        }
      })
      call.start()
      return Effect.sync(() => call.giveUp())
    })
  }
}

type InetTarget = Extract<Target, { readonly _tag: "Inet" }>
