/**
 * Connections for threads: the main thread accepts, and each connection goes to the thread with the fewest that it has not taken yet.
 * While there is none that serves, they wait here, as many as the backlog of a socket.
 */
import * as net from "node:net"
import { isMainThread } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { move, notRunning } from "./moving.ts"
import * as nativeHandle from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"
import type { Answer, NodeHeirHost } from "./NodeHeirHost.ts"
import type { FromHeir } from "./NodeHeirMessage.ts"
import * as Bind from "./NodeListenerBind.ts"
import type { NodeListenerKeeper } from "./NodeListenerKeeper.ts"

const waitingMax = 511
/** Connections that a thread was given and has not taken yet. */
const pendingMax = 1_024

export class NodeThreadFeeds {
  private readonly keeper: NodeListenerKeeper
  private readonly feeds = new Map<string, Feed>()
  private readonly ports = new Map<string, number>()
  private readonly serving = new Set<NodeHeirHost>()

  constructor(keeper: NodeListenerKeeper) {
    this.keeper = keeper
  }

  answer(key: string, binding: Binding, host: NodeHeirHost): Effect.Effect<Answer, ListenReason> {
    switch (binding._tag) {
      case "Udp":
        return Effect.map(this.portOf(key, binding), (port): Answer => ({ _tag: "Port", port }))
      case "Unix":
        return Effect.fail(
          unsupported("the connections of a UNIX socket cannot go to other threads; processes can share it")
        )
      case "Tcp":
      case "Descriptor":
        return Effect.flatMap(this.feedOf(key, binding), (feed): Effect.Effect<Answer, ListenReason> => {
          const { address } = feed
          if (address === undefined) {
            return Effect.fail(unsupported("only the connections of a TCP socket can go to other threads"))
          }
          feed.enter(host, this.serving.has(host))
          return Effect.succeed({ _tag: "Feed", ...address })
        })
    }
  }

  /** The thread serves what it has opened. */
  begun(host: NodeHeirHost): void {
    this.serving.add(host)
    for (const feed of this.feeds.values()) feed.serve(host)
  }

  /** It gets nothing any more. */
  leaving(host: NodeHeirHost): void {
    this.serving.delete(host)
    for (const feed of this.feeds.values()) feed.leave(host)
  }

  heard(host: NodeHeirHost, message: Extract<FromHeir, { readonly key: string }>): void {
    const feed = this.feeds.get(message.key)
    if (message._tag === "spindle/Left") feed?.leave(host)
    else if (message._tag === "spindle/Took") feed?.took(host)
  }

  /** Another process accepts. */
  stepBack(): void {
    for (const feed of this.feeds.values()) feed.stepBack()
  }

  close(): void {
    for (const feed of this.feeds.values()) feed.close()
    this.feeds.clear()
  }

  private feedOf(key: string, binding: Binding): Effect.Effect<Feed, ListenReason> {
    return Effect.map(this.keeper.take(key, binding, 0), (handle) => {
      let feed = this.feeds.get(key)
      if (feed === undefined) {
        feed = new Feed(key, handle)
        this.feeds.set(key, feed)
      }
      return feed
    })
  }

  /** Each thread binds a socket of its own, and the system spreads the datagrams. Port 0 becomes the same one for all. */
  private portOf(key: string, binding: Extract<Binding, { readonly _tag: "Udp" }>) {
    return Effect.suspend((): Effect.Effect<number, ListenReason> => {
      const known = binding.port === 0 ? this.ports.get(key) : binding.port
      if (known !== undefined) return Effect.succeed(known)
      return Effect.map(Bind.udp(binding, 0, false), ({ close, handle }) => {
        const address = nativeHandle.addressOf(handle)
        close()
        const chosen = address !== undefined && NetAddress.isInetAddress(address) ? address.port : 0
        const port = this.ports.get(key) ?? chosen
        this.ports.set(key, port)
        return port
      })
    })
  }
}

interface Lane {
  readonly host: NodeHeirHost
  pending: number
  serves: boolean
}

/** One socket, and the threads that take its connections. */
class Feed {
  readonly address: { readonly host: string; readonly port: number } | undefined
  private readonly key: string
  private readonly handle: nativeHandle.NativeHandle
  private readonly lanes = new Map<NodeHeirHost, Lane>()
  private waiting: Array<net.Socket> = []
  private server: net.Server | undefined = undefined
  private turns = 0

  constructor(key: string, handle: nativeHandle.NativeHandle) {
    this.key = key
    this.handle = handle
    const address = nativeHandle.addressOf(handle)
    this.address =
      address !== undefined && NetAddress.isInetAddress(address)
        ? { host: NetAddress.formatIp(address.address), port: address.port }
        : undefined
  }

  enter(host: NodeHeirHost, serves: boolean): void {
    this.lanes.set(host, { host, pending: 0, serves })
    if (serves) this.serve(host)
  }

  serve(host: NodeHeirHost): void {
    const lane = this.lanes.get(host)
    if (lane === undefined) return
    lane.serves = true
    // Nobody is accepted before there is somebody to serve him.
    this.server ??= this.listen()
    const { waiting } = this
    this.waiting = []
    for (const socket of waiting) this.give(socket)
  }

  leave(host: NodeHeirHost): void {
    this.lanes.delete(host)
  }

  took(host: NodeHeirHost): void {
    const lane = this.lanes.get(host)
    if (lane !== undefined) lane.pending--
  }

  private listen(): net.Server {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.give(socket)
    )
    // Node goes on accepting after an error of `accept`.
    server.on("error", ignore)
    nativeHandle.listenOn(server, this.handle, waitingMax)
    return server
  }

  private give(socket: net.Socket): void {
    for (let lane = this.choose(); lane !== undefined; lane = this.choose()) {
      const { host } = lane
      const message = { _tag: "spindle/Connection", key: this.key, socket } as const
      const reason = move(socket, "connection", () => host.line.move(message, socket), undefined)
      if (reason === undefined) {
        lane.pending++
        return
      }
      if (reason.errno !== notRunning) return drop(socket)
      // Its end is not told yet.
      this.leave(host)
    }
    if (this.waiting.length < waitingMax) this.waiting.push(socket)
    else drop(socket)
  }

  private choose(): Lane | undefined {
    let best: Lane | undefined
    const lanes = [...this.lanes.values()]
    const from = this.turns++
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[(from + i) % lanes.length]!
      if (lane.serves && lane.pending < pendingMax && lane.pending < (best?.pending ?? Infinity)) best = lane
    }
    return best
  }

  stepBack(): void {
    this.server?.close()
  }

  close(): void {
    this.stepBack()
    for (const socket of this.waiting) drop(socket)
    this.waiting = []
  }
}

const drop = (socket: net.Socket): void => {
  socket.on("error", ignore)
  socket.resetAndDestroy()
}

const ignore = () => {}

const unsupported = (detail: string) => new Reason.Unsupported({ detail })

/** Why threads cannot take connections here, if so. */
export const obstacle = (version: string = process.versions.node): string | undefined => {
  if (!isMainThread) return "only the main thread can spread connections over threads"
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major > 26 || (major === 26 && minor >= 6)
    ? undefined
    : `Node ${version} cannot move connections to other threads: 26.6 is needed, or use processes`
}
