/** Listening on UNIX sockets: files, and abstract names. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Endpoint from "../reactor/Endpoint.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { AcceptFailures } from "./AcceptFailures.ts"
import * as listening from "./listening.ts"
import type { NodeListener } from "./NodeListener.ts"
import type { NodeSite } from "./NodeSite.ts"
import { isAbstract, isTooLong } from "./unixError.ts"
import { UnixLock } from "./UnixLock.ts"
import * as UnixSocketFile from "./UnixSocketFile.ts"

/** As Twisted: everybody who can reach the file may connect. */
const socketModeDefault = 0o666

interface Named {
  /** The endpoint's description. */
  readonly description: string
  readonly failures: AcceptFailures
}

/** Not to be interrupted. */
export const open = (
  site: NodeSite,
  endpoint: Endpoint.UnixServer,
  named: Named
): Effect.Effect<NodeListener, ListenError> => {
  const refuse = (reason: ListenReason) =>
    Effect.fail(new ListenError({ endpoint: named.description, reason }))
  const problem = problemOf(endpoint.path)
  if (problem !== undefined) return refuse(problem)
  // A named pipe of Windows has no file either.
  if (isAbstract(endpoint.path) || process.platform === "win32") {
    return openAt(site, endpoint, named, endpoint.path, () => ({ address: addressOf(endpoint) }))
  }
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
    file.place(endpoint.mode ?? socketModeDefault)
    return {
      address: addressOf(endpoint),
      remove: () => {
        file.remove()
        lock?.release()
      }
    }
  })
  return yield* Effect.onError(opened, () => Effect.sync(() => file.discard()))
})

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
    start: (server) => server.listen({ path, backlog: listening.backlogOf(endpoint) }),
    bound,
    reasonOf: UnixSocketFile.reasonOf(endpoint.path)
  })

const addressOf = ({ path }: Endpoint.UnixServer) => NetAddress.unixPathAddress(path)

/** What can never be a name. */
const problemOf = (path: string): ListenReason | undefined => {
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
