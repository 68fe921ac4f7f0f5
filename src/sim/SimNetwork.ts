/** A network between simulated hosts: `MemoryNetwork` for names, addresses and ports, and links that take time and lose things. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as NetAddress from "effect/net/NetAddress"
import type { MemoryHost } from "../memory/MemoryHost.ts"
import { MemoryNetwork, type Options as MemoryOptions } from "../memory/MemoryNetwork.ts"
import type { Cable, Way } from "../memory/MemoryCable.ts"
import { ResolveError } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { DiskOptions } from "./DiskFaults.ts"
import type { Engine } from "./Engine.ts"
import type { History } from "./History.ts"
import { Link, type LinkOptions } from "./Link.ts"
import * as Nanos from "./Nanos.ts"
import type { Seed } from "./Seed.ts"
import { SimNode } from "./SimNode.ts"
import { SimStream, type StreamSettings } from "./SimStream.ts"
import * as SimTls from "./SimTls.ts"
import { type Draw, drawing, type Spread } from "./Spread.ts"

export interface NetworkOptions extends Pick<
  MemoryOptions,
  "hosts" | "blackHoles" | "staleFiles" | "capacityBytes"
> {
  /** The name of the host that the program itself runs on. Default `world`. */
  readonly name?: string | undefined
  /** What becomes of what is logged: a part of the history, or printed as usual. Default `history`. */
  readonly logs?: "history" | "print" | undefined
  /** What ways between hosts are like, unless told otherwise. */
  readonly link?: LinkOptions | undefined
  /** The same for the way of a host to itself. Default: 10 microseconds, packets of 64 KiB, and nothing is lost. */
  readonly loopback?: LinkOptions | undefined
  /** What the disks of hosts are like. */
  readonly disk?: DiskOptions | undefined
  /** How long asking for a name takes. Default 1 ms. */
  readonly lookUp?: Spread | undefined
  /** How long a TLS handshake takes besides its round trip. Default: 0.5 ms, 1 ms on average. */
  readonly handshake?: Spread | undefined
  /** After so long without an answer a stream gives its connection up. Default 15 minutes (RFC 1122 §4.2.3.5). */
  readonly giveUp?: Duration.Input | undefined
}

const loopbackDefault: LinkOptions = { latency: "10 micros", mtu: 65_536, segmentation: 0 }
const lookUpDefault: Spread = "1 millis"
const handshakeDefault: Spread = { min: "500 micros", mean: "1 millis" }
const callAgainNanos = 1e9
const retransmitNanos = 200e6
const capacityBytesDefault = 65_536

export class SimNetwork implements Cable {
  readonly mayLose = true
  readonly names: MemoryNetwork
  readonly negotiate: Cable["negotiate"]
  readonly lookUp: NonNullable<Cable["lookUp"]>
  /** Hosts that get no answers about names. */
  readonly withoutNames = new Set<MemoryHost>()
  private readonly engine: Engine
  private readonly history: History
  private readonly options: NetworkOptions
  private readonly seed: Seed
  private readonly settings: StreamSettings
  private readonly nodes = new Map<MemoryHost, SimNode>()
  private readonly links = new Map<SimNode, Map<SimNode, Link>>()
  private readonly handshake: Draw
  private connections = 0

  constructor(engine: Engine, history: History, options: NetworkOptions) {
    this.engine = engine
    this.history = history
    this.options = options
    this.handshake = drawing(options.handshake ?? handshakeDefault)
    this.seed = engine.seed.fork("network")
    const { blackHoles, capacityBytes = capacityBytesDefault, hosts, staleFiles } = options
    const millis = () => engine.now / Nanos.perMilli
    this.negotiate = SimTls.negotiate(millis)
    this.settings = {
      capacityBytes,
      retransmitNanos,
      giveUpNanos: Nanos.of(options.giveUp ?? "15 minutes"),
      negotiate: this.negotiate
    }
    this.names = new MemoryNetwork({ blackHoles, capacityBytes, hosts, staleFiles }, undefined, this)
    const lookUpNanos = drawing(options.lookUp ?? lookUpDefault)
    this.lookUp = (host, name) =>
      NetAddress.ipFromString(name)._tag === "Success" || name === "localhost"
        ? Effect.void
        : Effect.flatMap(this.pause(host, lookUpNanos(this.seed)), () =>
            this.withoutNames.has(host) ? Effect.fail(noNames(name)) : Effect.void
          )
  }

  // --- hosts --------------------------------------------------------------------------------------------

  /** The name of the host of the program itself. */
  get main(): string {
    return this.options.name ?? "world"
  }

  /** The node of a host; a name that nobody has yet is a new host. */
  node(name: string): SimNode {
    return this.nodeOf(this.names.host(name))
  }

  private nodeOf(host: MemoryHost): SimNode {
    let node = this.nodes.get(host)
    if (node === undefined) {
      node = new SimNode(this.engine, host, this.options.disk)
      this.nodes.set(host, node)
    }
    return node
  }

