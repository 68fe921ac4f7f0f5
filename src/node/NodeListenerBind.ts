/** Binding sockets that others use: nothing is accepted or read here. */
import * as dgram from "node:dgram"
import * as dns from "node:dns"
import * as net from "node:net"
import { getSystemErrorMessage, getSystemErrorName } from "node:util"
import * as Effect from "effect/Effect"
import * as Endpoint from "../reactor/Endpoint.ts"
import * as Errno from "../reactor/Errno.ts"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as nativeHandle from "./nativeHandle.ts"
import type * as NodeBinding from "./NodeBinding.ts"
import { isUnnamed } from "./NodeBinding.ts"
import * as SocketTable from "./SocketTable.ts"
import * as SystemdDescriptors from "./SystemdDescriptors.ts"
import { isTooLong } from "./unixError.ts"
import { UnixLock } from "./UnixLock.ts"
import { UnixName } from "./UnixName.ts"
import * as UnixSocketFile from "./UnixSocketFile.ts"

/** A socket that is bound, and what of it lies in the file system. */
export interface BoundSocket {
  readonly handle: nativeHandle.NativeHandle
  readonly close: () => void
  readonly name?: UnixName | undefined
}

const systemError = (failure: number): Error & { readonly code: string } =>
  Object.assign(new Error(getSystemErrorMessage(failure)), { code: getSystemErrorName(failure) })

const of = (handle: nativeHandle.NativeHandle): BoundSocket => ({ handle, close: () => handle.close() })

// --- TCP ------------------------------------------------------------------------------------------------

/** `reusePort`: with others of the same user that do the same. Where the system has no such thing it fails as `Unsupported`. */
export const tcp = (
  binding: NodeBinding.TcpBinding,
  port: number,
  reusePort: boolean
): Effect.Effect<BoundSocket, ListenReason> =>
  Effect.flatMap(addressOf(binding.interface), (address) =>
    Effect.suspend(() => {
      const { ipv6Only, reusePort: reuse } = nativeHandle.tcpFlags
      const flags = (binding.ipv6Only ? ipv6Only : 0) | (reusePort ? reuse : 0)
      const handle = nativeHandle.bindTcp(address, port, flags)
      if (typeof handle === "number") return Effect.fail(Errno.listenReason(systemError(handle)))
      // libuv keeps it to itself that the address is in use, and would listen on some other port.
      if (nativeHandle.addressOf(handle) !== undefined) return Effect.succeed(of(handle))
      handle.close()
      return Effect.fail<ListenReason>(
        new Reason.AddressInUse({ detail: `port ${port} of ${address} is in use`, errno: "EADDRINUSE" })
      )
    })
  )

/** Names of this machine, as Node resolves them when it listens. */
const addressOf = (host: string): Effect.Effect<string, ListenReason> =>
  net.isIP(host) > 0
    ? Effect.succeed(host)
    : Effect.callback((resume) =>
        dns.lookup(host, (error, address) =>
          resume(error === null ? Effect.succeed(address) : Effect.fail(Errno.listenReason(error)))
        )
      )

// --- UDP ------------------------------------------------------------------------------------------------

export const udp = (
  binding: NodeBinding.UdpBinding,
  port: number,
  reusePort: boolean
): Effect.Effect<BoundSocket, ListenReason> =>
  Effect.callback((resume) => {
    const socket = dgram.createSocket({
      type: net.isIPv6(binding.interface) ? "udp6" : "udp4",
      reuseAddr: binding.reuseAddress,
      reusePort,
      ipv6Only: binding.ipv6Only ?? false,
      lookup: (address, _options, callback) => callback(null, address, 0)
    })
    const refuse = (error: unknown) => {
      socket.close()
      resume(Effect.fail(Errno.listenReason(error)))
    }
    socket.once("error", refuse)
    socket.once("listening", () => {
      const handle = nativeHandle.ofDatagram(socket)
      if (handle === undefined) return refuse(new Error("Node does not tell its handle"))
      // In the same event: no datagram was read.
      nativeHandle.pause(socket)
      socket.off("error", refuse)
      resume(Effect.succeed({ handle, close: () => socket.close() }))
    })
    socket.bind({ address: binding.interface, port, exclusive: true })
  })

// --- UNIX sockets ---------------------------------------------------------------------------------------

const socketModeDefault = 0o666

export const unix = (binding: NodeBinding.UnixBinding): Effect.Effect<BoundSocket, ListenReason> => {
  const { path } = binding
  if (isTooLong(path)) {
    return Effect.fail(
      new Reason.BadFile({ detail: "the name of the socket file is too long", errno: "ENAMETOOLONG" })
    )
  }
  if (isUnnamed(path)) return Effect.map(bindUnix(path, path), of)
  if (!binding.lock) return unixFile(binding, undefined)
  return Effect.flatMap(UnixLock.acquire(path), (lock) =>
    Effect.onError(unixFile(binding, lock), () => Effect.sync(() => lock.release()))
  )
}

const unixFile = Effect.fnUntraced(function* (
  { mode, path }: NodeBinding.UnixBinding,
  lock: UnixLock | undefined
): Effect.fn.Return<BoundSocket, ListenReason> {
  const reasonOf = UnixSocketFile.reasonOf(path)
  yield* UnixSocketFile.clear(path, lock !== undefined)
  const file = yield* Effect.try({ try: () => new UnixSocketFile.UnixSocketFile(path), catch: reasonOf })
  const handle = yield* Effect.onError(bindUnix(file.bindPath, path), () => Effect.sync(() => file.discard()))
  const placed = yield* Effect.onError(
    Effect.try({ try: () => file.place(mode ?? socketModeDefault), catch: reasonOf }),
    () => Effect.sync(() => handle.close())
  )
  return { ...of(handle), name: new UnixName(placed, lock) }
})

const bindUnix = (at: string, path: string) =>
  Effect.suspend(() => {
    const handle = nativeHandle.bindUnix(at)
    return typeof handle === "number"
      ? Effect.fail(UnixSocketFile.reasonOf(path)(systemError(handle)))
      : Effect.succeed(handle)
  })

// --- inherited ones -------------------------------------------------------------------------------------

export const descriptor = (
  binding: NodeBinding.DescriptorBinding
): Effect.Effect<BoundSocket, ListenReason> =>
  Effect.suspend(() => {
    const found = descriptorOf(binding.descriptor)
    if ("_tag" in found) return Effect.fail(found)
    const inspected = SocketTable.inspect(found.fd)
    if (!("stats" in inspected)) return Effect.fail(inspected)
    const handle = nativeHandle.ofDescriptor(found.fd)
    return typeof handle === "number"
      ? Effect.fail(SocketTable.notOfUse(found.fd, "no socket that listens", getSystemErrorName(handle)))
      : Effect.succeed(of(handle))
  })

const descriptorOf = (
  descriptor: NodeBinding.DescriptorBinding["descriptor"]
): { readonly fd: number } | ListenReason => {
  if (typeof descriptor === "number") return { fd: descriptor }
  const passed = SystemdDescriptors.find(Endpoint.systemd({ descriptor }))
  if ("fd" in passed) SystemdDescriptors.take(passed)
  return passed
}
