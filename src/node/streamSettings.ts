import * as fs from "node:fs"
import type * as net from "node:net"
import * as Duration from "effect/Duration"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as Reason from "../reactor/Reason.ts"
import { receiveBytesMaxDefault, sendBytesMaxDefault } from "../reactor/StreamLimits.ts"
import { DeadlineQueue } from "./DeadlineQueue.ts"
import type { NodeLimits } from "./NodeTransport.ts"
import { timerMillis } from "./timerMillis.ts"

const closeTimeoutDefault = 10_000
/** After our end went out: how long a peer may keep its own side open, its input dropped, before we close. */
const lingerTimeout = 1_000

export const limitsOf = (options: Endpoint.StreamOptions): NodeLimits => new Limits(options)

/** Most connections that we make need neither of the queues. */
class Limits implements NodeLimits {
  readonly receiveBytesMax: number
  readonly sendBytesMax: number
  private readonly closeTimeout: Duration.Input
  private ownClosing: DeadlineQueue | undefined = undefined
  private ownLingering: DeadlineQueue | undefined = undefined

  constructor({ closeTimeout, receiveBytesMax, sendBytesMax }: Endpoint.StreamOptions) {
    this.receiveBytesMax = receiveBytesMax ?? receiveBytesMaxDefault
    this.sendBytesMax = sendBytesMax ?? sendBytesMaxDefault
    this.closeTimeout = closeTimeout ?? closeTimeoutDefault
  }

  get closing(): DeadlineQueue {
    return (this.ownClosing ??= new DeadlineQueue(timerMillis(this.closeTimeout)))
  }

  get lingering(): DeadlineQueue {
    return (this.ownLingering ??= new DeadlineQueue(lingerTimeout))
  }
}

/** The stream options as `node:net` spells them. Of keep-alive they have a part: see `keepAliveOf`. */
export const socketOptions = (options: Endpoint.StreamOptions) => ({
  allowHalfOpen: true,
  noDelay: options.noDelay ?? true,
  keepAlive: isKeptAlive(options),
  keepAliveInitialDelay: keepAliveOf(options)?.idle ?? 0,
  highWaterMark: options.sendBytesMax ?? sendBytesMaxDefault
})

// --- keep-alive -----------------------------------------------------------------------------------------

/** How a peer is asked whether it lives: times in milliseconds, of whole seconds. */
export interface KeepAlive {
  readonly idle: number
  readonly interval: number
  readonly count: number
}

/** The most that Linux takes of TCP_KEEPIDLE and TCP_KEEPINTVL, in seconds, and of TCP_KEEPCNT. */
const keepAliveSecondsMax = 32_767
const keepAliveCountMax = 127

const isKeptAlive = ({ keepAlive }: Endpoint.StreamOptions): boolean =>
  keepAlive !== undefined && keepAlive !== false

/**
 * What to tell each socket of these options (`setKeepAlive`), when it is not as the system has it anyway. Times are rounded
 * up to whole seconds. All three values are always told: libuv knows of no defaults of the system's, once it is given the
 * first it takes an interval of 1 second and 10 probes for the others.
 */
export const keepAliveOf = (options: Endpoint.StreamOptions): KeepAlive | undefined => {
  const { keepAlive, keepAliveCount, keepAliveInterval } = options
  if (keepAlive === undefined || keepAlive === false) return undefined
  if (keepAlive === true && keepAliveCount === undefined && keepAliveInterval === undefined) return undefined
  return {
    idle: 1_000 * (keepAlive === true ? systemSetting("time", 7_200) : wholeSeconds(keepAlive)),
    interval:
      1_000 *
      (keepAliveInterval === undefined ? systemSetting("intvl", 75) : wholeSeconds(keepAliveInterval)),
    count: keepAliveCount ?? systemSetting("probes", 9)
  }
}

/** Tells a connected socket; a UNIX socket has no such thing, and does nothing. */
export const keepSocketAlive = (socket: net.Socket, { count, idle, interval }: KeepAlive): void => {
  // The typings are those of an older Node, which ignores the last two.
  const setKeepAlive: (enable: boolean, idle: number, interval: number, count: number) => void =
    socket.setKeepAlive
  setKeepAlive.call(socket, true, idle, interval, count)
}

/** All stream options that a connected socket can be told, for one that came without them: an inherited descriptor. */
export const tuneSocket = (socket: net.Socket, options: Endpoint.StreamOptions): void => {
  socket.setNoDelay(options.noDelay ?? true)
  const keepAlive = keepAliveOf(options)
  if (keepAlive !== undefined) keepSocketAlive(socket, keepAlive)
  else if (isKeptAlive(options)) socket.setKeepAlive(true)
}

/** What can never be asked for; the system would take a part of it, and say nothing. */
export const invalidStream = (options: Endpoint.StreamOptions): Reason.InvalidAddress | undefined => {
  const { keepAlive, keepAliveCount, keepAliveInterval } = options
  return (
    (typeof keepAlive === "boolean" ? undefined : invalidSeconds("keepAlive", keepAlive)) ??
    invalidSeconds("keepAliveInterval", keepAliveInterval) ??
    invalidCount(keepAliveCount)
  )
}

const invalidSeconds = (name: string, duration: Duration.Input | undefined) => {
  if (duration === undefined) return undefined
  const seconds = Duration.toSeconds(duration)
  return seconds > 0 && seconds <= keepAliveSecondsMax
    ? undefined
    : outOfRange(`${name} is a time above 0 and up to ${keepAliveSecondsMax} seconds, not ${seconds}`)
}

const invalidCount = (count: number | undefined) =>
  count === undefined || (Number.isInteger(count) && count >= 1 && count <= keepAliveCountMax)
    ? undefined
    : outOfRange(`keepAliveCount is a whole number from 1 to ${keepAliveCountMax}, not ${count}`)

const outOfRange = (detail: string) => new Reason.InvalidAddress({ detail, errno: "ERR_OUT_OF_RANGE" })

const wholeSeconds = (duration: Duration.Input): number => Math.ceil(Duration.toSeconds(duration))

/** What Linux does unless told otherwise; elsewhere the usual. Read once. */
const systemSetting = (name: "time" | "intvl" | "probes", usual: number): number => {
  const known = systemSettings.get(name)
  if (known !== undefined) return known
  const value = readSetting(`/proc/sys/net/ipv4/tcp_keepalive_${name}`) ?? usual
  systemSettings.set(name, value)
  return value
}

const systemSettings = new Map<string, number>()

const readSetting = (file: string): number | undefined => {
  try {
    const value = Number(fs.readFileSync(file, "utf8"))
    return Number.isInteger(value) && value > 0 ? value : undefined
  } catch {
    return undefined
  }
}

// --- ports ----------------------------------------------------------------------------------------------

export const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 65_535

export const invalidPort = (port: number): Reason.InvalidAddress =>
  new Reason.InvalidAddress({
    detail: `a port is a whole number from 0 to 65535, not ${port}`,
    errno: "ERR_SOCKET_BAD_PORT"
  })
