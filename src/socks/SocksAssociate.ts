/**
 * UDP ASSOCIATE: datagrams of one client, passed on as long as its connection lives.
 *
 * Only the client's own address is listened to, from one port; only those whom it has written to can answer. Every
 * datagram is judged by the address that it goes to. Fragments are dropped (RFC 1928 7 allows it).
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Datagram, Message } from "../reactor/Datagram.ts"
import * as Endpoint from "../reactor/Endpoint.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import * as Socks5Wire from "./Socks5Wire.ts"
import type { SocksRules } from "./SocksRules.ts"
import * as SocksTarget from "./SocksTarget.ts"
import type * as SocksWire from "./SocksWire.ts"

/** Peers that may answer; the one that was added first goes first. */
const peersMax = 1_024
/** Names that were looked up lately. */
const namesMax = 64
const nameMillis = 30_000
/** Datagrams for a name that is not known yet wait for it, the others pass: so long, so many names at once, so many datagrams for each. */
const lookupTimeout = "5 seconds"
const lookupsMax = 16
const waitingMax = 16

export interface Association {
  /** Where the client sends its datagrams. */
  readonly address: NetAddress.SocketAddress
  /** Datagrams that were passed on so far, in both directions. */
  readonly passed: () => number
}

/** Opens the ports, and passes on in the background; as long as the scope. */
export const open = Effect.fnUntraced(function* (
  rules: SocksRules["Service"],
  wish: SocksTarget.Wish
): Effect.fn.Return<Association, ListenError | SocksTarget.NotGranted, Reactor | Scope.Scope> {
  const { client, local } = wish
  if (!NetAddress.isInetAddress(client) || !NetAddress.isInetAddress(local)) {
    const detail = "the client has no address for datagrams"
    return yield* new SocksTarget.NotGranted({ code: Socks5Wire.code.commandUnknown, detail })
  }
  const reactor = yield* Reactor
  const scope = yield* Effect.scope
  const inward = yield* reactor.datagram(Endpoint.udp({ interface: NetAddress.formatIp(local.address) }))
  const clientIp = NetAddress.formatIp(NetAddress.toCanonical(client.address))
  /** Where the client sends from: as it said, or as its first datagram tells. */
  let clientPort = wish.port
  let clientPlace: NetAddress.SocketAddress | undefined
  const peers = bounded<true>(peersMax)
  const names = bounded<{ readonly address: NetAddress.IpAddress | undefined; readonly until: number }>(
    namesMax
  )
  /** Data for places that are looked up right now. */
  const lookups = new Map<string, Array<Uint8Array>>()
  const outward = new Map<NetAddress.IpFamily, Datagram>()
  let passed = 0

  const lookUp = (place: SocksWire.Place) =>
    SocksTarget.addressesOf(rules, { ...wish, ...place }).pipe(
      Effect.timeoutOption(lookupTimeout),
      Effect.map((found) => Option.getOrUndefined(found)?.[0]),
      Effect.catchTag("NotGranted", ({ detail }) =>
        Effect.as(Effect.logDebug(`a datagram is not passed on: ${detail}`), undefined)
      )
    )

  const deliver = Effect.fnUntraced(function* (
    address: NetAddress.IpAddress | undefined,
    port: number,
    data: Uint8Array
  ) {
    if (address === undefined) return
    const to = NetAddress.inetAddressUnsafe(NetAddress.toCanonical(address), port)
    const way = yield* outwardOf(NetAddress.familyOf(to))
    peers.set(keyOf(to), true)
    passed++
    yield* Effect.ignore(way.send(data, to))
  })

  /** To the address that the place has, at once where that is known, and else when it is: those behind it do not wait. */
  const passOn = Effect.fnUntraced(function* ({ data, host, port }: Socks5Wire.Datagram) {
    const key = `${typeof host === "string" ? host : NetAddress.formatIp(host)} ${port}`
    const known = names.get(key)
    if (known !== undefined && known.until > (yield* Clock.currentTimeMillis)) {
      return yield* deliver(known.address, port, data)
    }
    const waiting = lookups.get(key)
    if (waiting !== undefined) {
      // The bytes may be a view of what the next datagram is read into.
      if (waiting.length < waitingMax) waiting.push(data.slice())
      return
    }
    if (lookups.size >= lookupsMax) return
    const held = [data.slice()]
    lookups.set(key, held)
    yield* lookUp({ host, port }).pipe(
      Effect.flatMap((address) =>
        Effect.gen(function* () {
          names.set(key, { address, until: (yield* Clock.currentTimeMillis) + nameMillis })
          lookups.delete(key)
          for (const one of held) yield* Effect.ignore(deliver(address, port, one))
        })
      ),
      // A lookup that breaks is one that found nothing.
      Effect.ensuring(Effect.sync(() => lookups.delete(key))),
      Effect.forkIn(scope, { startImmediately: true })
    )
  })

  const back = Effect.fnUntraced(function* ({ bytes, peer }: Message) {
    if (clientPlace === undefined || !NetAddress.isInetAddress(peer) || !peers.has(keyOf(peer))) return
    const { address, port } = NetAddress.toCanonical(peer)
    const datagram = Socks5Wire.formatDatagram({ host: address, port, fragment: 0, data: bytes })
    if (Result.isFailure(datagram)) return
    passed++
    yield* Effect.ignore(inward.send(datagram.success, clientPlace))
  })

  // One at a time: what is looked up may become known at once.
  const opening = Semaphore.makeUnsafe(1)
  const outwardOf = (family: NetAddress.IpFamily) => {
    const open = outward.get(family)
    return open === undefined ? opening.withPermits(1)(openOutward(family)) : Effect.succeed(open)
  }
  const openOutward = Effect.fnUntraced(function* (family: NetAddress.IpFamily) {
    const open = outward.get(family)
    if (open !== undefined) return open
    const opened = yield* reactor.datagram(Endpoint.udp({ interface: family === "IPv4" ? "0.0.0.0" : "::" }))
    outward.set(family, opened)
    yield* passing(opened, back)
    return opened
  })

  const forth = Effect.fnUntraced(function* ({ bytes, peer }: Message) {
    if (!NetAddress.isInetAddress(peer)) return
    if (NetAddress.formatIp(NetAddress.toCanonical(peer.address)) !== clientIp) return
    if (clientPort !== 0 && clientPort !== peer.port) return
    const datagram = Socks5Wire.parseDatagram(bytes)
    if (Result.isFailure(datagram) || datagram.success.fragment !== 0) return
    clientPort = peer.port
    clientPlace = peer
    if (datagram.success.port !== 0) yield* passOn(datagram.success)
  })

  const passing = (
    port: Datagram,
    pass: (message: Message) => Effect.Effect<void, ListenError, Scope.Scope>
  ) =>
    port
      .receiveEach((batch) => Effect.forEach(batch, (one) => Effect.ignore(pass(one)), { discard: true }), {
        // What the network says about one datagram is nothing to the others.
        onError: () => Effect.void
      })
      .pipe(
        Effect.ignore,
        Effect.provideService(Reactor, reactor),
        Effect.forkIn(scope, { startImmediately: true })
      )

  yield* passing(inward, (message) => Effect.provideService(forth(message), Reactor, reactor))
  return { address: inward.local, passed: () => passed }
})

const keyOf = (address: NetAddress.InetAddress): string =>
  NetAddress.formatInet(NetAddress.toCanonical(address))

/** A map that forgets what was added first. */
const bounded = <A>(sizeMax: number) => {
  const map = new Map<string, A>()
  return {
    has: (key: string) => map.has(key),
    get: (key: string) => map.get(key),
    set: (key: string, value: A) => {
      map.delete(key)
      map.set(key, value)
      if (map.size > sizeMax) map.delete(map.keys().next().value!)
    }
  }
}
