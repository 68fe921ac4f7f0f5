/** More sockets at the port of a datagram socket, which gets what comes to them: of processes that there are no more. */
import * as dgram from "node:dgram"
import * as nativeHandle from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"
import type { TakenOther } from "./NodeListenerSource.ts"
import type { NodeListeners } from "./NodeListeners.ts"

export class NodeOtherPorts {
  private readonly all: ReadonlyArray<OtherPort>

  /** They can be handed on from now on. */
  constructor(others: ReadonlyArray<TakenOther>, binding: Binding, listeners: NodeListeners) {
    this.all = others.map(({ handle, key }) => {
      const other = new OtherPort(handle)
      other.leave = listeners.keep(key, binding, {
        handle: () => other.handle,
        stepBack: () => other.stepBack(),
        reclaim: () => {},
        isBusy: () => false
      })
      return other
    })
  }

  bind(main: dgram.Socket): void {
    for (const other of this.all) other.bind(main)
  }

  /** Idempotent. */
  close(): void {
    for (const other of this.all) {
      other.leave()
      other.close()
    }
  }
}

class OtherPort {
  leave: () => void = () => {}
  private waiting: nativeHandle.NativeHandle | undefined
  private socket: dgram.Socket | undefined = undefined

  constructor(handle: nativeHandle.NativeHandle) {
    this.waiting = handle
  }

  get handle(): nativeHandle.NativeHandle | undefined {
    return this.waiting ?? (this.socket === undefined ? undefined : nativeHandle.ofDatagram(this.socket))
  }

  bind(main: dgram.Socket): void {
    if (this.waiting === undefined) return
    const socket = dgram.createSocket(nativeHandle.isIpv6(this.waiting) ? "udp6" : "udp4")
    socket.on("message", (bytes, from) => main.emit("message", bytes, from))
    socket.on("error", (error) => main.emit("error", error))
    nativeHandle.bindTo(socket, this.waiting)
    this.socket = socket
    this.waiting = undefined
  }

  stepBack(): void {
    if (this.socket !== undefined) nativeHandle.pause(this.socket)
  }

  close(): void {
    this.waiting?.close()
    this.waiting = undefined
    this.socket?.close()
    this.socket = undefined
  }
}