  /** Loggers of what runs on a host: into the history, unless it is to be printed. */
  loggers(node: SimNode): ReadonlySet<Logger.Logger<unknown, unknown>> {
    if (this.options.logs === "print") return new Set([Logger.defaultLogger])
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
      const words = Array.isArray(message) ? message.map(String).join(" ") : String(message)
      const { machine } = node
      this.history.record("Log", machine, machine, undefined, 0, `${logLevel.toUpperCase()} ${words}`)
    })
    return new Set([logger])
  }

  get all(): ReadonlyArray<SimNode> {
    return [...this.nodes.values()]
  }

  // --- links --------------------------------------------------------------------------------------------

  link(...args: Parameters<Cable["link"]>): ReturnType<Cable["link"]> {
    const [client, server] = args
    const nodes = [this.nodeOf(client.host), this.nodeOf(server.host)] as const
    const what = `#${++this.connections}`
    return SimStream.link(
      [client, server],
      nodes,
      [this.way(nodes[0], nodes[1]), this.way(nodes[1], nodes[0])],
      this.settings,
      what
    )
  }

  /** The way from one host to another. */
  way(from: SimNode, to: SimNode): Link {
    let links = this.links.get(from)
    if (links === undefined) this.links.set(from, (links = new Map()))
    let link = links.get(to)
    if (link === undefined) {
      const options =
        from === to ? { ...loopbackDefault, ...this.options.loopback } : (this.options.link ?? {})
      const seed = this.seed.fork(`${from.machine.name} to ${to.machine.name}`)
      link = new Link(from, to, options, seed, this.history)
      links.set(to, link)
    }
    return link
  }

  /** All that somebody has used so far. */
  get allLinks(): ReadonlyArray<Link> {
    return [...this.links.values()].flatMap((links) => [...links.values()])
  }

  private linkOf({ from, to }: Way): Link {
    return this.way(this.nodeOf(from), this.nodeOf(to))
  }

  // --- what goes over them ------------------------------------------------------------------------------

  /** A SYN, and with TLS a ClientHello besides; sent again until somebody hears it. */
  readonly ask: Cable["ask"] = (way, caller, arrive) => {
    const link = this.linkOf(way)
    const back = this.linkOf({ from: way.to, to: way.from })
    const { machine } = link.from
    let tries = 0
    let next = machine.plan(0, () => call())
    const call = (): void => {
      if (link.rejections.size > 0) return caller.refuse(noRoute())
      const nanos = link.carry(0)
      link.tell("Call", nanos, 0, caller.hello === undefined ? "" : "with TLS")
      const more = nanos === undefined || caller.hello === undefined ? 0 : this.handshakeNanos(link, back)
      if (nanos === undefined || more === undefined) {
        next = machine.plan(callAgainNanos * 2 ** tries++, call)
        return
      }
      next = link.to.port.plan(nanos + more, () => {
        if (!link.to.isDown) return arrive()
        next = machine.plan(callAgainNanos * 2 ** tries++, call)
      })
    }
    return () => this.engine.cancel(next)
  }

  /** The SYN's answer, the ClientHello, and what both sides compute. */
  private handshakeNanos(link: Link, back: Link): number | undefined {
    const answer = back.carry(0)
    const hello = link.carry(0)
    if (answer === undefined || hello === undefined) return undefined
    return answer + hello + this.handshake(this.seed)
  }

  readonly answer: Cable["answer"] = (way, loop, arrive) => {
    const link = this.linkOf(way)
    const giveUpNanos = 60e9
    const send = (wait: number): void => {
      if (link.from.isDown) return
      const nanos = link.carry(0)
      if (nanos === undefined) {
        if (wait < giveUpNanos) link.from.machine.plan(wait, () => send(wait * 2))
        return
      }
      link.to.port.plan(nanos, () => {
        if (!link.to.isDown) loop.post(arrive)
      })
    }
    send(callAgainNanos)
  }

  readonly toss: Cable["toss"] = (way, parcel, arrive) => {
    const link = this.linkOf(way)
    const { length } = parcel.bytes
    const copies = link.carryDatagram(length)
    const what = `:${parcel.from.port} to :${parcel.to.port}`
    if (copies.length === 0) return link.tell("Datagram", undefined, length, what)
    for (const nanos of copies) {
      link.tell("Datagram", nanos, length, what)
      link.to.port.plan(nanos, () => {
        if (!link.to.isDown) arrive()
      })
    }
  }

  private pause(host: MemoryHost, nanos: number): Effect.Effect<void> {
    const { machine } = this.nodeOf(host)
    return Effect.callback((resume) => {
      const moment = machine.plan(nanos, () => resume(Effect.void))
      return Effect.sync(() => this.engine.cancel(moment))
    })
  }
}

const noRoute = () => new Reason.NoRoute({ detail: "there is no way to that host", errno: "EHOSTUNREACH" })

const noNames = (name: string) =>
  new ResolveError({
    name,
    reason: new Reason.ResolverFailed({ detail: "no answer about names", errno: "EAI_AGAIN" })
  })
