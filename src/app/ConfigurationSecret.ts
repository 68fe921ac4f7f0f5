/** Values as they may be shown: cut, on one line, and nothing in them that is a secret. */
import * as Redacted from "effect/Redacted"
import { quoted, visible } from "../reactor/EndpointExcerpt.ts"

export const redacted = "<redacted>"

const userinfo = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*):[^\s/?#]*@/gi
const parameter = /([?&;][^=&;\s]*(?:passw|secret|token|api_?key|credential|signature)[^=&;\s]*=)[^&;\s]*/gi

/** What a URL holds of passwords is left out: `postgres://ada:<redacted>@db/app`. */
export const withoutCredentials = (text: string): string =>
  text.replace(userinfo, `$1:${redacted}@`).replace(parameter, `$1${redacted}`)

const columnsMax = 60

/** For a table: unquoted, at most 60 characters. */
export const shown = (text: string): string => {
  const seen = visible(withoutCredentials(text))
  return seen.length <= columnsMax ? seen : `${seen.slice(0, columnsMax - 3)}...`
}

/** For a sentence: in quotes, at most 40 characters. */
export const named = (text: string): string => quoted(withoutCredentials(text))

/** A whole text for a message, without the values in `secrets`: if one is part of it, it is not said at all. */
export const unlessSecret = (message: string, secrets: Iterable<string>): string | undefined => {
  for (const secret of secrets) if (secret !== "" && message.includes(secret)) return undefined
  return message
}

const visitsMax = 10_000

/** The texts inside the `Redacted` values in a result; `hidden` if there are others than texts among them. */
export const redactedIn = (
  result: unknown
): { readonly texts: ReadonlySet<string>; readonly hidden: boolean } => {
  const texts = new Set<string>()
  let hidden = false
  const seen = new Set<object>()
  const queue: Array<unknown> = [result]
  while (queue.length > 0 && seen.size < visitsMax) {
    const value = queue.pop()
    if (typeof value !== "object" || value === null || seen.has(value)) continue
    seen.add(value)
    if (Redacted.isRedacted(value)) {
      const inner = Redacted.value(value)
      if (typeof inner === "string") texts.add(inner)
      else hidden = true
    } else if (value instanceof Map || value instanceof Set) queue.push(...value.values())
    else if (!ArrayBuffer.isView(value)) {
      // No getter is run.
      for (const { value: held } of Object.values(Object.getOwnPropertyDescriptors(value))) queue.push(held)
    }
  }
  return { texts, hidden: hidden || queue.length > 0 }
}
