/** Listening on UNIX sockets: files, and abstract names. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Endpoint from "../reactor/Endpoint.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as listening from "./listening.ts"
import type { NodeListener } from "./NodeListener.ts"
import type { NodeSite } from "./NodeSite.ts"
import { isUnnamed } from "./NodeBinding.ts"
import type { TakenStream } from "./ServerSocket.ts"
import { isAbstract, isTooLong } from "./unixError.ts"
import { UnixLock } from "./UnixLock.ts"
import { UnixName } from "./UnixName.ts"
import * as UnixSocketFile from "./UnixSocketFile.ts"

/** As Twisted: everybody who can reach the file may connect. */
const socketModeDefault = 0o666

type Named = Pick<listening.Opening, "description" | "failures" | "socket">

/** Not to be interrupted. */
export const open = (
  site: NodeSite,
  endpoint: Endpoint.UnixServer,
  named: Named,
  taken: TakenStream | undefined
): Effect.Effect<NodeListener, ListenError> => {
  const refuse = (reason: ListenReason) =>
    Effect.fail(new ListenError({ endpoint: named.description, reason }))
  if (isUnnamed(endpoint.path)) {
    return openAt(site, endpoint, named, endpoint.path, () => ({ address: addressOf(endpoint) }))
  }
  if (taken !== undefined) return openTaken(site, endpoint, named, taken)
  if (endpoint.lock === false) return openFile(site, endpoint, named, undefined)
  return UnixLock.acquire(endpoint.path).pipe(
    Effect.catch(refuse),
    Effect.flatMap((lock) =>
      openFile(site, endpoint, named, lock).pipe(Effect.onError(() => Effect.sync(() => lock.release())))
    )
  )
}

const openFile = Effect.fnUntraced(function* (
  site: NodeSite,
  endpoint: Endpoint.UnixServer,
  named: Named,
  lock: UnixLock | undefined
): Effect.fn.Return<NodeListener, ListenError> {
  const refuse = (reason: ListenReason) => new ListenError({ endpoint: named.description, reason })
  yield* Effect.mapError(UnixSocketFile.clear(endpoint.path, lock !== undefined), refuse)
  const file = yield* Effect.try({
    try: () => new UnixSocketFile.UnixSocketFile(endpoint.path),
    catch: (error) => refuse(UnixSocketFile.reasonOf(endpoint.path)(error))
  })
  const opened = openAt(site, endpoint, named, file.bindPath, () => {
    const name = new UnixName(file.place(endpoint.mode ?? socketModeDefault), lock)
    return boundOf(endpoint, named, () => name)
  })
  return yield* Effect.onError(opened, () => Effect.sync(() => file.discard()))
})

/** The file is there. It becomes ours when the process that gave us the socket steps back, or stays its own. */
const openTaken = (
  site: NodeSite,
  endpoint: Endpoint.UnixServer,
  named: Named,
  taken: TakenStream
): Effect.Effect<NodeListener, ListenError> =>
  openAt(site, endpoint, named, endpoint.path, () => {
    let name: UnixName | undefined
    if (taken._tag === "Handle" && taken.owner !== undefined) {
      const { mode, path } = endpoint
      const options = { mode, lock: endpoint.lock ?? true, predecessor: taken.owner }
      named.socket.onBegin(() => {
        name = UnixName.takeOver(path, options)
      })
    }
    return boundOf(endpoint, named, () => name)
  })

const boundOf = (
  endpoint: Endpoint.UnixServer,
  { socket }: Named,
  name: () => UnixName | undefined
): listening.Bound => {
  socket.onStepBack = () => name()?.forsake()
  socket.onReclaim = () => name()?.reclaim()
  return { address: addressOf(endpoint), remove: () => name()?.remove() }
}

const openAt = (
  site: NodeSite,
  endpoint: Endpoint.UnixServer,
  named: Named,
  path: string,
  bound: () => listening.Bound
): Effect.Effect<NodeListener, ListenError> =>
  listening.open(site, {
    ...named,
    endpoint,
    bind: (server) => server.listen({ path, backlog: listening.backlogOf(endpoint) }),
    bound,
    reasonOf: UnixSocketFile.reasonOf(endpoint.path)
  })

const addressOf = ({ path }: Endpoint.UnixServer) => NetAddress.unixPathAddress(path)

/** What can never be a name. */
export const problemOf = (path: string): ListenReason | undefined => {
  if (path === "") {
    return new Reason.InvalidAddress({ detail: "the name of the socket file is empty", errno: "EINVAL" })
  }
  if (!isAbstract(path) && path.includes("\0")) {
    return new Reason.InvalidAddress({ detail: "the name of a file has no NUL in it", errno: "EINVAL" })
  }
  return isTooLong(path)
    ? new Reason.BadFile({ detail: "the name of the socket file is too long", errno: "ENAMETOOLONG" })
    : undefined
}
