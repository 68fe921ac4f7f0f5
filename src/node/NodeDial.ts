/** One attempt to connect, at one place. */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { ConnectReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Turn } from "../reactor/Turn.ts"
import * as NodeAddress from "./NodeAddress.ts"

export interface DialOptions<A> {
  readonly place: net.NetConnectOpts
  /** What is sent by whoever goes on in that event leaves at its end. */
  readonly turn: Turn
  /**
   * Gets the socket in the very event in which it is connected, while nothing that it receives can be missed; listens
   * for its errors from then on.
   */
  readonly take: (socket: net.Socket) => A
  readonly reasonOf: (error: unknown) => ConnectReason
}

/** Connects to a socket file or a numeric address. Given up, it leaves nothing. */
export const dial = <A>({ place, reasonOf, take, turn }: DialOptions<A>): Effect.Effect<A, ConnectReason> =>
  Effect.callback<A, ConnectReason>((resume) => {
    let socket: net.Socket
    try {
      socket = net.connect(place)
    } catch (error) {
      return resume(Effect.fail(reasonOf(error)))
    }
    const refuse = (error: unknown) => {
      socket.destroy()
      resume(Effect.fail(reasonOf(error)))
    }
    // An error may come behind the end, and says more.
    const gone = () => setImmediate(refuse, closedByPeer())
    // It stays after a refusal: nobody else listens to an error that comes then.
    socket.on("error", refuse)
    socket.once("close", gone)
    socket.once("connect", () => {
      socket.off("close", gone)
      const taken = take(socket)
      socket.off("error", refuse)
      turn.enter()
      try {
        resume(Effect.succeed(taken))
      } finally {
        turn.leave()
      }
    })
    return Effect.sync(() => socket.destroy())
  })

/** What it means that a socket was closed without an error. */
export const closedByPeer = (): Error =>
  Object.assign(new Error("the peer closed the connection"), { code: "ECONNRESET" })

/** A numeric address, as a value and as Node takes it. */
export interface Place {
  readonly address: NetAddress.InetAddress
  readonly host: string
}

export const placeAt = (address: NetAddress.IpAddress, port: number): Place => ({
  address: NetAddress.inetAddressUnsafe(address, port),
  host: NetAddress.formatIp(address)
})

/** The place that a literal names, an IPv6 zone and all; undefined for anything else. The port must be one. */
export const literalPlace = (
  host: string,
  port: number
): Result.Result<Place, Reason.InvalidAddress> | undefined => {
  if (net.isIPv4(host)) {
    return Result.succeed({ address: NetAddress.inetAddressFromNativeUnsafe(host, port), host })
  }
  if (host.includes("%")) return net.isIPv6(host) ? zonedPlace(host, port) : undefined
  const literal = NetAddress.ipFromString(host)
  return Result.isSuccess(literal) ? Result.succeed(placeAt(literal.success, port)) : undefined
}

const zonedPlace = (host: string, port: number): Result.Result<Place, Reason.InvalidAddress> => {
  const scopeIds = NodeAddress.scopeIds()
  return Result.mapBoth(NetAddress.inetAddressFromHostString(host, port, scopeIds), {
    onSuccess: (address): Place => ({
      address,
      host: NetAddress.formatNativeHost(address, scopeIds, process.platform)
    }),
    onFailure: (cause) =>
      new Reason.InvalidAddress({ detail: cause.message, errno: "ERR_INVALID_IP_ADDRESS", cause })
  })
}
