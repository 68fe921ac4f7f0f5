/** A connection in lines. Twisted: `LineReceiver` (its raw mode is `detach`, then `Lines.make` again). */
import * as Result from "effect/Result"
import type * as Protocol from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Frames from "./Frames.ts"
import type { FramingError } from "./FramingError.ts"
import * as LinesDecoder from "./LinesDecoder.ts"

export interface Options extends LinesDecoder.Options {}

/** Lines as text, without their delimiter; `send` adds it. */
export type Lines = Frames.Frames<string, string>

/** Lines where one over the limit is not fatal: a `Skipped` takes its place. */
export type LinesOrSkipped = Frames.Frames<string | LinesDecoder.Skipped, string>

export { isSkipped, type Skipped } from "./LinesDecoder.ts"

/** Lines over a transport. Throws a `RangeError` for options that make no sense. */
export function make(transport: Transport, options: Options & { readonly onTooLong: "skip" }): LinesOrSkipped
export function make(
  transport: Transport,
  options?: Options & { readonly onTooLong?: "fail" | undefined }
): Lines
export function make(transport: Transport, options: Options = {}): LinesOrSkipped | Lines {
  return options.onTooLong === "skip"
    ? Frames.make(transport, LinesDecoder.make({ ...options, onTooLong: "skip" }), encoder(options))
    : Frames.make(transport, LinesDecoder.make({ ...options, onTooLong: "fail" }), encoder(options))
}

/** A protocol of lines becomes a protocol of bytes. */
export const over = ((options?: Options & { readonly onTooLong?: "fail" | undefined }) =>
  <E, R>(protocol: Protocol.Conversation<Lines, E, R>): Protocol.Conversation<Transport, E, R> =>
  (transport) =>
    protocol(make(transport, options))) as {
  (options: Options & { readonly onTooLong: "skip" }): Protocol.Wrapper<LinesOrSkipped, Transport>
  (options?: Options & { readonly onTooLong?: "fail" | undefined }): Protocol.Wrapper<Lines, Transport>
}

const encoder = (options: Options): ((line: string) => Result.Result<Uint8Array | string, FramingError>) => {
  const { anyNewline = false, delimiter = "\r\n", encoding = "utf8" } = options
  const text = anyNewline ? "\n" : delimiter
  const slow = (line: string) => LinesDecoder.encode(line, options)
  // Without an overlap of its own, a delimiter can only appear where it was written.
  if (typeof text !== "string" || encoding !== "utf8" || overlapsItself(text)) return slow
  return (line) =>
    line.includes(text) || (anyNewline && line.endsWith("\r")) ? slow(line) : Result.succeed(line + text)
}

const overlapsItself = (text: string): boolean => {
  for (let n = 1; n < text.length; n++) if (text.startsWith(text.slice(n))) return true
  return false
}
