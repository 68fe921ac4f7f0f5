/** Server-sent events as text (WHATWG HTML §9.2), made; Effect's `Sse` reads them. */
import * as Result from "effect/Result"

export interface Event {
  readonly data: string
  /** What kind of event it is. Default: `message`. */
  readonly event?: string | undefined
  /** What a client says it has seen, when it comes back. */
  readonly id?: string | undefined
}

/** One event; fails where a name or an id could be taken for more than that. */
export const encode = ({ data, event, id }: Event): Result.Result<string, string> => {
  if (id !== undefined && /[\0\r\n]/.test(id)) return Result.fail("an id has no line ends and no NUL")
  if (event !== undefined && /[\r\n]/.test(event)) return Result.fail("the name of an event has no line ends")
  let text = id === undefined ? "" : `id: ${id}\n`
  if (event !== undefined && event !== "message") text += `event: ${event}\n`
  for (const line of data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`
  return Result.succeed(`${text}\n`)
}

/** Ignored by clients: it keeps a connection open, and finds who has gone. */
export const comment = ":\n\n"

/** How long clients are to wait before they come back. */
export const retry = (millis: number): string => `retry: ${Math.max(0, Math.floor(millis))}\n\n`
