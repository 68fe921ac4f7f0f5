import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import type { Datagram, Message } from "../../reactor/Datagram.ts"
import * as Endpoint from "../../reactor/Endpoint.ts"
import { Reactor } from "../../reactor/Reactor.ts"
import { DatagramError } from "../../reactor/ReactorError.ts"
import type { Resources } from "./Case.ts"
import { text } from "./bytes.ts"
import { equal, failureOf, that } from "./check.ts"

/** The datagram ports of a reactor, over one family of addresses. */
export interface DatagramSubject {
  readonly name: string
  readonly layer: Layer.Layer<Reactor, unknown>
  /** An address of this machine that needs no network: `127.0.0.1`, `::1`. */
  readonly interface: string
  /** Left out where ports cannot join groups. */
  readonly multicast?: MulticastSubject | undefined
  readonly resources?: Resources | undefined
}

export interface MulticastSubject {
  /** Two groups that nobody else on this machine is in. */
  readonly groups: readonly [string, string]
  /** The interface to join on and to send by. */
  readonly interface: string
  /** Switching loopback off keeps datagrams from members on this machine: not so on a loopback interface itself. Default `false`. */
  readonly loopback?: boolean | undefined
  /** A port hears no group but those that it is in itself. Default `false`: Linux gives a port what any port of the machine is in. */
  readonly membersOnly?: boolean | undefined
}

export type DatagramNeed = "multicast" | "loopback" | "membersOnly"

const has = ({ multicast }: DatagramSubject, need: DatagramNeed): boolean =>
  multicast !== undefined && (need === "multicast" || multicast[need] === true)

/** What `subject` lacks for a case. */
export const missingFor = (subject: DatagramSubject, { needs }: DatagramCase): ReadonlyArray<DatagramNeed> =>
  needs.filter((need) => !has(subject, need))

/** What a case does it with. */
export interface Ports {
  readonly family: NetAddress.IpFamily
  readonly interface: string
  /** Opens a port at `interface`; the scope's end closes it. */
  readonly open: (options?: Options) => ReturnType<Reactor["Service"]["datagram"]>
  /** An address of the port of that number at `interface`. */
  readonly at: (port: number, host?: string) => NetAddress.InetAddress
}

type Options = Partial<Omit<Endpoint.Udp, "_tag">>

export interface DatagramCase {
  readonly name: string
  readonly needs: ReadonlyArray<DatagramNeed>
  readonly run: (subject: DatagramSubject) => Effect.Effect<void, unknown, Reactor | Scope.Scope>
}

const portsOf = (subject: DatagramSubject) =>
  Effect.map(Reactor, (reactor): Ports => {
    const address = NetAddress.ipFromStringUnsafe(subject.interface)
    return {
      family: NetAddress.familyOf(address),
      interface: subject.interface,
      open: (options) => reactor.datagram(Endpoint.udp({ interface: subject.interface, ...options })),
      at: (port, host = subject.interface) => NetAddress.inetAddressFromIpStringUnsafe(host, port)
    }
  })

/** A check of datagram ports. */
export const datagramCase = (
  name: string,
  run: (ports: Ports) => Effect.Effect<void, unknown, Scope.Scope>
): DatagramCase => ({ name, needs: [], run: (subject) => Effect.flatMap(portsOf(subject), run) })

/** A check of groups. */
export const multicastCase = (
  name: string,
  run: (ports: Ports, multicast: MulticastSubject) => Effect.Effect<void, unknown, Scope.Scope>,
  ...needs: ReadonlyArray<DatagramNeed>
): DatagramCase => ({
  name,
  needs: ["multicast", ...needs],
  run: (subject) => Effect.flatMap(portsOf(subject), (ports) => run(ports, subject.multicast!))
})

// --- what cases say -------------------------------------------------------------------------------------

export const portOf = ({ local }: Datagram): number => {
  that(NetAddress.isInetAddress(local), "the port's address has no number")
  return local.port
}

/** The next batch: a port never ends cleanly. */
export const receive = (port: Datagram): Effect.Effect<ReadonlyArray<Message>, DatagramError> =>
  Pull.catchDone(port.receive, () => Effect.die("a port has no end of input"))

/** Receives until `count` datagrams are there. */
export const collect = Effect.fnUntraced(function* (port: Datagram, count: number) {
  const all: Array<Message> = []
  while (all.length < count) all.push(...(yield* receive(port)))
  equal(all.length, count, "datagrams received")
  return all
})

export const texts = (batch: ReadonlyArray<Message>): string =>
  batch.map(({ bytes }) => text(bytes)).join(" ")

/** The next datagrams carry these words. */
export const hears = (port: Datagram, expected: string, what: string) =>
  Effect.map(collect(port, expected.split(" ").length), (batch) => {
    equal(texts(batch), expected, what)
    return batch
  })

/** `effect` fails with a `DatagramError` of that operation and reason. */
export const datagramFails = <R>(
  effect: Effect.Effect<unknown, unknown, R>,
  operation: DatagramError["operation"],
  tag: DatagramError["reason"]["_tag"],
  what: string
): Effect.Effect<DatagramError, never, R> =>
  Effect.map(failureOf(effect, what), (error) => {
    that(error instanceof DatagramError, `${what}: expected a DatagramError, got ${String(error)}`)
    equal<string>(error.operation, operation, `${what}: the operation`)
    equal<string>(error.reason._tag, tag, `${what}: the reason`)
    return error
  })

/** `count` datagrams that carry their numbers. */
export const numbered = (count: number, peer: NetAddress.SocketAddress | undefined, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ bytes: String(from + i), peer }))

/** The numbers that a batch carries. */
export const numbersOf = (batch: ReadonlyArray<Message>) => batch.map(({ bytes }) => Number(text(bytes)))

/** They count from 0. */
export const inOrder = (numbers: ReadonlyArray<number>, what: string) => {
  numbers.forEach((number, i) => equal(number, i, `${what}, number ${i}`))
}
