/** Arguments that the forms of several schemes share, and what they become in an endpoint. */
import * as Argument from "./EndpointArgument.ts"
import type { Conflicting } from "./EndpointScheme.ts"

/** The most that Linux takes (TCP_KEEPIDLE). */
export const keepAliveSecondsMax = 32_767

export const streamArguments = {
  noDelay: { kind: Argument.boolean, doc: "send small pieces at once (TCP_NODELAY); default yes" },
  keepAlive: {
    kind: Argument.either(
      Argument.boolean,
      Argument.seconds({ max: keepAliveSecondsMax }),
      `yes, no, or a number of seconds above 0 to ${keepAliveSecondsMax}`
    ),
    doc: "ask the network whether an idle peer still lives, after so many seconds; default no"
  },
  keepAliveInterval: {
    kind: Argument.seconds({ max: keepAliveSecondsMax }),
    doc: "the time between two such questions; default the system's"
  },
  keepAliveCount: {
    kind: Argument.integer({ min: 1, max: 127, placeholder: "COUNT" }),
    doc: "questions without an answer after which the connection is lost; default the system's"
  },
  receiveBytesMax: { kind: Argument.bytes, doc: "received bytes that may wait; default 65536" },
  sendBytesMax: {
    kind: Argument.bytes,
    doc: "bytes on their way out above which sending waits; default 65536"
  },
  closeTimeout: {
    kind: Argument.seconds({ zero: true }),
    doc: "how long closing may flush to a peer that does not read; default 10"
  }
} as const

export const backlog = {
  kind: Argument.count,
  doc: "connections held ready before they are accepted; default 511"
} as const

export const ipv6Only = { kind: Argument.boolean, doc: "refuse IPv4 peers; default no" } as const

export const reusePort = {
  kind: Argument.boolean,
  doc: "several listeners share the port (SO_REUSEPORT); default no"
} as const

export const attemptDelay = {
  kind: Argument.seconds({}),
  doc: "before the next of several addresses is tried as well; default 0.25"
} as const

export const timeout = {
  kind: Argument.seconds({ infinity: true }),
  doc: "for the whole attempt: name, connection, handshake; default 30"
} as const

export const localPort = {
  kind: Argument.withHint(Argument.port, (text) =>
    Argument.isAddress(text) || text === "localhost"
      ? "the address to listen on is given as interface=ADDRESS"
      : undefined
  ),
  position: 0,
  required: true,
  doc: "the port; 0 lets the system choose"
} as const

export const host = {
  kind: Argument.host,
  position: 0,
  required: true,
  doc: "a name or an IP address"
} as const

export const peerPort = { kind: Argument.peerPort, position: 1, required: true, doc: "its port" } as const

export const bindArguments = {
  bindAddress: { kind: Argument.localAddress, doc: "the local address to come from" },
  bindPort: { kind: Argument.port, doc: "the local port to come from" }
} as const

// --- parts of endpoints ---------------------------------------------------------------------------------

/** Only what is there: fields that are `undefined` would hide defaults. */
export const present = <T extends object>(fields: T): T => {
  const kept: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) if (field !== undefined) kept[name] = field
  return kept as T
}

export interface Bind {
  readonly bindAddress?: string | undefined
  readonly bindPort?: number | undefined
}

export const bind = ({ bindAddress, bindPort }: Bind) =>
  bindAddress === undefined ? {} : { bindAddress: present({ address: bindAddress, port: bindPort }) }

export const checkBind = ({ bindAddress, bindPort }: Bind) =>
  bindPort !== undefined && bindAddress === undefined
    ? conflict("bindPort", "bindPort is of use only together with bindAddress")
    : undefined

export const conflict = (argument: string, detail: string): Conflicting => ({ argument, detail })

/** The values of some arguments, and those of all others. */
export const parted = <T extends object, K extends string>(
  values: T,
  names: Readonly<Record<K, unknown>>
) => {
  const some: Record<string, unknown> = {}
  const others: Record<string, unknown> = {}
  for (const [name, given] of Object.entries(values)) (name in names ? some : others)[name] = given
  return [some, others] as [Pick<T, K & keyof T>, Omit<T, K>]
}
