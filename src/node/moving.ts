/** Sockets and servers that go to other threads. */
import type * as net from "node:net"
import * as Errno from "../reactor/Errno.ts"
import * as Reason from "../reactor/Reason.ts"

/** The `errno` of what fails because the thread has ended: Node's own code for it. */
export const notRunning = "ERR_WORKER_NOT_RUNNING"

/** Moves it by `post`; the reason why that cannot be leaves it where it was. `obstacle` is one that Node does not know of. */
export const move = <A extends net.Socket | net.Server>(
  moved: A,
  what: "connection" | "listener",
  post: (moved: A) => void,
  obstacle: string | undefined
): Reason.Unsupported | undefined => {
  try {
    if (obstacle !== undefined) throw new Error(obstacle)
    post(moved)
    // Node says nothing when the thread has ended, and leaves it with us.
    if (handleOf(moved) !== null) {
      throw Object.assign(new Error("the thread has ended"), { code: notRunning })
    }
    return undefined
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return new Reason.Unsupported({
      detail: `the ${what} cannot be handed to another thread: ${why}`,
      errno: Errno.codeOf(error),
      cause: error
    })
  }
}

const handleOf = (moved: net.Socket | net.Server): unknown =>
  (moved as unknown as { readonly _handle: unknown })._handle
