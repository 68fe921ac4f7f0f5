import * as Duration from "effect/Duration"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as Reason from "../reactor/Reason.ts"
import { receiveBytesMaxDefault, sendBytesMaxDefault } from "../reactor/StreamTransport.ts"
import type { NodeLimits } from "./NodeTransport.ts"

const closeTimeoutDefault = 10_000
/** More overflows Node's timers, which then fire at once. */
const timerMax = 2_147_483_647

/** A duration as Node's timers take it, in milliseconds; more than 24 days is 24 days. */
export const timerMillis = (duration: Duration.Input): number =>
  Math.min(Duration.toMillis(duration), timerMax)

export const limitsOf = (options: Endpoint.StreamOptions): NodeLimits => ({
  receiveBytesMax: options.receiveBytesMax ?? receiveBytesMaxDefault,
  sendBytesMax: options.sendBytesMax ?? sendBytesMaxDefault,
  closeTimeout: options.closeTimeout === undefined ? closeTimeoutDefault : timerMillis(options.closeTimeout)
})

/** The stream options as `node:net` spells them. */
export const socketOptions = (options: Endpoint.StreamOptions) => ({
  allowHalfOpen: true,
  noDelay: options.noDelay ?? true,
  keepAlive: options.keepAlive !== undefined && options.keepAlive !== false,
  keepAliveInitialDelay:
    options.keepAlive === undefined || typeof options.keepAlive === "boolean"
      ? 0
      : timerMillis(options.keepAlive),
  highWaterMark: options.sendBytesMax ?? sendBytesMaxDefault
})

export const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 65_535

export const invalidPort = (port: number): Reason.InvalidAddress =>
  new Reason.InvalidAddress({
    detail: `a port is a whole number from 0 to 65535, not ${port}`,
    errno: "ERR_SOCKET_BAD_PORT"
  })
