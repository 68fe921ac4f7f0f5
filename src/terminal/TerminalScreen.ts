/** What a terminal stands on: telnet, SSH, a standard input; or any connection (`fromTransport`). */
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Size } from "./LineViewWire.ts"
import type { Key } from "./TerminalKeysWire.ts"

export type Input =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  /** A key that came by another way than as bytes. */
  | { readonly _tag: "Key"; readonly key: Key }
  /** The size, or whether it is interactive, has changed. */
  | { readonly _tag: "Changed" }
  /** What runs is not to say any more: until the next line is read, what is said is thrown away. */
  | { readonly _tag: "Discard" }

export interface Screen<out E> {
  /** The end of input is `Cause.Done`. */
  readonly receive: Pull.Pull<Input, E>
  /** Text as a terminal takes it: a new line is `\r\n`. */
  readonly send: (text: string) => Effect.Effect<void, E>
  readonly size: () => Size
  /** Whether every key comes at once, and is shown by us. Else whole lines come, which the other side has edited and shown. */
  readonly isInteractive: () => boolean
  /** What the terminal is called (`TERM`). Only one that is known, and neither `dumb` nor `unknown`, gets colours, and is asked to mark pastes. */
  readonly kind?: (() => string | undefined) | undefined
  /** Has the other side show nothing of what it sends, or show it again; where it shows at all. */
  readonly hide?: ((isHidden: boolean) => Effect.Effect<void, E>) | undefined
}

export interface TransportOptions {
  /** Default 80 x 24. */
  readonly size?: (() => Size) | undefined
  /** Default: it is. */
  readonly isInteractive?: (() => boolean) | undefined
  readonly kind?: (() => string | undefined) | undefined
}

const sizeDefault: Size = { columns: 80, rows: 24 }

/** A terminal in raw mode at the other end of a connection, and nothing besides. */
export const fromTransport = (
  transport: Transport,
  options: TransportOptions = {}
): Screen<TransportError> => ({
  receive: Effect.map(transport.receive, (bytes): Input => ({ _tag: "Bytes", bytes })),
  send: transport.send,
  size: options.size ?? (() => sizeDefault),
  isInteractive: options.isInteractive ?? (() => true),
  kind: options.kind
})
