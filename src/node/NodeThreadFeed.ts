/**
 * One socket, and the threads that take its connections: the main thread accepts, and each connection goes to the thread with the fewest
 * that it has not taken yet. While there is none that serves, they wait here, as many as the backlog of a socket.
 */
import * as net from "node:net"
import * as NetAddress from "effect/net/NetAddress"
import { move, notRunning } from "./moving.ts"
import * as nativeHandle from "./nativeHandle.ts"
import type { NodeHeirHost } from "./NodeHeirHost.ts"

const waitingMax = 511
/** Connections that a thread was given and has not taken yet. */
const pendingMaxDefault = 1_024

interface Lane {
  readonly host: NodeHeirHost
  pending: number
  serves: boolean
}

export class NodeThreadFeed {
  readonly address: { readonly host: string; readonly port: number } | undefined
  private readonly key: string
  private readonly handles: readonly [nativeHandle.NativeHandle, ...Array<nativeHandle.NativeHandle>]
  private readonly lanes = new Map<NodeHeirHost, Lane>()
  private waiting: Array<net.Socket> = []
  private servers: ReadonlyArray<net.Server> | undefined = undefined
  private turns = 0
  private readonly pendingMax: number

  /** `handles` are all at the same port. */
  constructor(
    key: string,
    handles: readonly [nativeHandle.NativeHandle, ...Array<nativeHandle.NativeHandle>],
    pendingMax = pendingMaxDefault
  ) {
    this.key = key
    this.handles = handles
    this.pendingMax = pendingMax
    const address = nativeHandle.addressOf(handles[0])
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
    this.servers ??= this.handles.map((handle) => this.listen(handle))
    const { waiting } = this
    this.waiting = []
    for (const socket of waiting) this.give(socket)
  }

  leave(host: NodeHeirHost): void {
    this.lanes.delete(host)
  }

  took(host: NodeHeirHost): void {
    const lane = this.lanes.get(host)
    if (lane === undefined) return
    lane.pending--
    const next = this.waiting.shift()
    if (next !== undefined) this.give(next)
  }

  private listen(handle: nativeHandle.NativeHandle): net.Server {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.give(socket)
    )
    // Node goes on accepting after an error of `accept`.
    server.on("error", ignore)
    nativeHandle.listenOn(server, handle, waitingMax)
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
      if (lane.serves && lane.pending < this.pendingMax && lane.pending < (best?.pending ?? Infinity))
        best = lane
    }
    return best
  }

  stepBack(): void {
    for (const server of this.servers ?? []) server.close()
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
