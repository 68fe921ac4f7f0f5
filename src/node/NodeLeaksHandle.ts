/** Node's own handles, seen from outside: what they are for, and whether they are open. Their names are those of async hooks. */
import { type File, isFileOpen } from "./NodeLeaksFiles.ts"

/** What handles offer, each some of it. */
interface Handle {
  /** Whether it keeps the process alive; nothing, once it is closed. All else a closed handle must not be asked for. */
  readonly hasRef?: () => boolean | undefined
  readonly pid?: number
  readonly getsockname?: (out: Address) => number
  readonly getpeername?: (out: Address) => number
  /** Of a timer. */
  readonly _destroyed?: boolean
  readonly _idleTimeout?: number
  readonly _repeat?: number | null
}

interface Address {
  address?: string
  port?: number
}

const kinds: Readonly<Record<string, readonly [kind: string, what: string]>> = {
  TCPWRAP: ["socket", "a TCP socket"],
  TCPSERVERWRAP: ["server", "a TCP server"],
  PIPEWRAP: ["socket", "a pipe or UNIX socket"],
  PIPESERVERWRAP: ["server", "a UNIX server"],
  UDPWRAP: ["socket", "a UDP socket"],
  TTYWRAP: ["terminal", "a terminal"],
  PROCESSWRAP: ["child process", "a child process"],
  WORKER: ["worker", "a worker thread"],
  MESSAGEPORT: ["message port", "a message port"],
  FSEVENTWRAP: ["file watch", "a watched file"],
  STATWATCHER: ["file watch", "a watched file"],
  File: ["descriptor", "an open file"],
  Timeout: ["timer", "a timer"]
}

export const types: ReadonlySet<string> = new Set(Object.keys(kinds))

/** Whether it makes others. */
export const isServer = (type: string): boolean => type === "TCPSERVERWRAP" || type === "PIPESERVERWRAP"

/** Whether it is there still. Timers and ports that would let the process end do not count. */
export const isOpen = (type: string, resource: object): boolean => {
  const handle = resource as Handle
  if (type === "Timeout") return handle._destroyed !== true && handle.hasRef?.() === true
  if (type === "File") return isFileOpen(resource as File)
  const state = handle.hasRef?.()
  return type === "MESSAGEPORT" ? state === true : state !== undefined
}

const ask = (method: ((out: Address) => number) | undefined, handle: object): string | undefined => {
  const out: Address = {}
  if (method === undefined || method.call(handle, out) !== 0 || out.address === undefined) return undefined
  return out.address.includes(":") ? `[${out.address}]:${out.port}` : `${out.address}:${out.port}`
}

const details = (type: string, handle: Handle): string | undefined => {
  if (type === "Timeout") {
    return handle._repeat == null ? `of ${handle._idleTimeout} ms` : `every ${handle._repeat} ms`
  }
  if (type === "PROCESSWRAP") return `pid ${handle.pid}`
  if (type === "File") return (handle as unknown as File).path
  const ends = [ask(handle.getsockname, handle), ask(handle.getpeername, handle)]
  return ends.filter((end) => end !== undefined).join(" to ") || undefined
}

/** What it is, and what tells it from others of its kind: addresses, a process id, a duration. */
export const describe = (
  type: string,
  resource: object
): { readonly kind: string; readonly what: string } => {
  const [kind, what] = kinds[type] ?? ["resource", type]
  const more = details(type, resource as Handle)
  return { kind, what: more === undefined ? what : `${what} (${more})` }
}
