import { getSystemErrorMessage, getSystemErrorName } from "node:util"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import { load, type NodeDatagramLibc } from "./NodeDatagramLibc.ts"
import { NodeDatagramPeers, nameWords } from "./NodeDatagramPeers.ts"
import { NodeDatagramSlab } from "./NodeDatagramSlab.ts"

export interface BindOptions {
  readonly address: NetAddress.InetAddress
  readonly reuseAddress: boolean
  readonly reusePort: boolean
}

/**
 * The batches of one reactor's datagram ports by `recvmmsg` and `sendmmsg`. All its ports share two slabs: a call is over,
 * and what it brought is copied out, before anything else runs.
 */
export class NodeDatagramAccelerator {
  readonly incoming: NodeDatagramSlab
  readonly outgoing: NodeDatagramSlab
  readonly libc: NodeDatagramLibc
  private readonly tell: (why: string) => void
  private works = true

  /** `tell` is called once, if it must be given up. */
  constructor(libc: NodeDatagramLibc, tell: (why: string) => void) {
    this.libc = libc
    this.tell = tell
    this.incoming = new NodeDatagramSlab(libc)
    this.outgoing = new NodeDatagramSlab(libc)
  }

  /** Loads `node:ffi`; where that cannot be, says so in a log line, and does without. */
  static readonly make: Effect.Effect<NodeDatagramAccelerator | undefined> = Effect.gen(function* () {
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const tell = (why: string) => void run(Effect.logWarning(`datagrams go without acceleration: ${why}`))
    try {
      return new NodeDatagramAccelerator(load(), tell)
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error))
      return undefined
    }
  })

  get isWorking(): boolean {
    return this.works
  }

  /** No port uses it from now on. */
  giveUp(why: string): void {
    if (!this.works) return
    this.works = false
    this.tell(why)
  }

  /** A descriptor that is bound there, for whoever closes it; `undefined` where that fails, for whatever reason. */
  open({ address, reuseAddress, reusePort }: BindOptions): number | undefined {
    const name = new Uint32Array(new ArrayBuffer(nameWords * 4))
    const nameBytes = new NodeDatagramPeers().writeName(address, name, 0)
    const fd = this.libc.open({
      family: address._tag === "InetAddressV6" ? "IPv6" : "IPv4",
      name: name.buffer.slice(0, nameBytes),
      reuseAddress,
      reusePort
    })
    if (fd > 0) return fd
    const { code, message } = systemError(fd)
    if (!aboutAddress.has(code)) this.giveUp(`socket: ${message}`)
    return undefined
  }
}

/** Opening the port in the ordinary way meets the same. */
const aboutAddress = new Set([
  "EACCES",
  "EADDRINUSE",
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "EINVAL",
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM"
])

/** What the system says by a negative error number, as Node's own errors have it. */
export const systemError = (failure: number): Error & { readonly code: string } => {
  const code = failure < 0 ? getSystemErrorName(failure) : "UNKNOWN"
  const message = failure < 0 ? getSystemErrorMessage(failure) : `the system returned ${failure}`
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
