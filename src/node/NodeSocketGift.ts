/** The socket of a connection, given to another program as it was accepted: what inetd does. */
import type * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { TransportError } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Transport } from "../reactor/Transport.ts"
import { isHandle, type NativeHandle } from "./nativeHandle.ts"
import { NodeTransport } from "./NodeTransport.ts"

/** The descriptor of a connection; it is open until the scope ends, and whoever has inherited it by then goes on with it. */
export interface SocketGift {
  readonly fd: number
  /** Closes our copy of it, which ends nothing for others. Idempotent. */
  readonly close: Effect.Effect<void>
}

/**
 * Takes the socket out of a connection, of which nothing may have been read or written: so do it first of all. The transport is
 * `Detached` afterwards. Fails as `Unsupported` for what is no socket of its own: TLS, connections in memory.
 */
export const take = (transport: Transport): Effect.Effect<SocketGift, TransportError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      let taken: NativeHandle | undefined
      const reason =
        transport instanceof NodeTransport && transport.security._tag === "Plain"
          ? transport.handOver((socket) => (taken = takeHandle(socket)))
          : new Reason.Unsupported({ detail: "it is no socket that another program could have" })
      if (taken === undefined || reason !== undefined) {
        const { local, peer } = transport
        const why = reason ?? new Reason.Unsupported({ detail: "Node keeps it" })
        return Effect.fail(new TransportError({ operation: "handOver", local, peer, reason: why }))
      }
      const handle = taken
      let open = true
      return Effect.succeed({
        fd: handle.fd,
        close: Effect.sync(() => {
          if (open) handle.close()
          open = false
        })
      })
    }),
    ({ close }) => close
  )

/** Throws where it cannot be had. */
const takeHandle = (socket: net.Socket): NativeHandle => {
  const internals = socket as unknown as {
    _handle: (NativeHandle & { readonly readStop?: () => void }) | null
  }
  const handle = internals._handle
  if (!isHandle(handle) || handle.fd < 0) throw new Error("it has no descriptor")
  if (socket.bytesRead > 0) throw new Error("bytes were received on it")
  handle.readStop?.()
  internals._handle = null
  return handle
}
