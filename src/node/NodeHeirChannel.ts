/** The way from a process or thread that was started to the one that started it. */
import { isMainThread, type MessagePort, workerData } from "node:worker_threads"
import { type FromHeir, isRole, type Role } from "./NodeHeirMessage.ts"

export interface HeirChannel {
  readonly role: Role
  /** What cannot be sent any more is dropped: `onClosed` tells. */
  readonly post: (message: FromHeir) => void
  /** The same; says when it is on its way, so that the process may end. */
  readonly postThen: (message: FromHeir, sent: () => void) => void
  readonly listen: (on: {
    readonly message: (message: unknown, handle: unknown) => void
    readonly closed: () => void
  }) => void
  /** It does not hold the process from now on. */
  readonly unref: () => void
}

/** How a process is told what it is. Its own children are not told. */
export const environmentName = "SPINDLE_HEIR"

/** How a thread is. */
export interface ThreadData {
  readonly "spindle/heir": MessagePort
}

/** What this process or thread was started as; `undefined`: by nobody of ours. */
export const role = (): Role | undefined => {
  if (!isMainThread) return portOf(workerData) === undefined ? undefined : "thread"
  const given = process.env[environmentName]
  return isRole(given) && given !== "thread" && process.send !== undefined ? given : undefined
}

const portOf = (data: unknown): MessagePort | undefined =>
  typeof data === "object" && data !== null && "spindle/heir" in data
    ? (data as ThreadData)["spindle/heir"]
    : undefined

/** The channel of this process or thread. */
export const own = (): HeirChannel | undefined => {
  const found = role()
  if (found === undefined) return undefined
  return found === "thread" ? ofPort(portOf(workerData)!) : ofProcess(found)
}

const ofProcess = (role: Role): HeirChannel => ({
  role,
  post: (message) => {
    if (process.connected) process.send?.(message, undefined, undefined, ignore)
  },
  postThen: (message, sent) => {
    if (process.connected) process.send?.(message, undefined, undefined, sent)
    else sent()
  },
  listen: ({ closed, message }) => {
    process.on("message", message)
    process.once("disconnect", () => {
      process.off("message", message)
      closed()
    })
  },
  unref: () => {
    // In the typings it may be absent, in a process without a channel.
    process.channel?.unref()
  }
})

const ofPort = (port: MessagePort): HeirChannel => ({
  role: "thread",
  post: (message) => port.postMessage(message),
  postThen: (message, sent) => {
    port.postMessage(message)
    sent()
  },
  listen: ({ closed, message }) => {
    port.on("message", (value: unknown) => message(value, undefined))
    port.once("close", closed)
  },
  unref: () => port.unref()
})

const ignore = () => {}
