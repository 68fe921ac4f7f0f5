/** What is between the hosts of a network: nothing at all here; latency, loss and partitions where it is simulated. */
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { ResolveError } from "../reactor/ReactorError.ts"
import type { Caller, MemoryHost, Parcel } from "./MemoryHost.ts"
import type { MemoryLoop } from "./MemoryLoop.ts"
import { type EndOptions, type LinkOptions, MemoryStream, type StreamEvents } from "./MemoryStream.ts"
import * as MemoryTls from "./MemoryTls.ts"

/** One end of a connection as a kernel keeps it: `MemoryStream` says what each verb means. */
export interface StreamEnd {
  readonly loop: MemoryLoop
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  /** What a server here makes of a client's hello. */
  readonly negotiate: typeof MemoryTls.negotiate
  readonly unreportedBytes: number
  attach(events: StreamEvents): void
  detach(): void
  pause(): void
  resume(): void
  write(pieces: ReadonlyArray<Uint8Array | string>): boolean
  sendMark(mark: MemoryTls.Mark): void
  end(): void
  close(timeout: number): void
  reset(alert?: string): void
}

/** A way between two hosts, or within one. */
export interface Way {
  readonly from: MemoryHost
  readonly to: MemoryHost
}

export interface Cable {
  /** Whether anything may stay without an answer: whoever asks goes by the clock from the beginning. */
  readonly mayLose: boolean
  /** Carries a caller's question; called within an event. Gives what ends all trying, if it is not over yet. */
  readonly ask: (way: Way, caller: Caller, arrive: () => void) => (() => void) | undefined
  /** Carries the answer to a question: `arrive` is an event of its own at `loop`. */
  readonly answer: (way: Way, loop: MemoryLoop, arrive: () => void) => void
  /** The two ends of a new connection; `client.host` is where it was asked for. */
  readonly link: (
    client: EndOptions,
    server: EndOptions,
    options: LinkOptions
  ) => readonly [StreamEnd, StreamEnd]
  /** Carries a datagram to one host; called within an event. `arrive` is called as often as it arrives. */
  readonly toss: (way: Way, parcel: Parcel, arrive: () => void) => void
  /** What a server makes of a client's hello. */
  readonly negotiate: typeof MemoryTls.negotiate
  /** What asking for a name costs, or fails with. */
  readonly lookUp?: ((host: MemoryHost, name: string) => Effect.Effect<void, ResolveError>) | undefined
}

/** Everything arrives, at once. */
export const direct: Cable = {
  mayLose: false,
  ask: (_way, _caller, arrive) => {
    arrive()
    return undefined
  },
  answer: (_way, loop, arrive) => loop.post(arrive),
  link: (client, server, options) => MemoryStream.link(client, server, options),
  toss: (_way, _parcel, arrive) => arrive(),
  negotiate: MemoryTls.negotiate
}
