import * as NetAddress from "effect/net/NetAddress"
import type { ConnectReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Caller, Door, MemoryHost } from "./MemoryHost.ts"
import { refused } from "./MemoryListener.ts"
import type { Binding } from "./MemoryPorts.ts"
import { isAbstract, type MemorySite, noRoute } from "./MemorySite.ts"
import type { ClientHello } from "./MemoryTls.ts"
import type { StreamEnd } from "./MemoryCable.ts"

/** One address to try. */
export type Target =
  | { readonly _tag: "Unix"; readonly path: string }
  | {
      readonly _tag: "Inet"
      readonly to: NetAddress.InetAddress
      /** The local end, where it was asked for. */
      readonly from: NetAddress.IpAddress | undefined
      readonly fromPort: number
    }

export interface CallOptions {
  readonly site: MemorySite
  readonly target: Target
  readonly hello: ClientHello | undefined
  /** Milliseconds until it fails, where an answer may never come. */
  readonly timeout: number
  readonly onConnected: (stream: StreamEnd, security: Tls.Security) => void
  readonly onFailed: (reason: ConnectReason) => void
}

/**
 * One attempt to connect, at one address. Each question and each answer is an event. The clock is asked only where an
 * answer may never come.
 */
export class MemoryCall {
  private readonly options: CallOptions
  private over = false
  private connected: StreamEnd | undefined = undefined
  private binding: Binding<Door | undefined> | undefined = undefined
  private leave: (() => void) | undefined = undefined
  private stopTimer: (() => void) | undefined = undefined

  constructor(options: CallOptions) {
    this.options = options
  }

  start(): void {
    this.options.site.loop.post(() => {
      if (!this.over) this.call()
    })
  }

  /** Interrupted. */
  giveUp(): void {
    this.end()
    this.connected?.reset()
  }

  private call(): void {
    const { target } = this.options
    const problem = target._tag === "Unix" ? this.callUnix(target.path) : this.callInet(target)
    if (problem !== undefined) this.failed(problem)
  }

  private callUnix(path: string): ConnectReason | undefined {
    const { host, network } = this.options.site
    const door = host.unix.get(path)
    if (door === undefined) return isAbstract(path) || network.isStale(path) ? refused() : noSuchFile()
    door.knock(this.caller(host, unnamed, NetAddress.unixPathAddress(path)))
    return undefined
  }

  private callInet(target: Extract<Target, { _tag: "Inet" }>): ConnectReason | undefined {
    const { network, host } = this.options.site
    const { to } = target
    const route = network.route(host, to.address)
    if (route === "BlackHole") {
      this.startTimer()
      return undefined
    }
    const source =
      target.from === undefined || NetAddress.isUnspecified(target.from)
        ? host.sourceFor(to.address)
        : target.from
    if (source === undefined || source._tag !== to.address._tag) return noRoute()
    if (!host.owns(source)) return bindFailed("the host has no such address", "EADDRNOTAVAIL")
    if (route === undefined || (route !== host && NetAddress.isLoopback(source))) return noRoute()
    const binding = host.tcp.bind({ address: source, port: target.fromPort }, undefined)
    if (binding === undefined) return bindFailed("the local port is taken, or none is left", "EADDRINUSE")
    this.binding = binding
    this.ask(route, to, this.caller(route, NetAddress.inetAddressUnsafe(source, binding.port), to))
    return undefined
  }

  private ask(there: MemoryHost, to: NetAddress.InetAddress, caller: Caller): void {
    const { network, host } = this.options.site
    if (network.cable.mayLose) this.startTimer()
    const stop = network.cable.ask({ from: host, to: there }, caller, () => {
      if (this.over) return
      this.leave = undefined
      const door = there.tcp.find(to.address, to.port)[0]?.owner
      if (door === undefined) caller.refuse(refused())
      else door.knock(caller)
    })
    // Otherwise it has arrived, and may wait there.
    if (stop !== undefined) this.leave = stop
  }

  /** How `there` sees who calls, and answers. */
  private caller(there: MemoryHost, local: NetAddress.SocketAddress, peer: NetAddress.SocketAddress): Caller {
    const { site, hello } = this.options
    const { cable } = site.network
    const binding = this.binding
    const back = { from: there, to: site.host }
    return {
      host: site.host,
      loop: site.loop,
      local,
      peer,
      hello,
      wait: (leave) => {
        this.leave = leave
        this.startTimer()
      },
      refuse: (reason) => {
        if (this.over) return
        this.leave = undefined
        this.releasePort()
        cable.answer(back, site.loop, () => this.fail(reason))
      },
      accept: (stream, security) => {
        // From here on the port is the stream's, and is given back with it.
        this.binding = undefined
        this.connected = stream
        this.leave = undefined
        cable.answer(back, site.loop, () => {
          if (this.over) return
          this.connected = undefined
          this.end()
          this.options.onConnected(stream, security)
        })
      },
      onGone: () => {
        if (binding !== undefined) site.host.tcp.release(binding)
      }
    }
  }

  /** It is told in an event of its own. */
  private failed(reason: ConnectReason): void {
    if (this.over) return
    this.leave = undefined
    this.releasePort()
    this.options.site.loop.post(() => this.fail(reason))
  }

  private fail(reason: ConnectReason): void {
    if (this.over) return
    this.end()
    // The answer may still be under way.
    this.connected?.reset()
    this.options.onFailed(reason)
  }

  private startTimer(): void {
    this.stopTimer ??= this.options.site.loop.after(this.options.timeout, () => {
      this.fail(timedOut())
    })
  }

  private end(): void {
    this.over = true
    this.stopTimer?.()
    this.leave?.()
    this.releasePort()
  }

  private releasePort(): void {
    if (this.binding !== undefined) this.options.site.host.tcp.release(this.binding)
    this.binding = undefined
  }
}

const unnamed = NetAddress.unixPathAddress("")

const noSuchFile = () => new Reason.BadFile({ detail: "there is no such socket file", errno: "ENOENT" })
const bindFailed = (detail: string, errno: string) => new Reason.BindFailed({ detail, errno })

export const timedOut = (): Reason.TimedOut =>
  new Reason.TimedOut({ detail: "no answer in time", errno: "ETIMEDOUT" })
